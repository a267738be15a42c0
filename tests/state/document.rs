//! The document: round trips, sharing, and what is refused.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use topo::backend::REGISTRY;
use topo::backend::ssh_static::KERNEL_ROUTE;
use topo::resource::{Kind, Known, Record};
use topo::state::{DocumentError, State};

use super::{any_state, kernel_route, mesh, name, node, rows, view};

static UNIT_FILE: Kind = Kind {
    id: "unit_file",
    noun: "file",
    order: 100,
    retires: 0,
    only_seen: false,
    words: &topo::resource::words::RouteWords,
};

/// What another topo can read.
static OTHER: LazyLock<Known> =
    LazyLock::new(|| Known { places: REGISTRY.known().places.clone(), kinds: vec![&KERNEL_ROUTE, &UNIT_FILE] });

fn read(document: &[u8]) -> Result<State, DocumentError> {
    State::from_json(document, REGISTRY.known())
}

/// What is said of a document that somebody has edited.
fn refusal(document: &str) -> String {
    State::from_edited_json(document.as_bytes(), REGISTRY.known()).expect_err("refused").to_string()
}

const SMALL: &str = r#"{"version":1,"lineage":"00112233445566778899aabbccddeeff","serial":5,"topology":"kthw","run":null,
"rows":[{"id":0,"add":[["10.200.0.0/24","10.240.0.20"],["10.200.1.0/24","10.240.0.21"]]},
{"id":4,"from":0,"remove":["10.200.1.0/24"],"add":[["10.200.1.0/24","10.240.0.22"],["fd00:1::/64","fd00::1"]]}],
"views":[{"id":3,"table":254,"protocol":201}],
"places":{"node:node-0":{"endpoint":{"host":"10.240.0.20"},"resources":{
"ssh-static/kernel_route":{"is":{"rows":4,"view":3,"own":["10.240.0.20"]},"token":"t"}}}}}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(state in any_state()) {
        let document = state.to_json();
        let again = read(&document).expect("own document");
        prop_assert_eq!(&again, &state);
        prop_assert_eq!(&read(&again.to_json()).expect("own document"), &state);
        prop_assert_eq!(again.to_json(), read(&again.to_json()).expect("own document").to_json());
    }

    #[test]
    fn damaged_documents_are_refused_or_read_and_never_panic(
        state in any_state(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut document = state.to_json();
        for (at, byte) in changes {
            let at = at.index(document.len());
            document[at] = byte;
        }
        if let Some(cut) = cut {
            document.truncate(cut.index(document.len()));
        }
        if let Ok(state) = read(&document) {
            prop_assert_eq!(read(&state.to_json()).expect("own document"), state);
        }
    }
}

#[test]
fn each_cut_off_document_is_damaged() {
    let document = mesh(3).to_json();
    for length in 0..document.len() {
        let refusal = read(&document[..length]);
        assert!(matches!(refusal, Err(DocumentError::Damaged(_) | DocumentError::Digest)), "{length}: {refusal:?}");
    }
}

#[test]
fn a_document_is_read_as_it_stands() {
    let state = read(SMALL.as_bytes()).expect("document");
    let Some(Record::Settled { is, token }) = state.record(&node(0), &kernel_route()) else { panic!("settled") };
    let rows: Vec<String> = is
        .routes
        .as_ref()
        .expect("routes")
        .rows
        .as_slice()
        .iter()
        .map(|row| format!("{} {}", row.destination, row.owner))
        .collect();
    assert_eq!(rows, ["10.200.0.0/24 10.240.0.20", "10.200.1.0/24 10.240.0.22", "fd00:1::/64 fd00::1"]);
    assert_eq!(token.as_ref().map(topo::resource::Token::as_str), Some("t"));
}

#[test]
fn fields_and_places_are_read_in_any_order() {
    let state = mesh(12);
    let document = without_digest(&state);
    let read = |document: &[u8]| State::from_edited_json(document, REGISTRY.known());
    // Places before the lists that they point to.
    let sorted = serde_json::from_str::<serde_json::Value>(&document).expect("JSON").to_string();
    assert!(sorted.find("\"places\"") < sorted.find("\"rows\":["), "{sorted}");
    assert_eq!(read(sorted.as_bytes()).expect("document"), state);
    let old = sorted.replacen("\"version\":2", "\"version\":1", 1);
    let found = refusal(&old.replacen("\"token\"", "\"new\":1,\"token\"", 1));
    assert!(found.contains("in ssh-static/kernel_route of the place node:node-0, unknown field `new`"), "{found}");

    let (before, places) = document.split_once("\"places\":{\n").expect("places");
    let mut places: Vec<&str> = places.strip_suffix("}}\n").expect("an end").split(",\n").collect();
    places.reverse();
    let reversed = format!("{before}\"places\":{{{}}}}}", places.join(","));
    assert_eq!(read(reversed.as_bytes()).expect("document"), state);
    let doubled = format!("{before}\"places\":{{{},{}}}}}", places.join(","), places[3]);
    assert!(refusal(&doubled).contains("occurs twice"));
}

#[test]
fn lists_and_views_are_shared_and_written_once() {
    let mut state = mesh(50);
    // Equal lists and views in other memory, as a caller may have them.
    if let Some(Record::Settled { is, .. }) =
        state.places.get_mut(&node(7)).expect("place").resources.get_mut(&kernel_route())
    {
        let routes = is.routes.as_mut().expect("routes");
        (routes.rows, routes.view) = (rows(0..50), view());
    }
    let mut newer = rows(0..51);
    if let Some(Record::Settled { is, .. }) =
        state.places.get_mut(&node(8)).expect("place").resources.get_mut(&kernel_route())
    {
        std::mem::swap(&mut is.routes.as_mut().expect("routes").rows, &mut newer);
    }
    let document = String::from_utf8(state.to_json()).expect("text");
    assert_eq!(document.matches("10.100.7.0/24").count(), 1, "{document}");
    assert_eq!(document.matches("\"table\"").count(), 1);
    assert!(document.contains(r#"{"id":1,"from":0,"add":[["10.100.50.0/24","10.240.0.60"]]}"#), "{document}");

    let state = read(document.as_bytes()).expect("document");
    let routes = |number| {
        let Some(Record::Settled { is, .. }) = state.record(&node(number), &kernel_route()) else { panic!("settled") };
        is.routes.clone().expect("routes")
    };
    assert!(routes(0).rows.is_same_list(&routes(7).rows));
    assert!(Arc::ptr_eq(&routes(0).view, &routes(7).view));
    assert!(Arc::ptr_eq(&routes(0).excluded, &routes(8).excluded));
    assert!(!routes(0).rows.is_same_list(&routes(8).rows));
}

#[test]
fn a_list_that_no_record_points_to_is_dropped() {
    let document = SMALL.replace("\"rows\":4", "\"rows\":0");
    let written = String::from_utf8(read(document.as_bytes()).expect("document").to_json()).expect("text");
    assert!(!written.contains("fd00"), "{written}");
}

/// A document as somebody leaves it who has edited it.
fn without_digest(state: &State) -> String {
    let document = String::from_utf8(state.to_json()).expect("text");
    let lines: Vec<&str> = document.split_inclusive('\n').filter(|line| !line.starts_with("\"digest\"")).collect();
    assert_eq!(lines.len(), document.lines().count() - 1);
    lines.concat()
}

#[test]
fn a_digest_is_right_or_the_document_is_refused() {
    let edited = without_digest(&mesh(2));
    let read_edited = |document: &str| State::from_edited_json(document.as_bytes(), REGISTRY.known());
    assert_eq!(read_edited(&edited), Ok(mesh(2)));
    assert_eq!(read(edited.as_bytes()), Err(DocumentError::Damaged("it has no digest".into())));
    let document = String::from_utf8(mesh(2).to_json()).expect("text");
    assert_eq!(read_edited(&document), Ok(mesh(2)));
    // Somebody has changed an address, or has only set it out in another way.
    let moved = document.replacen("10.240.0.10", "10.240.0.12", 1);
    let pretty = serde_json::from_str::<serde_json::Value>(&document).expect("JSON").to_string();
    for other in [moved, pretty, document.replacen(",\n", ", \n", 1)] {
        assert_eq!(read(other.as_bytes()), Err(DocumentError::Digest), "{other}");
        assert_eq!(read_edited(&other), Err(DocumentError::Digest), "{other}");
    }
    // Version 1 has no digest, so this is damage or another form.
    let old = document.replacen("\"version\":2", "\"version\":1", 1);
    assert_eq!(read(old.as_bytes()), Err(DocumentError::Unknown("unknown field `digest`".into())));
}

#[test]
fn fields_of_records_that_a_binary_does_not_know_are_kept() {
    let before = without_digest(&mesh(2));
    let fields = r#","protected":[ 1.50,"x" ],"before":null"#;
    let document = before.replacen("\"}}}", &format!("\"{fields}}}}}}}"), 1);
    assert_ne!(document, before);
    let mut state = State::from_edited_json(document.as_bytes(), REGISTRY.known()).expect("document");
    assert_eq!(without_digest(&state), document);
    // The record changes, and they stay. It goes, and they go.
    let records = &mut state.places.get_mut(&node(0)).expect("place").resources;
    let Some(Record::Settled { is, .. }) = records.remove(&kernel_route()) else { panic!("settled") };
    records.insert(kernel_route(), Record::InDoubt { is: Some(is), to: None, also: vec![] });
    let written = without_digest(&state);
    assert!(written.contains(&format!("\"to\":null{fields}}}}}}}")), "{written}");
    state.places.get_mut(&node(0)).expect("place").resources.clear();
    assert!(!without_digest(&state).contains("protected"));
    let doubled = document.replacen("\"before\"", "\"protected\"", 1);
    assert!(refusal(&doubled).contains("duplicate field `protected`"));
}

#[test]
fn what_a_binary_does_not_know_is_kept_with_the_lists_that_it_points_to() {
    let file = r#"{ "is" : {"rows":4,"view":3,"attributes":{"z":1.50, "a":1}} }"#;
    let vnet = r#"{"resources" : {"x/y":{"rows" :0}}}"#;
    let ending = r#""token":"t"}}}}}"#;
    let document = SMALL.replace("\"rows\":4", "\"rows\":0");
    let document =
        document.replace(ending, &format!(r#""token":"t"}},"systemd/unit_file/60-topo.service":{file}}}}}}}}}"#));
    let written = String::from_utf8(read(document.as_bytes()).expect("document").to_json()).expect("text");
    assert!(written.contains(file), "{written}");
    assert!(written.contains(r#"{"id":4,"#) && written.contains("fd00:1::/64"), "{written}");
    assert!(written.contains(r#""id":3,"table":254"#), "{written}");

    // What a place of unknown form points to cannot be told, so all is kept.
    let vnet_alone = SMALL.replace("\"rows\":4", "\"rows\":0");
    let vnet_alone =
        vnet_alone.replace("\"places\":{", "\"places\":{\"vnet:a\":{\"resources\":{\"x/y\":{\"rows\":4}}},");
    let written = String::from_utf8(read(vnet_alone.as_bytes()).expect("document").to_json()).expect("text");
    assert!(written.contains(r#"{"id":4,"#), "{written}");

    let with_place = document.replace("\"places\":{", &format!("\"places\":{{\"vnet:a\":{vnet},"));
    let state = read(with_place.as_bytes()).expect("document");
    let written = String::from_utf8(state.to_json()).expect("text");
    assert!(written.contains(&format!("\"vnet:a\":{vnet}")), "{written}");
    assert!(!state.is_empty());
    let mut state = state;
    state.places.clear();
    assert!(!state.is_empty(), "topo may have created what it does not know");
    let mut known = read(SMALL.as_bytes()).expect("document");
    assert!(!known.is_empty());
    known.places.clear();
    assert!(known.is_empty());

    // A binary that knows the kind reads what this one wrote.
    let whole = State::from_json(written.as_bytes(), &OTHER).expect("document");
    let file = "systemd/unit_file/60-topo.service".parse().expect("resource");
    let Some(Record::Settled { is, .. }) = whole.record(&node(0), &file) else { panic!("settled") };
    assert_eq!(is.routes.as_ref().expect("routes").rows.as_slice().len(), 3);
}

#[test]
fn refusals_say_why() {
    assert!(read(SMALL.as_bytes()).is_ok());
    for (from, to, why) in [
        ("\"version\":1", "\"version\":3", "it has version 3, but this topo reads versions up to 2"),
        ("\"version\":1", "\"version\":3,\"new\":[]", "it has version 3"),
        ("\"version\":1", "\"version\":0", "version 0"),
        ("\"version\":1", "\"version\":\"1\"", "invalid type"),
        ("\"serial\":5", "\"serial\":5,\"extra\":1", "a part that this topo does not know: unknown field `extra`"),
        ("{\"host\"", "{\"jump\":\"x\",\"host\"", "unknown field `jump`"),
        (
            "\"token\"",
            "\"new\":1,\"token\"",
            "in ssh-static/kernel_route of the place node:node-0, unknown field `new`",
        ),
        ("\"rows\":4", "\"rows\":9", "the list of rows 9 does not exist"),
        ("\"view\":3", "\"view\":9", "the view 9 does not exist"),
        ("\"view\":3,", "", "incomplete"),
        ("\"from\":0", "\"from\":4", "it builds on the list 4, which does not come before it"),
        ("\"from\":0", "\"from\":7", "it builds on the list 7, which does not come before it"),
        ("\"id\":4", "\"id\":0", "the list of rows 0 occurs twice"),
        ("\"remove\":[\"10.200.1.0/24\"],", "", "the destination 10.200.1.0/24 occurs twice"),
        ("\"10.200.1.0/24\",\"10.240.0.21\"", "\"10.200.0.0/24\",\"10.240.0.21\"", "10.200.0.0/24 occurs twice"),
        (
            "[\"10.200.1.0/24\"],\"add\"",
            "[\"10.9.0.0/24\"],\"add\"",
            "it removes 10.9.0.0/24, which is not in the list",
        ),
        ("\"fd00::1\"", "\"10.0.0.1\"", "different families"),
        ("10.200.0.0/24", "10.200.0.1/24", "host bits"),
        ("node:node-0", "node:-x", "is not a place"),
        ("ssh-static/kernel_route", "kernel_route", "is not a resource"),
        ("{\"is\":", "{\"was\":null,\"is\":", "unknown field `was`"),
        ("\"token\":\"t\"", "\"to\":null,\"token\":\"t\"", "a record in doubt has a token"),
        ("\"places\"", "\"place\"", "unknown field"),
        ("aabbccddeeff", "aabbccddeef", "32 hexadecimal digits"),
        ("kthw", "../x", "is not a name"),
    ] {
        let document = SMALL.replacen(from, to, 1);
        assert_ne!(document, SMALL, "{from}");
        let found = refusal(&document);
        assert!(found.contains(why), "{from} → {to}: {found}");
    }
    let doubled = SMALL.replace("\"places\":{", r#""places":{"node:node-0":{"resources":{}},"#);
    assert!(refusal(&doubled).contains("the place node:node-0 occurs twice"));
    assert_eq!(refusal(""), "it is empty (0 bytes)");
    assert!(refusal("\u{0}\u{0}\u{0}").contains("not JSON"));
    assert!(refusal(&"[".repeat(100_000)).contains("invalid type"));
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    assert!(refusal(&SMALL.replacen("\"own\"", &format!("\"attributes\":{deep},\"own\""), 1)).contains("recursion"));
}

#[test]
fn another_topology_or_lineage_is_told() {
    let state = mesh(1);
    assert!(state.expect_topology(&name("kthw")).is_ok());
    let error = state.expect_topology(&name("other")).expect_err("another");
    assert_eq!(error.to_string(), "it belongs to the topology `kthw`, not to `other`");
    assert!(matches!(
        state.expect_lineage(topo::state::Lineage::from_bytes([8; 16])),
        Err(DocumentError::OtherLineage { .. })
    ));
}

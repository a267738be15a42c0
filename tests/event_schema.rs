//! The schema of events: fresh, and as strict as it should be.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use topo::backend::REGISTRY;
use topo::network::NextHop;
use topo::plan::Severity;
use topo::report::{
    AllRows, Change, CommandResult, Event, Finding, Item, RouteValues, RunResult, Totals, Values, Version,
};
use topo::resource::{Action, Name, Phase, Place};

use crate::events::{VALIDATOR, checked, schema_text};

#[test]
#[cfg(feature = "azure")]
fn the_schema_that_is_checked_in_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/events.schema.json");
    if std::env::var_os("TOPO_BLESS").is_some() {
        fs::write(&file, schema_text()).expect("bless");
    }
    let is = fs::read_to_string(&file).expect("schema");
    assert!(is == schema_text(), "`topo schema events > schema/events.schema.json` makes it fresh");
}

/// Some event of each type.
fn samples() -> Vec<Event> {
    let place = Place::from(Name::new("node-1").expect("a name"));
    let route = |next_hop: &str, protocol| {
        let next_hop: NextHop = next_hop.parse().expect("a next hop");
        Some(Values::Route(RouteValues { next_hop, protocol }))
    };
    let settings = [("BGP".into(), Some("on".into())), ("tag a".into(), None)];
    let change = Change {
        id: "0123456789abcdef".into(),
        kind: "kernel_route".into(),
        addresses: vec!["kernel_route.node-1".to_owned()],
        action: Action::Change,
        reason: "node_added".into(),
        reason_node: Some("node-2".into()),
        drift: false,
        places: vec!["node-1".to_owned()],
        count: 3,
        part_of: Some("0123456789abcdef".into()),
        rows: Vec::new(),
        items: vec![
            Item {
                destination: Some("10.200.0.0/24".parse().expect("a prefix")),
                table: Some(254),
                before: route("10.240.0.9", Some(4)),
                after: route("VirtualNetworkGateway", None),
                ..Item::default()
            },
            Item { after: Some(Values::Settings(settings.into())), difference: Some("-a\n".into()), ..Item::default() },
            Item { all_rows: Some(AllRows { count: 2, on_link: Vec::new(), gateways: Vec::new() }), ..Item::default() },
        ],
    };
    vec![
        Event::version(),
        Event::ObserveStarted { places: 2 },
        Event::Observed { place: "node-1".into(), error: None },
        Event::Change(Box::new(change)),
        Event::Finding(Finding::new(Severity::Conflict, "conflict", "It is taken.").about(["a", "b"])),
        Event::stopping(),
        Event::warning(&place, "It is odd."),
        Event::Summary(Totals { unseen: 1, ..Totals::default() }),
        Event::ApplyStarted { steps: 1, places: 1 },
        Event::StepDone { place: "node-1".into(), phase: Phase::Install, operations: 4 },
        Event::StepFailed { place: "node-1".into(), phase: Phase::Retire, text: "It broke.".to_owned() },
        Event::Skipped { place: "a".into(), receiver: "b".into(), routes: 2, text: "b failed".to_owned() },
        Event::Result(CommandResult::Apply(RunResult::default())),
        Event::Result(CommandResult::StateUnlock { removed: None }),
        Event::Result(CommandResult::StateRecover {
            serial: None,
            damaged_serial: None,
            lost_lines: 2,
            kept: vec!["a".into()],
        }),
        Event::Result(CommandResult::StateRecover {
            serial: Some(3),
            damaged_serial: Some(4),
            lost_lines: 0,
            kept: vec![],
        }),
        Event::Error { text: "It is wrong.".to_owned(), hints: Vec::new() },
    ]
}

fn lines(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    events.into_iter().map(|event| serde_json::to_string(&event.now()).expect("JSON")).collect()
}

#[test]
fn each_line_has_type_version_and_time_and_is_read_back() {
    for line in lines(samples()) {
        let [event] = &checked(&line)[..] else { panic!("{line}") };
        assert!(event["type"].is_string(), "{line}");
        assert_eq!(event["version"], json!(Version::V2), "{line}");
        assert!(event["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
}

/// The schema refuses events that differ from right ones in one thing.
#[test]
fn wrong_events_do_not_follow_the_schema() {
    let is_valid = |event: &Value| VALIDATOR.is_valid(event);
    let mut wrong = 0;
    for line in lines(samples()) {
        let event = &checked(&line)[0];
        let mut assert_is_wrong = |change: &dyn Fn(&mut Value)| {
            let mut other = event.clone();
            change(&mut other);
            assert!(other != *event && !is_valid(&other), "this should be wrong: {other}");
            wrong += 1;
        };
        assert_is_wrong(&|event| event["more"] = json!(1));
        assert_is_wrong(&|event| event["type"] = json!("warning"));
        assert_is_wrong(&|event| event["version"] = json!("2.0-draft"));
        assert_is_wrong(&|event| event["time"] = json!("2026-01-01T00:00:00+01:00"));
        let optional = ["error", "reason_node", "part_of", "address"];
        for key in event.as_object().expect("an object").keys().filter(|key| !optional.contains(&key.as_str())) {
            assert_is_wrong(&|event| _ = event.as_object_mut().expect("an object").remove(key));
        }
        for (key, value) in [
            ("severity", "fatal"),
            ("code", "odd"),
            ("action", "forget"),
            ("reason", "why"),
            ("phase", "late"),
            ("kind", "x"),
            ("id", "7"),
            ("command", "make"),
        ] {
            if !event[key].is_null() {
                assert_is_wrong(&|event| event[key] = json!(value));
            }
        }
        if event["type"] == "change" {
            assert_is_wrong(&|event| event["items"] = json!([]));
            assert_is_wrong(&|event| event["items"][0]["colour"] = json!("red"));
            assert_is_wrong(&|event| event["items"][0]["after"]["metric"] = json!("10"));
            assert_is_wrong(&|event| event["items"][0]["destination"] = json!("10.200.0.0"));
        }
    }
    assert!(wrong > 100, "only {wrong} wrong events were tried");
}

/// A finding with a code that the list lacks would not follow the schema.
#[test]
fn each_code_in_the_sources_is_listed() {
    let known = REGISTRY.codes();
    let mut found = 0;
    for path in crate::architecture::files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if path.file_stem().is_some_and(|stem| stem == "tests" || stem == "plan_tests") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let text = text.split_once("#[cfg(test)]").map_or(&*text, |(code, _)| code);
        for call in ["Finding::note(", "Finding::warning(", "Finding::error(", "refusal(", "Finding::new(Severity::"] {
            for rest in text.split(call).skip(1) {
                // The code is the first argument, or the one behind the severity.
                let arguments =
                    if call.ends_with("::") { rest.split_once(',').map_or("", |(_, rest)| rest) } else { rest };
                let Some((code, _)) = arguments.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'))
                else {
                    continue;
                };
                assert!(known.contains(code), "{}: the code {code} is not listed", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 30, "only {found} codes were found");
}

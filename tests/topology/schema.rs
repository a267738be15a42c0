//! The schema: fresh, and of one mind with the parser about what each value alone tells.

use std::fs;
use std::path::Path;

use topo::backend::REGISTRY;
use topo::topology::{Source, parse, schema};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_schema_that_is_checked_in_is_fresh() {
    let file = folder("schema/topology.schema.json");
    if std::env::var_os("TOPO_BLESS").is_some() {
        fs::write(&file, schema::text(REGISTRY.formats())).expect("bless");
    }
    let is = fs::read_to_string(&file).expect("schema");
    assert!(is == schema::text(REGISTRY.formats()), "`topo schema > schema/topology.schema.json` makes it fresh");
}

/// Each file has small documents between lines of `---`, and the first line of each says in a comment what it is about.
#[test]
fn schema_and_parser_agree() {
    let schema = serde_json::from_str(&schema::text(REGISTRY.formats())).expect("JSON");
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let files = [("valid.txt", true), ("invalid.txt", false), ("azure-valid.txt", true), ("azure-invalid.txt", false)];
    // The schema is the same for every build.
    let files = files.into_iter().filter(|(file, _)| cfg!(feature = "azure") || !file.starts_with("azure"));
    for (file, valid) in files {
        let text = fs::read_to_string(folder("tests/topology/schema").join(file)).expect("documents");
        let documents: Vec<&str> = text.split("---\n").collect();
        assert!(documents.len() > 15, "{file}");
        for document in documents {
            let parsed: toml_edit::DocumentMut = document.parse().expect(document);
            let schema_says = validator.is_valid(&to_json(parsed.as_item()));
            let (topology, findings) =
                parse(&[Source { name: file.to_owned(), text: document.to_owned() }], REGISTRY.formats());
            assert_eq!(schema_says, valid, "the schema about\n{document}");
            assert_eq!(topology.is_some(), valid, "the parser about\n{document}{findings:?}");
        }
    }
}

/// The numbers of protocols that others have stand in the schema and in the parser.
#[test]
fn schema_and_parser_agree_about_each_protocol_number() {
    let schema = serde_json::from_str(&schema::text(REGISTRY.formats())).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for number in -1..=256 {
        let text = format!("[topology]\nname = \"t\"\n[backends.ssh-static]\nprotocol = {number}\n");
        let parsed: toml_edit::DocumentMut = text.parse().expect("TOML");
        let (topology, _) = parse(&[Source { name: "t.toml".to_owned(), text }], REGISTRY.formats());
        assert_eq!(validator.is_valid(&to_json(parsed.as_item())), topology.is_some(), "{number}");
    }
}

#[test]
fn the_example_and_both_kinds_of_init_follow_the_schema() {
    let schema = serde_json::from_str(&schema::text(REGISTRY.formats())).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let text = fs::read_to_string(folder("examples/kthw/topo.toml")).expect("example");
    let parsed: toml_edit::DocumentMut = text.parse().expect("TOML");
    assert!(validator.is_valid(&to_json(parsed.as_item())));
}

fn to_json(item: &toml_edit::Item) -> serde_json::Value {
    use serde_json::Value;
    if let Some(table) = item.as_table_like() {
        return Value::Object(table.iter().map(|(key, item)| (key.to_owned(), to_json(item))).collect());
    }
    match item.as_value() {
        Some(toml_edit::Value::String(text)) => Value::from(text.value().as_str()),
        Some(toml_edit::Value::Integer(number)) => Value::from(*number.value()),
        Some(toml_edit::Value::Float(number)) => Value::from(*number.value()),
        Some(toml_edit::Value::Boolean(is)) => Value::from(*is.value()),
        Some(toml_edit::Value::Array(array)) => {
            array.iter().map(|value| to_json(&toml_edit::Item::Value(value.clone()))).collect()
        }
        _ => Value::Null,
    }
}

//! JSON events: each of them follows the schema, and is read back as it was written.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;
use topo::backend::REGISTRY;
use topo::report::Timed;

pub(crate) static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(&schema_text()).expect("JSON");
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::validator_for(&schema).expect("a schema")
});

pub(crate) fn schema_text() -> String {
    topo::report::schema::text(&REGISTRY.kinds(), &REGISTRY.codes())
}

/// The events of a text, one on each line.
#[track_caller]
pub(crate) fn checked(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(VALIDATOR.is_valid(&event), "an event does not follow the schema: {line}");
            let timed: Timed = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(serde_json::to_string(&timed).expect("JSON"), line, "an event is read as it was written");
            event
        })
        .collect()
}

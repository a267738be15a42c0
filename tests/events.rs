//! JSON events: each of them is read back as it was written.

use serde_json::Value;
use topo::report::Timed;

/// The events of a text, one on each line.
#[track_caller]
pub(crate) fn checked(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let timed: Timed = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(serde_json::to_string(&timed).expect("JSON"), line, "an event is read as it was written");
            event
        })
        .collect()
}

//! What a reader can count in a plan is what its last line says: the signs in the text, and the counts in the JSON events.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{cases, name};
use crate::events::checked;

/// Signs of the text, the actions of JSON, and the fields of the summary.
const ACTIONS: [(char, &str, &str); 4] =
    [('<', "import", "import"), ('+', "add", "add"), ('~', "change", "change"), ('-', "remove", "destroy")];

/// How many changes a line of the text stands for: as many as it names places. Without a sign it stands for none.
fn count(line: &str) -> Option<(char, u64)> {
    let mut letters = line.strip_prefix("  ")?.chars();
    let sign = letters.next().filter(|sign| ACTIONS.iter().any(|(known, ..)| known == sign))?;
    letters.next().filter(|blank| *blank == ' ')?;
    let Some((_, places)) = line.split_once("  on ") else { return Some((sign, 1)) };
    let places = places.split("  (").next().unwrap_or(places);
    // `node-0 … node-9 (10 nodes)`, `all but node-1 (9 nodes)`.
    let counted = places.rsplit_once(" (").and_then(|(_, rest)| rest.strip_suffix(" nodes)")?.parse().ok());
    Some((sign, counted.unwrap_or_else(|| places.split(", ").count() as u64)))
}

fn events(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("plan.json")).expect("plan.json");
    checked(&text)
}

#[test]
fn signs_and_counts_add_up_to_the_summary() {
    for folder in cases() {
        let events = events(&folder);
        let text = fs::read_to_string(folder.join("plan.txt")).expect("plan.txt");
        let summary = events.iter().find(|event| event["type"] == "summary").expect("a summary");
        assert_eq!(events.last().expect("a result")["type"], "result", "{}", name(&folder));
        let mut signs: BTreeMap<char, u64> = BTreeMap::new();
        text.lines().filter_map(count).for_each(|(sign, count)| *signs.entry(sign).or_default() += count);
        // What stands in a file counts with the file.
        let own = |event: &&Value| event["type"] == "change" && event["part_of"].is_null();
        for (sign, action, field) in ACTIONS {
            let told = summary[field].as_u64().expect("a number");
            let changes = events.iter().filter(own).filter(|event| event["action"] == action);
            let counted: u64 = changes.map(|event| event["count"].as_u64().expect("a count")).sum();
            let signs = signs.get(&sign).copied().unwrap_or_default();
            assert_eq!((signs, counted), (told, told), "{}: signs and counts of {action}", name(&folder));
        }
        let unseen = summary["unseen"].as_u64().expect("a number");
        let found = events.iter().filter(|event| event["code"] == "unseen");
        let places: usize = found.map(|event| event["places"].as_array().map_or(0, Vec::len)).sum();
        assert_eq!(places as u64, unseen, "{}: places that could not be looked at", name(&folder));
    }
}

#[test]
fn lines_are_counted_by_their_places() {
    for (line, expected) in [
        ("  + 10.200.0.0/24 via 10.240.0.20            on node-1, server", Some(('+', 2))),
        ("  ~ 10.200.0.0/24 via 10.240.0.9 → 10.240.0.20  on node-1  (changed by somebody)", Some(('~', 1))),
        ("  - 10.200.0.0/24 via 10.240.0.20            on node-0 … node-9 (10 nodes)", Some(('-', 10))),
        ("  - 10.200.0.0/24 via 10.240.0.20            on all but node-1 (9 nodes)  (gone)", Some(('-', 9))),
        ("  < kubernetes-subnet   route table: kubernetes-routes", Some(('<', 1))),
        ("      adds    10.200.0.0/24 via 10.240.0.20    on node-1, server", None),
        ("      -      - {to: \"10.200.0.0/24\"}", None),
        ("  # kernel_route: node-1 gets a route", None),
    ] {
        assert_eq!(count(line), expected, "{line}");
    }
}

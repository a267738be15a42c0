//! The JSON schema of events.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::plan::Severity;
use crate::resource::{Action, Phase, Reason};

/// The schema in short: events and results without what they have in common, objects without what makes them strict, and
/// empty lists of words.
const SHORT: &str = include_str!("schema.json");

/// The schema file's text, with a line end: draft 2020-12. The kinds of resources and the codes of findings are those of
/// backends.
pub fn text(kinds: &BTreeSet<&str>, codes: &BTreeSet<&str>) -> String {
    let mut schema: Json = serde_json::from_str(SHORT).unwrap_or_default();
    let mut section = |name: &str| schema.as_object_mut().and_then(|schema| schema.remove(name)).unwrap_or_default();
    let (mut events, mut results, run) = (section("events"), section("results"), section("run"));
    let change = &mut events["change"]["properties"];
    change["kind"]["enum"] = json!(kinds);
    change["action"]["enum"] = json!(Action::OF_CHANGES);
    change["reason"]["enum"] = json!(Reason::LABELS);
    let finding = &mut events["finding"]["properties"];
    finding["severity"]["enum"] = json!(Severity::ALL);
    finding["code"]["enum"] = json!(codes);
    for command in ["apply", "destroy"] {
        results[command]["properties"] = run.clone();
    }
    let mut one_of = Vec::new();
    let mut definitions = Map::new();
    let mut define = |name: String, kind: &str, mut event: Json, command: Option<&str>| {
        let properties = &mut event["properties"];
        properties["type"] = json!({ "const": kind });
        properties["version"] = json!({ "const": "2.0" });
        properties["time"] = json!({ "$ref": "#/$defs/time" });
        if let Some(command) = command {
            properties["command"] = json!({ "const": command });
        }
        one_of.push(json!({ "$ref": format!("#/$defs/{name}") }));
        definitions.insert(name, event);
    };
    for (name, event) in entries(events) {
        define(format!("event_{name}"), &name, event, None);
    }
    for (command, result) in entries(results) {
        define(format!("result_{}", command.replace(' ', "_")), "result", result, Some(&command));
    }
    schema["oneOf"] = Json::Array(one_of);
    if let Json::Object(others) = &mut schema["$defs"] {
        others.extend(definitions);
    }
    schema["$defs"]["phase"]["enum"] = json!(Phase::ALL);
    make_strict(&mut schema["$defs"]);
    format!("{schema:#}\n")
}

fn entries(object: Json) -> Map<String, Json> {
    if let Json::Object(object) = object { object } else { Map::new() }
}

/// Objects have all of their properties except the optional ones, and no others.
fn make_strict(schema: &mut Json) {
    match schema {
        Json::Array(all) => all.iter_mut().for_each(make_strict),
        Json::Object(object) => {
            object.values_mut().for_each(make_strict);
            let optional = object.remove("optional").unwrap_or_default();
            let is_optional = |key: &str| optional.as_array().is_some_and(|all| all.iter().any(|one| one == key));
            if let Some(Json::Object(properties)) = object.get("properties") {
                let required = properties.keys().filter(|key| !is_optional(key)).cloned().collect::<Json>();
                object.insert("type".to_owned(), json!("object"));
                object.insert("required".to_owned(), required);
                object.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        _ => {}
    }
}

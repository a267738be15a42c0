//! The JSON schema of a topology, for editors. It checks each value alone. The parser checks what needs the whole
//! document (overlaps, duplicates, next hops).

use serde_json::{Value as Json, json};

use super::format::Formats;

/// The schema without the tables of backends.
const FRAME: &str = include_str!("schema.json");

/// The schema file's text, with a line end: draft 2020-12. The tables of backends are of these formats.
pub fn text(formats: Formats) -> String {
    let read = |text: &str| serde_json::from_str::<Json>(text).unwrap_or_default();
    let mut schema = read(FRAME);
    let mut properties = json!({});
    // A table with another name says its backend, and so does a table with the name of another backend.
    let typed = |id: &str| json!({ "$ref": format!("#/$defs/{id}"), "required": ["type"] });
    for id in formats.iter().map(|format| format.id()) {
        let others = formats.iter().filter(|other| other.id() != id).map(|other| typed(other.id()));
        let own = std::iter::once(json!({ "$ref": format!("#/$defs/{id}") }));
        properties[id] = json!({ "anyOf": own.chain(others).collect::<Json>() });
    }
    let others: Json = formats.iter().map(|format| typed(format.id())).collect();
    let backends = &mut schema["properties"]["backends"];
    backends["properties"] = properties;
    backends["additionalProperties"] = json!({ "anyOf": others });
    for format in formats {
        schema["$defs"][format.id()] = read(format.schema());
    }
    format!("{schema:#}\n")
}

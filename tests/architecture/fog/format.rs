//! The table of the toy cloud in a topology.

use serde_json::json;
use topo::topology::reader::{Located, TableReader};
use topo::topology::{Diagnostic, Reporter, RoutesOf, TableFormat, TableRead, Tables};

/// The name of the backend.
pub(super) const BACKEND: &str = "fog";

pub(super) struct Format;

impl TableFormat for Format {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let zone = reader.string("zone");
        if zone.is_none() {
            reader.report_missing("zone", "\"north\"");
        }
        let label = reader.string("label").map_or("", |label| label.value);
        let settings = json!({ "zone": zone.map_or("", |zone| zone.value), "label": label });
        TableRead { settings, routes: RoutesOf::Network { in_use: true }, given: Box::new(zone.map(|zone| zone.span)) }
    }

    fn hint_about(&self, key: &str) -> Option<String> {
        (key == "folder").then(|| "Whoever runs topo says where the fog is: TOPO_FOG_FOLDER.".to_owned())
    }

    fn check(&self, tables: &Tables<'_>, report: &Reporter) {
        let mut known: Vec<Located<&str>> = Vec::new();
        for table in tables.of(BACKEND) {
            let Some(Some(span)) = table.given::<Option<topo::topology::Span>>().copied() else { continue };
            let zone = table.settings["zone"].as_str().unwrap_or_default();
            if let Some(first) = known.iter().find(|other| other.value == zone) {
                Diagnostic::error(span, format!("Two tables keep the zone `{zone}`."), "the second")
                    .second(first.span, "the first")
                    .report_to(report);
            }
            known.push(Located { value: zone, span });
        }
    }

    fn schema(&self) -> &'static str {
        r##"{ "title": "fog", "type": "object", "additionalProperties": false, "required": ["zone"], "properties": {
            "type": { "const": "fog" }, "nodes": { "$ref": "#/$defs/patterns" },
            "zone": { "type": "string" }, "label": { "type": "string" } } }"##
    }

    fn example(&self) -> Option<&'static str> {
        Some("# [backends.fog]\n# zone = \"north\"\n")
    }
}

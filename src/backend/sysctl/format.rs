//! The format of `sysctl` tables in a topology.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::Sysctl;
use super::settings::{BACKEND, Filter, Settings};
use crate::backend::two_mentions;
use crate::resource::Name;
use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Reporter, RoutesOf, Table, TableFormat, TableRead, Tables};

impl TableFormat for Sysctl {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn codes(&self) -> &'static [&'static str] {
        super::findings::CODES
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let forward = reader.boolean("ip_forward");
        if let Some(Located { value: false, span }) = forward {
            let message =
                format!("`ip_forward` of {} can only be true: topo does not turn forwarding off.", reader.subject);
            Diagnostic::error(span, message, "not true")
                .hint("Leave `ip_forward` out, and topo does not touch it.")
                .report_to(reader.report);
        }
        let choices = [("loose", Filter::Loose), ("strict", Filter::Strict), ("off", Filter::Off)];
        let filter = reader.choice("rp_filter", &choices);
        if !reader.has("ip_forward") && !reader.has("rp_filter") {
            reader.report_missing("ip_forward", "true");
        }
        let settings = Settings {
            ip_forward: forward.is_some_and(|forward| forward.value),
            rp_filter: filter.map(|filter| filter.value),
        };
        TableRead { settings: json!(settings), routes: RoutesOf::None, given: Box::new(()) }
    }

    /// Checks that each node has at most one file.
    fn check(&self, tables: &Tables<'_>, report: &Reporter) {
        let mut first_of: HashMap<&Name, Table<'_>> = HashMap::new();
        let mut said = HashSet::new();
        for table in tables.of(BACKEND) {
            for node in table.nodes {
                let first = *first_of.entry(node).or_insert(table);
                if first.number == table.number || !said.insert((first.number, table.number)) {
                    continue;
                }
                let error = two_mentions(first.name, table.name, |one, other| {
                    format!("Backends `{one}` and `{other}` would both set kernel settings of node `{node}`.")
                });
                error.hint("Set different `nodes` for them: a node can have only one such file.").report_to(report);
            }
        }
    }

    fn schema(&self) -> &'static str {
        include_str!("schema.json")
    }

    fn example(&self) -> Option<&'static str> {
        Some("# Uncomment this to turn on forwarding on the nodes.\n# [backends.sysctl]\n# ip_forward = true\n")
    }
}

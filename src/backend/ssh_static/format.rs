//! The format of `ssh-static` tables in a topology.

use serde::Deserialize;
use serde_json::json;

use super::{BACKEND, Settings, SshStatic};
use crate::backend::table_and_metric::TableAndMetric;
use crate::backend::two_mentions;
use crate::network::protocol_owner;
use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Reporter, RoutesOf, Table, TableFormat, TableRead, Tables};

impl TableFormat for SshStatic {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let given = TableAndMetric::read(reader);
        let protocol: Option<Located<u8>> = reader.integer("protocol", 5..=254);
        if let Some(Located { value, span }) = protocol
            && let Some(owner) = protocol_owner(value)
        {
            let message = format!("Route protocol {value} belongs to {owner}, so topo cannot use it as its mark.");
            Diagnostic::error(span, message, format!("taken by {owner}"))
                .hint("Use a number from 199 to 254, or remove `protocol` to use 201.")
                .report_to(reader.report);
        }
        let usual = Settings::default();
        let settings = Settings {
            table: given.table.map_or(usual.table, |table| table.value),
            metric: given.metric.map(|metric| metric.value),
            protocol: protocol.map_or(usual.protocol, |protocol| protocol.value),
        };
        TableRead { settings: json!(settings), routes: RoutesOf::Nodes, given: Box::new(given) }
    }

    /// Checks that no two tables write the same routes on the same node.
    fn check(&self, tables: &Tables<'_>, report: &Reporter) {
        let tables: Vec<_> = settings_of(tables).collect();
        for (at, (table, settings)) in tables.iter().enumerate() {
            for (before, _) in tables[..at].iter().filter(|(_, other)| other.same_key(settings)) {
                let Some(node) = before.nodes.intersection(table.nodes).next() else { continue };
                let error = two_mentions(before.name, table.name, |one, other| {
                    format!("Backends `{one}` and `{other}` would write the same routes on node `{node}`.")
                });
                error.hint("Set different `nodes` for them, or a different `table` or `metric`.").report_to(report);
            }
        }
    }

    fn schema(&self) -> &'static str {
        include_str!("schema.json")
    }

    fn example(&self) -> Option<&'static str> {
        Some("# Kernel routes on the nodes, over SSH.\n[backends.ssh-static]\n")
    }
}

/// The tables of `ssh-static`, each with its settings.
pub(in crate::backend) fn settings_of<'d>(tables: &Tables<'d>) -> impl Iterator<Item = (Table<'d>, Settings)> {
    tables.of(BACKEND).filter_map(|table| Some((table, Settings::deserialize(table.settings).ok()?)))
}

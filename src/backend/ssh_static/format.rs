//! The format of `ssh-static` tables in a topology.

use serde::Deserialize;
use serde_json::json;

use super::{BACKEND, Settings, SshStatic};
use crate::backend::table_and_metric::TableAndMetric;
use crate::backend::two_mentions;
use crate::network::MAIN_TABLE;
use crate::topology::reader::TableReader;
use crate::topology::{Reporter, RoutesOf, Table, TableFormat, TableRead, TableSchema, Tables};

impl TableFormat for SshStatic {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let given = TableAndMetric::read(reader);
        let settings = json!(Settings::read(reader, &given));
        TableRead { settings, routes: RoutesOf::Nodes, given: Box::new(given) }
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

    fn schema(&self) -> TableSchema {
        let mut properties = TableAndMetric::schema_with(Settings::schema_properties());
        properties["table"]["default"] = MAIN_TABLE.into();
        TableSchema {
            description: "Kernel routes on nodes, over SSH.",
            nodes: "The nodes that it serves. Default: all.",
            properties,
            condition: json!({}),
        }
    }

    fn example(&self) -> Option<&'static str> {
        Some("# Kernel routes on the nodes, over SSH.\n[backends.ssh-static]\n")
    }
}

/// The tables of `ssh-static`, each with its settings.
pub(in crate::backend) fn settings_of<'d>(tables: &Tables<'d>) -> impl Iterator<Item = (Table<'d>, Settings)> {
    tables.of(BACKEND).filter_map(|table| Some((table, Settings::deserialize(table.settings).ok()?)))
}

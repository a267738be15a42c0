//! The format of `sysctl` tables in a topology.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{BACKEND, Sysctl};
use crate::backend::two_mentions;
use crate::resource::Name;
use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Reporter, RoutesOf, Table, TableFormat, TableRead, Tables};

/// The settings of a table. The list is closed: a topology comes from pull requests, and other kernel settings run programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Whether nodes forward packets.
    #[serde(default)]
    pub(super) ip_forward: bool,
    /// How nodes check source addresses; none leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rp_filter: Option<Filter>,
}

/// How a node checks the source addresses of packets (Documentation/networking/ip-sysctl.rst).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Filter {
    /// Not at all.
    Off,
    /// The route back has to lead through the same device.
    Strict,
    /// There has to be a route back.
    Loose,
}

impl Filter {
    /// The value of the kernel.
    pub(super) fn value(self) -> &'static str {
        match self {
            Self::Off => "0",
            Self::Strict => "1",
            Self::Loose => "2",
        }
    }
}

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

//! The format of `azure-udr` tables in a topology, and checks that compare the tables with each other and with the
//! nodes: route tables, subnets, and the length of route names. Azure ignores case in names.

use std::collections::HashMap;

use super::{AzureUdr, BACKEND, Given, Settings};
use crate::network::Prefix;
use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Reporter, RoutesOf, Span, Table, TableFormat, TableRead, TableSchema, Tables};

impl TableFormat for AzureUdr {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn left_out(&self) -> Option<&'static str> {
        (!cfg!(feature = "azure"))
            .then_some("Use a topo that was built with the cargo feature `azure` (on by default).")
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let (settings, given) = Settings::read(reader);
        // If subnets use the table, Azure forwards between the nodes that it serves.
        let routes = RoutesOf::Network { in_use: given.names_subnets };
        TableRead { settings: settings.to_json(), routes, given: Box::new((settings, given)) }
    }

    fn hint_about(&self, key: &str) -> Option<String> {
        Settings::hint_about(key)
    }

    fn check(&self, tables: &Tables<'_>, report: &Reporter) {
        let own: Vec<(Table<'_>, &(Settings, Given))> =
            tables.of(BACKEND).filter_map(|table| Some((table, table.given()?))).collect();
        if own.is_empty() {
            return;
        }
        // The text of a prefix is as long as its part of a route's name.
        let pods: Vec<Pods<'_>> =
            tables.pods().map(|(prefix, node)| Pods { prefix, node, length: prefix.value.to_string().len() }).collect();
        let mut route_tables = HashMap::new();
        let mut subnets = HashMap::new();
        for (table, (settings, given)) in &own {
            check_route_names(table, (settings, given), &pods, report);
            let Some(place) = given.table else { continue };
            let shown =
                format!("route table `{}` of resource group `{}`", settings.route_table, settings.resource_group);
            if let Some(pair) = Pair::find(&mut route_tables, settings.table_id(), table.name.value, place) {
                let message = format!("Backends {} manage the same {shown}.", pair.names());
                pair.error(message)
                    .hint("Combine the two, or set a different `route_table` in each.")
                    .report_to(report);
            }
            for (subnet, place) in settings.subnets.iter().zip(&given.subnets) {
                let Some(pair) = Pair::find(&mut subnets, subnet.id(&settings.subscription), table.name.value, *place)
                else {
                    continue;
                };
                let shown = format!("{}/{}", subnet.network, subnet.subnet);
                let (message, hint) = if pair.first.0 == pair.second.0 {
                    (format!("Backend `{}` lists the subnet `{shown}` twice.", pair.first.0), "Remove one of the two.")
                } else {
                    (
                        format!("Backends {} would both associate the subnet `{shown}` with a table.", pair.names()),
                        "A subnet can have only one route table: list it in only one backend.",
                    )
                };
                pair.error(message).hint(hint).report_to(report);
            }
        }
    }

    fn schema(&self) -> TableSchema {
        TableSchema {
            description: "Routes in a route table of Azure that subnets of a virtual network use.",
            nodes: "The nodes whose pods get routes in the table. Default: all.",
            properties: Settings::schema_properties(),
            condition: Settings::schema_condition(),
        }
    }
}

/// A pod subnet, its node, and the length of its text.
struct Pods<'a> {
    prefix: Located<Prefix>,
    node: &'a str,
    length: usize,
}

/// Two mentions of the same thing, each with its backend and position, in the order of the document.
struct Pair<'a> {
    first: (&'a str, Span),
    second: (&'a str, Span),
}

impl<'a> Pair<'a> {
    /// Remembers a mention of the thing with this id. Returns the pair if it was mentioned before.
    fn find(
        seen: &mut HashMap<String, (&'a str, Span)>,
        mut id: String,
        backend: &'a str,
        place: Span,
    ) -> Option<Self> {
        id.make_ascii_lowercase();
        let now = (backend, place);
        let before = *seen.entry(id).or_insert(now);
        if before == now {
            return None;
        }
        let (first, second) = if before.1 < now.1 { (before, now) } else { (now, before) };
        Some(Self { first, second })
    }

    fn names(&self) -> String {
        format!("`{}` and `{}`", self.first.0, self.second.0)
    }

    fn error(&self, message: String) -> Diagnostic {
        Diagnostic::error(self.second.1, message, "the second").second(self.first.1, "the first")
    }
}

/// Checks the length of route names: their start, and the longest prefix. One finding per backend.
fn check_route_names(table: &Table<'_>, (settings, given): (&Settings, &Given), pods: &[Pods<'_>], report: &Reporter) {
    let Some(place) = given.route_names else { return };
    let longest = Settings::LONGEST_ROUTE_NAME;
    let room = longest.saturating_sub(settings.route_name_prefix.len());
    let too_long = pods.iter().filter(|pods| pods.length > room && table.nodes.contains(pods.node));
    let Some(Pods { prefix, length, .. }) = too_long.max_by_key(|pods| pods.length) else { return };
    let message = format!(
        "The name of the route to {} would have {} characters in backend `{}`, but Azure allows only {longest}.",
        prefix.value,
        settings.route_name_prefix.len() + length,
        table.name.value
    );
    Diagnostic::error(place, message, "makes the names of routes long")
        .second(prefix.span, "the prefix that ends the name")
        .hint(format!("Set a start with at most {} characters: route_name_prefix = \"…\".", longest - length))
        .report_to(report);
}

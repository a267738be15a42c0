//! The format of `azure-udr` tables in a topology, and checks that compare the tables with each other and with the
//! nodes: route tables, subnets, and the length of route names. Azure ignores case in names.

use std::collections::HashMap;

use serde_json::json;

use super::{AzureUdr, BACKEND, Given, Settings, names};
use crate::backend::two_mentions;
use crate::network::Prefix;
use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Reporter, RoutesOf, Table, TableFormat, TableRead, Tables};

impl TableFormat for AzureUdr {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn left_out(&self) -> Option<&'static str> {
        (!cfg!(feature = "azure"))
            .then_some("Use a topo that was built with the cargo feature `azure` (on by default).")
    }

    fn codes(&self) -> &'static [&'static str] {
        super::findings::CODES
    }

    fn read(&self, reader: &mut TableReader<'_>) -> TableRead {
        let (settings, given) = Settings::read(reader);
        // If subnets use the table, Azure forwards between the nodes that it serves.
        let routes = RoutesOf::Network { in_use: given.names_subnets };
        TableRead { settings: json!(settings), routes, given: Box::new((settings, given)) }
    }

    fn hint_about(&self, key: &str) -> Option<String> {
        // Parts of key names that tools use for credentials, endpoints and clouds.
        const OF_THE_OPERATOR: &str = "secret password credential token certificate tenant client identity principal \
                                       authority endpoint cloud";
        let lower = key.to_ascii_lowercase();
        let hint = match lower.as_str() {
            "table" => "`route_table` sets the name of the route table in Azure. Kernel tables belong to `ssh-static`.",
            "metric" => "A route in Azure has no metric: the longest prefix wins.",
            "protocol" => "A route in Azure has no protocol number: topo finds its routes in its state.",
            _ if OF_THE_OPERATOR.split(' ').any(|part| lower.contains(part)) => {
                "Credentials, endpoints and clouds are never in a topology. Whoever runs topo sets them: `az login` or \
                 the environment, `TOPO_*` variables, ~/.config/topo/config.toml."
            }
            _ => return None,
        };
        Some(hint.to_owned())
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
        let mut known: HashMap<String, Located<&str>> = HashMap::new();
        // The earlier mention of the same thing, if there is one.
        let mut earlier = |mut id: String, now: Located<_>| {
            id.make_ascii_lowercase();
            let before = *known.entry(id).or_insert(now);
            (before != now).then_some(before)
        };
        for (table, (settings, given)) in &own {
            check_route_names(table, (settings, given), &pods, report);
            let Some(span) = given.table else { continue };
            let value = table.name.value;
            let now = Located { value, span };
            if let Some(before) = earlier(settings.table_id(), now) {
                let Settings { route_table, resource_group, .. } = settings;
                let error = two_mentions(before, now, |one, other| {
                    format!(
                        "Backends `{one}` and `{other}` manage the same route table `{route_table}` of resource group \
                         `{resource_group}`."
                    )
                });
                error.hint("Combine the two, or set a different `route_table` in each.").report_to(report);
            }
            for (subnet, span) in settings.subnets.iter().zip(&given.subnets) {
                let now = Located { value, span: *span };
                let Some(before) = earlier(subnet.id(&settings.subscription), now) else { continue };
                let shown = format!("{}/{}", subnet.network, subnet.subnet);
                let error = two_mentions(before, now, |one, other| {
                    if one == other {
                        format!("Backend `{one}` lists the subnet `{shown}` twice.")
                    } else {
                        format!(
                            "Backends `{one}` and `{other}` would both associate the subnet `{shown}` with a table."
                        )
                    }
                });
                let hint = if before.value == value {
                    "Remove one of the two."
                } else {
                    "A subnet can have only one route table: list it in only one backend."
                };
                error.hint(hint).report_to(report);
            }
        }
    }

    fn schema(&self) -> &'static str {
        include_str!("schema.json")
    }
}

/// A pod subnet, its node, and the length of its text.
struct Pods<'a> {
    prefix: Located<Prefix>,
    node: &'a str,
    length: usize,
}

/// Checks the length of route names: their start, and the longest prefix. One finding per backend.
fn check_route_names(table: &Table<'_>, (settings, given): (&Settings, &Given), pods: &[Pods<'_>], report: &Reporter) {
    let Some(place) = given.route_names else { return };
    let longest = names::LONGEST_NAME;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_operator_are_told_from_typing_errors() {
        for key in
            ["client_secret", "TENANT_ID", "endpoint", "arm_endpoint", "cloud", "use_managed_identity", "password"]
        {
            assert!(AzureUdr.hint_about(key).is_some_and(|hint| hint.contains("never in a topology")), "{key}");
        }
        for key in ["subnet", "locaton", "resourcegroup", "tags"] {
            assert_eq!(AzureUdr.hint_about(key), None, "{key}");
        }
    }
}

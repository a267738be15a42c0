//! The settings of `[backends.azure-udr]`.

use serde::{Deserialize, Serialize};

use crate::network::Prefix;
use crate::topology::reader::{Located, TableReader};
use crate::topology::{Diagnostic, Span};

use super::names;
use super::subnet_name::SubnetName;

/// The name of this backend in a topology.
pub const BACKEND: &str = "azure-udr";

/// What the table contains for nodes outside the virtual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// Nothing.
    Skip,
    /// For their pods, a route through the virtual network's gateway (VPN or `ExpressRoute`).
    VirtualNetworkGateway,
}

/// What topo does about IP forwarding on the network interface of a next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpForwarding {
    /// topo checks it. If it is off, topo writes nothing.
    #[default]
    Check,
    /// topo turns it on if it is off.
    Enable,
}

/// One route table, and the subnets that use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group of the table.
    pub resource_group: String,
    /// The region in the spelling of `az`: `eastus2`.
    pub location: String,
    /// The name of the table. The default is the name of the resource group with `-routes`.
    pub route_table: String,
    /// The start of the names of topo's routes; the prefix follows: `kubernetes-route-` and `10-200-0-0-24`. The
    /// default is the table's name (without the last `s` if it ends with `-routes`) and `-`.
    pub route_name_prefix: String,
    /// The subnets that are associated with the table.
    pub subnets: Vec<SubnetName>,
    /// What topo does for nodes outside the virtual network; none: they are an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// What topo does about IP forwarding.
    #[serde(default)]
    pub ip_forwarding: IpForwarding,
    /// Whether topo creates, changes and deletes the table itself. If not, somebody else does, and topo only keeps its
    /// routes in it.
    pub manage_table: bool,
    /// Whether the subnets get routes that Azure learns by BGP; none: topo does not change this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp_route_propagation: Option<bool>,
}

/// Positions of settings in the topology, for checks that compare several tables.
#[derive(Clone, Debug)]
pub struct Given {
    /// The position of the table's name; none if the name is unreadable.
    pub table: Option<Span>,
    /// The position of the prefix of route names; none if it is unreadable.
    pub route_names: Option<Span>,
    /// The position of each subnet, in the order of the settings.
    pub subnets: Vec<Span>,
    /// Whether the topology lists subnets, valid or not.
    pub names_subnets: bool,
}

impl Settings {
    /// Reads the keys of its table. Reports errors and continues with harmless values.
    pub fn read(reader: &mut TableReader<'_>) -> (Self, Given) {
        let subscription = read_name(reader, "subscription", names::is_subscription, |_| {
            ("not the id of a subscription", "It is a UUID; `az account show --query id` prints it.".to_owned())
        });
        let group = read_name(reader, "resource_group", names::is_resource_group, |_| {
            let hint = "The name of a resource group has letters, digits, `_`, `-`, `.`, `(` and `)`, no `.` at the end, and at most 90 \
                        characters.";
            ("not the name of a resource group", hint.to_owned())
        });
        let location = read_name(reader, "location", names::is_location, |given| {
            let meant = names::location(given);
            let hint = if given.is_ascii() && names::is_location(&meant) {
                format!("Write \"{meant}\".")
            } else {
                "Write a region such as \"eastus2\". `az account list-locations --query [].name` lists all \
                 regions."
                    .to_owned()
            };
            ("not the name of a region", hint)
        });
        for (key, example) in [
            ("subscription", "\"00000000-0000-0000-0000-000000000000\""),
            ("resource_group", "\"kubernetes\""),
            ("location", "\"eastus2\""),
        ] {
            if !reader.report.broken && !reader.has(key) {
                reader.report_missing(key, example);
            }
        }
        let own_group = group.map_or("", |group| group.value);
        let named_table = read_name(reader, "route_table", names::is_name, |_| {
            ("not the name of a route table", names::NAME_HINT.to_owned())
        });
        let table_key = reader.has("route_table");
        let route_table =
            named_table.map_or_else(|| format!("{own_group}{}", names::TABLE_ENDING), |table| table.value.to_owned());
        if let Some(group) = group.filter(|_| !table_key && !names::is_name(&route_table)) {
            let message = format!("The route table of {} cannot be called `{route_table}`.", reader.subject);
            Diagnostic::error(group.span, message, "the default name of the table comes from it")
                .hint(format!("Set a name: route_table = \"…\". {}", names::NAME_HINT))
                .report_to(reader.report);
        }
        let prefix = read_name(reader, "route_name_prefix", names::is_prefix, |_| {
            let hint = format!(
                "Start with a letter or digit, then letters, digits, `_`, `.` and `-`, at most {} characters. topo \
                 adds the prefix, such as 10-200-0-0-24.",
                names::LONGEST_PREFIX
            );
            ("no name of a route can start like this", hint)
        });
        let prefix_key = reader.has("route_name_prefix");
        let mut subnets = Vec::new();
        let mut spans = Vec::new();
        let texts = reader.strings("subnets");
        let names_subnets = texts.as_ref().is_some_and(|texts| !texts.is_empty_list());
        for text in texts.into_iter().flatten() {
            if let Some(name) = SubnetName::parse(text.value, own_group) {
                subnets.push(name);
                spans.push(text.span);
            } else {
                not_a_subnet(text).report_to(reader.report);
            }
        }
        let outside = reader
            .choice("outside", &[("skip", Outside::Skip), ("virtual-network-gateway", Outside::VirtualNetworkGateway)]);
        let ip_forwarding =
            reader.choice("ip_forwarding", &[("check", IpForwarding::Check), ("enable", IpForwarding::Enable)]);
        let manage_table = reader.boolean("manage_table");
        let propagation = reader.boolean("bgp_route_propagation");
        if let (Some(managed), Some(propagation)) = (manage_table.filter(|managed| !managed.value), propagation) {
            let message = format!(
                "`bgp_route_propagation` of {} would change a table that topo does not manage.",
                reader.subject
            );
            Diagnostic::error(propagation.span, message, "a property of the table")
                .second(managed.span, "somebody else manages the table")
                .hint(
                    "Remove one of the two: whoever manages the table decides whether it accepts routes learned by \
                         BGP.",
                )
                .report_to(reader.report);
        }
        if let Some(outside) = outside.filter(|_| !reader.has("subnets")) {
            let message = format!("`outside` of {} has no effect without `subnets`.", reader.subject);
            Diagnostic::warning(outside.span, message, "topo assumes that all nodes are inside")
                    .hint("topo needs the network of the `subnets` to know which nodes are inside. Set `subnets`, or choose the nodes with `nodes`.").report_to(reader.report);
        }
        let known = subscription.is_some() && group.is_some() && named_table.is_some() == table_key;
        let place_of_table = named_table.map_or(reader.span, |table| table.span);
        let given = Given {
            table: known.then_some(place_of_table),
            route_names: prefix.map(|prefix| prefix.span).or((!prefix_key).then_some(place_of_table)),
            subnets: spans,
            names_subnets,
        };
        let settings = Self {
            subscription: subscription.map_or_else(String::new, |id| id.value.to_ascii_lowercase()),
            resource_group: own_group.to_owned(),
            location: location.map_or_else(String::new, |location| names::location(location.value)),
            route_name_prefix: prefix.map_or_else(|| default_prefix(&route_table), |prefix| prefix.value.to_owned()),
            route_table,
            subnets,
            outside: outside.map(|outside| outside.value),
            ip_forwarding: ip_forwarding.map_or_else(IpForwarding::default, |choice| choice.value),
            manage_table: manage_table.is_none_or(|managed| managed.value),
            bgp_route_propagation: propagation.map(|propagation| propagation.value),
        };
        (settings, given)
    }

    /// The name that topo gives to a route to a prefix: `kubernetes-route-10-200-0-0-24`.
    pub fn route_name(&self, destination: Prefix) -> String {
        format!("{}{}", self.route_name_prefix, destination.to_string().replace(['.', ':', '/'], "-"))
    }

    /// The id of the route table in Azure Resource Manager.
    pub fn table_id(&self) -> String {
        let Self { subscription, resource_group, route_table, .. } = self;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Network/routeTables/{route_table}"
        )
    }

    /// The id of the virtual network of a subnet.
    pub fn network_id(&self, subnet: &SubnetName) -> String {
        subnet.network_id(&self.subscription)
    }
}

/// The default start of the names of routes.
fn default_prefix(table: &str) -> String {
    let name = if table.ends_with(names::TABLE_ENDING) { &table[..table.len() - 1] } else { table };
    format!("{name}-")
}

/// Reads a string that must be a name of some kind. For an invalid one, `wrong` gives the label and what to do.
fn read_name<'a>(
    reader: &mut TableReader<'a>,
    key: &'static str,
    fits: fn(&str) -> bool,
    wrong: impl Fn(&str) -> (&'static str, String),
) -> Option<Located<&'a str>> {
    let given = reader.string(key)?;
    if fits(given.value) {
        return Some(given);
    }
    let (label, hint) = wrong(given.value);
    let message = format!("`{key}` of {} cannot be `{}`.", reader.subject, given.value.escape_debug());
    Diagnostic::error(given.span, message, label).hint(hint).report_to(reader.report);
    None
}

fn not_a_subnet(text: Located<&str>) -> Diagnostic {
    let message = format!("`{}` is not a subnet of a virtual network.", text.value.escape_debug());
    let short = SubnetName::of_id(text.value)
        .map(|(_, name)| format!("{}/{}/{}", name.resource_group, name.network, name.subnet))
        .filter(|short| SubnetName::parse(short, "").is_some());
    let hint = match short {
        Some(short) => format!("Write \"{short}\"."),
        None if names::is_name(text.value) => format!("Add the virtual network: \"NETWORK/{}\".", text.value),
        None => format!(
            "Write \"NETWORK/SUBNET\", or \"RESOURCE_GROUP/NETWORK/SUBNET\" if the network is in another group than \
             the table. {} The name of a network has 2 to 64 characters.",
            names::NAME_HINT
        ),
    };
    Diagnostic::error(text.span, message, "not a subnet").hint(hint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> Settings {
        Settings {
            subscription: "00000000-0000-0000-0000-000000000000".to_owned(),
            resource_group: "kubernetes".to_owned(),
            location: "eastus2".to_owned(),
            route_table: "kubernetes-routes".to_owned(),
            route_name_prefix: default_prefix("kubernetes-routes"),
            subnets: Vec::new(),
            outside: None,
            ip_forwarding: IpForwarding::Check,
            manage_table: true,
            bgp_route_propagation: None,
        }
    }

    #[test]
    fn settings_survive_json() {
        let subnet = SubnetName {
            resource_group: "net".to_owned(),
            network: "kubernetes-vnet".to_owned(),
            subnet: "kubernetes-subnet".to_owned(),
        };
        let other = Settings {
            subnets: vec![subnet],
            outside: Some(Outside::VirtualNetworkGateway),
            ip_forwarding: IpForwarding::Enable,
            manage_table: false,
            bgp_route_propagation: Some(false),
            ..settings()
        };
        for settings in [settings(), other] {
            assert_eq!(Settings::deserialize(&json!(settings)).expect("settings"), settings);
        }
    }

    #[test]
    fn routes_are_called_as_in_kubernetes_the_hard_way() {
        let name = |prefix: &str| settings().route_name(prefix.parse().expect("prefix"));
        assert_eq!(name("10.200.0.0/24"), "kubernetes-route-10-200-0-0-24");
        assert_eq!(name("fd00:200:1::/64"), "kubernetes-route-fd00-200-1---64");
        assert_eq!(default_prefix("edge"), "edge-");
        assert_eq!(default_prefix("routes"), "routes-");
    }
}

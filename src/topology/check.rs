//! Checks of the whole document. All use sorting and look-ups, because a topology can have thousands of nodes.

use std::collections::{BTreeSet, HashSet};

use crate::network::{Family, Prefix, Row, Rows, number};

use super::diagnostics::{Diagnostic, Reporter, Span};
use super::draft::Draft;
use super::format::{Formats, RoutesOf};
use super::glob::matching;
use super::node_draft::NodeDraft;
use super::patterns::report_no_match;
use super::prefix_index::{Entry, PrefixIndex};
use super::reader::Located;
use super::{BackendTable, Node, NodeSsh, Subnet, Topology, backends, links};
use crate::resource::Name;

/// Checks the draft and builds the topology.
pub(super) fn check(draft: &Draft<'_>, formats: Formats, report: &Reporter) -> Option<Topology> {
    let order = file_order(draft);
    check_addresses(draft, &order, report);
    let rows = check_pods(draft, &order, report);
    check_decommissioned(draft, report);
    let merged = merge_groups(draft, report);
    // An invalid name was reported, so there will be no topology. This name only keeps the order.
    let stand_in = Name::new("invalid").ok()?;
    let own_name = |node: &NodeDraft<'_>| Name::new(node.name.value).unwrap_or_else(|_| stand_in.clone());
    let names: Vec<Name> = draft.nodes.iter().map(own_name).collect();
    let served = backends::check(draft, &names, formats, report);
    let managed: Vec<bool> = merged.iter().map(|merged| merged.managed).collect();
    links::check(draft, &served, &managed, report);
    let empty = if draft.nodes.is_empty() {
        let hint = "Add for example node-0 = { address = \"10.240.0.20\" } below a line [nodes].";
        Some(("The topology has no nodes.", hint.to_owned()))
    } else {
        let first = formats.first().map_or("…", |format| format.id());
        let has_routes = || draft.backends.iter().any(|backend| backend.read.routes != RoutesOf::None);
        let example =
            "Add the pod subnets behind a node: node-0 = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }.";
        if draft.has_backends {
            (draft.pods.is_empty() && has_routes() && report.is_empty())
                .then(|| ("No node has pods.", example.to_owned()))
        } else {
            Some(("No backend is active.", format!("Add a line [backends.{first}].")))
        }
    };
    if let Some((what, hint)) = empty.filter(|_| !report.broken) {
        let message = format!("{what} topo writes no routes, and removes those that it owns.");
        Diagnostic::warning(Span::default(), message, "").hint(hint).report_to(report);
    }
    build(draft, names, merged, served, &rows)
}

/// The nodes in the order of the file. Most files list addresses and pod subnets in their order, so that they need little
/// sorting then.
pub(super) fn file_order(draft: &Draft<'_>) -> Vec<usize> {
    let mut order: Vec<(Span, usize)> = draft.nodes.iter().map(|node| node.name.span).zip(0..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

fn build(
    draft: &Draft<'_>,
    names: Vec<Name>,
    merged: Vec<Merged>,
    served: Vec<BTreeSet<Name>>,
    rows: &[Row],
) -> Option<Topology> {
    let name = |text: Located<&str>| Name::new(text.value).ok();
    let nodes =
        draft.nodes.iter().zip(names).zip(merged).map(|((node, name), Merged { ssh, interface, nat, managed })| {
            let addresses = draft.addresses_of(node).collect();
            let pods = draft.pods_of(node).collect();
            (name, Node { addresses, pods, ssh, interface, nat, managed })
        });
    let subnets = draft.subnets.iter().map(|subnet| {
        let cidr = subnet.cidr.iter().map(|prefix| prefix.value).collect();
        let gateway = subnet.gateway.iter().map(|gateway| gateway.value).collect();
        Some((name(subnet.name)?, Subnet { cidr, gateway, on_link: subnet.on_link.is_some() }))
    });
    let tables = draft.backends.iter().zip(served).map(|(draft, nodes)| {
        let settings = draft.read.settings.clone();
        Some((name(draft.name)?, BackendTable { backend: draft.format.id(), nodes, settings }))
    });
    Some(Topology {
        name: draft.name.clone()?,
        decommissioned: draft.decommissioned.iter().filter_map(|text| name(*text)).collect(),
        subnets: subnets.collect::<Option<_>>()?,
        nodes: nodes.collect(),
        backends: tables.collect::<Option<_>>()?,
        rows: Rows::from_sorted(rows),
    })
}

fn node_name<'a>(draft: &Draft<'a>, node: u32) -> &'a str {
    draft.nodes[node as usize].name.value
}

pub(super) fn check_addresses(draft: &Draft<'_>, order: &[usize], report: &Reporter) {
    let mut sorted: Vec<(u128, usize)> = Vec::with_capacity(draft.addresses.len());
    for family in [Family::V4, Family::V6] {
        for index in order.iter().flat_map(|node| draft.nodes[*node].addresses.clone()) {
            let address = draft.addresses[index].value;
            if Family::of(address) == family {
                sorted.push((number(address), index));
            }
        }
    }
    sorted.sort_unstable();
    for pair in sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (first, again) = (&draft.addresses[pair[0].1], &draft.addresses[pair[1].1]);
        if first.value == again.value {
            let (one, other) = (node_name(draft, first.node), node_name(draft, again.node));
            let message = format!("Nodes `{one}` and `{other}` have the same address {}.", again.value);
            Diagnostic::error(again.span, message, format!("of `{other}`"))
                .second(first.span, format!("of `{one}`"))
                .hint("Give each node its own address.")
                .report_to(report);
        }
    }
}

/// Checks the pod subnets. Returns them as rows, sorted by destination.
pub(super) fn check_pods(draft: &Draft<'_>, order: &[usize], report: &Reporter) -> Vec<Row> {
    let link_local = link_local();
    for (pod, node) in draft.pods.iter().map(|pod| (pod, &draft.nodes[pod.node as usize])) {
        let (family, name) = (pod.value.family(), node.name.value);
        if pod.value.is_default() {
            let message = format!("The pod subnet {} of node `{name}` is the default route.", pod.value);
            Diagnostic::error(pod.span, message, "contains all addresses")
                .hint("Set the prefix of the node's pods.")
                .report_to(report);
        }
        if link_local.is_some_and(|local| local.covers(&pod.value)) {
            let message = format!("The pod subnet {} of node `{name}` has link-local addresses.", pod.value);
            Diagnostic::error(pod.span, message, "link-local")
                .hint("No router forwards these, and clouds have their metadata there. Give the pods another subnet.")
                .report_to(report);
        }
        if !node.damaged && !draft.addresses_of(node).any(|own| Family::of(own) == family) {
            let message = format!(
                "Node `{name}` has an {label} pod subnet but no {label} address, so other nodes have no next hop for \
                 it.",
                label = family.label()
            );
            Diagnostic::error(pod.span, message, format!("{} pod subnet", family.label()))
                .second(node.name.span, format!("without an {} address", family.label()))
                .hint(format!("Add an {} address to the node: `address` takes a list.", family.label()))
                .report_to(report);
        }
    }
    let keys = order.iter().flat_map(|node| draft.nodes[*node].pods.clone());
    let pods = keys.map(|index| (draft.pods[index].value, u32::try_from(index).unwrap_or(u32::MAX)));
    let index = PrefixIndex::new(pods.filter(|(pod, _)| !pod.is_default()));
    for (inner, outer) in index.nested() {
        let (inner, outer) = (&draft.pods[inner.key as usize], &draft.pods[outer.key as usize]);
        let (one, other) = (node_name(draft, outer.node), node_name(draft, inner.node));
        let message = match (outer.value == inner.value, outer.node == inner.node) {
            (true, true) => format!("Node `{one}` has the pod subnet {} twice.", inner.value),
            (true, false) => format!("Nodes `{one}` and `{other}` have the same pod subnet {}.", inner.value),
            (false, true) => format!("The pod subnets {} and {} of node `{one}` overlap.", outer.value, inner.value),
            (false, false) => {
                format!(
                    "The pod subnets {} of node `{one}` and {} of node `{other}` overlap.",
                    outer.value, inner.value
                )
            }
        };
        Diagnostic::error(inner.span, message, format!("of `{other}`"))
            .second(outer.span, format!("of `{one}`"))
            .hint("Every pod subnet must belong to one node, and must not overlap another one.")
            .report_to(report);
    }
    check_covered(draft, &index, report);
    let row = |entry: &Entry| {
        let node = &draft.nodes[draft.pods[entry.key as usize].node as usize];
        let owner = draft.addresses_of(node).find(|owner| Family::of(*owner) == entry.prefix.family())?;
        Some(Row { destination: entry.prefix, owner })
    };
    let mut rows: Vec<Row> = Vec::with_capacity(draft.pods.len());
    rows.extend(index.entries().filter_map(row));
    // A destination that occurs twice is an error, which was reported.
    rows.dedup_by_key(|row| row.destination);
    rows
}

/// The IPv4 addresses that mean something on one link alone (RFC 3927). Those of IPv6 are no prefixes for routes at all.
fn link_local() -> Option<Prefix> {
    "169.254.0.0/16".parse().ok()
}

/// Pod subnets that would cut a network, a gateway or a node off from its link. One finding per pod subnet.
fn check_covered(draft: &Draft<'_>, pods: &PrefixIndex, report: &Reporter) {
    let mut reported = HashSet::new();
    let mut covered = |key: u32, place: Span, what: String| {
        if reported.insert(key) {
            let pod = &draft.pods[key as usize];
            let message =
                format!("The pod subnet {} of node `{}` covers {what}.", pod.value, node_name(draft, pod.node));
            Diagnostic::error(pod.span, message, "pod subnet")
                .second(place, "covered by it")
                .hint("A route to it would cut off the nodes themselves: use separate prefixes for pods and nodes.")
                .report_to(report);
        }
    };
    for subnet in &draft.subnets {
        for cidr in &subnet.cidr {
            for pod in pods.covering(cidr.value) {
                covered(pod.key, cidr.span, format!("{} of subnet `{}`", cidr.value, subnet.name.value));
            }
        }
        for gateway in &subnet.gateway {
            for pod in pods.holding(gateway.value) {
                covered(
                    pod.key,
                    gateway.span,
                    format!("{}, the gateway of subnet `{}`", gateway.value, subnet.name.value),
                );
            }
        }
    }
    for address in &draft.addresses {
        for pod in pods.holding(address.value) {
            covered(
                pod.key,
                address.span,
                format!("{}, the address of node `{}`", address.value, node_name(draft, address.node)),
            );
        }
    }
}

fn check_decommissioned(draft: &Draft<'_>, report: &Reporter) {
    for name in &draft.decommissioned {
        if let Ok(index) = draft.nodes.binary_search_by(|node| node.name.value.cmp(name.value)) {
            let message = format!("`{}` is decommissioned, but it is also a node.", name.value);
            Diagnostic::error(name.span, message, "decommissioned")
                .second(draft.nodes[index].name.span, "still a node")
                .hint("Remove it from one of the two.")
                .report_to(report);
        }
    }
}

/// The settings that a node can get from its groups.
struct Merged {
    ssh: NodeSsh,
    interface: Option<Box<str>>,
    nat: bool,
    managed: bool,
}

/// A value, and the number of the group that it comes from.
type From<T> = Option<(Located<T>, usize)>;

#[derive(Clone, Copy, Default)]
struct FromGroups<'a> {
    host: From<&'a str>,
    port: From<u16>,
    user: From<&'a str>,
    sudo: From<bool>,
    interface: From<&'a str>,
    nat: From<bool>,
    managed: From<bool>,
}

/// The settings of each node: its own, else those of its groups, else those for all nodes.
fn merge_groups(draft: &Draft<'_>, report: &Reporter) -> Vec<Merged> {
    let mut merged: Vec<FromGroups<'_>> = Vec::new();
    if !draft.groups.is_empty() {
        merged.resize_with(draft.nodes.len(), FromGroups::default);
    }
    let mut join = Join { draft, report, said: HashSet::new() };
    for (number, group) in draft.groups.iter().enumerate() {
        for pattern in &group.patterns {
            let mut any = false;
            for index in matching(pattern.value, &draft.nodes) {
                any = true;
                let (own, slot, given) = (&draft.nodes[index].settings, &mut merged[index], &group.settings);
                let at = (index, number);
                join.setting(at, "ssh.host", own.host, &mut slot.host, given.host);
                join.setting(at, "ssh.port", own.port, &mut slot.port, given.port);
                join.setting(at, "ssh.user", own.user, &mut slot.user, given.user);
                join.setting(at, "ssh.sudo", own.sudo, &mut slot.sudo, given.sudo);
                join.setting(at, "managed", own.managed, &mut slot.managed, given.managed);
                join.setting(at, "nat", own.nat, &mut slot.nat, given.nat);
                join.setting(at, "interface", own.interface, &mut slot.interface, given.interface);
            }
            if !any {
                report_no_match(*pattern, "group", group.name.value, report);
            }
        }
    }
    let (all, none) = (&draft.ssh, FromGroups::default());
    let nodes = draft.nodes.iter().enumerate().map(|(index, node)| {
        let (own, group) = (&node.settings, merged.get(index).unwrap_or(&none));
        let ssh = NodeSsh {
            host: first(own.host, group.host, None).map(str::to_owned),
            port: first(own.port, group.port, all.port),
            user: first(own.user, group.user, all.user).map(str::to_owned),
            sudo: first(own.sudo, group.sudo, all.sudo).unwrap_or(false),
        };
        let nat = first(own.nat, group.nat, None).unwrap_or(false);
        let managed = first(own.managed, group.managed, None).unwrap_or(true);
        Merged { ssh, interface: first(own.interface, group.interface, None).map(Box::from), nat, managed }
    });
    nodes.collect()
}

/// The setting of a node, of its groups, or of all nodes: the first that is given.
fn first<T>(own: Option<Located<T>>, group: From<T>, all: Option<Located<T>>) -> Option<T> {
    own.or(group.map(|(value, _)| value)).or(all).map(|located| located.value)
}

/// Joins the settings of groups, and reports where groups differ.
struct Join<'a> {
    draft: &'a Draft<'a>,
    report: &'a Reporter,
    /// Each pair of groups is reported once for a setting.
    said: HashSet<(&'static str, usize, usize)>,
}

impl Join<'_> {
    /// Gives a node the value of a group, unless it has its own or that of an earlier group.
    fn setting<T: Copy + PartialEq>(
        &mut self,
        (node, group): (usize, usize),
        key: &'static str,
        own: Option<Located<T>>,
        slot: &mut From<T>,
        given: Option<Located<T>>,
    ) {
        let Some(given) = given.filter(|_| own.is_none()) else { return };
        let (before, from) = *slot.get_or_insert((given, group));
        if before.value != given.value && self.said.insert((key, from, group)) {
            let Draft { nodes, groups, .. } = self.draft;
            let (one, other, node) = (groups[from].name.value, groups[group].name.value, nodes[node].name.value);
            let message = format!("Groups `{one}` and `{other}` set different values of `{key}` for node `{node}`.");
            Diagnostic::error(given.span, message, format!("of `{other}`"))
                .second(before.span, format!("of `{one}`"))
                .hint("Set the value in the node's own entry, or change the patterns of the groups.")
                .report_to(self.report);
        }
    }
}

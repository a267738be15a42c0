//! Finds the subnet of each address, and checks that every sender has a next hop for every owner.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::network::{Family, Prefix};

use super::diagnostics::{Diagnostic, Reporter, Span};
use super::draft::{Draft, SubnetDraft};
use super::format::RoutesOf;
use super::node_draft::NodeDraft;
use super::prefix_index::PrefixIndex;
use super::toml_text::key;
use crate::resource::Name;

/// Checks subnets, gateways and next hops. `served` are the nodes of each backend, `managed` says of each node whether it gets routes.
pub(super) fn check(draft: &Draft<'_>, served: &[BTreeSet<Name>], managed: &[bool], report: &Reporter) {
    if draft.subnets.is_empty() {
        return;
    }
    // The position of the subnet of each address.
    let mut homes = vec![None; draft.addresses.len()];
    // All prefixes of all subnets. The key of each is its position here.
    let cidrs: Vec<(Prefix, Span, u32)> = (0..)
        .zip(&draft.subnets)
        .flat_map(|(number, subnet)| subnet.cidr.iter().map(move |cidr| (cidr.value, cidr.span, number)))
        .filter(|(prefix, _, _)| !prefix.is_default())
        .collect();
    let index = PrefixIndex::new(cidrs.iter().zip(0..).map(|((prefix, _, _), key)| (*prefix, key)));
    let damaged = report.broken || draft.subnets.iter().any(|subnet| subnet.damaged);
    for (home, address) in homes.iter_mut().zip(&draft.addresses) {
        let node = draft.nodes[address.node as usize].name.value;
        let mut holding = index.holding(address.value).map(|entry| cidrs[entry.key as usize]);
        let Some((prefix, span, subnet)) = holding.next() else {
            if !damaged {
                let message = format!("The address {} of node `{node}` is not in any subnet.", address.value);
                Diagnostic::error(address.span, message, "not in any subnet")
                    .hint("Correct the address, or add its network below [subnets].")
                    .report_to(report);
            }
            continue;
        };
        *home = Some(subnet);
        if let Some((_, other_span, other)) = holding.find(|(_, _, other)| *other != subnet) {
            let (one, two) = (name(draft, subnet), name(draft, other));
            let message =
                format!("The address {} of node `{node}` is in two subnets, `{one}` and `{two}`.", address.value);
            let wider = if other_span == span { span } else { other_span };
            Diagnostic::error(address.span, message, "in two subnets")
                .second(wider, format!("`{two}` overlaps `{one}`"))
                .hint("An address belongs to one link: use subnets that do not overlap.")
                .report_to(report);
        }
        if let Some(edge) = edge_of_link(address.value, prefix) {
            let message = format!("Node `{node}` cannot have {}: it is {edge} of {prefix}.", address.value);
            Diagnostic::error(address.span, message, edge).second(span, "of this prefix").report_to(report);
        }
    }
    for subnet in &draft.subnets {
        check_gateways(subnet, report);
    }
    check_pods_on_link(draft, &index, &cidrs, report);
    if !damaged {
        check_next_hops(draft, served, managed, &homes, report);
    }
}

fn name<'a>(draft: &Draft<'a>, subnet: u32) -> &'a str {
    draft.subnets[subnet as usize].name.value
}

/// Pod subnets inside a link are allowed, but usually a mistake.
fn check_pods_on_link(draft: &Draft<'_>, index: &PrefixIndex, cidrs: &[(Prefix, Span, u32)], report: &Reporter) {
    for pod in &draft.pods {
        let Some(entry) = index.covering(pod.value).find(|entry| entry.prefix != pod.value) else { continue };
        let (prefix, span, subnet) = cidrs[entry.key as usize];
        let (node, subnet) = (draft.nodes[pod.node as usize].name.value, name(draft, subnet));
        let message =
            format!("The pod subnet {} of node `{node}` lies inside {prefix} of subnet `{subnet}`.", pod.value);
        Diagnostic::warning(pod.span, message, "part of a link")
            .second(span, "the link")
            .hint("Machines on the link can no longer use these addresses: check that no machine has one of them.")
            .report_to(report);
    }
}

fn check_gateways(subnet: &SubnetDraft<'_>, report: &Reporter) {
    if let Some(span) = subnet.on_link {
        if subnet.gateway.is_empty() && !subnet.damaged {
            let message = format!("Subnet `{}` has `on_link = true` and no gateway.", subnet.name.value);
            Diagnostic::error(span, message, "without a gateway")
                .hint("Add the router that its nodes reach on their device: gateway = \"172.31.1.1\".")
                .report_to(report);
        }
        // Such a gateway may have any address.
        return;
    }
    for gateway in &subnet.gateway {
        let home = subnet.cidr.iter().find(|cidr| cidr.value.contains(gateway.value));
        let shown = subnet.name.value;
        if let Some(cidr) = home {
            if let Some(edge) = edge_of_link(gateway.value, cidr.value) {
                let message = format!(
                    "The gateway of subnet `{shown}` cannot be {}: it is {edge} of {}.",
                    gateway.value, cidr.value
                );
                Diagnostic::error(gateway.span, message, edge).second(cidr.span, "of this prefix").report_to(report);
            }
        } else if !subnet.damaged {
            let message = format!("The gateway {} of subnet `{shown}` is not in it.", gateway.value);
            let mut diagnostic = Diagnostic::error(gateway.span, message, "not on this link")
                .hint("Set the router's own address in this subnet.");
            if let Some(cidr) = subnet.cidr.first() {
                diagnostic = diagnostic.second(cidr.span, "the subnet");
            }
            diagnostic.report_to(report);
        }
    }
}

/// The backends whose routes the network uses to forward to and from a node: their positions among all backends, in
/// order. Nodes with the same backends are alike.
type Routers = Vec<u32>;

/// The senders and owners in a subnet, for one family.
#[derive(Clone, Default)]
struct Roles<'a> {
    /// Those of its senders; empty if it has none.
    from: BTreeSet<&'a Routers>,
    /// Those of its owners; empty if it has none.
    to: BTreeSet<&'a Routers>,
    /// Number of its nodes.
    nodes: usize,
}

/// For each node, the backends whose routes the network uses to forward to and from it.
fn routed_by_network(draft: &Draft<'_>, served: &[BTreeSet<Name>]) -> Vec<Routers> {
    let in_use = RoutesOf::Network { in_use: true };
    let all = (0..).zip(&draft.backends).zip(served).filter(|((_, backend), _)| backend.read.routes == in_use);
    let routers: Vec<(u32, &BTreeSet<Name>)> = all.map(|((number, _), nodes)| (number, nodes)).collect();
    let of = |node: &NodeDraft<'_>| {
        routers.iter().filter(|(_, nodes)| nodes.contains(node.name.value)).map(|(number, _)| *number).collect()
    };
    draft.nodes.iter().map(of).collect()
}

/// Whether each sender shares a backend with each owner.
fn all_meet(from: &BTreeSet<&Routers>, to: &BTreeSet<&Routers>) -> bool {
    let meet = |from: &Routers, to: &Routers| from.iter().any(|number| to.binary_search(number).is_ok());
    from.iter().all(|from| to.iter().all(|to| meet(from, to)))
}

/// Checks that every subnet with senders can reach every other subnet with pods behind its nodes.
fn check_next_hops(
    draft: &Draft<'_>,
    served: &[BTreeSet<Name>],
    managed: &[bool],
    homes: &[Option<u32>],
    report: &Reporter,
) {
    // Only routes on nodes need next hops of nodes.
    let on_nodes: Vec<&BTreeSet<Name>> = draft
        .backends
        .iter()
        .zip(served)
        .filter(|(backend, _)| backend.read.routes == RoutesOf::Nodes)
        .map(|(_, nodes)| nodes)
        .collect();
    // Every node sends, unless a backend says otherwise.
    let all = served.is_empty() || on_nodes.iter().any(|nodes| nodes.len() == draft.nodes.len());
    let sends = |node: &NodeDraft<'_>| all || on_nodes.iter().any(|nodes| nodes.contains(node.name.value));
    let sends: Vec<bool> = draft.nodes.iter().zip(managed).map(|(node, managed)| *managed && sends(node)).collect();
    let routers = routed_by_network(draft, served);
    for family in [Family::V4, Family::V6] {
        let mut roles = vec![Roles::default(); draft.subnets.len()];
        for (address, home) in draft.addresses.iter().zip(homes) {
            let (Some(home), true) = (home, Family::of(address.value) == family) else { continue };
            let node = address.node as usize;
            let roles = &mut roles[*home as usize];
            roles.nodes += 1;
            if sends[node] {
                roles.from.insert(&routers[node]);
            }
            if draft.pods_of(&draft.nodes[node]).any(|pod| pod.family() == family) {
                roles.to.insert(&routers[node]);
            }
        }
        let owners: Vec<usize> = (0..roles.len()).filter(|number| !roles[*number].to.is_empty()).collect();
        // For each kind of senders, the owners that the network does not forward to by its own routes.
        let mut left_to_routers: HashMap<&BTreeSet<&Routers>, Vec<usize>> = HashMap::new();
        for (number, subnet) in draft.subnets.iter().enumerate() {
            if roles[number].from.is_empty() {
                continue;
            }
            let gateway = subnet.gateway.iter().find(|gateway| Family::of(gateway.value) == family);
            if gateway.is_some() && subnet.routed {
                continue;
            }
            let others = match gateway {
                None => &owners,
                Some(_) => left_to_routers.entry(&roles[number].from).or_insert_with(|| {
                    let left = owners.iter().filter(|owner| !all_meet(&roles[number].from, &roles[**owner].to));
                    left.copied().collect()
                }),
            };
            // Behind a gateway that is on-link, the nodes of one subnet do not see each other either.
            let is_apart = |owner: usize| owner != number || (subnet.on_link.is_some() && roles[number].nodes > 1);
            let others: Vec<usize> = others.iter().copied().filter(|owner| is_apart(*owner)).collect();
            if others.is_empty() {
                continue;
            }
            let listed = list_names(others.iter().map(|other| draft.subnets[*other].name.value));
            let (shown, label) = (subnet.name.value, family.label());
            let second = draft.subnets[others[0]].name;
            match gateway {
                None => Diagnostic::error(
                    subnet.name.span,
                    format!("Nodes in subnet `{shown}` have no {label} next hop for the pods of nodes in {listed}."),
                    format!("without an {label} gateway"),
                )
                .second(second.span, "another link")
                .hint(format!("Add the router that leads there: gateway = \"{}\".", example(subnet, family)))
                .report_to(report),
                Some(gateway) => Diagnostic::warning(
                    gateway.span,
                    format!(
                        "Nodes in subnet `{shown}` reach the pods of nodes in {listed} through {}: that router \
                             must know the {label} pod subnets there.",
                        gateway.value
                    ),
                    "must know the pod subnets",
                )
                .hint(format!("If it does, set routed = true in [subnets.{}].", key(shown)))
                .report_to(report),
            }
        }
    }
}

/// The usual address of a network's router.
fn example(subnet: &SubnetDraft<'_>, family: Family) -> String {
    let first = subnet.cidr.iter().find(|cidr| cidr.value.family() == family).map(|cidr| match cidr.value.address() {
        IpAddr::V4(address) => IpAddr::V4(u32::from(address).saturating_add(1).into()),
        IpAddr::V6(address) => IpAddr::V6(u128::from(address).saturating_add(1).into()),
    });
    first.map_or_else(|| "…".to_owned(), |address| address.to_string())
}

/// Names for a sentence: the first three, and the number of others.
fn list_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let shown = if count > 4 { 3 } else { count };
    let quoted: Vec<String> = names.take(shown).map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        _ if shown < count => format!("{} and {} more", quoted.join(", "), count - shown),
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// Whether an IPv4 address is the first or the last of its link. No node can have these.
fn edge_of_link(address: IpAddr, cidr: Prefix) -> Option<&'static str> {
    let edges = Family::of(address) == Family::V4 && cidr.length() <= 30;
    match address {
        _ if !edges => None,
        _ if address == cidr.address() => Some("the network address"),
        _ if address == cidr.last_address() => Some("the broadcast address"),
        _ => None,
    }
}

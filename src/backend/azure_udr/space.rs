//! The addresses that virtual networks reach, and the nodes outside.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::findings::{refusal, some_of, table_text};
use super::{Outside, Seen, Wanted, name_of};
use crate::network::Prefix;
use crate::plan::findings::Finding;
use crate::resource::{Evidence, Name, Place, Why};

/// The addresses that all virtual networks of a backend's subnets reach, each by itself and its peerings; none where nobody has
/// asked for them. The error has a code and sentences.
pub(super) fn space_of(wanted: &Wanted, seen: Option<&Seen>) -> Result<Option<Vec<Prefix>>, (&'static str, String)> {
    let Some(seen) = seen else { return Ok(None) };
    let mut reaches: Vec<(String, Vec<Prefix>)> = Vec::new();
    for id in wanted.networks() {
        let name = name_of(&id);
        match Seen::network(Some(seen), &id) {
            Evidence::Unknown(Why::NotAsked) => return Ok(None),
            Evidence::Seen(network) if network.space.is_empty() => {
                let text = format!(
                    "Azure names no address space of the virtual network {name} that topo can read, so topo cannot tell which nodes are \
                     inside."
                );
                return Err(("space_missing", text));
            }
            Evidence::Seen(network) => reaches.push((name.to_owned(), network.reach().copied().collect())),
            Evidence::Absent => {
                let group = id.split('/').nth(4).unwrap_or_default();
                let text = format!(
                    "There is no virtual network {name} in the resource group {group} of the subscription {}. Correct `subscription`, \
                     `resource_group` or `subnets`, or make the network first.",
                    wanted.settings.subscription
                );
                return Err(("network_missing", text));
            }
            // Where the table could not be read either, that says it already.
            Evidence::Unknown(Why::Failed(_))
                if matches!(
                    Seen::table(Some(seen), &wanted.settings.table_id()),
                    Evidence::Unknown(Why::Failed(_))
                ) =>
            {
                return Ok(None);
            }
            Evidence::Unknown(Why::Failed(reason)) => {
                let text = format!("topo cannot tell which nodes are inside the virtual network {name}: {reason}");
                return Err(("space_unknown", text));
            }
        }
    }
    if reaches.is_empty() {
        return Ok(None);
    }
    apart(wanted, &reaches)?;
    let is_common = |prefix: &Prefix| reaches.iter().all(|(_, reach)| reach.iter().any(|other| other.covers(prefix)));
    let mut space: Vec<Prefix> = reaches.iter().flat_map(|(_, reach)| reach).copied().filter(is_common).collect();
    space.sort_unstable();
    space.dedup();
    Ok(Some(space))
}

/// An error where some of the networks of one table reach a node, and others do not.
fn apart(wanted: &Wanted, reaches: &[(String, Vec<Prefix>)]) -> Result<(), (&'static str, String)> {
    let has = |reach: &[Prefix], address: IpAddr| reach.iter().any(|prefix| prefix.contains(address));
    let is_somewhere = |address: IpAddr| reaches.iter().any(|(_, reach)| has(reach, address));
    let missing = reaches.iter().filter_map(|(network, reach)| {
        let mut nodes: Vec<String> = Vec::new();
        for (address, _) in wanted.rows.values().filter(|(address, _)| !has(reach, *address) && is_somewhere(*address))
        {
            let node = wanted.node_at(*address);
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        (!nodes.is_empty()).then(|| format!("{network} does not reach {}", some_of(&nodes)))
    });
    let missing: Vec<String> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "The route table {} serves virtual networks that do not reach all of its nodes: {}. A next hop is in the virtual network of the \
         subnet, or in one that is peered with it. Peer the networks (in state Connected, with forwarded traffic allowed), or give each \
         network a backend of its own with its own `nodes`.",
        wanted.settings.route_table,
        missing.join("; ")
    );
    Err(("networks_apart", text))
}

/// Says which nodes' pods the subnets do not reach.
pub(super) fn left_out(wanted: &Wanted, place: &Place) -> Option<Finding> {
    if wanted.left_out.is_empty() || wanted.settings.subnets.is_empty() {
        return None;
    }
    let names: Vec<String> = wanted.left_out.iter().map(ToString::to_string).collect();
    let text = format!(
        "leads to no pods of {}: `nodes` of the backend `{}` does not name them. Machines in its subnets do not reach these pods.",
        some_of(&names),
        wanted.backend
    );
    let finding = Finding::warning("nodes_left_out", place, table_text(place, &text));
    Some(finding.edit("Add them to `nodes`, unless these pods are reached in another way."))
}

/// Says which nodes are outside.
pub(super) fn outside(
    wanted: &Wanted,
    place: &Place,
    outside: &BTreeMap<Name, IpAddr>,
    space: Option<&[Prefix]>,
) -> Option<Finding> {
    if outside.is_empty() {
        return None;
    }
    let found: Vec<String> = outside.iter().map(|(name, address)| format!("{name} ({address})")).collect();
    let space: Vec<String> = space.unwrap_or_default().iter().map(ToString::to_string).collect();
    let (found, space) = (some_of(&found), some_of(&space));
    match wanted.settings.outside {
        None => {
            let text = format!(
                "These nodes of the backend `{}` are outside of the virtual network and its peers ({space}): {found}. A route table \
                 can lead only to machines inside.",
                wanted.backend
            );
            Some(refusal("outside", place, text).edit(
                "Set `outside = \"skip\"` for no routes to their pods, or `outside = \"virtual-network-gateway\"` for routes by the \
                 network's gateway; or leave the nodes out with `nodes`.",
            ))
        }
        Some(Outside::Skip) => {
            let text = format!(
                "holds no routes to the pods of nodes outside of the virtual network and its peers ({space}): {found}."
            );
            Some(Finding::note("outside", place, table_text(place, &text)))
        }
        Some(Outside::VirtualNetworkGateway) => None,
    }
}

//! The address space of virtual networks, and the nodes outside of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::findings::{refusal, some_of, table_text};
use super::{Outside, Seen, Wanted, name_of};
use crate::network::Prefix;
use crate::plan::findings::Finding;
use crate::resource::{Evidence, Name, Place, Why};

/// The address space of the virtual networks that a backend's subnets are in; none where nobody has asked for it.
pub(super) fn space_of(wanted: &Wanted, seen: Option<&Seen>) -> Result<Option<Vec<Prefix>>, (&'static str, String)> {
    let Some(seen) = seen else { return Ok(None) };
    let mut space: Vec<Prefix> = Vec::new();
    let networks = wanted.networks();
    if networks.is_empty() {
        return Ok(None);
    }
    for id in networks {
        match Seen::network(Some(seen), &id) {
            Evidence::Unknown(Why::NotAsked) => return Ok(None),
            Evidence::Seen(network) if network.space.is_empty() => {
                let text = format!(
                    "Azure names no address space of the virtual network {} that topo can read, so topo cannot tell which nodes are \
                     inside.",
                    name_of(&id)
                );
                return Err(("space_missing", text));
            }
            Evidence::Seen(network) => space.extend(&network.space),
            Evidence::Absent => {
                let group = id.split('/').nth(4).unwrap_or_default();
                let text = format!(
                    "There is no virtual network {} in the resource group {group} of the subscription {}. Correct `subscription`, \
                     `resource_group` or `subnets`, or make the network first.",
                    name_of(&id),
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
                let text =
                    format!("topo cannot tell which nodes are inside the virtual network {}: {reason}", name_of(&id));
                return Err(("space_unknown", text));
            }
        }
    }
    space.sort_unstable();
    space.dedup();
    Ok(Some(space))
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
                "These nodes of the backend `{}` are outside of the virtual network ({space}): {found}. A route table can lead only \
                 to machines inside.",
                wanted.backend
            );
            Some(refusal("outside", place, text).edit(
                "Set `outside = \"skip\"` for no routes to their pods, or `outside = \"virtual-network-gateway\"` for routes by the \
                 network's gateway; or leave the nodes out with `nodes`.",
            ))
        }
        Some(Outside::Skip) => {
            let text =
                format!("holds no routes to the pods of nodes outside of the virtual network ({space}): {found}.");
            Some(Finding::note("outside", place, table_text(place, &text)))
        }
        Some(Outside::VirtualNetworkGateway) => None,
    }
}

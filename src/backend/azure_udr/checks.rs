//! What is to be so before anything is written: limits, regions, next hops inside.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::drafts::{TableDraft, live};
use super::{Outside, Seen, TableVerdict, Wanted, key, name_of};
use crate::network::Prefix;
use crate::plan::azure::AzureFindings;
use crate::plan::{Note, Refusal};
use crate::resource::{Name, Place};

/// How many routes a table may have where Azure does not say (Azure's documented limit).
const USUAL_LIMIT: u64 = 400;
/// How many names a sentence has at most.
const NAMED: usize = 5;

/// What is to be so before anything is written to a table.
pub(super) fn check_table(
    draft: &TableDraft<'_>,
    wanted: &Wanted,
    verdict: &TableVerdict,
    seen: &Seen,
    findings: &mut AzureFindings,
) {
    let place = &draft.task.place;
    let settings = &wanted.settings;
    if verdict.body.is_some() {
        let limit = seen.limits.get(&(settings.subscription.clone(), settings.location.clone())).copied();
        let (limit, source) = match limit.flatten() {
            Some(limit) => (limit, "Azure's limit for this subscription and region"),
            None => (USUAL_LIMIT, "Azure's usual limit; the one of this subscription could not be read"),
        };
        let before = live(&seen.tables, &draft.task.id).map_or(0, |live| live.count);
        if verdict.count > before && u64::try_from(verdict.count).unwrap_or(u64::MAX) > limit {
            let text = format!(
                "The route table {} would have {} routes, and {limit} is the most ({source}). Divide the nodes between several \
                 tables, or ask Azure for more.",
                settings.route_table, verdict.count
            );
            findings.refusals.push(Refusal::Azure(place.clone(), text));
        }
    }
    for id in wanted.networks() {
        if let Some(network) = live(&seen.networks, &id)
            && settings.manage_table
            && network.location != settings.location
        {
            let text = format!(
                "The virtual network {} is in {}, and its route table {} would be in {}: they must be in one region. Correct \
                 `location`.",
                name_of(&id),
                network.location,
                settings.route_table,
                settings.location
            );
            findings.refusals.push(Refusal::Azure(place.clone(), text));
        }
    }
}

/// The address space of the virtual networks that a backend's subnets are in; none where nobody has asked for it.
pub(super) fn space_of(wanted: &Wanted, seen: Option<&Seen>) -> Result<Option<Vec<Prefix>>, String> {
    let Some(seen) = seen else { return Ok(None) };
    let mut space: Vec<Prefix> = Vec::new();
    let networks = wanted.networks();
    if networks.is_empty() {
        return Ok(None);
    }
    for id in networks {
        match seen.networks.get(&key(&id)) {
            None => return Ok(None),
            Some(Ok(Some(network))) if network.space.is_empty() => {
                return Err(format!(
                    "Azure names no address space of the virtual network {} that topo can read, so that nobody can say what is inside.",
                    name_of(&id)
                ));
            }
            Some(Ok(Some(network))) => space.extend(&network.space),
            Some(Ok(None)) => {
                let group = id.split('/').nth(4).unwrap_or_default();
                return Err(format!(
                    "The virtual network {} is not there, in the resource group {group} of the subscription {}. Correct \
                     `subscription`, `resource_group` or `subnets`, or make it first.",
                    name_of(&id),
                    wanted.settings.subscription
                ));
            }
            // Where the table could not be read either, that says it already.
            Some(Err(_)) if matches!(seen.tables.get(&key(&wanted.settings.table_id())), Some(Err(_))) => {
                return Ok(None);
            }
            Some(Err(reason)) => {
                return Err(format!("What is inside the virtual network {} is not known: {reason}", name_of(&id)));
            }
        }
    }
    space.sort_unstable();
    space.dedup();
    Ok(Some(space))
}

/// Says which nodes are outside.
pub(super) fn tell_outside(
    wanted: &Wanted,
    place: &Place,
    outside: &BTreeMap<Name, IpAddr>,
    space: Option<&[Prefix]>,
    refusals: &mut Vec<(Place, String)>,
    notes: &mut Vec<Note>,
) {
    if outside.is_empty() {
        return;
    }
    let found: Vec<String> = outside.iter().map(|(name, address)| format!("{name} ({address})")).collect();
    let space: Vec<String> = space.unwrap_or_default().iter().map(ToString::to_string).collect();
    let (found, space) = (some_of(&found), some_of(&space));
    match wanted.settings.outside {
        None => refusals.push((
            place.clone(),
            format!(
                "Outside of the virtual network ({space}) of the backend `{}`: {found}. A route table can lead to machines inside \
                 alone. Say `outside = \"skip\"` for no routes to their pods, or `outside = \"virtual-network-gateway\"` for routes by \
                 the network's gateway; or leave them out with `nodes`.",
                wanted.backend
            ),
        )),
        Some(Outside::Skip) => notes.push(Note::Azure(
            place.clone(),
            "outside",
            format!("holds no routes to the pods of nodes outside of the virtual network ({space}): {found}."),
        )),
        Some(Outside::VirtualNetworkGateway) => {}
    }
}

pub(super) fn some_of(list: &[String]) -> String {
    let more = list.len().saturating_sub(NAMED);
    let shown = list.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

//! Next hops that are not on the link of the nodes that are to use them. One cause is told once, and not for each pair of node and
//! next hop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::findings::{not_on_link, not_on_links};
use super::observed::Seen;
use crate::network::MAIN_TABLE;
use crate::plan::{PlacePlan, Plan};
use crate::resource::Place;

/// So many sets of next hops are told one by one.
const TOLD: usize = 3;

/// The next hops that are not on the link, by the nodes that are to use them.
#[derive(Default)]
pub(super) struct OffLink {
    /// The nodes that lack the same next hops, and what the kernel of the first of them says about the first next hop.
    groups: BTreeMap<BTreeSet<IpAddr>, (Vec<Place>, String)>,
}

impl OffLink {
    /// Adds what a node says.
    pub(super) fn add(&mut self, place: &Place, planned: &PlacePlan, seen: &Seen) {
        let tables: BTreeSet<u32> =
            planned.tables().filter_map(|(_, table)| Some(table.to.as_ref()?.view.table)).collect();
        let is_off = |(hop, _): &&(IpAddr, String)| {
            // A next hop that is the machine itself is another mistake, which is told as that.
            !seen.identity.addresses.contains(hop) && !tables.iter().any(|table| is_on_link_in(seen, *table, *hop))
        };
        let off: BTreeMap<IpAddr, &str> =
            seen.not_on_link.iter().filter(is_off).map(|(hop, said)| (*hop, &**said)).collect();
        if let Some((_, said)) = off.first_key_value() {
            let first = || (Vec::new(), way(said));
            self.groups.entry(off.keys().copied().collect()).or_insert_with(first).0.push(place.clone());
        }
    }

    /// Reports all of it.
    pub(super) fn report(self, plan: &mut Plan) {
        if self.groups.len() <= TOLD {
            for (hops, (places, said)) in &self.groups {
                let hops: Vec<IpAddr> = hops.iter().copied().collect();
                plan.findings.extend(places.iter().map(|place| not_on_link(place, &hops, said)));
            }
            return;
        }
        let pairs = self.groups.iter().map(|(hops, (places, _))| hops.len() * places.len()).sum();
        let first = self.groups.iter().min_by(|(_, (one, _)), (_, (other, _))| one.cmp(other));
        let example =
            first.and_then(|(hops, (places, said))| Some((places.first()?.clone(), *hops.first()?, said.clone())));
        let Some((node, hop, said)) = example else { return };
        for (places, _) in self.groups.values() {
            plan.findings.extend(places.iter().map(|place| not_on_links(place, pairs, (&node, hop, &said))));
        }
    }
}

/// Whether the kernel finds a next hop on a link by the table that the routes go to. It looks there first (`fib_check_nh`), and the node
/// was asked by its rules.
fn is_on_link_in(seen: &Seen, table: u32, hop: IpAddr) -> bool {
    let Some(listed) = seen.table(table).filter(|_| table != MAIN_TABLE) else { return false };
    if listed.foreign.is_as_known() {
        // It was when the rows were sent.
        return true;
    }
    let leading = listed.rows().filter(|row| row.destination.contains(hop)).max_by_key(|row| row.destination.length());
    leading.is_some_and(|row| row.next_hop.is_none() && row.device.is_some())
}

/// What the kernel does with packets to a next hop, out of an answer of `ip route get`.
fn way(said: &str) -> String {
    let words: Vec<&str> = said.split_ascii_whitespace().collect();
    let after = |name: &str| words.iter().skip_while(|word| **word != name).nth(1);
    match (after("via"), after("dev")) {
        (Some(via), Some(dev)) => format!("uses {via} on {dev}"),
        _ => format!("says `{}`", words.join(" ")),
    }
}

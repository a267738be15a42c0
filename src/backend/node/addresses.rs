//! Whether nodes have the addresses that the topology says they have, and what routes take away from their own subnets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::findings::{takes_a_part, wrong_address};
use super::observed::{Observation, Seen};
use crate::backend::Desired;
use crate::network::{Family, Prefix};
use crate::plan::{DesiredPlace, Plan};
use crate::resource::Place;

/// Which nodes have an address: by what they answered, or else by the topology.
pub(super) struct Addresses<'a> {
    seen: HashMap<IpAddr, &'a Place>,
    declared: HashMap<IpAddr, &'a Place>,
}

impl<'a> Addresses<'a> {
    pub(super) fn new(desired: &'a Desired, observed: &'a BTreeMap<Place, Observation>) -> Self {
        let mut all = Self { seen: HashMap::new(), declared: HashMap::new() };
        // Mostly nobody looked, or all nodes have what they should have. Then nobody asks whose an address is.
        let is_right = |(place, wanted): (&Place, &DesiredPlace)| missing(wanted, observed.get(place)).next().is_none();
        if observed.is_empty() || desired.places.iter().all(is_right) {
            return all;
        }
        for (place, observation) in observed {
            let seen = observation.seen().into_iter().flat_map(|seen| &seen.identity.addresses);
            all.seen.extend(seen.map(|address| (*address, place)));
        }
        for (place, wanted) in &desired.places {
            all.declared.extend(wanted.addresses.iter().map(|address| (*address, place)));
        }
        all
    }

    /// Reports the declared addresses that a node does not have.
    pub(super) fn check(
        &self,
        place: &Place,
        wanted: Option<&DesiredPlace>,
        observation: &Observation,
        plan: &mut Plan,
    ) {
        let Some(wanted) = wanted.filter(|wanted| !wanted.resources.is_empty()) else { return };
        let Some(seen) = observation.seen() else { return };
        plan.check_own_subnets(place, wanted, seen);
        for address in missing(wanted, Some(observation)) {
            let owner =
                self.seen.get(&address).or_else(|| self.declared.get(&address)).filter(|owner| **owner != place);
            let is_alike = |other: &&IpAddr| Family::of(**other) == Family::of(address) && !is_local(**other);
            let has: Vec<IpAddr> = seen.identity.addresses.iter().filter(is_alike).copied().collect();
            let owner = owner.map(|owner| owner.name());
            plan.findings.push(wrong_address(place, address, owner, &has, wanted.is_translated));
        }
    }
}

impl Plan {
    /// Reports routes to a part of a subnet that the node itself is connected to: it would no longer reach the machines there. The check
    /// of the topology finds those in declared subnets.
    fn check_own_subnets(&mut self, place: &Place, wanted: &DesiredPlace, seen: &Seen) {
        let mut sets = wanted.resources.iter().filter_map(|(id, shape)| Some((id, shape.routes.as_ref()?)));
        // All resources have the same rows.
        let Some((id, set)) = sets.next() else { return };
        let is_declared =
            |network: &Prefix| set.view.on_link.iter().any(|link| !link.is_default() && link.covers(network));
        let networks: BTreeSet<Prefix> = seen.identity.networks.iter().copied().collect();
        for network in networks.iter().filter(|network| !is_declared(network)) {
            let rows = set.rows.as_slice();
            let inside = rows[rows.partition_point(|row| row.destination <= *network)..].iter();
            let inside = inside.map(|row| row.destination).take_while(|destination| network.covers(destination));
            let taken: Vec<Prefix> = inside.filter(|destination| set.find(destination).is_some()).collect();
            if let Some(first) = taken.first() {
                self.findings.push(takes_a_part(place, &id.kind, *network, *first, taken.len()));
            }
        }
    }
}

/// The declared addresses that a machine does not have, if it named its addresses.
fn missing<'a>(wanted: &'a DesiredPlace, observation: Option<&'a Observation>) -> impl Iterator<Item = IpAddr> + 'a {
    let has = observation.and_then(Observation::seen).map(|seen| seen.identity.addresses.as_slice());
    let has = has.filter(|has| !has.is_empty());
    let declared = wanted.addresses.iter().copied();
    declared.filter(move |address| has.is_some_and(|has| !has.contains(address)))
}

/// Addresses that mean something on the machine or on one link alone.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    }
}

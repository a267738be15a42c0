//! Which recorded machine answers under a name. docs/identity.md has the table of all combinations.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::backend::{Desired, Inputs};
use crate::exchange::node::{Identity, Marker};
use crate::network::{Prefix, RouteSet};
use crate::resource::{Name, Place, Record};
use crate::state::{PlaceRecord, State};

/// Which machine answers under the name of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine<'a> {
    /// Nothing is recorded of it.
    New,
    /// The recorded one.
    Same,
    /// The recorded one, with a new machine-id: its marker says so.
    NewId,
    /// The one that is recorded under another name.
    Renamed(&'a Place),
    /// Another one than the recorded one.
    Replaced,
    /// The machine of another node, or a clone of it. Nothing is planned there.
    Refused(&'a Place, Why<'a>),
    /// One of several machines with the same machine-id. Nothing is planned there.
    Clone,
}

/// Why a machine does not get the record of another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why<'a> {
    /// The other name is still in the topology.
    InTopology,
    /// An address of the other name belongs to another node of the topology.
    AddressOf(IpAddr, &'a Place),
}

/// The machines that answered.
pub(super) struct Machines<'a, 'o> {
    desired: &'a Desired,
    recorded: &'a State,
    /// The machines by the places of the topology under which they answered.
    answers: BTreeMap<&'o Place, Machine<'a>>,
    /// Places of the topology whose machines have the same machine-id, by that id.
    clones: BTreeMap<&'o str, Vec<&'o Place>>,
}

impl<'a, 'o> Machines<'a, 'o> {
    /// Finds out which machines answered. `is_used` says which records count.
    pub(super) fn new(
        inputs: &Inputs<'a>,
        answers: impl Iterator<Item = (&'o Place, &'o Identity)>,
        is_used: impl Fn(&Place) -> bool,
    ) -> Self {
        let Inputs { desired, recorded, .. } = *inputs;
        let known: HashMap<&str, &Place> = recorded
            .places
            .iter()
            .filter(|(place, _)| is_used(place))
            .filter_map(|(place, record)| Some((id_of(record)?, place)))
            .collect();
        let lineage = recorded.lineage.to_string();
        let is_ours = |marker: &&Marker| marker.topology == inputs.topology.as_str() && marker.lineage == lineage;
        let mut sharing: HashMap<&str, Vec<&Place>> = HashMap::new();
        let mut machines = Self { desired, recorded, answers: BTreeMap::new(), clones: BTreeMap::new() };
        for (place, identity) in answers.filter(|(place, _)| desired.places.contains_key(*place)) {
            let marker = identity.markers.iter().find(is_ours);
            let name = marker.and_then(|marker| marker.node.as_deref());
            let named = name.map_or(if marker.is_some() { Named::NoNode } else { Named::NoMarker }, Named::Node);
            let other = name.and_then(|name| Name::new(name).ok()).map(Place::from);
            let other = other.and_then(|other| recorded.places.get_key_value(&other)).map(|(other, _)| other);
            let other = other.filter(|other| is_used(other));
            let by_id = known.get(identity.machine_id.as_str()).copied();
            let record = recorded.places.get(place);
            machines.answers.insert(place, identify(place, &identity.machine_id, record, named, other, by_id));
            sharing.entry(&identity.machine_id).or_default().push(place);
        }
        machines.clones.extend(sharing.into_iter().filter(|(id, places)| !id.is_empty() && places.len() > 1));
        for place in machines.clones.values().flatten() {
            machines.answers.insert(place, Machine::Clone);
        }
        machines.refuse();
        machines
    }

    /// The machine that answered under the name of a node; none if none did.
    pub(super) fn of(&self, place: &Place) -> Option<Machine<'a>> {
        self.answers.get(place).copied()
    }

    /// The places whose machines have the same machine-id.
    pub(super) fn clones(&self) -> impl Iterator<Item = (&'o str, &[&'o Place])> {
        self.clones.iter().map(|(id, places)| (*id, places.as_slice()))
    }

    /// Refuses machines that seem to have a new name, but are those of other nodes, or their clones.
    fn refuse(&mut self) {
        if !self.answers.values().any(|machine| matches!(machine, Machine::Renamed(_))) {
            return;
        }
        let mut owners: HashMap<IpAddr, &Place> = HashMap::new();
        for (place, wanted) in &self.desired.places {
            owners.extend(wanted.addresses.iter().map(|address| (*address, place)));
        }
        let refusal = |(place, machine): (&&'o Place, &Machine<'a>)| {
            let Machine::Renamed(source) = machine else { return None };
            let why = self.refusal(place, source, &owners)?;
            Some((*place, Machine::Refused(source, why)))
        };
        let refused: Vec<(&Place, Machine<'_>)> = self.answers.iter().filter_map(refusal).collect();
        self.answers.extend(refused);
    }

    fn refusal(&self, place: &Place, source: &Place, owners: &HashMap<IpAddr, &'a Place>) -> Option<Why<'a>> {
        let (wanted, record) = (self.desired.places.get(place)?, self.recorded.places.get(source)?);
        if self.desired.places.contains_key(source) {
            // Nodes can exchange their names. Then another machine answers under the old name.
            let has_left = !matches!(self.of(source), None | Some(Machine::Same | Machine::NewId | Machine::Clone));
            let (addresses, pods) = behind(&routes_of(record));
            let wanted_routes: Vec<&RouteSet> =
                wanted.resources.values().filter_map(|one| one.routes.as_ref()).collect();
            let is_same = addresses.iter().all(|address| wanted.addresses.contains(address))
                && (wanted_routes.is_empty() || behind(&wanted_routes).1 == pods);
            return (!has_left || !is_same).then_some(Why::InTopology);
        }
        let addresses = routes_of(record).into_iter().flat_map(|set| set.own.iter().copied());
        let host = record.endpoint.as_ref().and_then(|endpoint| endpoint.host.parse().ok());
        addresses.chain(host).find_map(|address| {
            let owner = owners.get(&address).copied().filter(|owner| *owner != place && *owner != source)?;
            Some(Why::AddressOf(address, owner))
        })
    }
}

/// Which node the marker of this topology and lineage on a machine names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named<'a> {
    /// The machine has no such marker.
    NoMarker,
    /// An older topo wrote the marker, without a name.
    NoNode,
    /// This node.
    Node(&'a str),
}

/// The machine that answers with an id. `named` is what its marker says. `named_record` is the record under that name, `by_id` the one with that id.
fn identify<'a>(
    place: &Place,
    id: &str,
    record: Option<&PlaceRecord>,
    named: Named<'_>,
    named_record: Option<&'a Place>,
    by_id: Option<&'a Place>,
) -> Machine<'a> {
    let recorded_id = record.and_then(id_of).filter(|_| !id.is_empty());
    let has_new_id = recorded_id.is_some_and(|recorded| recorded != id);
    let own = match record {
        None => Machine::New,
        Some(_) if has_new_id => Machine::NewId,
        Some(_) => Machine::Same,
    };
    // The marker counts more than the id: an id can change, and clones have the same.
    if (named == Named::Node(place.name()) && record.is_some()) || recorded_id == Some(id) {
        return own;
    }
    match named_record.or(by_id) {
        Some(source) if source == place => own,
        Some(source) => Machine::Renamed(source),
        None if has_new_id && named != Named::NoNode => Machine::Replaced,
        None => own,
    }
}

/// Whether a machine that answers under a name is the one of another record.
pub(super) fn is_of_another(place: &Place, identity: &Identity, inputs: &Inputs<'_>) -> bool {
    let Inputs { topology, recorded, .. } = *inputs;
    let id = identity.machine_id.as_str();
    if !id.is_empty() && recorded.places.get(place).and_then(id_of) == Some(id) {
        return false;
    }
    let lineage = recorded.lineage.to_string();
    let mut markers = identity.markers.iter();
    let ours = markers.find(|marker| marker.topology == topology.as_str() && marker.lineage == lineage);
    match ours.and_then(|marker| marker.node.as_deref()) {
        Some(name) => name != place.name(),
        None => !id.is_empty() && recorded.places.iter().any(|(other, one)| other != place && id_of(one) == Some(id)),
    }
}

fn id_of(record: &PlaceRecord) -> Option<&str> {
    record.machine_id.as_deref().filter(|id| !id.is_empty())
}

fn routes_of(record: &PlaceRecord) -> Vec<&RouteSet> {
    record.resources.values().flat_map(Record::shapes).filter_map(|shape| shape.routes.as_ref()).collect()
}

/// The addresses of a node, and the pod subnets behind it.
fn behind(sets: &[&RouteSet]) -> (BTreeSet<IpAddr>, BTreeSet<Prefix>) {
    let own: BTreeSet<IpAddr> = sets.iter().flat_map(|set| set.own.iter().copied()).collect();
    let rows = sets.iter().flat_map(|set| set.rows.as_slice());
    let pods = rows.filter(|row| own.contains(&row.owner)).map(|row| row.destination).collect();
    (own, pods)
}

#[cfg(test)]
mod tests;

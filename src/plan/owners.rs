//! To whom addresses belong, and why rows come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::OnceLock;

use super::DesiredPlace;
use crate::network::{Family, RouteSet, number};
use crate::resource::{Name, Place, Reason, Record, merge_join};
use crate::state::State;

/// To whom addresses belong, in the topology and in the record, and which nodes come and go.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    wanted: Addresses,
    recorded: Addresses,
    /// Of the wanted addresses, those of new nodes.
    added: Addresses,
    /// Those of nodes of the topology on which topo keeps nothing.
    receivers: Addresses,
    /// Nodes that are recorded, but no longer in the topology.
    gone: BTreeSet<Name>,
    /// Nodes of the topology that are not recorded yet.
    new: BTreeSet<Name>,
    /// Everything is to be removed.
    destroy: bool,
}

/// Addresses with their nodes. Most plans ask for few of them or for none, so topo sorts them at the first question.
#[derive(Clone, Debug, Default)]
struct Addresses {
    list: Vec<(Number, Name)>,
    /// The positions in the list, sorted by address.
    sorted: OnceLock<Vec<(Number, usize)>>,
}

/// An address as a number.
type Number = (Family, u128);

fn numbered(address: IpAddr) -> Number {
    (Family::of(address), number(address))
}

impl Addresses {
    fn push<'a>(&mut self, name: &Name, sets: impl Iterator<Item = &'a RouteSet>) {
        // The resources of a node mostly have the same addresses.
        let mut before: Option<&RouteSet> = None;
        for set in sets {
            if before.is_none_or(|before| before.own != set.own) {
                self.list.extend(set.own.iter().map(|address| (numbered(*address), name.clone())));
            }
            before = Some(set);
        }
    }

    /// Adds the addresses of another list from a position on.
    fn extend(&mut self, other: &Self, from: usize, only: impl Fn(&Name) -> bool) {
        self.list.extend(other.list[from..].iter().filter(|(_, name)| only(name)).cloned());
        self.sorted.take();
    }

    /// The node that has an address. If several nodes have it: the last one by name.
    fn owner(&self, address: IpAddr) -> Option<&Name> {
        let number = numbered(address);
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<(Number, usize)> = self.list.iter().map(|(number, _)| *number).zip(0..).collect();
            sorted.sort_unstable();
            sorted
        });
        let after = sorted.partition_point(|(other, _)| *other <= number);
        let (found, at) = sorted.get(after.checked_sub(1)?)?;
        (*found == number).then(|| &self.list[*at].1)
    }
}

/// Why the rows of one place come and go, by the address that they belong to.
pub struct Reasons<'a> {
    owners: &'a Owners,
    is_new: bool,
    is_wanted: bool,
}

impl Reasons<'_> {
    /// Everything in which the reasons of two places can differ: whether the place is new, and whether it is wanted.
    pub(super) fn distinction(&self) -> (bool, bool) {
        (self.is_new, self.is_wanted)
    }

    /// Why rows are added, if that is the same whoever owns them.
    pub(super) fn added_all(&self) -> Option<Reason> {
        self.is_new.then(|| self.added(None))
    }

    /// Why rows are removed, if that is the same whoever owned them.
    pub(super) fn removed_all(&self) -> Option<Reason> {
        (self.owners.destroy || !self.is_wanted).then(|| self.removed(None))
    }

    /// Why a row of this owner is added.
    pub fn added(&self, owner: Option<IpAddr>) -> Reason {
        if self.is_new {
            return Reason::NewNode;
        }
        let owner = owner.and_then(|address| self.owners.added.owner(address));
        owner.map_or(Reason::Edited, |name| Reason::NodeAdded(name.clone()))
    }

    /// Why a row of this owner is removed.
    pub fn removed(&self, owner: Option<IpAddr>) -> Reason {
        if self.owners.destroy {
            return Reason::Destroy;
        }
        if !self.is_wanted {
            return Reason::NotWanted;
        }
        let owner = owner.filter(|_| !self.owners.gone.is_empty());
        owner.and_then(|address| self.owners.removed(address)).unwrap_or(Reason::Edited)
    }
}

impl Owners {
    /// Collects the addresses of nodes.
    pub fn new(wanted: &BTreeMap<Place, DesiredPlace>, recorded: &State, destroy: bool) -> Self {
        let mut owners = Self { destroy, ..Self::default() };
        owners.wanted.list.reserve(2 * wanted.len());
        owners.recorded.list.reserve(2 * recorded.places.len());
        for (place, wanted, record) in merge_join(wanted, &recorded.places) {
            let Some(name) = place.node_name() else { continue };
            let before = owners.wanted.list.len();
            if let Some(wanted) = wanted {
                owners.wanted.push(&name, wanted.resources.values().filter_map(|shape| shape.routes.as_ref()));
            } else {
                owners.gone.insert(name.clone());
            }
            if let Some(record) = record {
                let shapes = record.resources.values().flat_map(Record::shapes);
                owners.recorded.push(&name, shapes.filter_map(|shape| shape.routes.as_ref()));
            }
            // A run that was cut off before it was sure of anything leaves the node as new as it was.
            let is_known = |record: &Record| record.confirmed().next().is_some() || matches!(record, Record::Opaque(_));
            if !record.is_some_and(|record| record.resources.values().any(is_known)) {
                owners.added.extend(&owners.wanted, before, |_| true);
                owners.new.insert(name);
            }
        }
        owners
    }

    /// Why the rows of a place come and go.
    pub(super) fn reasons(&self, place: &Place) -> Reasons<'_> {
        let name = place.node();
        Reasons {
            owners: self,
            is_new: name.is_some_and(|name| self.new.contains(name)),
            is_wanted: name.is_none_or(|name| !self.gone.contains(name)),
        }
    }

    /// The same for a place that is neither new nor gone.
    pub(super) fn reasons_anywhere(&self) -> Reasons<'_> {
        Reasons { owners: self, is_new: false, is_wanted: true }
    }

    /// Another machine answers under a known name, so the node starts from nothing.
    pub fn mark_new(&mut self, place: &Place) {
        let Some(name) = place.node_name() else { return };
        if self.new.insert(name.clone()) {
            self.added.extend(&self.wanted, 0, |other| *other == name);
        }
    }

    /// Adds nodes on which topo keeps nothing, but to which routes lead in other places: the wanted nodes, each with its address,
    /// and those to which a route on record leads.
    pub fn add_receivers<'a>(
        &mut self,
        wanted: impl Iterator<Item = (IpAddr, &'a Name)>,
        recorded: impl Iterator<Item = &'a Name>,
    ) {
        let unknown = wanted.filter(|(address, _)| self.wanted.owner(*address).is_none());
        self.receivers.list.extend(unknown.map(|(address, name)| (numbered(address), name.clone())));
        self.receivers.sorted.take();
        let names: BTreeSet<&Name> = self.receivers.list.iter().map(|(_, name)| name).collect();
        for name in recorded.filter(|name| names.contains(name)) {
            self.new.remove(name);
        }
    }

    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.wanted.list.is_empty() && self.recorded.list.is_empty() && self.new.is_empty() && self.gone.is_empty()
    }

    /// Why a place gets a route to a node.
    pub fn added(&self, node: &Name) -> Reason {
        if self.new.contains(node) { Reason::NodeAdded(node.clone()) } else { Reason::Edited }
    }

    /// Why a place loses a route to an address. None: nobody knows to whom the address belonged.
    pub fn removed(&self, address: IpAddr) -> Option<Reason> {
        match self.recorded.owner(address) {
            Some(name) if self.gone.contains(name) => Some(Reason::NodeRemoved(name.clone())),
            Some(_) => Some(Reason::Edited),
            None => self.wanted.owner(address).or_else(|| self.receivers.owner(address)).map(|_| Reason::Edited),
        }
    }

    /// The node that an address belongs to.
    pub fn name(&self, address: IpAddr) -> Option<&Name> {
        let addresses = [&self.wanted, &self.receivers, &self.recorded];
        addresses.into_iter().find_map(|addresses| addresses.owner(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::{World, kernel_route, place};

    #[test]
    fn a_node_is_known_by_each_address_that_a_record_in_doubt_has() {
        let world = World::mesh(2, 2);
        let mut moved = world.clone();
        moved.0[1].address = "10.128.0.99".parse().expect("address");
        let node = place("node-1");
        let shape =
            |world: &World| world.desired().places[&node].resources.get(&kernel_route()).expect("wanted").clone();
        let mut state = world.state();
        let doubt = Record::InDoubt { is: Some(shape(&world)), to: Some(shape(&moved)), also: vec![shape(&world)] };
        state.places.get_mut(&node).expect("recorded").resources.insert(kernel_route(), doubt);
        let owners = Owners::new(&BTreeMap::new(), &state, false);
        for address in [world.0[1].address, moved.0[1].address] {
            assert_eq!(owners.name(address).map(Name::as_str), Some("node-1"), "{address}");
        }
    }

    #[test]
    fn a_reason_that_is_the_same_for_all_rows_is_that_of_each_row() {
        let (known, all) = (World::mesh(1, 2), World::mesh(2, 2));
        let owners = Owners::new(&all.desired().places, &known.state(), false);
        let owner = Some(all.0[0].address);
        let new = owners.reasons(&place("node-1"));
        assert_eq!((new.added_all(), new.removed_all()), (Some(Reason::NewNode), None));
        assert_eq!(new.added(owner), Reason::NewNode);
        assert_eq!(owners.reasons(&place("node-0")).added_all(), None, "that depends on the owner");
        let owners = Owners::new(&known.desired().places, &all.state(), false);
        let gone = owners.reasons(&place("node-1"));
        assert_eq!((gone.added_all(), gone.removed_all()), (None, Some(Reason::NotWanted)));
        assert_eq!(gone.removed(owner), Reason::NotWanted);
    }

    #[test]
    fn nodes_on_which_nothing_is_kept_are_known_by_the_routes_that_lead_to_them() {
        let name = |text: &str| Name::new(text).expect("name");
        let address = |last: u8| IpAddr::from([10, 240, 0, last]);
        let nodes = [name("node-0"), name("node-1")];
        let places = nodes.iter().map(|node| (Place::from(node.clone()), DesiredPlace::default())).collect();
        let state = State::new(name("kthw")).expect("lineage");
        let mut owners = Owners::new(&places, &state, false);
        assert_eq!(owners.added(&nodes[0]), Reason::NodeAdded(nodes[0].clone()));
        owners.add_receivers([(address(20), &nodes[0]), (address(21), &nodes[1])].into_iter(), nodes[..1].iter());
        assert_eq!(owners.added(&nodes[0]), Reason::Edited);
        assert_eq!(owners.added(&nodes[1]), Reason::NodeAdded(nodes[1].clone()));
        assert_eq!(owners.removed(address(20)), Some(Reason::Edited));
        assert_eq!(owners.removed(address(22)), None);
    }
}

//! To whom node addresses belong, and why their rows come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::DesiredPlace;
use super::table::Reasons;
use crate::network::{Family, RouteSet};
use crate::resource::{Name, Place, Reason, Record, together};
use crate::state::State;

/// To whom node addresses belong, in the topology and in the record.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    wanted: Addresses,
    recorded: Addresses,
    /// Nodes that are recorded and not in the topology any more.
    gone: BTreeSet<Name>,
    /// Nodes of the topology that are not recorded yet.
    new: BTreeSet<Name>,
    /// All is to be removed.
    destroy: bool,
}

/// Addresses with their nodes, sorted by address: for thousands of nodes quicker to make than a tree or a table of hashes.
#[derive(Clone, Debug, Default)]
struct Addresses(Vec<(Number, Name)>);

/// An address as a number: quicker to compare.
type Number = (Family, u128);

fn number(address: IpAddr) -> Number {
    match address {
        IpAddr::V4(address) => (Family::V4, u32::from(address).into()),
        IpAddr::V6(address) => (Family::V6, address.into()),
    }
}

impl Addresses {
    fn push<'a>(&mut self, name: &Name, sets: impl Iterator<Item = &'a RouteSet>) {
        // The resources of a node mostly have the same.
        let mut before: Option<&RouteSet> = None;
        for set in sets {
            if before.is_none_or(|before| before.own != set.own) {
                self.0.extend(set.own.iter().map(|address| (number(*address), name.clone())));
            }
            before = Some(set);
        }
    }

    fn sort(&mut self) {
        self.0.sort_by_key(|(number, _)| *number);
    }

    /// The node that has an address; the last one by name, where several have it.
    fn owner(&self, address: IpAddr) -> Option<&Name> {
        let number = number(address);
        let after = self.0.partition_point(|(other, _)| *other <= number);
        let (found, name) = self.0.get(after.checked_sub(1)?)?;
        (*found == number).then_some(name)
    }
}

/// Why the rows of one place come and go.
pub struct PlaceReasons<'a> {
    owners: &'a Owners,
    is_new: bool,
    is_wanted: bool,
}

impl PlaceReasons<'_> {
    /// All that tells the reasons of one place from those of another: whether it is new, and whether it is wanted.
    pub(super) fn distinction(&self) -> (bool, bool) {
        (self.is_new, self.is_wanted)
    }
}

impl Reasons for PlaceReasons<'_> {
    fn added(&self, owner: Option<IpAddr>) -> Reason {
        if self.is_new {
            return Reason::NewNode;
        }
        match owner.and_then(|address| self.owners.wanted.owner(address)) {
            Some(name) if self.owners.new.contains(name) => Reason::NodeAdded(name.clone()),
            _ => Reason::Edited,
        }
    }

    fn removed(&self, owner: Option<IpAddr>) -> Reason {
        if self.owners.destroy {
            return Reason::Destroy;
        }
        if !self.is_wanted {
            return Reason::NotWanted;
        }
        match owner.and_then(|address| self.owners.recorded.owner(address)) {
            Some(name) if self.owners.gone.contains(name) => Reason::NodeRemoved(name.clone()),
            _ => Reason::Edited,
        }
    }
}

impl Owners {
    /// Collects them.
    pub fn new(wanted: &BTreeMap<Place, DesiredPlace>, recorded: &State, destroy: bool) -> Self {
        let mut owners = Self { destroy, ..Self::default() };
        owners.wanted.0.reserve(2 * wanted.len());
        owners.recorded.0.reserve(2 * recorded.places.len());
        for (place, wanted, record) in together(wanted, &recorded.places) {
            let Some(name) = place.node_name() else { continue };
            if let Some(wanted) = wanted {
                owners.wanted.push(&name, wanted.resources.values().filter_map(|shape| shape.routes.as_ref()));
            } else {
                owners.gone.insert(name.clone());
            }
            if let Some(record) = record {
                let shapes = record.resources.values().flat_map(Record::shapes);
                owners.recorded.push(&name, shapes.filter_map(|shape| shape.routes.as_ref()));
            } else {
                owners.new.insert(name.clone());
            }
        }
        owners.wanted.sort();
        owners.recorded.sort();
        owners
    }

    /// Why the rows of a place come and go.
    pub(super) fn reasons(&self, place: &Place) -> PlaceReasons<'_> {
        let name = place.node();
        PlaceReasons {
            owners: self,
            is_new: name.is_some_and(|name| self.new.contains(name)),
            is_wanted: name.is_none_or(|name| !self.gone.contains(name)),
        }
    }

    /// Another machine answers under a known name: it starts from nothing.
    pub fn begins_anew(&mut self, place: &Place) {
        self.new.extend(place.node_name());
    }

    /// The node that an address belongs to.
    pub fn name(&self, address: IpAddr) -> Option<&Name> {
        self.wanted.owner(address).or_else(|| self.recorded.owner(address))
    }
}

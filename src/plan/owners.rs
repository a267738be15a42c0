//! To whom node addresses belong, and why their rows come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::OnceLock;

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
    /// Of the wanted addresses, those of new nodes.
    added: Addresses,
    /// Nodes that are recorded and not in the topology any more.
    gone: BTreeSet<Name>,
    /// Nodes of the topology that are not recorded yet.
    new: BTreeSet<Name>,
    /// All is to be removed.
    destroy: bool,
}

/// Addresses with their nodes. Most plans ask for few of them or for none, so that they are sorted at the first question.
#[derive(Clone, Debug, Default)]
struct Addresses {
    list: Vec<(Number, Name)>,
    /// The positions in the list, sorted by address.
    sorted: OnceLock<Vec<(Number, usize)>>,
}

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
                self.list.extend(set.own.iter().map(|address| (number(*address), name.clone())));
            }
            before = Some(set);
        }
    }

    /// Adds the addresses of another list from a position on.
    fn extend(&mut self, other: &Self, from: usize, only: impl Fn(&Name) -> bool) {
        self.list.extend(other.list[from..].iter().filter(|(_, name)| only(name)).cloned());
        self.sorted.take();
    }

    /// The node that has an address; the last one by name, where several have it.
    fn owner(&self, address: IpAddr) -> Option<&Name> {
        let number = number(address);
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

    /// Why rows are added, if that is the same whoever owns them.
    pub(super) fn added_all(&self) -> Option<Reason> {
        self.is_new.then(|| self.added(None))
    }

    /// Why rows are removed, if that is the same whoever owned them.
    pub(super) fn removed_all(&self) -> Option<Reason> {
        (self.owners.destroy || !self.is_wanted).then(|| self.removed(None))
    }
}

impl Reasons for PlaceReasons<'_> {
    fn added(&self, owner: Option<IpAddr>) -> Reason {
        if self.is_new {
            return Reason::NewNode;
        }
        match owner.and_then(|address| self.owners.added.owner(address)) {
            Some(name) => Reason::NodeAdded(name.clone()),
            None => Reason::Edited,
        }
    }

    fn removed(&self, owner: Option<IpAddr>) -> Reason {
        if self.owners.destroy {
            return Reason::Destroy;
        }
        if !self.is_wanted {
            return Reason::NotWanted;
        }
        let is_any_gone = !self.owners.gone.is_empty();
        match owner.filter(|_| is_any_gone).and_then(|address| self.owners.recorded.owner(address)) {
            Some(name) if self.owners.gone.contains(name) => Reason::NodeRemoved(name.clone()),
            _ => Reason::Edited,
        }
    }
}

impl Owners {
    /// Collects them.
    pub fn new(wanted: &BTreeMap<Place, DesiredPlace>, recorded: &State, destroy: bool) -> Self {
        let mut owners = Self { destroy, ..Self::default() };
        owners.wanted.list.reserve(2 * wanted.len());
        owners.recorded.list.reserve(2 * recorded.places.len());
        for (place, wanted, record) in together(wanted, &recorded.places) {
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
            } else {
                owners.added.extend(&owners.wanted, before, |_| true);
                owners.new.insert(name);
            }
        }
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
        let Some(name) = place.node_name() else { return };
        if self.new.insert(name.clone()) {
            self.added.extend(&self.wanted, 0, |other| *other == name);
        }
    }

    /// The node that an address belongs to.
    pub fn name(&self, address: IpAddr) -> Option<&Name> {
        self.wanted.owner(address).or_else(|| self.recorded.owner(address))
    }
}

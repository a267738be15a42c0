//! To whom node addresses belong, and why their rows come and go.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::operation::Reason;
use super::table::Reasons;
use super::{Desired, Place};
use crate::state::State;
use crate::topology::Name;

/// To whom node addresses belong, in the topology and in the record.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    wanted: HashMap<IpAddr, Name>,
    recorded: HashMap<IpAddr, Name>,
    /// Nodes of the topology.
    names: HashSet<Name>,
    /// Nodes of the topology that are not recorded yet.
    new: BTreeSet<Name>,
    /// All is to be removed.
    destroy: bool,
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
        match owner.and_then(|address| self.owners.wanted.get(&address)) {
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
        match owner.and_then(|address| self.owners.recorded.get(&address)) {
            Some(name) if !self.owners.names.contains(name) => Reason::NodeRemoved(name.clone()),
            _ => Reason::Edited,
        }
    }
}

impl Owners {
    /// Collects them.
    pub(super) fn new(desired: &Desired, recorded: &State, destroy: bool) -> Self {
        let mut owners = Self { destroy, ..Self::default() };
        for (place, wanted) in &desired.places {
            let Place::Node(name) = place else { continue };
            owners.names.insert(name.clone());
            for set in wanted.resources.values().filter_map(|shape| shape.routes.as_ref()) {
                owners.wanted.extend(set.own.iter().map(|address| (*address, name.clone())));
            }
            if !recorded.places.contains_key(place) {
                owners.new.insert(name.clone());
            }
        }
        for (place, _, record) in recorded.records() {
            let Place::Node(name) = place else { continue };
            for set in record.shapes().filter_map(|shape| shape.routes.as_ref()) {
                owners.recorded.extend(set.own.iter().map(|address| (*address, name.clone())));
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
            is_wanted: name.is_none_or(|name| self.names.contains(name)),
        }
    }

    /// Another machine answers under a known name: it starts from nothing.
    pub(super) fn begins_anew(&mut self, place: &Place) {
        self.new.extend(place.node().cloned());
    }

    /// The node that an address belongs to.
    pub fn name(&self, address: IpAddr) -> Option<&Name> {
        self.wanted.get(&address).or_else(|| self.recorded.get(&address))
    }
}

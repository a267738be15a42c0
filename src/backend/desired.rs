//! What the topology asks for, place by place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use crate::network::{Family, Prefix};
use crate::plan::DesiredPlace;
use crate::resource::{Name, Place};
use crate::topology::{BackendTable, Topology};

/// What the topology asks for.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Every place that the topology knows, also those where nothing is wanted.
    pub places: BTreeMap<Place, DesiredPlace>,
    /// Tables of backends whose routes are in the network between the nodes.
    pub tables: Vec<NetworkTable>,
    /// Where the network itself routes to, as far as topo knows.
    pub covered: Covered,
    /// The places where the topology wanted something before [`Desired::clear`].
    pub cleared: BTreeSet<Place>,
}

impl Desired {
    /// The same places, with nothing wanted in them.
    pub fn clear(&mut self) {
        let wanted = self.places.iter().filter(|(_, place)| !place.resources.is_empty());
        self.cleared = wanted.map(|(place, _)| place.clone()).collect();
        self.places.values_mut().for_each(|place| place.resources.clear());
        self.tables.clear();
    }
}

/// The table of a backend whose routes are in the network between the nodes.
#[derive(Clone, Debug)]
pub struct NetworkTable {
    /// The name of the topology.
    pub topology: Name,
    /// The name of the table in the topology.
    pub name: Name,
    /// The backend.
    pub backend: &'static str,
    /// Its settings, as the backend has read them.
    pub settings: Value,
    /// The pod subnets of the nodes that it serves, each with the address and the name of its node.
    pub rows: BTreeMap<Prefix, (IpAddr, Name)>,
    /// Nodes with pods that it does not serve.
    pub left_out: Vec<Name>,
}

impl NetworkTable {
    /// A table of a topology.
    pub fn of(topology: &Topology, name: &Name, table: &BackendTable) -> Self {
        let mut rows = BTreeMap::new();
        for (name, node) in topology.nodes.iter().filter(|(name, _)| table.nodes.contains(*name)) {
            for pods in &node.pods {
                let mut owners = node.addresses.iter().filter(|address| Family::of(**address) == pods.family());
                rows.extend(owners.next().map(|owner| (*pods, (*owner, name.clone()))));
            }
        }
        let others = topology.nodes.iter().filter(|(name, node)| !table.nodes.contains(*name) && !node.pods.is_empty());
        let left_out = others.map(|(name, _)| name.clone()).collect();
        let (topology, settings) = (topology.name.clone(), table.settings.clone());
        Self { topology, name: name.clone(), backend: table.backend, settings, rows, left_out }
    }
}

/// Destinations to which the network itself routes, for each of its route tables: the addresses of the machines that go by it (empty
/// where that is not known: it counts for every machine), and where it leads to.
#[derive(Clone, Debug, Default)]
pub struct Covered(pub Vec<(Vec<Prefix>, BTreeSet<Prefix>)>);

impl Covered {
    /// The tables that a machine with these addresses goes by, as numbers.
    pub(super) fn tables_of(&self, addresses: &[IpAddr]) -> Vec<usize> {
        let is_inside = |space: &[Prefix]| {
            space.is_empty() || addresses.iter().any(|address| space.iter().any(|prefix| prefix.contains(*address)))
        };
        self.0.iter().enumerate().filter(|(_, (space, _))| is_inside(space)).map(|(at, _)| at).collect()
    }
}

impl FromIterator<Prefix> for Covered {
    /// Destinations that are covered for every machine.
    fn from_iter<I: IntoIterator<Item = Prefix>>(destinations: I) -> Self {
        Self(vec![(Vec::new(), destinations.into_iter().collect())])
    }
}

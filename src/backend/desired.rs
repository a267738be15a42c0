//! What the topology asks for, place by place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::azure_udr;
use crate::network::Prefix;
use crate::plan::DesiredPlace;
use crate::resource::Place;

/// What the topology asks for.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Every place that the topology knows, also those where nothing is wanted.
    pub places: BTreeMap<Place, DesiredPlace>,
    /// The route tables of Azure.
    pub azure: Vec<azure_udr::Wanted>,
    /// What the route tables of Azure lead to, of those tables that subnets go by.
    pub covered: Covered,
}

/// Destinations that Azure itself routes, for each route table: the address space of the virtual networks whose subnets go by it
/// (empty where that is not known: it counts for every machine), and where it leads to.
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

//! Which routes each node is to have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{KERNEL_ROUTE, Settings};
use crate::network::{Family, Prefix, RouteSet, Row, Rows, View};
use crate::plan::{Desired, Place, ResourceId};
use crate::state::Shape;
use crate::topology::{BackendTable, Name, Node, Topology};

/// Every node that the backend serves gets a route to every other node's pod subnets of its address families. There is one
/// list of rows for all, and one view for all nodes of the same subnets.
pub(super) fn desire(topology: &Topology, name: &Name, table: &BackendTable, desired: &mut Desired) {
    let rows: Rows = topology.nodes.values().flat_map(rows_of).collect();
    let id = ResourceId { backend: name.clone(), kind: KERNEL_ROUTE.into(), name: "".into() };
    let links = Links::new(topology);
    let mut views: HashMap<Vec<(Family, usize)>, Arc<View>> = HashMap::new();
    for node_name in &table.nodes {
        let Some(node) = topology.nodes.get(node_name) else { continue };
        let key: Vec<(Family, usize)> =
            node.addresses.iter().map(|address| (Family::of(*address), links.of(*address))).collect();
        let view = views.entry(key).or_insert_with_key(|key| Arc::new(links.view(key, table)));
        let set = RouteSet {
            rows: rows.clone(),
            view: Arc::clone(view),
            own: node.addresses.clone().into(),
            lacks: Arc::default(),
        };
        if set.routes().next().is_none() {
            continue;
        }
        if let Some(place) = desired.places.get_mut(&Place::Node(node_name.clone())) {
            place.resources.insert(id.clone(), Shape::of_routes(set));
        }
    }
}

/// The rows of a node: each pod subnet, owned by the node's address of its family.
fn rows_of(node: &Node) -> impl Iterator<Item = Row> + '_ {
    node.pods.iter().filter_map(|pods| {
        let owner = node.addresses.iter().find(|address| Family::of(**address) == pods.family())?;
        Some(Row { destination: *pods, owner: *owner })
    })
}

/// The subnets of the topology, found by address.
struct Links<'a> {
    topology: &'a Topology,
    /// Prefixes sorted, with the subnet's position; they do not overlap.
    prefixes: Vec<(Prefix, usize)>,
}

/// Stands for the one link that all nodes share where no subnets are declared.
const SHARED: usize = usize::MAX;

impl<'a> Links<'a> {
    fn new(topology: &'a Topology) -> Self {
        let mut prefixes: Vec<(Prefix, usize)> = topology
            .subnets
            .values()
            .enumerate()
            .flat_map(|(position, subnet)| subnet.cidr.iter().map(move |prefix| (*prefix, position)))
            .collect();
        prefixes.sort_unstable();
        Self { topology, prefixes }
    }

    /// The position of the subnet that an address is in.
    fn of(&self, address: IpAddr) -> usize {
        let at = self.prefixes.partition_point(|(prefix, _)| *prefix <= Prefix::host(address));
        match at.checked_sub(1).map(|at| self.prefixes[at]) {
            Some((prefix, position)) if prefix.contains(address) => position,
            _ => SHARED,
        }
    }

    fn view(&self, key: &[(Family, usize)], table: &BackendTable) -> View {
        let Settings { table, metric, protocol } = serde_json::from_value(table.settings.clone()).unwrap_or_default();
        let mut view = View { table, metric, protocol, device: None, on_link: Vec::new(), via: Vec::new() };
        for (family, position) in key {
            match self.topology.subnets.values().nth(*position) {
                Some(subnet) => {
                    view.on_link.extend(subnet.cidr.iter().filter(|prefix| prefix.family() == *family));
                    view.via.extend(subnet.gateway.iter().filter(|gateway| Family::of(**gateway) == *family));
                }
                None => view.on_link.extend(whole(*family)),
            }
        }
        view.on_link.sort_unstable();
        view.via.sort_unstable();
        view
    }
}

/// The prefix of all addresses of a family.
fn whole(family: Family) -> Option<Prefix> {
    match family {
        Family::V4 => "0.0.0.0/0".parse().ok(),
        Family::V6 => "::/0".parse().ok(),
    }
}

//! The full mesh that a topology asks for: one list of rows for all nodes, and a view for all nodes of the same subnets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::network::{Family, Prefix, RouteSet, Row, Rows, View};
use crate::topology::{Node, Topology};

/// The rows of a topology, seen by its nodes. All backends share it, so that they share lists and views.
pub struct Mesh<'a> {
    topology: &'a Topology,
    rows: Rows,
    /// Prefixes sorted, with the subnet's position; they do not overlap.
    prefixes: Vec<(Prefix, usize)>,
    views: RefCell<HashMap<ViewKey, Arc<View>>>,
}

/// How the routes of a node are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Writing {
    /// Number of the routing table.
    pub table: u32,
    /// Metric; none is the kernel's default.
    pub metric: Option<u32>,
    /// Route protocol number.
    pub protocol: u8,
}

/// Families and subnets of a node's addresses, and how its routes are written.
type ViewKey = (Vec<(Family, usize)>, Writing);

/// Stands for the one link that all nodes share where no subnets are declared.
const SHARED: usize = usize::MAX;

impl<'a> Mesh<'a> {
    /// The mesh of all nodes.
    pub fn new(topology: &'a Topology) -> Self {
        let mut prefixes: Vec<(Prefix, usize)> = topology
            .subnets
            .values()
            .enumerate()
            .flat_map(|(position, subnet)| subnet.cidr.iter().map(move |prefix| (*prefix, position)))
            .collect();
        prefixes.sort_unstable();
        let rows = topology.nodes.values().flat_map(rows_of).collect();
        Self { topology, rows, prefixes, views: RefCell::default() }
    }

    /// The routes of a node: to every other node's pod subnets of its address families; none where there are none.
    pub fn routes(&self, node: &Node, writing: Writing) -> Option<RouteSet> {
        let links = node.addresses.iter().map(|address| (Family::of(*address), self.link_of(*address))).collect();
        let mut views = self.views.borrow_mut();
        let view =
            views.entry((links, writing)).or_insert_with_key(|(links, writing)| Arc::new(self.view(links, *writing)));
        let set = RouteSet {
            rows: self.rows.clone(),
            view: Arc::clone(view),
            own: node.addresses.clone().into(),
            lacks: Arc::default(),
        };
        let reaches = set.routes().next().is_some();
        reaches.then_some(set)
    }

    /// The position of the subnet that an address is in.
    fn link_of(&self, address: IpAddr) -> usize {
        let at = self.prefixes.partition_point(|(prefix, _)| *prefix <= Prefix::host(address));
        match at.checked_sub(1).map(|at| self.prefixes[at]) {
            Some((prefix, position)) if prefix.contains(address) => position,
            _ => SHARED,
        }
    }

    fn view(&self, links: &[(Family, usize)], Writing { table, metric, protocol }: Writing) -> View {
        let mut view = View { table, metric, protocol, device: None, on_link: Vec::new(), via: Vec::new() };
        for (family, position) in links {
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

/// The rows of a node: each pod subnet, owned by the node's address of its family.
fn rows_of(node: &Node) -> impl Iterator<Item = Row> + '_ {
    node.pods.iter().filter_map(|pods| {
        let owner = node.addresses.iter().find(|address| Family::of(**address) == pods.family())?;
        Some(Row { destination: *pods, owner: *owner })
    })
}

/// The prefix of all addresses of a family.
fn whole(family: Family) -> Option<Prefix> {
    match family {
        Family::V4 => "0.0.0.0/0".parse().ok(),
        Family::V6 => "::/0".parse().ok(),
    }
}

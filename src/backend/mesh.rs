//! The full mesh that a topology asks for: one list of rows for all nodes, and a view for all nodes of the same subnets.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::backend::Desired;
use crate::backend::ssh_static::Settings;
use crate::network::{Family, Prefix, RouteSet, Rows, View};
use crate::plan::DesiredPlace;
use crate::resource::Name;
use crate::topology::{BackendTable, Node, Subnet, Topology};

/// The rows of a topology and their views for nodes. All backends share it, so that they share lists and views.
pub struct Mesh<'a> {
    subnets: Vec<&'a Subnet>,
    rows: Rows,
    /// Sorted prefixes, each with the position of its subnet. They do not overlap.
    prefixes: Vec<(Prefix, usize)>,
    views: RefCell<Views>,
    nothing: Arc<BTreeSet<Prefix>>,
}

/// The views made so far, each once.
#[derive(Default)]
struct Views {
    all: BTreeMap<ViewKey, Arc<View>>,
    /// The view of the last request.
    last: Option<(ViewKey, Arc<View>)>,
}

/// Families and subnets of a node's addresses, how its routes are written, and the device that the topology names for gateways that are
/// on-link.
type ViewKey = (Vec<(Family, usize)>, Settings, Option<Box<str>>);

/// Represents the one link that all nodes share if the topology declares no subnets.
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
        let subnets = topology.subnets.values().collect();
        Self { subnets, rows: topology.rows.clone(), prefixes, views: RefCell::default(), nothing: Arc::default() }
    }

    /// The routes of a node to every other node's pod subnets of its address families; none if there are none.
    pub fn routes(&self, node: &Node, writing: Settings) -> Option<RouteSet> {
        let mut views = self.views.borrow_mut();
        // Neighbours in a topology are mostly neighbours in a network.
        let before = views.last.as_ref().filter(|(key, _)| self.is_of(node, writing, key));
        let view = if let Some((_, view)) = before {
            Arc::clone(view)
        } else {
            let links = node.addresses.iter().map(|address| (Family::of(*address), self.link_of(*address)));
            let links: Vec<(Family, usize)> = links.collect();
            let device = node.interface.clone().filter(|_| links.iter().any(|(_, at)| self.is_gateway_on_link(*at)));
            let key: ViewKey = (links, writing, device);
            let view = views.all.entry(key.clone()).or_insert_with(|| Arc::new(self.view(&key)));
            let view = Arc::clone(view);
            views.last = Some((key, Arc::clone(&view)));
            view
        };
        let set = RouteSet {
            rows: self.rows.clone(),
            view,
            own: Arc::clone(&node.addresses),
            excluded: Arc::clone(&self.nothing),
        };
        let reaches = set.routes().next().is_some();
        reaches.then_some(set)
    }

    /// Whether a node has the view with this key.
    fn is_of(&self, node: &Node, writing: Settings, (links, of, device): &ViewKey) -> bool {
        let is_in = |address: &IpAddr, family: Family, position: usize| {
            Family::of(*address) == family
                && match self.subnets.get(position) {
                    Some(subnet) => subnet.cidr.iter().any(|prefix| prefix.contains(*address)),
                    None => self.subnets.is_empty(),
                }
        };
        let names_device = links.iter().any(|(_, at)| self.is_gateway_on_link(*at));
        *of == writing
            && (!names_device || *device == node.interface)
            && links.len() == node.addresses.len()
            && links.iter().zip(&*node.addresses).all(|((family, at), address)| is_in(address, *family, *at))
    }

    /// The position of the subnet that an address is in.
    fn link_of(&self, address: IpAddr) -> usize {
        let at = self.prefixes.partition_point(|(prefix, _)| *prefix <= Prefix::host(address));
        match at.checked_sub(1).map(|at| self.prefixes[at]) {
            Some((prefix, position)) if prefix.contains(address) => position,
            _ => SHARED,
        }
    }

    fn is_gateway_on_link(&self, position: usize) -> bool {
        self.subnets.get(position).is_some_and(|subnet| subnet.on_link)
    }

    fn view(&self, (links, Settings { table, metric, protocol }, device): &ViewKey) -> View {
        let mut view = View {
            table: *table,
            metric: *metric,
            protocol: *protocol,
            device: device.clone(),
            on_link: Vec::new(),
            via: Vec::new(),
            gateway_on_link: links.iter().any(|(_, at)| self.is_gateway_on_link(*at)),
        };
        for (family, position) in links {
            match self.subnets.get(*position) {
                Some(subnet) => {
                    // Behind such a gateway, not even the nodes of one subnet see each other.
                    let seen = subnet.cidr.iter().filter(|prefix| prefix.family() == *family && !subnet.on_link);
                    view.on_link.extend(seen);
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

/// The nodes that a backend serves, in their order, each with its place.
pub fn served<'t, 'd>(
    topology: &'t Topology,
    table: &'t BackendTable,
    desired: &'d mut Desired,
) -> impl Iterator<Item = (&'t Name, &'t Node, &'d mut DesiredPlace)> {
    // All three are sorted by name.
    let mut served = table.nodes.iter().peekable();
    let mut places = desired.places.iter_mut().peekable();
    topology.nodes.iter().filter_map(move |(name, node)| {
        while served.next_if(|other| *other < name).is_some() {}
        served.next_if_eq(&name)?;
        while places.next_if(|(place, _)| place.node().is_some_and(|other| other < name.as_str())).is_some() {}
        let (_, place) = places.next_if(|(place, _)| place.node() == Some(name.as_str()))?;
        Some((name, node, place))
    })
}

/// The prefix of all addresses of a family.
fn whole(family: Family) -> Option<Prefix> {
    match family {
        Family::V4 => "0.0.0.0/0".parse().ok(),
        Family::V6 => "::/0".parse().ok(),
    }
}

//! What is live in Azure, taken from documents. Whether a document can be read at all is checked in [`super::answers`].

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::names::{location, part_of};
use super::{Hop, Route};
use crate::exchange::arm::Document;
use crate::network::Prefix;
use crate::resource::{Evidence, Why};

/// What was seen in Azure. Keys are ids in small letters. Nobody asked for what has no key: its evidence is unknown.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Route tables.
    pub tables: BTreeMap<String, Evidence<LiveTable>>,
    /// Subnets.
    pub subnets: BTreeMap<String, Evidence<LiveSubnet>>,
    /// Virtual networks.
    pub networks: BTreeMap<String, Evidence<LiveNetwork>>,
    /// How many routes a table may have, by subscription and location; absent where Azure names no such limit.
    pub limits: BTreeMap<(String, String), Evidence<u64>>,
    /// The network interfaces of each virtual network.
    pub interfaces: BTreeMap<String, LiveInterfaces>,
    /// Single network interfaces.
    pub forwardings: BTreeMap<String, Evidence<LiveInterface>>,
}

/// The network interfaces of a virtual network, as far as they could be read. What was not found is absent only where
/// nothing is unread.
#[derive(Clone, Debug, Default)]
pub struct LiveInterfaces {
    /// The interfaces found.
    pub found: Vec<LiveInterface>,
    /// Why topo could not read others, one sentence per list.
    pub unread: Vec<String>,
}

/// A route table.
#[derive(Clone, Debug)]
pub struct LiveTable {
    /// The whole document.
    pub document: Document,
    /// Its region.
    pub location: String,
    /// Its routes by destination.
    pub routes: BTreeMap<Prefix, LiveRoute>,
    /// Routes whose destination is no prefix (for example a service tag), described by lower-case name. They belong to
    /// others.
    pub others: BTreeMap<String, String>,
    /// The total number of its routes.
    pub count: usize,
    /// Whether its subnets get routes that Azure learns by BGP.
    pub bgp_route_propagation: bool,
    /// Ids of the subnets that are associated with it.
    pub subnets: Vec<String>,
    /// Whether Azure gave up on the last write: the routes of the table may not be in force.
    pub failed: bool,
}

/// A route, and its state in Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRoute {
    /// The route.
    pub route: Route,
    /// `Succeeded`, `Updating`, `Failed`, …
    pub state: String,
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct LiveSubnet {
    /// The whole document.
    pub document: Document,
    /// The id of its route table.
    pub table: Option<String>,
    /// `Succeeded`, `Updating`, `Failed`, …
    pub state: String,
}

/// A virtual network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveNetwork {
    /// Its region.
    pub location: String,
    /// Its address space.
    pub space: Vec<Prefix>,
    /// Networks that are peered with it, if machines there get what is forwarded from here.
    pub peers: Vec<Peer>,
    /// Ids of its subnets.
    pub subnets: Vec<String>,
    /// Ids of the IP configurations in its subnets. Each starts with the id of a network interface.
    pub configurations: Vec<String>,
}

/// A virtual network that is peered with another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub id: String,
    /// Its address space.
    pub space: Vec<Prefix>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInterface {
    /// Its id.
    pub id: String,
    /// Its private addresses.
    pub addresses: Vec<IpAddr>,
    /// Ids of the subnets that it is in.
    pub subnets: Vec<String>,
    /// Whether it forwards.
    pub forwards: bool,
    /// The id of its scale set, if it belongs to one.
    pub scale_set: Option<String>,
    /// Whether it belongs to a machine.
    pub attached: bool,
}

/// What was answered about an id.
pub(super) fn look<'s, T>(answers: &'s BTreeMap<String, Evidence<T>>, id: &str) -> Evidence<&'s T> {
    answers.get(&key(id)).map_or(Evidence::Unknown(Why::NotAsked), Evidence::as_ref)
}

impl Seen {
    /// What was answered about a route table; nobody asked where there is no look at all.
    pub(super) fn table<'s>(seen: Option<&'s Self>, id: &str) -> Evidence<&'s LiveTable> {
        seen.map_or(Evidence::Unknown(Why::NotAsked), |seen| look(&seen.tables, id))
    }

    /// What was answered about a subnet.
    pub(super) fn subnet<'s>(seen: Option<&'s Self>, id: &str) -> Evidence<&'s LiveSubnet> {
        seen.map_or(Evidence::Unknown(Why::NotAsked), |seen| look(&seen.subnets, id))
    }

    /// What was answered about a virtual network.
    pub(super) fn network<'s>(seen: Option<&'s Self>, id: &str) -> Evidence<&'s LiveNetwork> {
        seen.map_or(Evidence::Unknown(Why::NotAsked), |seen| look(&seen.networks, id))
    }
}

/// Converts to lower case, to compare ids and regions.
pub fn key(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// The last part of an id.
pub fn name_of(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

impl LiveTable {
    /// Reads a document that topo made, or that is known to be a route table.
    pub fn of(document: Document) -> Self {
        let properties = &document.body["properties"];
        let list = properties["routes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let (mut routes, mut others) = (BTreeMap::new(), BTreeMap::new());
        for value in list {
            if let Some((destination, route)) = route_of(value) {
                routes.insert(destination, route);
            } else {
                let properties = &value["properties"];
                let [name, prefix, hop] = [&value["name"], &properties["addressPrefix"], &properties["nextHopType"]]
                    .map(|value| value.as_str().unwrap_or_default());
                others.insert(key(name), format!("{prefix} to {hop}"));
            }
        }
        Self {
            location: location(document.body["location"].as_str().unwrap_or_default()),
            routes,
            others,
            count: list.len(),
            bgp_route_propagation: !properties["disableBgpRoutePropagation"].as_bool().unwrap_or(false),
            subnets: ids(&properties["subnets"]),
            failed: has_failed(&properties["provisioningState"]),
            document,
        }
    }

    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let tags = self.document.body["tags"].as_object()?;
        tags.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
    }
}

fn has_failed(state: &Value) -> bool {
    state.as_str().is_some_and(|state| state.eq_ignore_ascii_case("Failed"))
}

/// A route in a table's document, if its destination is a prefix.
pub(super) fn route_of(value: &Value) -> Option<(Prefix, LiveRoute)> {
    let properties = &value["properties"];
    let destination: Prefix = properties["addressPrefix"].as_str()?.parse().ok()?;
    let name = value["name"].as_str().unwrap_or_default().into();
    let state = properties["provisioningState"].as_str().unwrap_or_default().to_owned();
    Some((destination, LiveRoute { route: Route { name, hop: Hop::of(properties) }, state }))
}

impl LiveSubnet {
    /// Reads a document that is known to be a subnet.
    pub fn of(document: Document) -> Self {
        let properties = &document.body["properties"];
        Self {
            table: properties["routeTable"]["id"].as_str().map(str::to_owned),
            state: properties["provisioningState"].as_str().unwrap_or_default().to_owned(),
            document,
        }
    }
}

impl LiveNetwork {
    /// Where to look for its network interfaces: pairs of subscription and resource group, and ids of scale sets.
    pub fn interface_places(&self) -> (Vec<(String, String)>, Vec<String>) {
        let (mut groups, mut sets) = (BTreeMap::new(), BTreeMap::new());
        for id in &self.configurations {
            let [subscription, group] = ["subscriptions", "resourceGroups"].map(|word| part_of(id, word));
            let (Some(subscription), Some(group)) = (subscription, group) else { continue };
            if let Some(set) = part_of(id, "virtualMachineScaleSets") {
                let id = format!(
                    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{set}"
                );
                sets.entry(key(&id)).or_insert(id);
            } else if part_of(id, "networkInterfaces").is_some() {
                groups.entry(key(group)).or_insert_with(|| (subscription.to_owned(), group.to_owned()));
            }
        }
        (groups.into_values().collect(), sets.into_values().collect())
    }
}

impl LiveNetwork {
    /// The addresses that its route tables can lead to: its own, and those of its peers.
    pub fn reach(&self) -> impl Iterator<Item = &Prefix> {
        self.space.iter().chain(self.peers.iter().flat_map(|peer| &peer.space))
    }
}

impl LiveInterface {
    /// Whether it is in a virtual network.
    pub fn is_in(&self, network: &str) -> bool {
        let start = format!("{}/subnets/", key(network));
        self.subnets.iter().any(|subnet| key(subnet).starts_with(&start))
    }
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|it| it["id"].as_str()).map(str::to_owned).collect()
}

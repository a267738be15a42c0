//! Machines of Azure as nodes of a topology: from the documents of Azure Resource Manager to the text that `topo init`
//! writes. The documents are untrusted: names go through [`Name`], other texts are escaped.

mod network;
mod pods;
mod text;
mod unfit;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value as Json;

use crate::network::{Family, Prefix};
use crate::resource::Name;
use crate::topology::machines::Machine;

use super::{SubnetName, key, name_of};
use network::Site;
use pods::Tag;
use unfit::{Unfit, shown};

pub use super::names::{is_resource_group, is_subscription};
pub use unfit::Contradiction;

/// The result of reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The nodes, sorted by address.
    pub machines: Vec<Machine>,
    /// The subnets of the nodes.
    pub subnets: Vec<Subnet>,
    /// The virtual networks of these subnets: each gets a route table.
    pub networks: Vec<Network>,
    /// Which machines were skipped and why, and what else the user should know.
    pub notes: Vec<Note>,
    /// The address space of the networks.
    spaces: Vec<Prefix>,
    /// The prefixes of subnets that were not read completely.
    unread: Vec<Prefix>,
}

/// A subnet that contains nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its name in the topology.
    pub name: Name,
    /// Its prefixes.
    pub cidr: Vec<Prefix>,
}

/// A virtual network that contains nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// A unique name among the networks.
    pub label: Name,
    /// The id of its subscription.
    pub subscription: String,
    /// Its resource group.
    pub resource_group: String,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// The Azure names of its subnets that contain nodes.
    pub subnets: Vec<String>,
    /// The nodes in it.
    pub nodes: Vec<Name>,
    /// The nodes with pods whose network interface does not forward.
    pub not_forwarding: Vec<Name>,
}

/// Something that the user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The kind of note.
    pub kind: NoteKind,
    /// The machines, escaped.
    pub machines: Vec<String>,
    /// Full sentences.
    pub text: String,
}

/// The kind of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// A machine that is skipped.
    Skipped,
    /// Machines that become nodes without pods.
    WithoutPods,
    /// Interfaces whose machines topo could not read.
    NotRead,
}

/// The ids of the machines' interfaces that are not among the listed ones: they are in other resource groups.
pub fn interfaces_elsewhere(machines: &[Json], interfaces: &[Json]) -> BTreeSet<String> {
    let listed = by_id(interfaces);
    let wanted = machines.iter().filter_map(primary_interface);
    wanted.filter(|id| !listed.contains_key(&key(id))).map(str::to_owned).collect()
}

/// The ids of the virtual networks of the machines.
pub fn networks_of(machines: &[Json], interfaces: &[Json]) -> BTreeSet<String> {
    let interfaces = by_id(interfaces);
    let wanted = machines.iter().filter_map(|machine| interfaces.get(&key(primary_interface(machine)?)));
    let subnets = wanted.filter_map(|it| SubnetName::of_id(subnet_of(primary_configuration(it)?)?));
    let ids = subnets.map(|(subscription, subnet)| subnet.network_id(subscription));
    // One spelling of each.
    ids.map(|id| (key(&id), id)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Makes nodes from machines, their interfaces and the networks of those. Contradictions are errors, one for each machine.
pub fn read(machines: &[Json], interfaces: &[Json], networks: &[Json]) -> Result<Inventory, Vec<Contradiction>> {
    let (interfaces, networks) = (by_id(interfaces), by_id(networks));
    let mut inventory = Inventory::default();
    let mut found = Vec::new();
    let mut ambiguous = Vec::new();
    let mut without_pods = Vec::new();
    for machine in machines {
        let raw_name = machine["name"].as_str().unwrap_or_default();
        let tag = match pods::find(machine) {
            Ok(tag) => tag,
            Err(tags) => {
                ambiguous.push(Contradiction { machine: raw_name.to_owned(), tags });
                continue;
            }
        };
        match read_machine(machine, raw_name, tag.as_ref(), &interfaces, &networks) {
            Ok(machine) => {
                if tag.is_none() {
                    without_pods.push(machine.machine.name.to_string());
                }
                found.push(machine);
            }
            Err(reason) => inventory.notes.push(Note {
                kind: NoteKind::Skipped,
                machines: vec![shown(raw_name)],
                text: format!("Skipped the machine `{}`: {reason}", shown(raw_name)),
            }),
        }
    }
    if !ambiguous.is_empty() {
        return Err(ambiguous);
    }
    // In the order of people: sorted by name, node-10 would come before node-2.
    found.sort_by_cached_key(|it| (it.machine.addresses.first().copied(), it.machine.name.clone()));
    if !without_pods.is_empty() {
        let listed = without_pods.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let (is, node) = if without_pods.len() == 1 { ("has", "a node") } else { ("have", "nodes") };
        inventory.notes.push(Note {
            kind: NoteKind::WithoutPods,
            text: format!("{listed} {is} no tag {}, and became {node} without pods.", pods::TAG),
            machines: without_pods,
        });
    }
    network::fill(&mut inventory, &found, &interfaces, &networks);
    inventory.machines = found.into_iter().map(|found| found.machine).collect();
    Ok(inventory)
}

impl Inventory {
    /// Whether it cannot tell anything about a node that it does not have: the node is outside the networks that were
    /// read, or in a subnet that was not read completely, or belongs to a skipped machine.
    pub fn is_silent_on(&self, name: &str, addresses: &[IpAddr]) -> bool {
        let skipped = self.notes.iter().filter(|note| note.kind == NoteKind::Skipped);
        let within = |prefixes: &[Prefix]| {
            addresses.iter().any(|address| prefixes.iter().any(|prefix| prefix.contains(*address)))
        };
        skipped.flat_map(|note| &note.machines).any(|skipped| skipped == name)
            || !within(&self.spaces)
            || within(&self.unread)
    }
}

/// Documents by id, in small letters.
type Documents<'a> = BTreeMap<String, &'a Json>;

fn by_id(documents: &[Json]) -> Documents<'_> {
    documents.iter().filter_map(|it| Some((key(it["id"].as_str()?), it))).collect()
}

/// A machine that became a node.
struct Found<'a> {
    machine: Machine,
    site: Site<'a>,
    forwards: bool,
}

fn read_machine<'a>(
    machine: &Json,
    name: &str,
    tag: Option<&Tag<'_>>,
    interfaces: &Documents<'a>,
    networks: &Documents<'a>,
) -> Result<Found<'a>, Unfit> {
    let name = Name::new(name).map_err(|_| Unfit::Name)?;
    let id = primary_interface(machine).ok_or(Unfit::NoInterface)?;
    let interface = interfaces.get(&key(id)).ok_or_else(|| Unfit::InterfaceMissing(name_of(id).to_owned()))?;
    let address = |configuration: &Json| -> Option<IpAddr> {
        configuration["properties"]["privateIPAddress"].as_str()?.parse().ok()
    };
    let primary = primary_configuration(interface);
    let mut addresses: Vec<IpAddr> = primary.and_then(address).into_iter().collect();
    let other_family = |it: &IpAddr| addresses.first().is_none_or(|first| it.is_ipv4() != first.is_ipv4());
    let second = configurations(interface).filter_map(address).find(other_family);
    addresses.extend(second);
    if addresses.is_empty() {
        return Err(Unfit::NoAddress);
    }
    let site = Site::find(primary.and_then(subnet_of).unwrap_or_default(), networks)?;
    let pods = tag.map(Tag::prefixes).transpose()?.unwrap_or_default();
    if let Some(lone) = pods.iter().find(|pod| !addresses.iter().any(|own| Family::of(*own) == pod.family())) {
        return Err(Unfit::Family(*lone));
    }
    let forwards = interface["properties"]["enableIPForwarding"] == true;
    Ok(Found { machine: Machine { name, addresses, pods }, site, forwards })
}

/// The id of the machine's primary interface.
fn primary_interface(machine: &Json) -> Option<&str> {
    primary_of(list(&machine["properties"]["networkProfile"]["networkInterfaces"]))?["id"].as_str()
}

fn configurations(interface: &Json) -> impl Iterator<Item = &Json> + Clone {
    list(&interface["properties"]["ipConfigurations"])
}

fn primary_configuration(interface: &Json) -> Option<&Json> {
    primary_of(configurations(interface))
}

/// The primary one of a machine's interfaces, or of an interface's configurations. A single one need not be marked.
fn primary_of<'a>(mut all: impl Iterator<Item = &'a Json> + Clone) -> Option<&'a Json> {
    let first = all.clone().next();
    all.find(|it| it["properties"]["primary"] == true).or(first)
}

/// The id of the subnet of a configuration.
fn subnet_of(configuration: &Json) -> Option<&str> {
    configuration["properties"]["subnet"]["id"].as_str()
}

/// The elements of a list; none if the value is no list.
fn list(value: &Json) -> impl Iterator<Item = &Json> + Clone {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;

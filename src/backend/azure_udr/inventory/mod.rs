//! Machines of Azure as nodes of a topology: from the documents of Azure Resource Manager to the text that `topo init`
//! writes. The documents are untrusted: names go through [`Name`], other texts are escaped.

mod network;
mod pods;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value as Json;

use crate::network::{Family, Prefix};
use crate::resource::Name;
use crate::topology::machines::Machine;

use super::names;
use network::SubnetId;
use pods::Tag;

/// How many characters of a text from Azure a sentence shows.
const LONGEST: usize = 100;

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

/// Whether a text is the id of a subscription: a UUID.
pub fn is_subscription(text: &str) -> bool {
    names::is_subscription(text)
}

/// Whether a text can be the name of a resource group.
pub fn is_resource_group(text: &str) -> bool {
    names::is_resource_group(text)
}

/// The ids of the machines' interfaces that are not among the listed ones: they are in other resource groups.
pub fn interfaces_elsewhere(machines: &[Json], interfaces: &[Json]) -> BTreeSet<String> {
    let listed: BTreeSet<String> = interfaces.iter().filter_map(|it| Some(key(it["id"].as_str()?))).collect();
    let wanted = machines.iter().filter_map(primary_interface);
    wanted.filter(|id| !listed.contains(&key(id))).map(str::to_owned).collect()
}

/// The ids of the virtual networks of the machines.
pub fn networks_of(machines: &[Json], interfaces: &[Json]) -> BTreeSet<String> {
    let wanted: BTreeSet<String> = machines.iter().filter_map(primary_interface).map(key).collect();
    let wanted = interfaces.iter().filter(|it| it["id"].as_str().is_some_and(|id| wanted.contains(&key(id))));
    let subnets =
        wanted.filter_map(|it| SubnetId::parse(primary_configuration(it)?["properties"]["subnet"]["id"].as_str()?));
    // One spelling of each.
    let networks: BTreeMap<String, String> = subnets.map(|id| (key(&id.network_id()), id.network_id())).collect();
    networks.into_values().collect()
}

/// Makes nodes from machines, their interfaces and the networks of those. Contradictions are errors, with a sentence
/// for each machine.
pub fn read(machines: &[Json], interfaces: &[Json], networks: &[Json]) -> Result<Inventory, Vec<String>> {
    let interfaces: BTreeMap<String, &Json> =
        interfaces.iter().filter_map(|it| Some((key(it["id"].as_str()?), it))).collect();
    let spaces = network::Spaces::new(networks);
    let mut inventory = Inventory::default();
    let mut found = Vec::new();
    let mut ambiguous = Vec::new();
    let mut without_pods = Vec::new();
    for machine in machines {
        let raw_name = machine["name"].as_str().unwrap_or_default();
        let tag = match pods::find(machine) {
            Ok(tag) => tag,
            Err(reason) => {
                ambiguous.push(format!("The machine `{}` {reason}", shown(raw_name)));
                continue;
            }
        };
        match read_machine(machine, raw_name, tag.as_ref(), &interfaces, &spaces) {
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
    found.sort_by(|one, other| {
        let of = |it: &Found| (it.machine.addresses.first().copied(), it.machine.name.clone());
        of(one).cmp(&of(other))
    });
    if !without_pods.is_empty() {
        let listed = without_pods.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let (is, node) = if without_pods.len() == 1 { ("has", "a node") } else { ("have", "nodes") };
        inventory.notes.push(Note {
            kind: NoteKind::WithoutPods,
            text: format!("{listed} {is} no tag {}, and became {node} without pods.", pods::TAG),
            machines: without_pods,
        });
    }
    spaces.fill(&mut inventory, &found, &interfaces);
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

/// A machine that became a node.
struct Found {
    machine: Machine,
    subnet: SubnetId,
    forwards: bool,
}

fn read_machine(
    machine: &Json,
    name: &str,
    tag: Option<&Tag<'_>>,
    interfaces: &BTreeMap<String, &Json>,
    spaces: &network::Spaces<'_>,
) -> Result<Found, String> {
    let name = Name::new(name).map_err(|_| {
        "its name is not a valid name of a node. A name starts with a letter or digit, then has letters, digits, `-`, \
         `_` and `.`, at most 63 characters."
            .to_owned()
    })?;
    let id = primary_interface(machine).ok_or("it has no network interface.")?;
    let interface = interfaces.get(&key(id)).ok_or_else(|| {
        format!("its network interface `{}` does not exist.", shown(id.rsplit('/').next().unwrap_or(id)))
    })?;
    let configuration =
        primary_configuration(interface).ok_or_else(|| "its network interface has no private address.".to_owned())?;
    let address = |configuration: &Json| -> Option<IpAddr> {
        configuration["properties"]["privateIPAddress"].as_str()?.parse().ok()
    };
    let mut addresses: Vec<IpAddr> = address(configuration).into_iter().collect();
    let other_family = |it: &IpAddr| addresses.first().is_none_or(|first| it.is_ipv4() != first.is_ipv4());
    let second = configurations(interface).filter_map(address).find(other_family);
    addresses.extend(second);
    if addresses.is_empty() {
        return Err("its network interface has no private address.".to_owned());
    }
    let subnet = configuration["properties"]["subnet"]["id"].as_str().and_then(SubnetId::parse);
    let subnet = subnet.ok_or_else(|| "its network interface is in no subnet.".to_owned())?;
    spaces.check(&subnet)?;
    let pods = tag.map(Tag::prefixes).transpose()?.unwrap_or_default();
    if let Some(lone) = pods.iter().find(|pod| !addresses.iter().any(|own| Family::of(*own) == pod.family())) {
        let label = lone.family().label();
        return Err(format!("its tag has the {label} prefix {lone}, but it has no private {label} address."));
    }
    let forwards = interface["properties"]["enableIPForwarding"] == true;
    Ok(Found { machine: Machine { name, addresses, pods }, subnet, forwards })
}

/// The id of the machine's primary interface. A single interface need not be marked as primary.
fn primary_interface(machine: &Json) -> Option<&str> {
    let all = machine["properties"]["networkProfile"]["networkInterfaces"].as_array()?;
    let primary = all.iter().find(|it| it["properties"]["primary"] == true).or_else(|| all.first())?;
    primary["id"].as_str()
}

fn configurations(interface: &Json) -> impl Iterator<Item = &Json> {
    interface["properties"]["ipConfigurations"].as_array().into_iter().flatten()
}

/// The primary configuration of an interface. A single configuration need not be marked as primary.
fn primary_configuration(interface: &Json) -> Option<&Json> {
    let primary = configurations(interface).find(|it| it["properties"]["primary"] == true);
    primary.or_else(|| configurations(interface).next())
}

/// Converts an id for comparison: Azure ignores case.
fn key(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// A text from Azure, escaped and shortened for a sentence.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;

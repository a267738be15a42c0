//! The virtual networks of the machines, and their subnets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::network::Prefix;
use crate::resource::Name;

use super::super::SubnetName;
use super::super::names::part_of;
use super::unfit::{Unfit, shown};
use super::{Documents, Found, Inventory, Network, Note, NoteKind, Subnet, key, list};

/// The longest name that topo uses unchanged, in bytes: it may add a number or `azure-`.
const LONGEST_LABEL: usize = 50;

/// The subnet of a machine.
pub(super) struct Site<'a> {
    subscription: &'a str,
    name: SubnetName,
    cidr: Vec<Prefix>,
    /// The document of its network.
    network: &'a Json,
}

impl<'a> Site<'a> {
    /// Finds the subnet with this id.
    pub(super) fn find(id: &'a str, networks: &Documents<'a>) -> Result<Self, Unfit> {
        let (subscription, name) = SubnetName::of_id(id).ok_or(Unfit::NoSubnet)?;
        let document = networks.get(&key(&name.network_id(subscription))).copied();
        let document = document.ok_or_else(|| Unfit::NetworkMissing(name.network.clone()))?;
        let is_it = |it: &&Json| it["name"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(&name.subnet));
        let of = || (name.network.clone(), name.subnet.clone());
        let Some(found) = list(&document["properties"]["subnets"]).find(is_it) else {
            let (network, subnet) = of();
            return Err(Unfit::SubnetMissing { network, subnet });
        };
        let cidr = prefixes(&found["properties"]);
        if cidr.is_empty() {
            let (network, subnet) = of();
            return Err(Unfit::SubnetWithoutPrefix { network, subnet });
        }
        Ok(Self { subscription, name, cidr, network: document })
    }
}

/// Adds networks and subnets of the machines, and notes what was not read there.
pub(super) fn fill(
    inventory: &mut Inventory,
    found: &[Found<'_>],
    interfaces: &Documents<'_>,
    networks: &Documents<'_>,
) {
    let mut labels = BTreeSet::new();
    let mut position: BTreeMap<String, usize> = BTreeMap::new();
    for Found { machine, site, forwards } in found {
        let SubnetName { resource_group, network: name, subnet } = &site.name;
        let at = *position.entry(key(&site.name.network_id(site.subscription))).or_insert_with(|| {
            inventory.networks.push(Network {
                label: label(&[name], "network", &mut labels),
                subscription: site.subscription.to_owned(),
                resource_group: resource_group.clone(),
                name: name.clone(),
                location: site.network["location"].as_str().unwrap_or_default().to_owned(),
                subnets: Vec::new(),
                nodes: Vec::new(),
                not_forwarding: Vec::new(),
            });
            inventory.spaces.extend(prefixes(&site.network["properties"]["addressSpace"]));
            inventory.networks.len() - 1
        });
        let network = &mut inventory.networks[at];
        if !network.subnets.iter().any(|known| known.eq_ignore_ascii_case(subnet)) {
            network.subnets.push(subnet.clone());
        }
        network.nodes.push(machine.name.clone());
        if !forwards && !machine.pods.is_empty() {
            network.not_forwarding.push(machine.name.clone());
        }
    }
    // Different networks often have subnets with the same name, such as `default`.
    let sites: BTreeMap<String, &Site<'_>> =
        found.iter().map(|Found { site, .. }| (key(&site.name.id(site.subscription)), site)).collect();
    let mut labels = BTreeSet::new();
    for Site { name, cidr, .. } in sites.values() {
        let same = sites.values().filter(|other| other.name.subnet.eq_ignore_ascii_case(&name.subnet));
        let parts: &[&str] = if same.count() > 1 { &[&name.network, &name.subnet] } else { &[&name.subnet] };
        inventory.subnets.push(Subnet { name: label(parts, "subnet", &mut labels), cidr: cidr.clone() });
    }
    inventory.subnets.sort_by_key(|subnet| subnet.cidr.first().map(Prefix::address));
    for network in networks.values() {
        note_unread(network, interfaces, inventory);
    }
}

/// Notes the interfaces in a network that belong to scale sets (Azure does not list them) or to other resource groups.
fn note_unread(network: &Json, interfaces: &Documents<'_>, inventory: &mut Inventory) {
    let network_name = shown(network["name"].as_str().unwrap_or_default());
    for subnet in list(&network["properties"]["subnets"]) {
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for id in list(&subnet["properties"]["ipConfigurations"]).filter_map(|it| it["id"].as_str()) {
            let lower = key(id);
            // Gateways, load balancers and the like have configurations without an interface.
            let Some((interface, _)) = lower.split_once("/ipconfigurations/") else { continue };
            if !interface.contains("/networkinterfaces/") || interfaces.contains_key(interface) {
                continue;
            }
            let owner = match part_of(id, "virtualMachineScaleSets") {
                Some(name) => format!("of the scale set `{}`", shown(name)),
                None => format!("in the resource group `{}`", shown(part_of(id, "resourceGroups").unwrap_or_default())),
            };
            *owners.entry(owner).or_default() += 1;
        }
        if !owners.is_empty() {
            inventory.unread.extend(prefixes(&subnet["properties"]));
        }
        let name = shown(subnet["name"].as_str().unwrap_or_default());
        for (owner, count) in owners {
            let (interfaces, they_are) = if count == 1 {
                ("network interface", "it is a node, add it")
            } else {
                ("network interfaces", "they are nodes, add them")
            };
            let text = format!(
                "topo did not read {count} {interfaces} {owner} in the subnet `{network_name}/{name}`. If {they_are} by hand."
            );
            inventory.notes.push(Note { kind: NoteKind::NotRead, machines: Vec::new(), text });
        }
    }
}

/// A unique name for something in Azure. If the name in Azure is not valid, the result is `network-2` or similar.
pub(super) fn label(parts: &[&str], stand_in: &str, taken: &mut BTreeSet<Name>) -> Name {
    let wanted = parts.join("-");
    let usable = wanted.len() <= LONGEST_LABEL && Name::is_valid(&wanted);
    let (stem, from) = if usable { (wanted.as_str(), 2) } else { (stand_in, 1) };
    let numbered = (from..).map(|number| format!("{stem}-{number}"));
    let candidates = usable.then(|| wanted.clone()).into_iter().chain(numbered);
    let mut free = candidates.filter_map(|text| Name::new(&text).ok()).filter(|name| !taken.contains(name));
    let name = free.next().unwrap_or_else(|| unreachable!("numbers do not end"));
    taken.insert(name.clone());
    name
}

/// `addressPrefixes`, or the older `addressPrefix`.
fn prefixes(properties: &Json) -> Vec<Prefix> {
    let many = properties["addressPrefixes"].as_array().filter(|all| !all.is_empty());
    let texts = many.map_or_else(|| std::slice::from_ref(&properties["addressPrefix"]), Vec::as_slice);
    texts.iter().filter_map(|text| text.as_str()?.parse().ok()).collect()
}

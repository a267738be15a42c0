//! The virtual networks of the machines, and their subnets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::network::Prefix;
use crate::resource::Name;

use super::{Found, Inventory, Network, Note, NoteKind, Subnet, key, shown};

/// The longest name that topo uses unchanged, in bytes: it may add a number or `azure-`.
const LONGEST_LABEL: usize = 50;

/// The parts of a subnet's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubnetId {
    pub(super) subscription: String,
    pub(super) resource_group: String,
    pub(super) network: String,
    pub(super) subnet: String,
}

impl SubnetId {
    /// Takes an id apart. Ignores case in its fixed words.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        let [
            "",
            subscriptions,
            subscription,
            groups,
            resource_group,
            providers,
            provider,
            networks,
            network,
            subnets,
            subnet,
        ] = parts[..]
        else {
            return None;
        };
        let words = [subscriptions, groups, providers, provider, networks, subnets];
        let expected =
            ["subscriptions", "resourceGroups", "providers", "Microsoft.Network", "virtualNetworks", "subnets"];
        let fits = words.iter().zip(expected).all(|(word, expected)| word.eq_ignore_ascii_case(expected));
        let own = [subscription, resource_group, network, subnet];
        (fits && !own.contains(&"")).then(|| {
            let [subscription, resource_group, network, subnet] = own.map(str::to_owned);
            Self { subscription, resource_group, network, subnet }
        })
    }

    /// The id of its network.
    pub(super) fn network_id(&self) -> String {
        let Self { subscription, resource_group, network, .. } = self;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Network/virtualNetworks/{network}"
        )
    }

    fn key(&self) -> (String, String) {
        (key(&self.network_id()), key(&self.subnet))
    }
}

/// The documents of the networks.
pub(super) struct Spaces<'a>(BTreeMap<String, &'a Json>);

impl<'a> Spaces<'a> {
    pub(super) fn new(networks: &'a [Json]) -> Self {
        Self(networks.iter().filter_map(|it| Some((key(it["id"].as_str()?), it))).collect())
    }

    fn network(&self, id: &SubnetId) -> Option<&'a Json> {
        self.0.get(&key(&id.network_id())).copied()
    }

    fn subnet(&self, id: &SubnetId) -> Option<&'a Json> {
        let all = self.network(id)?["properties"]["subnets"].as_array()?;
        all.iter().find(|it| it["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(&id.subnet)))
    }

    /// Whether a subnet is usable. The error is a reason that can follow a colon.
    pub(super) fn check(&self, id: &SubnetId) -> Result<(), String> {
        let (network, subnet) = (shown(&id.network), shown(&id.subnet));
        if self.network(id).is_none() {
            return Err(format!("its virtual network `{network}` does not exist."));
        }
        let document = self.subnet(id).ok_or_else(|| format!("its subnet `{network}/{subnet}` does not exist."))?;
        if prefixes(&document["properties"]).is_empty() {
            return Err(format!("its subnet `{network}/{subnet}` has no address prefix."));
        }
        Ok(())
    }

    /// Adds networks and subnets of the machines, and notes what was not read there.
    pub(super) fn fill(&self, inventory: &mut Inventory, found: &[Found], interfaces: &BTreeMap<String, &Json>) {
        let mut labels = BTreeSet::new();
        let mut position: BTreeMap<String, usize> = BTreeMap::new();
        for Found { machine, subnet, forwards } in found {
            let at = *position.entry(key(&subnet.network_id())).or_insert_with(|| {
                let document = self.network(subnet);
                inventory.networks.push(Network {
                    label: label(&[&subnet.network], "network", &mut labels),
                    subscription: subnet.subscription.clone(),
                    resource_group: subnet.resource_group.clone(),
                    name: subnet.network.clone(),
                    location: document.and_then(|it| it["location"].as_str()).unwrap_or_default().to_owned(),
                    subnets: Vec::new(),
                    nodes: Vec::new(),
                    not_forwarding: Vec::new(),
                });
                inventory.spaces.extend(document.iter().flat_map(|it| prefixes(&it["properties"]["addressSpace"])));
                inventory.networks.len() - 1
            });
            let network = &mut inventory.networks[at];
            if !network.subnets.iter().any(|name| name.eq_ignore_ascii_case(&subnet.subnet)) {
                network.subnets.push(subnet.subnet.clone());
            }
            network.nodes.push(machine.name.clone());
            if !forwards && !machine.pods.is_empty() {
                network.not_forwarding.push(machine.name.clone());
            }
        }
        // Different networks often have subnets with the same name, such as `default`.
        let ids: BTreeMap<(String, String), &SubnetId> = found.iter().map(|it| (it.subnet.key(), &it.subnet)).collect();
        let mut labels = BTreeSet::new();
        for (own, id) in &ids {
            let shared = ids.keys().filter(|other| other.1 == own.1).count() > 1;
            let parts: &[&str] = if shared { &[&id.network, &id.subnet] } else { &[&id.subnet] };
            let name = label(parts, "subnet", &mut labels);
            let cidr = self.subnet(id).map(|it| prefixes(&it["properties"])).unwrap_or_default();
            inventory.subnets.push(Subnet { name, cidr });
        }
        inventory.subnets.sort_by_key(|subnet| subnet.cidr.first().map(Prefix::address));
        for network in self.0.values() {
            not_read(network, interfaces, inventory);
        }
    }
}

/// Notes the interfaces in a network that belong to scale sets (Azure does not list them) or to other resource groups.
fn not_read(network: &Json, interfaces: &BTreeMap<String, &Json>, inventory: &mut Inventory) {
    let network_name = shown(network["name"].as_str().unwrap_or_default());
    for subnet in network["properties"]["subnets"].as_array().into_iter().flatten() {
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for configuration in subnet["properties"]["ipConfigurations"].as_array().into_iter().flatten() {
            let Some(id) = configuration["id"].as_str() else { continue };
            let lower = key(id);
            // Gateways, load balancers and the like have configurations without an interface.
            let Some((interface, _)) = lower.split_once("/ipconfigurations/") else { continue };
            if !interface.contains("/networkinterfaces/") || interfaces.contains_key(interface) {
                continue;
            }
            let after = |word: &str| {
                let mut parts = id.split('/').skip_while(|part| !part.eq_ignore_ascii_case(word));
                parts.nth(1).map(shown)
            };
            let owner = match after("virtualMachineScaleSets") {
                Some(name) => format!("of the scale set `{name}`"),
                None => format!("in the resource group `{}`", after("resourceGroups").unwrap_or_default()),
            };
            *owners.entry(owner).or_default() += 1;
        }
        if !owners.is_empty() {
            inventory.unread.extend(prefixes(&subnet["properties"]));
        }
        for (owner, count) in owners {
            let (interfaces, they_are) = if count == 1 {
                ("network interface", "it is a node, add it")
            } else {
                ("network interfaces", "they are nodes, add them")
            };
            inventory.notes.push(Note {
                kind: NoteKind::NotRead,
                machines: Vec::new(),
                text: format!(
                    "topo did not read {count} {interfaces} {owner} in the subnet `{network_name}/{}`. If {they_are} \
                     by hand.",
                    shown(subnet["name"].as_str().unwrap_or_default())
                ),
            });
        }
    }
}

/// A unique name for something in Azure. If the name in Azure is not valid, the result is `network-2` or similar.
pub(super) fn label(parts: &[&str], stand_in: &str, taken: &mut BTreeSet<Name>) -> Name {
    let wanted = parts.join("-");
    let usable = wanted.len() <= LONGEST_LABEL && Name::is_valid(&wanted);
    let numbered = (1..).map(|number| match (usable, number) {
        (true, 1) => wanted.clone(),
        (true, _) => format!("{wanted}-{number}"),
        (false, _) => format!("{stand_in}-{number}"),
    });
    let mut free = numbered.filter_map(|text| Name::new(&text).ok()).filter(|name| !taken.contains(name));
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

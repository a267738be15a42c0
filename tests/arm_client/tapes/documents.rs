//! All that topo reads in tables, subnets, networks and interfaces, in every answer of the tapes. What must come out is found by other
//! means: a document is taken apart into leaves, each with its place, and places are picked by their text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use topo::backend::azure_udr::{LiveInterface, LiveNetwork, LiveSubnet, LiveTable, interface_seen, network_seen};
use topo::exchange::arm::Document;

use topo::transport::azure::ResourceType;

use super::type_of;
use crate::arm::tape::{self, Recorded};

/// The leaves of a document: place and text, in the order of the document's lists.
struct Leaves(Vec<(String, String)>);

impl Leaves {
    fn of(document: &Value) -> Self {
        fn walk(value: &Value, place: &str, leaves: &mut Vec<(String, String)>) {
            match value {
                Value::Object(fields) => {
                    for (name, it) in fields {
                        walk(it, &format!("{place}/{name}"), leaves);
                    }
                }
                Value::Array(list) => {
                    for (at, it) in list.iter().enumerate() {
                        walk(it, &format!("{place}/{at:05}"), leaves);
                    }
                }
                Value::String(text) => leaves.push((place.to_owned(), text.clone())),
                other => leaves.push((place.to_owned(), other.to_string())),
            }
        }
        let mut leaves = Vec::new();
        walk(document, "", &mut leaves);
        Self(leaves)
    }

    /// The text at a place.
    fn at(&self, place: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == place).map(|(_, text)| text.as_str())
    }

    /// The texts at all places of a shape in which `*` stands for a number.
    fn all(&self, shape: &str) -> Vec<&str> {
        let number = |part: &str| part.len() == 5 && part.bytes().all(|byte| byte.is_ascii_digit());
        let fits = |place: &str| {
            let plain: Vec<&str> = place.split('/').map(|part| if number(part) { "*" } else { part }).collect();
            plain.join("/") == shape
        };
        self.0.iter().filter(|(place, _)| fits(place)).map(|(_, text)| text.as_str()).collect()
    }

    /// How many elements a list has.
    fn count(&self, list: &str) -> usize {
        let start = format!("{list}/");
        let within = self.0.iter().filter_map(|(place, _)| place.strip_prefix(&start));
        within.map(|rest| rest.split('/').next()).collect::<BTreeSet<_>>().len()
    }
}

/// Everything in a body that has an id of a kind and says more than that.
fn find<'a>(value: &'a Value, wanted: ResourceType, found: &mut Vec<&'a Value>) {
    let is = |id: &str| type_of(id) == Some(wanted);
    if value["id"].as_str().is_some_and(is) && value["properties"].is_object() {
        found.push(value);
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|it| find(it, wanted, found)),
        Value::Array(list) => list.iter().for_each(|it| find(it, wanted, found)),
        _ => {}
    }
}

/// Looks at all documents of a kind on all tapes that are there. Says how many there were, and whether tapes in YAML were among them.
fn each(wanted: ResourceType, look: impl Fn(&Document, &Leaves)) -> Option<(usize, bool)> {
    let tapes = tape::all();
    let mut count = 0;
    for (_, tape) in &tapes {
        for entry in Recorded::all(tape) {
            let body = entry.json();
            let mut found = Vec::new();
            find(&body, wanted, &mut found);
            for body in found {
                let document = Document { body: body.clone(), etag: body["etag"].as_str().map(str::to_owned) };
                look(&document, &Leaves::of(body));
                count += 1;
            }
        }
    }
    (!tapes.is_empty()).then(|| (count, tapes.iter().any(|(name, _)| name == "19.3.0_usages")))
}

/// So that nothing is not taken for everything.
fn check_count(found: Option<(usize, bool)>, in_json: usize, with_yaml: usize) {
    if let Some((count, yaml)) = found {
        assert_eq!(count, if yaml { with_yaml } else { in_json });
    }
}

fn network(document: &Document) -> LiveNetwork {
    network_seen("it", Ok(Some(document.clone()))).known().unwrap().unwrap()
}

fn interface(document: &Document) -> LiveInterface {
    interface_seen("it", Ok(Some(document.clone()))).known().unwrap().unwrap().0
}

fn region(text: Option<&str>) -> String {
    text.unwrap_or_default().replace(' ', "").to_lowercase()
}

#[test]
fn tables_are_read() {
    let found = each(ResourceType::Table, |document, leaves| {
        let table = LiveTable::of(document.clone());
        assert_eq!(table.location, region(leaves.at("/location")));
        assert_eq!(table.count, leaves.count("/properties/routes"));
        assert_eq!(table.bgp_route_propagation, leaves.at("/properties/disableBgpRoutePropagation") != Some("true"));
        assert_eq!(table.subnets, leaves.all("/properties/subnets/*/id"));
        let routes = (0..table.count).map(|number| {
            let of = |name: &str| leaves.at(&format!("/properties/routes/{number:05}/{name}")).unwrap_or_default();
            let hop = [of("properties/nextHopType"), of("properties/nextHopIpAddress")].join(" ");
            let told = [of("name"), hop.trim(), of("properties/provisioningState")].map(str::to_owned);
            (of("properties/addressPrefix").to_owned(), told)
        });
        let read = table.routes.iter().map(|(destination, route)| {
            (destination.to_string(), [route.route.name.to_string(), route.route.hop.to_string(), route.state.clone()])
        });
        assert_eq!(read.collect::<BTreeMap<_, _>>(), routes.collect::<BTreeMap<_, _>>());
        let tags = leaves.0.iter().filter_map(|(place, text)| Some((place.strip_prefix("/tags/")?, text)));
        for (name, value) in tags {
            assert_eq!(table.tag(&name.to_uppercase()), Some(value.as_str()));
        }
    });
    check_count(found, 4, 16);
}

#[test]
fn subnets_are_read() {
    let found = each(ResourceType::Subnet, |document, leaves| {
        let subnet = LiveSubnet::of(document.clone());
        assert_eq!(subnet.table.as_deref(), leaves.at("/properties/routeTable/id"));
        assert_eq!(subnet.state, leaves.at("/properties/provisioningState").unwrap_or_default());
    });
    check_count(found, 11, 109);
}

#[test]
fn networks_are_read() {
    let found = each(ResourceType::Network, |document, leaves| {
        let network = network(document);
        assert_eq!(network.location, region(leaves.at("/location")));
        let space: BTreeSet<String> = network.space.iter().map(ToString::to_string).collect();
        let wanted = leaves.all("/properties/addressSpace/addressPrefixes/*").into_iter().map(str::to_owned);
        assert_eq!(space, wanted.collect());
        let configurations = leaves.all("/properties/subnets/*/properties/ipConfigurations/*/id");
        assert_eq!(network.configurations, configurations);

        let (groups, sets) = network.interface_places();
        let groups: BTreeSet<String> = groups.into_iter().map(|(_, group)| group.to_lowercase()).collect();
        let between =
            |id: &str, start: &str| id.split(start).nth(1).map(|rest| rest.split('/').next().unwrap().to_owned());
        let lower: Vec<String> = configurations.iter().map(|id| id.to_lowercase()).collect();
        let single = lower.iter().filter(|id| id.contains("/microsoft.network/networkinterfaces/"));
        assert_eq!(groups, single.filter_map(|id| between(id, "/resourcegroups/")).collect());
        let sets: BTreeSet<String> = sets.iter().map(|id| id.rsplit('/').next().unwrap().to_lowercase()).collect();
        assert_eq!(sets, lower.iter().filter_map(|id| between(id, "/virtualmachinescalesets/")).collect());
    });
    check_count(found, 7, 90);
}

#[test]
fn interfaces_are_read() {
    let found = each(ResourceType::Interface, |document, leaves| {
        let interface = interface(document);
        assert_eq!(Some(interface.id.as_str()), leaves.at("/id"));
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, leaves.all("/properties/ipConfigurations/*/properties/privateIPAddress"));
        assert_eq!(interface.subnets, leaves.all("/properties/ipConfigurations/*/properties/subnet/id"));
        assert_eq!(interface.forwards, leaves.at("/properties/enableIPForwarding") == Some("true"));
        assert_eq!(interface.attached, leaves.at("/properties/virtualMachine/id").is_some());
        assert_eq!(interface.scale_set, None);
    });
    check_count(found, 2, 84);
}

#[test]
fn a_cluster_of_aks_is_read_as_it_is() {
    let networks = tape::converted("19.3.0_virtual_networks_api2020-04-01");
    let interfaces = tape::converted("19.3.0_nic_api2020-04-01");
    let (Some(networks), Some(interfaces)) = (networks, interfaces) else { return };
    let group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/MC_azure-k8stest_k8stest_eastus/providers/\
                 Microsoft.Network";
    let bodies = |tape: &Value| Recorded::all(tape).iter().map(Recorded::json).collect::<Vec<_>>();
    let named = |all: &[Value], wanted: ResourceType, id: &str| {
        let mut found = Vec::new();
        for body in all {
            find(body, wanted, &mut found);
        }
        let body = found.into_iter().find(|it| it["id"] == id).unwrap().clone();
        Document { body, etag: None }
    };
    let all = bodies(&networks);
    let id = format!("{group}/virtualNetworks/aks-vnet-21324540");
    let network = network(&named(&all, ResourceType::Network, &id));
    assert_eq!((network.location.as_str(), network.configurations.len()), ("eastus", 3));
    assert_eq!(network.space.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8"]);
    let (groups, sets) = network.interface_places();
    let places: Vec<&str> = groups.iter().map(|(_, group)| group.as_str()).collect();
    assert_eq!((places, sets.len()), (vec!["MC_azure-k8stest_k8stest_eastus"], 0));

    let subnet = LiveSubnet::of(named(&all, ResourceType::Subnet, &format!("{id}/subnets/aks-subnet")));
    assert_eq!(subnet.table, Some(format!("{group}/routeTables/aks-agentpool-21324540-routetable")));
    assert_eq!(subnet.state, "Succeeded");

    let all = bodies(&interfaces);
    for (number, address) in ["10.240.0.6", "10.240.0.5", "10.240.0.4"].into_iter().enumerate() {
        let name = format!("{group}/networkInterfaces/aks-agentpool-21324540-nic-{number}");
        let interface = interface(&named(&all, ResourceType::Interface, &name));
        assert_eq!(interface.addresses, [address.parse::<std::net::IpAddr>().unwrap()]);
        assert!(interface.forwards && interface.attached && interface.is_in(&id.to_uppercase()), "{interface:?}");
        assert!(network.configurations.iter().any(|it| it.starts_with(&format!("{name}/ipConfigurations/"))));
    }
}

//! What the topology wants from a route table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::{AZURE_ROUTE, AZURE_ROUTE_TABLE, AZURE_SUBNET_ASSOCIATION, BACKEND, Hop, Outside, Route, Settings};
use crate::backend::{Desired, NetworkTable};
use crate::network::Prefix;
use crate::resource::Name;

/// What one backend's table in the topology wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name of the topology.
    pub topology: Name,
    /// The name of the backend's table in the topology.
    pub backend: Name,
    /// Its settings.
    pub settings: Settings,
    /// The pod subnets, each with the address and the name of its node.
    pub rows: BTreeMap<Prefix, (IpAddr, Name)>,
    /// Nodes with pods that the table does not serve.
    pub left_out: Vec<Name>,
}

/// The wanted routes, after topo knows what is inside the virtual networks.
#[derive(Clone, Debug, Default)]
pub struct WantedRoutes {
    /// Routes by destination, each with the node that it leads to.
    pub routes: BTreeMap<Prefix, (Route, Name)>,
    /// Nodes outside, each with the address that is not inside.
    pub outside: BTreeMap<Name, IpAddr>,
}

impl Wanted {
    /// What all tables of this backend want.
    pub fn all(desired: &Desired) -> Vec<Self> {
        let of_table = |table: &NetworkTable| {
            let settings = Settings::deserialize(&table.settings).ok()?;
            let (topology, backend, rows) = (table.topology.clone(), table.name.clone(), table.rows.clone());
            Some(Self { topology, backend, settings, rows, left_out: table.left_out.clone() })
        };
        desired.tables.iter().filter(|table| table.backend == BACKEND).filter_map(of_table).collect()
    }

    /// The routes for virtual networks with this address space. Without one, all nodes count as inside.
    pub fn routes(&self, space: Option<&[Prefix]>) -> WantedRoutes {
        let mut wanted = WantedRoutes::default();
        for (destination, (owner, node)) in &self.rows {
            let inside = space.is_none_or(|space| space.iter().any(|prefix| prefix.contains(*owner)));
            let hop = if inside {
                Hop::appliance(*owner)
            } else {
                wanted.outside.insert(node.clone(), *owner);
                match self.settings.outside {
                    Some(Outside::VirtualNetworkGateway) => Hop::gateway(),
                    Some(Outside::Skip) | None => continue,
                }
            };
            let name = self.settings.route_name(*destination).into();
            wanted.routes.insert(*destination, (Route { name, hop }, node.clone()));
        }
        wanted
    }

    /// Kind and place of what it wants, as in addresses. Network interfaces are missing: nobody has looked for them
    /// yet.
    pub fn addresses(&self) -> Vec<(&'static str, String)> {
        let Settings { route_table, subnets, .. } = &self.settings;
        let mut addresses = vec![(AZURE_ROUTE_TABLE.id, route_table.clone()), (AZURE_ROUTE.id, route_table.clone())];
        addresses.extend(subnets.iter().map(|subnet| (AZURE_SUBNET_ASSOCIATION.id, subnet.network.clone())));
        addresses
    }

    /// The node with an address, in the words of a sentence.
    pub(super) fn node_at(&self, address: IpAddr) -> String {
        let node = self.rows.values().find(|(owner, _)| *owner == address).map(|(_, name)| name);
        node.map_or_else(|| address.to_string(), |name| format!("{name} ({address})"))
    }

    /// Ids of the virtual networks of its subnets, each once.
    pub fn networks(&self) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for subnet in &self.settings.subnets {
            let id = self.settings.network_id(subnet);
            if !ids.iter().any(|known| known.eq_ignore_ascii_case(&id)) {
                ids.push(id);
            }
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::REGISTRY;
    use crate::backend::azure_udr::{BACKEND, Recorded, covers};
    use crate::plan::Options;
    use crate::topology::{self, BackendTable, Source};

    const TEXT: &str = "[topology]\nname = \"kthw\"\n[nodes]\nserver = { address = \"10.240.0.10\" }\n\
                        node-0 = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }\n\
                        node-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }\n\
                        [backends.ssh-static]\n";

    /// With a table for these nodes and subnets.
    fn covered_with(nodes: &[&str], subnets: &[&str]) -> Vec<String> {
        let source = Source { name: "topo.toml".into(), text: TEXT.to_owned() };
        let mut topology = topology::parse(&[source], REGISTRY.formats()).0.expect("a topology");
        let name = |text: &str| Name::new(text).expect("name");
        let subnet = |name: &&str| json!({ "resource_group": "kubernetes", "network": "vnet", "subnet": name });
        let settings = json!({
            "subscription": "0", "resource_group": "kubernetes", "location": "eastus2", "route_table": "routes",
            "route_name_prefix": "route-", "manage_table": true, "subnets": subnets.iter().map(subnet).collect::<Vec<_>>(),
        });
        Settings::deserialize(&settings).expect("settings");
        let nodes = nodes.iter().map(|text| name(text)).collect();
        topology.backends.insert(name("azure-udr"), BackendTable { backend: BACKEND, nodes, settings });
        let wanted = Wanted::all(&REGISTRY.desire(&topology));
        let covered = covers(&wanted, &Recorded::default(), None, &Options::default());
        covered.0.iter().flat_map(|(_, to)| to).map(ToString::to_string).collect()
    }

    #[test]
    fn the_pods_of_served_nodes_are_covered_where_subnets_go_by_the_table() {
        assert_eq!(covered_with(&["server", "node-0", "node-1"], &["one"]), ["10.200.0.0/24", "10.200.1.0/24"]);
        assert_eq!(covered_with(&["server", "node-1"], &["one"]), ["10.200.1.0/24"]);
        assert_eq!(covered_with(&["server", "node-0", "node-1"], &[]), [""; 0]);
    }
}

//! The destinations that Azure itself routes.

use serde::Deserialize;

use super::{BACKEND, Settings};
use crate::backend::Covered;
use crate::topology::{BackendTable, Topology};

/// The pods of the nodes that a route table serves. A table without subnets routes nothing.
pub(crate) fn covered(topology: &Topology) -> Covered {
    let is_in_use = |table: &&BackendTable| {
        table.backend == BACKEND
            && Settings::deserialize(&table.settings).is_ok_and(|settings| !settings.subnets.is_empty())
    };
    let nodes = topology.backends.values().filter(is_in_use).flat_map(|table| &table.nodes);
    nodes.filter_map(|name| topology.nodes.get(name)).flat_map(|node| node.pods.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::{self, FORMATS};
    use crate::resource::Name;
    use crate::topology::{self, Source};

    const TEXT: &str = "[topology]\nname = \"kthw\"\n[nodes]\nserver = { address = \"10.240.0.10\" }\n\
                        node-0 = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }\n\
                        node-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }\n\
                        [backends.ssh-static]\n";

    /// With a table for these nodes and subnets.
    fn covered_with(nodes: &[&str], subnets: &[&str]) -> Vec<String> {
        let source = Source { name: "topo.toml".into(), text: TEXT.to_owned() };
        let mut topology = topology::parse(&[source], FORMATS).0.expect("a topology");
        let name = |text: &str| Name::new(text).expect("name");
        let subnet = |name: &&str| json!({ "resource_group": "kubernetes", "network": "vnet", "subnet": name });
        let settings = json!({
            "subscription": "0", "resource_group": "kubernetes", "location": "eastus2", "route_table": "routes",
            "route_name_prefix": "route-", "manage_table": true, "subnets": subnets.iter().map(subnet).collect::<Vec<_>>(),
        });
        Settings::deserialize(&settings).expect("settings");
        let nodes = nodes.iter().map(|text| name(text)).collect();
        topology.backends.insert(name("azure-udr"), BackendTable { backend: BACKEND, nodes, settings });
        backend::desire(&topology).covered.0.iter().flat_map(|(_, to)| to).map(ToString::to_string).collect()
    }

    #[test]
    fn the_pods_of_served_nodes_are_covered_where_subnets_go_by_the_table() {
        assert_eq!(covered_with(&["server", "node-0", "node-1"], &["one"]), ["10.200.0.0/24", "10.200.1.0/24"]);
        assert_eq!(covered_with(&["server", "node-1"], &["one"]), ["10.200.1.0/24"]);
        assert_eq!(covered_with(&["server", "node-0", "node-1"], &[]), [""; 0]);
    }
}

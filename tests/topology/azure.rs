//! What becomes of the words of a topology that are about Azure.

use topo::backend::REGISTRY;
use topo::topology::{Source, Topology, parse};

fn read(text: &str) -> (Option<Topology>, topo::topology::Diagnostics) {
    parse(&[Source { name: "topo.toml".to_owned(), text: text.to_owned() }], REGISTRY.formats())
}

#[cfg(not(feature = "azure"))]
#[test]
fn a_build_without_azure_says_so() {
    let (topology, findings) = read("[topology]\nname = \"x\"\n[backends.azure-udr]\n");
    assert!(topology.is_none());
    let left_out = findings.iter().find(|finding| finding.message.contains("azure-udr")).expect("a finding");
    assert_eq!(left_out.message, "This build of topo does not have the backend `azure-udr`.");
    assert!(left_out.hint.as_deref().is_some_and(|hint| hint.contains("`azure`")), "{left_out:?}");
}

#[cfg(feature = "azure")]
mod with_azure {
    use serde::Deserialize;
    use topo::backend::azure_udr::{IpForwarding, Outside, Settings, SubnetName};

    use topo::resource::Name;

    use super::{Topology, read};

    fn topology() -> Topology {
        let (topology, findings) = read(include_str!("cases/azure-valid/topo.toml"));
        topology.unwrap_or_else(|| panic!("{findings:?}"))
    }

    fn subnet(group: &str, network: &str, subnet: &str) -> SubnetName {
        SubnetName { resource_group: group.to_owned(), network: network.to_owned(), subnet: subnet.to_owned() }
    }

    #[test]
    fn settings_are_kept_as_given_and_the_rest_by_default() {
        let topology = topology();
        let settings = |name: &str| Settings::deserialize(&topology.backends[name].settings).expect("settings");
        let first = Settings {
            subscription: "00000000-0000-0000-0000-000000000000".to_owned(),
            resource_group: "kubernetes".to_owned(),
            location: "eastus2".to_owned(),
            route_table: "kubernetes-routes".to_owned(),
            route_name_prefix: "kubernetes-route-".to_owned(),
            subnets: vec![subnet("kubernetes", "kubernetes-vnet", "kubernetes-subnet")],
            outside: None,
            ip_forwarding: IpForwarding::Check,
            manage_table: true,
            bgp_route_propagation: None,
        };
        assert_eq!(settings("azure-udr"), first);
        let second = Settings {
            resource_group: "edge.(2)_".to_owned(),
            location: "westeurope".to_owned(),
            route_table: "edge".to_owned(),
            route_name_prefix: "edge-".to_owned(),
            subnets: vec![
                subnet("kubernetes", "kubernetes-vnet", "edge"),
                subnet("edge.(2)_", "other-vnet", "a.b_c-d_"),
            ],
            outside: Some(Outside::VirtualNetworkGateway),
            ip_forwarding: IpForwarding::Enable,
            manage_table: false,
            ..first.clone()
        };
        assert_eq!(settings("second"), second);
        let third = Settings {
            subscription: "abcdef00-0000-0000-0000-000000000001".to_owned(),
            location: "northeurope".to_owned(),
            route_name_prefix: "r".to_owned(),
            subnets: Vec::new(),
            outside: None,
            bgp_route_propagation: Some(false),
            ..first
        };
        assert_eq!(settings("third"), third);
    }

    #[test]
    fn a_table_holds_the_pods_of_its_nodes() {
        let topology = topology();
        let nodes = |name: &str| topology.backends[name].nodes.iter().map(Name::as_str).collect::<Vec<_>>();
        assert_eq!(nodes("azure-udr"), ["node-0", "node-1"]);
        assert_eq!(nodes("second"), ["node-1"]);
        assert_eq!(topology.backends["second"].backend, "azure-udr");
    }

    #[test]
    fn other_backends_want_what_they_want_without_it() {
        let text = include_str!("cases/azure-valid/topo.toml");
        let with = read(&format!("{text}\n[backends.ssh-static]\n")).0.expect("topology");
        let mut without = with.clone();
        without.backends.retain(|_, table| table.backend == "ssh-static");
        assert_eq!((with.backends.len(), without.backends.len()), (4, 1));
        let places = |topology: &Topology| format!("{:?}", topo::backend::REGISTRY.desire(topology).places);
        assert_eq!(places(&with), places(&without));
    }
}

//! What becomes of the words of a topology that are about files.

use serde::Deserialize;
use topo::backend::REGISTRY;
use topo::backend::netplan::{Activate, Persist, Settings};
use topo::topology::{Source, Topology, parse};

fn topology() -> Topology {
    let text = include_str!("cases/netplan-valid/topo.toml").to_owned();
    let (topology, findings) = parse(&[Source { name: "topo.toml".to_owned(), text }], REGISTRY.formats());
    topology.unwrap_or_else(|| panic!("{findings:?}"))
}

#[test]
fn the_interface_of_a_node_is_its_own_or_that_of_its_groups() {
    let topology = topology();
    let interface = |name: &str| topology.nodes[name].interface.as_deref();
    assert_eq!(interface("a"), Some("eth0.100"));
    assert_eq!(interface("b"), Some("eth1"));
    let text = "[topology]\nname = \"x\"\n[nodes]\na = { address = \"10.0.0.1\" }\n".to_owned();
    let (bare, _) = parse(&[Source { name: "topo.toml".to_owned(), text }], REGISTRY.formats());
    assert_eq!(bare.expect("topology").nodes["a"].interface, None);
}

#[test]
fn settings_are_kept_as_given_and_the_rest_by_default() {
    let topology = topology();
    let settings = |name: &str| Settings::deserialize(&topology.backends[name].settings).expect("settings");
    assert_eq!(settings("all-left-out"), Settings::default());
    assert_eq!(settings("netplan"), Settings { table: Some(254), metric: Some(5), ..Settings::default() });
    let same = Settings { file: "70-topo.yaml".to_owned(), table: Some(100), metric: Some(0), ..Settings::default() };
    assert_eq!(settings("same"), same);
    let dropin = Settings {
        file: "60-topo.conf".to_owned(),
        persist: Persist::Networkd,
        activate: Activate::Defer,
        ..Settings::default()
    };
    assert_eq!(settings("dropin"), dropin);
    assert_eq!(topology.backends["all-left-out"].backend, "netplan");
}

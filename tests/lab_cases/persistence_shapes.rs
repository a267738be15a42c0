//! Files that keep routes, on machines whose network is configured in every way that others do it.

use super::persistence::{BOTH, Condition, Event, happen, pod_rows};
use super::support::{Counts, adds, apply, assert_no_changes, assert_plan, destroys};
use crate::harness::{LabOptions, Machines, eventually};

const SHAPES: &str = "match 10.240.0.20,fd00:240::20 10.200.0.0/24 fd00:200:0::/64 --shape match-en\n\
    bridge 10.240.0.21,fd00:240::21 10.200.1.0/24 fd00:200:1::/64 --shape bridge --sudo\n\
    networkd 10.240.0.22,fd00:240::22 10.200.2.0/24 fd00:200:2::/64 --shape networkd-only\n";

/// A dual-stack mesh of three nodes, and their rows, each without its own.
fn mesh(names: [&str; 3], backends: &str) -> String {
    use std::fmt::Write as _;
    let mut text = format!("[topology]\nname = \"kthw\"\n[ssh]\nuser = \"root\"\n{backends}[nodes]\n");
    for (number, name) in names.iter().enumerate() {
        let ssh = if *name == "bridge" { ", ssh = { user = \"azureuser\", sudo = true }" } else { "" };
        let _ = writeln!(
            text,
            "{name} = {{ address = [\"10.240.0.2{number}\", \"fd00:240::2{number}\"], \
             pods = [\"10.200.{number}.0/24\", \"fd00:200:{number}::/64\"]{ssh} }}"
        );
    }
    text
}

/// What the node of a number is to have, whatever the protocol. An address of IPv6 is written as the kernel does.
fn assert_mesh(machines: &Machines, names: [&str; 3], protocols: [&str; 3]) {
    for (number, name) in names.iter().enumerate() {
        let others = || (0..3).filter(|other| *other != number);
        let v4 = others().map(|other| format!("10.200.{other}.0/24 via 10.240.0.2{other}"));
        let v6 = others().map(|other| {
            let prefix = if other == 0 { "fd00:200::/64".to_owned() } else { format!("fd00:200:{other}::/64") };
            format!("{prefix} via fd00:240::2{other}")
        });
        let wanted: Vec<String> = v4.chain(v6).map(|row| format!("{row} proto {}", protocols[number])).collect();
        eventually(&format!("the rows of {name}: {wanted:?}"), || pod_rows(machines, name) == wanted);
    }
    machines.assert_pods_meet(names[0], names[1]);
    machines.assert_pods_meet(names[1], names[2]);
    assert_no_changes(machines);
}

/// Everything that can happen to a node happens to each of three, and then this holds.
fn after_each_event(machines: &Machines, names: [&str; 3], holds: impl Fn()) {
    for events in [
        [Event::Reboot, Event::Restart, Event::CarrierLoss],
        [Event::Restart, Event::CarrierLoss, Event::Reboot],
        [Event::CarrierLoss, Event::Reboot, Event::Restart],
    ] {
        let events: Vec<_> = names.into_iter().zip(events).collect();
        happen(machines, &events);
        holds();
    }
}

fn assert_last(machines: &Machines, names: [&str; 3], backends: &str, protocols: [&str; 3]) {
    let before = Condition::of(machines, &names);
    machines.write("topo.toml", &mesh(names, backends));
    let watch = machines.watch();
    apply(machines, adds(3 * 4 + 3));
    assert_mesh(machines, names, protocols);
    watch.assert_lost_nothing();
    after_each_event(machines, names, || assert_mesh(machines, names, protocols));
    let watch = machines.watch();
    assert_plan(&machines.topo(&["destroy", "-y"]).exits(0), destroys(3 * 4 + 3));
    before.assert_is_now(machines);
    watch.assert_lost_nothing();
}

/// Each in both address families; a user who is not root on one of them.
pub fn every_shape_keeps_its_routes() {
    let machines = Machines::up(LabOptions { nodes: Some(SHAPES), ..LabOptions::default() });
    let names = ["match", "bridge", "networkd"];
    let persistent = "[backends.ssh-static]\n[backends.netplan]\nnodes = [\"match\", \"bridge\"]\n\
        [backends.drop-ins]\ntype = \"netplan\"\nnodes = [\"networkd\"]\npersist = \"networkd\"\n";
    // Without it, one of them is told what to do, and nothing is written anywhere.
    let before = Condition::of(&machines, &names);
    machines.write("topo.toml", &mesh(names, BOTH));
    let said = machines.topo(&["apply", "-y"]).exits(1).said();
    assert!(said.contains("persist = \"networkd\""), "{said}");
    before.assert_is_now(&machines);
    assert_last(&machines, names, persistent, ["static", "static", "201"]);
}

const APART: &str = "one 10.240.0.20 10.200.0.0/24 --shape apart\n\
    two 10.240.0.21 10.200.1.0/24 --shape apart\n\
    drop-in 10.240.0.22 10.200.2.0/24 --shape apart\n";

/// Addresses have 32 bits, and everything goes through a gateway that no prefix contains.
pub fn nodes_behind_an_on_link_gateway_keep_their_routes() {
    let machines = Machines::up(LabOptions { nodes: Some(APART), ..LabOptions::default() });
    let names = ["one", "two", "drop-in"];
    let before = Condition::of(&machines, &names);
    machines.write(
        "topo.toml",
        "[topology]\nname = \"kthw\"\n[ssh]\nuser = \"root\"\n\
         [subnets.cloud]\ncidr = \"10.240.0.0/24\"\ngateway = \"10.240.0.1\"\non_link = true\nrouted = true\n\
         [backends.ssh-static]\n[backends.netplan]\nnodes = [\"one\", \"two\"]\n\
         [backends.drop-ins]\ntype = \"netplan\"\nnodes = [\"drop-in\"]\npersist = \"networkd\"\n\
         [nodes]\none = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }\n\
         two = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"], interface = \"eth0\" }\n\
         drop-in = { address = \"10.240.0.22\", pods = [\"10.200.2.0/24\"] }\n",
    );
    let assert_mesh = || {
        for (number, (name, protocol)) in names.into_iter().zip(["static", "static", "201"]).enumerate() {
            let others = (0..3).filter(|other| *other != number);
            let wanted: Vec<String> =
                others.map(|other| format!("10.200.{other}.0/24 via 10.240.0.1 proto {protocol}")).collect();
            eventually(&format!("the rows of {name}: {wanted:?}"), || pod_rows(&machines, name) == wanted);
        }
        machines.assert_pods_meet(names[0], names[1]);
        machines.assert_pods_meet(names[1], names[2]);
        assert_no_changes(&machines);
    };
    let watch = machines.watch();
    apply(&machines, adds(3 * 2 + 3));
    assert_mesh();
    watch.assert_lost_nothing();
    after_each_event(&machines, names, assert_mesh);
    // A row that goes by hand comes back with its device: with the one that the node named, and with that of the topology.
    for name in ["one", "two"] {
        machines.node(name).run("ip route del 10.200.2.0/24");
    }
    machines.topo(&["apply", "-y"]).exits(0);
    for name in ["one", "two"] {
        let row = machines.node(name).run("ip -o route show 10.200.2.0/24");
        assert!(row.contains("via 10.240.0.1 dev eth0 ") && row.contains("onlink"), "{name}: {row}");
    }
    machines.assert_pods_meet(names[1], names[2]);
    assert_no_changes(&machines);
    assert_plan(&machines.topo(&["destroy", "-y"]).exits(0), destroys(3 * 2 + 3));
    before.assert_is_now(&machines);
}

pub fn a_bond_keeps_its_routes() {
    assert_shape("bond");
}

pub fn a_vlan_keeps_its_routes() {
    assert_shape("vlan");
}

fn assert_shape(shape: &'static str) {
    let nodes = "node-0 10.240.0.20,fd00:240::20 10.200.0.0/24 fd00:200:0::/64\n\
        node-1 10.240.0.21,fd00:240::21 10.200.1.0/24 fd00:200:1::/64\n\
        node-2 10.240.0.22,fd00:240::22 10.200.2.0/24 fd00:200:2::/64\n";
    let machines = Machines::up(LabOptions { nodes: Some(nodes), shape: Some(shape), ..LabOptions::default() });
    assert_last(&machines, ["node-0", "node-1", "node-2"], BOTH, ["static"; 3]);
}

/// Drop-ins keep topo's mark, also where the machine has netplan; a topology can change from the one to the other.
pub fn drop_ins_and_netplan_replace_each_other() {
    let machines = Machines::up(LabOptions { ipv6: true, ..LabOptions::default() });
    let names = ["node-0", "node-1", "server"];
    let before = Condition::of(&machines, &names);
    let topology = |persist: &str| {
        let backends = format!("[backends.ssh-static]\n[backends.netplan]\npersist = \"{persist}\"\n");
        let text = mesh(["node-0", "node-1", "server"], &backends);
        let nodes: Vec<&str> = text.lines().filter(|line| !line.starts_with("server = ")).collect();
        format!("{}\nserver = {{ address = [\"10.240.0.10\", \"fd00:240::10\"] }}\n", nodes.join("\n"))
    };
    let assert_are = |protocol: &str| {
        let rows = ["10.200.1.0/24 via 10.240.0.21", "fd00:200:1::/64 via fd00:240::21"];
        let wanted = rows.map(|row| format!("{row} proto {protocol}"));
        eventually(&format!("{wanted:?}"), || pod_rows(&machines, "node-0") == wanted);
        eventually("the rows of the server", || {
            let rows = pod_rows(&machines, "server");
            rows.len() == 4 && rows.iter().all(|row| row.ends_with(&format!(" {protocol}")))
        });
        machines.assert_pods_meet("node-0", "node-1");
        assert_no_changes(&machines);
    };
    let files = |found: &str| {
        let list = "cd /etc; ls netplan/60-* systemd/network/*/60-* 2>/dev/null; true";
        assert_eq!(machines.node("node-0").run(list), found);
    };
    let drop_in = "systemd/network/10-netplan-eth0.network.d/60-topo.conf\n";

    machines.write("topo.toml", &topology("networkd"));
    let watch = machines.watch();
    apply(&machines, adds(8 + 3));
    watch.assert_lost_nothing();
    files(drop_in);
    assert_are("201");
    happen(&machines, &[("node-0", Event::Restart), ("node-1", Event::CarrierLoss), ("server", Event::Reboot)]);
    assert_are("201");

    for (persist, protocol, file) in [("netplan", "static", "netplan/60-topo.yaml\n"), ("networkd", "201", drop_in)] {
        machines.write("topo.toml", &topology(persist));
        let watch = machines.watch();
        machines.topo(&["plan", "--detailed-exitcode"]).exits(2);
        machines.topo(&["apply", "-y"]).exits(0);
        watch.assert_lost_nothing();
        files(file);
        assert_are(protocol);
        happen(&machines, &[("node-0", Event::Reboot), ("node-1", Event::Restart), ("server", Event::CarrierLoss)]);
        assert_are(protocol);
    }

    let watch = machines.watch();
    assert_plan(&machines.topo(&["destroy", "-y"]).exits(0), Counts { destroy: 8 + 3, ..Counts::default() });
    before.assert_is_now(&machines);
    watch.assert_lost_nothing();
}

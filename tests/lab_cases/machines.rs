//! What the lab of whole machines promises, and how systemd-networkd treats routes that are not its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::routes_by_hand::namespaces_in_use;
use super::support::{
    KTHW, KTHW_NODES, Tables, adds, applied_kthw, apply, assert_no_changes, destroy_leaves, has_state, kthw_tables,
};
use crate::harness::{LabOptions, Machines, eventually};

/// Routes by hand, of several protocols: typed, topo's mark, Calico's, and one that leads nowhere.
const FOREIGN: &str = "ip route add 10.201.0.0/24 via 10.240.0.21 && ip route add 10.201.1.0/24 via 10.240.0.21 proto 201 &&
    ip route add 10.201.2.0/24 via 10.240.0.21 proto 80 onlink dev eth0 && ip route add 10.201.3.0/24 via 10.240.0.21 proto static &&
    ip route add blackhole 10.201.4.0/24 proto 80";

pub fn three_machines_boot_and_are_reached() {
    let nodes = "server 10.240.0.10,fd00:240::10\n\
        node-0 10.240.0.20,fd00:240::20 10.200.0.0/24 fd00:200:0::/64\n\
        node-1 10.240.0.21,fd00:240::21 10.200.1.0/24 fd00:200:1::/64 --sudo\n";
    let machines = Machines::up(LabOptions { nodes: Some(nodes), ..LabOptions::default() });
    let mut identities = Vec::new();
    for name in KTHW_NODES {
        let node = machines.node(name);
        assert_eq!(node.run("systemctl is-system-running"), "running\n");
        assert_eq!(node.run("cat /proc/1/comm; cat /proc/sys/net/ipv4/ip_forward"), "systemd\n1\n");
        node.run("test ! -w /proc/sys/kernel/panic && test -w /proc/sys/net/ipv4/ip_forward");
        assert_eq!(machines.ssh(name, "hostname").exits(0).stdout, format!("{name}\n"));
        identities.push(node.run("cat /etc/machine-id"));
    }
    identities.dedup();
    assert_eq!(identities.len(), 3);
    assert_eq!(machines.ssh("node-1", "id -un; sudo -n id -un").exits(0).stdout, "azureuser\nroot\n");

    machines.assert_pods_apart("node-0", "node-1");
    let route = |node: &str, by: &str, to: &str| {
        let command = format!(
            "ip route add 10.200.{to}.0/24 via 10.240.0.{by} && ip route add fd00:200:{to}::/64 via fd00:240::{by}"
        );
        machines.node(node).run(&command);
    };
    route("node-0", "21", "1");
    route("node-1", "20", "0");
    machines.assert_pods_meet("node-0", "node-1");
    // There is a gateway, and no way out.
    machines.node("node-0").run("ping -c1 -W1 10.240.0.1");
    assert!(machines.node("node-0").attempt("ping -c1 -W1 192.0.2.1").exit != Some(0));
}

pub fn a_reboot_keeps_the_address_and_loses_routes() {
    let machines = Machines::up(LabOptions::default());
    let node = machines.node("node-0");
    let (before, identity) = (node.routes(), node.run("cat /etc/machine-id"));
    node.run(&format!("{FOREIGN}; echo kept >/etc/kept; echo gone >/run/gone"));
    assert_ne!(node.routes(), before);

    node.reboot();
    eventually("the routes of before", || node.routes() == before);
    assert_eq!(node.run("cat /etc/kept /etc/machine-id"), format!("kept\n{identity}"));
    assert!(node.attempt("cat /run/gone").exit != Some(0));
    assert_eq!(machines.ssh("node-0", "systemctl is-system-running").exits(0).stdout, "running\n");
}

pub fn a_restart_of_networkd_deletes_foreign_routes() {
    let machines = Machines::up(LabOptions::default());
    for name in ["node-0", "server"] {
        let node = machines.node(name);
        let before = node.routes();
        node.run(FOREIGN);
        assert_eq!(node.run("ip route show root 10.201.0.0/16").lines().count(), 5);
        node.restart_networkd();
        assert_eq!(node.run("ip route show root 10.201.0.0/16"), "", "every foreign route, of any protocol");
        eventually("the routes of before", || node.routes() == before);
    }
    // A reload without changes deletes none.
    let node = machines.node("node-1");
    node.run(&FOREIGN.replace("10.240.0.21", "10.240.0.20"));
    node.run("networkctl reload");
    assert_eq!(node.run("ip route show root 10.201.0.0/16").lines().count(), 5);
}

pub fn a_loss_of_carrier_deletes_foreign_routes() {
    let machines = Machines::up(LabOptions::default());
    let node = machines.node("node-0");
    let before = node.routes();
    node.run(FOREIGN);
    node.lose_carrier(Duration::from_secs(1));
    eventually("all but the blackhole to be gone", || {
        node.run("ip route show root 10.201.0.0/16") == "blackhole 10.201.4.0/24 proto 80 \n"
    });
    node.run("ip route del blackhole 10.201.4.0/24");
    eventually("the routes of before", || node.routes() == before);
    machines.ssh("node-0", "true").exits(0);
}

pub fn every_shape_comes_up_with_its_address() {
    let nodes = "plain 10.240.0.10,fd00:240::10 10.200.0.0/24\n\
        cloud 10.240.0.11,fd00:240::11 10.200.1.0/24 --shape cloud-init\n\
        match 10.240.0.12,fd00:240::12 10.200.2.0/24 --shape match-en\n\
        dhcp 10.240.0.13 10.200.3.0/24 --shape dhcp\n\
        networkd 10.240.0.14,fd00:240::14 10.200.4.0/24 --shape networkd-only\n\
        bridge 10.240.0.15,fd00:240::15 10.200.5.0/24 --shape bridge\n";
    let machines = Machines::up(LabOptions { nodes: Some(nodes), ..LabOptions::default() });
    std::thread::scope(|threads| {
        for (name, device, definition) in [
            ("plain", "eth0", "10-netplan-eth0.network"),
            ("cloud", "eth0", "10-netplan-id0.network"),
            ("match", "enp1s0", "10-netplan-all-en.network"),
            ("dhcp", "eth0", "10-netplan-eth0.network"),
            ("networkd", "eth0", "/etc/systemd/network/10-eth0.network"),
            ("bridge", "br0", "10-netplan-br0.network"),
        ] {
            let machines = &machines;
            threads.spawn(move || assert_shape(machines, name, device, definition));
        }
    });
}

/// The way in which a file written without a look at the others cuts a node off: the key is not the name of the device.
pub fn a_naive_file_cuts_a_node_off() {
    let machines = Machines::up(LabOptions {
        nodes: Some("plain 10.240.0.20\ncloud 10.240.0.21 --shape cloud-init"),
        ..LabOptions::default()
    });
    let install = "cat >/etc/netplan/60-topo.yaml && chmod 600 /etc/netplan/60-topo.yaml && netplan generate && networkctl reload";
    for (name, kept) in [("plain", true), ("cloud", false)] {
        let file = "network: {ethernets: {eth0: {routes: [{to: 10.201.0.0/16, via: 10.240.0.1}]}}}";
        let node = machines.node(name);
        node.run(&format!("echo '{file}' | {{ {install}; }}"));
        if kept {
            eventually("the route", || node.run("ip route show 10.201.0.0/16").contains("via 10.240.0.1 dev eth0"));
            machines.ssh(name, "true").exits(0);
        } else {
            eventually("the address to be lost", || node.run("ip -4 address show dev eth0").is_empty());
            machines.ssh(name, "true").exits(255);
        }
    }
}

pub fn a_bond_comes_up_with_its_address() {
    let machines = Machines::up(LabOptions { shape: Some("bond"), ipv6: true, ..LabOptions::default() });
    assert_shape(&machines, "node-0", "bond0", "10-netplan-bond0.network");
}

pub fn a_vlan_comes_up_with_its_address() {
    let machines = Machines::up(LabOptions { shape: Some("vlan"), ipv6: true, ..LabOptions::default() });
    assert_shape(&machines, "node-0", "eth0.100", "10-netplan-eth0.100.network");
}

/// The device has the addresses, by that definition, also after all that can happen to it.
#[track_caller]
fn assert_shape(machines: &Machines, name: &str, device: &str, definition: &str) {
    let node = machines.node(name);
    let assert_is_there = |when: &str| {
        let addresses = node.run(&format!("ip -o address show dev {device} scope global"));
        for address in machines.addresses(name) {
            assert!(addresses.contains(&format!(" {address}/")), "{name} {when}: {addresses}");
        }
        let status = node.run(&format!("networkctl status --no-pager {device}"));
        assert!(status.contains(definition), "{name} {when}: {status}");
        assert!(!node.run("ip route show default").is_empty(), "{name} {when}");
        assert_eq!(node.run("systemctl is-system-running"), "running\n", "{name} {when}");
        assert_eq!(machines.ssh(name, "hostname").exits(0).stdout, format!("{name}\n"));
    };
    assert_is_there("at first");
    node.restart_networkd();
    assert_is_there("after a restart of networkd");
    node.lose_carrier(Duration::from_secs(1));
    assert_is_there("after a loss of carrier");
    node.reboot();
    assert_is_there("after a reboot");
}

pub fn applied_routes_are_put_back_after_a_reboot() {
    let machines = Machines::up(LabOptions::default());
    let watch = machines.watch();
    let (before, after) = applied_kthw(&machines);
    assert_no_changes(&machines);
    machines.assert_pods_meet("node-0", "node-1");
    watch.assert_lost_nothing();

    machines.node("node-0").reboot();
    eventually("the routes of before", || Tables::of(&machines, &["node-0"]) == before.clone().only(&["node-0"]));
    apply(&machines, adds(1)).says(&["node-0"]);
    after.assert_are_live(&machines);
    machines.assert_pods_meet("node-0", "node-1");

    machines.node("server").restart_networkd();
    machines.node("node-1").lose_carrier(Duration::from_secs(1));
    eventually("the routes of before", || {
        let lost = kthw_tables(&before).only(&["node-0"]).and_of(&machines, &["server", "node-1"]);
        lost == before.clone().only(&["server", "node-1"]).and_of(&machines, &["node-0"])
    });
    apply(&machines, adds(3));
    after.assert_are_live(&machines);
    destroy_leaves(&machines, &before);
}

pub fn a_watch_sees_what_is_lost() {
    let machines = Machines::up(LabOptions { ipv6: true, ..LabOptions::default() });
    let watch = machines.watch();
    machines.node("node-0").lose_carrier(Duration::from_secs(1));
    for loss in watch.end() {
        if loss.node == "node-0" && loss.what != "ssh" {
            assert!(loss.lost >= 10 && loss.longest_silence >= Duration::from_millis(500), "{loss}");
        } else {
            assert!(loss.lost == 0 && loss.sent >= 20, "{loss}");
        }
    }

    let watch = machines.watch();
    machines.node("node-1").reboot();
    let losses = watch.end();
    let session = losses.iter().find(|loss| loss.node == "node-1" && loss.what == "ssh").expect("it was watched");
    assert!(session.lost > 0, "a reboot ends a session: {session}");
}

pub fn nothing_of_machines_is_left() {
    let machines = Machines::up(LabOptions::default());
    let namespaces = machines.namespaces();
    assert!(namespaces.len() >= 6, "a switch, an operator, three nodes and two pods at least: {namespaces:?}");
    let (folder, group) = (machines.folder().to_owned(), group_of(machines.folder()));
    assert!(groups().contains(&group), "{group} is one of {:?}", groups());
    drop(machines);
    assert!(!folder.exists());
    eventually("the namespaces to be gone", || namespaces_in_use().is_disjoint(&namespaces));
    assert!(!groups().contains(&group), "{group} is left");

    // Also if the one who wanted it is no more.
    let mut owner = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("sleep starts");
    let machines = Machines::up(LabOptions { owner: Some(owner.id()), ..LabOptions::default() });
    let (namespaces, group) = (machines.namespaces(), group_of(machines.folder()));
    owner.kill().and_then(|()| owner.wait()).expect("sleep ends");
    eventually("the namespaces to be gone", || namespaces_in_use().is_disjoint(&namespaces));
    eventually("the control groups to be gone", || !groups().contains(&group));
}

/// The name of the control group of a lab.
fn group_of(folder: &Path) -> String {
    let target = fs::read_link(folder.join("group")).expect("a lab has a control group");
    target.file_name().expect("it has a name").display().to_string()
}

/// All control groups of labs on this machine.
fn groups() -> String {
    let find = "d=$(mktemp -d); mount -t cgroup2 lab $d; find $d -name 'topo-lab-*'; umount $d; rmdir $d";
    let output = Command::new("unshare").args(["--mount", "--propagation", "private", "sh", "-c", find]).output();
    String::from_utf8_lossy(&output.expect("unshare starts").stdout).into_owned()
}

/// Two machines with one machine-id are refused, until one of them has another.
pub fn clones_are_repaired_as_advised() {
    let machines = Machines::up(LabOptions::default());
    machines.write("topo.toml", KTHW);
    let id = machines.node("node-0").run("cat /etc/machine-id");
    let clone = machines.node("node-1");
    clone.run(&format!("echo {} >/etc/machine-id", id.trim()));
    clone.reboot();
    let said = machines.topo(&["apply", "-y"]).exits(1).said();
    assert!(said.contains("node-0, node-1 have the same machine-id") && !has_state(&machines), "{said}");

    // The commands of the advice, as they stand there.
    let advised = said.split("run `").nth(1).and_then(|rest| rest.split('`').next()).expect("commands in the advice");
    clone.run(advised);
    clone.reboot();
    assert_ne!(clone.run("cat /etc/machine-id"), id);
    apply(&machines, adds(4));

    // A machine that topo has on record, too; its marker says which one it is. The reboot takes its route along.
    clone.run(&format!("echo {} >/etc/machine-id", id.trim()));
    machines.topo(&["apply", "-y"]).exits(1).says(&["node-0, node-1 have the same machine-id"]);
    clone.run(advised);
    clone.reboot();
    apply(&machines, adds(1));
    machines.topo(&["destroy", "-y"]).exits(0);
    for name in KTHW_NODES {
        assert!(!machines.node(name).routes().contains("proto 201"));
        assert_eq!(machines.node(name).attempt("ls -A /etc/topo").stdout, "");
    }
}

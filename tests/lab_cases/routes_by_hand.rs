//! What the lab itself promises, shown with `ip route add` typed by hand.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use crate::harness::{Lab, LabOptions, eventually};

pub fn pods_meet_once_both_nodes_have_a_route() {
    let lab = Lab::up(LabOptions { ipv6: true, ..LabOptions::default() });
    let before = lab.node("node-0").routes();
    lab.assert_pods_apart("node-0", "node-1");

    lab.node("node-0")
        .run("ip route add 10.200.1.0/24 via 10.240.0.21 && ip route add fd00:200:1::/64 via fd00:240::21");
    lab.assert_pods_apart("node-0", "node-1");

    lab.node("node-1")
        .run("ip route add 10.200.0.0/24 via 10.240.0.20 && ip route add fd00:200:0::/64 via fd00:240::20");
    lab.assert_pods_meet("node-0", "node-1");

    assert_ne!(lab.node("node-0").routes(), before);
    lab.node("node-0").run("ip route del 10.200.1.0/24 && ip route del fd00:200:1::/64");
    assert_eq!(lab.node("node-0").routes(), before);
}

pub fn nothing_of_a_lab_is_left() {
    let lab = Lab::up(LabOptions::default());
    let namespaces = lab.namespaces();
    assert!(namespaces.len() >= 6, "a switch, an operator, three nodes and two pods at least: {namespaces:?}");
    assert!(!namespaces_in_use().is_disjoint(&namespaces));
    let folder = lab.folder().to_owned();
    drop(lab);
    assert!(!folder.exists());
    eventually("the namespaces of the lab to be gone", || namespaces_in_use().is_disjoint(&namespaces));
}

pub fn a_reboot_loses_routes_and_keeps_files() {
    let lab = Lab::up(LabOptions::default());
    let node = lab.node("node-0");
    let (before, machine) = (node.routes(), node.run("cat /etc/machine-id"));
    node.run("mkdir /etc/topo && echo kept >/etc/topo/lab && ip route add 10.200.1.0/24 via 10.240.0.21");
    assert_ne!(node.routes(), before);

    node.reboot();
    assert_eq!(node.routes(), before);
    assert_eq!(node.run("cat /etc/topo/lab"), "kept\n");
    assert_eq!(node.run("cat /etc/machine-id"), machine);

    node.reinstall();
    assert!(node.attempt("ls /etc/topo").exit != Some(0), "a new machine has no marker");
    assert_ne!(node.run("cat /etc/machine-id"), machine);
    assert_eq!(lab.ssh("node-0", "hostname").stdout, "node-0\n", "its host key stays");
}

pub fn a_broken_node_is_mended() {
    let lab = Lab::up(LabOptions { nodes: Some("node-0 10.240.0.20 10.200.0.0/24 --sudo"), ..LabOptions::default() });
    let node = lab.node("node-0");
    let routes = node.routes();
    let requests = || lab.ssh("node-0", "sudo -n sh -c 'touch /etc/written && ip -V'").exit == Some(0);
    assert!(requests());
    for how in ["no-ip", "garbage-shell", "read-only-etc", "sudo-refused", "host-key", "dead"] {
        node.broken(how);
        let reply = lab.ssh("node-0", "sudo -n sh -c 'touch /etc/written && ip -V'");
        assert!(!reply.stdout.starts_with("ip utility") || reply.exit != Some(0), "{how}: {reply:?}");
        node.mended();
        assert!(requests(), "after {how}: {:?}", lab.ssh("node-0", "sudo -n ip -V"));
        assert_eq!(node.routes(), routes, "after {how}");
    }
}

pub fn a_lab_ends_with_its_owner() {
    let mut owner = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("sleep starts");
    let lab = Lab::up(LabOptions { owner: Some(owner.id()), ..LabOptions::default() });
    let namespaces = lab.namespaces();
    owner.kill().and_then(|()| owner.wait()).expect("sleep ends");
    eventually("the namespaces of the lab to be gone", || namespaces_in_use().is_disjoint(&namespaces));
}

/// The network namespaces that some process of this machine is in.
pub fn namespaces_in_use() -> BTreeSet<String> {
    let Ok(processes) = fs::read_dir("/proc") else { return BTreeSet::new() };
    processes
        .filter_map(|process| fs::read_link(process.ok()?.path().join("ns/net")).ok())
        .map(|namespace| namespace.display().to_string())
        .collect()
}

pub fn what_differs_between_runs_is_redacted() {
    let lab = Lab::up(LabOptions { nodes: Some("node-0 10.240.0.20"), ..LabOptions::default() });
    let machine = lab.node("node-0").run("cat /etc/machine-id");
    let text = format!(
        "{}/state in {}, machine {machine}at 2026-11-21T10:58:17Z via 10.240.0.20: took 1.2s or 40 ms, 3 s. 12 to add, a0b1.",
        lab.work().display(),
        lab.folder().display(),
    );
    assert_eq!(
        lab.redact(&text),
        "[WORK]/state in [LAB], machine [ID]\nat [TIME] via 10.240.0.20: took [SPAN] or [SPAN], [SPAN]. 12 to add, a0b1."
    );
}

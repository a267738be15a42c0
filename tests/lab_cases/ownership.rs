//! Who owns a live route: the table of the design, with rows typed by `ip route`.

use super::support::{
    Counts, KTHW, KTHW_NODES, Tables, adds, applied_kthw, apply, assert_as_before, assert_no_changes, assert_plan,
    changes, destroy_leaves, has_state, kthw_tables, recorded,
};
use crate::harness::{Lab, LabOptions};

/// Rows of others, of every sort that is common on nodes.
const FOREIGN: &str = "ip route add 10.199.1.0/24 via 10.240.0.10 dev eth0 proto 80 onlink
ip route add blackhole 10.199.2.0/26 proto 80
ip route add 10.199.3.0/24 via 10.240.0.10 proto static
ip route add 10.199.4.0/24 proto static nexthop via 10.240.0.10 nexthop via 10.240.0.2
ip route add 10.199.5.0/24 via 10.240.0.10 proto 186 metric 20
ip route add 10.199.6.0/24 dev eth0 scope link";

pub fn recorded_rows_and_what_became_of_them() {
    let lab = Lab::up(LabOptions::default());
    for node in ["node-0", "node-1"] {
        lab.node(node).run(FOREIGN);
    }
    let (before, after) = applied_kthw(&lab);
    let (server, node) = (lab.node("server"), lab.node("node-0"));

    // Same.
    assert_no_changes(&lab);

    // Mark lost, altered, missing: each is put back, to the byte.
    for typed in [
        "change 10.200.1.0/24 via 10.240.0.21",
        "replace 10.200.1.0/24 via 10.240.0.21 proto static",
        "replace 10.200.1.0/24 via 10.240.0.10",
        "change 10.200.1.0/24 via 10.240.0.10 proto 201",
    ] {
        node.run(&format!("ip route {typed}"));
        apply(&lab, changes(1)).says(&["node-0", "10.200.1.0/24"]);
        after.assert_are_live(&lab);
    }
    node.run("ip route del 10.200.1.0/24");
    apply(&lab, adds(1)).says(&["node-0", "10.200.1.0/24"]);
    after.assert_are_live(&lab);

    // Somebody else's by now: whoever it is, and with whatever next hop.
    for (typed, owner) in [
        ("replace 10.200.1.0/24 via 10.240.0.21 proto 186", "186"),
        ("replace 10.200.1.0/24 via 10.240.0.10 proto 80", "Calico"),
        ("replace 10.200.1.0/24 via 10.240.0.10 proto static", "static"),
    ] {
        node.run(&format!("ip route {typed}"));
        server.run("ip route del 10.200.0.0/24");
        let found = Tables::of(&lab, &KTHW_NODES);
        for command in [&["plan"][..], &["plan", "--detailed-exitcode"], &["apply", "-y"]] {
            lab.topo(command).exits(1).says(&["node-0", "10.200.1.0/24", owner]);
        }
        found.assert_are_live(&lab);

        lab.topo(&["apply", "-y", "--skip-conflicts"]).exits(3).says(&["node-0", owner]);
        found.clone().with("server", &["10.200.0.0/24 via 10.240.0.20"]).assert_are_live(&lab);

        let address = "kernel_route.node-0[\"10.200.1.0/24\"]";
        lab.topo(&["apply", "-y", "--take-over", "kernel_route.node-1"]).exits(1);
        let reply = lab.topo(&["apply", "-y", "--take-over", address]).exits(0).says(&["taken over"]);
        assert_plan(&reply, changes(1));
        after.assert_are_live(&lab);
        assert_no_changes(&lab);
    }

    // Recorded, and somebody else's by now: destroy leaves it to them.
    node.run("ip route replace 10.200.1.0/24 via 10.240.0.21 proto 186");
    lab.topo(&["destroy", "-y"]).exits(0).says(&["node-0", "186"]);
    node.run("ip route del 10.200.1.0/24 proto 186");
    assert_as_before(&lab, &before);
    assert_eq!(recorded(&lab), [""; 0]);
}

pub fn rows_that_were_there_before() {
    let lab = Lab::up(LabOptions::default());
    for node in ["node-0", "node-1"] {
        lab.node(node).run(FOREIGN);
    }
    let (server, node, other) = (lab.node("server"), lab.node("node-0"), lab.node("node-1"));
    let before = Tables::of(&lab, &KTHW_NODES);
    let after = kthw_tables(&before);
    lab.write("topo.toml", KTHW);

    // Ours in all but name: adopted.
    node.run("ip route add 10.200.1.0/24 via 10.240.0.21");
    server.run("ip route add 10.200.0.0/24 via 10.240.0.20 proto 201");
    apply(&lab, Counts { import: 2, add: 2, ..Counts::default() });
    after.assert_are_live(&lab);
    assert_eq!(recorded(&lab).len(), 4);
    destroy_leaves(&lab, &before);

    // Provided by an administrator and by a daemon: left alone, not recorded, never removed.
    std::fs::remove_dir_all(lab.work().join("state")).expect("the state is removed");
    node.run("ip route add 10.200.1.0/24 via 10.240.0.21 proto static");
    other.run("ip route add 10.200.0.0/24 via 10.240.0.20 proto 80 onlink dev eth0");
    let provided = Tables::of(&lab, &KTHW_NODES);
    apply(&lab, adds(2)).says(&["node-0", "node-1", "Calico", "static"]);
    provided
        .clone()
        .with("server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"])
        .assert_are_live(&lab);
    let addresses = recorded(&lab);
    assert!(addresses.len() == 2 && addresses.iter().all(|address| address.contains("server")), "{addresses:?}");
    destroy_leaves(&lab, &provided);

    // Unless it is taken over.
    lab.topo(&["apply", "-y"]).exits(0);
    let reply = lab.topo(&["apply", "-y", "--take-over", "kernel_route.node-*"]).exits(0);
    assert_plan(&reply, changes(2));
    assert_no_changes(&lab);
    assert_eq!(recorded(&lab).len(), 4);
    lab.topo(&["destroy", "-y"]).exits(0);
    assert_as_before(&lab, &before);
}

pub fn conflicts_stop_the_run_before_its_first_write() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    let after = kthw_tables(&before);
    lab.write("topo.toml", KTHW);
    let node = lab.node("node-0");
    for (typed, owner, is_route) in [
        ("10.200.1.0/24 via 10.240.0.10", "boot", true),
        ("10.200.1.0/24 via 10.240.0.10 proto static", "static", true),
        ("10.200.1.0/24 via 10.240.0.10 proto 80", "Calico", true),
        ("10.200.1.0/24 via 10.240.0.10 proto 201", "201", true),
        ("blackhole 10.200.1.0/24 proto 80", "Calico", false),
        ("10.200.1.0/24 proto static nexthop via 10.240.0.10 nexthop via 10.240.0.21", "static", false),
        ("10.200.1.0/24 dev eth0 scope link", "boot", false),
    ] {
        node.run(&format!("ip route add {typed}"));
        let found = Tables::of(&lab, &KTHW_NODES);
        lab.topo(&["plan"]).exits(1).says(&["node-0", "10.200.1.0/24", owner]);
        lab.topo(&["apply", "-y"]).exits(1).says(&["node-0", "10.200.1.0/24", owner]);
        found.assert_are_live(&lab);
        assert!(!has_state(&lab), "{typed}");

        if is_route {
            lab.topo(&["apply", "-y", "--take-over", "node-0"]).exits(0);
            after.assert_are_live(&lab);
            destroy_leaves(&lab, &before);
        } else {
            // What topo could not put back as it was is not taken over.
            lab.topo(&["apply", "-y", "--take-over", "node-0"]).exits(1).says(&["node-0"]);
            found.assert_are_live(&lab);
            lab.topo(&["apply", "-y", "--skip-conflicts"]).exits(3).says(&["node-0"]);
            found
                .clone()
                .with("server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"])
                .with("node-1", &["10.200.0.0/24 via 10.240.0.20"])
                .assert_are_live(&lab);
            destroy_leaves(&lab, &found);
            node.run("ip route del 10.200.1.0/24");
        }
        before.assert_are_live(&lab);
        std::fs::remove_dir_all(lab.work().join("state")).expect("the state is removed");
    }

    // A longer prefix of others wins, which every plan says.
    node.run("ip route add 10.200.1.128/25 via 10.240.0.10 proto 80");
    lab.topo(&["apply", "-y"]).exits(0).says(&["Warning", "10.200.1.128/25", "Calico"]);
    lab.topo(&["plan"]).exits(0).says(&["Warning", "node-0", "10.200.1.128/25", "No changes."]);
    after.with("node-0", &["10.200.1.128/25 via 10.240.0.10 proto 80 scope 0"]).assert_are_live(&lab);
    destroy_leaves(&lab, &before.with("node-0", &["10.200.1.128/25 via 10.240.0.10 proto 80 scope 0"]));
}

/// All pod routes typed on a node, the one to its own pods included.
pub fn own_pods_led_away_by_hand() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);
    let node = lab.node("node-0");
    let typed = "ip route replace 10.200.0.0/24 via 10.240.0.20";
    let bridge = "10.200.0.0/24 dev cnio0 proto kernel scope link src 10.200.0.1";
    // Before the bridge came up, so that its route is behind the typed one, and afterwards, which puts the typed one in its place.
    let down = "ip addr del 10.200.0.1/24 dev cnio0";
    let up = "ip addr add 10.200.0.1/24 dev cnio0";
    for (commands, is_replaced) in [(format!("{down} && {typed} && {up}"), false), (typed.to_owned(), true)] {
        node.run(&commands);
        let found = Tables::of(&lab, &KTHW_NODES);
        let named = ["node-0", "leads the node's own pod subnet 10.200.0.0/24 away", "`ip route del 10.200.0.0/24 via"];
        lab.topo(&["plan"]).exits(1).says(&named);
        lab.topo(&["apply", "-y"]).exits(1).says(&named);
        found.assert_are_live(&lab);
        lab.topo(&["apply", "-y", "--take-over", "kernel_route.node-0[\"10.200.0.0/24\"]"]).exits(0);
        if is_replaced {
            // The route of the bridge is not back, and each plan says so.
            let told = ["node-0", "no route leads to the node's own pods 10.200.0.0/24", "No changes."];
            lab.topo(&["plan"]).exits(0).says(&told);
            lab.topo(&["plan"]).exits(0).says(&told);
            node.run(&format!("ip route add {bridge}"));
        }
        assert_no_changes(&lab);
        kthw_tables(&before).assert_are_live(&lab);
        lab.assert_pods_meet("node-0", "node-1");
        destroy_leaves(&lab, &before);
    }
}

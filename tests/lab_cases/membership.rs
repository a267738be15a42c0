//! Nodes that come, go, change their name, are installed anew, restart or die, and pod subnets that move.

use std::fs;

use super::support::{
    KTHW_NODES, Ping, STATE, Tables, adds, applied_kthw, apply, assert_no_changes, assert_plan, destroy_leaves, edit,
    kthw_tables, recorded,
};
use crate::harness::{Lab, LabOptions};

const NODE_1: &str = "node-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }\n";
const NODE_2: &str = "node-2 = { address = \"10.240.0.22\", pods = [\"10.200.2.0/24\"] }\n";

pub fn nodes_come_go_and_change() {
    let lab = Lab::up(LabOptions::default());
    let (_, without) = applied_kthw(&lab);

    // A node comes.
    lab.add("node-2 10.240.0.22 10.200.2.0/24");
    let fresh = lab.node("node-2").routes();
    edit(&lab, NODE_1, &format!("{NODE_1}{NODE_2}"));
    apply(&lab, adds(5)).says(&["node-2"]);
    let mut names = KTHW_NODES.to_vec();
    names.push("node-2");
    let to_new = ["10.200.2.0/24 via 10.240.0.22"];
    let of_new = ["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"];
    let with = Tables::of(&lab, &names);
    for node in KTHW_NODES {
        without.clone().with(node, &to_new).assert_is_live(&lab, node);
    }
    with.clone().without("node-2", &of_new).assert_row_set("node-2", &fresh);
    lab.assert_pods_meet("node-0", "node-2");

    // It restarts: what was lost is put back.
    lab.node("node-2").reboot();
    apply(&lab, adds(2)).says(&["node-2"]);
    with.assert_are_live(&lab);

    // It is installed anew: another machine, planned from nothing.
    lab.node("node-2").reinstall();
    apply(&lab, adds(2)).says(&["node-2", "nother machine"]);
    with.assert_are_live(&lab);
    assert_eq!(lab.node("node-2").attempt("test -e /etc/topo/kthw").exit, Some(0));

    // It gets another name: the same machine, and not one ping is lost.
    lab.assert_pods_meet("node-0", "node-2");
    let ping = Ping::start(&lab, "node-0", "10.200.2.2");
    edit(&lab, "node-2 = ", "\"worker.2\" = ");
    lab.topo(&["plan"]).exits(0).says(&["node-2", "worker.2"]);
    lab.topo(&["apply", "-y"]).exits(0);
    with.assert_are_live(&lab);
    ping.assert_lost_nothing();
    assert_no_changes(&lab);
    let addresses = recorded(&lab);
    assert!(addresses.contains(&"kernel_route.worker.2[\"10.200.1.0/24\"]".to_owned()), "{addresses:?}");
    assert!(!addresses.iter().any(|address| address.contains("node-2")), "{addresses:?}");
    edit(&lab, "\"worker.2\" = ", "node-2 = ");
    lab.topo(&["apply", "-y"]).exits(0);

    // It leaves: nothing of topo stays there or leads to it.
    edit(&lab, NODE_2, "");
    let reply = lab.topo(&["plan"]).exits(0).says(&["node-2"]);
    assert_plan(&reply, super::support::destroys(5));
    lab.topo(&["apply", "-y"]).exits(0);
    without.assert_are_live(&lab);
    assert_eq!(lab.node("node-2").routes(), fresh);
    assert_eq!(lab.node("node-2").attempt("test -e /etc/topo").exit, Some(1));
    assert_no_changes(&lab);
}

pub fn a_node_dies() {
    let lab = Lab::up(LabOptions::default());
    let (before, after) = applied_kthw(&lab);
    let dead = ["--connect-timeout", "1s"];
    let topo = |arguments: &[&str]| lab.topo(&[arguments, &dead].concat());

    lab.node("node-1").broken("dead");
    // Nothing else is to be done: it could not be looked at everywhere.
    topo(&["plan"]).exits(0).says(&["node-1"]);
    topo(&["plan", "--detailed-exitcode"]).exits(5).says(&["node-1"]);
    // Drift elsewhere wins over that.
    lab.node("server").run("ip route del 10.200.0.0/24");
    assert_plan(&topo(&["plan", "--detailed-exitcode"]).exits(2), adds(1));
    topo(&["apply", "-y"]).says(&["node-1"]);
    after.assert_are_live(&lab);

    // It is taken out of the topology: what leads to it goes; its own record stays until it is said to be gone.
    edit(&lab, NODE_1, "");
    topo(&["apply", "-y"]).exits(3).says(&["node-1"]);
    let rest = after
        .clone()
        .without("server", &["10.200.1.0/24 via 10.240.0.21"])
        .without("node-0", &["10.200.1.0/24 via 10.240.0.21"]);
    rest.assert_are_live(&lab);
    let state = fs::read(lab.work().join(STATE)).expect("the state");
    assert_eq!(recorded(&lab), ["kernel_route.node-1[\"10.200.0.0/24\"]", "kernel_route.server[\"10.200.0.0/24\"]"]);
    lab.topo(&["apply", "-y", "--forget", "node-1"]).exits(0).says(&["node-1"]);
    assert_eq!(recorded(&lab), ["kernel_route.server[\"10.200.0.0/24\"]"]);
    assert_no_changes(&lab);
    rest.assert_are_live(&lab);

    // The same, said in the topology.
    fs::write(lab.work().join(STATE), state).expect("the state is put back");
    edit(&lab, "name = \"kthw\"", "name = \"kthw\"\ndecommissioned = [\"node-1\"]");
    lab.topo(&["plan"]).exits(0).says(&["node-1"]);
    lab.topo(&["apply", "-y"]).exits(0).says(&["node-1"]);
    assert_eq!(recorded(&lab), ["kernel_route.server[\"10.200.0.0/24\"]"]);
    assert_no_changes(&lab);

    // Everything is dead: nothing was changed.
    lab.node("server").broken("dead");
    lab.node("node-0").broken("dead");
    topo(&["apply", "-y"]).exits(1).says(&["server"]);
    topo(&["destroy", "-y"]).exits(1).says(&["server"]);
    for node in KTHW_NODES {
        lab.node(node).mended();
    }
    // What was dropped untouched is still on the machine, as the plan said.
    lab.node("node-1").run("ip route del 10.200.0.0/24 proto 201; rm -r /etc/topo");
    destroy_leaves(&lab, &before);
}

pub fn an_unreachable_new_node_comes_later() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", super::support::KTHW);
    lab.node("node-1").broken("dead");
    lab.topo(&["apply", "-y", "--connect-timeout", "1s"]).exits(3).says(&["node-1"]);
    let rest = before.clone().with("server", &["10.200.0.0/24 via 10.240.0.20"]);
    rest.assert_are_live(&lab);
    assert_eq!(recorded(&lab), ["kernel_route.server[\"10.200.0.0/24\"]"]);

    // As before, and said again.
    lab.topo(&["apply", "-y", "--connect-timeout", "1s"]).exits(3).says(&["node-1"]);
    rest.assert_are_live(&lab);

    lab.node("node-1").mended();
    apply(&lab, adds(3));
    kthw_tables(&before).assert_are_live(&lab);
    lab.assert_pods_meet("node-0", "node-1");
    destroy_leaves(&lab, &before);
}

const MOVED: [(&str, &str); 2] = [
    ("pods = [\"10.200.0.0/24\"]", "pods = [\"10.200.0.0/24\", \"10.200.1.0/24\"]"),
    ("\"10.240.0.21\", pods = [\"10.200.1.0/24\"]", "\"10.240.0.21\""),
];

pub fn a_pod_subnet_moves_after_its_bridge() {
    let lab = Lab::up(LabOptions::default());
    let (_, _) = applied_kthw(&lab);
    lab.node("node-1").run("ip link set cnio0 down; ip addr flush dev cnio0");
    lab.node("node-0").run("ip addr add 10.200.1.1/24 dev cnio0");
    for (from, to) in MOVED {
        edit(&lab, from, to);
    }
    apply(&lab, super::support::Counts { import: 0, add: 1, change: 1, destroy: 1 });
    let way = |node: &str, address: &str| lab.node(node).run(&format!("ip -o route get {address}"));
    assert!(way("node-0", "10.200.1.2").contains("dev cnio0"), "{}", way("node-0", "10.200.1.2"));
    assert!(way("node-1", "10.200.1.2").contains("via 10.240.0.20"), "{}", way("node-1", "10.200.1.2"));
    assert!(way("node-1", "10.200.0.2").contains("via 10.240.0.20"), "{}", way("node-1", "10.200.0.2"));
    assert!(way("server", "10.200.1.2").contains("via 10.240.0.20"), "{}", way("server", "10.200.1.2"));
    assert!(!lab.node("node-0").routes().contains("proto 201"));
}

pub fn a_pod_subnet_moves_before_its_bridge() {
    let lab = Lab::up(LabOptions::default());
    let (_, after) = applied_kthw(&lab);
    for (from, to) in MOVED {
        edit(&lab, from, to);
    }
    // The old owner's bridge still has it: its own route waits, and never takes the kernel's place.
    lab.topo(&["plan"]).exits(0).says(&["Warning", "node-1", "10.200.1.0/24"]);
    lab.topo(&["apply", "-y"]).exits(3).says(&["node-1", "10.200.1.0/24"]);
    let moved = after
        .without("node-0", &["10.200.1.0/24 via 10.240.0.21"])
        .without("server", &["10.200.1.0/24 via 10.240.0.21"])
        .with("server", &["10.200.1.0/24 via 10.240.0.20"]);
    moved.assert_are_live(&lab);
    lab.topo(&["plan"]).exits(0).says(&["Warning", "node-1", "10.200.1.0/24"]);

    lab.node("node-1").run("ip link set cnio0 down; ip addr flush dev cnio0");
    lab.node("node-0").run("ip addr add 10.200.1.1/24 dev cnio0");
    apply(&lab, adds(1)).says(&["node-1"]);
    let way = lab.node("node-1").run("ip -o route get 10.200.1.2");
    assert!(way.contains("via 10.240.0.20"), "{way}");
}

pub fn pings_go_on_while_nodes_come() {
    let lab = Lab::up(LabOptions::default());
    applied_kthw(&lab);
    lab.add("node-2 10.240.0.22 10.200.2.0/24");
    lab.assert_pods_meet("node-0", "node-1");
    let ping = Ping::start(&lab, "node-0", "10.200.1.2");
    edit(&lab, NODE_1, &format!("{NODE_1}{NODE_2}"));
    lab.topo(&["apply", "-y"]).exits(0);
    edit(&lab, NODE_2, "");
    lab.topo(&["apply", "-y"]).exits(0);
    ping.assert_lost_nothing();
}

pub fn a_recorded_node_is_away_while_another_comes() {
    let lab = Lab::up(LabOptions::default());
    let (before, after) = applied_kthw(&lab);
    lab.add("node-2 10.240.0.22 10.200.2.0/24");
    let before = before.and_of(&lab, &["node-2"]);
    let after = after.and_of(&lab, &["node-2"]);
    edit(&lab, NODE_1, &format!("{NODE_1}{NODE_2}"));
    lab.node("node-1").broken("dead");

    // What is planned there is planned from the record; the others go on without what leads to it.
    let dead = ["--connect-timeout", "1s"];
    let plan = lab.topo(&[&["plan"][..], &dead].concat()).exits(0).says(&["node-1", "record"]);
    assert_plan(&plan, adds(5));
    lab.topo(&[&["apply", "-y"][..], &dead].concat()).exits(3).says(&["node-1"]);
    let to_new = ["10.200.2.0/24 via 10.240.0.22"];
    let some = after.with("server", &to_new).with("node-0", &to_new).with("node-2", &["10.200.0.0/24 via 10.240.0.20"]);
    some.assert_are_live(&lab);

    lab.node("node-1").mended();
    apply(&lab, adds(2));
    let all = some.with("node-1", &to_new).with("node-2", &["10.200.1.0/24 via 10.240.0.21"]);
    all.assert_are_live(&lab);
    lab.assert_pods_meet("node-1", "node-2");

    // Away while all is removed: what it has is removed once it is back.
    lab.node("node-2").broken("dead");
    lab.topo(&[&["destroy", "-y"][..], &dead].concat()).exits(3).says(&["node-2"]);
    lab.node("node-2").mended();
    destroy_leaves(&lab, &before);
}

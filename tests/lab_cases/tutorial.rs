//! The three machines of *Kubernetes the hard way*, from nothing to their routes and back.

use std::fs;

use super::support::{
    KTHW, KTHW_NODES, STATE, Tables, adds, apply, assert_as_before, assert_no_changes, assert_plan, destroy_leaves,
    destroys, has_state, kthw_tables, recorded,
};
use crate::harness::{Lab, LabOptions};

pub fn the_routes_of_the_tutorial() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);

    lab.topo(&["validate"]).exits(0);
    lab.assert_pods_apart("node-0", "node-1");
    assert_plan(&lab.topo(&["plan"]).exits(0), adds(4));
    before.assert_are_live(&lab);
    assert!(!has_state(&lab), "a plan writes no state");

    apply(&lab, adds(4)).says(&["will not survive a reboot"]);
    kthw_tables(&before).assert_are_live(&lab);
    lab.assert_pods_meet("node-0", "node-1");
    lab.topo(&["plan"]).exits(0);
    lab.topo(&["apply", "-y"]).exits(0).says(&["No changes."]);
    let mut addresses = recorded(&lab);
    addresses.sort();
    assert_eq!(
        addresses,
        [
            "kernel_route.node-0[\"10.200.1.0/24\"]",
            "kernel_route.node-1[\"10.200.0.0/24\"]",
            "kernel_route.server[\"10.200.0.0/24\"]",
            "kernel_route.server[\"10.200.1.0/24\"]",
        ]
    );
    let marker = lab.node("node-0").run("cat /etc/topo/kthw");
    let state = fs::read_to_string(lab.work().join(STATE)).expect("the state");
    let lineage = marker.split_whitespace().nth(1).expect("a lineage");
    assert!(state.contains(lineage) && marker.contains("protocol 201"), "{marker}{state}");

    let reply = lab.topo(&["destroy", "-y"]).exits(0);
    assert_plan(&reply, destroys(4));
    assert_as_before(&lab, &before);
    assert_eq!(recorded(&lab), [""; 0]);
    lab.assert_pods_apart("node-0", "node-1");
    lab.topo(&["destroy", "-y"]).exits(0);
    assert_as_before(&lab, &before);
}

pub fn from_the_tutorials_machines_to_a_destroy_without_the_topology() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("machines.txt", include_str!("../../examples/kthw/machines.txt"));
    lab.topo(&["init", "--from", "machines.txt"]).exits(0);
    let topology = fs::read_to_string(lab.work().join("topo.toml")).expect("the topology was written");
    lab.topo(&["init", "--from", "machines.txt"]).exits(1).says(&["topo.toml"]);
    assert_eq!(fs::read_to_string(lab.work().join("topo.toml")).expect("still there"), topology);

    apply(&lab, adds(4));
    kthw_tables(&before).assert_are_live(&lab);
    lab.assert_pods_meet("node-0", "node-1");

    // The topology is lost; the state says how the nodes are reached.
    fs::remove_file(lab.work().join("topo.toml")).expect("removed");
    lab.topo(&["destroy", "-y"]).exits(1);
    kthw_tables(&before).assert_are_live(&lab);
    let states: Vec<_> = fs::read_dir(lab.work().join("state"))
        .expect("the states")
        .map(|entry| entry.expect("a state").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(states.len(), 1, "{states:?}");
    assert_plan(&lab.topo(&["destroy", "-y", "--state", &states[0]]).exits(0), destroys(4));
    assert_as_before(&lab, &before);
}

pub fn a_state_that_was_lost_is_made_anew() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);
    lab.topo(&["apply", "-y"]).exits(0);
    let after = kthw_tables(&before);
    // What carries the mark and is not wanted: from a run whose state nobody has.
    lab.node("node-0").run("ip route add 10.209.0.0/24 via 10.240.0.21 proto 201");
    let (before, after) = (
        before.with("node-0", &["10.209.0.0/24 via 10.240.0.21"]),
        after.with("node-0", &["10.209.0.0/24 via 10.240.0.21"]),
    );

    fs::remove_dir_all(lab.work().join("state")).expect("the state is lost");
    lab.topo(&["plan"]).exits(1).says(&["--new-lineage", "node-0"]);
    lab.topo(&["apply", "-y"]).exits(1).says(&["--new-lineage"]);
    assert!(!has_state(&lab));
    after.assert_are_live(&lab);

    let counts = super::support::Counts { import: 4, ..Default::default() };
    let reply = lab.topo(&["plan", "--new-lineage"]).exits(0).says(&["10.209.0.0/24"]);
    assert_plan(&reply, counts);
    assert_plan(&lab.topo(&["apply", "-y", "--new-lineage"]).exits(0), counts);
    after.assert_are_live(&lab);
    assert_eq!(recorded(&lab).len(), 4);
    assert_no_changes(&lab);
    lab.topo(&["apply", "-y"]).exits(0);
    destroy_leaves(&lab, &before);
}

//! What is refused before anything is written, for it would cut off a node or its operator; and the way back that is kept.

use super::support::{
    Counts, KTHW, KTHW_NODES, NO_CHANGES, Tables, adds, apply, assert_no_changes, assert_plan, destroy_leaves,
    destroys, has_state, kthw_tables, recorded,
};
use crate::harness::{Lab, LabOptions};

#[track_caller]
fn refused(lab: &Lab, words: &[&str]) {
    let found = Tables::of(lab, &KTHW_NODES);
    lab.topo(&["plan"]).exits(1).says(words);
    lab.topo(&["apply", "-y"]).exits(1).says(words);
    found.assert_are_live(lab);
    assert!(!has_state(lab), "nothing may be written");
}

pub fn a_route_that_captures_a_needed_address() {
    let lab = Lab::up(LabOptions::default());
    lab.write("topo.toml", KTHW);
    let node = lab.node("node-0");

    node.run("cp /etc/resolv.conf /run/; echo nameserver 10.200.1.53 >/etc/resolv.conf");
    refused(&lab, &["node-0", "10.200.1.0/24", "10.200.1.53", "DNS server"]);
    node.run("cat /run/resolv.conf >/etc/resolv.conf");

    node.run("ip addr add 10.200.1.9/32 dev lo");
    refused(&lab, &["node-0", "10.200.1.0/24", "10.200.1.9", "address of the node"]);
    node.run("ip addr del 10.200.1.9/32 dev lo");

    node.run("ip route add 10.200.1.1/32 dev eth0; ip route add default via 10.200.1.1");
    refused(&lab, &["node-0", "10.200.1.0/24", "10.200.1.1", "gateway"]);
    node.run("ip route del default; ip route del 10.200.1.1/32 dev eth0");

    let before = Tables::of(&lab, &KTHW_NODES);
    apply(&lab, adds(4));
    destroy_leaves(&lab, &before);
}

/// No node has a bridge here: node-1's pod subnet is where the operator comes from.
const BARE: &str = "server 10.240.0.10\nnode-0 10.240.0.20\nnode-1 10.240.0.21";

pub fn a_route_that_captures_the_operator() {
    let options = LabOptions { nodes: Some(BARE), operator: Some("10.200.1.77/8"), ..LabOptions::default() };
    let lab = Lab::up(options);
    for node in KTHW_NODES {
        lab.node(node).run("ip route add 10.200.0.0/16 dev eth0");
    }
    lab.write("topo.toml", KTHW);
    refused(&lab, &["node-0", "server", "10.200.1.0/24", "10.200.1.77", "logged in from"]);
}

pub fn the_way_back_to_the_operator_is_put_back() {
    let options = LabOptions { nodes: Some(BARE), operator: Some("10.200.1.77/8"), ..LabOptions::default() };
    let lab = Lab::up(options);
    // The way back of server and node-0 is the very route that topo adopts: it is there already, so nothing is captured.
    lab.node("node-1").run("ip route add 10.200.1.77/32 dev eth0");
    for node in ["server", "node-0"] {
        lab.node(node).run("ip route add 10.200.1.0/24 via 10.240.0.21");
    }
    lab.write("topo.toml", &KTHW.replace("[\"10.200.0.0/24\"]", "[]"));
    let reply = lab.topo(&["apply", "-y"]).exits(0);
    assert_plan(&reply, Counts { import: 2, ..Counts::default() });
    let after = Tables::of(&lab, &KTHW_NODES);
    assert_no_changes(&lab);

    // Removing it would cut them off: they put it back by themselves, and stay recorded.
    lab.topo(&["destroy", "-y"]).exits(3).says(&[
        "server",
        "node-0",
        "route back to you would have changed",
        "restored",
    ]);
    after.assert_are_live(&lab);
    assert_eq!(recorded(&lab).len(), 2);
    for node in ["server", "node-0"] {
        assert_eq!(lab.node(node).attempt("test -e /etc/topo/kthw").exit, Some(0), "its marker stays");
    }
    lab.topo(&["plan"]).exits(0);

    // With another way back it goes.
    for node in ["server", "node-0"] {
        lab.node(node).run("ip route add 10.200.1.77/32 dev eth0");
    }
    lab.topo(&["destroy", "-y"]).exits(0);
    let without = after
        .without("server", &["10.200.1.0/24 via 10.240.0.21"])
        .without("node-0", &["10.200.1.0/24 via 10.240.0.21"])
        .with("server", &["10.200.1.77 dev eth0 table 254 proto 3 scope 253"])
        .with("node-0", &["10.200.1.77 dev eth0 table 254 proto 3 scope 253"]);
    without.assert_are_live(&lab);
    assert_eq!(recorded(&lab), [""; 0]);
}

const TWO_LINKS: &str = "server 10.240.0.10
node-0 10.240.0.20 10.200.0.0/24
node-1 10.241.0.21 10.200.1.0/24
router 10.240.0.1,10.241.0.1";
const TWO_OPERATOR: &str = "10.240.0.2,10.241.0.2";

pub fn nodes_on_two_links() {
    let options = LabOptions { nodes: Some(TWO_LINKS), operator: Some(TWO_OPERATOR), ..LabOptions::default() };
    let lab = Lab::up(options);
    let one_link = KTHW.replace("10.240.0.21", "10.241.0.21");
    let without_subnets = one_link.replace("[subnets.kubernetes]\ncidr = \"10.240.0.0/24\"\n", "");
    let before = Tables::of(&lab, &KTHW_NODES);

    // Nothing is said of links: the nodes themselves know that it is not on theirs.
    lab.write("topo.toml", &without_subnets);
    refused(&lab, &["node-0", "10.241.0.21", "not on the link"]);
    // Nor is it where there is some way to it.
    lab.node("node-0").run("ip route add 10.241.0.0/24 via 10.240.0.1");
    refused(&lab, &["node-0", "10.241.0.21", "not on the link"]);
    lab.node("node-0").run("ip route del 10.241.0.0/24");
    // The topology says so by itself where it has subnets without a gateway.
    lab.write("topo.toml", &one_link);
    lab.topo(&["validate"]).exits(1).says(&["node-1", "10.241.0.21"]);
    refused(&lab, &["node-1", "10.241.0.21"]);

    // Via the gateways of both links, whose router knows these prefixes.
    lab.node("router").run("ip route add 10.200.0.0/24 via 10.240.0.20; ip route add 10.200.1.0/24 via 10.241.0.21");
    let gateways = one_link.replace(
        "cidr = \"10.240.0.0/24\"",
        "cidr = \"10.240.0.0/24\"\ngateway = \"10.240.0.1\"\n[subnets.other]\ncidr = \"10.241.0.0/24\"\n\
         gateway = \"10.241.0.1\"",
    );
    lab.write("topo.toml", &gateways);
    apply(&lab, adds(4));
    before
        .clone()
        .with("server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.1"])
        .with("node-0", &["10.200.1.0/24 via 10.240.0.1"])
        .with("node-1", &["10.200.0.0/24 via 10.241.0.1"])
        .assert_are_live(&lab);
    lab.assert_pods_meet("node-0", "node-1");
    destroy_leaves(&lab, &before);
}

pub fn two_topologies_on_one_node() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);
    lab.topo(&["apply", "-y"]).exits(0);
    let first = kthw_tables(&before);

    let other = KTHW.replace("\"kthw\"", "\"storage\"").replace("10.200.", "10.210.");
    lab.write("other.toml", &other);
    for command in [&["plan", "other.toml"][..], &["apply", "-y", "other.toml"]] {
        lab.topo(command).exits(1).says(&["kthw", "201", "protocol = 202"]);
    }
    first.assert_are_live(&lab);
    lab.write("other.toml", &other.replace("[backends.ssh-static]", "[backends.ssh-static]\nprotocol = 202"));
    assert_plan(&lab.topo(&["apply", "-y", "other.toml"]).exits(0), adds(4));
    lab.topo(&["plan", "--detailed-exitcode", "other.toml"]).exits(0);
    assert_no_changes(&lab);
    let row =
        |subnet: u8, node: u8| format!("10.210.{subnet}.0/24 via 10.240.0.{node} dev eth0 table 254 proto 202 scope 0");
    let (zero, one) = (row(0, 20), row(1, 21));
    let second = |tables: &Tables| {
        tables.clone().with("server", &[&zero, &one]).with("node-0", &[&one]).with("node-1", &[&zero])
    };
    second(&first).assert_are_live(&lab);

    lab.topo(&["destroy", "-y"]).exits(0);
    second(&before).assert_are_live(&lab);
    lab.topo(&["plan", "--detailed-exitcode", "other.toml"]).exits(0);
    assert_eq!(lab.node("node-0").run("ls /etc/topo"), "storage\n");
    lab.topo(&["destroy", "-y", "other.toml"]).exits(0);
    super::support::assert_as_before(&lab, &before);
}

pub fn the_age_of_a_path_mtu_is_no_other_way() {
    let lab = Lab::up(LabOptions::default());
    lab.write("topo.toml", KTHW);
    let (router, node) = (lab.node("server"), lab.node("node-0"));
    // The way to the operator has a smaller MTU, which node-0 learns, for ten minutes by the second.
    router.run(
        "echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects; echo 0 >/proc/sys/net/ipv4/conf/eth0/send_redirects
        ip route add 10.240.0.2/32 dev eth0 mtu lock 1300",
    );
    node.run("ip route add 10.240.0.2/32 via 10.240.0.10");
    node.attempt("ping -c 1 -W 1 -M do -s 1400 10.240.0.2");
    let way = node.run("ip -o route get 10.240.0.2");
    assert!(way.contains("expires") && way.contains("mtu 1300"), "{way}");
    // A node so slow that a second passes while the routes are written.
    node.run(
        "mount -t tmpfs tools /usr/local/bin
        printf '#!/bin/sh\\ncase \"$*\" in *batch*) sleep 1.1 ;; esac\\nexec /usr/sbin/ip \"$@\"\\n' >/usr/local/bin/ip
        chmod 755 /usr/local/bin/ip",
    );
    lab.topo(&["apply", "-y"]).exits(0);
    assert_no_changes(&lab);
}

pub fn machines_in_azure() {
    let lab = Lab::up(LabOptions::default());
    lab.write("topo.toml", KTHW);
    let before = Tables::of(&lab, &KTHW_NODES);
    let says = |node: &str, tag: &str| lab.node(node).run(&format!("echo {tag} >/sys/class/dmi/id/chassis_asset_tag"));
    let azure = "7783-7084-3265-9085-8269-3286-77";
    let words = [
        "packets of node-0, server by its own route tables",
        "10.200.0.0/24, 10.200.1.0/24",
        "[backends.azure-udr]",
        "take ssh-static off",
    ];
    says("node-1", "No asset tag");
    says("node-0", azure);
    says("server", azure);
    refused(&lab, &words);

    // Elsewhere it is as ever, and what is there by then is wrong once it is in Azure.
    says("node-0", "");
    lab.node("server").run("rm /sys/class/dmi/id/chassis_asset_tag");
    apply(&lab, adds(4));
    let after = kthw_tables(&before);
    says("node-0", azure);
    says("server", azure);
    for command in [&["plan"][..], &["plan", "--detailed-exitcode"], &["apply", "-y"], &["plan", "--target", "server"]]
    {
        let reply = lab.topo(command).exits(1);
        let own = if command.contains(&"server") { "packets of server by its own route tables" } else { words[0] };
        let reply = reply.says(&[own, words[1]]);
        assert!(!reply.said().contains(NO_CHANGES), "{}", reply.said());
    }
    after.assert_are_live(&lab);
    // Nobody knows without a look.
    lab.topo(&["plan", "--no-refresh"]).exits(0);
    lab.topo(&["plan", "--exclude", "server", "--exclude", "node-0"]).exits(0);

    // Both ways out that need no Azure: not on these machines, or not at all.
    lab.write("topo.toml", &KTHW.replace("[backends.ssh-static]", "[backends.ssh-static]\nnodes = [\"node-1\"]"));
    apply(&lab, destroys(3));
    lab.write("topo.toml", KTHW);
    lab.topo(&["plan"]).exits(1);
    destroy_leaves(&lab, &before);
}

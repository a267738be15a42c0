//! IPv6, dual stack, and routes with another table, metric or mark.

use super::support::{
    Counts, KTHW, KTHW_NODES, Tables, adds, apply, assert_no_changes, destroy_leaves, edit, kthw_tables,
};
use crate::harness::{Lab, LabOptions, eventually};

const DUAL: &str = r#"
[topology]
name = "kthw"
[subnets.kubernetes]
cidr = ["10.240.0.0/24", "fd00:240::/64"]
[nodes]
server = { address = ["10.240.0.10", "fd00:240::10"] }
node-0 = { address = ["10.240.0.20", "fd00:240::20"], pods = ["10.200.0.0/24", "fd00:200::/64"] }
node-1 = { address = ["10.240.0.21", "fd00:240::21"], pods = ["10.200.1.0/24", "fd00:200:1::/64"] }
[ssh]
user = "root"
[backends.ssh-static]
"#;
const ONLY_V6: &str = r#"
[topology]
name = "kthw"
[nodes]
server = { address = "fd00:240::10" }
node-0 = { address = "fd00:240::20", pods = ["fd00:200::/64"] }
node-1 = { address = "fd00:240::21", pods = ["fd00:200:1::/64"] }
[ssh]
user = "root"
[backends.ssh-static]
"#;

fn with_v6(tables: &Tables) -> Tables {
    let (zero, one) = ("fd00:200::/64 via fd00:240::20", "fd00:200:1::/64 via fd00:240::21");
    tables.clone().with("server", &[zero, one]).with("node-0", &[one]).with("node-1", &[zero])
}

pub fn dual_stack_and_ipv6_only() {
    let lab = Lab::up(LabOptions { ipv6: true, ..LabOptions::default() });
    let before = Tables::of(&lab, &KTHW_NODES);

    lab.write("topo.toml", DUAL);
    apply(&lab, adds(8));
    with_v6(&kthw_tables(&before)).assert_are_live(&lab);
    lab.assert_pods_meet("node-0", "node-1");

    // IPv4 is given up: only its routes go.
    lab.write("topo.toml", ONLY_V6);
    apply(&lab, Counts { destroy: 4, ..Counts::default() });
    with_v6(&before).assert_are_live(&lab);
    lab.node("node-0").run("ip -6 route del fd00:200:1::/64");
    apply(&lab, adds(1));
    with_v6(&before).assert_are_live(&lab);
    lab.node("node-0").run("ip -6 route replace fd00:200:1::/64 via fd00:240::10");
    apply(&lab, Counts { change: 1, ..Counts::default() });
    with_v6(&before).assert_are_live(&lab);
    destroy_leaves(&lab, &before);

    // IPv6 from nothing.
    apply(&lab, adds(4));
    with_v6(&before).assert_are_live(&lab);
    for (from, to) in [("node-0", "fd00:200:1::2"), ("node-1", "fd00:200:0::2")] {
        eventually("the pods to meet", || lab.pings(from, to));
    }
    destroy_leaves(&lab, &before);
}

pub fn table_metric_and_mark_are_changed() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);
    let rows = |settings: &str| {
        let (zero, one) = (
            format!("10.200.0.0/24 via 10.240.0.20 dev eth0 {settings}"),
            format!("10.200.1.0/24 via 10.240.0.21 dev eth0 {settings}"),
        );
        before.clone().with("server", &[&zero, &one]).with("node-0", &[&one]).with("node-1", &[&zero])
    };
    let mut settings = "[backends.ssh-static]".to_owned();
    let mut say = |lines: &str| {
        let next = format!("[backends.ssh-static]\n{lines}#");
        edit(&lab, &settings, &next);
        settings = next;
    };
    let both = |count| Counts { add: count, destroy: count, ..Counts::default() };

    say("table = 100\nmetric = 50\n");
    apply(&lab, adds(4));
    rows("table 100 proto 201 scope 0 metric 50").assert_are_live(&lab);
    lab.assert_pods_apart("node-0", "node-1");
    for node in ["node-0", "node-1"] {
        lab.node(node).run("ip rule add lookup 100 pref 100");
    }
    lab.assert_pods_meet("node-0", "node-1");
    for node in ["node-0", "node-1"] {
        lab.node(node).run("ip rule del lookup 100 pref 100");
    }

    say("table = 100\nmetric = 60\n");
    apply(&lab, both(4));
    rows("table 100 proto 201 scope 0 metric 60").assert_are_live(&lab);

    say("metric = 60\n");
    apply(&lab, both(4));
    rows("table 254 proto 201 scope 0 metric 60").assert_are_live(&lab);
    lab.assert_pods_meet("node-0", "node-1");

    // Another mark changes rows in place.
    say("metric = 60\nprotocol = 210\n");
    lab.topo(&["apply", "-y"]).exits(0);
    rows("table 254 proto 210 scope 0 metric 60").assert_are_live(&lab);
    assert_no_changes(&lab);

    say("");
    lab.topo(&["apply", "-y"]).exits(0);
    kthw_tables(&before).assert_are_live(&lab);
    assert_no_changes(&lab);

    // A lower metric of others wins, which is said; ours stay.
    say("metric = 60\n");
    lab.topo(&["apply", "-y"]).exits(0);
    lab.node("node-0").run("ip route add 10.200.1.0/24 via 10.240.0.10 proto 80 metric 10");
    assert_plan_wins(&lab);
    lab.node("node-0").run("ip route del 10.200.1.0/24 via 10.240.0.10 proto 80 metric 10");
    destroy_leaves(&lab, &before);
}

fn assert_plan_wins(lab: &Lab) {
    lab.topo(&["plan", "--detailed-exitcode"]).exits(0).says(&["Warning", "node-0", "metric 10", "Calico"]);
    let reply = lab.topo(&["plan", "--no-refresh"]).exits(0);
    assert!(reply.said().contains(super::support::NO_CHANGES), "{reply:?}");
}

const ANOTHER_TABLE: &str = r#"
[topology]
name = "kthw"
[nodes]
server = { address = ["10.9.0.10", "fd00:9::10"], interface = "eth1", ssh = { host = "10.240.0.10" } }
node-0 = { address = ["10.9.0.20", "fd00:9::20"], pods = ["10.200.0.0/24", "fd00:200::/64"], interface = "eth1", ssh = { host = "10.240.0.20" } }
node-1 = { address = ["10.9.0.21", "fd00:9::21"], pods = ["10.200.1.0/24", "fd00:200:1::/64"], interface = "eth1", ssh = { host = "10.240.0.21" } }
[ssh]
user = "root"
[backends.ssh-static]
table = 103
"#;

/// The link of the next hops has its connected routes in the table of the routes alone, as machines with several networks have it.
pub fn next_hops_on_a_link_of_another_table() {
    let lab = Lab::up(LabOptions { ipv6: true, ..LabOptions::default() });
    for (name, number) in [("server", 10), ("node-0", 20), ("node-1", 21)] {
        lab.node(name).run(&format!(
            "ip link add eth1 type veth peer name far && echo 1 >/proc/sys/net/ipv6/conf/far/disable_ipv6
            ip link set eth1 addrgenmode none && ip link set eth1 up && ip link set far up
            ip addr add 10.9.0.{number}/24 dev eth1 noprefixroute && ip addr add fd00:9::{number}/64 dev eth1 noprefixroute nodad
            ip route add 10.9.0.0/24 dev eth1 table 103 proto kernel src 10.9.0.{number}
            ip -6 route add fd00:9::/64 dev eth1 table 103 proto kernel"
        ));
    }
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", ANOTHER_TABLE);
    apply(&lab, adds(8));
    let row = |pods: u8| {
        let v4 = format!("10.200.{pods}.0/24 via 10.9.0.2{pods} dev eth1 table 103 proto 201 scope 0");
        let v6 = ["fd00:200::/64 via fd00:9::20", "fd00:200:1::/64 via fd00:9::21"][usize::from(pods)];
        [v4, format!("{v6} dev eth1 table 103 proto 201 scope 0 metric 1024 pref medium")]
    };
    let [zero, one] = [row(0), row(1)];
    let [zero, one] = [&zero, &one].map(|rows| rows.each_ref().map(String::as_str));
    let after = before.clone().with("server", &[zero, one].concat()).with("node-0", &one).with("node-1", &zero);
    after.assert_are_live(&lab);

    // What is lost there is found lost there.
    for typed in ["ip route", "ip -6 route"] {
        let prefix = if typed == "ip route" { "10.200.1.0/24" } else { "fd00:200:1::/64" };
        lab.node("node-0").run(&format!("{typed} del {prefix} table 103"));
    }
    apply(&lab, adds(2));
    after.assert_are_live(&lab);
    destroy_leaves(&lab, &before);
}

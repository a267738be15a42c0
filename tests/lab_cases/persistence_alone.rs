//! The routes belong to the files alone: nothing else puts them into the kernel.

use super::persistence::{BOTH, Condition, Event, FILE, apply_any, assert_rows, happen, node, pod_rows, topology};
use super::support::{KTHW_NODES, adds, apply, assert_no_changes, assert_plan, destroys};
use crate::harness::{LabOptions, Machines, eventually};

const ALONE: &str = "[backends.netplan]\n";
/// Calico's rows, and what somebody has typed.
const FOREIGN: &str = "ip route add 192.168.121.64/26 via 10.240.0.10 dev eth0 proto 80 onlink &&
    ip route add blackhole 192.168.157.128/26 proto 80 && ip route add 10.201.0.0/24 via 10.240.0.10";
const FOREIGN_ROWS: &str = "192.168.121.64/26 via 10.240.0.10 dev eth0 proto 80 onlink \n\
    blackhole 192.168.157.128/26 proto 80 \n10.201.0.0/24 via 10.240.0.10 dev eth0 \n";

fn kthw(zero: u8, one: u8, backends: &str) -> String {
    let nodes = [node("server", 10, None), node("node-0", 20, Some(zero)), node("node-1", 21, Some(one))];
    topology(&nodes.each_ref().map(String::as_str), backends)
}

#[track_caller]
fn assert_kthw(machines: &Machines, zero: u8, one: u8) {
    let (to_zero, to_one) =
        (format!("10.200.{zero}.0/24 via 10.240.0.20"), format!("10.200.{one}.0/24 via 10.240.0.21"));
    let mut both = [to_zero.as_str(), to_one.as_str()];
    both.sort_unstable();
    assert_rows(machines, "server", &both, "static");
    assert_rows(machines, "node-0", &[&to_one], "static");
    assert_rows(machines, "node-1", &[&to_zero], "static");
    assert_no_changes(machines);
}

#[track_caller]
fn assert_foreign_rows(machines: &Machines, name: &str) {
    let list = "ip route show root 192.168.0.0/16; ip route show root 10.201.0.0/16";
    let expected: Vec<&str> = FOREIGN_ROWS.lines().map(str::trim).collect();
    eventually(&format!("the rows of others on {name}"), || {
        machines.node(name).run(list).lines().map(str::trim).eq(expected.iter().copied())
    });
}

pub fn files_alone_put_routes_into_the_kernel() {
    let machines = Machines::up(LabOptions::default());
    let before = Condition::of(&machines, &KTHW_NODES);
    machines.node("node-0").run(FOREIGN);
    let with_foreign = Condition::of(&machines, &["node-0"]);
    machines.write("topo.toml", &kthw(0, 1, ALONE));
    let watch = machines.watch();
    apply_any(&machines);
    assert_kthw(&machines, 0, 1);
    machines.assert_pods_meet("node-0", "node-1");
    assert_foreign_rows(&machines, "node-0");

    // What is changed by hand is shown, and put right.
    let (server, zero, one) = (machines.node("server"), machines.node("node-0"), machines.node("node-1"));
    server.run("ip route del 10.200.0.0/24");
    zero.run("ip route change 10.200.1.0/24 via 10.240.0.10");
    one.run(&format!("sed -i /10.200.0.0/d {FILE}"));
    let plan = machines.topo(&["plan", "--detailed-exitcode"]).exits(2).stdout;
    for shown in ["server", "node-0", "node-1", "10.240.0.10", "+      - {to: \"10.200.0.0/24\", via: \"10.240.0.20\"}"]
    {
        assert!(plan.contains(shown), "`{shown}` is not in the plan:\n{plan}");
    }
    apply_any(&machines);
    assert_kthw(&machines, 0, 1);
    assert_foreign_rows(&machines, "node-0");

    // Next hops change: the pods go to the other node.
    machines.write("topo.toml", &kthw(5, 6, ALONE));
    apply_any(&machines);
    assert_kthw(&machines, 5, 6);
    machines.write("topo.toml", &kthw(6, 5, ALONE));
    apply_any(&machines);
    assert_kthw(&machines, 6, 5);
    machines.write("topo.toml", &kthw(0, 1, ALONE));
    apply_any(&machines);
    assert_kthw(&machines, 0, 1);
    assert_foreign_rows(&machines, "node-0");
    watch.assert_lost_nothing();

    happen(&machines, &[("server", Event::CarrierLoss), ("node-1", Event::Reboot)]);
    assert_kthw(&machines, 0, 1);
    machines.assert_pods_meet("node-0", "node-1");

    let watch = machines.watch();
    assert_plan(&machines.topo(&["destroy", "-y"]).exits(0), destroys(3));
    with_foreign.assert_is_now(&machines);
    watch.assert_lost_nothing();
    machines
        .node("node-0")
        .run("ip route del 192.168.121.64/26; ip route del blackhole 192.168.157.128/26; ip route del 10.201.0.0/24");
    before.assert_is_now(&machines);
}

/// Rows of others outlive a file that comes with live routes, and its removal; a deferred one waits for its time.
pub fn a_deferred_file_waits() {
    let machines = Machines::up(LabOptions::default());
    let before = Condition::of(&machines, &KTHW_NODES);
    for name in ["node-0", "node-1"] {
        machines.node(name).run(FOREIGN);
    }
    let deferred = "[backends.ssh-static]\n[backends.netplan]\nactivate = \"defer\"\n";
    machines.write("topo.toml", &kthw(0, 1, deferred));
    let watch = machines.watch();
    let plan = machines.topo(&["plan"]).exits(0).said();
    assert!(plan.contains("not persistent yet"), "{plan}");
    let said = machines.topo(&["apply", "-y"]).exits(0).said();
    assert!(said.contains("not persistent yet"), "{said}");
    assert_rows(&machines, "node-0", &["10.200.1.0/24 via 10.240.0.21"], "201");
    let waits_for = |names: &[&str]| {
        let plan = machines.topo(&["plan", "--detailed-exitcode"]).exits(0).said();
        assert!(plan.contains("No changes."), "{plan}");
        let sentence = plan.split("not persistent yet").next().unwrap_or_default().to_owned();
        for name in KTHW_NODES {
            let said = plan.contains("not persistent yet") && sentence.contains(name);
            assert_eq!(said, names.contains(&name), "{name}: {plan}");
        }
    };
    waits_for(&KTHW_NODES);
    watch.assert_lost_nothing();
    happen(&machines, &[("server", Event::Restart)]);
    waits_for(&["node-0", "node-1"]);
    happen(&machines, &[("node-0", Event::Reboot)]);
    waits_for(&["node-1"]);
    assert_rows(&machines, "node-0", &["10.200.1.0/24 via 10.240.0.21"], "static");
    machines.assert_pods_meet("node-0", "node-1");

    // Who will not wait any longer loads it; rows of others stay.
    machines.node("node-0").run(FOREIGN);
    machines.write("topo.toml", &kthw(0, 1, BOTH));
    let watch = machines.watch();
    machines.topo(&["apply", "-y"]).exits(0);
    waits_for(&[]);
    assert_kthw(&machines, 0, 1);
    for name in ["node-0", "node-1"] {
        assert_foreign_rows(&machines, name);
    }
    assert_plan(&machines.topo(&["destroy", "-y"]).exits(0), destroys(4 + 3));
    for name in ["node-0", "node-1"] {
        assert_foreign_rows(&machines, name);
        assert_eq!(pod_rows(&machines, name), Vec::<String>::new());
    }
    watch.assert_lost_nothing();
    for name in ["node-0", "node-1"] {
        machines.node(name).run(
            "ip route del 192.168.121.64/26; ip route del blackhole 192.168.157.128/26; ip route del 10.201.0.0/24",
        );
    }
    before.assert_is_now(&machines);

    // Removed before it was ever loaded. The note that networkd has not looked since goes with the next boot.
    machines.write("topo.toml", &kthw(0, 1, deferred));
    apply(&machines, adds(4 + 3));
    machines.topo(&["destroy", "-y"]).exits(0);
    for name in KTHW_NODES {
        machines.node(name).run("rm -r /run/topo");
    }
    before.assert_is_now(&machines);
}

//! Runs with files that do not come to their end: killed, without power, or with a file step that fails.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::persistence::{BOTH, Condition, FILE, assert_rows, node, pod_rows, topology};
use super::support::{KTHW_NODES, adds, apply, assert_no_changes, signal};
use crate::harness::{LabOptions, Machines, Reply, within};

const TO_ZERO: &str = "10.200.0.0/24 via 10.240.0.20";
const TO_ONE: &str = "10.200.1.0/24 via 10.240.0.21";

fn kthw(backends: &str) -> String {
    let nodes = [node("server", 10, None), node("node-0", 20, Some(0)), node("node-1", 21, Some(1))];
    topology(&nodes.each_ref().map(String::as_str), backends)
}

#[track_caller]
fn assert_all(machines: &Machines) {
    assert_rows(machines, "server", &[TO_ZERO, TO_ONE], "static");
    assert_rows(machines, "node-0", &[TO_ONE], "static");
    assert_rows(machines, "node-1", &[TO_ZERO], "static");
    machines.assert_pods_meet("node-0", "node-1");
    assert_no_changes(machines);
}

/// An apply that goes on until a command succeeds on a node.
#[track_caller]
fn apply_until(machines: &Machines, name: &str, command: &str) -> Child {
    let mut topo = machines.topo_command(&["apply", "-y"]);
    let mut topo = topo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("topo starts");
    let reached = within(Duration::from_secs(20), || machines.node(name).attempt(command).exit == Some(0));
    let ended = topo.try_wait().expect("topo is watched");
    assert!(reached && ended.is_none(), "{command}: {reached}, and topo has ended: {ended:?}");
    topo
}

/// Nothing of a run is under way or left beside the files.
#[track_caller]
fn assert_tidy(machines: &Machines, name: &str) {
    let left = "left=$(ls -d /run/topo-file.* /etc/netplan/.60-* /run/systemd/network/*.d/zz-topo-keep.conf \
        /run/systemd/networkd.conf.d /run/topo/.covers /run/topo/.before 2>/dev/null)
        echo $left; [ -z \"$left\" ]";
    let tidy = within(Duration::from_secs(30), || machines.node(name).attempt(left).exit == Some(0));
    assert!(tidy, "{name}: {}", machines.node(name).attempt(left).stdout);
}

/// A plan has changes if and only if some node lacks a row of its file, or a file is in doubt: only the next run finds out what the one that
/// was cut off left.
#[track_caller]
fn assert_plan_sees(machines: &Machines) {
    let wanted = [("server", 2), ("node-0", 1), ("node-1", 1)];
    let lacks = wanted.iter().any(|(name, count)| {
        let rows = pod_rows(machines, name);
        rows.len() != *count || !rows.iter().all(|row| row.ends_with(" static"))
    });
    let recorded = machines.topo(&["--json", "state", "list"]).exits(0).stdout;
    let in_doubt = |line: &str| line.contains("netplan_file") && line.contains("\"in_doubt\":true");
    let has_changes = lacks || recorded.lines().any(in_doubt);
    machines.topo(&["plan", "--detailed-exitcode"]).exits(if has_changes { 2 } else { 0 });
}

pub fn a_failed_file_step_leaves_routes_that_do_not_last() {
    let machines = Machines::up(LabOptions::default());
    let clean = Condition::of(&machines, &KTHW_NODES);
    machines.write("topo.toml", &kthw(BOTH));
    let server = machines.node("server");
    let watch = machines.watch();
    let applied = |says: &[&str]| {
        let reply = machines.topo(&["apply", "-y"]).exits(3).says(says).says(&["Not persistent yet: server."]);
        assert!(!reply.stdout.contains('\u{fffd}'), "{}", reply.stdout);
        server.run(&format!("! test -e {FILE}"));
        assert_rows(&machines, "server", &[TO_ZERO, TO_ONE], "201");
        assert_rows(&machines, "node-0", &[TO_ONE], "static");
        machines.assert_pods_meet("node-0", "node-1");
    };
    // A check finds that no note can be made, so nothing is written there.
    server.run("echo not a folder >/run/topo");
    machines.topo(&["apply", "-y"]).exits(3).says(&["server: topo cannot write to /run/topo"]);
    server.run(&format!("! test -e {FILE}"));
    assert_rows(&machines, "server", &[], "201");
    assert_rows(&machines, "node-0", &[TO_ONE], "static");
    // After the checks: networkd does not come back.
    server.run("rm /run/topo; mkdir -p /run/systemd/system/systemd-networkd.service.d");
    server.run("printf '[Service]\\nExecStartPre=/bin/false\\n' >/run/systemd/system/systemd-networkd.service.d/x.conf; systemctl daemon-reload");
    applied(&["systemd-networkd no longer starts"]);
    server.run("rm -r /run/systemd/system/systemd-networkd.service.d; systemctl daemon-reload; systemctl reset-failed; systemctl start systemd-networkd");
    machines.topo(&["plan", "--detailed-exitcode"]).exits(2);
    machines.topo(&["apply", "-y"]).exits(0);
    assert_all(&machines);
    assert_tidy(&machines, "server");
    watch.assert_lost_nothing();
    machines.topo(&["destroy", "-y"]).exits(0);
    clean.assert_is_now(&machines);
}

pub fn an_apply_that_is_killed_goes_on_from_there() {
    let machines = Machines::up(LabOptions::default());
    let clean = Condition::of(&machines, &KTHW_NODES);
    let watch = machines.watch();
    // Between Install and Persist; and while a file is being loaded.
    let live = "ip route show proto 201 | grep -q 10.200".to_owned();
    let installed = format!("test -e {FILE}");
    // The drop-ins are there for a part of the restart only.
    let loading = "ls /run/topo-file.*/restarted 2>/dev/null".to_owned();
    for moment in [live, installed, loading] {
        machines.write("topo.toml", &kthw(BOTH));
        let mut topo = apply_until(&machines, "server", &moment);
        signal(&topo, "-KILL");
        topo.wait().expect("topo ends");
        // What a node was sent it carries out.
        for name in KTHW_NODES {
            assert_tidy(&machines, name);
        }
        assert_plan_sees(&machines);
        machines.topo(&["apply", "-y"]).exits(0);
        assert_all(&machines);
        for name in KTHW_NODES {
            assert_tidy(&machines, name);
        }
        machines.topo(&["destroy", "-y"]).exits(0);
        clean.assert_is_now(&machines);
    }
    watch.assert_lost_nothing();
}

pub fn a_node_without_power_in_the_middle_of_an_apply() {
    let machines = Machines::up(LabOptions::default());
    let clean = Condition::of(&machines, &KTHW_NODES);
    let watch = machines.watch_only(&["server", "node-1"]);
    for moment in ["ip route show proto 201 | grep -q 10.200", "test -e /etc/netplan/60-topo.yaml"] {
        machines.write("topo.toml", &kthw(BOTH));
        let topo = apply_until(&machines, "node-0", moment);
        machines.node("node-0").reboot();
        let reply = Reply::new(&topo.wait_with_output().expect("topo ends")).exits(3);
        assert!(reply.said().contains("node-0"), "{}", reply.said());
        // The others have got theirs.
        assert_rows(&machines, "server", &[TO_ZERO, TO_ONE], "static");
        assert_rows(&machines, "node-1", &[TO_ZERO], "static");
        assert_plan_sees(&machines);
        machines.topo(&["apply", "-y"]).exits(0);
        assert_all(&machines);
        assert_tidy(&machines, "node-0");
        machines.node("node-0").reboot();
        assert_all(&machines);
        machines.topo(&["destroy", "-y"]).exits(0);
        clean.assert_is_now(&machines);
    }
    watch.assert_lost_nothing();
    // All is well for the next one.
    apply(&machines, adds(4 + 3));
}

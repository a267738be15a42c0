//! Runs that are interrupted or killed, and many nodes.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::support::{
    Tables, assert_as_before, assert_no_changes, destroy_leaves, mesh, mesh_tables, recorded, signal,
};
use crate::harness::{Lab, LabOptions, Reply, within};

const STATE: &str = "state/many.json";

fn start(lab: &Lab, arguments: &[&str]) -> Child {
    let mut command = lab.topo_command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("topo starts")
}

fn named(count: u32) -> Vec<String> {
    (0..count).map(|node| format!("node-{node}")).collect()
}

fn tables(lab: &Lab, count: u32) -> Tables {
    Tables::of(lab, &named(count).iter().map(String::as_str).collect::<Vec<_>>())
}

pub fn an_interrupted_run_goes_on_from_there() {
    const COUNT: u32 = 20;
    let lab = Lab::up(LabOptions { count: Some(COUNT), ..LabOptions::default() });
    let before = tables(&lab, COUNT);
    let after = mesh_tables(&before, COUNT);
    lab.write("topo.toml", &mesh("many", COUNT));

    // While it still looks: nothing was changed.
    let child = start(&lab, &["apply", "-y", "--parallelism", "1"]);
    let login =
        || fs::read_to_string(lab.folder().join("nodes/node-0/sshd.log")).is_ok_and(|log| log.contains("Accepted"));
    assert!(within(Duration::from_secs(10), login), "it never logged in");
    signal(&child, "-INT");
    let reply = Reply::new(&child.wait_with_output().expect("topo ends")).exits(1);
    before.assert_are_live(&lab);
    assert!(!lab.work().join(STATE).exists(), "{reply:?}");

    // While it writes: what is in flight is finished, and the state says what was done.
    let child = start(&lab, &["apply", "-y", "--parallelism", "1"]);
    let wrote = || lab.node("node-0").attempt("test -e /etc/topo/many").exit == Some(0);
    assert!(within(Duration::from_secs(40), wrote), "it never wrote");
    signal(&child, "-INT");
    Reply::new(&child.wait_with_output().expect("topo ends")).exits(3).says(&["again"]);
    let done = recorded(&lab).len();
    let live = tables(&lab, COUNT);
    assert!(done > 0 && live != after, "it came to its end before the signal");
    // Nobody did what was begun again, or left it out.
    let reply = lab.topo(&["apply", "-y"]).exits(0);
    after.assert_are_live(&lab);
    assert_no_changes(&lab);
    assert!(!reply.said().contains("to import"), "{}", reply.stdout);
    assert_eq!(recorded(&lab).len(), (COUNT * (COUNT - 1)) as usize);

    // A destroy likewise.
    let child = start(&lab, &["destroy", "-y", "--parallelism", "1"]);
    let removed = || lab.node("node-0").attempt("test -e /etc/topo/many").exit == Some(1);
    assert!(within(Duration::from_secs(40), removed), "it never removed anything");
    signal(&child, "-INT");
    Reply::new(&child.wait_with_output().expect("topo ends")).exits(3);
    destroy_leaves(&lab, &before);
}

pub fn killed_runs_never_lose_what_is_owned() {
    const COUNT: u32 = 12;
    let lab = Lab::up(LabOptions { count: Some(COUNT), ..LabOptions::default() });
    let before = tables(&lab, COUNT);
    let after = mesh_tables(&before, COUNT);
    lab.write("topo.toml", &mesh("many", COUNT));
    let start_time = Instant::now();
    lab.topo(&["apply", "-y", "--parallelism", "4"]).exits(0);
    let whole = start_time.elapsed();
    after.assert_are_live(&lab);
    destroy_leaves(&lab, &before);

    // Killed at moments all over a run, now of apply, now of destroy; the state is read each time.
    let mut seed = u64::from(std::process::id());
    for round in 0..6u32 {
        let command = if round % 3 == 2 { "destroy" } else { "apply" };
        let mut child = start(&lab, &[command, "-y", "--parallelism", "4"]);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((f64::from(round) + f64::from((seed >> 48) as u16) / 65_536.0) / 6.0);
        within(moment, || child.try_wait().is_ok_and(|ended| ended.is_some()));
        let _ = child.kill();
        child.wait().expect("it ends");
        if lab.work().join(STATE).exists() {
            lab.topo(&["state", "list"]).exits(0);
        }
        lab.topo(&["plan"]).exits(0);
    }
    lab.topo(&["apply", "-y"]).exits(0);
    after.assert_are_live(&lab);
    assert_no_changes(&lab);
    assert_eq!(recorded(&lab).len(), (COUNT * (COUNT - 1)) as usize);
    destroy_leaves(&lab, &before);
}

pub fn forty_nodes() {
    const COUNT: u32 = 40;
    let lab = Lab::up(LabOptions { count: Some(COUNT), ..LabOptions::default() });
    let before = tables(&lab, COUNT);
    lab.write("topo.toml", &mesh("many", COUNT));
    let timed = |arguments: &[&str]| {
        let start = Instant::now();
        let reply = lab.topo(arguments).exits(0);
        #[allow(clippy::print_stdout, reason = "how long it took is a result of this test")]
        {
            println!("{COUNT} nodes: topo {} took {:.1} s", arguments.join(" "), start.elapsed().as_secs_f64());
        }
        reply
    };
    timed(&["plan", "--no-refresh"]);
    let reply = timed(&["apply", "-y"]);
    super::support::assert_plan(&reply, super::support::adds((COUNT * (COUNT - 1)) as usize));
    assert!(reply.stdout.lines().count() < 60, "a reviewer reads changes, not repetitions:\n{}", reply.stdout);
    mesh_tables(&before, COUNT).assert_are_live(&lab);
    lab.assert_pods_meet("node-0", "node-39");
    timed(&["plan", "--detailed-exitcode"]).says(&[super::support::NO_CHANGES]);
    timed(&["destroy", "-y"]);
    assert_as_before(&lab, &before);
}

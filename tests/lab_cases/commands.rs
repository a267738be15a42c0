//! Selection, plans without a look, events, pipes and locks.

use std::process::Stdio;

use serde_json::Value;

use super::support::{
    KTHW, KTHW_NODES, NO_CHANGES, STATE, Tables, adds, applied_kthw, assert_no_changes, assert_plan, destroy_leaves,
    has_state, kthw_tables, recorded,
};
use crate::harness::{Lab, LabOptions, Reply, eventually};

pub fn a_part_is_selected() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);

    assert_plan(&lab.topo(&["plan", "--target", "node-0"]).exits(0), adds(1));
    assert_plan(&lab.topo(&["apply", "-y", "--target", "node-0"]).exits(0), adds(1));
    let one = before.clone().with("node-0", &["10.200.1.0/24 via 10.240.0.21"]);
    one.assert_are_live(&lab);
    assert_eq!(recorded(&lab), ["kernel_route.node-0[\"10.200.1.0/24\"]"]);
    lab.topo(&["plan", "--target", "node-0"]).exits(0).says(&[NO_CHANGES]);

    assert_plan(&lab.topo(&["plan", "--exclude", "kernel_route.server[\"10.200.1.0/24\"]"]).exits(0), adds(2));
    lab.topo(&["apply", "-y", "--exclude", "kernel_route.server[\"10.200.1.0/24\"]"]).exits(0);
    let most =
        one.with("server", &["10.200.0.0/24 via 10.240.0.20"]).with("node-1", &["10.200.0.0/24 via 10.240.0.20"]);
    most.assert_are_live(&lab);
    assert_plan(&lab.topo(&["apply", "-y"]).exits(0), adds(1));
    kthw_tables(&before).assert_are_live(&lab);
    assert_no_changes(&lab);

    lab.topo(&["destroy", "-y", "--target", "kernel_route.server[\"10.200.1.0/24\"]"]).exits(0);
    most.assert_are_live(&lab);
    destroy_leaves(&lab, &before);
    lab.topo(&["plan", "--target", "a b"]).exits(1).says(&["kernel_route.node-0"]);
}

pub fn plans_without_a_look_and_events() {
    let lab = Lab::up(LabOptions::default());
    let (before, after) = applied_kthw(&lab);

    // Without a look nothing of it is seen, and nobody logs in.
    lab.node("node-0").run("ip route del 10.200.1.0/24");
    let logins = || std::fs::read_to_string(lab.folder().join("nodes/node-0/sshd.log")).expect("a log").lines().count();
    let count = logins();
    let reply = lab.topo(&["plan", "--no-refresh", "--detailed-exitcode"]).exits(0);
    assert!(reply.stdout.lines().any(|line| line == NO_CHANGES), "{reply:?}");
    assert_eq!(logins(), count);

    // JSON: an object on each line, and nothing else.
    let reply = lab.topo(&["plan", "--json"]).exits(0);
    let events = objects(&reply);
    assert!(events.iter().any(|event| event["type"] == "summary" && event["add"] == 1), "{}", reply.stdout);
    let reply = lab.topo(&["apply", "-y", "--json"]).exits(0);
    let events = objects(&reply);
    assert!(events.iter().any(|event| event["type"] == "result" && event["added"] == 1), "{}", reply.stdout);
    after.assert_are_live(&lab);
    for command in [&["plan", "--json"][..], &["state", "list", "--json"], &["validate", "--json"]] {
        objects(&lab.topo(command).exits(0));
    }
    let reply = lab.topo(&["apply", "--json"]).exits(1);
    assert!(objects(&reply).iter().any(|event| event["type"] == "error"), "{}", reply.stdout);
    lab.node("node-0").run("ip route replace 10.200.1.0/24 via 10.240.0.10 proto 80");
    let reply = lab.topo(&["apply", "-y", "--json"]).exits(1);
    assert!(objects(&reply).iter().any(|event| event["severity"] == "conflict"), "{}", reply.stdout);
    lab.node("node-0").run("ip route del 10.200.1.0/24");
    let reply = lab.topo(&["destroy", "-y", "--json"]).exits(0);
    objects(&reply);
    super::support::assert_as_before(&lab, &before);
}

#[track_caller]
fn objects(reply: &Reply) -> Vec<Value> {
    let events = crate::events::checked(&reply.stdout);
    assert!(!events.is_empty(), "{}", reply.stdout);
    events
}

pub fn nobody_to_ask_and_nobody_to_read() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);
    lab.topo(&["apply"]).exits(1).says(&["-y", "terminal"]);
    before.assert_are_live(&lab);
    assert!(!has_state(&lab));

    // The reader of the pipe is gone before the first word.
    for (arguments, exit) in [
        (&["plan"][..], 0),
        (&["plan", "--json"], 0),
        (&["plan", "--detailed-exitcode"], 2),
        (&["apply", "-y"], 0),
        (&["state", "list"], 0),
        (&["schema"], 0),
        (&["--help"], 0),
    ] {
        let mut command = lab.topo_command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("topo starts");
        drop(child.stdout.take());
        let reply = Reply::new(&child.wait_with_output().expect("topo ends"));
        assert!(!reply.stderr.contains("panicked") && !reply.stderr.contains("Broken pipe"), "{arguments:?} {reply:?}");
        assert_eq!(reply.exit, Some(exit), "{arguments:?} {reply:?}");
    }
    kthw_tables(&before).assert_are_live(&lab);
    lab.topo(&["destroy"]).exits(1).says(&["-y"]);
    kthw_tables(&before).assert_are_live(&lab);
}

pub fn one_run_at_a_time() {
    let lab = Lab::up(LabOptions::default());
    let (before, after) = applied_kthw(&lab);

    // Locked by hand.
    let reply = lab.topo(&["state", "lock"]).exits(0);
    let id =
        reply.said().split("unlock ").nth(1).expect("the way to unlock").split('`').next().expect("an id").to_owned();
    lab.node("node-0").run("ip route del 10.200.1.0/24");
    lab.topo(&["apply", "-y"]).exits(4).says(&["state lock", &id]);
    lab.topo(&["destroy", "-y"]).exits(4);
    assert_plan(&lab.topo(&["plan"]).exits(0), adds(1));
    lab.topo(&["state", "unlock", "0000"]).exits(1);
    lab.topo(&["apply", "-y"]).exits(4);
    lab.topo(&["state", "unlock", &id]).exits(0);
    assert_plan(&lab.topo(&["apply", "-y"]).exits(0), adds(1));
    after.assert_are_live(&lab);

    // Two at once: the first is held up by a node that hangs.
    lab.node("node-1").broken("hang-shell");
    let mut first = lab.topo_command(&["apply", "-y", "--node-timeout", "4s"]);
    let first = first.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("topo starts");
    let folder = lab.work().join(STATE);
    let folder = folder.parent().expect("a folder");
    let is_locked = || {
        let names = std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path());
        names
            .filter(|path| path.extension().is_some_and(|extension| extension == "lock"))
            .any(|path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0))
    };
    eventually("the first to have the lock", is_locked);
    lab.topo(&["apply", "-y"]).exits(4).says(&["apply"]);
    lab.topo(&["state", "rm", "server"]).exits(4);
    first.wait_with_output().expect("it ends");
    lab.node("node-1").mended();
    lab.topo(&["apply", "-y"]).exits(0);
    after.assert_are_live(&lab);
    destroy_leaves(&lab, &before);
}

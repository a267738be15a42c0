//! Nodes that are out of order, each in its own way: named, with what to do, and the others are served.

use std::fmt::Write as _;
use std::fs;

use super::support::{Tables, assert_as_before, assert_no_changes, recorded};
use crate::harness::{Lab, LabOptions};

/// Nodes that work, though something is odd about them.
const WORKING: [&str; 5] = ["plain", "sudoer", "noisy", "read-only", "by-name"];
/// How a node is broken (`lab break`), and the words that its failure is told with: what, and what to do.
const BROKEN: [(&str, &str, &[&str]); 9] = [
    ("lacks-ip", "no-ip", &["ip", "apt install iproute2"]),
    ("busybox", "busybox-ip", &["iproute2", "apt install iproute2"]),
    ("garbage", "garbage-shell", &["answer is not valid"]),
    ("hangs", "hang-shell", &["3 s", "--node-timeout"]),
    ("mute", "silent", &["1 s", "--connect-timeout"]),
    ("gone", "dead", &["machine runs"]),
    ("other-key", "host-key", &["host key", "changed", "ssh-keygen -R"]),
    ("no-sudo", "sudo-refused", &["sudo", "NOPASSWD"]),
    ("unknown-key", "", &["host key", "is unknown", "fingerprint"]),
];
const NODES: &str = "plain 10.240.0.20 10.200.0.0/24
sudoer 10.240.0.21 10.200.1.0/24 --sudo
noisy 10.240.0.22 10.200.2.0/24
read-only 10.240.0.23 10.200.3.0/24
by-name 10.240.0.24 10.200.4.0/24
lacks-ip 10.240.0.25
busybox 10.240.0.26
garbage 10.240.0.27
hangs 10.240.0.28
mute 10.240.0.29
gone 10.240.0.30
other-key 10.240.0.31
no-sudo 10.240.0.32 --sudo
unknown-key 10.240.0.33";

pub fn each_failure_is_named_and_the_others_are_served() {
    let lab = Lab::up(LabOptions { nodes: Some(NODES), ..LabOptions::default() });
    let names: Vec<&str> = WORKING.into_iter().chain(BROKEN.map(|(name, ..)| name)).collect();
    let before = Tables::of(&lab, &names);
    let mut topology = "[topology]\nname = \"trouble\"\n[ssh]\nuser = \"root\"\n[backends.ssh-static]\n\
         [groups.sudo]\nnodes = [\"sudoer\", \"no-sudo\"]\nssh = { user = \"azureuser\", sudo = true }\n[nodes]\n"
        .to_owned();
    for (number, name) in names.iter().enumerate() {
        let _ = writeln!(
            topology,
            "{name} = {{ address = \"10.240.0.{}\", pods = [\"10.200.{number}.0/24\"] }}",
            20 + number
        );
    }
    lab.write("topo.toml", &topology);
    let known_hosts = lab.folder().join("known_hosts");
    let keys = fs::read_to_string(&known_hosts).expect("known_hosts");
    let keys = keys.replace("10.240.0.24 ", "by-name ");
    let fewer: Vec<&str> = keys.lines().filter(|line| !line.starts_with("10.240.0.33 ")).collect();
    fs::write(&known_hosts, fewer.join("\n") + "\n").expect("known_hosts");
    lab.node("noisy").broken("noisy-shell");
    lab.node("read-only").broken("read-only-etc");
    for (name, how, _) in BROKEN.iter().filter(|(_, how, _)| !how.is_empty()) {
        lab.node(name).broken(how);
    }

    let limits = ["--connect-timeout", "1s", "--node-timeout", "3s"];
    let reply = lab.topo(&[&["apply", "-y"][..], &limits].concat()).exits(3).says(&["/etc/topo/trouble"]);
    let said = reply.said();
    for (name, _, words) in BROKEN {
        // What is said of a node follows its name.
        let found = said.match_indices(name).any(|(at, _)| {
            let mut end = (at + 700).min(said.len());
            while !said.is_char_boundary(end) {
                end -= 1;
            }
            words.iter().all(|word| said[at..end].contains(word))
        });
        assert!(found, "nothing with {words:?} is said about {name}:\n{}\n{}", reply.stdout, reply.stderr);
    }
    assert!(!said.contains('\u{1b}'), "words of a node reach the terminal as they are: {said:?}");
    // Those that work have the routes to each other, and none to those that do not.
    mesh(&before, &names, &WORKING).only(&WORKING).assert_are_live(&lab);
    lab.assert_pods_meet("plain", "sudoer");
    lab.assert_pods_meet("noisy", "read-only");
    lab.assert_pods_meet("read-only", "by-name");
    assert_eq!(recorded(&lab).len(), WORKING.len() * (WORKING.len() - 1));

    fs::write(&known_hosts, keys).expect("known_hosts");
    for (name, ..) in BROKEN {
        lab.node(name).mended();
    }
    lab.node("noisy").mended();
    lab.node("read-only").mended();
    lab.topo(&["apply", "-y"]).exits(0);
    mesh(&before, &names, &names).assert_are_live(&lab);
    assert_no_changes(&lab);
    lab.topo(&["destroy", "-y"]).exits(0);
    assert_as_before(&lab, &before);
}

/// A full mesh among some of the nodes.
fn mesh(before: &Tables, all: &[&str], some: &[&str]) -> Tables {
    some.iter().fold(before.clone(), |tables, node| {
        let others = some.iter().filter(|other| *other != node);
        let rows: Vec<String> = others
            .map(|other| all.iter().position(|name| name == other).expect("a node"))
            .map(|number| format!("10.200.{number}.0/24 via 10.240.0.{}", 20 + number))
            .collect();
        tables.with(node, &rows.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

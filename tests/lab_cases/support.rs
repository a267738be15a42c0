//! What the cases share: topologies, routing tables of all nodes, and the sentences of the contract.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};

use crate::harness::{Lab, Reply};

/// The topology of `examples/kthw`, for hosts without systemd.
pub const KTHW: &str = include_str!("kthw.toml");
/// Its nodes.
pub const KTHW_NODES: [&str; 3] = ["server", "node-0", "node-1"];
/// Where its state is kept, in the folder that topo runs in.
pub const STATE: &str = "state/kthw.json";
/// What a plan without changes says.
pub const NO_CHANGES: &str = "No changes. Your infrastructure matches the configuration.";

/// What `Plan: …` counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub import: usize,
    pub add: usize,
    pub change: usize,
    pub destroy: usize,
}

/// So many routes to add.
pub fn adds(add: usize) -> Counts {
    Counts { add, ..Counts::default() }
}

/// So many routes to change.
pub fn changes(change: usize) -> Counts {
    Counts { change, ..Counts::default() }
}

/// So many routes to destroy.
pub fn destroys(destroy: usize) -> Counts {
    Counts { destroy, ..Counts::default() }
}

/// Panics unless the plan has these counts, in the words of the contract.
#[track_caller]
pub fn assert_plan(reply: &Reply, counts: Counts) {
    let Counts { import, add, change, destroy } = counts;
    let import = if import > 0 { format!("{import} to import, ") } else { String::new() };
    let line = format!("Plan: {import}{add} to add, {change} to change, {destroy} to destroy.");
    assert!(
        reply.stdout.lines().any(|found| found == line),
        "`{line}` is missing:\n{}\n{}",
        reply.stdout,
        reply.stderr
    );
}

/// Panics unless nothing is left to do: said so, and the exit codes say so too.
#[track_caller]
pub fn assert_no_changes(lab: &Lab) {
    let reply = lab.topo(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(reply.stdout.lines().any(|line| line == NO_CHANGES), "{}\n{}", reply.stdout, reply.stderr);
}

/// Plans, with a look at the counts and both exit codes, and applies to the end.
#[track_caller]
pub fn apply(lab: &Lab, counts: Counts) -> Reply {
    assert_plan(&lab.topo(&["plan", "--detailed-exitcode"]).exits(2), counts);
    let reply = lab.topo(&["apply", "-y"]).exits(0);
    assert_plan(&reply, counts);
    assert_no_changes(lab);
    reply
}

/// The routing tables of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables(BTreeMap<String, String>);

impl Tables {
    /// As they are.
    pub fn of(lab: &Lab, nodes: &[&str]) -> Self {
        Self(nodes.iter().map(|name| ((*name).to_owned(), lab.node(name).routes())).collect())
    }

    /// And those of more nodes, as they are.
    pub fn and_of(mut self, lab: &Lab, nodes: &[&str]) -> Self {
        self.0.extend(Self::of(lab, nodes).0);
        self
    }

    /// Of these nodes only.
    pub fn only(mut self, nodes: &[&str]) -> Self {
        self.0.retain(|name, _| nodes.contains(&name.as_str()));
        self
    }

    /// With rows more on one node. `PREFIX via NEXT_HOP`, and what follows the device where it is not topo's usual.
    pub fn with(mut self, node: &str, rows: &[&str]) -> Self {
        let table = self.0.get_mut(node).expect("a node of these tables");
        let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
        lines.extend(rows.iter().map(|row| line(row)));
        lines.sort_unstable();
        *table = lines.join("\n") + "\n";
        self
    }

    /// With rows less on one node.
    #[track_caller]
    pub fn without(mut self, node: &str, rows: &[&str]) -> Self {
        let table = self.0.get_mut(node).expect("a node of these tables");
        for row in rows {
            let line = line(row) + "\n";
            assert!(table.contains(&line), "{node} has no row {line}{table}");
            *table = table.replacen(&line, "", 1);
        }
        self
    }

    /// Panics unless one node has exactly its table.
    #[track_caller]
    pub fn assert_is_live(&self, lab: &Lab, node: &str) {
        Self([(node.to_owned(), self.0[node].clone())].into()).assert_are_live(lab);
    }

    /// Panics unless the table of a node is this text.
    #[track_caller]
    pub fn assert_row_set(&self, node: &str, expected: &str) {
        assert_eq!(self.0[node], expected);
    }

    /// Panics unless the nodes have exactly these tables, byte for byte.
    #[track_caller]
    pub fn assert_are_live(&self, lab: &Lab) {
        for (name, expected) in &self.0 {
            let found = lab.node(name).routes();
            assert!(found == *expected, "the routes of {name} are\n{found}\nand not\n{expected}");
        }
    }
}

/// A row as `ip -N -d route show table all` shows it.
fn line(row: &str) -> String {
    if row.contains(" table ") {
        return format!("1 {row}");
    }
    let (route, rest) = row.split_once(" proto ").unwrap_or((row, ""));
    if !rest.is_empty() {
        return format!("1 {route} dev eth0 table 254 proto {rest}");
    }
    if route.contains(':') {
        format!("1 {route} dev eth0 table 254 proto 201 scope 0 metric 1024 pref medium")
    } else {
        format!("1 {route} dev eth0 table 254 proto 201 scope 0")
    }
}

/// The tables that `examples/kthw` asks for, with these as they were before: what the tutorial types by hand.
pub fn kthw_tables(before: &Tables) -> Tables {
    before
        .clone()
        .with("server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"])
        .with("node-0", &["10.200.1.0/24 via 10.240.0.21"])
        .with("node-1", &["10.200.0.0/24 via 10.240.0.20"])
}

/// Applies `examples/kthw` in a lab of the default nodes: the tables before and after.
#[track_caller]
pub fn applied_kthw(lab: &Lab) -> (Tables, Tables) {
    let before = Tables::of(lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);
    lab.topo(&["apply", "-y"]).exits(0);
    let after = kthw_tables(&before);
    after.assert_are_live(lab);
    (before, after)
}

/// Destroys, and panics unless the nodes are as they were before, the marker gone too.
#[track_caller]
pub fn destroy_leaves(lab: &Lab, before: &Tables) {
    lab.topo(&["destroy", "-y"]).exits(0);
    assert_as_before(lab, before);
}

/// Panics unless the nodes are as they were before, the marker gone too.
#[track_caller]
pub fn assert_as_before(lab: &Lab, before: &Tables) {
    before.assert_are_live(lab);
    for name in before.0.keys() {
        assert_eq!(lab.node(name).attempt("ls -A /etc/topo").stdout, "", "the marker is left on {name}");
        assert!(lab.node(name).attempt("test -e /etc/topo").exit == Some(1), "/etc/topo is left on {name}");
    }
}

/// The addresses in the state.
#[track_caller]
pub fn recorded(lab: &Lab) -> Vec<String> {
    lab.topo(&["state", "list"]).exits(0).stdout.lines().map(str::to_owned).collect()
}

/// Replaces a part of the topology, which must be there.
#[track_caller]
pub fn edit(lab: &Lab, from: &str, to: &str) {
    let path = lab.work().join("topo.toml");
    let text = std::fs::read_to_string(&path).expect("the topology is there");
    assert!(text.contains(from), "`{from}` is not in the topology");
    std::fs::write(path, text.replace(from, to)).expect("the topology is written");
}

/// Whether the state of `examples/kthw` was written.
pub fn has_state(lab: &Lab) -> bool {
    lab.work().join(STATE).exists()
}

/// Sends a signal to a process that a case started.
pub fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "the signal is sent");
}

/// A topology of one mesh in the addresses of a lab with that many nodes.
pub fn mesh(name: &str, count: u32) -> String {
    use std::fmt::Write as _;
    let mut text = format!("[topology]\nname = \"{name}\"\n[ssh]\nuser = \"root\"\n[backends.ssh-static]\n[nodes]\n");
    for node in 0..count {
        let _ =
            writeln!(text, "node-{node} = {{ address = \"10.240.0.{}\", pods = [\"10.200.{node}.0/24\"] }}", 20 + node);
    }
    text
}

/// The tables of such a mesh, with these before.
pub fn mesh_tables(before: &Tables, count: u32) -> Tables {
    (0..count).fold(before.clone(), |tables, node| {
        let rows: Vec<String> = (0..count)
            .filter(|other| *other != node)
            .map(|other| format!("10.200.{other}.0/24 via 10.240.0.{}", 20 + other))
            .collect();
        tables.with(&format!("node-{node}"), &rows.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

/// A ping every 50 ms from the pod of a node, while something else happens. It ends by itself after half a minute.
pub struct Ping(Child);

impl Ping {
    /// Begins.
    pub fn start(lab: &Lab, from: &str, address: &str) -> Self {
        let mut ping = lab.pod_command(from, "ping");
        ping.args(["-q", "-n", "-i", "0.05", "-W", "1", "-w", "30", address])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Self(ping.spawn().expect("ping starts"))
    }

    /// Ends, and panics unless every single one was answered.
    #[track_caller]
    pub fn assert_lost_nothing(self) {
        signal(&self.0, "-INT");
        Reply::new(&self.0.wait_with_output().expect("ping ends")).exits(0).says(&[" 0% packet loss"]);
    }
}

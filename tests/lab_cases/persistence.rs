//! Routes that last: they are there after a reboot, a restart of systemd-networkd and a loss of carrier, without topo.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::support::{Counts, adds, apply, assert_no_changes, assert_plan, destroys};
use crate::harness::{LabOptions, Machines, within};

/// Both backends.
pub const BOTH: &str = "[backends.ssh-static]\n[backends.netplan]\n";
/// The file of topo.
pub const FILE: &str = "/etc/netplan/60-topo.yaml";

/// Three machines whose network others have configured differently.
const SHAPES: &str = "server 10.240.0.10\n\
    node-0 10.240.0.20 10.200.0.0/24 --shape cloud-init\n\
    node-1 10.240.0.21 10.200.1.0/24 --shape dhcp\n\
    node-2 10.240.0.22 10.200.2.0/24\n";

/// A topology of these nodes, each a line in the words of TOML, with these backends.
pub fn topology(nodes: &[&str], backends: &str) -> String {
    let nodes = nodes.join("\n");
    format!("[topology]\nname = \"kthw\"\n[ssh]\nuser = \"root\"\n{backends}[nodes]\n{nodes}\n")
}

/// A node for [`topology`]: the last number of its address, and its pods' subnet.
pub fn node(name: &str, host: u8, pods: Option<u8>) -> String {
    let pods = pods.map_or_else(String::new, |pods| format!(", pods = [\"10.200.{pods}.0/24\"]"));
    format!("{name} = {{ address = \"10.240.0.{host}\"{pods} }}")
}

/// All on nodes that topo may touch, to the letter: files of the network's configuration, and routes.
#[derive(Clone, PartialEq, Eq)]
pub struct Condition(BTreeMap<String, String>);

impl Condition {
    /// As it is.
    pub fn of(machines: &Machines, nodes: &[&str]) -> Self {
        let files = "for file in $(find /etc/netplan /etc/systemd/network /run/systemd/network /etc/topo /run/topo* 2>/dev/null | sort); do
            stat -c '%A %U %n' $file; [ ! -f $file ] || cat $file; done";
        let condition = |name: &str| machines.node(name).run(files) + &machines.node(name).routes();
        Self(nodes.iter().map(|name| ((*name).to_owned(), condition(name))).collect())
    }

    /// Panics unless all nodes are as then.
    #[track_caller]
    pub fn assert_is_now(&self, machines: &Machines) {
        for name in self.0.keys() {
            self.assert_is_now_on(machines, name);
        }
    }

    /// Panics unless a node is as then. IPv6 link-local rows and the like may take a moment.
    #[track_caller]
    pub fn assert_is_now_on(&self, machines: &Machines, name: &str) {
        let mut now = String::new();
        let is = within(Duration::from_secs(3), || {
            now.clone_from(&Self::of(machines, &[name]).0[name]);
            now == self.0[name]
        });
        let difference = similar::TextDiff::from_lines(&self.0[name], &now);
        assert!(is, "{name} is not as it was:\n{}", difference.unified_diff());
    }
}

/// The rows for pods of other nodes, in the order of their destinations: `10.200.1.0/24 via 10.240.0.21 proto static`.
pub fn pod_rows(machines: &Machines, name: &str) -> Vec<String> {
    let rows = machines.node(name).run("ip -o route show root 10.200.0.0/16; ip -o -6 route show root fd00:200::/32");
    let words = |row: &str, key: &str| row.split(' ').skip_while(|word| *word != key).nth(1).map(str::to_owned);
    let row = |row: &str| {
        let (via, protocol) = (words(row, "via")?, words(row, "proto")?);
        Some(format!("{} via {via} proto {protocol}", row.split(' ').next()?))
    };
    rows.lines().filter_map(row).collect()
}

/// Panics unless a node has exactly these rows, of this protocol: `10.200.1.0/24 via 10.240.0.21`.
#[track_caller]
pub fn assert_rows(machines: &Machines, name: &str, rows: &[&str], protocol: &str) {
    let wanted: Vec<String> = rows.iter().map(|row| format!("{row} proto {protocol}")).collect();
    let mut found = Vec::new();
    let are = within(Duration::from_secs(5), || {
        found = pod_rows(machines, name);
        found == wanted
    });
    assert!(are, "{name} has the rows {found:?} and not {wanted:?}");
}

/// Panics unless topo plans this, applies it to the end, and nothing is left to do. Says what it said.
#[track_caller]
pub fn applied(machines: &Machines, counts: Counts) -> String {
    apply(machines, counts).said()
}

/// What can happen to a node, without topo.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Reboot,
    Restart,
    CarrierLoss,
}

/// Lets it happen to nodes, all at once.
pub fn happen(machines: &Machines, events: &[(&str, Event)]) {
    std::thread::scope(|threads| {
        for (name, event) in events {
            threads.spawn(move || match event {
                Event::Reboot => machines.node(name).reboot(),
                Event::Restart => machines.node(name).restart_networkd(),
                Event::CarrierLoss => machines.node(name).lose_carrier(Duration::from_secs(1)),
            });
        }
    });
}

/// The names in a `Not persistent yet: …` sentence.
pub fn names_in(said: &str, before: &str) -> BTreeSet<String> {
    let names = said.split_once(before).map_or("", |(_, rest)| rest).split_once('.').map_or("", |(names, _)| names);
    names.split(", ").map(|name| name.trim().to_owned()).collect()
}

pub fn routes_outlive_what_happens_to_nodes() {
    let machines = Machines::up(LabOptions { nodes: Some(SHAPES), ..LabOptions::default() });
    let before = Condition::of(&machines, &["server", "node-0", "node-1", "node-2"]);
    let (server, one, two) = (node("server", 10, None), node("node-1", 21, Some(1)), node("node-2", 22, Some(2)));
    machines.write("topo.toml", &topology(&[&server, &node("node-0", 20, Some(0)), &one], BOTH));
    let watch = machines.watch();
    let said = applied(&machines, adds(4 + 3));
    assert!(!said.contains("will not survive"), "{said}");
    machines.assert_pods_meet("node-0", "node-1");
    watch.assert_lost_nothing();
    let assert_are_there = || {
        assert_rows(&machines, "server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"], "static");
        assert_rows(&machines, "node-0", &["10.200.1.0/24 via 10.240.0.21"], "static");
        assert_rows(&machines, "node-1", &["10.200.0.0/24 via 10.240.0.20"], "static");
        machines.assert_pods_meet("node-0", "node-1");
        assert_no_changes(&machines);
    };
    assert_are_there();
    let watch = machines.watch_only(&["node-2"]);
    happen(&machines, &[("node-0", Event::Reboot), ("server", Event::Restart), ("node-1", Event::CarrierLoss)]);
    assert_are_there();
    watch.assert_lost_nothing();

    // One comes, one goes.
    let watch = machines.watch();
    machines.write("topo.toml", &topology(&[&server, &one, &two], BOTH));
    apply_any(&machines);
    before.assert_is_now_on(&machines, "node-0");
    machines.assert_pods_meet("node-1", "node-2");
    watch.assert_lost_nothing();
    let assert_are_there = || {
        assert_rows(&machines, "server", &["10.200.1.0/24 via 10.240.0.21", "10.200.2.0/24 via 10.240.0.22"], "static");
        assert_rows(&machines, "node-1", &["10.200.2.0/24 via 10.240.0.22"], "static");
        assert_rows(&machines, "node-2", &["10.200.1.0/24 via 10.240.0.21"], "static");
        machines.assert_pods_meet("node-1", "node-2");
        assert_no_changes(&machines);
    };
    assert_are_there();
    let watch = machines.watch_only(&["node-0"]);
    happen(&machines, &[("node-1", Event::Reboot), ("node-2", Event::Restart), ("server", Event::CarrierLoss)]);
    assert_are_there();
    watch.assert_lost_nothing();

    let watch = machines.watch();
    assert_plan(&machines.topo(&["destroy", "-y"]).exits(0), destroys(4 + 3));
    before.assert_is_now(&machines);
    watch.assert_lost_nothing();
}

/// Applies to the end, whatever the counts, and nothing is left to do.
#[track_caller]
pub fn apply_any(machines: &Machines) -> String {
    machines.topo(&["plan", "--detailed-exitcode"]).exits(2);
    let reply = machines.topo(&["apply", "-y"]).exits(0);
    assert_no_changes(machines);
    reply.said()
}

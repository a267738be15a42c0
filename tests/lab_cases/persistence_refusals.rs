//! Nodes where a file cannot keep routes: nothing is written there, the others are served, and the message says what to do.

use std::process::Command;

use super::persistence::{BOTH, Condition, FILE, assert_rows, node, topology};
use super::support::{adds, apply, has_state};
use crate::harness::{LabOptions, Machines};

/// One on which things are wrong, and two that are well.
const NODES: [&str; 3] = ["node-0", "node-1", "server"];

fn kthw(backends: &str) -> String {
    let nodes = [node("server", 10, None), node("node-0", 20, Some(0)), node("node-1", 21, Some(1))];
    topology(&nodes.each_ref().map(String::as_str), backends)
}

struct Case {
    /// What is wrong.
    wrong: &'static str,
    /// What makes it so on the server.
    make: &'static str,
    /// What undoes it.
    unmake: &'static str,
    /// How `apply` ends, and what it says.
    exit: i32,
    says: &'static [&'static str],
}

/// Known before the first write: nothing is written anywhere.
const PLANNED: [Case; 6] = [
    Case {
        wrong: "no netplan",
        make: "for program in $(command -v netplan) $(readlink -f $(command -v netplan)); do [ ! -e $program ] || mv $program $program.away; done",
        unmake: "for program in /usr/sbin/netplan /usr/share/netplan/netplan.script; do [ ! -e $program.away ] && [ ! -L $program.away ] || mv $program.away $program; done",
        exit: 1,
        says: &["server", "netplan is not installed", "Install netplan.io there, or set persist = \"networkd\""],
    },
    Case {
        wrong: "networkd stopped",
        make: "systemctl stop -q systemd-networkd.socket systemd-networkd",
        unmake: "systemctl start systemd-networkd.socket systemd-networkd",
        exit: 1,
        says: &["server", "systemd-networkd does not run", "Do not start systemd-networkd beside another manager"],
    },
    Case {
        wrong: "a device that nobody manages",
        make: "ip link add other0 type veth peer name other1 && ip link set other0 up && ip link set other1 up && ip route add 10.240.0.21/32 dev other0",
        unmake: "ip link del other0",
        exit: 1,
        says: &["server", "systemd-networkd does not manage other0", "renderer: networkd"],
    },
    Case {
        wrong: "NetworkManager",
        make: "sed -i 's/renderer: networkd/renderer: NetworkManager/' /etc/netplan/01-netcfg.yaml",
        unmake: "sed -i 's/renderer: NetworkManager/renderer: networkd/' /etc/netplan/01-netcfg.yaml",
        exit: 1,
        says: &["server", "give eth0 to NetworkManager", "Set `renderer: networkd`"],
    },
    Case {
        wrong: "a broken file",
        make: "umask 077; printf 'network:\\n  ethernets:\\n  - broken\\n' >/etc/netplan/80-broken.yaml",
        unmake: "rm /etc/netplan/80-broken.yaml",
        exit: 1,
        says: &["server", "netplan get"],
    },
    Case {
        wrong: "a definition that is gone",
        make: "sed -i s/eth0:/eth9:/ /etc/netplan/01-netcfg.yaml",
        unmake: "sed -i s/eth9:/eth0:/ /etc/netplan/01-netcfg.yaml",
        exit: 1,
        says: &["server", "no file of netplan defines `eth0` any more", "netplan apply"],
    },
];

/// Known when the file is tried: the others are served.
const TRIED: [Case; 3] = [
    Case {
        wrong: "foreign changes that are not applied",
        make: "umask 077; echo 'network: {version: 2, ethernets: {eth0: {routes: [{to: 10.201.0.0/24, via: 10.240.0.20}]}}}' >/etc/netplan/55-theirs.yaml",
        unmake: "rm /etc/netplan/55-theirs.yaml",
        exit: 3,
        says: &["server", "Run `netplan apply` on the node or undo the change"],
    },
    Case {
        wrong: "a full disk",
        make: "cp -a /etc/netplan /run/kept && mount -t tmpfs -o size=8k,mode=755 full /etc/netplan && cp -a /run/kept/. /etc/netplan && ! head -c 9000 /dev/zero >/etc/netplan/fill 2>/dev/null",
        unmake: "umount /etc/netplan; rm -r /run/kept",
        exit: 3,
        says: &["server", "No space left on device"],
    },
    Case {
        wrong: "a read-only file system",
        make: "mount --bind /etc/netplan /etc/netplan && mount -o remount,bind,ro /etc/netplan",
        unmake: "umount /etc/netplan",
        exit: 3,
        says: &["server", "ead-only"],
    },
];

pub fn what_is_seen_before_the_first_write_stops_it() {
    let machines = Machines::up(LabOptions::default());
    machines.write("topo.toml", &kthw(BOTH));
    let server = machines.node("server");
    let watch = machines.watch_only(&["node-0", "node-1"]);
    for Case { wrong, make, unmake, exit, says } in PLANNED {
        server.run(make);
        let before = Condition::of(&machines, &NODES);
        let session = machines.watch_only(&["server"]);
        machines.topo(&["plan"]).says(says);
        machines.topo(&["apply", "-y"]).exits(exit).says(says);
        before.assert_is_now(&machines);
        assert!(!has_state(&machines), "{wrong}: a state was written");
        session.assert_lost_nothing();
        server.run(unmake);
    }
    watch.assert_lost_nothing();
    server.restart_networkd();
    apply(&machines, adds(4 + 3));
}

pub fn what_is_seen_when_a_file_is_tried_is_told() {
    let machines = Machines::up(LabOptions::default());
    let server = machines.node("server");
    let clean = Condition::of(&machines, &NODES);
    let watch = machines.watch();
    for Case { wrong, make, unmake, exit, says } in TRIED {
        machines.write("topo.toml", &kthw(BOTH));
        server.run(make);
        let files = "cd /etc/netplan; ls -lA --time-style=+; cat *.yaml /run/systemd/network/*";
        let before = server.run(files);
        let restarts = "systemctl show -P ActiveEnterTimestampMonotonic systemd-networkd";
        let started = server.run(restarts);
        machines.topo(&["apply", "-y"]).exits(exit).says(says);
        assert_eq!(server.run(files), before, "{wrong}");
        assert_eq!(server.run(restarts), started, "{wrong}: networkd was restarted");
        // That node is left as it was, and the others are served.
        let both = ["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"];
        assert_rows(&machines, "server", &[], "201");
        assert_rows(&machines, "node-0", &[both[1]], "static");
        assert_rows(&machines, "node-1", &[both[0]], "static");
        machines.assert_pods_meet("node-0", "node-1");
        // Again, then mended.
        machines.topo(&["apply", "-y"]).says(says);
        server.run(unmake);
        machines.topo(&["plan", "--detailed-exitcode"]).exits(2);
        machines.topo(&["apply", "-y"]).exits(0);
        assert_rows(&machines, "server", &both, "static");
        machines.topo(&["destroy", "-y"]).exits(0);
        clean.assert_is_now(&machines);
    }
    watch.assert_lost_nothing();
}

/// A file whose folder is read-only cannot be taken away either.
pub fn a_file_that_cannot_be_removed_stays_recorded() {
    let machines = Machines::up(LabOptions::default());
    machines.write("topo.toml", &kthw(BOTH));
    let clean = Condition::of(&machines, &NODES);
    apply(&machines, adds(4 + 3));
    let server = machines.node("server");
    let watch = machines.watch();
    server.run(TRIED[2].make);
    machines.topo(&["destroy", "-y"]).exits(3).says(&["server", "ead-only"]);
    for name in ["node-0", "node-1"] {
        clean.assert_is_now_on(&machines, name);
    }
    server.run(&format!("test -e {FILE}"));
    server.run(TRIED[2].unmake);
    machines.topo(&["destroy", "-y"]).exits(0);
    clean.assert_is_now(&machines);
    watch.assert_lost_nothing();
    let state = Command::new("cat").arg(machines.work().join(super::support::STATE)).output().expect("cat starts");
    assert!(!String::from_utf8_lossy(&state.stdout).contains("netplan_file"), "something is recorded still");
}

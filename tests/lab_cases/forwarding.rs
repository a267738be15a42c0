//! Kernel settings that forwarding needs, on whole machines: across a reboot, and with router advertisements.

use std::time::Duration;

use super::persistence::{BOTH, node, topology};
use super::support::{adds, apply, assert_no_changes, changes};
use crate::harness::{LabOptions, Machines, within};

const FORWARDING: &str = "[backends.sysctl]\nip_forward = true\n";
const FILE: &str = "/etc/sysctl.d/60-topo.conf";
const NODES: [&str; 3] = ["server", "node-0", "node-1"];

/// Nodes that do not forward, as distributions deliver them.
fn turn_off(machines: &Machines) {
    for name in NODES {
        let settings = "net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0";
        machines.node(name).run(&format!("rm /etc/sysctl.d/90-forwarding.conf; sysctl -q -w {settings}"));
    }
}

fn values(machines: &Machines, setting: &str) -> Vec<String> {
    NODES.iter().map(|name| machines.node(name).run(&format!("sysctl -n {setting}")).trim().to_owned()).collect()
}

pub fn forwarding_outlives_a_reboot() {
    let machines = Machines::up(LabOptions::default());
    turn_off(&machines);
    let nodes = [node("server", 10, None), node("node-0", 20, Some(0)), node("node-1", 21, Some(1))];
    let nodes = [&*nodes[0], &*nodes[1], &*nodes[2]];
    // Routes alone do not bring pods together.
    machines.write("topo.toml", &topology(&nodes, BOTH));
    apply(&machines, adds(4 + 3));
    machines.assert_pods_apart("node-0", "node-1");
    machines.write("topo.toml", &topology(&nodes, &format!("{BOTH}{FORWARDING}")));
    apply(&machines, adds(3));
    machines.assert_pods_meet("node-0", "node-1");
    for name in NODES {
        let owner =
            machines.node(name).run(&format!("stat -c '%a %U' {FILE}; ls -A /etc/sysctl.d | grep -c '^[.]' || true"));
        assert_eq!(owner.trim(), "644 root\n0", "{name}");
    }

    for name in ["node-0", "node-1"] {
        machines.node(name).reboot();
    }
    assert_eq!(values(&machines, "net.ipv4.ip_forward"), ["1", "1", "1"]);
    machines.assert_pods_meet("node-0", "node-1");
    assert_no_changes(&machines);

    // Somebody turns it off, and a later file would do so at the next boot.
    machines.node("node-1").run("sysctl -q -w net.ipv4.ip_forward=0");
    apply(&machines, changes(1)).says(&["net.ipv4.ip_forward: 0 → 1"]);
    machines.node("node-1").run("sysctl -q -w net.ipv4.conf.eth0.forwarding=0");
    machines.assert_pods_apart("node-0", "node-1");
    apply(&machines, changes(1)).says(&["net.ipv4.conf.eth0.forwarding: 0 → 1"]);
    machines.assert_pods_meet("node-0", "node-1");
    machines.node("node-0").run("echo net.ipv4.conf.a[k-m]l.forwarding=0 >/etc/sysctl.d/90-later.conf");
    machines.topo(&["plan"]).exits(1).says(&["/etc/sysctl.d/90-later.conf says `net.ipv4.conf.a[k-m]l.forwarding=0`"]);
    machines.node("node-0").run("systemctl restart systemd-sysctl");
    assert_eq!(values(&machines, "net.ipv4.ip_forward"), ["1", "0", "1"], "the pattern counts, as topo says");
    machines.node("node-0").run("echo net.ipv4.ip_forward=0 >/etc/sysctl.d/90-later.conf");
    machines.topo(&["plan"]).exits(1).says(&["/etc/sysctl.d/90-later.conf says `net.ipv4.ip_forward=0`"]);
    machines.node("node-0").reboot();
    assert_eq!(values(&machines, "net.ipv4.ip_forward"), ["1", "0", "1"], "the later file counts, as topo says");
    machines.node("node-0").run("rm /etc/sysctl.d/90-later.conf");
    apply(&machines, changes(1));

    machines.topo(&["destroy", "-y"]).exits(0).says(&["Kernel settings stay on"]);
    assert_eq!(values(&machines, "net.ipv4.ip_forward"), ["1", "1", "1"]);
    for name in NODES {
        machines.node(name).run(&format!("! [ -e {FILE} ] && ! [ -e /etc/topo ]"));
    }
    machines.node("node-0").reboot();
    assert_eq!(values(&machines, "net.ipv4.ip_forward"), ["1", "0", "1"]);
    machines.node("node-0").run("sysctl -q -w net.ipv4.ip_forward=0");
}

const DUAL: &str = r#"
[topology]
name = "kthw"
[nodes]
node-0 = { address = ["10.240.0.20", "fd00:240::20"], pods = ["10.200.0.0/24", "fd00:200::/64"] }
node-1 = { address = ["10.240.0.21", "fd00:240::21"], pods = ["10.200.1.0/24", "fd00:200:1::/64"] }
[ssh]
user = "root"
[backends.sysctl]
ip_forward = true
"#;

const RADVD: &str =
    "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix fd77::/64 { }; };";

/// A machine that hears the router on `server`.
#[derive(Clone, Copy)]
struct Hearer<'a>(&'a Machines, &'a str);

impl Hearer<'_> {
    /// Whether it has an address and a default route by the advertisements. A default route of its own stays beside that, and
    /// systemd-networkd puts both into one row with two next hops.
    fn has_them(self) -> bool {
        self.has_route() && self.run("ip -6 addr show dev eth0 to fd77::/64").contains("fd77:")
    }

    fn has_route(self) -> bool {
        self.run("ip -6 route show default").contains("via fe80:")
    }

    /// The number of advertisements that have come to the machine.
    fn heard(self) -> u64 {
        let said = self.run("awk '$1 == \"Icmp6InRouterAdvertisements\" { print $2 }' /proc/net/snmp6");
        said.trim().parse().expect("a number")
    }

    fn forwards(self, value: u8) {
        self.run(&format!("sysctl -q -w net.ipv6.conf.all.forwarding={value}"));
    }

    fn run(self, command: &str) -> String {
        self.0.node(self.1).run(command)
    }
}

/// Waits until so many further advertisements have come to each.
fn hear(hearers: [Hearer<'_>; 2], count: u64) {
    let until = hearers.map(|one| one.heard() + count);
    for (one, until) in hearers.iter().zip(until) {
        assert!(within(Duration::from_secs(20), || one.heard() >= until), "{} hears no router", one.1);
    }
}

/// The kernel of node-0 reads router advertisements itself; on node-1, systemd-networkd does.
pub fn router_advertisements_are_not_lost() {
    let machines = Machines::up(LabOptions { ipv6: true, ..LabOptions::default() });
    turn_off(&machines);
    let drop_in = "/etc/systemd/network/10-netplan-eth0.network.d";
    for (name, accepts) in [("node-0", "no"), ("node-1", "yes")] {
        let text = format!("[Network]\\nIPv6AcceptRA={accepts}\\n");
        machines.node(name).run(&format!("mkdir -p {drop_in}; printf '{text}' >{drop_in}/ra.conf"));
        machines.node(name).restart_networkd();
    }
    machines.node("node-0").run("sysctl -q -w net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.autoconf=1");
    machines.node("server").run(&format!(
        "sysctl -q -w net.ipv6.conf.all.forwarding=1; echo '{RADVD}' >/run/radvd.conf; radvd -C /run/radvd.conf -p /run/radvd.pid"
    ));
    let (by_kernel, by_networkd) = (Hearer(&machines, "node-0"), Hearer(&machines, "node-1"));
    let both = [by_kernel, by_networkd];
    let all_have_them = || both.iter().all(|one| one.has_them());
    let why = "sysctl net.ipv6.conf.eth0 2>&1 | grep -e accept_ra -e forwarding -e autoconf; ip -6 addr; ip -6 route";
    for one in both {
        let heard = within(Duration::from_secs(20), || one.has_them());
        assert!(heard, "{} hears no router:\n{}", one.1, machines.node(one.1).attempt(why).stdout);
    }
    machines.write("topo.toml", DUAL);
    let advice = "sysctl -w net.ipv6.conf.eth0.accept_ra=2";
    let reply = machines.topo(&["apply", "-y"]).exits(1).says(&["On node-0, the kernel takes", advice]);
    assert!(!reply.said().contains("node-1, the kernel"), "{}", reply.said());
    assert_eq!(values(&machines, "net.ipv6.conf.all.forwarding")[1..], ["0", "0"]);

    // This is what topo refuses to do: the kernel drops the route, and further advertisements do not bring it back.
    // systemd-networkd keeps its route.
    for one in both {
        one.forwards(1);
    }
    assert!(!by_kernel.has_route() && by_networkd.has_route());
    hear(both, 2);
    assert!(!by_kernel.has_route() && by_networkd.has_them());
    for one in both {
        one.forwards(0);
    }
    assert!(within(Duration::from_secs(20), all_have_them));

    by_kernel.run(advice);
    apply(&machines, adds(2));
    assert!(all_have_them());
    // The next advertisements are heard: the lifetime of the kernel's route grows again, and no machine loses anything.
    let mut last = i64::MAX;
    let renewed = within(Duration::from_secs(20), || {
        let said = by_kernel.run("ip -6 route show default proto ra | sed -n 's/.*expires \\([0-9]*\\)sec.*/\\1/p'");
        let now = said.trim().parse().unwrap_or(i64::MAX);
        std::mem::replace(&mut last, now) < now
    });
    hear(both, 3);
    assert!(renewed && all_have_them());
    machines.topo(&["destroy", "-y", "--revert-forwarding"]).exits(0);
    let now = values(&machines, "net.ipv6.conf.all.forwarding");
    assert_eq!(now[1..], ["0", "0"]);
    assert!(within(Duration::from_secs(20), all_have_them));
}

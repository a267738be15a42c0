//! systemd-networkd loads a file of topo, and all that others have on the node is as before: addresses and the times of their leases, routes,
//! rules, next hops, neighbours.

use std::time::Duration;

use super::file_scripts::add_foreign_rows;
use super::persistence::{node, topology};
use super::support::{adds, apply};
use crate::harness::{LabOptions, Machines, within};

/// The address of node-0 is leased for 20 s. systemd-networkd reads router advertisements on both, and node-1 has a static default route
/// of IPv6, too.
const NODES: &str = "server 10.240.0.10,fd00:240::10\n\
    node-0 10.240.0.20 10.200.0.0/24 --shape leased\n\
    node-1 10.240.0.21,fd00:240::21 10.200.1.0/24\n\
    node-2 10.240.0.22 10.200.2.0/24\n";
const WATCHED: [&str; 2] = ["node-0", "node-1"];
/// `PolicyRule` sections without a priority, and advertisements.
const RULES: &str =
    "network: {version: 2, ethernets: {eth0: {accept-ra: true, routing-policy: [{from: 10.203.0.0/24, table: 101}]}}}";
const RADVD: &str = "interface eth0 { AdvSendAdvert on; AdvManagedFlag on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix fd77::/64 { }; };";
/// Leases addresses of IPv6 for two minutes, which is the shortest time.
const DHCPV6: &str = "ip address add fd78::1/64 dev eth0 && setsid dnsmasq --conf-file=/dev/null --port=0 --leasefile-ro --user=root \
    --pid-file=/run/dhcpv6.pid --log-facility=/run/dhcpv6.log --interface=eth0 --dhcp-range=fd78::100,fd78::1ff,64,120";
/// Rows of others on node-1, so that lists are long.
const MANY: u32 = 10_000;

pub fn loading_leaves_all_of_others_as_it_is() {
    let machines = Machines::up(LabOptions { nodes: Some(NODES), ipv6: true, ..LabOptions::default() });
    machines.node("server").run(&format!(
        "sysctl -q -w net.ipv6.conf.all.forwarding=1; echo '{RADVD}' >/run/radvd.conf; radvd -C /run/radvd.conf -p /run/radvd.pid; {DHCPV6}"
    ));
    for (name, own) in [("node-0", "10.240.0.70/32"), ("node-1", "10.240.0.71/32")] {
        let machine = machines.node(name);
        machine.run(&format!("umask 077; echo '{RULES}' >/etc/netplan/70-rules.yaml; netplan generate"));
        machine.restart_networkd();
        add_foreign_rows(&machines, name, "eth0");
        machine.run(&format!(
            "ip address add {own} dev eth0 && ip nexthop add id 7 via 10.240.0.1 dev eth0 proto 80 &&
            ip route add 10.201.7.0/24 nhid 7 proto 80 && ip route add 10.201.8.0/24 via 10.240.0.1 mtu 1400 proto boot &&
            ip neighbour add 10.240.0.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent &&
            ip rule add from 10.201.0.0/16 lookup 100 pref 500 && ip rule add to 10.201.9.0/24 lookup 100 &&
            ip -6 rule add to fd01:9::/64 lookup 100"
        ));
        let heard = within(Duration::from_secs(20), || {
            let addresses = machine.run("ip -6 address show dev eth0");
            addresses.contains("fd77:") && addresses.contains("fd78:")
        });
        assert!(heard, "{name} hears no router");
    }
    machines.node("node-1").run(&format!(
        "for a in $(seq 0 {}); do for b in $(seq 0 249); do echo \"route add 10.64.$a.$b via 10.240.0.1 proto 80\"; done; done | ip -batch -",
        MANY / 250 - 1
    ));
    let before = WATCHED.map(|name| things(&machines, name));
    assert!(before[0].contains("10.240.0.20/24 metric 100") && before[0].contains("10.203.0.0/24"), "{}", before[0]);
    let assert_as_before = |when: &str| {
        for (name, before) in WATCHED.iter().zip(&before) {
            let mut now = String::new();
            // The route of the router can be back with its next advertisement, which comes after 4 s at most.
            let is = within(Duration::from_secs(10), || {
                now = things(&machines, name);
                now == *before
            });
            let difference = similar::TextDiff::from_lines(before, &now);
            assert!(is, "{when}, {name} is not as it was:\n{}", difference.unified_diff());
        }
        assert!(lease(&machines).is_some_and(|left| left <= 20), "{when}: {:?}", lease(&machines));
    };

    let (server, zero, one, two) = (
        node("server", 10, None),
        node("node-0", 20, Some(0)),
        node("node-1", 21, Some(1)),
        node("node-2", 22, Some(2)),
    );
    let backends = "[backends.netplan]\nnodes = [\"node-0\", \"node-1\"]\n";
    let watch = machines.watch_only(&WATCHED);
    machines.write("topo.toml", &topology(&[&server, &zero, &one], backends));
    apply(&machines, adds(2));
    assert_as_before("after the first file");
    machines.write("topo.toml", &topology(&[&server, &zero, &one, &two], backends));
    machines.topo(&["apply", "-y"]).exits(0);
    assert_as_before("after the second file");
    machines.topo(&["destroy", "-y"]).exits(0);
    assert_as_before("after the file has gone");
    // The lease is renewed after half of its time.
    let mut last = lease(&machines);
    let renewed = within(Duration::from_secs(25), || {
        let now = lease(&machines);
        std::mem::replace(&mut last, now) < now
    });
    assert!(renewed, "{last:?}");
    assert_as_before("after a renewal");

    // A lease that comes while the file is loaded names another gateway.
    machines.lease_with_gateway("10.240.0.10");
    apply(&machines, adds(2));
    let mut gateways = String::new();
    let replaced = within(Duration::from_secs(10), || {
        gateways = machines.node("node-0").run("ip -4 route show default");
        gateways.starts_with("default via 10.240.0.10 dev eth0 proto dhcp ") && gateways.lines().count() == 1
    });
    assert!(replaced, "{gateways}");
    watch.assert_lost_nothing();

    machines.end_leases();
    let expired = within(Duration::from_secs(40), || {
        !machines.node("node-0").run("ip -4 address show dev eth0").contains("10.240.0.20")
    });
    assert!(expired, "the address outlives its lease");
}

/// How many seconds the leased address has left. None: it is there for ever, or not at all.
fn lease(machines: &Machines) -> Option<u32> {
    let said = machines.node("node-0").run("ip -o -4 address show dev eth0 to 10.240.0.20/32");
    said.split_once("valid_lft ")?.1.split_once("sec")?.0.parse().ok()
}

/// All that others have on a node, without the times that pass.
fn things(machines: &Machines, name: &str) -> String {
    let list = "ip -o address show dev eth0 | sed 's/_lft [0-9]*sec/_lft TIME/g' | sort; ip rule; ip -6 rule; ip neighbour show nud permanent | sort;
        ip nexthop show id 7; ip -N -d -4 route show table all | grep -v ' 10.200' | sort;
        ip -N -d -6 route show table all | grep -v ' fd00:200' | sed 's/expires [0-9]*sec/expires/; s/nhid [0-9]* //; /nh_info .* proto 9/d' | sort";
    let text = machines.node(name).run(list);
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

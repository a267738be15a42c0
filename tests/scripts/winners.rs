//! After a write, the kernel is asked who wins: for packets of the node and of its pods.

use std::sync::Arc;

use topo::plan::Options;
use topo::report::RunOutcome;

use super::cases::{FILE_FIRST, FIRST, NETWORKD};
use super::machine::{Machine, Programs};
use super::runs::Stage;
use crate::fake::world::Ran;

/// A machine with a bridge for its pods.
const BRIDGE: &str = r"
mount -t tmpfs tmpfs /run
ip addr add 10.240.0.10/24 dev eth0
ip link set lo up
ip link add cnio0 type veth peer name pod0
ip addr add 10.200.0.1/24 dev cnio0
ip link set cnio0 up
ip link set pod0 up
ip route add default via 10.240.0.1 proto static
echo 0 >/proc/sys/net/ipv4/ip_forward
for device in all default eth0 cnio0; do echo 0 >/proc/sys/net/ipv4/conf/$device/rp_filter; done
ip route add default via 10.240.0.99 table 100
";

/// The outcome of a run on a machine like this; none where no namespace can be made.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn outcome(setup: &str, text: &str) -> Option<(Stage, RunOutcome)> {
    let programs = Arc::new(Programs::new());
    if let Err(reason) = Machine::new(&programs, "") {
        eprintln!("skipped: no network namespace can be made here: {reason}");
        return None;
    }
    let stage = Stage::new(&programs, setup).expect("a machine");
    let options = Options { take_over: vec!["*".parse().expect("a pattern")], ..Options::default() };
    match stage.apply(text, &options) {
        Ran::Done(outcome) => Some((stage, outcome)),
        Ran::Refused(plan) => panic!("{:?}", plan.findings),
        _ => panic!("nothing was done"),
    }
}

#[test]
fn a_rule_for_packets_of_pods_is_noticed_after_the_write() {
    for (rule, told) in [
        ("from 10.200.0.0/24 lookup 100", Some("packets from the node's pods to ")),
        ("to 10.200.0.0/24 lookup 100", Some("packets from other pods to the node's own 10.200.0.0/24 take table 100")),
        ("to 10.200.1.0/24 iif cnio0 prohibit", Some("the kernel drops packets from the node's pods to 10.200.1.0/24")),
        ("fwmark 1 lookup 100", None),
    ] {
        let Some((_, outcome)) = outcome(&format!("{BRIDGE}ip rule add {rule}\n"), FIRST) else { return };
        assert!(outcome.is_complete(), "{outcome:?}");
        let warnings: Vec<&str> = outcome.warnings.iter().map(|(_, text)| text.as_str()).collect();
        let is_told = |text: &&str| told.is_some_and(|told| text.contains(told));
        assert_eq!(warnings.iter().any(is_told), told.is_some(), "{rule}: {warnings:?}");
        assert!(told.is_some() || warnings.is_empty(), "{rule}: {warnings:?}");
    }
}

/// A file of somebody else with another next hop; networkd has read it.
const OTHERS_FILE: &str = r"
mkdir -p /etc/systemd/network/eth0.network.d
printf '[Route]\nDestination=10.200.1.0/24\nGateway=10.240.0.99\n' >/etc/systemd/network/eth0.network.d/70-other.conf
ip route add 10.200.1.0/24 via 10.240.0.99 proto static dev eth0
echo '10.200.1.0/24 via 10.240.0.99 proto static dev eth0' >/run/fake/installed
";

#[test]
fn what_a_file_of_others_brings_back_is_not_done() {
    // The row of the file stands behind topo's, or before it.
    for (verb, why) in [
        ("append", None),
        ("prepend", Some("The route to 10.200.1.0/24 is not in force: the kernel uses `10.200.1.0/24 via 10.240.0.99")),
    ] {
        let networkd = NETWORKD.replace("ip route append", &format!("ip route {verb}"));
        let Some((stage, outcome)) = outcome(&format!("{networkd}{OTHERS_FILE}"), FILE_FIRST) else { return };
        let wins = stage.by_hand("ip route get fibmatch 10.200.1.2");
        assert_eq!(outcome.is_complete(), why.is_none(), "{verb}: {outcome:?}");
        let said: String = outcome.failures.iter().map(|failure| failure.message.as_str()).collect();
        assert!(why.is_none_or(|why| said.contains(why)), "{verb}: {said}");
        assert_eq!(wins.contains("via 10.240.0.11"), why.is_none(), "{verb}: {wins}");
    }
}

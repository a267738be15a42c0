//! A look while a command of its scripts fails, each command of it in each way: the answer is the same, or there is none.

use std::sync::Arc;

use topo::exchange::node::{
    self, DeviceSetting, FileForm, FileInquiry, KernelKey, Listing, Nonce, Packet, Part, Reply, Request, ValuesInquiry,
};

use super::machine::{Fault, Machine, Mode, Programs};
use super::runs::tries_all;

/// Without `TOPO_ALL_FAILURES`, one in this many is tried. The number of modes is no multiple of it, so each of them comes up.
const SHARE: usize = 5;

/// A node with all that a look asks for.
const SETUP: &str = r#"
mount -t tmpfs tmpfs /run
ip addr add 10.240.0.10/24 dev eth0
ip link set lo up
ip route add default via 10.240.0.1 proto static
ip -6 route add default via fd00:240::1 proto static
ip route add 10.200.1.0/24 via 10.240.0.21 proto 201
ip route add 10.200.2.0/24 via 10.240.0.22 proto 201
ip route add 10.201.0.0/24 via 10.240.0.23 proto 80
ip -6 route add fd00:200:1::/64 via fd00:240::21 proto 201
mkdir -p /etc/topo /etc/netplan /etc/sysctl.d /etc/systemd/network/eth0.network.d /run/topo
printf 'lineage 0a1b2c3d4e5f60718293a4b5c6d7e8f9\nprotocol 201\n' >/etc/topo/kthw
printf 'nameserver 10.240.0.2\n' >/etc/resolv.conf
printf '# topo\nnetwork:\n  version: 2\n' >/etc/netplan/60-topo.yaml
chmod 600 /etc/netplan/60-topo.yaml
printf '# topo\n[Route]\nDestination=10.200.1.0/24\nGateway=10.240.0.21\nProtocol=201\n' >/etc/systemd/network/eth0.network.d/60-topo.conf
printf 'net.ipv4.ip_forward = 1\n' >/etc/sysctl.d/60-topo.conf
printf 'net.ipv4.ip_forward = 0\n' >/etc/sysctl.d/10-other.conf
mkdir -p /sys/class/net/eth0 /run/systemd/netif/links /run/systemd/units
echo 3 >/sys/class/net/eth0/ifindex
printf 'ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/eth0.network\n' >/run/systemd/netif/links/3
ln -s 00000000000000000000000000000001 /run/systemd/units/invocation:systemd-networkd.service
echo 00000000000000000000000000000001 >/run/topo/60-topo.yaml.pending
ip route add 10.200.0.0/24 dev eth0
ip tuntap add dev wg0 mode tun
ip addr add 10.9.0.1/24 dev wg0
ip link set wg0 up
ip route add 10.200.3.0/24 via 10.9.0.2 proto 201
mkdir -p /sys/class/net/wg0
echo 65534 >/sys/class/net/wg0/type
ip rule add from 10.200.0.0/24 lookup 100
ip route add default via 10.240.0.99 table 100
echo 1 >/proc/sys/net/ipv4/ip_forward
printf 'network:\n  ethernets:\n    eth0:\n      routes: [{to: 10.200.2.0/24, via: 10.240.0.99}]\n' >/etc/netplan/50-other.yaml
stub systemctl '[ "$*" = "is-active --quiet systemd-networkd" ]'
stub dpkg-query 'printf 0.106-2+deb12u1'
stub netplan '[ "$*" = get ] && printf "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    eth0:\n      addresses:\n      - \"10.240.0.10/24\"\n"'
"#;

fn inquiry(form: FileForm, name: &str) -> Request {
    let next_hops = ["10.240.0.21", "10.240.0.22", "10.99.0.1"].map(|hop| hop.parse().expect("an address")).to_vec();
    Request::Inspect(FileInquiry { form, name: name.to_owned(), next_hops, known: None })
}

fn requests() -> Vec<Request> {
    let list = |table| Request::List(Listing { table, protocols: vec![201], known: None });
    let hops =
        ["10.240.0.21", "10.99.0.1", "fd00:240::21", "10.9.0.2"].map(|hop| hop.parse().expect("an address")).to_vec();
    let all = DeviceSetting::REVERSE_PATH_FILTER.of("all").expect("a device");
    let values = ValuesInquiry {
        keys: vec![KernelKey::ip_forward(), KernelKey::ipv6_forwarding(), all],
        of_devices: vec![DeviceSetting::REVERSE_PATH_FILTER],
        devices: vec!["default".to_owned()],
        reached: vec!["10.240.0.21".parse().expect("an address")],
        advertised: true,
        whole: "/etc/sysctl.d/60-topo.conf".to_owned(),
    };
    let address = |text: &str| text.parse().expect("an address");
    let ways =
        [None, Some((address("10.200.0.2"), "eth0".to_owned()))].map(|from| Packet { to: address("10.200.2.2"), from });
    vec![
        Request::Identify,
        list(254),
        // There is no such table.
        list(103),
        Request::Reach(hops),
        Request::Ways(ways.to_vec()),
        Request::Kept(["10.200.1.0/24", "10.200.2.0/24"].map(|key| key.parse().expect("a prefix")).to_vec()),
        inquiry(FileForm::Netplan, "60-topo.yaml"),
        inquiry(FileForm::Networkd, "60-topo.conf"),
        Request::Values(values),
    ]
}

/// The same look at a table whose rows need more than the shell.
const LONG_TABLE: &str = r#"
for number in $(seq 1 100); do
  echo "route add 10.203.$number.0/24 via 10.240.0.21 proto 201"
  echo "route add 10.204.$number.0/24 via 10.240.0.21 proto 80"
  echo "route add 10.205.$number.0/24 via 10.240.0.21 proto 80 metric 10"
  echo "route add 10.206.$number.0/24 via 10.240.0.21 proto 201 metric 10"
done | ip -batch -
"#;

/// What a look says, or that it says nothing.
fn ask(machine: &Machine, requests: &[Request], fault: Option<&Fault>) -> Option<Vec<Option<Reply>>> {
    let nonce = Nonce::random();
    let output = machine.run(&node::render(requests, &nonce), fault);
    let replies = node::parse(&output, requests, &nonce).ok()?;
    if matches!(replies[..], [Reply::Lacking(_)]) {
        return None;
    }
    Some(replies.into_iter().map(plain).collect())
}

/// The answer that counts. The version of netplan is only for words.
fn plain(reply: Reply) -> Option<Reply> {
    match reply {
        Reply::Unknown(_) => None,
        Reply::Inspected(mut inspected) => {
            if let Part::Sent(found) = &mut inspected.found {
                found.netplan = found.netplan.take().map(|_| String::new());
            }
            Some(Reply::Inspected(inspected))
        }
        other => Some(other),
    }
}

/// Lets each call of a look go wrong in each way. Gives back how many were tried.
fn try_all(machine: &Machine, requests: &[Request]) -> (usize, Vec<String>) {
    let whole = ask(machine, requests, None).expect("an answer");
    assert!(whole.iter().all(Option::is_some), "{whole:#?}");
    let calls = machine.calls();
    let mut wrong = Vec::new();
    let mut tried = 0;
    let each = calls.iter().flat_map(|(call, arguments)| Mode::ALL.map(|mode| (call, arguments, mode)));
    // Where `netplan get` fails, or prints a part, there is no definition, and topo refuses to write a file.
    let each = each.filter(|(_, arguments, _)| *arguments != "get");
    for (call, arguments, mode) in each.step_by(if tries_all() { 1 } else { SHARE }) {
        let fault = Fault { call: call.clone(), mode };
        tried += 1;
        let Some(replies) = ask(machine, requests, Some(&fault)) else { continue };
        for (reply, whole) in replies.iter().zip(&whole) {
            if reply.is_some() && reply != whole {
                wrong.push(format!("{call} {arguments}, {mode:?}: {reply:#?}\nwhich is {whole:#?}"));
            }
        }
    }
    (tried, wrong)
}

#[test]
#[expect(clippy::print_stderr, reason = "it says how many failures were tried, or why none were")]
fn a_look_whose_commands_fail_says_the_same_or_nothing() {
    let programs = Arc::new(Programs::new());
    let machine = match Machine::new(&programs, SETUP) {
        Ok(machine) => machine,
        Err(reason) => {
            eprintln!("skipped: no network namespace can be made here: {reason}");
            return;
        }
    };
    let (mut tried, mut wrong) = try_all(&machine, &requests());
    machine.by_hand(LONG_TABLE);
    let (more, also) = try_all(&machine, &requests()[..4]);
    tried += more;
    wrong.extend(also);
    eprintln!("looks: {tried} failures tried, {} wrong answers", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

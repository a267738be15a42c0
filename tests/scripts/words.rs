//! The kernel's words for "no route leads there" are a closed list in the scripts. Each of them comes from a real kernel here.

use topo::exchange::node::{self, FoundWay, Nonce, Packet, Reply, Request};

use crate::fake::namespace::Namespace;

/// Routes that lead nowhere in each way, and packets that come in where no answer to them would go out.
const SETUP: &str = "
ip addr add 10.240.0.10/24 dev eth0
ip link set lo up
ip link add cnio0 type veth peer name pod0
ip addr add 10.200.0.1/24 dev cnio0
ip link set cnio0 up
ip link set pod0 up
ip route add unreachable 10.201.0.0/24
ip route add prohibit 10.201.1.0/24
ip route add blackhole 10.201.2.0/24
ip route add throw 10.201.3.0/24
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv4/conf/cnio0/forwarding
echo 1 >/proc/sys/net/ipv4/conf/cnio0/rp_filter
";

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn each_word_for_no_route_is_the_kernels() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return eprintln!("skipped: no network namespace can be made here: {reason}"),
    };
    namespace.run(SETUP);
    let address = |text: &str| text.parse().expect("an address");
    for (to, from, words) in [
        ("192.0.2.1", None, &["Network is unreachable"][..]),
        ("10.201.3.1", None, &["Network is unreachable"]),
        ("10.201.0.1", None, &["No route to host"]),
        ("10.201.1.1", None, &["Permission denied"]),
        ("10.201.2.1", None, &["Invalid argument"]),
        // Older kernels say the first.
        ("10.240.0.8", Some("10.240.0.9"), &["Invalid cross-device link", "Invalid argument"]),
    ] {
        let from = from.map(|from| (address(from), "cnio0".to_owned()));
        let requests = [Request::Ways(vec![Packet { to: address(to), from }])];
        let nonce = Nonce::random();
        let output = namespace.run(&node::render(&requests, &nonce));
        let replies = node::parse(&output, &requests, &nonce).expect("an answer");
        let [Reply::Ways(found)] = &*replies else { panic!("{to}: {replies:?}") };
        let is_said = |said: &FoundWay| matches!(said, FoundWay::Dropped(said) if words.contains(&said.as_str()));
        assert!(found.len() == 1 && found.iter().all(is_said), "{to}: {found:?}");
    }
}

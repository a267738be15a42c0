//! Everything that `ip` can give a route is noticed in a listing: topo must not lose it without a word.

use topo::exchange::node::{self, Listing, LiveRoute, Nonce, Reply, Request};
use topo::network::MAIN_TABLE;

use crate::fake::namespace::Namespace;

/// What `ip route add` of iproute2 6.1 takes for a route by a next hop (`usage` in `ip/iproute.c`), and `ip -d route` prints.
const GIVEN: &[&str] = &[
    "mtu 1400",
    "mtu lock 1400",
    "advmss 1300",
    "advmss lock 1300",
    "src 10.240.0.20",
    "initcwnd 20",
    "initrwnd 30",
    "window 2000",
    "rtt 100ms",
    "rttvar 50ms",
    "rto_min 300ms",
    "ssthresh 100",
    "cwnd lock 10",
    "reordering 5",
    "hoplimit 33",
    "features ecn",
    "quickack 1",
    "congctl reno",
    "congctl lock reno",
    "fastopen_no_cookie 1",
    "realms 1/2",
    "onlink",
    "scope link",
    "tos 0x10",
    "nexthop via 10.240.0.22 dev eth0",
    "encap ip id 100 dst 10.0.0.1",
];

/// The same for IPv6.
const GIVEN_6: &[&str] =
    &["mtu 1400", "hoplimit 33", "expires 1000", "pref low", "src fd00:240::20", "from fd09::/64", "onlink"];

/// The rows of the table, and which of the attributes this kernel took.
fn rows(namespace: &Namespace) -> (Vec<LiveRoute>, Vec<(String, String)>) {
    let of = |at: usize, given: &&str| {
        let way = match *given {
            "scope link" => "dev eth0",
            given if given.starts_with("nexthop") => "nexthop via 10.240.0.21 dev eth0",
            _ => "via 10.240.0.21 dev eth0",
        };
        (
            format!("10.201.{at}.0/24"),
            format!("route add 10.201.{at}.0/24 {way} proto boot {given}"),
            (*given).to_owned(),
        )
    };
    let of_6 = |at: usize, given: &&str| {
        let key = format!("fd01:{}::/64", at + 1);
        let line = format!("-6 route add {key} via fd00:240::21 dev eth0 proto boot {given}");
        (key, line, (*given).to_owned())
    };
    let all = GIVEN.iter().enumerate().map(|(at, given)| of(at, given));
    let all = all.chain(GIVEN_6.iter().enumerate().map(|(at, given)| of_6(at, given)));
    let mut taken = Vec::new();
    for (key, line, given) in all {
        let said = namespace.run(&format!("ip {line} >/dev/null 2>&1 && echo taken\n"));
        if said == b"taken\n" {
            taken.push((key, given));
        }
    }
    let (nonce, listing) = (Nonce::random(), Listing { table: MAIN_TABLE, protocols: vec![201], known: None });
    let requests = [Request::List(listing)];
    let output = namespace.run(&node::render(&requests, &nonce));
    let replies = node::parse(&output, &requests, &nonce).expect("an answer");
    let [Reply::Listed(listed)] = &replies[..] else { panic!("{replies:?}") };
    (listed.rows().cloned().collect(), taken)
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn whatever_a_route_has_is_noticed() {
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(reason) => return eprintln!("skipped: no network namespace can be made here: {reason}"),
    };
    let (rows, taken) = rows(&namespace);
    // `encap` and `congctl` need modules.
    assert!(taken.len() >= GIVEN.len() + GIVEN_6.len() - 4, "this kernel takes few: {taken:?}");
    for (key, given) in taken {
        let row = rows
            .iter()
            .find(|row| row.destination.to_string() == key)
            .unwrap_or_else(|| panic!("{given} is not listed"));
        let is_noticed = !row.plain || row.next_hop.is_none() || row.attributes.is_some();
        assert!(is_noticed, "{given}: {row:?}");
        // A plain row says all of it, so that a change names what is lost.
        if row.plain && row.next_hop.is_some() {
            let word = given.split(' ').next().expect("a word");
            assert!(row.describe().contains(word), "{given}: {}", row.describe());
        }
    }
}

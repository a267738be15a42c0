//! The fake node against the kernel: random sequences of exchanges and of commands typed by hand.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use topo::exchange::node::{
    self, Identity, Listing, LiveRoute, Marker, Nonce, Part, Reply, Request, RouteCommand, RouteOutcome, RouteVerb,
    RouteWrite,
};
use topo::network::{BOOT, Family, MAIN_TABLE, Prefix, Route};
use topo::resource::Token;

use super::cases;
use super::kernel::{Command, Node, Verb, Way, text};
use super::namespace::{MACHINE_ID, Namespace, PEER};

#[derive(Clone, Debug)]
enum Act {
    Hand(Command),
    Flap,
    Down,
    Up,
    Look {
        table: u32,
        metric_known: bool,
    },
    Write {
        table: u32,
        protocol: u8,
        guard: Guard,
        commands: Vec<RouteCommand>,
    },
    Mark(u8),
    Unmark(u8),
    /// Another asset tag of the chassis, or none.
    Chassis(Option<&'static str>),
    /// A write that is held back, and the removal of a marker behind it.
    WriteAndUnmark(RouteWrite),
}

#[derive(Clone, Copy, Debug)]
enum Guard {
    None,
    /// The token of the last look, which may be old by now.
    Ours,
    All,
}

const DESTINATIONS: &[&str] = &[
    "10.200.1.0/24",
    "10.200.2.0/24",
    "10.200.1.128/25",
    "10.200.3.1/32",
    "10.240.0.96/28",
    "fd00:200:1::/64",
    "fd00:200:2::/64",
    "fd00:200:3::1/128",
];
const CHASSIS: &[&str] = &[
    "7783-7084-3265-9085-8269-3286-77\n",
    "7783-7084-3265-9085-8269-3286-77",
    " 7783-7084-3265-9085-8269-3286-77\nNo asset tag\n",
    "7783-7084-3265-9085-8269-3286-77 B\n",
    "7783-7084-3265-9085-8269-3286-7\n",
    "-n\nin azure\n",
    "$(echo 7783-7084-3265-9085-8269-3286-77)*\n",
    "",
];
const PROTOCOLS: &[u8] = &[201, 201, 201, 202, 4, 80];

fn hop(family: Family, number: u8) -> IpAddr {
    let text = match (family, number) {
        (Family::V4, 5) => "10.99.0.1".to_owned(),
        (Family::V6, 5) => "fd99::1".to_owned(),
        (Family::V4, number) => format!("10.240.0.2{number}"),
        (Family::V6, number) => format!("fd00:240::2{number}"),
    };
    text.parse().expect("address")
}

fn destination() -> impl Strategy<Value = Prefix> {
    prop_oneof![3 => 0..2_usize, 1 => 0..DESTINATIONS.len(), 2 => 5..7_usize]
        .prop_map(|at| DESTINATIONS[at].parse().expect("prefix"))
}

fn table() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(MAIN_TABLE), 1 => Just(100)]
}

fn metric() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![6 => Just(None), 1 => Just(Some(0)), 2 => Just(Some(50))]
}

fn by_hand() -> impl Strategy<Value = Command> {
    let verb = prop_oneof![
        3 => Just(Verb::Add), 2 => Just(Verb::Append), 1 => Just(Verb::Prepend), 2 => Just(Verb::Change),
        1 => Just(Verb::Replace), 3 => Just(Verb::Delete)
    ];
    (
        verb,
        table(),
        destination(),
        metric(),
        0..10_u8,
        1..=5_u8,
        prop::option::weighted(0.6, prop::sample::select(PROTOCOLS)),
    )
        .prop_map(|(verb, table, destination, metric, way, number, protocol)| {
            let family = destination.family();
            let way = match way {
                // A removal that names no next hop matches more than is modelled.
                0 if !matches!(verb, Verb::Append | Verb::Prepend | Verb::Delete) => Way::Device,
                1 if matches!(verb, Verb::Add | Verb::Change | Verb::Replace) => Way::Blackhole,
                2 if family == Family::V4 && number < 4 && verb != Verb::Delete => {
                    Way::Multi(vec![hop(family, number), hop(family, number + 1)])
                }
                _ => Way::Via(hop(family, number)),
            };
            Command { verb, table, destination, metric, way, protocol }
        })
}

fn route_command() -> impl Strategy<Value = RouteCommand> {
    (0..3_u8, destination(), 1..=5_u8, 1..=4_u8, prop::sample::select(PROTOCOLS), metric()).prop_map(
        |(verb, destination, number, from, protocol, metric)| {
            let family = destination.family();
            let verb = match verb {
                0 => RouteVerb::Add,
                1 => RouteVerb::Change { from: hop(family, from), protocol: BOOT, on_link: None },
                _ => RouteVerb::Delete,
            };
            RouteCommand {
                verb,
                route: Route { destination, next_hop: hop(family, number) },
                protocol,
                metric,
                on_link: None,
            }
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let guard = prop_oneof![Just(Guard::None), Just(Guard::Ours), Just(Guard::All)];
    let commands = prop::collection::vec(route_command(), 1..6);
    let write = (table(), prop::sample::select(&[201_u8, 202][..]), guard, commands);
    prop_oneof![
        8 => by_hand().prop_map(Act::Hand),
        1 => Just(Act::Flap),
        1 => Just(Act::Down),
        1 => Just(Act::Up),
        3 => (table(), any::<bool>()).prop_map(|(table, metric_known)| Act::Look { table, metric_known }),
        6 => write.prop_map(|(table, protocol, guard, commands)| Act::Write { table, protocol, guard, commands }),
        1 => (0..3_u8).prop_map(Act::Mark),
        1 => (0..3_u8).prop_map(Act::Unmark),
        1 => prop::option::of(prop::sample::select(CHASSIS)).prop_map(Act::Chassis),
        1 => prop::collection::vec(route_command(), 1..4).prop_map(|commands| Act::WriteAndUnmark(RouteWrite {
            listing: Listing { table: MAIN_TABLE, protocols: vec![201], known: Some(Token::of("0", "0")) },
            guard_foreign: false,
            commands,
        })),
    ]
}

/// Both at once, with the tokens that each gave.
struct Pair<'a> {
    real: &'a Namespace,
    fake: Node,
    /// Tokens that were given together: they mean the same, or one side is wrong.
    tokens: Vec<(u32, Token, Token)>,
    last: BTreeMap<(u32, u8), (Token, Token)>,
}

impl Pair<'_> {
    fn act(&mut self, act: &Act) {
        match act {
            Act::Hand(command) => {
                let said = String::from_utf8(self.real.run(&format!("{} 2>&1\n", words(command)))).expect("text");
                let fake = self.fake.by_hand(command);
                let said = said.lines().next().map(|line| {
                    line.trim_start_matches("RTNETLINK answers: ").trim_start_matches("Error: ").to_owned()
                });
                assert_eq!(said, fake.err(), "{}", words(command));
            }
            Act::Down | Act::Flap | Act::Up => {
                if !matches!(act, Act::Up) {
                    self.real.run("ip link set eth0 down\n");
                    self.fake.link_down();
                }
                if !matches!(act, Act::Down) {
                    self.real.run("ip link set eth0 up\nip addr add fd00:240::20/64 dev eth0 nodad 2>/dev/null\n");
                    self.fake.link_up();
                }
            }
            Act::Look { table, metric_known } => {
                let known = self.last.get(&(*table, 201)).filter(|_| *metric_known).cloned();
                let requests = |known: Option<Token>| {
                    vec![
                        Request::Identify,
                        Request::List(Listing { table: *table, protocols: vec![201], known }),
                        reach(),
                    ]
                };
                let (real, fake) = known.unzip();
                let replies = self.exchange(&requests(real), &requests(fake));
                if let Reply::Listed(listed) = &replies.0[1] {
                    let Reply::Listed(other) = &replies.1[1] else { panic!("{replies:?}") };
                    self.last.insert((*table, 201), (listed.token.clone(), other.token.clone()));
                }
            }
            Act::Write { table, protocol, guard, commands } => {
                let known = self.last.get(&(*table, *protocol)).cloned().filter(|_| !matches!(guard, Guard::None));
                let write = |known: Option<Token>| {
                    vec![Request::Write(RouteWrite {
                        listing: Listing { table: *table, protocols: vec![*protocol], known },
                        guard_foreign: matches!(guard, Guard::All),
                        commands: commands.clone(),
                    })]
                };
                let (real, fake) = known.unzip();
                self.exchange(&write(real), &write(fake));
            }
            Act::Mark(number) => {
                let marker = Marker {
                    topology: format!("t{number}"),
                    lineage: "ab12".into(),
                    protocol: 201,
                    node: Some("n".into()),
                    machine_id: Some("ab".into()),
                    serial: Some(7),
                };
                let requests = [Request::WriteMarker(marker), Request::Identify];
                self.exchange(&requests, &requests);
            }
            Act::Unmark(number) => {
                let requests = [Request::RemoveMarker(format!("t{number}")), Request::Identify];
                self.exchange(&requests, &requests);
            }
            Act::Chassis(tag) => {
                let script = match tag {
                    Some(tag) => format!("printf %s '{tag}' >/sys/class/dmi/id/chassis_asset_tag\n"),
                    None => "rm -f /sys/class/dmi/id/chassis_asset_tag\n".to_owned(),
                };
                self.real.run(&script);
                self.fake.chassis = tag.map(str::to_owned);
                self.exchange(&[Request::Identify], &[Request::Identify]);
            }
            Act::WriteAndUnmark(write) => {
                let requests = [Request::Write(write.clone()), Request::RemoveMarker("t0".into()), Request::Identify];
                self.exchange(&requests, &requests);
            }
        }
    }

    /// The same exchange with both; what they answer must mean the same.
    fn exchange(&mut self, real: &[Request], fake: &[Request]) -> (Vec<Reply>, Vec<Reply>) {
        let nonce = Nonce::random();
        let output = self.real.run(&node::render(real, &nonce));
        let answered = node::parse(&output, real, &nonce).expect("an answer");
        let modelled = self.fake.exchange(fake);
        let (one, other): (Vec<String>, Vec<String>) = (
            answered.iter().map(|reply| format!("{:#?}", plain(reply))).collect(),
            modelled.iter().map(|reply| format!("{:#?}", plain(reply))).collect(),
        );
        similar_asserts(&one, &other, real);
        for (work, (one, other)) in real.iter().zip(answered.iter().zip(&modelled)) {
            if let (Some(one), Some(other)) = (token(one), token(other)) {
                let table = table_of(work);
                for (_, before, modelled) in self.tokens.iter().filter(|(of, ..)| *of == table) {
                    assert_eq!(before.ours() == one.ours(), modelled.ours() == other.ours(), "ours: {real:?}");
                    assert_eq!(before.foreign() == one.foreign(), modelled.foreign() == other.foreign(), "{real:?}");
                }
                self.tokens.push((table, one, other));
            }
        }
        (answered, modelled)
    }
}

fn similar_asserts(real: &[String], fake: &[String], requests: &[Request]) {
    assert!(real == fake, "{requests:?}\nthe kernel: {}\nthe fake: {}", real.join("\n"), fake.join("\n"));
}

fn reach() -> Request {
    let hops = [Family::V4, Family::V6].into_iter().flat_map(|family| (1..=5).map(move |number| hop(family, number)));
    Request::Reach(hops.chain([PEER.parse().expect("address")]).collect())
}

fn words(command: &Command) -> String {
    let verb = match command.verb {
        Verb::Add => "add",
        Verb::Append => "append",
        Verb::Prepend => "prepend",
        Verb::Change => "change",
        Verb::Replace => "replace",
        Verb::Delete => "del",
    };
    let (kind, way) = match &command.way {
        Way::Via(hop) => ("", format!(" via {hop}")),
        Way::Device => ("", " dev eth0".to_owned()),
        Way::Blackhole => ("blackhole ", String::new()),
        Way::Multi(hops) => ("", hops.iter().fold(String::new(), |text, hop| text + &format!(" nexthop via {hop}"))),
    };
    let option = |name: &str, value: Option<u32>| value.map(|value| format!(" {name} {value}")).unwrap_or_default();
    let table = (command.table != MAIN_TABLE).then_some(command.table);
    let attributes =
        option("proto", command.protocol.map(u32::from)) + &option("table", table) + &option("metric", command.metric);
    format!("ip route {verb} {kind}{}{attributes}{way}", text(&command.destination))
}

fn token(reply: &Reply) -> Option<Token> {
    match reply {
        Reply::Listed(listed) => Some(listed.token.clone()),
        Reply::RouteOutcome(RouteOutcome::Done { token, .. }) => Some(token.clone()),
        _ => None,
    }
}

fn table_of(work: &Request) -> u32 {
    match work {
        Request::List(listing) => listing.table,
        Request::Write(write) => write.listing.table,
        _ => 0,
    }
}

/// Without what cannot be equal: the hashes, the order, and the wording of ways.
fn plain(reply: &Reply) -> Reply {
    let none = Token::of("", "");
    let sorted = |rows: &[LiveRoute]| {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|row| format!("{row:?}"));
        rows
    };
    match reply.clone() {
        Reply::Listed(mut listed) => {
            listed.token = none;
            for part in [&mut listed.ours, &mut listed.foreign] {
                if let Part::Sent(rows) = part {
                    *rows = sorted(rows);
                }
            }
            Reply::Listed(listed)
        }
        Reply::Reached { not_on_link, tunnels } => Reply::Reached {
            not_on_link: not_on_link.into_iter().map(|(hop, _)| (hop, String::new())).collect(),
            tunnels,
        },
        Reply::RouteOutcome(RouteOutcome::PutBack { .. }) => {
            Reply::RouteOutcome(RouteOutcome::PutBack { before: String::new(), after: String::new() })
        }
        Reply::RouteOutcome(RouteOutcome::Done { appeared, vanished, refused, loses, .. }) => {
            Reply::RouteOutcome(RouteOutcome::Done {
                token: none,
                appeared: sorted(&appeared),
                vanished: sorted(&vanished),
                refused,
                loses,
            })
        }
        Reply::Identity(identity) => Reply::Identity(Identity { resolvers: vec![], ..identity }),
        Reply::Unknown(_) => Reply::Unknown(String::new()),
        other => other,
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn the_fake_node_is_as_the_kernel() {
    if let Err(reason) = Namespace::new() {
        eprintln!("skipped: no network namespace can be made here: {reason}");
        return;
    }
    let config = Config { cases: cases(6), failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let run = TestRunner::new(config).run(&prop::collection::vec(act(), 1..40), |acts| {
        let namespace = Namespace::new().map_err(TestCaseError::fail)?;
        let addresses = [("10.240.0.20".parse().expect("address"), 24), ("fd00:240::20".parse().expect("address"), 64)];
        let fake = Node::new(MACHINE_ID, &addresses, PEER.parse().ok());
        let mut pair = Pair { real: &namespace, fake, tokens: vec![], last: BTreeMap::new() };
        for act in &acts {
            pair.act(act);
        }
        for table in [MAIN_TABLE, 100] {
            pair.act(&Act::Look { table, metric_known: false });
        }
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}

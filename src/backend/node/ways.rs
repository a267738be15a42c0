//! Rules that lead packets past the wanted routes. Where a node has rules beyond those that the kernel has by itself, topo asks the
//! kernel which way packets take: those that the node sends, those from its pods, and those to its pods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::observed::Seen;
use super::words::listed;
use crate::exchange::node::{FoundWay, Listed, LiveRoute, Packet, Rule, is_device};
use crate::network::{BOOT, Family, MAIN_TABLE, Prefix, Route, RouteSet, STATIC};
use crate::plan::DesiredPlace;
use crate::resource::Record;
use crate::state::PlaceRecord;

/// At most so many packets of one node and address family are asked about.
const MOST: usize = 200;

/// Which packets a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Traffic {
    FromPods,
    OfNode,
    ToPods,
    /// What the node itself sends by a route whose key has a row of somebody else.
    Contested,
}

/// A question, and the answer that is as the topology says.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) packet: Packet,
    traffic: Traffic,
    /// The destination of the route, or the node's own pod subnet.
    destination: Prefix,
    /// The next hop; none for the node's own pods.
    next_hop: Option<IpAddr>,
    /// The table that topo writes to.
    table: u32,
    /// The device that the packet has to leave by, if that is known.
    device: Option<String>,
}

/// The questions about one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways {
    pub(super) expected: Vec<Expected>,
    /// Wanted routes whose key has a row of somebody else with another next hop. Files may keep such rows.
    pub(super) contested: Vec<Route>,
    /// Wanted and recorded routes of the main table beside which somebody has a row of the same key. Only the kernel knows which of the
    /// two it uses.
    pub(super) shared: Vec<Route>,
    /// The node's own pod subnets that no device has an address in.
    pub(super) without_device: Vec<Prefix>,
}

impl Ways {
    /// What to ask a node. Nothing if it has no rules but the kernel's own, and nobody else has what is wanted.
    pub(super) fn new(wanted: Option<&DesiredPlace>, record: Option<&PlaceRecord>, seen: &Seen) -> Self {
        let mut ways = Self::default();
        let rules = &seen.identity.rules;
        let families: BTreeSet<Family> = rules.iter().map(|rule| rule.family).collect();
        // All resources of a node have the same rows.
        let mut sets = wanted.iter().flat_map(|wanted| wanted.resources.values());
        let Some(set) = sets.find_map(|shape| shape.routes.as_ref()) else { return ways };
        let others = rows_of_others(set, record, seen);
        ways.contested = contested(&others);
        ways.shared = shared(set, record, seen, &others);
        for family in families {
            let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.family == family).collect();
            ways.add(set, family, &rules, seen);
        }
        ways
    }

    fn add(&mut self, set: &RouteSet, family: Family, rules: &[&Rule], seen: &Seen) {
        let rows = set.rows.of_family(family).iter();
        let own = rows.filter(|row| set.own.contains(&row.owner)).map(|row| row.destination);
        let mut pods: Vec<(Prefix, &str)> = Vec::new();
        for subnet in own {
            let devices = &mut seen.identity.on_devices.iter();
            match devices.find(|on| subnet.contains(on.address) && is_device(&on.device)) {
                Some(on) => pods.push((subnet, &on.device)),
                None => self.without_device.push(subnet),
            }
        }
        let named =
            |selector: &str| -> Vec<Prefix> { rules.iter().filter_map(|rule| prefix_of(rule, selector)).collect() };
        let (from, to) = (named("from"), named("to"));
        let is_named = |route: &Route| to.iter().any(|named| overlap(named, &route.destination));
        let mut routes: Vec<Route> = set.routes().filter(|route| route.destination.family() == family).collect();
        // Those that a rule names, and then some of all parts of the list.
        let of_pods = pods.iter().map(|(subnet, _)| probes(subnet, &from).len() + probes(subnet, &to).len());
        let room = (MOST / (1 + of_pods.sum::<usize>())).max(1);
        let before = self.expected.len();
        if routes.len() > room {
            let step = routes.len().div_ceil(room);
            let (mut first, others): (Vec<Route>, Vec<Route>) = routes.into_iter().partition(is_named);
            first.extend(others.into_iter().step_by(step));
            first.truncate(room);
            routes = first;
        }
        let mut ask = |packet: Packet, traffic, destination, next_hop, device: Option<&str>| {
            let device = device.map(str::to_owned);
            self.expected.push(Expected { packet, traffic, destination, next_hop, table: set.view.table, device });
        };
        for Route { destination, next_hop } in routes {
            let mut devices = seen.identity.on_devices.iter();
            let entrance = devices.find(|on| on.network.contains(next_hop) && is_device(&on.device));
            for there in probes(&destination, &to) {
                ask(Packet { to: there, from: None }, Traffic::OfNode, destination, Some(next_hop), None);
                for (subnet, device) in &pods {
                    for here in probes(subnet, &from) {
                        let packet = Packet { to: there, from: Some((here, (*device).to_owned())) };
                        ask(packet, Traffic::FromPods, destination, Some(next_hop), None);
                    }
                }
            }
            for (subnet, device) in &pods {
                let Some(entrance) = entrance else { continue };
                for here in probes(subnet, &to) {
                    let packet = Packet { to: here, from: Some((destination.probe(), entrance.device.clone())) };
                    ask(packet, Traffic::ToPods, *subnet, None, Some(device));
                }
            }
        }
        self.expected.truncate(before + MOST);
    }

    /// The destinations that somebody else has, too.
    pub(super) fn contested(&self) -> Vec<Prefix> {
        self.contested.iter().map(|route| route.destination).collect()
    }

    /// The questions of a look: also about routes beside which somebody else has a row.
    pub(super) fn in_look(mut self) -> Self {
        self.expected.extend(self.shared.iter().map(Expected::contested));
        self
    }

    /// The questions behind a write: also about contested routes that are wanted there now, and in force if nobody brings back
    /// another row.
    pub(super) fn after_write(mut self, is_wanted: impl Fn(&Route) -> bool) -> Self {
        let contested: BTreeSet<Route> = self.contested.iter().chain(&self.shared).copied().filter(is_wanted).collect();
        self.expected.extend(contested.iter().map(Expected::contested));
        self
    }

    /// The contested routes that are not in force, each with the answer of the kernel.
    pub(super) fn not_in_force(&self, found: &[FoundWay]) -> Vec<(Prefix, String)> {
        let contested = self.expected.iter().zip(found).filter(|(expected, _)| expected.traffic == Traffic::Contested);
        let lost = contested.filter_map(|(expected, found)| match found {
            FoundWay::Route { next_hop, .. } if *next_hop == expected.next_hop => None,
            FoundWay::Route { said, .. } => Some((expected.destination, format!("the kernel uses `{said}`"))),
            FoundWay::Dropped(said) => {
                Some((expected.destination, format!("the kernel drops packets to it (`{said}`)")))
            }
            FoundWay::NotForwarded(_) => None,
        });
        lost.collect()
    }

    /// The packets to ask about.
    pub(super) fn packets(&self) -> Vec<Packet> {
        self.expected.iter().map(|expected| expected.packet.clone()).collect()
    }

    /// What packets that do not take the wanted route do instead: each cause once. `is_live` says of a route whether it is there,
    /// because a packet may get lost for the lack of it.
    pub(super) fn led_away(&self, found: &[FoundWay], is_live: impl Fn(&Prefix) -> bool) -> Vec<LedAway> {
        let mut causes: BTreeMap<(Traffic, Option<u32>), LedAway> = BTreeMap::new();
        for (expected, found) in self.expected.iter().zip(found) {
            let (table, said) = match found {
                _ if expected.traffic == Traffic::Contested => continue,
                FoundWay::NotForwarded(_) => continue,
                FoundWay::Route { next_hop, device, table, said } => {
                    let is_right =
                        *next_hop == expected.next_hop && (expected.device.is_none() || *device == expected.device);
                    let in_main = *table == MAIN_TABLE && expected.traffic == Traffic::ToPods;
                    if is_right || *table == expected.table || in_main {
                        continue;
                    }
                    (Some(*table), said)
                }
                FoundWay::Dropped(said) => (None, said),
            };
            // Without the route, packets may well take another way.
            if (table.is_none() || table == Some(MAIN_TABLE)) && !is_live(&expected.destination) {
                continue;
            }
            let cause = causes.entry((expected.traffic, table)).or_insert_with(|| LedAway {
                traffic: expected.traffic,
                table,
                said: said.clone(),
                destinations: BTreeSet::new(),
            });
            cause.destinations.insert(expected.destination);
        }
        // What leads the packets of the pods away mostly leads those of the node away, too.
        let of_pods: Vec<(Option<u32>, BTreeSet<Prefix>)> = causes
            .values()
            .filter(|cause| cause.traffic == Traffic::FromPods)
            .map(|cause| (cause.table, cause.destinations.clone()))
            .collect();
        let is_told = |cause: &LedAway| {
            let is_same =
                |(table, all): &(Option<u32>, BTreeSet<Prefix>)| *table == cause.table && *all == cause.destinations;
            cause.traffic == Traffic::OfNode && of_pods.iter().any(is_same)
        };
        causes.into_values().filter(|cause| !is_told(cause)).collect()
    }
}

/// Packets that take a way that the topology does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LedAway {
    pub(super) traffic: Traffic,
    /// The table that they are led to; none: they are dropped.
    pub(super) table: Option<u32>,
    /// The first answer of the kernel.
    pub(super) said: String,
    /// The destinations that topo asked for.
    pub(super) destinations: BTreeSet<Prefix>,
}

impl LedAway {
    /// The packets, in words.
    pub(super) fn packets(&self) -> String {
        let destinations: Vec<String> = self.destinations.iter().map(ToString::to_string).collect();
        let destinations = listed(&destinations);
        match self.traffic {
            Traffic::FromPods => format!("packets from the node's pods to {destinations}"),
            Traffic::OfNode | Traffic::Contested => format!("packets of the node itself to {destinations}"),
            Traffic::ToPods => format!("packets from other pods to the node's own {destinations}"),
        }
    }

    /// The rules that do it, as far as they can be told.
    pub(super) fn rules<'r>(&self, rules: &'r [Rule]) -> Vec<&'r Rule> {
        let family = self.destinations.first().map(Prefix::family);
        let leads = |rule: &&Rule| {
            let mut words = rule.text.split_ascii_whitespace();
            Some(rule.family) == family
                && match self.table {
                    Some(table) => {
                        words.skip_while(|word| *word != "lookup").nth(1) == Some(table.to_string().as_str())
                    }
                    None => words.any(|word| matches!(word, "blackhole" | "prohibit" | "unreachable")),
                }
        };
        // The main table has a rule of its own.
        let is_usual = |rule: &Rule| rule.text.starts_with("32766: ") || rule.text.starts_with("32767: ");
        rules.iter().filter(leads).filter(|rule| !is_usual(rule)).collect()
    }
}

impl Expected {
    /// The question whether the kernel uses a route of the main table.
    fn contested(route: &Route) -> Self {
        Self {
            packet: Packet { to: route.destination.probe(), from: None },
            traffic: Traffic::Contested,
            destination: route.destination,
            next_hop: Some(route.next_hop),
            table: MAIN_TABLE,
            device: None,
        }
    }
}

/// Rows of others that have the key of a wanted route, which is beside each, and another next hop.
fn rows_of_others<'s>(set: &RouteSet, record: Option<&PlaceRecord>, seen: &'s Seen) -> Vec<(&'s LiveRoute, Route)> {
    let rows = seen.table(set.view.table).into_iter().flat_map(Listed::rows);
    // With a mark of its own, topo knows its rows at once.
    let rows = rows.filter(|row| row.protocol != set.view.protocol || row.protocol == STATIC);
    // A plan warns of a row with another metric, and does not change it.
    let is_here = |row: &&LiveRoute| row.metric == set.view.kernel_metric(row.family());
    // With a file of netplan, topo's rows are static, too.
    let recorded = recorded_sets(record);
    let is_ours = |row: &&LiveRoute| {
        let route = |set: &&RouteSet| set.find(&row.destination);
        recorded.iter().filter_map(route).any(|route| Some(route.next_hop) == row.next_hop)
    };
    let rows = rows.filter(is_here).filter(|row| !is_ours(row));
    let of_key = rows.filter_map(|row| Some((row, set.find(&row.destination)?)));
    of_key.filter(|(row, route)| row.next_hop != Some(route.next_hop)).collect()
}

fn recorded_sets(record: Option<&PlaceRecord>) -> Vec<&RouteSet> {
    let recorded = record.iter().flat_map(|record| record.resources.values()).flat_map(Record::shapes);
    recorded.filter_map(|shape| shape.routes.as_ref()).collect()
}

/// The wanted routes whose key has a row of somebody else: typed by hand, or of a program that configures the network.
fn contested(others: &[(&LiveRoute, Route)]) -> Vec<Route> {
    some_of(others.iter().filter(|(row, _)| matches!(row.protocol, BOOT | STATIC) && row.next_hop.is_some()))
}

/// The wanted and recorded routes of the main table that are live and have a row of somebody else beside them.
fn shared(set: &RouteSet, record: Option<&PlaceRecord>, seen: &Seen, others: &[(&LiveRoute, Route)]) -> Vec<Route> {
    let Some(listed) = seen.table(MAIN_TABLE).filter(|_| set.view.table == MAIN_TABLE) else { return Vec::new() };
    let recorded = recorded_sets(record);
    let is_recorded = |route: &Route| {
        recorded.iter().any(|of| of.view.same_key(&set.view) && of.find(&route.destination) == Some(*route))
    };
    let is_live = |route: &Route| {
        let is_it = |row: &LiveRoute| row.destination == route.destination && row.next_hop == Some(route.next_hop);
        listed.ours.is_as_known() || listed.rows().any(is_it)
    };
    some_of(others.iter().filter(|(_, route)| is_recorded(route) && is_live(route)))
}

fn some_of<'o>(others: impl Iterator<Item = &'o (&'o LiveRoute, Route)>) -> Vec<Route> {
    let routes: BTreeSet<Route> = others.map(|(_, route)| *route).collect();
    routes.into_iter().take(MOST).collect()
}

/// The prefix behind a word of a rule. `all` names none.
fn prefix_of(rule: &Rule, selector: &str) -> Option<Prefix> {
    let word = rule.text.split_ascii_whitespace().skip_while(|word| *word != selector).nth(1)?;
    word.parse().ok().or_else(|| word.parse().ok().map(Prefix::host))
}

fn overlap(one: &Prefix, other: &Prefix) -> bool {
    one.covers(other) || other.covers(one)
}

/// The addresses in a prefix to ask for: one that stands for most, and one for each smaller prefix that rules name.
fn probes(prefix: &Prefix, named: &[Prefix]) -> BTreeSet<IpAddr> {
    let inside = named.iter().filter(|named| prefix.covers(named) && *named != prefix);
    inside.map(Prefix::probe).chain([prefix.probe()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::{World, live, place};
    use crate::exchange::node::{Identity, OnDevice, Part};
    use crate::resource::Token;

    /// What node-0 answers with these rules: 10.128.0.10 on eth0, and its pods 172.16.0.0/24 on cnio0.
    fn seen(rules: &[&str]) -> Seen {
        let rule = |text: &&str| Rule { family: Family::V4, text: (*text).to_owned() };
        let on = |device: &str, address: &str, network: &str| OnDevice {
            device: device.to_owned(),
            address: address.parse().expect("address"),
            network: network.parse().expect("prefix"),
        };
        let on_devices = vec![on("eth0", "10.128.0.10", "10.128.0.0/19"), on("cnio0", "172.16.0.1", "172.16.0.0/24")];
        let identity = Identity { rules: rules.iter().map(rule).collect(), on_devices, ..Identity::default() };
        Seen { identity, ..Seen::default() }
    }

    fn ways(nodes: u32, seen: &Seen) -> Ways {
        Ways::new(World::mesh(nodes, nodes).desired().places.get(&place("node-0")), None, seen)
    }

    fn has(ways: &Ways, to: &str, from: Option<&str>) -> bool {
        let is_it = |expected: &Expected| {
            let source = expected.packet.from.as_ref().map(|(from, _)| from.to_string());
            expected.packet.to.to_string() == to && source.as_deref() == from
        };
        ways.expected.iter().any(is_it)
    }

    #[test]
    fn only_a_node_with_rules_of_its_own_is_asked() {
        assert!(ways(3, &seen(&[])).expected.is_empty());
        let all = ways(3, &seen(&["9: from all fwmark 0x1 lookup 100"]));
        // To two nodes: from the node, from its pods, and back to its pods.
        assert_eq!(all.expected.len(), 6);
        for (to, from) in [("172.16.1.2", None), ("172.16.1.2", Some("172.16.0.2")), ("172.16.0.2", Some("172.16.2.2"))]
        {
            assert!(has(&all, to, from), "{to} from {from:?}: {all:?}");
        }
        let strange = "x'; reboot; '";
        let mut named = seen(&["9: from all fwmark 0x1 lookup 100"]);
        named.identity.on_devices.iter_mut().for_each(|on| strange.clone_into(&mut on.device));
        let all = ways(3, &named);
        assert!(all.packets().iter().all(|packet| packet.from.is_none()) && all.without_device.len() == 1);
    }

    #[test]
    fn few_packets_of_a_large_table_are_asked_about_and_those_that_rules_name_first() {
        // A part of the last destination, from a part of the node's own pods.
        let rules = ["9: from 172.16.0.64/26 to 172.20.175.128/25 lookup 100"];
        let all = ways(1200, &seen(&rules));
        assert!((MOST / 2..=MOST).contains(&all.expected.len()), "{}", all.expected.len());
        assert!(has(&all, "172.20.175.130", Some("172.16.0.66")));
        let middle = all.expected.iter().filter(|expected| expected.packet.to.to_string().starts_with("172.18."));
        assert!(middle.count() > 10);
    }

    #[test]
    fn a_way_is_judged_by_where_it_leads() {
        let mut all = ways(2, &seen(&["9: from all lookup 100"]));
        all.expected.retain(|expected| expected.traffic == Traffic::FromPods);
        let route = |hop: &str, table: u32| FoundWay::Route {
            next_hop: Some(hop.parse().expect("address")),
            device: Some("eth0".to_owned()),
            table,
            said: "default".to_owned(),
        };
        let dropped = FoundWay::Dropped("Invalid argument".to_owned());
        let not_asked = FoundWay::NotForwarded("cnio0 is down".to_owned());
        for (found, is_live, is_told) in [
            // The wanted route, a copy of it, another row of the same table, which is judged elsewhere.
            (route("10.128.0.11", MAIN_TABLE), true, false),
            (route("10.128.0.11", 100), true, false),
            (route("10.128.0.1", MAIN_TABLE), true, false),
            (route("10.128.0.1", 100), true, true),
            (route("10.128.0.1", 100), false, true),
            (dropped.clone(), true, true),
            // Without the route, packets get lost anyway.
            (dropped, false, false),
            (not_asked, true, false),
        ] {
            let led_away = all.led_away(std::slice::from_ref(&found), |_| is_live);
            assert_eq!(!led_away.is_empty(), is_told, "{found:?}");
        }
    }

    #[test]
    fn what_somebody_else_has_is_contested() {
        let row = |protocol: u8, hop: &str| live("172.16.1.0/24", hop, protocol);
        for (row, is_contested) in [
            (row(STATIC, "10.128.0.1"), true),
            (row(BOOT, "10.128.0.1"), true),
            (row(STATIC, "10.128.0.11"), false),
            (row(80, "10.128.0.1"), false),
            (live("172.16.9.0/24", "10.128.0.1", STATIC), false),
            (LiveRoute { metric: 5, ..row(STATIC, "10.128.0.1") }, false),
        ] {
            let listed = Listed {
                token: Token::of("a", "b"),
                tunnels: Vec::new(),
                ours: Part::Sent(Vec::new()),
                foreign: Part::Sent(vec![row.clone()]),
            };
            let seen = Seen { tables: vec![(MAIN_TABLE, listed)], ..Seen::default() };
            let ways = ways(2, &seen);
            assert_eq!(!ways.contested().is_empty(), is_contested, "{row:?}");
            let asked = ways.clone().after_write(|_| true);
            assert_eq!(asked.expected.len(), usize::from(is_contested));
            assert!(ways.after_write(|_| false).expected.is_empty());
            // A row that topo has recorded is its own, whatever its protocol.
            let mut earlier = World::mesh(2, 2);
            earlier.0[1].address = "10.128.0.1".parse().expect("address");
            let (wanted, state) = (World::mesh(2, 2).desired(), earlier.state());
            let (wanted, record) = (wanted.places.get(&place("node-0")), state.places.get(&place("node-0")));
            assert!(Ways::new(wanted, record, &seen).contested.is_empty());
        }
    }

    #[test]
    fn the_kernel_is_asked_about_a_recorded_route_beside_which_somebody_has_another() {
        let beside = live("172.16.1.0/24", "10.128.0.1", 186);
        let (world, ours) = (World::mesh(2, 2), live("172.16.1.0/24", "10.128.0.11", 201));
        let (desired, state) = (world.desired(), world.state());
        let (wanted, record) = (desired.places.get(&place("node-0")), state.places.get(&place("node-0")));
        let ways = |record, ours: Part<Vec<LiveRoute>>, beside: &LiveRoute| {
            let foreign = Part::Sent(vec![beside.clone()]);
            let listed = Listed { token: Token::of("a", "b"), tunnels: Vec::new(), ours, foreign };
            Ways::new(wanted, record, &Seen { tables: vec![(MAIN_TABLE, listed)], ..Seen::default() }).in_look()
        };
        for (record, ours, beside, is_asked) in [
            (record, Part::AsKnown, beside.clone(), true),
            (record, Part::Sent(vec![ours.clone()]), beside.clone(), true),
            (record, Part::AsKnown, LiveRoute { next_hop: None, plain: false, ..beside.clone() }, true),
            (record, Part::Sent(Vec::new()), beside.clone(), false),
            (None, Part::Sent(vec![ours]), beside.clone(), false),
            (record, Part::AsKnown, LiveRoute { metric: 5, ..beside.clone() }, false),
            (record, Part::AsKnown, live("172.16.9.0/24", "10.128.0.1", 186), false),
        ] {
            let asked = ways(record, ours.clone(), &beside);
            assert_eq!(asked.packets().len(), usize::from(is_asked), "{ours:?} {beside:?}");
        }

        let asked = ways(record, Part::AsKnown, &beside);
        let route = |hop: &str| FoundWay::Route {
            next_hop: Some(hop.parse().expect("address")),
            device: Some("eth0".to_owned()),
            table: MAIN_TABLE,
            said: "172.16.1.0/24 via HOP".to_owned(),
        };
        for (found, said) in [
            (route("10.128.0.11"), None),
            (route("10.128.0.1"), Some("the kernel uses `172.16.1.0/24 via HOP`")),
            (
                FoundWay::Dropped("Invalid argument".to_owned()),
                Some("the kernel drops packets to it (`Invalid argument`)"),
            ),
        ] {
            let lost = asked.not_in_force(&[found]);
            assert_eq!(lost.first().map(|(_, said)| said.as_str()), said);
        }
    }
}

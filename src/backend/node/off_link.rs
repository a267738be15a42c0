//! Next hops that are not on the link of the nodes that are to use them. One cause is told once, and not for each pair of node and
//! next hop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::findings::{not_on_link, not_on_links};
use super::observed::Seen;
use crate::network::MAIN_TABLE;
use crate::plan::{PlacePlan, Plan};
use crate::resource::Place;

/// So many sets of next hops are told one by one.
const TOLD: usize = 3;

/// The next hops that are not on the link, by the nodes that are to use them.
#[derive(Default)]
pub(super) struct OffLink {
    /// The nodes that lack the same next hops, and what the kernel of the first of them says about the first next hop.
    groups: BTreeMap<BTreeSet<IpAddr>, (Vec<Place>, String)>,
}

impl OffLink {
    /// Adds what a node says.
    pub(super) fn add(&mut self, place: &Place, planned: &PlacePlan, seen: &Seen) {
        let tables: BTreeSet<u32> =
            planned.tables().filter_map(|(_, table)| Some(table.to.as_ref()?.view.table)).collect();
        let is_off = |(hop, _): &&(IpAddr, String)| {
            // A next hop that is the machine itself is another mistake, which is told as that.
            !seen.identity.addresses.contains(hop) && !tables.iter().any(|table| is_on_link_in(seen, *table, *hop))
        };
        let off: BTreeMap<IpAddr, &str> =
            seen.not_on_link.iter().filter(is_off).map(|(hop, said)| (*hop, &**said)).collect();
        if let Some((_, said)) = off.first_key_value() {
            let first = || (Vec::new(), way(said));
            self.groups.entry(off.keys().copied().collect()).or_insert_with(first).0.push(place.clone());
        }
    }

    /// Reports all of it.
    pub(super) fn report(self, plan: &mut Plan) {
        if self.groups.len() <= TOLD {
            for (hops, (places, said)) in &self.groups {
                let hops: Vec<IpAddr> = hops.iter().copied().collect();
                plan.findings.extend(places.iter().map(|place| not_on_link(place, &hops, said)));
            }
            return;
        }
        let pairs = self.groups.iter().map(|(hops, (places, _))| hops.len() * places.len()).sum();
        let first = self.groups.iter().min_by(|(_, (one, _)), (_, (other, _))| one.cmp(other));
        let example =
            first.and_then(|(hops, (places, said))| Some((places.first()?.clone(), *hops.first()?, said.clone())));
        let Some((node, hop, said)) = example else { return };
        for (places, _) in self.groups.values() {
            plan.findings.extend(places.iter().map(|place| not_on_links(place, pairs, (&node, hop, &said))));
        }
    }
}

/// Whether the kernel finds a next hop on a link by the table that the routes go to. It looks there first (`fib_check_nh`), and the node
/// was asked by its rules.
fn is_on_link_in(seen: &Seen, table: u32, hop: IpAddr) -> bool {
    let Some(listed) = seen.table(table).filter(|_| table != MAIN_TABLE) else { return false };
    if listed.foreign.is_as_known() {
        // It was when the rows were sent.
        return true;
    }
    let leading = listed.rows().filter(|row| row.destination.contains(hop)).max_by_key(|row| row.destination.length());
    leading.is_some_and(|row| row.next_hop.is_none() && row.device.is_some())
}

/// What the kernel does with packets to a next hop, out of an answer of `ip route get`.
fn way(said: &str) -> String {
    let words: Vec<&str> = said.split_ascii_whitespace().collect();
    let after = |name: &str| words.iter().skip_while(|word| **word != name).nth(1);
    match (after("via"), after("dev")) {
        (Some(via), Some(dev)) => format!("uses {via} on {dev}"),
        _ => format!("says `{}`", words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::Observation;
    use crate::backend::node::fixture::{World, live, place, plan_of, seen};
    use crate::exchange::node::{Listed, LiveRoute, Part};
    use crate::plan::Options;
    use crate::render::sentence::{Sentence, all};
    use crate::resource::{Name, Token};
    use crate::state::State;

    fn hop(number: usize) -> IpAddr {
        IpAddr::from([10, 128, 0, u8::try_from(number).expect("small")])
    }

    /// The sentences about nodes that say of these next hops that they are not on the link.
    fn told(nodes: &[(&str, Vec<IpAddr>)]) -> Vec<String> {
        let mut off_link = OffLink::default();
        for (name, hops) in nodes {
            let said = |hop: &IpAddr| (*hop, format!("{hop} via 10.128.0.1 dev eth0 src 10.128.0.2 uid 0 \\ cache"));
            let seen = Seen { not_on_link: hops.iter().map(said).collect(), ..Seen::default() };
            off_link.add(&place(name), &PlacePlan::default(), &seen);
        }
        let mut plan = Plan::default();
        off_link.report(&mut plan);
        all(&plan).iter().map(Sentence::text).collect()
    }

    #[test]
    fn one_cause_is_one_sentence() {
        // Two links with 50 nodes each.
        let (near, far): (Vec<IpAddr>, Vec<IpAddr>) = ((0..50).map(hop).collect(), (50..100).map(hop).collect());
        let names: Vec<String> = (0..100).map(|number| format!("node-{number}")).collect();
        let of = |number: usize| if number < 50 { far.clone() } else { near.clone() };
        let two: Vec<(&str, Vec<IpAddr>)> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), of(at))).collect();
        let found = told(&two);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|text| text.contains("(50 nodes), 50 next hops are not on the link:")), "{found:?}");
        // 100 links with a node each.
        let others = |number: usize| (0..100).filter(|other| *other != number).map(hop).collect();
        let apart: Vec<(&str, Vec<IpAddr>)> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), others(at))).collect();
        let found = told(&apart);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("9900 pairs of a node and a next hop. For example, the kernel of node-0 uses 10.128.0.1 on eth0 for 10.128.0.1."), "{found:?}");
        // One wrong address: the others do not reach it, and it reaches none of them.
        assert_eq!(told(&[("a", vec![hop(9)]), ("b", vec![hop(9)]), ("c", vec![hop(1), hop(2)])]).len(), 2);
    }

    #[test]
    fn the_kernel_looks_for_a_next_hop_in_the_table_of_the_route_first() {
        let world = World::mesh(2, 2);
        let nothing = State::new(Name::new("mesh").expect("name")).expect("lineage");
        let stops = |table: u32, rows: Vec<LiveRoute>| {
            let mut desired = world.desired();
            for wanted in desired.places.values_mut() {
                for shape in wanted.resources.values_mut() {
                    let set = shape.routes.as_mut().expect("routes");
                    set.view = crate::network::View { table, ..(*set.view).clone() }.into();
                }
            }
            let (at, observation) = seen(&nothing, "node-0", |_| ());
            let Observation::Seen(mut seen) = observation else { panic!() };
            let none = Part::Sent(Vec::new());
            seen.tables = vec![(
                table,
                Listed { token: Token::of("a", "b"), tunnels: Vec::new(), ours: none, foreign: Part::Sent(rows) },
            )];
            seen.not_on_link = vec![(world.0[1].address, "via 10.128.0.1 dev eth0".to_owned())];
            let answers = vec![(at, Observation::Seen(seen))];
            plan_of(&desired, &nothing, answers, &Options::default())
                .findings
                .iter()
                .any(|one| one.code == "not_on_link")
        };
        let connected = LiveRoute { next_hop: None, ..live("10.128.0.0/19", "10.128.0.9", 2) };
        let behind = live("10.128.0.0/24", "10.128.0.9", 2);
        assert!(!stops(103, vec![connected.clone()]));
        // The longest prefix counts, and the main table was asked already.
        assert!(stops(103, vec![connected.clone(), behind]));
        assert!(stops(103, vec![]));
        assert!(stops(MAIN_TABLE, vec![connected]));
    }
}

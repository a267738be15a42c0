use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::change::Lines;
use super::line::line_of;
use super::*;
use crate::backend::Desired;
use crate::backend::node::fixture::{World, live, plan_of, prefix, seen};
use crate::network::{NextHop, Prefix};
use crate::plan::Options;
use crate::resource::{Name, Reason, natural_order};
use crate::state::State;

fn nothing() -> State {
    State::new(Name::new("mesh").expect("name")).expect("lineage")
}

type Told = (String, Action, Reason, Option<Arc<str>>, (Prefix, NextHop), Option<Before>);

/// What the plan says place by place, and what the summary says of the same places.
fn both(plan: &Plan) -> (Vec<Told>, Vec<Told>) {
    let mut memo = Memo::default();
    let mut one: Vec<Told> = Vec::new();
    for place in plan.places.keys() {
        for (_, operation) in plan.operations(place, &mut memo) {
            let (reason, found) = split_reason(operation.reason);
            let line = line_of(operation.route, operation.before, found, Vec::new());
            let route = (line.destination, line.next_hop);
            one.push((place.to_string(), operation.action, reason, line.found, route, line.before));
        }
    }
    let summary = Summary::new(plan, &mut memo);
    let mut other: Vec<Told> = Vec::new();
    for change in &summary.changes {
        let (before, mut places) = (other.len(), BTreeSet::new());
        change.for_each(plan, |part, line| {
            for member in part.members_of(&line) {
                places.insert(member);
                let place = summary.place(member).to_string();
                let reason = change.reason.clone();
                let route = (line.destination, line.next_hop.clone());
                other.push((place, change.action, reason, line.found.clone(), route, line.before.clone()));
            }
            ControlFlow::Continue(())
        });
        assert_eq!(change.count, other.len() - before, "{:?} {:?}", change.action, change.reason);
        assert_eq!(change.members.to_vec(), places.into_iter().collect::<Vec<_>>());
        assert_eq!(change.count, change.parts().iter().map(|part| part.count).sum::<usize>());
    }
    assert_eq!(summary.import + summary.add + summary.change + summary.destroy, other.len());
    one.sort();
    other.sort();
    (one, other)
}

fn same(plan: &Plan) -> usize {
    let (one, other) = both(plan);
    assert_eq!(one, other);
    one.len()
}

fn unseen(desired: &Desired, state: &State) -> Plan {
    plan_of(desired, state, Vec::new(), &Options::default())
}

#[test]
fn a_mesh_that_comes_or_goes_is_told_as_the_plan_has_it() {
    for per_subnet in [100, 30, 7, 1] {
        let world = World::mesh(100, per_subnet);
        assert_eq!(same(&unseen(&world.desired(), &nothing())), 9900);
        assert_eq!(same(&unseen(&Desired::default(), &world.state())), 9900);
        let options = Options { destroy: true, ..Options::default() };
        assert_eq!(same(&plan_of(&Desired::default(), &world.state(), Vec::new(), &options)), 9900);
    }
}

#[test]
fn a_part_keeps_sixty_four_lines_and_computes_more() {
    for (nodes, kept) in [(64, true), (65, false)] {
        let summary = Summary::new(&unseen(&World::mesh(nodes, nodes).desired(), &nothing()), &mut Memo::default());
        let parts = summary.changes[0].parts();
        assert_eq!((parts.len(), parts[0].len), (1, nodes as usize));
        assert_eq!(matches!(parts[0].lines, Lines::Listed(_)), kept, "{nodes}");
    }
}

#[test]
fn a_mesh_without_gateways_is_told_as_the_plan_has_it() {
    let world = World::mesh(200, 80);
    let mut desired = world.desired();
    let sets = desired.places.values_mut().flat_map(|place| place.resources.values_mut());
    for set in sets.filter_map(|shape| shape.routes.as_mut()) {
        // One prefix inside of the other, and one twice.
        let wide = set.view.on_link[0];
        let inner = format!("{}/25", wide.address()).parse().expect("prefix");
        set.view = Arc::new(View { via: Vec::new(), on_link: vec![inner, wide, wide], ..(*set.view).clone() });
    }
    assert_eq!(same(&unseen(&desired, &nothing())), 80 * 79 * 2 + 40 * 39);
}

#[test]
fn nodes_that_come_go_move_and_change_their_address_are_told_as_the_plan_has_it() {
    for per_subnet in [40, 9] {
        let before = World::mesh(40, per_subnet);
        let mut after = World::mesh(41, per_subnet);
        after.0.remove(3);
        let pods = after.0[5].pods.pop().expect("pods");
        after.0[7].pods.push(pods);
        after.0[9].address = "10.128.31.200".parse().expect("address");
        // Two nodes exchange their addresses and keep their pods.
        let (one, other) = (after.0[11].address, after.0[12].address);
        (after.0[11].address, after.0[12].address) = (other, one);
        // The address goes to another node together with the pods: the row stays, whose own it is changes.
        let (one, other) = (after.0[13].clone(), after.0[14].clone());
        (after.0[13].address, after.0[13].pods) = (other.address, other.pods);
        (after.0[14].address, after.0[14].pods) = (one.address, one.pods);
        let plan = unseen(&after.desired(), &before.state());
        assert!(same(&plan) > 40);
        let summary = Summary::new(&plan, &mut Memo::default());
        assert!(summary.changes.iter().any(|change| change.reason == Reason::BecomesOwn));
        assert!(summary.changes.iter().any(|change| matches!(change.reason, Reason::NodeRemoved(_))));
    }
}

#[test]
fn what_single_nodes_have_otherwise_is_told_as_the_plan_has_it_and_put_together() {
    let before = World::mesh(30, 30);
    let state = before.state();
    let mut after = before.clone();
    after.0[5].pods[0] = prefix("192.168.5.0/24");
    let mut answers = Vec::new();
    for name in ["node-1", "node-2"] {
        answers.push(seen(&state, name, |rows| rows.retain(|row| row.destination != prefix("172.16.9.0/24"))));
    }
    answers.push(seen(&state, "node-3", |rows| rows[8].next_hop = "10.128.0.99".parse().ok()));
    answers.push(seen(&state, "node-4", |rows| rows.push(live("192.168.5.0/24", "10.128.0.15", 4))));
    let plan = plan_of(&after.desired(), &state, answers, &Options::default());
    same(&plan);
    let summary = Summary::new(&plan, &mut Memo::default());
    let missing = summary
        .changes
        .iter()
        .filter(|change| change.is_drift())
        .find(|change| change.reason == Reason::Missing)
        .expect("drift");
    assert_eq!((missing.count, missing.parts()[0].len, missing.members.len()), (2, 1, 2), "one line for two nodes");
    assert!(
        summary
            .changes
            .iter()
            .filter(|change| change.is_drift())
            .any(|change| change.reason == Reason::Altered(String::new()))
    );
}

#[test]
fn what_was_left_to_others_and_is_not_theirs_any_more_comes_on_that_node_alone() {
    let world = World::mesh(10, 10);
    let mut state = world.state();
    let left = prefix("172.16.9.0/24");
    let record = state.places.get_mut(&crate::backend::node::fixture::place("node-4")).expect("record");
    for record in record.resources.values_mut() {
        let crate::resource::Record::Settled { is, .. } = record else { continue };
        is.routes.as_mut().expect("routes").excluded = Arc::new([left].into());
    }
    let plan = plan_of(&world.desired(), &state, vec![seen(&state, "node-4", |_| ())], &Options::default());
    assert_eq!(same(&plan), 1);
    assert_eq!(same(&unseen(&world.desired(), &state)), 0);
}

#[test]
fn a_run_that_did_not_end_and_routes_typed_by_hand_are_told_as_the_plan_has_it() {
    let world = World::mesh(12, 5);
    let mut state = world.state();
    for record in state.places.values_mut().flat_map(|record| record.resources.values_mut()) {
        let crate::resource::Record::Settled { is, .. } = record else { continue };
        let to = Some(is.clone());
        *record = crate::resource::Record::InDoubt { is: None, to, also: Vec::new() };
    }
    let answers = (0..12).map(|index| seen(&state, &format!("node-{index}"), |rows| rows.truncate(6))).collect();
    let plan = plan_of(&world.desired(), &state, answers, &Options::default());
    assert_eq!(same(&plan), 12 * 5);
    let by_hand = |rows: &mut Vec<crate::exchange::node::LiveRoute>| {
        for row in rows {
            row.protocol = crate::network::BOOT;
        }
    };
    let answers = (0..12).map(|index| seen(&world.state(), &format!("node-{index}"), by_hand)).collect();
    let plan = plan_of(&world.desired(), &nothing(), answers, &Options::default());
    let summary = Summary::new(&plan, &mut Memo::default());
    assert_eq!((same(&plan), summary.import), (132, 132));
    assert_eq!(summary.changes.len(), 1);
}

#[test]
fn a_large_mesh_keeps_no_lines() {
    let summary =
        |per_subnet| Summary::new(&unseen(&World::mesh(1500, per_subnet).desired(), &nothing()), &mut Memo::default());
    let one = summary(1500);
    assert_eq!(one.add, 1500 * 1499);
    let kept = one.changes.iter().flat_map(Change::parts).filter(|part| matches!(part.lines, Lines::Listed(_)));
    assert_eq!(kept.count(), 0);
    assert_eq!(one.changes[0].each, (1499, 1499));
}

/// `cargo test --release -- --ignored summary --nocapture` tells how long it takes.
#[test]
#[ignore = "measures"]
#[allow(clippy::print_stderr)]
fn how_long_it_takes() {
    use std::time::Instant;
    for per_subnet in [5000, 10] {
        let world = World::mesh(5000, per_subnet);
        let mut more = World::mesh(5001, per_subnet);
        more.0[5000].subnet = 0;
        for (what, plan) in [
            ("fresh", unseen(&world.desired(), &nothing())),
            ("one more", unseen(&more.desired(), &world.state())),
            ("destroy", unseen(&Desired::default(), &world.state())),
        ] {
            let start = Instant::now();
            let summary = Summary::new(&plan, &mut Memo::default());
            let summarised = start.elapsed();
            let start = Instant::now();
            let text = crate::render::text::plan(
                &plan,
                &summary,
                crate::render::style::Look::default(),
                true,
                crate::backend::REGISTRY.known(),
            )
            .len();
            let rendered = start.elapsed();
            let start = Instant::now();
            let mut counter = Counter(0);
            crate::render::json::plan(&plan, &summary, &mut |event| {
                serde_json::to_writer(&mut counter, &event).expect("json");
            });
            let written = start.elapsed();
            eprintln!("{per_subnet} a subnet, {what}: summary {summarised:?}");
            eprintln!("    text {rendered:?}, {text} bytes; JSON {written:?}, {} bytes", counter.0);
        }
    }
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn names_are_sorted_as_people_count() {
    let mut names = ["node-10", "node-2", "a", "node-02", "node-2b", "node", "10", "9"];
    names.sort_by(|one, other| natural_order(one, other));
    assert_eq!(names, ["9", "10", "a", "node", "node-02", "node-2", "node-2b", "node-10"]);
}

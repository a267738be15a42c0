//! What is found in tables of whole nodes, and what is done there.

use crate::backend::Desired;
use crate::backend::node::Observation;
use crate::backend::node::fixture::{World, kernel_route, live, place, plan_of, seen};
use crate::exchange::node::LiveRoute;
use crate::network::{BOOT, KERNEL, MAIN_TABLE, Memo, STATIC};
use crate::plan::{Finding, Operation, Options, Plan, Selection, Severity};
use crate::resource::{Action, Phase, Record, Token};
use crate::state::State;

/// Plans node-0 of three nodes; its own pods are 172.16.0.0/24, those of node-1 172.16.1.0/24 by way of 10.128.0.11.
fn plan(desired: &Desired, state: &State, options: &Options, edit: impl Fn(&mut Vec<LiveRoute>)) -> Plan {
    plan_of(desired, state, vec![seen(state, "node-0", edit)], options)
}

fn operations(plan: &Plan) -> Vec<Operation> {
    let operations = plan.operations(&place("node-0"), &mut Memo::default());
    operations.into_iter().map(|(_, operation)| operation).collect()
}

fn words(operation: &Operation) -> String {
    let before = operation.before.map(|before| format!(" proto {}", before.protocol)).unwrap_or_default();
    let (action, reason) = (operation.action.label(), operation.reason.label());
    format!(
        "{:?}: {action} {} via {}{before}: {reason}",
        operation.phase, operation.route.destination, operation.route.next_hop
    )
}

fn own_pods(plan: &Plan) -> Vec<(Severity, String)> {
    let about_own = |finding: &&Finding| finding.address.key.as_deref().is_some_and(|key| key.starts_with("172.16.0."));
    plan.findings.iter().filter(about_own).map(|finding| (finding.severity, finding.text.about("node-0"))).collect()
}

#[test]
fn a_route_that_leads_the_nodes_own_pods_away_is_named_in_every_plan() {
    let world = World::mesh(3, 3);
    let (desired, state) = (world.desired(), world.state());
    for protocol in [BOOT, 4, 80, 201] {
        let intruder = |rows: &mut Vec<LiveRoute>| rows.push(live("172.16.0.0/24", "10.128.0.10", protocol));
        let stopped = plan(&desired, &state, &Options::default(), intruder);
        let found = own_pods(&stopped);
        assert!(stopped.is_stopped() && found.len() == 1, "{found:?}");
        assert_eq!(found[0].0, Severity::Conflict);
        let said = "On node-0, a route leads the node's own pod subnet 172.16.0.0/24 away: via 10.128.0.10 dev eth0, ";
        assert!(found[0].1.starts_with(said), "{found:?}");

        let take_over = vec!["kernel_route.node-0[\"172.16.0.0/24\"]".parse().expect("pattern")];
        let taken = plan(&desired, &state, &Options { take_over, ..Options::default() }, intruder);
        assert!(!taken.is_stopped() && own_pods(&taken).is_empty());
        let done: Vec<String> = operations(&taken).iter().map(words).collect();
        assert_eq!(done, [format!("Prepare: remove 172.16.0.0/24 via 10.128.0.10 proto {protocol}: taken_over")]);

        let left = plan(&desired, &state, &Options { skip_conflicts: true, ..Options::default() }, intruder);
        assert!(!left.is_stopped() && left.leaves_out() && operations(&left).is_empty());
    }
}

#[test]
fn the_nodes_own_pods_may_be_in_no_hole_either() {
    let world = World::mesh(3, 3);
    let (desired, state) = (world.desired(), world.state());
    for (protocol, is_told) in [(BOOT, true), (4, true), (80, false)] {
        // A blackhole, or a row of several next hops.
        let hole = |rows: &mut Vec<LiveRoute>| {
            let row = live("172.16.0.0/24", "10.128.0.10", protocol);
            rows.push(LiveRoute { next_hop: None, device: None, plain: false, ..row });
        };
        let take_over = vec!["kernel_route.node-0[\"172.16.0.0/24\"]".parse().expect("pattern")];
        for take_over in [Vec::new(), take_over] {
            let plan = plan(&desired, &state, &Options { take_over, ..Options::default() }, hole);
            let found = own_pods(&plan);
            assert_eq!((plan.is_stopped(), found.len()), (is_told, usize::from(is_told)), "{found:?}");
            assert!(operations(&plan).is_empty());
        }
    }
}

#[test]
fn a_bridge_that_wins_and_a_default_route_lead_nothing_away() {
    let world = World::mesh(3, 3);
    let (desired, state) = (world.desired(), world.state());
    let plan = plan(&desired, &state, &Options::default(), |rows| {
        let bridge = LiveRoute { next_hop: None, ..live("172.16.0.0/24", "10.128.0.10", KERNEL) };
        rows.push(bridge);
        rows.push(LiveRoute { metric: 5, ..live("172.16.0.0/24", "10.128.0.10", 4) });
        rows.push(live("0.0.0.0/0", "10.128.0.1", BOOT));
        rows.push(live("172.16.0.0/12", "10.128.0.1", 4));
    });
    assert_eq!(own_pods(&plan), []);
    assert!(!plan.is_stopped());
}

#[test]
fn a_route_to_a_part_of_the_nodes_own_pods_is_a_warning() {
    let world = World::mesh(3, 3);
    let (desired, state) = (world.desired(), world.state());
    let plan = plan(&desired, &state, &Options::default(), |rows| rows.push(live("172.16.0.128/25", "10.128.0.11", 4)));
    let found = own_pods(&plan);
    assert!(
        found.len() == 1 && found[0].0 == Severity::Warning && found[0].1.contains(" of the node's own pod subnet ")
    );
}

/// The state in which the pods of node-1 may have moved to node-2, on node-0.
fn in_doubt(world: &World) -> (State, World) {
    let mut moved = world.clone();
    let pods = std::mem::take(&mut moved.0[1].pods);
    moved.0[2].pods.extend(pods);
    let mut state = world.state();
    let shape = |world: &World| {
        world.desired().places[&place("node-0")].resources.get(&kernel_route()).expect("wanted").clone()
    };
    let doubt = Record::InDoubt { is: Some(shape(world)), to: Some(shape(&moved)), also: Vec::new() };
    let recorded = state.places.get_mut(&place("node-0")).expect("recorded");
    recorded.resources.insert(kernel_route(), doubt);
    (state, moved)
}

#[test]
fn all_rows_of_a_key_in_doubt_but_the_right_one_go() {
    let world = World::mesh(4, 4);
    let (state, moved) = in_doubt(&world);
    let both = |rows: &mut Vec<LiveRoute>| {
        rows.retain(|row| row.destination.to_string() != "172.16.1.0/24");
        rows.push(live("172.16.1.0/24", "10.128.0.11", 201));
        rows.push(live("172.16.1.0/24", "10.128.0.12", 201));
        rows.dedup();
    };
    let done = |desired: &Desired, options: &Options| {
        let plan = plan(desired, &state, options, both);
        assert!(!plan.is_stopped(), "{:?}", plan.findings);
        let of_key = |operation: &&Operation| operation.route.destination.to_string() == "172.16.1.0/24";
        operations(&plan).iter().filter(of_key).map(words).collect::<Vec<_>>()
    };
    // As it was to be, and back again.
    assert_eq!(
        done(&moved.desired(), &Options::default()),
        ["Retire: remove 172.16.1.0/24 via 10.128.0.11 proto 201: in_doubt"]
    );
    assert_eq!(
        done(&world.desired(), &Options::default()),
        ["Retire: remove 172.16.1.0/24 via 10.128.0.12 proto 201: in_doubt"]
    );
    // A third node gets the pods: one row goes before, so that the other one can be changed.
    let mut third = moved.clone();
    let pods = third.0[2].pods.pop().expect("pods");
    third.0[3].pods.push(pods);
    assert_eq!(
        done(&third.desired(), &Options::default()),
        [
            "Prepare: remove 172.16.1.0/24 via 10.128.0.12 proto 201: in_doubt",
            "Install: change 172.16.1.0/24 via 10.128.0.13 proto 201: edited"
        ]
    );
    let mut gone = moved.clone();
    gone.0[2].pods.pop();
    let all = done(&gone.desired(), &Options::default());
    assert_eq!(all.len(), 2, "{all:?}");
    let destroy = Options { destroy: true, ..Options::default() };
    let all = done(&Desired::default(), &destroy);
    assert!(all.len() == 2 && all.iter().all(|one| one.starts_with("Retire: remove ")), "{all:?}");
    // What is not selected stays, and stays in doubt.
    let excludes = vec!["*[\"172.16.1.0/24\"]".parse().expect("pattern")];
    let options = Options { selection: Selection { excludes, ..Selection::default() }, ..Options::default() };
    assert_eq!(done(&moved.desired(), &options), [""; 0]);
}

#[test]
fn a_doubt_whose_two_rows_are_both_there_keeps_both_sides() {
    let world = World::mesh(4, 4);
    let (state, moved) = in_doubt(&world);
    let plan = plan(&moved.desired(), &state, &Options::default(), |rows| {
        rows.retain(|row| row.destination.to_string() != "172.16.1.0/24");
        rows.push(live("172.16.1.0/24", "10.128.0.11", 201));
        rows.push(live("172.16.1.0/24", "10.128.0.12", 201));
        rows.dedup();
    });
    assert_eq!(settled(&plan, "172.16.1.0/24"), ["10.128.0.11", "10.128.0.12"]);
    assert!(operations(&plan).iter().all(|one| one.action == Action::Remove && one.phase == Phase::Retire));
}

#[test]
fn a_recorded_row_with_the_old_metric_is_no_competitor() {
    let world = World::mesh(3, 3);
    let (mut desired, state) = (world.desired(), world.state());
    for shape in desired.places.values_mut().flat_map(|place| place.resources.values_mut()) {
        let set = shape.routes.as_mut().expect("routes");
        std::sync::Arc::make_mut(&mut set.view).metric = Some(50);
    }
    let competitors = |edit: &dyn Fn(&mut Vec<LiveRoute>)| {
        let plan = plan(&desired, &state, &Options::default(), edit);
        assert_eq!(operations(&plan).len(), 4, "two come, two go");
        plan.findings.iter().filter(|finding| finding.code == "wins").count()
    };
    assert_eq!(competitors(&|_| ()), 0);
    assert_eq!(competitors(&|rows| rows.push(live("172.16.1.0/24", "10.128.0.99", 4))), 1);
    assert_eq!(competitors(&|rows| rows.push(live("172.16.1.0/25", "10.128.0.99", 201))), 1, "it is not recorded");
}

#[test]
fn no_other_row_is_taken_for_the_bridge_of_the_nodes_own_pods() {
    let world = World::mesh(3, 3);
    let (desired, state) = (world.desired(), world.state());
    let intruder = LiveRoute { metric: 5, ..live("172.16.0.0/24", "10.128.0.10", 4) };
    let link = LiveRoute { next_hop: None, ..live("10.128.0.0/19", "10.128.0.10", KERNEL) };
    let behind = LiveRoute { metric: 6, next_hop: None, ..live("172.16.0.0/24", "10.128.0.10", KERNEL) };
    for beside in [vec![], vec![link], vec![behind]] {
        let plan = plan(&desired, &state, &Options::default(), |rows| {
            rows.push(intruder.clone());
            rows.extend(beside.clone());
        });
        assert_eq!(own_pods(&plan).len(), 1, "{beside:?}");
        assert!(plan.is_stopped(), "{beside:?}");
    }
}

/// What the look found the record in doubt to be: the next hops of a destination.
fn settled(plan: &Plan, destination: &str) -> Vec<String> {
    let (_, table) = plan.places[&place("node-0")].tables().next().expect("a table");
    let key = destination.parse().expect("prefix");
    table.settled.iter().filter_map(|set| set.find(&key)).map(|route| route.next_hop.to_string()).collect()
}

#[test]
fn a_doubt_is_settled_by_the_row_that_is_there() {
    let world = World::mesh(3, 3);
    let (state, moved) = in_doubt(&world);
    for (next_hop, other) in [("10.128.0.11", "10.128.0.12"), ("10.128.0.12", "10.128.0.11")] {
        let plan = plan(&moved.desired(), &state, &Options::default(), |rows| {
            rows.clear();
            rows.push(live("172.16.1.0/24", next_hop, 201));
        });
        assert_eq!(settled(&plan, "172.16.1.0/24"), [next_hop], "and not {other}");
        assert!(settled(&plan, "172.16.2.0/24").is_empty(), "it is not there");
    }
}

#[test]
fn pods_that_move_to_the_node_lose_the_recorded_route_and_no_other() {
    let world = World::mesh(3, 3);
    let state = world.state();
    let mut moved = world.clone();
    let pods = std::mem::take(&mut moved.0[1].pods);
    moved.0[0].pods.extend(pods);
    let desired = moved.desired();
    let as_recorded = plan(&desired, &state, &Options::default(), |_| ());
    assert!(!as_recorded.is_stopped(), "{:?}", as_recorded.findings);
    let done: Vec<String> = operations(&as_recorded).iter().map(words).collect();
    assert_eq!(done, ["Prepare: remove 172.16.1.0/24 via 10.128.0.11 proto 201: becomes_own"]);
    // Somebody changed the recorded row. It goes as well, so it leads nothing away.
    for (next_hop, protocol, reason) in
        [("10.128.0.99", 201, "altered"), ("10.128.0.99", BOOT, "altered"), ("10.128.0.11", BOOT, "mark_lost")]
    {
        let plan = plan(&desired, &state, &Options::default(), |rows| {
            rows.retain(|row| row.destination.to_string() != "172.16.1.0/24");
            rows.push(live("172.16.1.0/24", next_hop, protocol));
        });
        assert!(!plan.is_stopped(), "{reason}: {:?}", plan.findings);
        let done: Vec<String> = operations(&plan).iter().map(words).collect();
        assert_eq!(done, [format!("Prepare: remove 172.16.1.0/24 via {next_hop} proto {protocol}: {reason}")]);
    }
    // A row of somebody else beside it. If the user takes it over, both go.
    let take_over = vec!["kernel_route.node-0[\"172.16.1.0/24\"]".parse().expect("pattern")];
    let take_over = Options { take_over, ..Options::default() };
    for (ours, reason) in [("10.128.0.11", "becomes_own"), ("10.128.0.99", "altered")] {
        for theirs in ["10.128.0.98", "10.128.0.99"] {
            let both = |rows: &mut Vec<LiveRoute>| {
                rows.retain(|row| row.destination.to_string() != "172.16.1.0/24");
                rows.push(live("172.16.1.0/24", ours, 201));
                rows.push(live("172.16.1.0/24", theirs, 4));
            };
            let stopped = plan(&desired, &state, &Options::default(), both);
            assert!(stopped.is_stopped() && stopped.findings[0].code == "own_pods", "{:?}", stopped.findings);
            let taken = plan(&desired, &state, &take_over, both);
            assert!(!taken.is_stopped(), "{:?}", taken.findings);
            let mut done: Vec<String> = operations(&taken).iter().map(words).collect();
            done.sort();
            let mut all = [
                format!("Prepare: remove 172.16.1.0/24 via {ours} proto 201: {reason}"),
                format!("Prepare: remove 172.16.1.0/24 via {theirs} proto 4: taken_over"),
            ];
            all.sort();
            assert_eq!(done, all);
        }
    }
}

#[test]
fn operations_are_sorted_by_destination() {
    let world = World::mesh(4, 4);
    let state = world.state();
    let mut fewer = world.clone();
    fewer.0.remove(3);
    let plan = plan(&fewer.desired(), &state, &Options::default(), |rows| {
        rows.retain(|row| row.destination.to_string() != "172.16.1.0/24");
    });
    let done: Vec<String> = operations(&plan).iter().map(words).collect();
    assert_eq!(
        done,
        [
            "Install: add 172.16.1.0/24 via 10.128.0.11: missing",
            "Retire: remove 172.16.3.0/24 via 10.128.0.13 proto 201: node_removed"
        ]
    );
}

#[test]
fn onlink_is_no_attribute_of_others_where_gateways_are_on_link() {
    // node-1 is in another subnet, behind the gateway 10.128.0.1.
    let world = World::mesh(2, 1);
    for (gateway_on_link, action) in [(true, Some(Action::Import)), (false, None)] {
        let mut desired = world.desired();
        for shape in desired.places.values_mut().flat_map(|place| place.resources.values_mut()) {
            let set = shape.routes.as_mut().expect("routes");
            std::sync::Arc::make_mut(&mut set.view).gateway_on_link = gateway_on_link;
        }
        let nothing = State { places: std::collections::BTreeMap::new(), ..world.state() };
        let plan = plan(&desired, &nothing, &Options::default(), |rows| {
            let by_hand = live("172.16.1.0/24", "10.128.0.1", BOOT);
            rows.push(LiveRoute { attributes: Some("onlink".into()), ..by_hand });
        });
        let done: Vec<Action> = operations(&plan).iter().map(|operation| operation.action).collect();
        assert_eq!(done, Vec::from_iter(action), "{:?}", plan.findings);
    }
}

#[test]
fn pods_to_which_no_route_leads_are_named_where_the_node_has_an_address_there() {
    let world = World::mesh(3, 3);
    let (desired, state) = (world.desired(), world.state());
    let bridge = LiveRoute { next_hop: None, ..live("172.16.0.0/24", "10.128.0.1", KERNEL) };
    let typed = live("172.16.0.0/24", "10.128.0.10", BOOT);
    for (network, rows, told) in [
        ("172.16.0.0/24", &[][..], true),
        ("172.16.0.0/26", &[&bridge], true),
        ("172.16.0.0/24", &[&typed], true),
        ("172.16.0.0/24", &[&typed, &bridge], false),
        ("172.16.0.0/24", &[&bridge], false),
        // The bridge is not there yet, or its address is one of 32 bits, as some networks of pods have it.
        ("10.128.0.0/19", &[], false),
        ("172.16.0.1/32", &[], false),
        // The pods of another node.
        ("172.16.1.0/24", &[], false),
    ] {
        let (at, mut observation) = seen(&state, "node-0", |live| live.extend(rows.iter().map(|row| (*row).clone())));
        let Observation::Seen(answer) = &mut observation else { panic!() };
        answer.identity.networks = vec![network.parse().expect("prefix")];
        let plan = plan_of(&desired, &state, vec![(at, observation)], &Options::default());
        let found: Vec<String> = plan.findings.iter().map(|finding| finding.text.about("node-0")).collect();
        let is_told = found.iter().any(|text| text.contains("no route leads to the node's own pods 172.16.0.0/2"));
        assert_eq!(is_told, told, "{network} {rows:?}: {found:?}");
    }
}

#[test]
fn a_second_route_with_the_key_of_topos_is_told_only_where_it_may_win() {
    let world = World::mesh(3, 3);
    for (table, told) in [(MAIN_TABLE, 0), (100, 1)] {
        let (mut desired, mut state) = (world.desired(), world.state());
        let shapes = desired.places.values_mut().flat_map(|place| place.resources.values_mut());
        for set in shapes.filter_map(|shape| shape.routes.as_mut()) {
            std::sync::Arc::make_mut(&mut set.view).table = table;
        }
        for (at, place) in &desired.places {
            for (id, is) in &place.resources {
                let settled = Record::Settled { is: is.clone(), token: None };
                state.places.get_mut(at).expect("recorded").resources.insert(id.clone(), settled);
            }
        }
        let beside = |rows: &mut Vec<LiveRoute>| rows.push(live("172.16.1.0/24", "10.128.0.1", BOOT));
        let (at, mut observation) = seen(&state, "node-0", beside);
        let Observation::Seen(answer) = &mut observation else { panic!() };
        answer.tables[0].0 = table;
        // The kernel answers for the main table alone, and says there that topo's route is the one.
        let plan = plan_of(&desired, &state, vec![(at, observation)], &Options::default());
        let found: Vec<String> = plan.findings.iter().map(|finding| finding.text.about("node-0")).collect();
        assert_eq!(found.len(), told, "{found:?}");
        assert!(found.iter().all(|text| text.contains("which may take precedence: via 10.128.0.1")), "{found:?}");
        assert!(operations(&plan).is_empty());
    }
}

#[test]
fn a_token_hides_no_row_of_others_that_can_come_back_beside_a_wanted_one() {
    let world = World::mesh(3, 3);
    let mut fewer = world.clone();
    fewer.0[1].pods.clear();
    let whole = Token::of("a", "b");
    let take_over = vec!["kernel_route.node-0[\"172.16.1.0/24\"]".parse().expect("pattern")];
    let options = Options { take_over, ..Options::default() };
    for (mark, protocol, kept) in [
        (201, BOOT, Some(whole.without_foreign())),
        (201, STATIC, Some(whole.without_foreign())),
        // No file and no person brings back what a routing daemon has.
        (201, 186, Some(whole.clone())),
        // topo could not tell such a row from its own.
        (STATIC, STATIC, None),
        (STATIC, BOOT, Some(whole.without_foreign())),
    ] {
        let mut desired = world.desired();
        let shapes = desired.places.values_mut().flat_map(|place| place.resources.values_mut());
        for set in shapes.filter_map(|shape| shape.routes.as_mut()) {
            std::sync::Arc::make_mut(&mut set.view).protocol = mark;
        }
        let theirs = |rows: &mut Vec<LiveRoute>| rows.push(live("172.16.1.0/24", "10.128.0.9", protocol));
        let plan = plan(&desired, &fewer.state(), &options, theirs);
        let (_, table) = plan.places[&place("node-0")].tables().next().expect("a table");
        assert_eq!(table.recordable(whole.clone()), kept, "mark {mark}, protocol {protocol}");
    }
}

#[test]
fn a_change_that_was_not_selected_keeps_the_record_in_doubt_and_an_addition_does_not() {
    let world = World::mesh(4, 4);
    let (mut moved, mut fewer) = (world.clone(), world.clone());
    for node in [1, 2] {
        let pods = std::mem::take(&mut moved.0[node].pods);
        moved.0[3].pods.extend(pods);
        fewer.0[node].pods.clear();
    }
    let excludes = vec!["*[\"172.16.1.0/24\"]".parse().expect("pattern")];
    let options = Options { selection: Selection { excludes, ..Selection::default() }, ..Options::default() };
    for (before, after, is_partial) in [(&world, &moved, true), (&world, &fewer, true), (&fewer, &world, false)] {
        let plan = plan(&after.desired(), &before.state(), &options, |_| ());
        let done: Vec<String> = operations(&plan).iter().map(words).collect();
        assert!(done.len() == 1 && done[0].contains("172.16.2.0/24"), "{done:?}");
        let (_, table) = plan.places[&place("node-0")].tables().next().expect("a table");
        assert_eq!(table.is_partial(), is_partial, "{done:?}");
    }
}

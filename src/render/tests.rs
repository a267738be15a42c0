use super::style::Look;
use super::text;
use super::{json, sentence};
use crate::backend::node::Observation;
use crate::backend::node::fixture::{World, live, place, plan_of, prefix, seen};
use crate::backend::{Desired, REGISTRY};
use crate::network::Memo;
use crate::plan::findings::{Address, FORGOTTEN, Finding, Remedy, Text};
use crate::plan::{ListedChange, ListedPlan, ListedWhat, Options, PlacePlan, Plan, ResourcePlan, Summary};
use crate::resource::words::RouteWords;
use crate::resource::{Action, Kind, Name, Phase, Place, PlaceKind, Reason, ResourceId};
use crate::state::State;

fn nothing() -> State {
    State::new(Name::new("mesh").expect("name")).expect("lineage")
}

fn look(color: bool) -> Look {
    Look { color, width: 80 }
}

fn render(plan: &Plan) -> String {
    text::plan(plan, &Summary::new(plan, &mut Memo::default()), look(false), false, REGISTRY.known())
}

fn planned(desired: &Desired, state: &State, answers: Vec<(Place, Observation)>) -> Plan {
    plan_of(desired, state, answers, &Options::default())
}

/// Thirty nodes. Three of them have drifted, and one does not answer. One subnet moves. Another one changes, and three nodes
/// have routes of others to its new prefix.
fn eventful() -> Plan {
    let world = World::mesh(30, 30);
    let state = world.state();
    let mut after = world;
    after.0[5].pods[0] = prefix("192.168.5.0/24");
    let pods = after.0[8].pods.pop().expect("pods");
    after.0[9].pods.push(pods);
    let missing = |name| seen(&state, name, |rows| rows.retain(|row| row.destination != prefix("172.16.20.0/24")));
    let altered = seen(&state, "node-3", |rows| {
        for row in rows.iter_mut().filter(|row| row.destination == prefix("172.16.21.0/24")) {
            (row.next_hop, row.protocol) = ("10.128.0.99".parse().ok(), 3);
        }
    });
    let has =
        |name, next_hop, protocol| seen(&state, name, |rows| rows.push(live("192.168.5.0/24", next_hop, protocol)));
    let answers = vec![
        missing("node-1"),
        missing("node-2"),
        altered,
        has("node-4", "10.128.0.15", 80),
        has("node-6", "10.128.0.77", 4),
        has("node-10", "10.128.0.77", 4),
        (place("node-7"), Observation::Unreachable("ssh to 10.128.0.17 timed out after 10 s.".to_owned())),
    ];
    planned(&after.desired(), &state, answers)
}

#[test]
fn one_node_more_is_two_changes_and_adds_are_folded() {
    let plan = planned(&World::mesh(31, 31).desired(), &World::mesh(30, 30).state(), Vec::new());
    let summary = Summary::new(&plan, &mut Memo::default());
    let text = render(&plan);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "  # kernel_route: node-30 gets 30 routes (new node)");
    assert_eq!(lines[20], "  + 172.16.19.0/24 via 10.128.0.29           on node-30");
    assert_eq!(
        lines[21..].join("\n"),
        "  … and 10 more routes

  # kernel_route: 30 nodes get a route to the pods of node-30 (new node)
  + 172.16.30.0/24 via 10.128.0.40           on node-0 … node-29 (30 nodes)

Plan: 60 to add, 0 to change, 0 to destroy."
    );
    let end = REGISTRY.known().words("kernel_route").transience().expect("an end");
    let last =
        text::plan(&plan, &summary, look(false), true, REGISTRY.known()).split_off(text.len()).replace('\n', " ");
    assert_eq!(last.trim(), format!("These routes {end}"));
}

#[test]
fn a_new_mesh_names_the_owner_that_gets_no_route_to_itself() {
    assert_eq!(
        render(&planned(&World::mesh(5, 5).desired(), &nothing(), Vec::new())),
        "  # kernel_route: 5 nodes get 4 routes each (new nodes)
  + 172.16.0.0/24 via 10.128.0.10            on all but node-0 (4 nodes)
  + 172.16.1.0/24 via 10.128.0.11            on all but node-1 (4 nodes)
  + 172.16.2.0/24 via 10.128.0.12            on all but node-2 (4 nodes)
  + 172.16.3.0/24 via 10.128.0.13            on all but node-3 (4 nodes)
  + 172.16.4.0/24 via 10.128.0.14            on all but node-4 (4 nodes)

Plan: 20 to add, 0 to change, 0 to destroy.
"
    );
}

#[test]
fn removals_are_never_folded() {
    let options = Options { destroy: true, ..Options::default() };
    for (per_subnet, last) in [
        (90, "  - 172.16.89.0/24 via 10.128.0.99           on all but node-89 (89 nodes)"),
        (9, "  - 172.16.89.0/24 via several next hops     on 89 nodes"),
    ] {
        let world = World::mesh(90, per_subnet);
        let text = render(&plan_of(&Desired::default(), &world.state(), Vec::new(), &options));
        assert!(text.starts_with("  # kernel_route: 90 nodes lose 89 routes each (destroy)\n"), "{text}");
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("  - ")).collect();
        assert_eq!((lines.len(), lines[89]), (90, last));
        assert!(text.ends_with("\nPlan: 0 to add, 0 to change, 8010 to destroy.\n"));
    }
}

#[test]
fn drift_comes_first_and_what_is_to_be_known_comes_last() {
    assert_eq!(
        render(&eventful()),
        r#"Drift: topo will put these back

  # kernel_route: node-1, node-2 get a route each again: the recorded routes are
  #   gone
  + 172.16.20.0/24 via 10.128.0.30           on node-1, node-2  (gone)

  # kernel_route: node-3 gets a route put back: somebody changed it
  ~ 172.16.21.0/24 via 10.128.0.99 → 10.128.0.31  on node-3  (changed by somebody)
      live now: via 10.128.0.99 dev eth0, protocol 3, boot, typed by hand

Asked for by the topology:

  # kernel_route: 26 nodes get 27 routes in all (changed in the topology)
  + 172.16.8.0/24 via 10.128.0.19            on node-8
  + 192.168.5.0/24 via 10.128.0.15           on node-0, node-1, node-2 and 23 more (26 nodes)

  # kernel_route: 28 nodes get a route each changed (changed in the topology)
  ~ 172.16.8.0/24 via 10.128.0.18 → 10.128.0.19  on node-0, node-1, node-2 and 25 more (28 nodes)

  # kernel_route: 29 nodes lose a route each (changed in the topology)
  - 172.16.5.0/24 via 10.128.0.15            on node-0, node-1, node-2 and 26 more (29 nodes)

  # kernel_route: node-9 loses a route to a subnet that becomes its own
  - 172.16.8.0/24 via 10.128.0.18            on node-9

Note: On node-4, somebody else already provides the route to 192.168.5.0/24 (via
  10.128.0.15 dev eth0, protocol 80, Calico). topo leaves it alone. To make it
  topo's, use --take-over 'kernel_route.node-4["192.168.5.0/24"]'.
Warning: topo could not look at node-7, so the plan uses what is recorded. ssh
  to 10.128.0.17 timed out after 10 s.
Conflict: On node-6, node-10, the route to 192.168.5.0/24 belongs to somebody
  else: via 10.128.0.77 dev eth0, protocol 4, static. To leave it to them, use
  --skip-conflicts. To make it topo's, use --take-over
  'kernel_route.*["192.168.5.0/24"]'.

Plan: 29 to add, 29 to change, 30 to destroy.
"#
    );
}

#[test]
fn routes_typed_by_hand_are_to_import() {
    let world = World::mesh(3, 3);
    let by_hand = |index: usize| {
        seen(&world.state(), &format!("node-{index}"), |rows| {
            for row in rows {
                row.protocol = 3;
            }
        })
    };
    assert_eq!(
        render(&planned(&world.desired(), &nothing(), (0..3).map(by_hand).collect())),
        "  # kernel_route: node-0, node-1, node-2 already have 2 routes each as wanted;
  #   topo records them as its own
  < 172.16.0.0/24 via 10.128.0.10 (protocol 3, boot, typed by hand)  on node-1, node-2
  < 172.16.1.0/24 via 10.128.0.11 (protocol 3, boot, typed by hand)  on node-0, node-2
  < 172.16.2.0/24 via 10.128.0.12 (protocol 3, boot, typed by hand)  on node-0, node-1

Plan: 6 to import, 0 to add, 0 to change, 0 to destroy.
"
    );
}

#[test]
fn a_mark_that_was_lost_is_told_with_both_protocols() {
    let state = World::mesh(3, 3).state();
    let answer = seen(&state, "node-0", |rows| rows[0].protocol = 3);
    assert_eq!(
        render(&planned(&World::mesh(3, 3).desired(), &state, vec![answer])),
        "Drift: topo will put these back

  # kernel_route: node-0 gets a route marked again: the route is as recorded,
  #   but without topo's mark
  ~ 172.16.1.0/24 via 10.128.0.11 protocol 3 → 201  on node-0  (lost its mark)
      live now: via 10.128.0.11 dev eth0, protocol 3, boot, typed by hand

Plan: 0 to add, 1 to change, 0 to destroy.
"
    );
}

#[test]
fn no_changes_is_only_said_where_it_is_true() {
    let world = World::mesh(3, 3);
    let none = "No changes. Your infrastructure matches the configuration.\n";
    assert_eq!(render(&planned(&world.desired(), &world.state(), Vec::new())), none);
    let address = Address::of_key(&place("a"), "kernel_route", "10.0.0.0/8");
    let conflict = Finding::conflict(address, Text::whole("It is taken."), "x");
    let error = Finding::error("lost", &place("a"), Text::whole("It is lost."));
    for plan in [
        Plan { findings: vec![conflict.clone()], ..Plan::default() },
        Plan { findings: vec![conflict.skipped()], ..Plan::default() },
        Plan { findings: vec![error], ..Plan::default() },
        Plan { forgotten: [place("a")].into(), ..Plan::default() },
    ] {
        assert!(render(&plan).ends_with("\nPlan: 0 to add, 0 to change, 0 to destroy.\n"), "{}", render(&plan));
    }
}

#[test]
fn dropped_records_are_listed() {
    let forgotten = [place("node-10"), place("node-9")];
    let findings = forgotten.iter().map(|place| Finding::note(FORGOTTEN, place, Text::whole("It is forgotten.")));
    let plan = Plan { findings: findings.collect(), forgotten: forgotten.into(), ..Plan::default() };
    assert_eq!(
        render(&plan),
        "  # topo drops 2 records without a login; what topo added there stays
  . node-9
  . node-10

Plan: 0 to add, 0 to change, 0 to destroy.
"
    );
}

#[test]
fn routes_that_do_not_last_are_those_on_nodes_where_others_change_elsewhere() {
    static CLOUD: PlaceKind = PlaceKind { id: "cloud", form: "cloud:ID", order: 9, name: |id| id, is_id: |_| true };
    static TABLE: Kind =
        Kind { id: "table", noun: "table", order: 91, retires: 1, only_seen: false, words: &RouteWords };
    let end = REGISTRY.known().words("kernel_route").transience().expect("an end");
    let last = |plan: &Plan| {
        let summary = Summary::new(plan, &mut Memo::default());
        let text = text::plan(plan, &summary, look(false), true, REGISTRY.known());
        let last = text.trim_end().rsplit("\n\n").next().map(|last| last.replace('\n', " "));
        last.unwrap_or_default()
    };
    let mut plan = planned(&World::mesh(3, 3).desired(), &nothing(), Vec::new());
    assert_eq!(last(&plan), format!("These routes {end}"));
    let what = ListedWhat::Settings(Vec::new());
    let change = ListedChange { kind: &TABLE, key: "".into(), action: Action::Add, reason: Reason::Edited, what };
    let backend = Name::new("cloud").expect("name");
    let id = ResourceId { backend, kind: TABLE.id.into(), name: "".into() };
    let phases = vec![Phase::Install];
    let listed = ListedPlan { id: id.clone(), changes: vec![change], is: None, to: None, phases };
    let resources = [(id, ResourcePlan { listed: Some(listed), ..ResourcePlan::default() })].into();
    plan.places.insert(Place::new(&CLOUD, "table"), PlacePlan { resources, acts: true, ..PlacePlan::default() });
    assert_eq!(last(&plan), format!("The routes on nodes {end}"));
}

#[test]
fn the_same_about_many_destinations_is_counted() {
    let wins = |index| {
        Finding::warning("wins", &place("a"), Text::whole(format!("Another route wins over 10.0.{index}.0/24.")))
    };
    let text = render(&Plan { findings: (0..30).map(wins).collect(), ..Plan::default() });
    assert_eq!(text.matches("Another route wins").count(), 20);
    assert!(text.contains("\nWarning: … and 10 more like this.\n"), "{text}");
}

#[test]
fn colour_adds_nothing_but_colour() {
    let plan = eventful();
    let summary = Summary::new(&plan, &mut Memo::default());
    let colored = text::plan(&plan, &summary, look(true), false, REGISTRY.known());
    assert!(
        colored.contains("\u{1b}[32m  + ") && colored.contains("\u{1b}[31m  - ") && colored.contains("\u{1b}[33m  ~ ")
    );
    let mut bare = String::new();
    for (index, piece) in colored.split('\u{1b}').enumerate() {
        bare.push_str(if index == 0 { piece } else { piece.split_once('m').expect("sequence").1 });
    }
    assert_eq!(bare, render(&plan));
}

fn events(plan: &Plan) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    let summary = Summary::new(plan, &mut Memo::default());
    json::plan(plan, &summary, &mut |event| {
        let line = serde_json::to_string(&event).expect("JSON");
        assert!(!line.contains('\n'));
        events.push(serde_json::from_str(&line).expect("JSON"));
    });
    events
}

#[test]
fn a_plan_as_json_says_what_the_text_says() {
    let plan = planned(&World::mesh(3, 3).desired(), &World::mesh(2, 2).state(), Vec::new());
    let lines: Vec<String> = events(&plan).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            r#"{"action":"add","addresses":["kernel_route.node-2"],"count":2,"drift":false,"id":"4e34a8b2e15bc29c","items":[{"after":{"next_hop":"10.128.0.10","protocol":201},"destination":"172.16.0.0/24","table":254},{"after":{"next_hop":"10.128.0.11","protocol":201},"destination":"172.16.1.0/24","table":254}],"kind":"kernel_route","places":["node-2"],"reason":"new_node","type":"change"}"#,
            r#"{"action":"add","addresses":["kernel_route.node-0","kernel_route.node-1"],"count":2,"drift":false,"id":"0fbcd9b324e505b6","items":[{"after":{"next_hop":"10.128.0.12","protocol":201},"destination":"172.16.2.0/24","table":254}],"kind":"kernel_route","places":["node-0","node-1"],"reason":"node_added","reason_node":"node-2","type":"change"}"#,
            r#"{"add":4,"change":0,"destroy":0,"import":0,"type":"summary","unseen":0}"#,
        ]
    );
}

#[test]
fn the_id_of_a_change_stays_while_the_change_does() {
    let ids = |nodes, recorded| {
        let plan = planned(&World::mesh(nodes, 3).desired(), &World::mesh(recorded, 2).state(), Vec::new());
        let events = events(&plan).into_iter().filter(|event| event["type"] == "change");
        events.map(|event| event["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let (one, other) = (ids(3, 2), ids(4, 2));
    assert_eq!(one, ids(3, 2));
    // node-0 and node-1 get the route to node-2 in both plans. What node-2 gets differs.
    assert_eq!((one.len(), other.len()), (2, 3));
    assert!(one[1] == other[1] && !other.contains(&one[0]), "{one:?} {other:?}");
}

#[test]
fn json_has_drift_conflicts_and_notes() {
    let events = events(&eventful());
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!(of("change").iter().filter(|event| event["drift"] == true).count(), 2);
    let altered = of("change").into_iter().find(|event| event["reason"] == "altered").expect("altered");
    assert_eq!(altered["items"][0]["before"], serde_json::json!({ "next_hop": "10.128.0.99", "protocol": 3 }));
    assert_eq!(altered["items"][0]["found"], "via 10.128.0.99 dev eth0, protocol 3, boot, typed by hand");
    let findings: Vec<(&str, &str)> = [0, 1, 2]
        .map(|index| &events[events.len() - 4 + index])
        .map(|one| (one["severity"].as_str().expect("severity"), one["code"].as_str().expect("code")))
        .into();
    assert_eq!(findings, [("note", "provided"), ("warning", "unseen"), ("conflict", "conflict")]);
    let conflict = &of("finding")[2];
    assert_eq!(conflict["address"], r#"kernel_route.*["192.168.5.0/24"]"#);
    assert_eq!(conflict["places"], serde_json::json!(["node-6", "node-10"]));
    assert_eq!(conflict["found"], "via 10.128.0.77 dev eth0, protocol 4, static");
    assert_eq!(conflict["remedies"][1]["option"], r#"--take-over kernel_route.*["192.168.5.0/24"]"#);
    assert!(of("change").iter().any(|event| event["items"][0]["not_on"].is_array()));
    assert_eq!(events.last().expect("summary")["unseen"], 1);
}

#[test]
fn routes_of_a_mesh_that_keeps_no_lines_are_written_all_the_same() {
    let events = events(&planned(&World::mesh(200, 200).desired(), &nothing(), Vec::new()));
    assert_eq!(events.len(), 2);
    let routes = events[0]["items"].as_array().expect("routes");
    assert_eq!((routes.len(), &events[0]["places"]), (200, &serde_json::json!(["node-[0-199]"])));
    assert!((0..200).all(|index| routes[index]["not_on"][0] == format!("node-{index}")));
}

#[test]
fn what_holds_for_many_places_is_said_once_with_an_address_for_all() {
    let key = "10.200.1.0/24";
    let conflict = |name: &str| {
        let text = Text::around("On ", format!(", the route to {key} is taken by \u{1b}[2J."));
        Finding::conflict(Address::of_key(&place(name), "kernel_route", key), text, "x")
            .remedy(Remedy::SKIP)
            .remedy(Remedy::TakeOver)
    };
    let alone = Plan { findings: vec![conflict("node-1")], ..Plan::default() };
    let all = Plan { findings: ["node-10", "node-9", "node-10"].map(conflict).into(), ..Plan::default() };
    let text = |plan: &Plan| sentence::all(plan).iter().map(sentence::Sentence::text).collect::<Vec<_>>();
    let skip = "To leave it to them, use --skip-conflicts.";
    assert_eq!(
        text(&alone),
        [format!(
            "On node-1, the route to {key} is taken by \u{1b}[2J. {skip} To make it topo's, use --take-over \
             'kernel_route.node-1[\"{key}\"]'."
        )]
    );
    assert_eq!(
        text(&all),
        [format!(
            "On node-9, node-10, the route to {key} is taken by \u{1b}[2J. {skip} To make it topo's, use --take-over \
             'kernel_route.*[\"{key}\"]'."
        )]
    );
    assert!(!render(&all).contains('\u{1b}'), "what a node says does not steer the terminal");
    let skipped = Plan { findings: vec![conflict("node-1").skipped()], ..Plan::default() };
    assert!(text(&skipped)[0].ends_with("topo leaves it out, as --skip-conflicts asks."));
}

use std::sync::Arc;

use super::style::Look;
use super::text::{self, Outcome};
use super::{json, sentence};
use crate::network::Memo;
use crate::plan::summary::fixture::{World, live, place, plan_of, prefix, seen};
use crate::plan::{Conflict, Desired, Note, Observation, Options, Plan, Refusal, Summary};
use crate::resource::{Name, Place};
use crate::state::State;

fn nothing() -> State {
    State::new(Name::new("mesh").expect("name")).expect("lineage")
}

fn look(color: bool) -> Look {
    Look { color, width: 80 }
}

fn render(plan: &Plan) -> String {
    text::plan(plan, &Summary::new(plan, &mut Memo::default()), look(false), false)
}

fn planned(desired: &Desired, state: &State, answers: Vec<(Place, Observation)>) -> Plan {
    plan_of(desired, state, answers, &Options::default())
}

/// Thirty nodes: drift on three, a subnet that moves, one that is another now and that others already have on three,
/// a node that does not answer.
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
    let text = text::plan(&plan, &summary, look(false), true);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "  # kernel_route: node-30 gets 30 routes (new node)");
    assert_eq!(lines[20], "  + 172.16.19.0/24 via 10.128.0.29           on node-30");
    assert_eq!(
        lines[21..].join("\n"),
        "  … and 10 more routes

  # kernel_route: 30 nodes get a route to the pods of node-30 (new node)
  + 172.16.30.0/24 via 10.128.0.40           on node-0 … node-29 (30 nodes)

Plan: 60 to add, 0 to change, 0 to destroy.

These routes will not survive a reboot, a restart of systemd-networkd or a loss\nof carrier."
    );
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
        r#"Changed outside of topo since the last run:

  # kernel_route: node-1, node-2 get a route each again: what was recorded is
  #   not live any more
  + 172.16.20.0/24 via 10.128.0.30           on node-1, node-2

  # kernel_route: node-3 gets a route put back: somebody has changed what was
  #   recorded
  ~ 172.16.21.0/24 via 10.128.0.99 → 10.128.0.31  on node-3
      live now: via 10.128.0.99 dev eth0, protocol 3, boot, typed by hand

Asked for by the topology:

  # kernel_route: 26 nodes get 27 routes in all (changed in the topology)
  + 172.16.8.0/24 via 10.128.0.19            on node-8
  + 192.168.5.0/24 via 10.128.0.15           on node-0 … node-29 (26 nodes)

  # kernel_route: 28 nodes get a route each changed (changed in the topology)
  ~ 172.16.8.0/24 via 10.128.0.18 → 10.128.0.19  on node-0 … node-29 (28 nodes)

  # kernel_route: 29 nodes lose a route each (changed in the topology)
  - 172.16.5.0/24 via 10.128.0.15            on node-0 … node-29 (29 nodes)

  # kernel_route: node-9 loses a route to what becomes its own
  - 172.16.8.0/24 via 10.128.0.18            on node-9

Note: On node-4, the route to 192.168.5.0/24 is provided by somebody else (via
  10.128.0.15 dev eth0, protocol 80, Calico) and is left alone. It becomes
  topo's with --take-over 'kernel_route.node-4["192.168.5.0/24"]'.
Warning: node-7 could not be looked at, so the plan goes by what is recorded.
  ssh to 10.128.0.17 timed out after 10 s.
Conflict: On node-6, node-10, the route to 192.168.5.0/24 is somebody else's:
  via 10.128.0.77 dev eth0, protocol 4, static. Leave it to them with
  --skip-conflicts, or make it topo's with --take-over
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
        "  # kernel_route: node-0, node-1, node-2 have 2 routes each as wanted that are
  #   not recorded yet; they are recorded and marked
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
        "Changed outside of topo since the last run:

  # kernel_route: node-0 gets a route marked again: as recorded, but without the
  #   mark of topo
  ~ 172.16.1.0/24 via 10.128.0.11 protocol 3 → 201  on node-0
      live now: via 10.128.0.11 dev eth0, protocol 3, boot, typed by hand

Plan: 0 to add, 1 to change, 0 to destroy.
"
    );
}

#[test]
fn events_of_a_run_as_json() {
    use crate::drive::Event;
    use crate::resource::Phase;
    let node = || place("node-1");
    let lines: Vec<String> = [
        Event::ObserveStarted { places: 2 },
        Event::Observed { place: node(), error: None },
        Event::Observed { place: node(), error: Some("Away.".to_owned()) },
        Event::ApplyStarted { steps: 3, places: 2 },
        Event::StepDone { place: node(), phase: Phase::Install, operations: 4 },
        Event::StepFailed { place: node(), phase: Phase::Retire, message: "Broken.".to_owned() },
        Event::Skipped { place: node(), receiver: place("node-2"), routes: 5 },
        Event::Warning { place: node(), message: "Odd.".to_owned() },
        Event::Stopping,
    ]
    .iter()
    .map(|event| serde_json::to_string(&json::run(event)).expect("JSON"))
    .chain([serde_json::to_string(&json::version()).expect("JSON")])
    .collect();
    assert_eq!(
        lines,
        [
            r#"{"type":"observe_started","places":2}"#,
            r#"{"type":"observed","node":"node-1"}"#,
            r#"{"type":"observed","node":"node-1","error":"Away."}"#,
            r#"{"type":"apply_started","steps":3,"places":2}"#,
            r#"{"type":"step_done","node":"node-1","phase":"install","operations":4}"#,
            r#"{"type":"step_failed","node":"node-1","phase":"retire","message":"Broken."}"#,
            r#"{"type":"skipped","node":"node-1","receiver":"node-2","routes":5}"#,
            r#"{"type":"warning","node":"node-1","message":"Odd."}"#,
            r#"{"type":"stopping"}"#,
            concat!(r#"{"type":"version","topo":""#, env!("CARGO_PKG_VERSION"), r#"","format_version":"1.0"}"#),
        ]
    );
}

#[test]
fn no_changes_is_only_said_where_it_is_true() {
    let world = World::mesh(3, 3);
    let none = "No changes. Your infrastructure matches the configuration.\n";
    assert_eq!(render(&planned(&world.desired(), &world.state(), Vec::new())), none);
    let conflict =
        Conflict { place: place("a"), kind: "kernel_route".into(), key: "10.0.0.0/8".into(), found: "x".into() };
    for plan in [
        Plan { conflicts: vec![conflict.clone()], ..Plan::default() },
        Plan { notes: vec![Note::Skipped(conflict)], ..Plan::default() },
        Plan { refusals: vec![Refusal::LineageLost(place("a"))], ..Plan::default() },
        Plan { forgotten: [place("a")].into(), ..Plan::default() },
    ] {
        assert!(render(&plan).ends_with("\nPlan: 0 to add, 0 to change, 0 to destroy.\n"), "{}", render(&plan));
    }
}

#[test]
fn dropped_records_are_listed() {
    let forgotten = [place("node-10"), place("node-9")];
    let plan = Plan { notes: forgotten.iter().cloned().map(Note::Forgotten).collect(), ..Plan::default() };
    let plan = Plan { forgotten: forgotten.into(), ..plan };
    assert_eq!(
        render(&plan),
        "  # 2 records are dropped without a login; what topo has put there stays
  . node-9
  . node-10

Plan: 0 to add, 0 to change, 0 to destroy.
"
    );
}

#[test]
fn every_note_and_refusal_says_what_to_do_and_is_said_once_for_many_nodes() {
    let found = || "via 10.0.0.9 dev eth0, protocol 4, static".to_owned();
    let (one, two) = (place("node-1"), place("node-2"));
    let key = prefix("10.200.1.0/24");
    let name = |text: &str| Name::new(text).expect("name");
    let conflict = |found: &str| Conflict {
        place: place("node-1"),
        kind: "kernel_route".into(),
        key: key.to_string().into(),
        found: found.to_owned(),
    };
    let plan = Plan {
        notes: vec![
            Note::Replaced(two.clone()),
            Note::Replaced(one.clone()),
            Note::Renamed(two.clone(), one.clone()),
            Note::Wins(one.clone(), key, "10.200.1.128/25 via 10.0.0.9 dev \u{1b}[2J".to_owned()),
            Note::Deferred(one.clone(), key, "dev cni0, protocol 2, the kernel".to_owned()),
            Note::Lost(one.clone(), key, found()),
            Note::Stray(one.clone(), key, found()),
            Note::OtherLineage(one.clone(), "abc".to_owned()),
            Note::Skipped(conflict(&found())),
        ],
        conflicts: vec![conflict("dev cni0, protocol 2, the kernel")],
        refusals: vec![
            Refusal::NotOnLink(one.clone(), "10.0.0.9".parse().expect("address"), "via 10.0.0.1 dev eth0".to_owned()),
            Refusal::Captures(one.clone(), key, "10.200.1.5".parse().expect("address"), "a DNS server in use"),
            Refusal::ProtocolTaken(one.clone(), "other".to_owned(), 202),
            Refusal::LineageLost(one.clone()),
            Refusal::LineageLost(two.clone()),
            Refusal::SameMachine(one.clone(), two.clone()),
            Refusal::InAzure(one.clone(), vec![name("ssh-static")], Arc::from([key])),
            Refusal::InAzure(two.clone(), vec![name("ssh-static")], Arc::from([key])),
            Refusal::InAzure(two.clone(), vec![name("netplan"), name("ssh-static")], Arc::from([key; 5])),
        ],
        ..Plan::default()
    };
    let texts: Vec<String> =
        sentence::all(&plan).iter().map(|said| format!("{}: {}", said.level.label(), said.text())).collect();
    assert_eq!(
        texts,
        [
            "Note: node-1 is the machine that was called node-2 before; its record moves with it.",
            "Note: On node-1, the route to 10.200.1.0/24 is somebody else's by now (via 10.0.0.9 dev eth0, protocol 4, \
             static). It is not wanted any more, so only its record is dropped.",
            "Warning: Another machine than the recorded one answers as node-1, node-2: it is planned from nothing, \
             and the record of the other one is dropped. Where that one still runs, its routes and its marker in \
             /etc/topo stay there; give it a name of its own in the topology to keep or destroy them.",
            "Warning: On node-1, another route wins over the one to 10.200.1.0/24: 10.200.1.128/25 via 10.0.0.9 dev \
             \u{1b}[2J. Remove it, or take the destination out of the topology.",
            "Warning: On node-1, the route to 10.200.1.0/24 is left for later, for the node itself still has that \
             subnet (dev cni0, protocol 2, the kernel). Take the subnet away from there, then run topo apply again.",
            "Warning: On node-1, a route to 10.200.1.0/24 carries the mark of topo and is neither recorded nor wanted \
             (via 10.0.0.9 dev eth0, protocol 4, static). It is left alone; where nobody needs it, remove it there \
             with `ip route del 10.200.1.0/24`.",
            "Warning: The marker of this topology on node-1 is of another lineage (abc): the state that it belongs to \
             is not this one.",
            "Warning: On node-1, the route to 10.200.1.0/24 is left out as asked: somebody else has it (via 10.0.0.9 \
             dev eth0, protocol 4, static).",
            "Conflict: On node-1, the route to 10.200.1.0/24 is somebody else's: dev cni0, protocol 2, the kernel. \
             Leave it to them with --skip-conflicts, or remove it there; a route of this sort cannot be taken over.",
            "Error: On node-1, the next hop 10.0.0.9 is not on the link: via 10.0.0.1 dev eth0. Declare the networks \
             of the nodes in [subnets], with a gateway where one leads to the others, or correct the address.",
            "Error: On node-1, a route to 10.200.1.0/24 would capture 10.200.1.5, a DNS server in use, and could cut \
             the node off. Take that pod subnet out of the topology, or give the pods another one.",
            "Error: On node-1, the topology other marks its routes with the protocol number 202 too, so neither could \
             tell its own. Write protocol = 203 in [backends.ssh-static].",
            "Error: The marker on node-1, node-2 says that this topology was applied with another state. Give that \
             state with --state; where it is lost, --new-lineage records what is there and wanted, and goes on.",
            "Error: node-2 and node-1 are one machine: both have the same /etc/machine-id. Take one of them out of the \
             topology, or run systemd-machine-id-setup on a machine that was cloned.",
            "Error: On node-1, node-2, in Azure, a route on the machine does not choose the next hop: Azure forwards by \
             its own route tables, and no [backends.azure-udr] with `subnets` puts 10.200.1.0/24 into one, so what is \
             sent there is lost. Add one that does, or take ssh-static off the machines in Azure with `nodes = […]`.",
            "Error: On node-2, in Azure, a route on the machine does not choose the next hop: Azure forwards by its own \
             route tables, and no [backends.azure-udr] with `subnets` puts 10.200.1.0/24, 10.200.1.0/24, 10.200.1.0/24 \
             and 2 other destinations into one, so what is sent there is lost. Add one that does, or take netplan and \
             ssh-static off the machines in Azure with `nodes = […]`.",
        ]
    );
    assert!(!render(&plan).contains('\u{1b}'), "what a node says does not steer the terminal");
}

#[test]
fn what_is_to_be_known_of_files_says_what_to_do() {
    let one = place("node-1");
    let conflict = Conflict {
        place: one.clone(),
        kind: "netplan_file".into(),
        key: "60-topo.yaml".into(),
        found: "/etc/netplan/60-topo.yaml is there, and topo has not written it".to_owned(),
    };
    let plan = Plan {
        notes: vec![
            Note::NotLoaded(one.clone(), false),
            Note::StaysLoaded(one.clone()),
            Note::Skipped(conflict.clone()),
        ],
        conflicts: vec![conflict],
        refusals: vec![Refusal::File(one, "netplan is not installed. Install it".to_owned())],
        ..Plan::default()
    };
    let texts: Vec<String> =
        sentence::all(&plan).iter().map(|said| format!("{}: {}", said.level.label(), said.text())).collect();
    assert_eq!(
        texts,
        [
            "Warning: The routes of node-1 are not persistent yet: their file is loaded at the next boot or restart of \
             systemd-networkd (activate = \"defer\"), and until then they do not survive a loss of carrier.",
            "Warning: systemd-networkd on node-1 may still have the routes of a file in mind that is taken away without \
             loading: until its next start, or `netplan apply` there, a loss of carrier can bring them back.",
            "Warning: On node-1, 60-topo.yaml is left alone as asked: /etc/netplan/60-topo.yaml is there, and topo has \
             not written it.",
            "Conflict: On node-1, /etc/netplan/60-topo.yaml is there, and topo has not written it. Give ours another name \
             with `file` in the backend's table, leave it alone with --skip-conflicts, or write over it with \
             --take-over 'netplan_file.node-1[\"60-topo.yaml\"]'.",
            "Error: On node-1, netplan is not installed. Install it.",
        ]
    );
}

#[test]
fn the_same_about_many_destinations_is_counted() {
    let notes = (0..30).map(|index| Note::Wins(place("a"), prefix(&format!("10.0.{index}.0/24")), "x".to_owned()));
    let text = render(&Plan { notes: notes.collect(), ..Plan::default() });
    assert_eq!(text.matches("another route wins").count(), 20);
    assert!(text.contains("\nWarning: … and 10 more of this sort.\n"), "{text}");
}

#[test]
fn colour_adds_nothing_but_colour() {
    let plan = eventful();
    let summary = Summary::new(&plan, &mut Memo::default());
    let colored = text::plan(&plan, &summary, look(true), false);
    assert!(
        colored.contains("\u{1b}[32m  + ") && colored.contains("\u{1b}[31m  - ") && colored.contains("\u{1b}[33m  ~ ")
    );
    let mut bare = String::new();
    for (index, piece) in colored.split('\u{1b}').enumerate() {
        bare.push_str(if index == 0 { piece } else { piece.split_once('m').expect("sequence").1 });
    }
    assert_eq!(bare, render(&plan));
}

#[test]
fn the_end_of_a_run_says_what_is_left() {
    let mut outcome = Outcome { added: 12, ..Outcome::default() };
    let end = |outcome: &Outcome| text::result(outcome, look(false));
    assert_eq!(end(&outcome), "Apply complete! Resources: 12 added, 0 changed, 0 destroyed.\n");
    outcome.imported = 3;
    let why = || "The node could not be reached.".to_owned();
    outcome.left = vec![(place("node-2"), 4, why()), (place("node-1"), 5, why())];
    assert_eq!(
        end(&outcome),
        "Apply incomplete. Resources: 3 imported, 12 added, 0 changed, 0 destroyed.

Left to do:
  node-1, node-2 (9 routes): The node could not be reached.

Run topo apply again to go on from there.
"
    );
    let gone = Outcome { destroy: true, destroyed: 7, ..Outcome::default() };
    assert_eq!(end(&gone), "Destroy complete! Resources: 7 destroyed.\n");
}

fn events(plan: &Plan) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    let summary = Summary::new(plan, &mut Memo::default());
    json::plan(plan, &summary, None, &mut |event| {
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
            r#"{"action":"add","count":2,"drift":false,"kind":"kernel_route","nodes":["node-2"],"reason":"new_node","routes":[{"destination":"172.16.0.0/24","next_hop":"10.128.0.10"},{"destination":"172.16.1.0/24","next_hop":"10.128.0.11"}],"table":254,"type":"change"}"#,
            r#"{"action":"add","count":2,"drift":false,"kind":"kernel_route","nodes":["node-0","node-1"],"reason":"node_added","reason_node":"node-2","routes":[{"destination":"172.16.2.0/24","next_hop":"10.128.0.12"}],"table":254,"type":"change"}"#,
            r#"{"add":4,"change":0,"destroy":0,"import":0,"type":"summary","unseen":0}"#,
        ]
    );
}

#[test]
fn json_has_drift_conflicts_and_notes() {
    let events = events(&eventful());
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!(of("change").iter().filter(|event| event["drift"] == true).count(), 2);
    let altered = of("change").into_iter().find(|event| event["reason"] == "altered").expect("altered");
    assert_eq!(altered["routes"][0]["before"]["next_hop"], "10.128.0.99");
    assert_eq!(altered["routes"][0]["found"], "via 10.128.0.99 dev eth0, protocol 3, boot, typed by hand");
    assert_eq!(of("conflict")[0]["address"], r#"kernel_route.node-10["192.168.5.0/24"]"#);
    let topics: Vec<String> = of("note").iter().map(|note| note["topic"].to_string()).collect();
    assert_eq!(topics, [r#""provided""#, r#""unseen""#]);
    let edited = of("change").into_iter().find(|event| event["routes"][0]["not_on"].is_array()).expect("left out");
    assert_eq!(edited["own_left_out"], true);
    assert_eq!(events.last().expect("summary")["unseen"], 1);
}

#[test]
fn routes_of_a_mesh_that_keeps_no_lines_are_written_all_the_same() {
    let events = events(&planned(&World::mesh(200, 200).desired(), &nothing(), Vec::new()));
    assert_eq!(events.len(), 2);
    let routes = events[0]["routes"].as_array().expect("routes");
    assert_eq!((routes.len(), &events[0]["own_left_out"]), (200, &true.into()));
    assert!((0..200).all(|index| routes[index]["not_on"][0] == format!("node-{index}")));
}

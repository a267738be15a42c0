use super::*;
use crate::backend::node::fixture::{World, place};

use crate::plan::Options;

const TABLE: &str = include_str!("../../../../docs/identity.md");

/// The rows of the document's table that starts with this cell, each as its cells.
fn rows_of(first: &str) -> Vec<Vec<&'static str>> {
    let lines = TABLE.lines().skip_while(|line| !line.starts_with(&format!("| {first} |"))).skip(2);
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn the_document_says_what_each_combination_means() {
    let (here, other) = (place("node-0"), place("node-1"));
    let record = |id: &str| PlaceRecord {
        machine_id: Some(id).filter(|id| !id.is_empty()).map(Into::into),
        ..PlaceRecord::default()
    };
    let mut expected = Vec::new();
    for (on_record, own) in [
        ("nothing", None),
        ("a machine, its id is not known", Some(record(""))),
        ("a machine with its id", Some(record("11"))),
    ] {
        let has_id = own.as_ref().is_some_and(|own| own.machine_id.is_some());
        for (machine_id, id) in
            [("none", ""), ("the recorded one", "11"), ("that of another node", "22"), ("not on record", "33")]
        {
            if id == "11" && !has_id {
                continue;
            }
            let by_id = match id {
                "11" => Some(&here),
                "22" => Some(&other),
                _ => None,
            };
            for (marker, named, named_record) in [
                ("none", Named::NoMarker, None),
                ("without a name", Named::NoNode, None),
                ("this node", Named::Node("node-0"), own.as_ref().map(|_| &here)),
                ("another node", Named::Node("node-1"), Some(&other)),
                ("a node without a record", Named::Node("node-7"), None),
            ] {
                let result = match identify(&here, id, own.as_ref(), named, named_record, by_id) {
                    Machine::New => "new",
                    Machine::Same => "the recorded machine",
                    Machine::NewId => "the recorded machine, with a new id",
                    Machine::Renamed(_) => "the machine of the other node",
                    Machine::Replaced => "another machine",
                    Machine::Refused(..) | Machine::Clone => panic!("one answer does not say that"),
                };
                expected.push(vec![on_record, machine_id, marker, result]);
            }
        }
    }
    assert_eq!(rows_of("on record"), expected);
}

/// Three nodes that are recorded with machine-ids 0, 1 and 2.
fn recorded(world: &World) -> State {
    let mut state = world.state();
    for (id, (_, record)) in (0..).zip(&mut state.places) {
        record.machine_id = Some(format!("{id:02}").into());
    }
    state
}

/// What topo makes of machines that answer under names, each with its id.
fn answers(desired: &Desired, state: &State, answers: &[(&str, &str)]) -> Vec<String> {
    let (topology, options) = (Name::new("mesh").expect("name"), Options::default());
    let inputs = Inputs { topology: &topology, desired, recorded: state, options: &options };
    // `33 of node-1` is an id, and the name in the marker.
    let identity = |said: &str| {
        let (id, named) = said.split_once(" of ").map_or((said, None), |(id, name)| (id, Some(name)));
        let (topology, lineage) = ("mesh".to_owned(), state.lineage.to_string());
        let marker = |name: &str| Marker {
            topology: topology.clone(),
            lineage: lineage.clone(),
            node: Some(name.to_owned()),
            ..Marker::default()
        };
        Identity { machine_id: id.to_owned(), markers: named.map(marker).into_iter().collect(), ..Identity::default() }
    };
    let given: Vec<(Place, Identity)> = answers.iter().map(|(name, id)| (place(name), identity(id))).collect();
    let machines = Machines::new(&inputs, given.iter().map(|(place, identity)| (place, identity)), |_| true);
    let of = |(name, _): &(&str, &str)| match machines.of(&place(name)).expect("an answer") {
        Machine::Renamed(source) => format!("was {}", source.name()),
        Machine::Refused(source, Why::InTopology) => format!("is {}", source.name()),
        Machine::Refused(source, Why::AddressOf(_, owner)) => {
            format!("is {}, and {} has its address", source.name(), owner.name())
        }
        other => format!("{other:?}"),
    };
    answers.iter().map(of).collect()
}

#[test]
fn a_machine_has_a_new_name_only_if_nobody_else_has_the_old_one() {
    const NEW_NAME: &str = "the same machine with a new name";
    const WRONG: &str = "a wrong machine or a clone";
    let world = World::mesh(3, 3);
    let state = recorded(&world);
    let renamed = |names: [&str; 3]| {
        let members = world.0.iter().zip(names);
        World(
            members
                .map(|(member, name)| super::super::fixture::Member { name: name.to_owned(), ..member.clone() })
                .collect(),
        )
    };
    let of = |world: &World, given: &[(&str, &str)]| answers(&world.desired(), &state, given);
    let mut seen = Vec::new();
    let mut row = |result: &str| seen.push(result.to_owned());
    // Left, and nobody has its address.
    let left = renamed(["node-0", "worker", "node-2"]);
    assert_eq!(of(&left, &[("node-0", "00"), ("worker", "01")]), ["Same", "was node-1"]);
    row(NEW_NAME);
    // Left, and node-9 has its address.
    let mut taken = renamed(["node-0", "worker", "node-9"]).0;
    (taken[1].address, taken[2].address) = (taken[2].address, taken[1].address);
    let found = of(&World(taken), &[("worker", "01")]);
    assert_eq!(found, ["is node-1, and node-9 has its address"]);
    row(WRONG);
    // In the topology and silent; and answering.
    assert_eq!(of(&world, &[("node-0", "01")]), ["is node-1"]);
    row(WRONG);
    assert_eq!(of(&world, &[("node-0", "33 of node-1"), ("node-1", "01 of node-1")]), ["is node-1", "Same"]);
    row(WRONG);
    // Exchanged names, with and without the pods.
    let swapped = renamed(["node-1", "node-0", "node-2"]);
    assert_eq!(of(&swapped, &[("node-0", "01"), ("node-1", "00")]), ["was node-1", "was node-0"]);
    row(NEW_NAME);
    let mut crossed = swapped.0.clone();
    (crossed[0].pods, crossed[1].pods) = (crossed[1].pods.clone(), crossed[0].pods.clone());
    assert_eq!(of(&World(crossed), &[("node-0", "01"), ("node-1", "00")]), ["is node-1", "is node-0"]);
    row(WRONG);
    // Nothing of this is asked of several machines with one id.
    assert_eq!(of(&world, &[("node-0", "01"), ("node-1", "01"), ("node-2", "02")]), ["Clone", "Clone", "Same"]);
    let documented: Vec<String> = rows_of("name on record").iter().map(|row| row[2].to_owned()).collect();
    assert_eq!(documented, seen);
}

#[test]
fn a_machine_that_answers_late_is_not_taken_for_the_recorded_one_if_it_is_another_nodes() {
    let world = World::mesh(3, 3);
    let (state, desired) = (recorded(&world), world.desired());
    let (topology, options) = (Name::new("mesh").expect("name"), Options::default());
    let inputs = Inputs { topology: &topology, desired: &desired, recorded: &state, options: &options };
    let marker = |name: Option<&str>, lineage: &str| Marker {
        topology: "mesh".to_owned(),
        lineage: lineage.to_owned(),
        node: name.map(str::to_owned),
        ..Marker::default()
    };
    let lineage = state.lineage.to_string();
    for (id, named, is_other) in [
        ("00", None, false),
        ("00", Some(marker(Some("node-1"), &lineage)), false),
        ("01", None, true),
        ("33", None, false),
        ("33", Some(marker(Some("node-1"), &lineage)), true),
        ("33", Some(marker(Some("node-1"), "00")), false),
        ("01", Some(marker(Some("node-0"), &lineage)), false),
        ("01", Some(marker(None, &lineage)), true),
        ("", None, false),
    ] {
        let identity =
            Identity { machine_id: id.to_owned(), markers: named.iter().cloned().collect(), ..Identity::default() };
        assert_eq!(is_of_another(&place("node-0"), &identity, &inputs), is_other, "{id} {named:?}");
    }
}

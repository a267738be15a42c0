//! A receiver that fails loses its routes in every place.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, KERNEL, KERNEL_AND_FILES, MACHINES, OFFICE};
use super::scene::{Order, PARTLY, Scene};
use crate::arm::TABLE;
use crate::fake::world::Ran;

/// Three machines in Azure, and one behind the gateway of the virtual network.
fn with_office(on_nodes: &'static str) -> Draft {
    let office = (OFFICE, &["192.168.50.0/24"] as &[&str]);
    Draft::new(on_nodes, &[(0, &[]), (1, &["10.200.0.0/24"]), (2, &["10.200.1.0/24", "10.200.2.0/24"]), office])
}

/// Applies while these machines are down, and while these network interfaces cannot be made to forward.
fn check(on_nodes: &'static str, dead: &[usize], unforwarding: &[usize]) {
    let (scene, draft) = (Scene::new(false), with_office(on_nodes));
    let interfaces = ["", "worker-0-nic", "worker-1-nic"];
    scene
        .cloud
        .refuses
        .lock()
        .expect("no panic before")
        .extend(unforwarding.iter().map(|machine| interfaces[*machine]));
    scene.world.network.faults.lock().expect("no panic before").extend(dead.iter().map(|machine| (*machine, 0)));
    let order = Order::Apply(draft.clone());
    let (ran, exit) = scene.run(&order);
    let case = format!("{on_nodes:?}, {dead:?}, {unforwarding:?}: {ran:?}");
    let Ran::Done(outcome) = &ran else { panic!("{case}") };
    assert_eq!(exit, PARTLY, "{case}");
    assert_eq!(scene.wrong(&order, exit), [""; 0], "{case}");

    // What leads to a lost receiver is nowhere, and all else is everywhere but on dead machines.
    let lost: BTreeSet<usize> = dead.iter().chain(unforwarding).copied().collect();
    let pods: Vec<&String> =
        draft.nodes.iter().filter(|(machine, _)| lost.contains(machine)).flat_map(|it| &it.1).collect();
    let mut rows = draft.rows();
    rows.retain(|row| !pods.iter().any(|pods| row.contains(pods.as_str())));
    rows.retain(|row| !dead.iter().any(|machine| row.starts_with(&format!("{}:", MACHINES[*machine].0))));
    assert_eq!(scene.rows(), rows, "{case}");
    let mut table = draft.table();
    table.retain(|route| !pods.iter().any(|pods| route.starts_with(pods.as_str())));
    assert_eq!(scene.in_azure().routes, table, "{case}");

    // Each place names each of them once, with all its routes.
    let mut told: BTreeMap<(String, &str), Vec<usize>> = BTreeMap::new();
    for one in &outcome.skipped {
        told.entry((one.place.name().to_owned(), &one.receiver)).or_default().push(one.routes);
    }
    let mut expected = BTreeMap::new();
    for (machine, pods) in draft.nodes.iter().filter(|(machine, _)| lost.contains(machine)) {
        let nodes =
            draft.nodes.iter().map(|(other, _)| *other).filter(|other| other != machine && !dead.contains(other));
        let places = nodes.map(|other| MACHINES[other].0).chain([TABLE]);
        expected.extend(places.map(|place| ((place.to_owned(), MACHINES[*machine].0), vec![pods.len()])));
    }
    assert_eq!(told, expected, "{case}");

    scene.world.network.faults.lock().expect("no panic before").clear();
    scene.cloud.refuses.lock().expect("no panic before").clear();
    assert_eq!(scene.finish(&order), [""; 0], "{case}");
}

#[test]
fn a_receiver_that_fails_loses_its_routes_everywhere() {
    for on_nodes in [KERNEL, KERNEL_AND_FILES] {
        check(on_nodes, &[2], &[]);
        check(on_nodes, &[OFFICE], &[]);
        check(on_nodes, &[1], &[2]);
        check(on_nodes, &[2], &[2]);
        check(on_nodes, &[1, OFFICE], &[2]);
        check(on_nodes, &[], &[2]);
        check(on_nodes, &[], &[1, 2]);
    }
}

/// A run dies while it tries a new machine that is down. No later run takes the routes of that machine for installed.
#[test]
fn a_receiver_in_doubt_that_does_not_answer_is_never_done() {
    for on_nodes in [KERNEL, KERNEL_AND_FILES] {
        let before = Scene::new(false);
        before.apply(&Draft::new(on_nodes, &[(0, &[]), (1, &["10.200.0.0/24"])]));
        let draft = Draft::new(on_nodes, &[(0, &[]), (1, &["10.200.0.0/24"]), (2, &["10.200.1.0/24"])]);
        let order = Order::Apply(draft.clone());
        for how in 0..2 {
            for at in 1.. {
                let scene = before.copy();
                scene.world.network.faults.lock().expect("no panic before").insert(2, 0);
                if !matches!(scene.run_until(&order, at, how).0, Ran::Died) {
                    assert!(at > 4, "the run has only {at} writes");
                    break;
                }
                let case = format!("{on_nodes:?}, killed at write {at} in way {how}");
                for round in 1..3 {
                    let (ran, exit) = scene.run(&order);
                    assert_eq!(exit, PARTLY, "{case}, run {round}: {ran:?}");
                    assert_eq!(scene.wrong(&order, exit), [""; 0], "{case}, run {round}: {ran:?}");
                    let rows = scene.rows();
                    assert!(rows.iter().all(|row| !row.contains("10.200.1.0")), "{case}, run {round}: {rows:?}");
                    let table = scene.in_azure().routes;
                    assert!(table.iter().all(|row| !row.starts_with("10.200.1.0")), "{case}, run {round}: {table:?}");
                }
                scene.world.network.faults.lock().expect("no panic before").clear();
                // The machine answers: the first run looks, and one more may be needed for what leads to it.
                scene.run(&order);
                assert_eq!(scene.finish(&order), [""; 0], "{case}");
            }
        }
    }
}

/// A node that fails only when it is written to fails in the same phase in which others get routes to it.
#[test]
fn a_receiver_that_fails_in_the_phase_of_its_routes_costs_nothing() {
    for on_nodes in [KERNEL, KERNEL_AND_FILES] {
        for machine in [2, OFFICE] {
            let (scene, draft) = (Scene::new(false), with_office(on_nodes));
            scene.world.network.faults.lock().expect("no panic before").insert(machine, 3);
            let order = Order::Apply(draft);
            let (ran, exit) = scene.run(&order);
            let Ran::Done(outcome) = &ran else { panic!("{ran:?}") };
            let failed: BTreeSet<&str> = outcome.failures.iter().map(|failure| failure.place.name()).collect();
            assert_eq!((failed, exit), ([MACHINES[machine].0].into(), PARTLY), "{ran:?}");
            assert_eq!(scene.wrong(&order, exit), [""; 0], "{ran:?}");
            scene.world.network.faults.lock().expect("no panic before").clear();
            assert_eq!(scene.finish(&order), [""; 0], "{ran:?}");
        }
    }
}

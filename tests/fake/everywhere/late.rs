//! Places that do not answer before the plan is made, and answer in the run.

use std::sync::atomic::Ordering;

use serde_json::json;
use topo::report::Failure;

use super::draft::{KERNEL, KERNEL_AND_FILES, changed, grown, small};
use super::scene::{Order, PARTLY, Scene, WHOLE};
use crate::arm::{Command, TABLE, network_path};
use crate::fake::kernel::{Command as Row, Verb, Way};
use crate::fake::post::{Form, Mishap};
use crate::fake::world::Ran;

const LATE: [(Form, &str); 2] = [(Form::Look, "node-0"), (Form::Get, "Table kubernetes-routes")];

/// A run in which a place does not answer at first.
fn run_late(scene: &Scene, order: &Order, (form, to): (Form, &str)) -> (Ran, u8) {
    scene.run_with(order, form, to, Mishap::NotSent)
}

fn failures(ran: &Ran) -> String {
    let Ran::Done(outcome) = ran else { panic!("{ran:?}") };
    let said = |failure: &Failure| format!("{}: {}", failure.place.name(), failure.message);
    outcome.failures.iter().map(said).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_place_that_answers_late_is_planned_anew() {
    for on_nodes in [KERNEL, KERNEL_AND_FILES] {
        for late in LATE {
            let scene = Scene::new(false);
            scene.apply(&grown(on_nodes));
            let order = Order::Apply(changed(on_nodes));
            let (ran, exit) = run_late(&scene, &order, late);
            assert_eq!(exit, WHOLE, "{late:?}: {ran:?}");
            assert_eq!(scene.wrong(&order, exit), [""; 0], "{late:?}: {ran:?}");
            assert_eq!(scene.finish(&order), [""; 0], "{late:?}");
        }
    }
}

/// Somebody changes the next hop of a route of topo on a node, and in the table.
fn change_by_hand(scene: &Scene) {
    let way = Way::Via("10.240.0.99".parse().expect("address"));
    let destination = "10.200.1.0/24".parse().expect("a prefix");
    let row = Row { verb: Verb::Change, table: 254, destination, metric: None, way, protocol: None };
    scene.world.network.nodes()[1].by_hand(&row).expect("it is changed");
    let path = network_path(&format!("routeTables/{TABLE}/routes/kubernetes-route-10-200-1-0-24"));
    let body = json!({ "properties": { "nextHopIpAddress": "10.240.0.99" } });
    scene.cloud.command(Command::Merge { path, body });
}

#[test]
fn a_place_that_answers_late_and_is_not_as_recorded_is_left_alone() {
    for (late, name) in LATE.into_iter().zip(["node-0", TABLE]) {
        let scene = Scene::new(false);
        scene.apply(&grown(KERNEL));
        change_by_hand(&scene);
        let (rows, routes) = (scene.rows(), scene.in_azure().routes);
        assert!(rows.contains("node-0: 10.200.1.0/24 via 10.240.0.99"), "{rows:?}");
        assert!(routes.contains("10.200.1.0/24 by 10.240.0.99"), "{routes:?}");
        // A third pod subnet comes, so that each place has something to do.
        let mut draft = grown(KERNEL);
        draft.nodes[2].1.push("10.200.2.0/24".to_owned());
        let order = Order::Apply(draft);
        let (ran, exit) = run_late(&scene, &order, late);
        assert_eq!(exit, PARTLY, "{late:?}: {ran:?}");
        let said = failures(&ran);
        assert!(said.contains(&format!("{name} answers again, but it is not as it was recorded.")), "{said}");
        match name {
            TABLE => assert_eq!(scene.in_azure().routes, routes, "{ran:?}"),
            _ => assert!(scene.rows().contains("node-0: 10.200.1.0/24 via 10.240.0.99"), "{ran:?}"),
        }
        assert_eq!(scene.finish(&order), [""; 0], "{late:?}");
    }
}

#[test]
fn a_place_in_doubt_that_answers_late_is_left_to_the_next_run() {
    for (late, name) in LATE.into_iter().zip(["node-0", TABLE]) {
        let scene = Scene::new(false);
        scene.apply(&small(KERNEL));
        let order = Order::Apply(grown(KERNEL));
        // The run dies behind its first write, which puts everything in doubt.
        let (ran, _) = scene.run_until(&order, 1, 1);
        assert!(matches!(ran, Ran::Died), "{ran:?}");
        let rows: Vec<String> = scene.rows().into_iter().filter(|row| row.starts_with("node-0:")).collect();
        let routes = scene.in_azure().routes;
        let (ran, exit) = run_late(&scene, &order, late);
        assert_eq!(exit, PARTLY, "{late:?}: {ran:?}");
        // topo asks a table once more, and leaves a node to the next run without asking.
        let said = failures(&ran);
        let words = format!("{name} answers again. topo must first look at what an earlier run left there.");
        let is_left = scene.world.left_out.load(Ordering::SeqCst);
        assert!(if said.is_empty() { is_left } else { said.contains(&words) }, "{said}");
        let is_untouched = match name {
            TABLE => scene.in_azure().routes == routes,
            _ => scene.rows().iter().filter(|row| row.starts_with("node-0:")).eq(&rows),
        };
        assert!(is_untouched, "{late:?}: {ran:?}");
        assert_eq!(scene.wrong(&order, exit), [""; 0], "{late:?}: {ran:?}");
        assert_eq!(scene.finish(&order), [""; 0], "{late:?}");
    }
}

//! Steps and questions that panic: a mistake in topo must not look like a run that is complete.

#[cfg(feature = "azure")]
mod in_azure;

use std::collections::BTreeSet;
use std::sync::Arc;

use topo::backend::Desired;
use topo::backend::REGISTRY;
use topo::plan::Options;
use topo::resource::{Name, Place};
use topo::topology::{self, Source};

use super::kernel::Node;
use super::world::{Ran, World};

const TEXT: &str = "[topology]
name = \"kthw\"
[nodes]
server = { address = \"10.240.0.10\" }
node-0 = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }
node-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }
";

fn desired(backends: &str) -> Desired {
    let source = Source { name: "topo.toml".into(), text: format!("{TEXT}{backends}") };
    let (topology, diagnostics) = topology::parse(&[source], REGISTRY.formats());
    let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    REGISTRY.desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
}

/// Three machines, without routes.
fn three_machines() -> Arc<World> {
    let world = Arc::new(World::default());
    for (number, host) in ["10.240.0.10", "10.240.0.20", "10.240.0.21"].iter().enumerate() {
        let address = (host.parse().expect("address"), 24);
        let node = Node::new(&format!("{number:032x}"), &[address], "10.240.0.250".parse().ok());
        world.network.nodes().push(node);
    }
    world
}

#[test]
fn a_look_that_panics_has_seen_nothing() {
    let (name, options) = (Name::new("kthw").expect("name"), Options::default());
    let (world, desired) = (three_machines(), desired("[backends.ssh-static]\n"));
    assert!(matches!(world.run(&name, &desired, &options, 0, 0), Ran::Done(outcome) if outcome.is_complete()));
    world.network.faults.lock().expect("no panic before").insert(1, 8);
    let (plan, ..) = world.plan(&name, &desired, &options);
    let unseen: Vec<&str> = plan.unseen().into_iter().map(Place::name).collect();
    assert_eq!((unseen, plan.has_changes(), plan.answered), (vec!["node-0"], false, 2), "{plan:?}");
    world.network.faults.lock().expect("no panic before").clear();
    assert!(!world.plan(&name, &desired, &options).0.has_unseen());
}

#[test]
fn a_place_that_nobody_can_reach_was_not_looked_at() {
    let (name, options) = (Name::new("kthw").expect("name"), Options::default());
    let (world, mut desired) = (three_machines(), desired("[backends.ssh-static]\n"));
    let place = Place::from(Name::new("node-1").expect("name"));
    desired.places.get_mut(&place).expect("it is wanted").endpoint = None;
    let (plan, ..) = world.plan(&name, &desired, &options);
    assert_eq!(plan.unseen().into_iter().collect::<Vec<_>>(), [&place], "{plan:?}");
}

#[test]
fn a_step_that_panics_fails_and_the_next_run_finishes() {
    let (name, options) = (Name::new("kthw").expect("name"), Options::default());
    for backends in ["[backends.ssh-static]\n", "[backends.netplan]\n", "[backends.ssh-static]\n[backends.netplan]\n"] {
        for fault in [6, 7] {
            let (world, desired) = (three_machines(), desired(backends));
            world.network.faults.lock().expect("no panic before").insert(1, fault);
            let Ran::Done(outcome) = world.run(&name, &desired, &options, 0, 0) else { panic!("it did not run") };
            assert!(!outcome.is_complete() && outcome.touched, "{outcome:?}");
            let failed: Vec<&str> = outcome.failures.iter().map(|failure| failure.place.name()).collect();
            assert_eq!(failed, ["node-0"], "{outcome:?}");
            assert!(outcome.failures[0].message.contains("bug in topo"), "{outcome:?}");

            // What it had in hand is in doubt, and that alone; what did not wait for it is done.
            let in_doubt =
                |record: &topo::state::PlaceRecord| record.resources.values().all(topo::resource::Record::is_in_doubt);
            let (state, _) = world.state(&name);
            let doubted: BTreeSet<&Place> =
                state.places.iter().filter(|(_, record)| in_doubt(record)).map(|(place, _)| place).collect();
            let held: BTreeSet<&Place> = outcome.skipped.iter().map(|one| &one.place).collect();
            let node = Place::from(Name::new("node-0").expect("name"));
            assert!(doubted.contains(&node), "{state:?}");
            assert!(doubted.iter().all(|place| **place == node || held.contains(place)), "{doubted:?} {held:?}");
            assert!(world.network.nodes()[2].writes > 0, "the others are not held up");

            world.network.faults.lock().expect("no panic before").clear();
            let again = world.run(&name, &desired, &options, 0, 0);
            assert!(matches!(&again, Ran::Done(outcome) if outcome.is_complete()), "{again:?}");
            assert!(matches!(world.run(&name, &desired, &options, 0, 0), Ran::Nothing));
            world.check(&name, &desired, false);
        }
    }
}

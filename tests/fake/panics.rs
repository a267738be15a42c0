//! Steps and questions that panic: a mistake in topo must not look like a run that is complete.

#[cfg(feature = "azure")]
mod in_azure;

use std::collections::BTreeSet;
use std::sync::Arc;

use topo::backend::{self, FORMATS};
use topo::plan::findings::Finding;
use topo::plan::{Desired, Options};
use topo::resource::{Name, Place};
use topo::topology::{self, Source};

use super::kernel::{Node, Owner};
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
    let (topology, diagnostics) = topology::parse(&[source], FORMATS);
    let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    backend::desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
}

/// The machines of the topology, with nothing on them yet.
fn world() -> Arc<World> {
    let world = Arc::new(World::default());
    for (number, host) in ["10.240.0.10", "10.240.0.20", "10.240.0.21"].iter().enumerate() {
        let address = (host.parse().expect("address"), 24);
        world.network.nodes().push(Node::new(&format!("{number:032x}"), &[address], "10.240.0.250".parse().ok()));
    }
    world
}

#[test]
fn a_step_that_panics_fails_and_the_next_run_finishes() {
    let (name, options) = (Name::new("kthw").expect("name"), Options::default());
    for backends in ["[backends.ssh-static]\n", "[backends.netplan]\n", "[backends.ssh-static]\n[backends.netplan]\n"] {
        for fault in [6, 7] {
            let (world, desired) = (world(), desired(backends));
            world.network.faults.lock().expect("no panic before").insert(1, fault);
            let Ran::Done(outcome) = world.run(&name, &desired, &options, 0, 0) else { panic!("it did not run") };
            assert!(!outcome.is_complete() && outcome.touched, "{outcome:?}");
            let failed: Vec<&str> = outcome.failures.iter().map(|failure| failure.place.name()).collect();
            assert_eq!(failed, ["node-0"], "{outcome:?}");
            assert!(outcome.failures[0].message.contains("unexpected end"), "{outcome:?}");

            // What it had in hand is in doubt, and that alone; what did not wait for it is done.
            let in_doubt =
                |record: &topo::state::PlaceRecord| record.resources.values().all(topo::resource::Record::is_in_doubt);
            let (state, _) = world.state(&name);
            let doubted: BTreeSet<&Place> =
                state.places.iter().filter(|(_, record)| in_doubt(record)).map(|(place, _)| place).collect();
            let held: BTreeSet<&Place> = outcome.skipped.iter().map(|(place, ..)| place).collect();
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

#[test]
fn a_node_whose_look_panics_could_not_be_looked_at() {
    let (name, options) = (Name::new("kthw").expect("name"), Options::default());
    for backends in ["[backends.ssh-static]\n", "[backends.netplan]\n", "[backends.ssh-static]\n[backends.netplan]\n"] {
        let (world, desired) = (world(), desired(backends));
        assert!(matches!(world.run(&name, &desired, &options, 0, 0), Ran::Done(outcome) if outcome.is_complete()));
        world.network.nodes()[1].rows.retain(|row| row.owner != Owner::Us);
        let writes = world.network.nodes()[1].writes;
        world.network.faults.lock().expect("no panic before").insert(1, 8);

        let (plan, ..) = world.plan(&name, &desired, &options);
        let node = Place::from(Name::new("node-0").expect("name"));
        let reason = "The look at node-0 broke off because of a mistake in topo. Run topo again.";
        assert!(plan.findings.contains(&Finding::unseen(&node, reason)), "{:?}", plan.findings);
        assert!(plan.has_unseen() && !plan.has_changes(), "{plan:?}");
        let ran = world.run(&name, &desired, &options, 0, 0);
        assert!(!matches!(&ran, Ran::Done(outcome) if outcome.is_complete()), "{ran:?}");
        assert_eq!(world.network.nodes()[1].writes, writes, "nothing is written where nobody has looked");

        world.network.faults.lock().expect("no panic before").clear();
        let ran = world.run(&name, &desired, &options, 0, 0);
        assert!(matches!(&ran, Ran::Done(outcome) if outcome.is_complete()), "{ran:?}");
        world.check(&name, &desired, false);
    }
}

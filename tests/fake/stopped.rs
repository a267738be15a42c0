//! Runs that the user asks to stop: what was begun is finished, nothing else is begun, and the next run goes on from there.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use topo::backend::{Desired, REGISTRY};
use topo::plan::Options;
use topo::resource::{Place, Record};

use super::draft::{DraftBuilder, MACHINES};
use super::scene::Scene;
use super::world::Ran;

/// How many machines were written to.
fn written(scene: &Scene) -> usize {
    scene.world.network.nodes().iter().filter(|node| node.writes > 0).count()
}

fn run(scene: &Scene, desired: &Desired) -> Ran {
    scene.world.run(&scene.name, desired, &Options::default(), 0, 0)
}

#[test]
fn a_run_that_is_asked_to_stop_begins_no_step_more_and_the_next_one_goes_on() {
    // Four steps run at the same time, so with more writes all six may have begun.
    for writes in 1..=2 {
        let draft = DraftBuilder::v4(&[&[0], &[1], &[2], &[3], &[4], &[5]]).build();
        let scene = Scene::new(draft, &[]);
        let desired = REGISTRY.desire(&scene.draft.topology(&scene.sites));
        scene.world.stops_after.store(writes, Ordering::SeqCst);
        let Ran::Done(outcome) = run(&scene, &desired) else { panic!("it did not run") };
        assert!(outcome.stopped && !outcome.is_complete() && outcome.failures.is_empty(), "{outcome:?}");
        let left: BTreeSet<&Place> = outcome.left.iter().map(|(place, _)| place).collect();
        assert_eq!(written(&scene) + left.len(), MACHINES, "each machine has its routes or is left: {outcome:?}");
        assert!(written(&scene) >= writes && !left.is_empty(), "{writes}: {outcome:?}");
        let (state, _) = scene.world.state(&scene.name);
        let is_recorded = |place: &Place| {
            state.places.get(place).is_some_and(|record| record.resources.values().all(|one| !one.is_in_doubt()))
        };
        for place in desired.places.keys() {
            assert_eq!(is_recorded(place), !left.contains(place), "{place}: {state:?}");
        }

        let Ran::Done(outcome) = run(&scene, &desired) else { panic!("it did not go on") };
        assert!(outcome.is_complete() && !outcome.stopped, "{outcome:?}");
        assert!(
            scene.world.state(&scene.name).0.records().all(|(.., record)| matches!(record, Record::Settled { .. }))
        );
        assert!(matches!(run(&scene, &desired), Ran::Nothing));
        scene.world.check(&scene.name, &desired, false);
    }
}

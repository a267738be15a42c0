//! A write after which a route is gone that should have stayed.

use topo::backend::REGISTRY;
use topo::network::Family;
use topo::plan::Options;

use super::draft::{DraftBuilder, Edit, Persistence, pods};
use super::scene::Scene;
use super::world::Ran;

#[test]
fn a_route_that_a_write_takes_with_it_is_told_of_and_comes_back() {
    for persistence in [Persistence::KERNEL, Persistence { file: true, ..Persistence::KERNEL }] {
        let mut scene = Scene::new(DraftBuilder::v4(&[&[0], &[1], &[2]]).with(persistence).build(), &[]);
        let run = |scene: &Scene| {
            let desired = REGISTRY.desire(&scene.draft.topology(&scene.sites));
            scene.world.run(&scene.name, &desired, &Options::default(), 0, 0)
        };
        let Ran::Done(outcome) = run(&scene) else { panic!("it did not run") };
        assert!(outcome.is_complete(), "{outcome:?}");

        // The first machine gets a route to new pods, and loses the one to the pods of the second.
        scene.edit(&Edit::Add(3, 1));
        let lost = pods(1, Family::V4);
        scene.world.network.nodes()[0].loses_with_write = Some(lost);
        let Ran::Done(outcome) = run(&scene) else { panic!("it did not run") };
        assert!(!outcome.is_complete(), "{outcome:?}");
        let said = format!("{:?}", outcome.failures);
        let words = format!("A route that should stay disappeared while topo wrote others: {lost} via 10.240.0.11.");
        assert!(said.contains(&words), "{said}");
        let is_there = |scene: &Scene| scene.world.network.nodes()[0].rows.iter().any(|row| row.destination == lost);
        assert!(!is_there(&scene));

        let Ran::Done(outcome) = run(&scene) else { panic!("nothing was to be done") };
        assert!(outcome.is_complete() && is_there(&scene), "{outcome:?}");
        assert!(matches!(run(&scene), Ran::Nothing));
    }
}

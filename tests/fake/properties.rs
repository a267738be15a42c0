//! What must hold for every topology, every table that is found, and every sequence of edits, faults and kills.

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest::test_runner::RngSeed;
use topo::backend::{Desired, REGISTRY};
use topo::plan::{Finding, Options, Severity};

use super::cases;
use super::draft::{Edit, How, MACHINES, any_draft, any_edit, any_foreign, any_how, any_persistence};
use super::kernel::Owner;
use super::scene::Scene;
use super::world::Ran;

impl Scene {
    fn desired(&self) -> Desired {
        REGISTRY.desire(&self.draft.topology(&self.sites))
    }

    pub(super) fn go(&mut self, how: &How) -> Option<Ran> {
        let mut options = Options { skip_conflicts: true, ..Options::default() };
        let mut desired = self.desired();
        let (mut at, mut kind) = (0, 0);
        match how {
            How::Nothing => return None,
            How::Apply => {}
            How::Target(machine, rows) => {
                let name = self.draft.nodes.get(machine).map_or("gone", |node| &node.name);
                let text = if *rows { format!("*[\"*{machine}.0/24\"]") } else { name.to_owned() };
                options.selection.targets = vec![text.parse().expect("pattern")];
            }
            How::Exclude(machine) => {
                let name = self.draft.nodes.get(machine).map_or("gone", |node| &node.name);
                options.selection.excludes = vec![name.parse().expect("pattern")];
            }
            How::Destroy => options.destroy = true,
            How::Killed(when, kill) => (at, kind) = (*when, *kill),
            How::KilledDestroy(when, kill) => {
                options.destroy = true;
                (at, kind) = (*when, *kill);
            }
        }
        if options.destroy {
            desired.places.values_mut().for_each(|place| place.resources.clear());
        }
        Some(self.run(&desired, &options, at, kind))
    }

    /// A run, with what must hold for each.
    fn run(&mut self, desired: &Desired, options: &Options, at: usize, kind: usize) -> Ran {
        let before = self.world.foreign();
        let writes = self.writes();
        let given_up = self.given_up();
        let ran = self.world.run(&self.name, desired, options, at, kind);
        assert_eq!(self.world.trespasses(), Vec::<String>::new(), "{ran:?}");
        let after = self.world.foreign();
        // What was adopted is not foreign any more; all else is as it was.
        for (before, after) in before.iter().zip(&after) {
            let mut kept = before.iter();
            assert!(after.iter().all(|row| kept.any(|other| other == row)), "{before:?} became {after:?}");
        }
        let (state, _) = self.world.state(&self.name);
        for id in given_up {
            if !state.places.values().any(|record| record.machine_id.as_deref() == Some(&id)) {
                let mut nodes = self.world.network.nodes();
                let node = nodes.iter_mut().find(|node| node.machine_id == id);
                if let Some(node) = node {
                    node.rows.iter_mut().for_each(|row| row.owner = Owner::Other);
                    node.configuration.forget();
                }
            }
        }
        let forgotten = self.world.forgotten(&self.name);
        assert!(forgotten.is_empty(), "forgotten: {forgotten:?} by {ran:?}\n{:#?}", self.world.state(&self.name).0);
        if matches!(ran, Ran::Refused(_) | Ran::Nothing) {
            assert_eq!(writes, self.writes());
        }
        // Whoever has come to an end has ended what was cut off before.
        assert!(!matches!(ran, Ran::Nothing | Ran::Done(_)) || self.world.disk.is_at_rest(), "{ran:?}");
        ran
    }

    /// Machines that have left the topology and whose name another one has that is not recorded: that is how a machine that was
    /// replaced looks, and what is recorded of the old one is dropped then.
    fn given_up(&self) -> Vec<String> {
        let (state, _) = self.world.state(&self.name);
        let nodes = self.world.network.nodes();
        let in_topology: Vec<&str> =
            self.draft.nodes.keys().map(|machine| nodes[*machine].machine_id.as_str()).collect();
        let names: Vec<&str> = self.draft.nodes.values().map(|node| node.name.as_str()).collect();
        let reused = state.places.iter().filter(|(place, _)| names.contains(&place.name()));
        let ids = reused.filter_map(|(_, record)| record.machine_id.as_deref().map(str::to_owned));
        ids.filter(|id| !in_topology.contains(&id.as_str())).collect()
    }

    fn writes(&self) -> usize {
        self.world.network.nodes().iter().map(|node| node.writes).sum()
    }

    /// Everything answers: an apply leads to a plan without changes, and destroy leaves what others have.
    pub(super) fn converge(&mut self) {
        self.world.network.faults.lock().expect("no panic").clear();
        let options = Options { skip_conflicts: true, ..Options::default() };
        let mut desired = self.desired();
        let mut ran = self.run(&desired, &options, 0, 0);
        while let Ran::Refused(plan) = &ran {
            // A name that somebody else has on record: names that nobody has help.
            let taken = ["name_taken", "other_machine"];
            let stops = plan.findings.iter().filter(|finding| finding.stops());
            assert!(stops.clone().all(|finding| taken.contains(&finding.code)), "{:?}", plan.findings);
            let machines: Vec<usize> = self.draft.nodes.keys().copied().collect();
            for machine in machines {
                self.edit(&Edit::Rename(machine));
            }
            desired = self.desired();
            ran = self.run(&desired, &options, 0, 0);
        }
        if let Ran::Done(outcome) = ran {
            assert!(outcome.is_complete(), "{outcome:?}");
        }
        let (plan, ..) = self.world.plan(&self.name, &desired, &options);
        assert!(!plan.has_changes(), "it did not converge: {plan:#?}");
        self.world.check(&self.name, &desired, false);
        if self.draft.persistence.file {
            self.restart(&desired, &options);
        }
        self.destroy();
    }

    /// What stands in files outlives a restart.
    fn restart(&mut self, desired: &Desired, options: &Options) {
        for machine in 0..MACHINES {
            let filed = self.world.network.nodes()[machine].configuration.ours().next().is_some();
            if filed {
                self.world.network.nodes()[machine].restart(true);
            }
        }
        self.world.check(&self.name, desired, true);
        let (plan, ..) = self.world.plan(&self.name, desired, options);
        assert!(!plan.has_changes(), "changes after a restart: {plan:#?}");
        self.world.check(&self.name, desired, true);
    }

    /// Destroys, and nothing of topo is left on any node.
    pub(super) fn destroy(&mut self) {
        let mut desired = self.desired();
        desired.places.values_mut().for_each(|place| place.resources.clear());
        let options = Options { skip_conflicts: true, destroy: true, ..Options::default() };
        let before = self.world.foreign();
        match self.run(&desired, &options, 0, 0) {
            Ran::Done(outcome) => assert!(outcome.is_complete(), "{outcome:?}"),
            Ran::Nothing => {}
            _ => panic!("destroy does not go through"),
        }
        assert_eq!(before, self.world.foreign(), "destroy touches nothing of others");
        for node in self.world.network.nodes().iter() {
            let left: Vec<_> = node.rows.iter().filter(|row| row.owner == Owner::Us).collect();
            assert!(left.is_empty(), "left behind: {left:?}");
            let left: Vec<_> = node.configuration.ours().collect();
            assert!(left.is_empty(), "left behind: {left:?}");
            assert!(node.markers.is_empty(), "left behind: {:?}", node.markers);
        }
        let (state, _) = self.world.state(&self.name);
        assert!(state.is_empty(), "{state:#?}");
        let (plan, ..) = self.world.plan(&self.name, &desired, &options);
        assert!(!plan.has_changes(), "{plan:#?}");
    }
}

/// The same cases in each run, so that a change is judged by what it changes; `TOPO_TEST_CASES=N` looks at N times as many others.
fn config(usual: u32) -> Config {
    let looks_further = std::env::var_os("TOPO_TEST_CASES").is_some();
    let rng_seed = if looks_further { RngSeed::Random } else { RngSeed::Fixed(20_261_121) };
    let usual_config = Config::default();
    Config {
        cases: cases(usual),
        failure_persistence: None,
        max_shrink_iters: 3000,
        verbose: 0,
        rng_seed,
        ..usual_config
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn applying_converges_and_destroy_undoes_it(
        draft in any_draft(),
        foreign in prop::collection::vec(any_foreign(), 0..12),
    ) {
        Scene::new(draft, &foreign).converge();
    }

    #[test]
    fn a_conflict_stops_everything_before_the_first_write(
        draft in any_draft(),
        foreign in prop::collection::vec(any_foreign(), 1..12),
    ) {
        let mut scene = Scene::new(draft, &foreign);
        let desired = scene.desired();
        let (plan, ..) = scene.world.plan(&scene.name, &desired, &Options::default());
        // Judged by the findings themselves: what the run asks the plan may be wrong.
        let is_reason = |finding: &Finding| matches!(finding.severity, Severity::Conflict | Severity::Error);
        let stops = plan.findings.iter().any(is_reason);
        let ran = scene.run(&desired, &Options::default(), 0, 0);
        prop_assert_eq!(matches!(ran, Ran::Refused(_)), stops);
        if stops {
            prop_assert_eq!(scene.writes(), 0);
            prop_assert!(scene.world.state(&scene.name).0.is_empty());
        }
    }

    #[test]
    fn edits_faults_and_kills_in_any_order_converge(
        draft in any_draft(),
        foreign in prop::collection::vec(any_foreign(), 0..6),
        edits in prop::collection::vec((any_edit(), any_how()), 1..12),
    ) {
        let mut scene = Scene::new(draft, &foreign);
        scene.go(&How::Apply);
        for (edit, how) in &edits {
            scene.edit(edit);
            scene.go(how);
        }
        scene.converge();
    }
}

proptest! {
    #![proptest_config(config(150))]

    /// Rows pass from `ssh-static` to a file, from a file to another one, and back.
    #[test]
    fn rows_pass_from_one_backend_to_another(
        draft in any_draft(),
        foreign in prop::collection::vec(any_foreign(), 0..6),
        passes in prop::collection::vec((any_persistence(), any_pass()), 1..4),
    ) {
        let mut scene = Scene::new(draft, &foreign);
        scene.hands_over = true;
        scene.go(&How::Apply);
        for (persistence, how) in passes {
            scene.edit(&Edit::Persistence(persistence));
            scene.go(&how);
            scene.go(&How::Apply);
        }
        scene.converge();
    }
}

fn any_pass() -> impl Strategy<Value = How> {
    prop_oneof![Just(How::Nothing), (1..20_usize, 0..3_usize).prop_map(|(one, two)| How::Killed(one, two))]
}

proptest! {
    #![proptest_config(config(20))]

    /// At each operation of a run, before it, behind it and in the middle of it.
    #[test]
    fn a_kill_at_any_operation_costs_nothing(
        draft in any_draft(),
        foreign in prop::collection::vec(any_foreign(), 0..6),
        edits in prop::collection::vec(any_edit(), 0..4),
    ) {
        for kind in 0..3 {
            for at in 1.. {
                let mut scene = Scene::new(draft.clone(), &foreign);
                if !edits.is_empty() {
                    scene.go(&How::Apply);
                }
                for edit in &edits {
                    scene.edit(edit);
                }
                let ran = scene.go(&How::Killed(at, kind));
                scene.converge();
                if !matches!(ran, Some(Ran::Died)) {
                    break;
                }
            }
        }
    }
}

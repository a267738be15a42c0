//! One cut: the runs before it, what is looked at, and the runs after it.

use std::collections::BTreeMap;

use super::Part;
use super::place::{Hit, How, Place};
use super::scenes::{Form, Operation, Scene, lost};
use crate::harness::Reply;
use crate::lab_cases::support::NO_CHANGES;

/// A cut.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) scene: Scene,
    /// The number of the machine where the command ran.
    pub(super) machine: usize,
    pub(super) part: Part,
    pub(super) hit: Hit,
    pub(super) how: How,
    /// Whether it was not reached on another machine.
    pub(super) only_there: bool,
}

impl Trial {
    /// A kill before a command of the run on this machine.
    pub(super) fn kill(scene: Scene, machine: usize, part: Part, hit: &Hit) -> Self {
        Self { scene, machine, part, hit: hit.clone(), how: How::Kill, only_there: false }
    }

    pub(super) fn label(&self) -> String {
        let Hit { script, line, time, function, text, .. } = &self.hit;
        format!(
            "{}, {:?}, {:?} at script {script}, line {line}, time {time}, {function}: `{text}`",
            self.scene.name(),
            self.part,
            self.how
        )
    }
}

/// How a machine is after runs in which all goes well.
struct Expected {
    /// What is of others, at any time.
    others: String,
    kept_before: String,
    kept_after: String,
    after: String,
    /// After destroy.
    empty: String,
}

/// A machine, and what is known of it.
pub(super) struct Worker<'a> {
    place: Place<'a>,
    expected: BTreeMap<Scene, Expected>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(place: Place<'a>) -> Self {
        Self { place, expected: BTreeMap::new() }
    }

    pub(super) fn knows(&self, scene: Scene) -> bool {
        self.expected.contains_key(&scene)
    }

    fn prepare(&self, scene: Scene) {
        self.place.reset();
        if let Some(topology) = scene.before(self.place.number) {
            self.place.act(Some(&topology)).exits(0);
        }
    }

    /// A run in which all goes well: what is there then. Its commands, too.
    pub(super) fn learn(&mut self, scene: Scene) -> Vec<Hit> {
        let place = &self.place;
        self.prepare(scene);
        let (others, kept_before) = (place.others(), place.kept());
        let (reply, hits) = place.traced(scene);
        reply.exits(0);
        let found = place.settled(Place::others, |found| found == others);
        assert!(found == others, "{}:\n{}", scene.name(), difference(&others, &found));
        let (kept_after, after) = (place.kept(), place.snapshot());
        place.act(None).exits(0);
        let empty = place.snapshot();
        self.expected.insert(scene, Expected { others, kept_before, kept_after, after, empty });
        hits
    }

    /// One cut: whether the run came to it, and what is wrong.
    pub(super) fn try_one(&mut self, trial: &Trial) -> (bool, Vec<String>) {
        let scene = trial.scene;
        if !self.knows(scene) {
            self.learn(scene);
        }
        let (place, expected) = (&self.place, &self.expected[&scene]);
        let watch = (!matches!(trial.how, How::Power)).then(|| place.watch());
        self.prepare(scene);
        let (reply, reached) = place.cut(scene, &trial.hit, &trial.how);
        let is_power = reached && matches!(trial.how, How::Power);
        // A value of the kernel that is left on is not after a reboot.
        let forgets = is_power && scene.form == Form::Settings && scene.operation == Operation::Remove;
        let shown = |snapshot: &str| -> String {
            snapshot
                .lines()
                .filter(|line| !(forgets && line.starts_with("net.")))
                .flat_map(|line| [line, "\n"])
                .collect()
        };
        let mut wrong = Vec::new();
        let is_now = |what: &str, expected: &str, wrong: &mut Vec<String>| {
            let found = place.settled(|place| shown(&place.snapshot()), |found| found == shown(expected));
            if found != shown(expected) {
                wrong.push(format!("{what}:\n{}", difference(&shown(expected), &found)));
            }
        };

        match reply.exit {
            Some(0) => is_now("it says that all is done", &expected.after, &mut wrong),
            Some(3) if reached => {}
            // Killed before its first word.
            Some(1) if reached && trial.part == Part::Before && reply.stderr.contains("Nothing ran there.") => {}
            _ => wrong.push(format!("it ends with {}", said(&reply))),
        }
        if is_power {
            let kept = place.kept();
            if kept != expected.kept_before && kept != expected.kept_after {
                wrong.push(format!("the files keep\n{kept}"));
            }
            let live = place.settled(Place::live, |live| live == kept);
            if live != kept {
                wrong.push(format!("the files keep\n{kept}and these are live after the boot:\n{live}"));
            }
            place.add_things();
        }
        let others = place.settled(Place::others, |now| lost(&expected.others, now).is_empty());
        let missing = lost(&expected.others, &others);
        if !missing.is_empty() {
            wrong.push(format!("of others these are lost:\n{missing}"));
        }

        let wanted = scene.wanted(place.number);
        let again = place.act(wanted.as_deref());
        if again.exit != Some(0) {
            wrong.push(format!("the next run ends with {}", said(&again)));
        }
        is_now("after the next run", &expected.after, &mut wrong);
        let others = place.settled(Place::others, |now| now == expected.others);
        if others != expected.others {
            wrong.push(format!("things of others, after the next run:\n{}", difference(&expected.others, &others)));
        }
        if wanted.is_some() {
            let plan = place.plan();
            if plan.exit != Some(0) || !plan.stdout.contains(NO_CHANGES) {
                wrong.push(format!("a plan ends with {}", said(&plan)));
            }
        }
        let last = place.act(None);
        if last.exit != Some(0) {
            wrong.push(format!("destroy ends with {}", said(&last)));
        }
        is_now("destroy leaves", &expected.empty, &mut wrong);
        if let Some(watch) = watch {
            wrong.extend(watch.end().iter().filter(|loss| loss.lost > 0).map(ToString::to_string));
        }
        if !wrong.is_empty() {
            place.restore();
        }
        (reached, wrong)
    }
}

fn said(reply: &Reply) -> String {
    format!("{:?}:\n{}\n{}", reply.exit, reply.stdout, reply.stderr)
}

fn difference(expected: &str, found: &str) -> String {
    similar::TextDiff::from_lines(expected, found).unified_diff().to_string()
}

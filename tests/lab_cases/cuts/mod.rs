//! Scripts on whole machines end at each of their lines: they are killed with all that they started, or the power is cut. Nothing of others is
//! lost, no address and no session either, nothing is said to be done that is not, the next run finishes, and destroy leaves all as before.

mod place;
mod scenes;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use self::place::{Hit, How, Place};
use self::scenes::{Form, NODES, Operation, Scene};
use self::trial::{Trial, Worker};
use crate::harness::{LabOptions, Machines};

/// How many are tried without `TOPO_ALL_CUTS`.
const SAMPLE: usize = 24;
/// One in this many cuts the power.
const POWER: usize = 8;
/// When a script is killed while systemd-networkd restarts, in milliseconds.
const LATE: [u32; 8] = [2, 5, 10, 20, 40, 60, 100, 200];

/// Commands at which a cut once lost something: each is in the sample, in a scene that changes a netplan file. The function, and how the
/// command begins.
const ONCE_WRONG: [(&str, &str); 1] = [("write_files", "if ! said=$(generate")];

/// The part of a script that a command is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Before,
    Write,
    /// While the drop-ins for loading are there.
    Load,
    After,
}

const PARTS: [(Part, &str); 4] =
    [(Part::Before, "before"), (Part::Write, "write"), (Part::Load, "load window"), (Part::After, "afterwards")];

/// The different commands of each scene, and the number of the machine where they ran.
type Commands = BTreeMap<Scene, (usize, Vec<(Part, Hit)>)>;

/// Functions that change something, and beginnings of commands that do.
const WRITES: [&str; 7] =
    ["note_folders", "write_new", "install_files", "put_marker", "write_whole_file", "set_value", "tidy_files"];
const WRITING: [&str; 2] = ["gather 4 \"$commands", "said=$(rm -f '/etc/topo/"];

/// Each different command of each part, where it runs first.
fn commands(hits: &[Hit]) -> Vec<(Part, Hit)> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for script in hits.chunk_by(|one, other| one.script == other.script) {
        let writes = |hit: &Hit| {
            WRITES.contains(&hit.function.as_str()) || WRITING.iter().any(|begin| hit.text.starts_with(begin))
        };
        let first_write = script.iter().position(writes).unwrap_or(script.len());
        let last_write = script.iter().rposition(|hit| writes(hit) || hit.loads).unwrap_or(script.len());
        let mut has_loaded = false;
        for (at, hit) in script.iter().enumerate() {
            has_loaded |= hit.loads;
            let part = match () {
                () if hit.loads => Part::Load,
                () if at < first_write => Part::Before,
                () if has_loaded || at > last_write => Part::After,
                () => Part::Write,
            };
            if known.insert((part, hit.function.clone(), hit.text.clone())) {
                found.push((part, hit.clone()));
            }
        }
    }
    found
}

/// All commands of the load window in each scene, and each other one in one of the scenes that have it.
fn chosen(scenes: &Commands) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut places: BTreeMap<(Part, &str, &str), Vec<_>> = BTreeMap::new();
    for (&scene, (machine, commands)) in scenes {
        for (part, hit) in commands {
            let trial = Trial::kill(scene, *machine, *part, hit);
            if *part == Part::Load {
                trials.push(trial);
            } else {
                places.entry((*part, &hit.function, &hit.text)).or_default().push(trial);
            }
        }
    }
    for (number, places) in places.into_values().enumerate() {
        trials.push(places[number % places.len()].clone());
    }
    // In an order in which neighbours have little in common.
    let mut step = trials.len() * 61 / 100 + 1;
    while (2..=step).any(|divisor| step % divisor == 0 && trials.len() % divisor == 0) {
        step += 1;
    }
    let mut trials: Vec<_> = (0..trials.len()).map(|number| trials[number * step % trials.len()].clone()).collect();
    for trial in trials.iter_mut().skip(3).step_by(POWER) {
        trial.how = How::Power;
    }
    let restarts = trials.iter().filter(|trial| trial.hit.text.contains("systemctl restart systemd-networkd"));
    let late = |trial: &Trial| LATE.map(|after| Trial { how: How::Late(after), ..trial.clone() });
    let restarts: Vec<_> = restarts.flat_map(late).collect();
    let every = (trials.len() / restarts.len().max(1)).max(1);
    let mut all = Vec::new();
    let mut restarts = restarts.iter().cycle().step_by(LATE.len() + 1).take(restarts.len());
    for (number, trial) in trials.into_iter().enumerate() {
        if number % every == 1 {
            all.extend(restarts.next().cloned());
        }
        all.push(trial);
    }
    all.extend(restarts.cloned());
    let is_once_wrong = |trial: &Trial| {
        let is_at = |(function, begin): &(&str, &str)| {
            trial.hit.function == *function && trial.hit.text.trim_start().starts_with(begin)
        };
        ONCE_WRONG.iter().any(is_at)
    };
    let changed = Scene { form: Form::Netplan, operation: Operation::Change };
    let (machine, commands) = &scenes[&changed];
    let killed = |(part, hit): &(Part, Hit)| Trial::kill(changed, *machine, *part, hit);
    let mut first: Vec<Trial> = commands.iter().map(killed).filter(is_once_wrong).collect();
    assert_eq!(first.len(), ONCE_WRONG.len(), "{first:?}");
    first.extend(all);
    first
}

/// Takes a trial for a machine: one of its own, if there is one, since no other has all commands of that run.
fn next(queue: &Mutex<Vec<Trial>>, machine: usize) -> Option<Trial> {
    let mut left = queue.lock().expect("nobody panics here");
    let own = left.iter().position(|trial| trial.machine == machine);
    let at = own.or_else(|| left.iter().position(|trial| !trial.only_there))?;
    Some(left.remove(at))
}

/// A table of what was cut: of how many commands.
fn matrix(scenes: &Commands, done: &[(Trial, bool, usize)]) -> String {
    let mut text = format!("{:<28}", "cut / commands");
    for (_, name) in PARTS {
        let _ = write!(text, "{name:>14}");
    }
    let _ = writeln!(text, "{:>14}{:>8}{:>8}", "in restart", "power", "wrong");
    for (&scene, (_, commands)) in scenes {
        let _ = write!(text, "{:<28}", scene.name());
        let of = || done.iter().filter(move |(trial, reached, _)| trial.scene == scene && *reached);
        let is_late = |trial: &Trial| matches!(trial.how, How::Late(_));
        for (part, _) in PARTS {
            let cut = of().filter(|(trial, ..)| trial.part == part && !is_late(trial)).count();
            let all = commands.iter().filter(|(of, _)| *of == part).count();
            let _ = write!(text, "{:>14}", format!("{cut}/{all}"));
        }
        let late = of().filter(|(trial, ..)| is_late(trial)).count();
        let power = of().filter(|(trial, ..)| matches!(trial.how, How::Power)).count();
        let wrong = done.iter().filter(|(trial, _, wrong)| trial.scene == scene && *wrong > 0).count();
        let _ = writeln!(text, "{late:>14}{power:>8}{wrong:>8}");
    }
    text
}

#[expect(clippy::print_stderr, reason = "it says what was cut, and at once what is wrong")]
pub fn scripts_that_are_cut_anywhere_lose_nothing() {
    let machines = Machines::up(LabOptions { nodes: Some(NODES), ..LabOptions::default() });
    let start = Instant::now();
    let count = NODES.lines().count();
    // For one that looks for something: only trials whose label has these words.
    let words = std::env::var("TOPO_CUTS").unwrap_or_default();
    let scenes = Mutex::new(Commands::new());
    let mut workers: Vec<Worker> = std::thread::scope(|threads| {
        let workers: Vec<_> = (0..count)
            .map(|number| {
                let (machines, scenes) = (&machines, &scenes);
                threads.spawn(move || {
                    let mut worker = Worker::new(Place::new(machines, number));
                    for (index, scene) in Scene::all().into_iter().enumerate() {
                        if (index + index / 3) % count == number {
                            let commands = commands(&worker.learn(scene));
                            scenes.lock().expect("nobody panics here").insert(scene, (number, commands));
                        }
                    }
                    worker
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a good run is as it should be")).collect()
    });
    let scenes = scenes.into_inner().expect("nobody panics here");
    let loads = |scene: &Scene| !matches!(scene.form, Form::Routes | Form::Settings);
    for (scene, (_, commands)) in &scenes {
        let has = commands.iter().any(|(part, _)| *part == Part::Load);
        assert_eq!(has, loads(scene), "{}: are the drop-ins for loading seen?", scene.name());
    }
    let mut trials = chosen(&scenes);
    trials.retain(|trial| trial.label().contains(&words));
    let is_all = std::env::var_os("TOPO_ALL_CUTS").is_some();
    if !is_all && words.is_empty() {
        trials.truncate(SAMPLE);
    }
    eprintln!("{} cuts to try, after {:.0?}", trials.len(), start.elapsed());
    let (queue, done) = (Mutex::new(trials), Mutex::new(Vec::new()));
    while !queue.lock().expect("nobody panics here").is_empty() {
        std::thread::scope(|threads| {
            for (number, worker) in workers.iter_mut().enumerate() {
                let (queue, done) = (&queue, &done);
                threads.spawn(move || {
                    while let Some(trial) = next(queue, number) {
                        let (reached, wrong) = worker.try_one(&trial);
                        for what in &wrong {
                            eprintln!("WRONG: {}: {what}", trial.label());
                        }
                        if !reached && wrong.is_empty() && trial.machine != number {
                            let trial = Trial { only_there: true, ..trial };
                            queue.lock().expect("nobody panics here").push(trial);
                            continue;
                        }
                        if is_all {
                            eprintln!("{}: {}", if reached { "cut" } else { "not reached" }, trial.label());
                        }
                        done.lock().expect("nobody panics here").push((trial, reached, wrong.len()));
                    }
                });
            }
        });
    }
    let done = done.into_inner().expect("nobody panics here");
    let reached = || done.iter().filter(|(_, reached, _)| *reached);
    let power = reached().filter(|(trial, ..)| matches!(trial.how, How::Power)).count();
    let wrong = done.iter().filter(|(.., wrong)| *wrong > 0).count();
    eprintln!("{}", matrix(&scenes, &done));
    eprintln!("{} kills, {power} power cuts, {wrong} wrong, in {:.0?}", reached().count() - power, start.elapsed());
    let missed = done.len() - reached().count();
    assert!(wrong == 0 && missed * 20 <= done.len(), "{wrong} are wrong, and {missed} were never reached: see above");
}

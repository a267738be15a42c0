//! `topo plan --no-refresh` as a whole process: instructions, time, and the size of what it writes.

use std::collections::BTreeMap;
use std::path::Path;

use topo::backend::REGISTRY;
use topo::state::State;

use super::pair::{Effort, Pair, print_figure};
use super::process::Process;
use super::world::{World, largest_state};

/// The bars are for meshes of this size.
pub const NODES: usize = 5000;

const UNCHANGED: f64 = 2.5;
const ONE_MORE: f64 = 4.0;
/// With files beside the kernel's routes, against the same without.
const WITH_FILES: f64 = 1.3;
/// A first plan of many subnets, against an unchanged one.
const FIRST: f64 = 3.0;
/// How instructions grow with the number of nodes: the exponent.
const GROWTH: f64 = 1.1;
const STATE_BYTES: usize = 3_000_000;
const JSON_BYTES: u64 = 5_000_000;

/// What has happened since the state was written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// There is no state yet.
    First,
    Unchanged,
    OneMore,
}

impl Case {
    pub const ALL: [Self; 3] = [Self::First, Self::Unchanged, Self::OneMore];

    pub fn label(self) -> &'static str {
        match self {
            Self::First => "first plan",
            Self::Unchanged => "unchanged",
            Self::OneMore => "one node added",
        }
    }

    /// The topology as it is now.
    fn world(self, world: World) -> World {
        if self == Self::OneMore { world.with_one_more() } else { world }
    }

    /// The numbers of the last line of the plan: as many routes and files as there are to be.
    fn total(self, world: World) -> String {
        let n = world.nodes;
        let files = if world.persistent { n } else { 0 };
        let (add, change) = match self {
            Self::Unchanged => return "No changes. Your infrastructure matches the configuration.".to_owned(),
            Self::First => (2 * n * (n - 1) + files, 0),
            // Two routes of two families, on the new node and on the others; files of the others change.
            Self::OneMore => (4 * n + usize::from(world.persistent), files),
        };
        format!("Plan: {add} to add, {change} to change, 0 to destroy.")
    }
}

/// Writes topologies and states, and counts instructions, each at most once.
pub struct Bench {
    folder: tempfile::TempDir,
    documents: BTreeMap<String, Vec<u8>>,
    counts: BTreeMap<String, u64>,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, documents: BTreeMap::new(), counts: BTreeMap::new() }
    }

    /// The folder with the files of a case.
    pub fn files(&mut self, world: World, case: Case) -> std::path::PathBuf {
        let folder = self.folder.path().join(format!("{}, {}", world.label(), case.label()));
        if !folder.exists() {
            let documents = &mut self.documents;
            let document = (case != Case::First)
                .then(|| &**documents.entry(world.label()).or_insert_with(|| world.state().to_json()));
            case.world(world).write(&folder, document);
        }
        folder
    }

    fn count(&mut self, name: String, process: &Process, expected: Option<&str>) -> u64 {
        if let Some(known) = self.counts.get(&name) {
            return *known;
        }
        let (instructions, output) = process.instructions();
        if let Some(expected) = expected {
            let text = std::fs::read_to_string(output).expect("text");
            assert!(text.lines().any(|line| line == expected), "{name}: the plan should say: {expected}");
        }
        self.counts.insert(name, instructions);
        instructions
    }

    /// Instructions of topo.
    pub fn topo(&mut self, world: World, case: Case) -> (String, u64) {
        let name = format!("{}, {}", world.label(), case.label());
        let process = Process::plan(&self.files(world, case));
        let count = self.count(name.clone(), &process, Some(&case.total(world)));
        (name, count)
    }

    /// Instructions of topo with `--json`.
    pub fn json(&mut self, world: World, case: Case) -> (String, u64) {
        let name = format!("{}, {}, --json", world.label(), case.label());
        let process = Process::plan(&self.files(world, case)).with(["--json"]);
        let count = self.count(name.clone(), &process, None);
        (name, count)
    }

    /// Instructions of the floor.
    pub fn floor(&mut self, world: World, case: Case) -> (String, u64) {
        let name = format!("{}, {}, floor", world.label(), case.label());
        let process = Process::floor(&self.files(world, case));
        let count = self.count(name.clone(), &process, None);
        (name, count)
    }
}

fn heading(title: &str) {
    println!(
        "\n{title}\n{:<58} {:>13} {:>13} {:>8}  {:<12}  {:>10} {:>10}",
        "  (in million instructions; time decides nothing)", "topo", "reference", "ratio", "bar", "topo", "reference"
    );
}

/// Prints a line; tells whether the bar was missed.
fn print(name: &str, topo: u64, reference: u64, bar: Option<f64>, time: &Pair) -> usize {
    let ratio = topo as f64 / reference as f64;
    let verdict = match bar {
        None => "–".to_owned(),
        Some(bar) => format!("≤ {bar:.1} × {}", if ratio <= bar { "PASS" } else { "MISS" }),
    };
    println!(
        "{:<58} {:>13.1} {:>13.1} {ratio:>6.2} ×  {verdict:<12}  {:>10} {:>10}",
        format!("  {name}"),
        topo as f64 / 1e6,
        reference as f64 / 1e6,
        super::pair::milliseconds(time.topo()),
        super::pair::milliseconds(time.reference()),
    );
    usize::from(bar.is_some_and(|bar| ratio > bar))
}

/// The time of two processes, by turns.
fn timed(topo: &Process, reference: &Process, quick: bool) -> Pair {
    Pair::run(Effort::new(quick), || topo.time(), || reference.time())
}

pub fn run(quick: bool) -> usize {
    let mut bench = Bench::new();
    let mut misses = 0;
    for shape in [World::one_link, World::many_subnets] {
        let bare = shape(NODES);
        for world in [bare, bare.with_files()] {
            heading(&world.label());
            misses += one_world(&mut bench, world, quick);
        }
    }
    misses += sizes(&mut bench);
    misses
}

fn one_world(bench: &mut Bench, world: World, quick: bool) -> usize {
    let mut misses = 0;
    for case in Case::ALL {
        let files = bench.files(world, case);
        let ((_, topo), (_, floor)) = (bench.topo(world, case), bench.floor(world, case));
        let bar = match case {
            _ if world.persistent => None,
            Case::First => None,
            Case::Unchanged => Some(UNCHANGED),
            Case::OneMore => Some(ONE_MORE),
        };
        let time = timed(&Process::plan(&files), &Process::floor(&files), quick);
        misses += print(&format!("{}, against the floor", case.label()), topo, floor, bar, &time);
        if world.persistent {
            let (_, without) = bench.topo(world.without_files(), case);
            let other = bench.files(world.without_files(), case);
            let time = timed(&Process::plan(&files), &Process::plan(&other), quick);
            let bar = (case != Case::First).then_some(WITH_FILES);
            misses += print(&format!("{}, against the same without netplan", case.label()), topo, without, bar, &time);
        }
        if case == Case::First {
            let (_, unchanged) = bench.topo(world, Case::Unchanged);
            let other = bench.files(world, Case::Unchanged);
            let time = timed(&Process::plan(&files), &Process::plan(&other), quick);
            let bar = (world.per_subnet.is_some() && !world.persistent).then_some(FIRST);
            misses += print(&format!("{}, against the unchanged one", case.label()), topo, unchanged, bar, &time);
        }
    }
    misses
}

/// How instructions grow with the number of nodes.
pub fn growth(quick: bool) -> usize {
    let mut bench = Bench::new();
    let (few, many) = (1000, if quick { 20_000 } else { 100_000 });
    let mut misses = 0;
    println!("\nGrowth from {few} to {many} nodes (in million instructions)");
    for shape in [World::one_link, World::many_subnets] {
        for case in [Case::Unchanged, Case::OneMore] {
            let counts = [few, many].map(|nodes| bench.topo(shape(nodes), case).1 as f64);
            let exponent = (counts[1] / counts[0]).ln() / (many as f64 / few as f64).ln();
            let what = if shape(few).per_subnet.is_some() { "10 nodes a subnet" } else { "one subnet" };
            misses += print_figure(
                &format!("  {what}, {}: {:.1} to {:.1}, exponent", case.label(), counts[0] / 1e6, counts[1] / 1e6),
                &format!("{exponent:.3}"),
                Some((exponent <= GROWTH, format!("≤ {GROWTH:.1}"))),
            );
        }
    }
    misses
}

/// How large the state is, and what `--json` writes.
fn sizes(bench: &mut Bench) -> usize {
    println!("\nSizes");
    let state = largest_state(World::many_subnets(NODES));
    let document = state.to_json();
    let read = State::from_json(&document, REGISTRY.known()).expect("a state");
    assert!(read == state, "the state is read as it was written");
    let megabytes = |bytes: f64| format!("{:.2} MB", bytes / 1e6);
    let mut misses = print_figure(
        "  state of 5000 nodes, 500 subnets, two backends, 20 versions",
        &megabytes(document.len() as f64),
        Some((document.len() <= STATE_BYTES, format!("≤ {} MB", STATE_BYTES / 1_000_000))),
    );
    for world in [World::one_link(NODES), World::many_subnets(NODES), World::many_subnets(NODES).with_files()] {
        let folder = bench.files(world, Case::First);
        let bytes = size(&Process::plan(&folder).with(["--json"]).output());
        misses += print_figure(
            &format!("  {}, first plan, --json", world.label()),
            &megabytes(bytes as f64),
            Some((bytes <= JSON_BYTES, format!("≤ {} MB", JSON_BYTES / 1_000_000))),
        );
    }
    misses
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).expect("a file").len()
}

/// Writes the files of all cases into a folder, for a profiler.
pub fn write_all(folder: &Path) {
    for shape in [World::one_link, World::many_subnets] {
        for world in [shape(NODES), shape(NODES).with_files()] {
            let document = world.state().to_json();
            for case in Case::ALL {
                let folder =
                    folder.join(format!("{}, {}", world.label(), case.label()).replace(", ", "_").replace(' ', "-"));
                case.world(world).write(&folder, (case != Case::First).then_some(&*document));
            }
        }
    }
}

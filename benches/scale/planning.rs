//! `plan --no-refresh`: inside one process, and as a whole process.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use toml::de::DeTable;
use topo::backend::{self, FORMATS, KNOWN};
use topo::network::Memo;
use topo::plan::{Desired, Options, Plan, Summary};
use topo::render::style::Look;
use topo::render::text;
use topo::state::State;
use topo::topology::{Source, Topology, parse};

use super::pair::{Effort, Pair, milliseconds, print_figure, print_heading, timed};
use super::world::{World, largest_state, name};

const UNCHANGED: f64 = 1.5;
const ONE_MORE: f64 = 2.0;
const AT_MOST: Duration = Duration::from_millis(100);
const STATE_BYTES: usize = 3_000_000;
/// The bars are for meshes of this size.
const NODES: usize = 5000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Cold,
    Unchanged,
    OneMore,
}

impl Case {
    const ALL: [Self; 3] = [Self::Cold, Self::Unchanged, Self::OneMore];

    fn label(self) -> &'static str {
        match self {
            Self::Cold => "no state",
            Self::Unchanged => "unchanged",
            Self::OneMore => "one node added",
        }
    }

    fn bar(self, nodes: usize) -> Option<f64> {
        match self {
            _ if nodes != NODES => None,
            Self::Cold => None,
            Self::Unchanged => Some(UNCHANGED),
            Self::OneMore => Some(ONE_MORE),
        }
    }

    fn text(self, world: World) -> String {
        if self == Self::OneMore { world.with_one_more().toml() } else { world.toml() }
    }

    fn document(self, document: &[u8]) -> Option<&[u8]> {
        (self != Self::Cold).then_some(document)
    }
}

/// Bare parsing with recovery, and reading the state. As in topo, what was parsed is freed, and the state is not.
fn reference(text: &str, document: Option<&[u8]>) -> Option<State> {
    black_box(DeTable::parse_recoverable(text));
    document.map(|document| State::from_json(document, &KNOWN).expect("a state"))
}

/// The reference as a process of its own.
pub fn reference_of_files(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("topo.toml")).expect("a topology");
    let document = std::fs::read(folder.join("state/mesh.json")).ok();
    // The process ends, as that of `topo plan` does, without freeing.
    std::mem::forget(reference(&text, document.as_deref()));
}

/// Where the time of a plan goes.
#[derive(Default)]
struct Laps(Vec<(&'static str, Duration)>);

impl Laps {
    fn lap<T>(&mut self, what: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0.push((what, start.elapsed()));
        result
    }
}

/// All that a plan is made from and ends in: the command leaves it to the end of the process, so that freeing it is not
/// counted here either.
type Kept = (Topology, State, Desired, Memo, Plan, Summary, String);

/// What `topo plan --no-refresh` does between reading the files and writing to the terminal.
fn plan(sources: &[Source], document: Option<&[u8]>, laps: &mut Laps) -> Kept {
    let (topology, findings) = laps.lap("topology", || parse(sources, FORMATS));
    assert!(findings.is_empty(), "the mesh is valid");
    let topology = topology.expect("a topology");
    let state = laps.lap("state", || match document {
        Some(document) => State::from_json(document, &KNOWN).expect("a state"),
        None => State::new(name("mesh")).expect("random numbers"),
    });
    let desired = laps.lap("desire", || backend::desire(&topology));
    let mut memo = Memo::default();
    let none = BTreeMap::new();
    let plan = laps.lap("plan", || Plan::new(&topology.name, &desired, &state, &none, &Options::default(), &mut memo));
    let summary = laps.lap("summary", || Summary::new(&plan, &mut memo));
    let text = laps.lap("text", || text::plan(&plan, &summary, Look::default(), true, backend::words));
    (topology, state, desired, memo, plan, summary, text)
}

pub fn run(quick: bool) -> usize {
    let mut misses = 0;
    let sizes: &[usize] = if quick { &[100, NODES] } else { &[100, 1000, NODES, 20_000] };
    for shape in [World::one_link, World::many_subnets] {
        for nodes in sizes {
            misses += one_world(shape(*nodes), quick);
            if *nodes == NODES {
                misses += one_world(shape(*nodes).with_files(), quick);
            }
        }
    }
    misses + state_size()
}

fn one_world(world: World, quick: bool) -> usize {
    let effort = Effort::new(quick);
    let mut misses = 0;
    let state = world.state();
    let document = state.to_json();
    drop(state);
    let folder = tempfile::tempdir().expect("a folder");
    print_heading(&world.label(), "bare recovery-parsing of the TOML, plus reading the state");
    for case in Case::ALL {
        // From nothing, many subnets have a line for each subnet and destination: 80 million here.
        if case == Case::Cold && (world.nodes > NODES || quick) && world.per_subnet.is_some() && world.nodes >= NODES {
            println!("  {}: left out, it takes minutes", case.label());
            continue;
        }
        let text = case.text(world);
        let sources = [Source { name: "topo.toml".to_owned(), text }];
        let document = case.document(&document);
        // As many routes as there are to be.
        let n = world.nodes;
        let files = if world.persistent { n } else { 0 };
        let expected = match case {
            Case::Cold => 2 * n * (n - 1) + files,
            Case::Unchanged => 0,
            Case::OneMore => 4 * n + files + usize::from(world.persistent),
        };
        let (.., summary, _) = plan(&sources, document, &mut Laps::default());
        assert_eq!(summary.add + summary.change + summary.destroy, expected, "{}", case.label());
        drop(summary);
        let pair = Pair::run(
            effort,
            || timed(|| plan(&sources, document, &mut Laps::default())),
            || timed(|| reference(&sources[0].text, document)),
        );
        let bar = case.bar(world.nodes);
        misses += pair.print(&format!("  {}, text", case.label()), bar);
        if world.nodes == NODES {
            print_laps(&sources, document);
        }
        misses += processes(world, case, document, folder.path(), effort);
    }
    misses
}

/// The command line as a whole process, against the reference as one.
fn processes(world: World, case: Case, document: Option<&[u8]>, folder: &Path, effort: Effort) -> usize {
    let folder = folder.join(case.label().replace(' ', "-"));
    let file = if case == Case::OneMore { world.with_one_more() } else { world }.write(&folder, document);
    let reference = || {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command.arg("child-reference").arg(&folder);
        process(&mut command)
    };
    let topo = |json: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topo"));
        command.args(["plan", "--no-refresh"]).args(json.then_some("--json")).arg(&file);
        process(&mut command)
    };
    let mut misses = 0;
    let bar = case.bar(world.nodes);
    let pair = Pair::run(effort, || topo(false), reference);
    misses += pair.print(&format!("  {}, `topo plan --no-refresh`, whole process", case.label()), bar);
    if case == Case::Unchanged && world.nodes == NODES {
        misses += pair.print_within(&format!("  {}, the same, alone", case.label()), AT_MOST);
    }
    // Seconds each.
    let slow = case == Case::Cold && world.nodes >= NODES && world.per_subnet.is_some();
    let effort = if slow { Effort { least: 2, most: 2, ..effort } } else { effort };
    let pair = Pair::run(effort, || topo(true), reference);
    misses += pair.print(&format!("  {}, the same with `--json`", case.label()), bar);
    misses
}

fn process(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let output = command.output().expect("it starts");
    let time = start.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    time
}

fn print_laps(sources: &[Source], document: Option<&[u8]>) {
    let mut all: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    let mut names = Vec::new();
    for _ in 0..9 {
        let mut laps = Laps::default();
        plan(sources, document, &mut laps);
        names = laps.0.iter().map(|(what, _)| *what).collect();
        for (at, (_, time)) in laps.0.into_iter().enumerate() {
            all.entry(at).or_default().push(time);
        }
    }
    let parsing =
        (0..9).map(|_| timed(|| drop(DeTable::parse_recoverable(&sources[0].text)))).min().unwrap_or_default();
    let least = names
        .iter()
        .zip(all.values())
        .map(|(what, times)| format!("{what} {}", milliseconds(times.iter().copied().min().unwrap_or_default())));
    let least: Vec<String> = least.collect();
    println!("    of which at best: {} (bare parsing {})", least.join(", "), milliseconds(parsing));
    let _ = std::io::stdout().flush();
}

fn state_size() -> usize {
    print_heading("The state", "none");
    let state = largest_state(World::many_subnets(NODES));
    let document = state.to_json();
    let read = State::from_json(&document, &KNOWN).expect("a state");
    assert!(read == state, "the state is read as it was written");
    let bar = format!("≤ {:.1} MB", STATE_BYTES as f64 / 1e6);
    print_figure(
        "  5000 nodes, 500 subnets, two backends, 20 list versions",
        &format!("{:.2} MB", document.len() as f64 / 1e6),
        Some((document.len() <= STATE_BYTES, bar)),
    )
}

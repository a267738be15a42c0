//! Whole runs while a command of a script fails on a node, each command in each way: nothing of others is touched, no record is lost,
//! nothing is said to be done that is not, and the next run finishes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use topo::backend::{Desired, REGISTRY};
use topo::exchange::node::{Reply, Request};
use topo::plan::Options;
use topo::resource::Name;
use topo::topology::{self, Source};
use topo::transport::{BoxFuture, Shell, ShellTransport, Target, Transport, TransportError};

use super::cases::{Aim, Case, NETWORKD, cases};
use super::machine::{Fault, Machine, Mode, Programs};
use crate::fake::kernel::Node;
use crate::fake::world::{Ran, Wires, World};

/// What goes wrong with a command that a run needs. What [`Mode`] has beyond is about looks.
const MODES: [Mode; 6] = [Mode::Message, Mode::Silent, Mode::Nothing, Mode::Half, Mode::Killed, Mode::Behind];

/// Without `TOPO_ALL_FAILURES`, one in this many is tried, and fewer of files, which take longer. Both are prime, so each mode comes up.
const SHARE: usize = 17;
const SHARE_OF_FILES: usize = 97;

/// Whether all are tried: it takes long.
pub(super) fn tries_all() -> bool {
    std::env::var_os("TOPO_ALL_FAILURES").is_some()
}

/// All on the machine that may change, with what is topo's before the rest.
const SNAPSHOT: &str = r#"
{ ip -o -d -N -4 route show table all; ip -o -d -N -6 route show table all; } | sed 's/ $//' | grep -v 'proto 2 ' | sort
ip rule show
ip neigh show nud permanent
ip nexthop show
ip -o addr show | sed 's/ valid_lft.*//'
find /etc/topo /etc/sysctl.d /etc/systemd/network /etc/netplan /run 2>/dev/null | grep -v -e ^/run/fake -e invocation | sort | while read -r path; do
  stat -c '%n %a %F' "$path"
  [ ! -f "$path" ] || sed -e 's/lineage [0-9a-f]*/lineage L/' -e 's/^serial .*/serial N/' -e 's/^/  |/' "$path"
done
for path in ip_forward conf/all/rp_filter conf/default/rp_filter conf/eth0/rp_filter; do
  printf '%s %s\n' "$path" "$(cat /proc/sys/net/ipv4/$path)"
done
"#;

/// What is of others there.
const OTHERS: &str = r"
{ ip -o -d -N -4 route show table all; ip -o -d -N -6 route show table all; } | grep -v 'proto 201 ' | sort
ip rule show; ip neigh show nud permanent; ip nexthop show
cat /etc/sysctl.d/10-other.conf
";

/// What a restart of systemd-networkd leaves alone. If a kill comes right behind it, the rest waits for the next run. So does the row
/// that stands in for the one of a leased address, with the rows that the kernel makes for addresses.
fn lasting(others: &str) -> String {
    let waits = ["10.240.0.99 ", "id 7 ", " metric 101", " proto 2 "];
    let lines: Vec<&str> = others.lines().filter(|line| !waits.iter().any(|word| line.contains(word))).collect();
    lines.join("\n")
}

/// What goes wrong in an exchange.
#[derive(Clone, Debug)]
enum Trouble {
    /// A call of a program.
    Fault(Fault),
    /// The script is killed with all that it started, before the command in this line of it, where it gets there as often as this.
    Cut { line: usize, time: usize },
}

/// The connection to one real machine, and to fakes.
struct Real {
    machine: Arc<Machine>,
    /// Number of the exchange with the machine in this run, and what goes wrong there.
    trouble: Mutex<(usize, Option<(usize, Trouble)>)>,
    /// The calls of each exchange.
    calls: Mutex<Vec<BTreeMap<String, String>>>,
    /// Whether to note the lines of scripts in place of calls.
    traces: AtomicBool,
    /// The lines of each exchange that changes something, in the order in which they ran.
    lines: Mutex<Vec<Vec<usize>>>,
}

struct OneReal {
    shell: ShellTransport<RealShell>,
    fakes: Wires,
}

struct RealShell(Arc<Real>);

impl Shell for RealShell {
    fn run<'a>(&'a self, _: &'a Target, script: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, TransportError>> {
        let real = &self.0;
        let trouble = {
            let mut trouble = real.trouble.lock().expect("no panic before");
            trouble.0 += 1;
            let number = trouble.0;
            trouble.1.as_ref().filter(|(at, _)| *at == number).map(|(_, trouble)| trouble.clone())
        };
        let script = std::str::from_utf8(script).expect("a script");
        let output = match trouble {
            _ if real.traces.load(Ordering::SeqCst) => {
                let (output, lines) = real.machine.trace(script);
                // A look leaves nothing behind.
                let writes = ["\nbegin write\n", "\nbegin file\n", "\nbegin marker\n", "\nbegin set\n"];
                let lines = if writes.iter().any(|begin| script.contains(begin)) { lines } else { Vec::new() };
                real.lines.lock().expect("no panic before").push(lines);
                output
            }
            Some(Trouble::Cut { line, time }) => real.machine.cut(script, line, time),
            Some(Trouble::Fault(fault)) => real.machine.run(script, Some(&fault)),
            None => real.machine.run(script, None),
        };
        real.calls.lock().expect("no panic before").push(real.machine.calls());
        Box::pin(std::future::ready(Ok(output)))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Transport for OneReal {
    fn exchange<'a>(
        &'a self,
        at: &'a Target,
        requests: &'a [Request],
    ) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        if at.name.as_str() == "n0" { self.shell.exchange(at, requests) } else { self.fakes.exchange(at, requests) }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A world whose n0 is a machine in a namespace.
pub(super) struct Stage {
    world: Arc<World>,
    real: Arc<Real>,
    name: Name,
}

pub(super) fn desired(text: &str) -> Desired {
    let source = Source { name: "topo.toml".into(), text: text.to_owned() };
    let (topology, diagnostics) = topology::parse(std::slice::from_ref(&source), REGISTRY.formats());
    let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    REGISTRY.desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// All is done, it says.
    Complete,
    /// Something is not, and it says so.
    NotAll(String),
}

impl Stage {
    pub(super) fn new(programs: &Arc<Programs>, setup: &str) -> Result<Self, String> {
        let machine = Arc::new(Machine::new(programs, setup)?);
        let real = Arc::new(Real {
            machine,
            trouble: Mutex::default(),
            calls: Mutex::default(),
            traces: AtomicBool::default(),
            lines: Mutex::default(),
        });
        let others = Arc::new(World::default());
        for number in 1..=2_u8 {
            let addresses = [(format!("10.240.0.1{number}").parse().expect("an address"), 24)];
            others.network.nodes().push(Node::new(&format!("{number:032x}"), &addresses, "10.240.0.99".parse().ok()));
        }
        let transport = OneReal { shell: ShellTransport(RealShell(Arc::clone(&real))), fakes: Wires(others) };
        let world = World { transport: Some(Arc::new(transport)), ..World::default() };
        Ok(Self { world: Arc::new(world), real, name: Name::new("kthw").expect("a name") })
    }

    /// A run in which all goes well.
    pub(super) fn apply(&self, text: &str, options: &Options) -> Ran {
        self.world.run(&self.name, &desired(text), options, 0, 0)
    }

    /// What a shell script says there.
    pub(super) fn by_hand(&self, script: &str) -> String {
        self.real.machine.by_hand(script)
    }

    /// A run, and what goes wrong in it: with which exchange, and how.
    fn run(&self, aim: &Aim, trouble: Option<(usize, Trouble)>) -> End {
        *self.real.trouble.lock().expect("no panic before") = (0, trouble);
        self.real.calls.lock().expect("no panic before").clear();
        let (desired, destroy) = match aim {
            Aim::Apply(text) => (desired(text), false),
            Aim::Destroy => (Desired::default(), true),
        };
        let options = Options { destroy, ..Options::default() };
        match self.world.run(&self.name, &desired, &options, 0, 0) {
            Ran::Refused(plan) => End::NotAll(format!("{:?}", plan.findings)),
            Ran::Died => panic!("nobody kills it"),
            Ran::Done(outcome) if !outcome.is_complete() => {
                End::NotAll(format!("{:?} {:?}", outcome.failures, outcome.skipped))
            }
            Ran::Nothing | Ran::Done(_) => {
                if self.world.left_out.load(Ordering::SeqCst) {
                    End::NotAll("something was left out".to_owned())
                } else {
                    End::Complete
                }
            }
        }
    }

    fn snapshot(&self) -> String {
        self.real.machine.by_hand(SNAPSHOT)
    }

    fn others(&self) -> String {
        self.real.machine.by_hand(OTHERS)
    }
}

impl Case {
    fn stage(&self, programs: &Arc<Programs>) -> Stage {
        let stage = Stage::new(programs, self.setup).expect("a machine");
        for aim in &self.before {
            assert_eq!(stage.run(aim, None), End::Complete, "{}", self.name);
        }
        stage
    }

    /// One failure. What is wrong afterwards.
    fn try_one(&self, programs: &Arc<Programs>, at: usize, trouble: &Trouble, expected: &Expected) -> Vec<String> {
        let mut wrong = Vec::new();
        let stage = self.stage(programs);
        let end = stage.run(&self.aim, Some((at, trouble.clone())));
        let others = match trouble {
            Trouble::Fault(_) => [expected.others.clone(), stage.others()],
            Trouble::Cut { .. } => [lasting(&expected.others), lasting(&stage.others())],
        };
        if others[0] != others[1] {
            wrong.push(format!("things of others were touched:\n{}", difference(&others[0], &others[1])));
        }
        let now = stage.snapshot();
        if end == End::Complete && now != expected.after {
            wrong.push(format!("it says that all is done:\n{}", difference(&expected.after, &now)));
        }
        // A machine that was taken for another one, or a doubt, may need one more.
        let again = stage.run(&self.aim, None);
        if again != End::Complete {
            wrong.push(format!("the next run does not finish: {again:?}"));
        }
        let now = stage.snapshot();
        if now != expected.after {
            wrong.push(format!("after the next run:\n{}", difference(&expected.after, &now)));
        }
        if stage.others() != expected.others {
            wrong.push("things of others were touched in the end".to_owned());
        }
        let last = stage.run(&Aim::Destroy, None);
        let now = stage.snapshot();
        if last != End::Complete || now != expected.empty {
            wrong.push(format!("destroy leaves, {last:?}:\n{}", difference(&expected.empty, &now)));
        }
        wrong
    }

    /// Each call of each exchange, in each way.
    fn faults(&self, programs: &Arc<Programs>) -> (usize, Vec<String>) {
        let stage = self.stage(programs);
        assert_eq!(stage.run(&self.aim, None), End::Complete, "{}", self.name);
        let calls = std::mem::take(&mut *stage.real.calls.lock().expect("no panic before"));
        let mut all = Vec::new();
        for (at, calls) in (1..).zip(&calls) {
            for (call, arguments) in calls {
                let label = |mode| format!("exchange {at}, {call} {arguments:.60}, {mode:?}");
                all.extend(MODES.map(|mode| (at, Trouble::Fault(Fault { call: call.clone(), mode }), label(mode))));
            }
        }
        self.try_all(programs, all)
    }

    /// Each line of each script that changes something: where it runs first, and with `TOPO_ALL_FAILURES` where it runs last, too.
    fn cuts(&self, programs: &Arc<Programs>) -> (usize, Vec<String>) {
        let stage = self.stage(programs);
        stage.real.traces.store(true, Ordering::SeqCst);
        assert_eq!(stage.run(&self.aim, None), End::Complete, "{}", self.name);
        let exchanges = std::mem::take(&mut *stage.real.lines.lock().expect("no panic before"));
        let mut all = Vec::new();
        for (at, lines) in (1..).zip(&exchanges) {
            let mut times: BTreeMap<usize, usize> = BTreeMap::new();
            for line in lines {
                *times.entry(*line).or_default() += 1;
            }
            for (line, last) in times {
                let last = if tries_all() { last } else { 1 };
                for time in [1, last].into_iter().take(last.min(2)) {
                    let label = format!("exchange {at}, killed at line {line}, time {time}");
                    all.push((at, Trouble::Cut { line, time }, label));
                }
            }
        }
        self.try_all(programs, all)
    }

    fn expected(&self, programs: &Arc<Programs>) -> Expected {
        let stage = self.stage(programs);
        let others = stage.others();
        assert_eq!(stage.run(&self.aim, None), End::Complete, "{}", self.name);
        let after = stage.snapshot();
        assert_eq!(others, stage.others(), "{}", self.name);
        assert_eq!(stage.run(&Aim::Destroy, None), End::Complete, "{}", self.name);
        Expected { others, after, empty: stage.snapshot() }
    }

    fn try_all(&self, programs: &Arc<Programs>, mut all: Vec<(usize, Trouble, String)>) -> (usize, Vec<String>) {
        if !tries_all() {
            let share = if self.setup == NETWORKD { SHARE_OF_FILES } else { SHARE };
            all = all.into_iter().step_by(share).collect();
        }
        let expected = self.expected(programs);
        let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Some((at, trouble, label)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                        for what in self.try_one(programs, *at, trouble, &expected) {
                            let text = format!("{}, {label}: {what}", self.name);
                            wrong.lock().expect("no panic before").push(text);
                        }
                    }
                });
            }
        });
        (all.len(), wrong.into_inner().expect("no panic before"))
    }
}

/// How the machine is after runs in which all goes well.
struct Expected {
    /// What is of others, at any time.
    others: String,
    after: String,
    /// After destroy.
    empty: String,
}

/// The lines that differ.
fn difference(expected: &str, found: &str) -> String {
    let lines = |one: &str, other: &str, sign: &str| -> String {
        let mut left: Vec<&str> = other.lines().collect();
        let mut text = String::new();
        for line in one.lines() {
            match left.iter().position(|other| *other == line) {
                Some(at) => _ = left.remove(at),
                None => _ = writeln!(text, "  {sign}{line}"),
            }
        }
        text
    };
    lines(expected, found, "-") + &lines(found, expected, "+")
}

#[expect(clippy::print_stderr, reason = "it says how many failures were tried, or why none were")]
fn try_case(number: usize, kind: &str, run: fn(&Case, &Arc<Programs>) -> (usize, Vec<String>)) {
    let programs = Arc::new(Programs::new());
    if let Err(reason) = Machine::new(&programs, "") {
        eprintln!("skipped: no network namespace can be made here: {reason}");
        return;
    }
    let case = &cases()[number];
    let (tried, wrong) = run(case, &programs);
    eprintln!("{}: {tried} {kind} tried, {} wrong", case.name, wrong.len());
    assert!(tried > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_first_run_whose_commands_fail_loses_nothing() {
    try_case(0, "failures", Case::faults);
}

#[test]
fn a_change_whose_commands_fail_loses_nothing() {
    try_case(1, "failures", Case::faults);
}

#[test]
fn a_destroy_whose_commands_fail_loses_nothing() {
    try_case(2, "failures", Case::faults);
}

#[test]
fn a_first_file_whose_commands_fail_loses_nothing() {
    try_case(3, "failures", Case::faults);
}

#[test]
fn a_changed_file_whose_commands_fail_loses_nothing() {
    try_case(4, "failures", Case::faults);
}

#[test]
fn a_removed_file_whose_commands_fail_loses_nothing() {
    try_case(5, "failures", Case::faults);
}

#[test]
fn a_first_run_that_is_killed_at_any_line_loses_nothing() {
    try_case(0, "kills", Case::cuts);
}

#[test]
fn a_change_that_is_killed_at_any_line_loses_nothing() {
    try_case(1, "kills", Case::cuts);
}

#[test]
fn a_destroy_that_is_killed_at_any_line_loses_nothing() {
    try_case(2, "kills", Case::cuts);
}

#[test]
fn a_first_file_that_is_killed_at_any_line_loses_nothing() {
    try_case(3, "kills", Case::cuts);
}

#[test]
fn a_changed_file_that_is_killed_at_any_line_loses_nothing() {
    try_case(4, "kills", Case::cuts);
}

#[test]
fn a_removed_file_that_is_killed_at_any_line_loses_nothing() {
    try_case(5, "kills", Case::cuts);
}

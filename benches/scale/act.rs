//! topo over SSH against bare parallel ssh, on the hosts of a lab (tests/lab/lab), in CPU time of both ends together. The lab and its
//! operator run in one cgroup (cpuacct of cgroup v1) that this bench makes, so what else the machine does is not counted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::accounting::{Cgroup, Meter, Used};
use super::pair::{Effort, Pair, print_figure, print_heading};
use super::rivals;

const NODES: usize = 20;
/// The bars: a look, a whole apply, its act phase, and that of many rows for one node, each against its reference.
const MOST_LOOK: f64 = 1.2;
const MOST_APPLY: f64 = 1.6;
const MOST_ACT: f64 = 1.2;
const MOST_ROWS: f64 = 1.25;
/// The rows of the table that has many.
const ROWS: usize = 5000;
/// On the wire for them, in both directions, with all headers.
const MOST_WIRE: u64 = 200_000;
/// A look at a table without drift may send this much more for each node where the table has many rows, in bytes.
const MOST_ROUTE_DATA: u64 = 100;
const PARALLELISM: usize = 4;
const MASTERS_PER_EXCHANGE: usize = 4;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab");

/// Raises a lab, runs [`inside`] as its operator, and takes the lab down.
pub fn run(quick: bool) -> usize {
    print_heading(&format!("Over SSH, {NODES} nodes of a lab, CPU time of both ends"), "bare parallel ssh");
    let check = script("check", &[]).output().expect("bash starts");
    if !check.status.success() {
        println!("SKIPPED: no lab can run here: {}", String::from_utf8_lossy(&check.stdout).trim());
        return 0;
    }
    let cgroup = match Cgroup::enter() {
        Ok(cgroup) => cgroup,
        Err(reason) => {
            println!("SKIPPED: CPU time over SSH: {reason}.");
            return 0;
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let lab = folder.path().join("lab");
    let up = ["--count", &NODES.to_string(), "--owner", &std::process::id().to_string()].map(str::to_owned);
    let raised = script("up", &[lab.display().to_string()]).args(up).status().expect("bash starts");
    if !raised.success() {
        println!("The lab did not come up.");
        return 1;
    }
    let this = std::env::current_exe().expect("this binary").display().to_string();
    let rounds = if quick { "5" } else { "9" };
    let tools = rivals::install();
    let tools = tools.as_deref().map_or("none", |path| path.to_str().unwrap_or("none"));
    let words = [&lab.display().to_string(), "operator", &this, "child-act", &lab.display().to_string(), rounds, tools];
    let status = script("exec", &words.map(str::to_owned)).stdin(cgroup.usage()).status();
    let down = script("down", &[lab.display().to_string()]).status();
    assert!(down.is_ok_and(|status| status.success()), "the lab in {} is not down", lab.display());
    drop(cgroup);
    usize::from(!status.expect("bash starts").success())
}

fn script(verb: &str, words: &[String]) -> Command {
    let mut command = Command::new("bash");
    command.arg(SCRIPT).arg(verb).args(words).stdin(Stdio::null());
    command
}

struct Operator {
    lab: PathBuf,
    work: tempfile::TempDir,
    meter: Meter,
}

/// What is measured, as the lab's operator. Standard input is the account of the cgroup.
pub fn inside(lab: &Path, rounds: usize, tools: &Path) -> usize {
    let operator = Operator {
        lab: lab.to_owned(),
        work: tempfile::tempdir().expect("a folder"),
        meter: Meter::of_standard_input(),
    };
    operator.write_mesh();
    let effort = Effort { least: rounds, most: rounds, time: Duration::ZERO };
    let mut misses = 0;

    let first = operator.pair(effort, || operator.topo(&["plan"]), || operator.bare("true", ""));
    misses += first.print("  a look at nodes without topo's routes, against `ssh NODE true`", Some(MOST_LOOK));

    let whole = operator.pair(effort, || operator.apply().0, || operator.bare("true", ""));
    misses += whole.print("  `topo apply -y`, whole command, against `ssh NODE true`", Some(MOST_APPLY));

    let act = operator.pair(effort, || operator.apply().1, || operator.batch("add"));
    misses += act.print("  its act phase, against `ssh NODE 'ip -batch -'`", Some(MOST_ACT));

    operator.settle();
    operator.apply();
    let again =
        Pair::run(effort, || operator.topo(&["plan"]).cpu, || operator.meter.of(|| operator.bare("true", "")).cpu);
    misses += again.print("  a look without drift, against `ssh NODE true`", Some(MOST_LOOK));

    misses += operator.route_data();

    operator.settle();
    let held = operator.most_masters();
    let bar = MASTERS_PER_EXCHANGE * PARALLELISM;
    misses += print_figure(
        &format!("  masters held with --parallelism {PARALLELISM}"),
        &held.to_string(),
        Some(((1..=bar).contains(&held), format!("≤ {bar}"))),
    );
    operator.settle();
    operator.print_processes();
    misses += operator.many_rows(effort);
    if tools != Path::new("none") {
        let nodes = (0..NODES).map(|node| (address(node), routes(node, "add"))).collect();
        let few = Effort { least: 3, most: 3, ..effort };
        let work = rivals::Work { lab, nodes };
        work.print(tools, &operator.meter, few, || operator.settle(), || operator.apply().0.cpu);
    }
    misses
}

impl Operator {
    /// Two works by turns, each on nodes without routes.
    fn pair(&self, effort: Effort, topo: impl Fn() -> Used, reference: impl Fn()) -> Pair {
        let topo = || {
            self.settle();
            topo().cpu
        };
        let reference = || {
            self.settle();
            self.meter.of(&reference).cpu
        };
        Pair::run(effort, topo, reference)
    }

    fn write_mesh(&self) {
        let nodes = (0..NODES).map(|node| (node, format!("pods = \"{}\"", pods(node))));
        self.write_topology(nodes);
    }

    fn write_topology(&self, nodes: impl Iterator<Item = (usize, String)>) {
        let mut text =
            String::from("[topology]\nname = \"lab\"\n\n[ssh]\nuser = \"root\"\n\n[backends.ssh-static]\n\n[nodes]\n");
        for (node, more) in nodes {
            writeln!(text, "node-{node} = {{ address = \"{}\", {more} }}", address(node)).expect("text");
        }
        std::fs::write(self.work.path().join("topo.toml"), text).expect("a file");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topo"));
        command
            .args(words)
            .current_dir(self.work.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// What a whole command of topo uses.
    fn topo(&self, words: &[&str]) -> Used {
        self.meter.of(|| {
            let output = self.command(words).output().expect("topo starts");
            assert!(output.status.success(), "topo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        })
    }

    /// Applies from nothing. What the whole command uses, and what its act phase does: from the plan being shown, when all sessions
    /// are open and all nodes have been looked at, to the result.
    fn apply(&self) -> (Used, Used) {
        let (mut planned, mut done) = (None, None);
        let whole = self.meter.of(|| {
            let mut child = self.command(&["apply", "-y", "--json"]).spawn().expect("topo starts");
            let stdout = child.stdout.take().expect("a pipe");
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.contains("\"type\":\"summary\"") {
                    planned = Some(self.meter.now());
                } else if line.contains("\"type\":\"result\"") {
                    done = Some(self.meter.now());
                }
            }
            let output = child.wait_with_output().expect("topo ends");
            assert!(output.status.success(), "topo apply: {}", String::from_utf8_lossy(&output.stderr));
        });
        (whole, done.expect("a result").since(planned.expect("a plan")))
    }

    /// Leaves nothing of topo on the nodes and no state.
    fn settle(&self) {
        if self.work.path().join("state").exists() {
            self.topo(&["destroy", "-y"]);
            std::fs::remove_dir_all(self.work.path().join("state")).expect("the state is removed");
        }
        self.batch("del");
    }

    /// Adds or removes the routes of the mesh with bare ssh; removing is allowed to find nothing.
    fn batch(&self, verb: &str) {
        let words = if verb == "del" { "ip -force -batch - 2>/dev/null; true" } else { "ip -batch -" };
        finish((0..NODES).map(|node| self.ssh(node, words, &routes(node, verb))).collect());
    }

    fn bare(&self, command: &str, input: &str) {
        finish((0..NODES).map(|node| self.ssh(node, command, input)).collect());
    }

    fn ssh(&self, node: usize, command: &str, input: &str) -> Child {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.lab.join("ssh_config")).arg(format!("root@{}", address(node))).arg(command);
        let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("ssh starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("ssh reads");
        child
    }

    /// How much more a look without drift sends where the tables have many rows of others: rows that were there when topo wrote, and
    /// rows that came later.
    fn route_data(&self) -> usize {
        let foreign = |verb: &str| {
            let rows = (0..1000).fold(String::new(), |mut text, row| {
                let (second, third) = (100 + row / 250, row % 250);
                writeln!(text, "route {verb} 10.{second}.{third}.0/24 via 10.240.0.2 proto 80").expect("text");
                text
            });
            self.bare("ip -batch -", &rows);
        };
        let look = || (0..5).map(|_| self.topo(&["plan"]).wire).min().unwrap_or_default();
        let per_node = |wire: u64, few: u64| wire.saturating_sub(few) / NODES as u64;
        let few = look();
        foreign("add");
        let later = per_node(look(), few);
        self.settle();
        self.apply();
        let before = per_node(look(), few);
        foreign("del");
        let text = "  a look without drift, 1,000 rows of others, more on the wire for each node";
        let bar = Some((before <= MOST_ROUTE_DATA, format!("≤ {MOST_ROUTE_DATA} B")));
        print_figure("  the same where these rows came after topo's last write", &format!("{later} B"), None);
        print_figure(text, &format!("{before} B"), bar)
    }

    /// The processes that each node needs. Others on this machine may start some, too, so it is the least of several runs.
    fn print_processes(&self) {
        let least =
            |work: &dyn Fn() -> Used| (0..5).map(|_| work().started).min().unwrap_or_default() as f64 / NODES as f64;
        let of_look = least(&|| self.topo(&["plan"]));
        let of_apply = least(&|| {
            self.settle();
            self.apply().0
        });
        let of_true = least(&|| self.meter.of(|| self.bare("true", "")));
        let text = format!("{of_true:.1}, {of_look:.1}, {of_apply:.1}");
        print_figure("  processes started for each node: `ssh NODE true`, a look, a whole apply", &text, None);
        self.settle();
    }

    /// A table of many rows for one node. The node that they lead to is not managed, so that topo writes to one alone.
    fn many_rows(&self, effort: Effort) -> usize {
        let all: Vec<String> = (0..ROWS).map(|row| format!("10.{}.{}.0/24", 60 + row / 256, row % 256)).collect();
        let list = all.join("\", \"");
        let nodes = [(0, "pods = []".to_owned()), (1, format!("managed = false, pods = [\"{list}\"]"))];
        self.write_topology(nodes.into_iter());
        let commands = all.iter().fold(String::new(), |mut text, row| {
            writeln!(text, "route add {row} via {} proto 201", address(1)).expect("text");
            text
        });
        let clear = || {
            finish(vec![self.ssh(0, "ip route flush proto 201; rm -r -f /etc/topo", "")]);
            let _ = std::fs::remove_dir_all(self.work.path().join("state"));
        };
        let mut wire = Vec::new();
        let act = || {
            clear();
            let (whole, act) = self.apply();
            wire.push(whole.wire);
            act.cpu
        };
        let bare = || {
            clear();
            self.meter.of(|| finish(vec![self.ssh(0, "ip -batch -", &commands)])).cpu
        };
        let mut misses = Pair::run(effort, act, bare)
            .print(&format!("  {ROWS} rows to one node, act phase, against `ip -batch -`"), Some(MOST_ROWS));
        let most = wire.into_iter().max().unwrap_or_default();
        misses += print_figure(
            "  the whole command on the wire, in both directions",
            &format!("{:.0} KB", most as f64 / 1000.0),
            Some((most <= MOST_WIRE, format!("≤ {} KB", MOST_WIRE / 1000))),
        );
        clear();
        self.write_mesh();
        misses
    }

    /// The most ssh masters that are there at once while topo applies.
    fn most_masters(&self) -> usize {
        let mut child =
            self.command(&["apply", "-y", "--parallelism", &PARALLELISM.to_string()]).spawn().expect("topo starts");
        let mut most = 0;
        while child.try_wait().expect("topo").is_none() {
            most = most.max(masters());
            thread::sleep(Duration::from_millis(5));
        }
        most
    }
}

fn finish(children: Vec<Child>) {
    for mut child in children {
        let status = child.wait().expect("ssh ends");
        assert!(status.success(), "ssh ended with {status}");
    }
}

/// The control sockets of ssh processes in this network namespace: while a master goes to the background, it is two processes, and one
/// that was told to end has removed its socket.
fn masters() -> usize {
    let own = std::fs::read_link("/proc/self/ns/net").ok();
    let socket = |process: PathBuf| {
        let words = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        // In the background a master goes by `ssh: SOCKET [mux]`.
        let named = words.strip_prefix("ssh: ").and_then(|rest| rest.split_once(" [mux]")).map(|(socket, _)| socket);
        let given = || words.contains(" -M ").then(|| words.split_once(" -S ")?.1.split(' ').next()).flatten();
        let socket = PathBuf::from(named.or_else(given)?);
        let is_here = std::fs::read_link(process.join("ns/net")).ok() == own;
        (is_here && socket.exists()).then_some(socket)
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    processes.filter_map(socket).collect::<BTreeSet<PathBuf>>().len()
}

/// The routes of the mesh on a node, as commands.
fn routes(node: usize, verb: &str) -> String {
    let others = (0..NODES).filter(|other| *other != node);
    others.fold(String::new(), |mut text, other| {
        writeln!(text, "route {verb} {} via {} proto 201", pods(other), address(other)).expect("text");
        text
    })
}

fn address(node: usize) -> String {
    format!("10.240.{}.{}", node / 200, 20 + node % 200)
}

fn pods(node: usize) -> String {
    format!("10.{}.{}.0/24", 200 + node / 256, node % 256)
}

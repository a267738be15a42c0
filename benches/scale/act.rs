//! `topo apply` over SSH against bare parallel ssh, on the hosts of a lab (tests/lab/lab).

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::pair::{Effort, Pair, print_figure, print_heading};

const NODES: usize = 20;
const MOST: f64 = 1.2;
const PARALLELISM: usize = 4;
const MASTERS_PER_EXCHANGE: usize = 4;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab");

/// Raises a lab, runs [`inside`] as its operator, and takes the lab down.
pub fn run(quick: bool) -> usize {
    print_heading(&format!("Over SSH, {NODES} nodes of a lab"), "bare parallel ssh");
    let check = script("check", &[]).output().expect("bash starts");
    if !check.status.success() {
        println!("  skipped: no lab can run here: {}", String::from_utf8_lossy(&check.stdout).trim());
        return 0;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let lab = folder.path().join("lab");
    let up = ["--count", &NODES.to_string(), "--owner", &std::process::id().to_string()].map(str::to_owned);
    let raised = script("up", &[lab.display().to_string()]).args(up).status().expect("bash starts");
    if !raised.success() {
        println!("  skipped: the lab did not come up");
        return 1;
    }
    let this = std::env::current_exe().expect("this binary").display().to_string();
    let rounds = if quick { "5" } else { "9" };
    let words = [&lab.display().to_string(), "operator", &this, "child-act", &lab.display().to_string(), rounds];
    let status = script("exec", &words.map(str::to_owned)).status();
    let down = script("down", &[lab.display().to_string()]).status();
    assert!(down.is_ok_and(|status| status.success()), "the lab in {} is not down", lab.display());
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
}

/// What is measured, as the lab's operator.
pub fn inside(lab: &Path, rounds: usize) -> usize {
    let operator = Operator { lab: lab.to_owned(), work: tempfile::tempdir().expect("a folder") };
    operator.write_topology();
    let effort = Effort { least: rounds, most: rounds, time: Duration::ZERO };
    let mut misses = 0;

    let whole = Pair::run(
        effort,
        || {
            operator.settle();
            operator.apply().0
        },
        || {
            operator.settle();
            operator.bare("true", "")
        },
    );
    misses += whole.print("  `topo apply -y`, whole command, against `ssh NODE true`", Some(MOST));

    let act = Pair::run(
        effort,
        || {
            operator.settle();
            operator.apply().1
        },
        || {
            operator.settle();
            operator.bare_batch()
        },
    );
    misses += act.print("  its act phase, against `ssh NODE 'ip -batch -'`", Some(MOST));

    operator.settle();
    operator.apply();
    let again = Pair::run(effort, || operator.topo(&["apply", "-y"]).0, || operator.bare("true", ""));
    misses += again.print("  `topo apply -y`, nothing to do, against `ssh NODE true`", None);

    operator.settle();
    let held = operator.most_masters();
    let bar = MASTERS_PER_EXCHANGE * PARALLELISM;
    misses += print_figure(
        &format!("  masters held with --parallelism {PARALLELISM}"),
        &held.to_string(),
        Some(((1..=bar).contains(&held), format!("≤ {bar}"))),
    );
    operator.settle();
    misses
}

impl Operator {
    fn write_topology(&self) {
        let mut text =
            String::from("[topology]\nname = \"lab\"\n\n[ssh]\nuser = \"root\"\n\n[backends.ssh-static]\n\n[nodes]\n");
        for node in 0..NODES {
            writeln!(text, "node-{node} = {{ address = \"{}\", pods = \"{}\" }}", address(node), pods(node))
                .expect("text");
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

    /// Runs topo; the time of the whole process, and the moments of its lines of output.
    fn topo(&self, words: &[&str]) -> (Duration, Vec<(Duration, String)>) {
        let start = Instant::now();
        let mut child = self.command(words).spawn().expect("topo starts");
        let stdout = child.stdout.take().expect("a pipe");
        let lines = BufReader::new(stdout).lines().map_while(Result::ok).map(|line| (start.elapsed(), line)).collect();
        let output = child.wait_with_output().expect("topo ends");
        let time = start.elapsed();
        assert!(output.status.success(), "topo {words:?}: {} {lines:?}", String::from_utf8_lossy(&output.stderr));
        (time, lines)
    }

    /// Applies from nothing. The whole time, and that of the act phase: from the plan being shown, when all sessions are
    /// open and all nodes have been looked at, to the result.
    fn apply(&self) -> (Duration, Duration) {
        let (whole, lines) = self.topo(&["apply", "-y", "--json"]);
        let moment = |kind: &str| {
            let mark = format!("\"type\":\"{kind}\"");
            lines.iter().rev().find(|(_, line)| line.contains(&mark)).map(|(time, _)| *time)
        };
        let (planned, done) = (moment("summary").expect("a plan"), moment("result").expect("a result"));
        (whole, done.saturating_sub(planned))
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
    fn batch(&self, verb: &str) -> Duration {
        let start = Instant::now();
        let children: Vec<Child> = (0..NODES)
            .map(|node| {
                let others = (0..NODES).filter(|other| *other != node);
                let lines: String = others.fold(String::new(), |mut text, other| {
                    writeln!(text, "route {verb} {} via {} proto 201", pods(other), address(other)).expect("text");
                    text
                });
                let force = if verb == "del" { "ip -force -batch - 2>/dev/null; true" } else { "ip -batch -" };
                self.ssh(node, force, &lines)
            })
            .collect();
        finish(children);
        start.elapsed()
    }

    fn bare_batch(&self) -> Duration {
        let time = self.batch("add");
        self.batch("del");
        time
    }

    fn bare(&self, command: &str, input: &str) -> Duration {
        let start = Instant::now();
        finish((0..NODES).map(|node| self.ssh(node, command, input)).collect());
        start.elapsed()
    }

    fn ssh(&self, node: usize, command: &str, input: &str) -> Child {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.lab.join("ssh_config")).arg(format!("root@{}", address(node))).arg(command);
        let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("ssh starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("ssh reads");
        child
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

/// Processes of this network namespace that are ssh with `-M`.
fn masters() -> usize {
    let own = std::fs::read_link("/proc/self/ns/net").ok();
    let is_master = |process: &PathBuf| {
        let words = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        // In the background a master goes by `ssh: SOCKET [mux]`.
        let shows = words.contains(&b"-M".as_slice()) || words.first().is_some_and(|word| word.ends_with(b"[mux]"));
        shows && std::fs::read_link(process.join("ns/net")).ok() == own
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    processes.filter(is_master).count()
}

fn address(node: usize) -> String {
    format!("10.240.{}.{}", node / 200, 20 + node % 200)
}

fn pods(node: usize) -> String {
    format!("10.{}.{}.0/24", 200 + node / 256, node % 256)
}

//! A lab and its nodes, as a test sees them: a thin layer over the script `tests/lab/lab`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::redaction::redact;
use super::within;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab");
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why no lab can run on this machine, if so.
pub fn hindrance() -> Option<String> {
    let check = script(SCRIPT, ["check"]).output().expect("bash starts");
    (!check.status.success()).then(|| format!("no lab can run here: {}", text(&check.stdout).trim_end()))
}

/// Removes what labs of earlier, interrupted runs left.
pub fn reap() {
    script(SCRIPT, [OsStr::new("reap"), std::env::temp_dir().as_os_str()]).status().expect("bash starts");
}

pub(super) fn script<A: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).stdin(Stdio::null());
    command
}

/// What a lab is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabOptions {
    /// Dual stack: `fd00:240::/64` for nodes, `fd00:200:N::/64` for pods of the default nodes.
    pub ipv6: bool,
    /// The nodes, a line each: `NAME ADDRESS,… [POD_SUBNET…] [--sudo|--sudo-refused]`. Default: those of
    /// *Kubernetes the hard way*: server (10.240.0.10), node-0 (10.240.0.20, pods 10.200.0.0/24) and node-1
    /// (10.240.0.21, pods 10.200.1.0/24).
    pub nodes: Option<&'static str>,
    /// That many nodes: node-0 (10.240.0.20, pods 10.200.0.0/24), node-1 and so on, and no server.
    pub count: Option<u32>,
    /// The addresses of the operator, separated by commas. Default: `10.240.0.2,fd00:240::2`.
    pub operator: Option<&'static str>,
    /// How the network of the nodes is configured, for [`Machines`](super::Machines) only. Default: `plain`.
    pub shape: Option<&'static str>,
    /// The release of Debian of whole machines. [`Machines`](super::Machines) sets it: bookworm, unless the test is for another one.
    pub release: Option<&'static str>,
    /// The process whose end is that of the lab too. Default: this one.
    pub owner: Option<u32>,
}

/// Hosts in network namespaces on one link, and an operator. Dropping it takes it down.
#[derive(Debug)]
pub struct Lab {
    script: &'static str,
    folder: PathBuf,
    work: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Reply {
    /// The exit code; none after a signal.
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Reply {
    pub fn new(output: &Output) -> Self {
        Self { exit: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// All that was said, on one line, however it was wrapped.
    pub fn said(&self) -> String {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        all.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Panics unless all of these words were said, on either stream.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        let said = self.said();
        for word in words {
            assert!(said.contains(word), "`{word}` is not said:\n{}\n{}", self.stdout, self.stderr);
        }
        self
    }

    /// Panics with all that was said unless the exit code is this one.
    #[track_caller]
    pub fn exits(self, expected: i32) -> Self {
        assert_eq!(self.exit, Some(expected), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Lab {
    /// Raises a lab.
    pub fn up(options: LabOptions) -> Self {
        Self::raise(SCRIPT, options)
    }

    pub(super) fn raise(program: &'static str, options: LabOptions) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("topo-lab-{}-{number}", std::process::id()));
        let work = tempfile::tempdir().expect("a folder to work in");
        let mut command = script(program, [OsStr::new("up"), folder.as_os_str()]);
        command.args(["--owner", &options.owner.unwrap_or_else(std::process::id).to_string()]);
        if options.ipv6 {
            command.arg("--ipv6");
        }
        if let Some(count) = options.count {
            command.args(["--count", &count.to_string()]);
        }
        if let Some(operator) = options.operator {
            command.args(["--operator", operator]);
        }
        if let Some(release) = options.release {
            command.args(["--release", release]);
        }
        if let Some(shape) = options.shape {
            command.args(["--shape", shape]);
        }
        if let Some(nodes) = options.nodes {
            let file = work.path().join(".nodes");
            fs::write(&file, nodes).expect("the list of nodes is written");
            command.arg("--nodes").arg(file);
        }
        succeed(&mut command);
        Self { script: program, folder, work }
    }

    /// The lab's own folder, with `ssh_config`, `known_hosts` and logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that topo runs in; empty at first.
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// Writes a file below the folder that topo runs in.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder is made");
        fs::write(path, content).expect("the file is written");
    }

    /// Runs topo as the operator, without a terminal and with an environment of its own.
    pub fn topo(&self, arguments: &[&str]) -> Reply {
        Reply::new(&self.topo_command(arguments).output().expect("topo starts"))
    }

    /// Like [`Lab::topo`], not started yet. Signals sent to the process reach topo.
    pub fn topo_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.operator("env");
        command.args(["-i", "TERM=dumb", "LANG=C.UTF-8"]);
        command.arg(format!("PATH={PATH}")).arg(format!("HOME={}", self.folder.join("home").display()));
        command.arg(format!("TOPO_SSH_CONFIG={}", self.folder.join("ssh_config").display()));
        command.arg(format!("TOPO_KNOWN_HOSTS={}", self.folder.join("known_hosts").display()));
        command.arg(env!("CARGO_BIN_EXE_topo")).args(arguments);
        command
    }

    /// Any program, as the operator, in the folder that topo runs in.
    pub fn operator(&self, program: &str) -> Command {
        let mut command = self.script("exec", ["operator", program]);
        command.current_dir(self.work());
        command
    }

    /// Runs a command on a node over ssh, as the user that logs in there.
    pub fn ssh(&self, node: &str, command: &str) -> Reply {
        Reply::new(&self.ssh_command(node, command).output().expect("ssh starts"))
    }

    /// Like [`Lab::ssh`], not started yet.
    pub fn ssh_command(&self, node: &str, command: &str) -> Command {
        let user = if self.fact(node, "login").trim() == "root" { "root" } else { "azureuser" };
        let addresses = self.addresses(node);
        let address = addresses.first().expect("a node has an address");
        let mut ssh = self.operator("ssh");
        ssh.args(["-o", "ConnectTimeout=1", "-F"]).arg(self.folder.join("ssh_config"));
        ssh.args([&format!("{user}@{address}"), command]);
        ssh
    }

    /// The addresses of a node, without their length.
    pub fn addresses(&self, node: &str) -> Vec<String> {
        let addresses = self.fact(node, "addresses");
        addresses.split_whitespace().filter_map(|address| Some(address.split('/').next()?.to_owned())).collect()
    }

    /// The names of all nodes, sorted.
    pub fn nodes(&self) -> Vec<String> {
        let nodes = fs::read_dir(self.folder.join("nodes")).expect("the nodes are listed");
        let mut names: Vec<_> = nodes.map(|node| node.expect("a node").file_name().display().to_string()).collect();
        names.sort_unstable();
        names
    }

    /// A node of this lab.
    pub fn node<'a>(&'a self, name: &'a str) -> Node<'a> {
        Node { lab: self, name }
    }

    /// Adds a node, in the words of a line of [`LabOptions::nodes`].
    pub fn add(&self, line: &str) {
        succeed(&mut self.script("add", line.split_whitespace()));
    }

    /// Panics unless the pods of both nodes reach each other, both ways and in all address families, within 5 s.
    #[track_caller]
    pub fn assert_pods_meet(&self, one: &str, other: &str) {
        for (from, to) in [(one, other), (other, one)] {
            for address in self.pod_addresses(to) {
                let reached = within(Duration::from_secs(5), || self.pings(from, &address));
                assert!(reached, "the pod of {from} does not reach {address}, the pod of {to}");
            }
        }
    }

    /// Panics if a pod of one reaches a pod of the other, either way, in any address family.
    #[track_caller]
    pub fn assert_pods_apart(&self, one: &str, other: &str) {
        for (from, to) in [(one, other), (other, one)] {
            for address in self.pod_addresses(to) {
                assert!(!self.pings(from, &address), "the pod of {from} reaches {address}, the pod of {to}");
            }
        }
    }

    /// Text for a snapshot: folders of this run, times, spans and random identifiers replaced by their kind.
    pub fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.work().display().to_string(), "[WORK]");
        redact(&text.replace(&self.folder.display().to_string(), "[LAB]"))
    }

    /// All network namespaces that processes of this lab are in, or that its pods are.
    pub fn namespaces(&self) -> BTreeSet<String> {
        let own = succeed(self.operator("readlink").arg("/proc/self/ns/net"));
        let mut namespaces = BTreeSet::from([own.trim().to_owned()]);
        for name in self.nodes() {
            namespaces.insert(self.node(&name).run("readlink /proc/self/ns/net").trim().to_owned());
            if !self.pod_addresses(&name).is_empty() {
                let mut pod = self.script("pod", [name.as_str(), "readlink", "/proc/self/ns/net"]);
                namespaces.insert(succeed(&mut pod).trim().to_owned());
            }
        }
        let holder = fs::read_to_string(self.folder.join("holder")).expect("the holder is recorded");
        let holder = holder.split(' ').next().unwrap_or_default();
        let switch = fs::read_link(format!("/proc/{holder}/ns/net")).expect("the holder lives");
        namespaces.insert(switch.display().to_string());
        namespaces
    }

    /// Whether a ping from the pod of a node is answered.
    pub fn pings(&self, from: &str, address: &str) -> bool {
        let mut ping = self.script("pod", [from, "ping", "-c1", "-W1", address]);
        ping.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("ping starts").success()
    }

    /// A command in the pod of a node, not started yet.
    pub fn pod_command(&self, node: &str, program: &str) -> Command {
        self.script("pod", [node, program])
    }

    fn pod_addresses(&self, node: &str) -> Vec<String> {
        succeed(&mut self.script("pod", [node])).lines().map(str::to_owned).collect()
    }

    fn fact(&self, node: &str, fact: &str) -> String {
        fs::read_to_string(self.folder.join("nodes").join(node).join(fact)).expect("the node is there")
    }

    pub(super) fn verb(&self, verb: &str, arguments: &[&str]) {
        succeed(&mut self.script(verb, arguments.iter().copied()));
    }

    fn script<'a>(&self, verb: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = script(self.script, [OsStr::new(verb), self.folder.as_os_str()]);
        command.args(arguments);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let ended = self.script("down", []).status();
        if !std::thread::panicking() {
            assert!(ended.is_ok_and(|status| status.success()), "the lab in {} is not down", self.folder.display());
        }
    }
}

/// A node of a lab.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    lab: &'a Lab,
    name: &'a str,
}

impl Node<'_> {
    /// All routes of all tables and both address families, sorted: two of these are equal byte for byte if and only
    /// if nothing has changed.
    pub fn routes(self) -> String {
        let listing = self.run("ip -N -d -4 route show table all; ip -N -d -6 route show table all");
        let mut lines: Vec<_> = listing.lines().map(str::trim_end).collect();
        lines.sort_unstable();
        lines.join("\n") + "\n"
    }

    /// Runs a shell command as root, not over ssh, and gives back its standard output. Panics if it fails.
    #[track_caller]
    pub fn run(self, command: &str) -> String {
        self.attempt(command).exits(0).stdout
    }

    /// Like [`Node::run`], for what may fail.
    pub fn attempt(self, command: &str) -> Reply {
        Reply::new(&self.lab.script("exec", [self.name, "sh", "-c", command]).output().expect("bash starts"))
    }

    /// Ends all its processes; routes are lost, /etc stays.
    pub fn reboot(self) {
        self.verb("reboot");
    }

    /// Makes it another machine with the same addresses and host key.
    pub fn reinstall(self) {
        self.verb("reinstall");
    }

    /// Takes it away for good.
    pub fn remove(self) {
        self.verb("remove");
    }

    /// Breaks it: see `lab break` for the ways.
    pub fn broken(self, how: &str) {
        succeed(&mut self.lab.script("break", [self.name, how]));
    }

    /// Undoes what [`Node::broken`] did.
    pub fn mended(self) {
        self.verb("mend");
    }

    fn verb(self, verb: &str) {
        self.verb_with(verb, &[]);
    }

    pub(super) fn verb_with(self, verb: &str, more: &[&str]) {
        succeed(&mut self.lab.script(verb, [&[self.name], more].concat()));
    }
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    Reply::new(&command.output().expect("bash starts")).exits(0).stdout
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

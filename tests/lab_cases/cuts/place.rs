//! One machine, and topo with a state of its own for it.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use super::scenes::{FILES_OF_OTHERS, KEPT, LIVE, OTHERS, SNAPSHOT, Scene, THINGS_OF_OTHERS};
use crate::harness::{Machines, Reply, Watch, within};

const SH: &str = include_str!("sh");
/// How long a machine may take to be as expected.
const PATIENCE: Duration = Duration::from_secs(5);

/// A command of a script that ran.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// The script among those of the run that change something, from 1.
    pub(super) script: usize,
    pub(super) line: usize,
    /// How often it has come to this line, from 1.
    pub(super) time: usize,
    /// Whether the drop-ins for loading are there.
    pub(super) loads: bool,
    pub(super) function: String,
    pub(super) text: String,
}

/// Where a script ends.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// Before this command.
    Kill,
    /// There, with the whole machine.
    Power,
    /// So many milliseconds later.
    Late(u32),
}

pub(super) struct Place<'a> {
    pub(super) machines: &'a Machines,
    pub(super) number: usize,
    name: String,
    file: String,
}

impl<'a> Place<'a> {
    pub(super) fn new(machines: &'a Machines, number: usize) -> Self {
        let name = format!("node-{number}");
        let place = Self { machines, number, file: format!("{name}/topo.toml"), name };
        place.install();
        place
    }

    /// The shell that cuts, and what others have there.
    fn install(&self) {
        let sh = format!("cat >/usr/local/bin/sh <<'END'\n{SH}END\nchmod 755 /usr/local/bin/sh");
        self.run(&format!("{sh}\n{FILES_OF_OTHERS}"));
        self.machines.node(&self.name).restart_networkd();
        self.add_things();
    }

    pub(super) fn add_things(&self) {
        self.run(&format!("set -e; number={}\n{THINGS_OF_OTHERS}", self.number));
    }

    pub(super) fn run(&self, command: &str) -> String {
        self.machines.node(&self.name).run(command)
    }

    pub(super) fn reboot(&self) {
        self.machines.node(&self.name).reboot();
    }

    pub(super) fn watch(&self) -> Watch {
        self.machines.watch_only(&[&self.name])
    }

    /// A run that applies this topology, or destroys.
    pub(super) fn act(&self, topology: Option<&str>) -> Reply {
        let Some(topology) = topology else { return self.machines.topo(&["destroy", &self.file, "-y"]) };
        self.machines.write(&self.file, topology);
        self.machines.topo(&["apply", &self.file, "-y"])
    }

    pub(super) fn plan(&self) -> Reply {
        self.machines.topo(&["plan", &self.file, "--detailed-exitcode"])
    }

    /// As before the first run, whatever runs have left.
    pub(super) fn restore(&self) {
        self.run(
            "rm -r -f /etc/topo /etc/netplan/*60-topo* /etc/netplan/.60-topo* /etc/systemd/network/*.d/60-topo* \
            /etc/systemd/network/*.d/.60-topo* /etc/sysctl.d/60-topo* /etc/sysctl.d/.60-topo*",
        );
        let _ = std::fs::remove_dir_all(self.machines.work().join(&self.name));
        self.reboot();
        self.add_things();
    }

    /// Nothing is cut, and no value of the kernel is left of an earlier run.
    pub(super) fn reset(&self) {
        self.run("rm -r -f /run/cuts; sysctl -q -w net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0");
    }

    /// A run of a scene that notes the commands of its scripts.
    pub(super) fn traced(&self, scene: Scene) -> (Reply, Vec<Hit>) {
        self.run("mkdir /run/cuts; echo trace >/run/cuts/aim");
        let reply = self.act(scene.wanted(self.number).as_deref());
        let mut hits = Vec::new();
        let count: usize = self.run("ls /run/cuts | grep -c '^trace[.]' || true").trim().parse().expect("a number");
        for script in 1..=count {
            let text = self.run(&format!("cat /run/cuts/script.{script}"));
            let lines: Vec<&str> = text.lines().collect();
            let mut times: BTreeMap<usize, usize> = BTreeMap::new();
            for record in self.run(&format!("cat /run/cuts/trace.{script}")).lines() {
                let mut words = record.splitn(3, ' ');
                let line: usize = words.next().and_then(|line| line.parse().ok()).expect("a line");
                let loads = words.next() == Some("1");
                let time = times.entry(line).or_default();
                *time += 1;
                let function = words.next().unwrap_or_default().to_owned();
                // The hook is in the first line.
                let text = lines.get(line - 2).copied().unwrap_or_default().to_owned();
                hits.push(Hit { script, line, time: *time, loads, function, text });
            }
        }
        self.run("rm -r /run/cuts");
        (reply, hits)
    }

    /// A run of a scene that is cut. Whether it came to that, too.
    pub(super) fn cut(&self, scene: Scene, at: &Hit, how: &How) -> (Reply, bool) {
        let Hit { script, line, time, .. } = at;
        let aim = match how {
            How::Kill => format!("kill {script} {line} {time}"),
            How::Power => format!("power {script} {line} {time}"),
            How::Late(milliseconds) => format!("late {script} {line} {}", f64::from(*milliseconds) / 1000.0),
        };
        self.run(&format!("mkdir /run/cuts; echo '{aim}' >/run/cuts/aim"));
        let is_reached = || self.run("ls /run/cuts").lines().any(|name| name == "reached");
        if !matches!(how, How::Power) {
            let reply = self.act(scene.wanted(self.number).as_deref());
            let reached = is_reached();
            self.run("rm -r /run/cuts");
            return (reply, reached);
        }
        let topology = scene.wanted(self.number);
        if let Some(topology) = &topology {
            self.machines.write(&self.file, topology);
        }
        let command = if topology.is_some() { "apply" } else { "destroy" };
        let mut topo = self.machines.topo_command(&[command, &self.file, "-y"]);
        let mut topo = topo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("topo starts");
        let reached =
            within(Duration::from_secs(60), || is_reached() || topo.try_wait().is_ok_and(|end| end.is_some()));
        let reached = reached && is_reached();
        if reached {
            self.reboot();
        }
        (Reply::new(&topo.wait_with_output().expect("topo ends")), reached)
    }

    pub(super) fn snapshot(&self) -> String {
        self.run(SNAPSHOT)
    }

    pub(super) fn others(&self) -> String {
        self.run(OTHERS)
    }

    /// What topo's files keep.
    pub(super) fn kept(&self) -> String {
        self.run(KEPT)
    }

    /// Topo's rows in the kernel.
    pub(super) fn live(&self) -> String {
        self.run(LIVE)
    }

    /// Waits until something is as it must be, and says what it is in the end.
    pub(super) fn settled(&self, look: impl Fn(&Self) -> String, is_right: impl Fn(&str) -> bool) -> String {
        let mut found = String::new();
        within(PATIENCE, || {
            found = look(self);
            is_right(&found)
        });
        found
    }
}

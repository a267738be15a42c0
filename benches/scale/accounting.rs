//! The CPU time of a lab and its operator, counted by a cgroup, and what they send to each other.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const CONTROLLER: &str = "/sys/fs/cgroup/cpuacct";

/// A cgroup with this process and all that it starts. It is removed, and this process moves back, when this is dropped.
pub struct Cgroup {
    path: PathBuf,
    before: PathBuf,
}

impl Cgroup {
    /// Makes it and moves this process into it. An error says why that is not possible.
    pub fn enter() -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own =
            own.lines().find_map(|line| line.split_once(":cpuacct:").or_else(|| line.split_once(":cpu,cpuacct:")));
        let Some((_, own)) = own.filter(|_| Path::new(CONTROLLER).exists()) else {
            return Err("there is no controller cpuacct of cgroup v1".to_owned());
        };
        let before = Path::new(CONTROLLER).join(own.trim_start_matches('/'));
        let path = before.join(format!("topo-bench-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let cgroup = Self { path, before };
        Self::move_to(&cgroup.path).map_err(|error| format!("{}: {error}", cgroup.path.display()))?;
        Ok(cgroup)
    }

    fn move_to(path: &Path) -> io::Result<()> {
        fs::write(path.join("cgroup.procs"), std::process::id().to_string())
    }

    /// The account: nanoseconds of CPU time.
    pub fn usage(&self) -> File {
        File::open(self.path.join("cpuacct.usage")).expect("the account of the cgroup")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let moved = Self::move_to(&self.before);
        // What a lab has ended may take a moment.
        let start = Instant::now();
        while fs::remove_dir(&self.path).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "{} stays: {moved:?}", self.path.display());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Reads the account of a cgroup.
pub struct Meter {
    usage: File,
}

/// What something used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// CPU time of all processes, in both modes.
    pub cpu: Duration,
    /// Bytes on this host's link in both directions, with all headers.
    pub wire: u64,
    /// Processes and threads that were started on this machine, by anybody.
    pub started: u64,
}

impl Meter {
    /// The account that is standard input: from inside the lab, the cgroup has no path.
    pub fn of_standard_input() -> Self {
        Self { usage: File::open("/proc/self/fd/0").expect("standard input") }
    }

    fn cpu(&self) -> Duration {
        let mut text = [0; 32];
        let length = self.usage.read_at(&mut text, 0).expect("the account of the cgroup");
        let text = std::str::from_utf8(&text[..length]).expect("a number");
        Duration::from_nanos(text.trim().parse().expect("a number"))
    }

    /// All so far.
    pub fn now(&self) -> Used {
        Used { cpu: self.cpu(), wire: wire(), started: started() }
    }

    /// What a work uses, and what ends a little later than it.
    pub fn of(&self, work: impl FnOnce()) -> Used {
        self.wait();
        let before = self.now();
        work();
        self.wait();
        self.now().since(before)
    }

    /// Waits until nothing of the lab runs.
    fn wait(&self) {
        let (mut last, mut quiet) = (self.cpu(), 0);
        let start = Instant::now();
        while quiet < 3 && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(15));
            let now = self.cpu();
            // This loop is in the account itself.
            quiet = if now.saturating_sub(last) < Duration::from_micros(300) { quiet + 1 } else { 0 };
            last = now;
        }
    }
}

impl Used {
    /// What came since then.
    pub fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            wire: self.wire.saturating_sub(before.wire),
            started: self.started.saturating_sub(before.started),
        }
    }
}

fn wire() -> u64 {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let links = text.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    links
        .map(|(_, counts)| {
            let counts: Vec<u64> = counts.split_ascii_whitespace().map(|count| count.parse().unwrap_or(0)).collect();
            counts.first().unwrap_or(&0) + counts.get(8).unwrap_or(&0)
        })
        .sum()
}

fn started() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("processes ")?.parse().ok()).unwrap_or(0)
}

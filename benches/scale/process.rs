//! Whole processes, measured: the instructions that they execute, and the time that they take.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program with its arguments, run in an environment that is always the same.
#[derive(Clone)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// The working directory. It also holds the output and the counts.
    folder: PathBuf,
}

impl Process {
    /// A process that runs in a folder.
    pub fn new(folder: &Path, program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), folder: folder.to_owned() }
    }

    /// The same with further arguments.
    pub fn with(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// `topo plan --no-refresh` of the topology in a folder.
    pub fn plan(folder: &Path) -> Self {
        Self::new(folder, env!("CARGO_BIN_EXE_topo")).with(["plan", "--no-refresh", "topology"])
    }

    /// The floor for the topology in a folder: this binary, started as its own child.
    pub fn floor(folder: &Path) -> Self {
        Self::new(folder, std::env::current_exe().expect("this binary")).with(["child-floor"])
    }

    fn command(&self, wrapper: &[OsString]) -> Command {
        let mut words = wrapper.iter().chain([self.program.as_os_str().to_owned()].iter()).cloned().collect::<Vec<_>>();
        words.extend(self.arguments.iter().cloned());
        let mut command = Command::new(&words[0]);
        // The size of the environment moves the stack, and a configuration of the user's would be read.
        command.args(&words[1..]).current_dir(&self.folder).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", "/nonexistent").stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// How long it takes, from start to end.
    pub fn time(&self) -> Duration {
        let mut command = self.command(&[]);
        command.stdout(Stdio::null());
        let start = Instant::now();
        let output = command.output().expect("the process starts");
        let time = start.elapsed();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        time
    }

    /// Starts it with its output thrown away.
    pub fn start(&self) -> std::process::Child {
        self.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the process starts")
    }

    /// Runs it with its standard output in a file, whose path is given back.
    pub fn output(&self) -> PathBuf {
        self.run_to_file(&[])
    }

    /// The number of instructions that it executes, all threads together, and the file with its standard output. Callgrind
    /// does not count what the kernel does.
    pub fn instructions(&self) -> (u64, PathBuf) {
        let counts = self.folder.join("callgrind.out");
        let mut wrapper: Vec<OsString> = ["valgrind", "--quiet", "--tool=callgrind"].map(OsString::from).to_vec();
        let mut file = OsString::from("--callgrind-out-file=");
        file.push(&counts);
        wrapper.push(file);
        let output = self.run_to_file(&wrapper);
        let text = std::fs::read_to_string(&counts).expect("callgrind writes its counts");
        let total = text.lines().rev().find_map(|line| {
            line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: "))?.trim().parse().ok()
        });
        (total.expect("callgrind writes the total"), output)
    }

    fn run_to_file(&self, wrapper: &[OsString]) -> PathBuf {
        let path = self.folder.join("stdout");
        let mut command = self.command(wrapper);
        command.stdout(File::create(&path).expect("a file"));
        let output = command.output().expect("the process starts");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        path
    }
}

/// Why instructions cannot be counted here, where that is so.
pub fn cannot_count() -> Option<String> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("valgrind ended with {}", output.status)),
        Err(error) => Some(format!("valgrind cannot be started ({error}); install the package valgrind")),
    }
}

/// What counts depend on beside the code: the versions of the compiler and of valgrind, and the processor's architecture.
pub fn tools() -> String {
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok();
        output
            .map_or_else(|| format!("no {program}"), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    format!("{}, {}, {}", version("rustc"), version("valgrind"), std::env::consts::ARCH)
}

//! A machine in a namespace whose programs go wrong as a test says.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use crate::fake::namespace::Namespace;

const WRAPPER: &str = include_str!("wrapper.sh");
/// Where programs are.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// What makes the namespace itself.
const UNTOUCHED: [&str; 3] = ["sh", "bash", "dash"];

/// What goes wrong with one call of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It says why on standard error and ends with 2.
    Message,
    /// It ends with 1 and says nothing.
    Silent,
    /// It does nothing, says nothing, and ends with 0.
    Nothing,
    /// It does its work, its output is lost, and it ends with 0.
    Lost,
    /// It does its work, prints the first half of its output, and ends with 0.
    Half,
    /// It does its work, prints the first half of its output, and a signal ends it.
    Torn,
    /// A signal ends it before it does anything.
    Killed,
    /// A signal ends it after it did its work.
    Behind,
}

impl Mode {
    pub(super) const ALL: [Self; 8] =
        [Self::Message, Self::Silent, Self::Nothing, Self::Lost, Self::Half, Self::Torn, Self::Killed, Self::Behind];

    fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Silent => "silent",
            Self::Nothing => "nothing",
            Self::Lost => "lost",
            Self::Half => "half",
            Self::Torn => "torn",
            Self::Killed => "killed",
            Self::Behind => "behind",
        }
    }
}

/// A call of a program, and what goes wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// The name of the program and the number of the call: `ip.2`.
    pub(super) call: String,
    pub(super) mode: Mode,
}

/// The programs of a machine, each behind the wrapper.
pub(super) struct Programs {
    folder: tempfile::TempDir,
}

impl Programs {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (bin, wrapper) = (folder.path().join("bin"), folder.path().join("wrapper"));
        fs::create_dir(&bin).expect("a folder");
        fs::write(&wrapper, WRAPPER).expect("a file");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("its mode");
        let programs = Self { folder };
        for of in FOLDERS {
            for entry in fs::read_dir(of).into_iter().flatten().flatten() {
                programs.wrap(&entry.file_name().to_string_lossy());
            }
        }
        programs
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn wrap(&self, name: &str) {
        if !UNTOUCHED.contains(&name) {
            // Two folders may have one name.
            let _ = std::os::unix::fs::symlink(self.path("wrapper"), self.folder.path().join("bin").join(name));
        }
    }
}

pub(super) struct Machine {
    namespace: Namespace,
    programs: Arc<Programs>,
    own: tempfile::TempDir,
}

impl Machine {
    /// A machine that this script sets up. `stub NAME CODE` in it makes a program.
    pub(super) fn new(programs: &Arc<Programs>, setup: &str) -> Result<Self, String> {
        let own = tempfile::tempdir().map_err(|error| error.to_string())?;
        for name in ["calls", "stubs"] {
            fs::create_dir(own.path().join(name)).map_err(|error| error.to_string())?;
        }
        let machine = Self { namespace: Namespace::new()?, programs: Arc::clone(programs), own };
        let stubs = machine.path("stubs");
        let script = format!(
            "set -eu\nstub() {{ printf '#!/bin/sh\\n%s\\n' \"$2\" >\"{stubs}/$1\"; chmod +x \"{stubs}/$1\"; }}\n{setup}\necho fine\n"
        );
        let said = String::from_utf8_lossy(&machine.namespace.run_with(&["sh"], &script)).into_owned();
        if !said.ends_with("fine\n") {
            return Err(format!("the machine could not be set up: {said}"));
        }
        for entry in fs::read_dir(stubs).into_iter().flatten().flatten() {
            programs.wrap(&entry.file_name().to_string_lossy());
        }
        Ok(machine)
    }

    fn path(&self, name: &str) -> String {
        self.own.path().join(name).display().to_string()
    }

    /// Runs a script with a shell, with one fault or none.
    pub(super) fn run_with(&self, shell: &[&str], script: &str, fault: Option<&Fault>) -> Vec<u8> {
        let calls = self.path("calls");
        fs::remove_dir_all(&calls).and_then(|()| fs::create_dir(&calls)).expect("a folder");
        let (call, mode) = fault.map_or(("", ""), |fault| (fault.call.as_str(), fault.mode.word()));
        let variables = [
            format!("PATH={}:{}", self.programs.path("bin"), FOLDERS.join(":")),
            format!("CALLS={calls}"),
            format!("STUBS={}", self.path("stubs")),
            format!("OUTPUT={}", self.path("output")),
            format!("FAULT={call}"),
            format!("MODE={mode}"),
        ];
        let command: Vec<&str> =
            ["env"].into_iter().chain(variables.iter().map(String::as_str)).chain(shell.iter().copied()).collect();
        self.namespace.run_with(&command, script)
    }

    pub(super) fn run(&self, script: &str, fault: Option<&Fault>) -> Vec<u8> {
        self.run_with(&["sh"], script, fault)
    }

    /// Runs a script, and notes the line of each command of it in their order. It needs bash: another shell has no hook for that.
    pub(super) fn trace(&self, script: &str) -> (Vec<u8>, Vec<usize>) {
        let trace = self.path("trace");
        let _ = fs::remove_file(&trace);
        let hook = format!("set -T; trap 'echo $LINENO >>\"{trace}\"' DEBUG\n");
        let output = self.run_with(&["bash", "--posix"], &(hook + script), None);
        let lines = fs::read_to_string(&trace).unwrap_or_default();
        (output, lines.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Runs a script, and kills it with all that it started when it comes to a line for the n-th time, as [`Self::trace`] counts lines.
    pub(super) fn cut(&self, script: &str, line: usize, time: usize) -> Vec<u8> {
        let hook =
            format!("set -T; trap '[ $LINENO != {line} ] || [ $((hits += 1)) != {time} ] || kill -KILL 0' DEBUG\n");
        // A session of its own, so that the kill does not reach further.
        self.run_with(&["setsid", "bash", "--posix"], &(hook + script), None)
    }

    /// What somebody at the machine does or sees.
    pub(super) fn by_hand(&self, script: &str) -> String {
        String::from_utf8_lossy(&self.namespace.run(script)).into_owned()
    }

    /// The calls of programs in the last run, each with its arguments.
    pub(super) fn calls(&self) -> BTreeMap<String, String> {
        let entries = fs::read_dir(self.path("calls")).into_iter().flatten().flatten();
        let call = |entry: fs::DirEntry| {
            let arguments = fs::read_to_string(entry.path()).unwrap_or_default();
            (entry.file_name().to_string_lossy().into_owned(), arguments.trim().to_owned())
        };
        entries.map(call).collect()
    }
}

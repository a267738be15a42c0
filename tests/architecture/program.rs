//! The toys as a program with arguments, streams and an exit code: this test binary runs itself again.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use topo::backend::Registry;

/// The registry of the toys. topo's own backends are not in it.
pub(super) static REGISTRY: Registry = Registry::new(&[&super::note::Note], &[&super::fog::SITE]);

/// The variable with the arguments, one a line.
const ARGUMENTS: &str = "TOPO_TEST_ARGUMENTS";
/// What stands between the lines of the test runner and the output of the program.
const START: &str = "--- the program starts ---\n";

/// What came of a command.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) exit: i32,
}

/// Runs topo with the toys in a folder, with more variables.
pub(super) fn topo(folder: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> Ran {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "architecture::program::the_program_of_the_toys", "--ignored", "--nocapture"])
        .args(["--test-threads", "1"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env(ARGUMENTS, arguments.join("\n"))
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (out, err) = (text(output.stdout), text(output.stderr));
    let Some((_, out)) = out.split_once(START) else { panic!("the program did not start: {out}{err}") };
    Ran { out: out.to_owned(), err, exit: output.status.code().expect("an exit code") }
}

#[test]
#[ignore = "other tests run it as a program"]
#[expect(clippy::print_stdout, reason = "it says where the output of the program starts")]
fn the_program_of_the_toys() {
    let Some(arguments) = std::env::var_os(ARGUMENTS) else { return };
    print!("\n{START}");
    let arguments = arguments.into_string().expect("UTF-8");
    let arguments = std::iter::once("topo").chain(arguments.split('\n').filter(|one| !one.is_empty()));
    let exit = topo::cli::run_with(&REGISTRY, arguments.map(OsString::from));
    std::process::exit(exit as i32);
}

//! Makes replies: `live.sh` of a case says how its machines are, and a look's own script runs on each, in a network namespace.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Builds a machine and gives way to the script on standard input.
const MACHINE: &str = include_str!("machine.sh");

/// What the script prints on a node as `live.sh` of the case makes it; or what went wrong. Needs root and iproute2.
pub(super) fn reply(case: &Path, node: &str, script: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new("unshare")
        .args(["--net", "--mount", "--uts", "--propagation", "private", "--", "sh", "-c", MACHINE, "machine"])
        .arg(folder.path())
        .arg(node)
        .arg(case.join("live.sh"))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare starts");
    child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("the script is sent");
    let output = child.wait_with_output().expect("it ends");
    if output.status.success() && output.stderr.is_empty() {
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    } else {
        Err(format!("{node} could not be made: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

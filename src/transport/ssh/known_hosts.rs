//! By which names a node's host key is known.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::configuration::Resolved;

/// What ssh looks a host up as.
pub(super) fn address(resolved: &Resolved) -> String {
    if resolved.port == 22 { resolved.host.clone() } else { format!("[{}]:{}", resolved.host, resolved.port) }
}

/// Whether the node's host key is known by its name, and its address is not known at all: then, and only then, the name
/// may stand in for the address. Where the operator gave a `HostKeyAlias`, that is what counts.
pub(super) async fn only_by_name(resolved: &Resolved, name: &str) -> bool {
    if resolved.has_alias {
        return false;
    }
    let mut by_name = false;
    for file in resolved.known_hosts.iter().filter(|file| file.exists()) {
        // Without the port too: ssh falls back to that.
        for form in [&address(resolved), &resolved.host] {
            // Known in whatever way, also as an authority's or revoked: then that is the last word.
            if found(form, file).await != Some(String::new()) {
                return false;
            }
        }
        let lines = found(name, file).await.unwrap_or_default();
        by_name |= lines.lines().any(|line| !line.starts_with(['#', '@']));
    }
    by_name
}

/// The lines of the file for that host, hashed ones too; nothing where they cannot be looked up.
async fn found(host: &str, file: &Path) -> Option<String> {
    let mut command = tokio::process::Command::new("ssh-keygen");
    command.arg("-F").arg(host).arg("-f").arg(file);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(10), command.output()).await.ok()?.ok()?;
    match output.status.code() {
        Some(0) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        // Not found says nothing.
        Some(1) if output.stdout.is_empty() => Some(String::new()),
        _ => None,
    }
}

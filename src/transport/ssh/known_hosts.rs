//! The names under which ssh knows a node's host key.

use std::path::Path;

use super::configuration::output;
use super::destination::Resolved;

/// Whether the node's host key is known by its name, and not at all by its address. Only then may the name replace the
/// address. If the operator set a `HostKeyAlias`, that one counts.
pub(super) async fn only_by_name(resolved: &Resolved, name: &str) -> bool {
    if resolved.has_alias {
        return false;
    }
    let mut by_name = false;
    for file in resolved.known_hosts.iter().filter(|file| file.exists()) {
        // Without the port, too: ssh falls back to that.
        for form in [&resolved.known_as(), &resolved.host] {
            // Any kind of entry counts, also an authority's or a revoked one: ssh then decides.
            if found(form, file).await != Some(String::new()) {
                return false;
            }
        }
        let lines = found(name, file).await.unwrap_or_default();
        by_name |= lines.lines().any(|line| !line.starts_with(['#', '@']));
    }
    by_name
}

/// The lines of the file for that host, including hashed ones; none if the lookup fails.
async fn found(host: &str, file: &Path) -> Option<String> {
    let mut command = tokio::process::Command::new("ssh-keygen");
    command.arg("-F").arg(host).arg("-f").arg(file);
    let output = output(command).await?;
    match output.status.code() {
        Some(0) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        // ssh-keygen prints nothing if it does not find the host.
        Some(1) if output.stdout.is_empty() => Some(String::new()),
        _ => None,
    }
}

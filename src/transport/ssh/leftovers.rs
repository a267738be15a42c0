//! Control directories of killed topo processes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::master;

/// The time limit for all of it. Masters that remain end by themselves.
const CLEAN_LIMIT: Duration = Duration::from_secs(3);
/// The names of control directories: this, the process id, the namespace of the process id, and a random part.
const PREFIX: &str = "topo-";

/// The start of the name of this process's control directory.
pub(super) fn directory_prefix() -> String {
    format!("{PREFIX}{}-{}-", std::process::id(), process_namespace())
}

/// Ends the masters and removes the control directories beside `ours` whose process no longer runs.
pub(super) async fn clean(ours: &Path) {
    let _ = tokio::time::timeout(CLEAN_LIMIT, async {
        for directory in dead_directories(ours) {
            end_masters(&directory).await;
            let _ = fs::remove_dir_all(directory);
        }
    })
    .await;
}

/// Ends all masters whose sockets are in the directory.
pub(super) async fn end_masters(directory: &Path) {
    for socket in sockets(directory) {
        master::end(&socket).await;
    }
}

fn dead_directories(ours: &Path) -> Vec<PathBuf> {
    let (Some(parent), Ok(own)) = (ours.parent(), fs::metadata(ours)) else { return Vec::new() };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let dead = entries.filter(|entry| {
        let name = entry.file_name();
        // Do not follow links: in a shared directory, others can make such names, too.
        name.to_str().is_some_and(|name| is_of_dead_process(name, &process_namespace()))
            && fs::symlink_metadata(entry.path()).is_ok_and(|it| it.is_dir() && it.uid() == own.uid())
    });
    dead.map(|entry| entry.path()).collect()
}

fn is_of_dead_process(name: &str, namespace: &str) -> bool {
    let mut parts = name.strip_prefix(PREFIX).unwrap_or_default().split('-');
    let (Some(process), Some(there), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return false };
    process.parse::<u32>().is_ok_and(|process| process > 0 && !Path::new(&format!("/proc/{process}")).exists())
        // A process id of another container means nothing here.
        && there == namespace
        && Path::new("/proc/self").exists()
}

/// The number of this process's namespace of process ids; 0 if the system does not tell it.
fn process_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() { "0".to_owned() } else { digits }
}

fn sockets(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "s")).collect()
}

#[cfg(test)]
mod tests {
    use super::{directory_prefix, is_of_dead_process, process_namespace};

    #[test]
    fn only_directories_of_dead_processes_here_are_taken() {
        let here = process_namespace();
        assert!(is_of_dead_process(&format!("topo-4194999-{here}-abc"), &here));
        assert!(!is_of_dead_process(&format!("topo-4194999-{here}1-abc"), &here), "another container");
        assert!(!is_of_dead_process(&format!("{}abc", directory_prefix()), &here), "this process");
        for name in ["topo-", "topo-x-y-z", "topo-0-0-x", "other-4194999-1-x", "topo-4194999"] {
            assert!(!is_of_dead_process(name, &here), "{name}");
        }
    }
}

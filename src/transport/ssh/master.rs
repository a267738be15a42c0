//! Master connections: each has a control socket and a log.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openssh::Session;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// The time limit for asking a master to end.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How much of the end of a master's log counts, in bytes.
const LOG_LIMIT: usize = 64 << 10;
/// Lines that ssh writes with `-v` and that nobody needs.
const CHATTER: [&str; 5] = ["debug", "OpenSSH_", "Authenticated to ", "Transferred: ", "Bytes per second: "];

/// A working connection, and its control socket.
pub(super) struct Master {
    control: PathBuf,
    log: PathBuf,
    _room: OwnedSemaphorePermit,
}

impl Master {
    /// The master behind a control socket, with the log that it writes and its room in the pool.
    pub(super) fn new(control: PathBuf, log: PathBuf, room: OwnedSemaphorePermit) -> Self {
        Self { control, log, _room: room }
    }

    /// The control socket.
    pub(super) fn control(&self) -> &Path {
        &self.control
    }

    /// What ssh has written since it connected.
    pub(super) fn last_words(&self) -> String {
        read_log(&self.log)
    }

    /// Ends the master: at once if it is idle, else after the sessions in it.
    pub(super) async fn end(&self) {
        end(&self.control).await;
        let _ = fs::remove_file(&self.control);
        let _ = fs::remove_file(&self.log);
    }
}

/// Asks the master behind a control socket to end.
pub(super) async fn end(control: &Path) {
    let _ = timeout(END_LIMIT, Session::resume_mux(control.into(), None).close()).await;
}

/// The end of a master's log, without chatter.
pub(super) fn read_log(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_LIMIT)..]);
    let lines = text.lines().filter(|line| !CHATTER.iter().any(|start| line.starts_with(start)));
    lines.collect::<Vec<_>>().join("\n")
}

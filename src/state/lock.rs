//! The lock of a local state: an flock, which ends with the process that holds it, on a file that says who it is.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RunId;

/// More than any lock file has.
const MOST_BYTES: u64 = 65536;

/// What a lock says to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// What `topo state unlock` asks for.
    pub id: String,
    /// `USER@HOST`.
    pub who: String,
    /// The command.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
    /// The process.
    pub pid: u32,
    /// The host that it runs on.
    pub host: String,
    /// The kernel's boot id there: containers of one kernel have names of their own and see each other's flocks.
    #[serde(default)]
    pub boot: String,
    /// Put there by `topo state lock`: stays until it is removed.
    #[serde(default)]
    pub manual: bool,
}

/// What a lock is to say.
#[derive(Clone, Debug)]
pub struct LockRequest {
    /// The command that takes it, for example `apply`.
    pub what: String,
}

/// Why a state was not locked or unlocked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It is locked by somebody else.
    #[error("{}", .0.sentence())]
    Held(Box<LockInfo>),
    /// It is to be removed, and its holder still runs.
    #[error("{} That process still runs.", .0.sentence())]
    Running(Box<LockInfo>),
    /// Another lock than the named one is there.
    #[error("The lock has the id {} and not {given}: {}", .found.id, .found.sentence())]
    OtherId {
        /// What is there.
        found: Box<LockInfo>,
        /// What was asked for.
        given: String,
    },
    /// The lock file cannot be used.
    #[error("{0}")]
    Unavailable(String),
}

impl LockInfo {
    /// A lock of this process, with a new id.
    pub fn of_this_process(what: &str, manual: bool) -> io::Result<Self> {
        let host = host();
        Ok(Self {
            id: RunId::random()?.to_string(),
            who: format!("{}@{host}", user()),
            what: what.to_owned(),
            since: Timestamp::now(),
            pid: std::process::id(),
            host,
            boot: boot(),
            manual,
        })
    }

    /// Stands for a holder that has not said who it is.
    fn unknown() -> Self {
        Self {
            id: String::new(),
            who: "somebody".to_owned(),
            what: "unknown".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            pid: 0,
            host: String::new(),
            boot: String::new(),
            manual: false,
        }
    }

    /// Whether the holder has said who it is.
    pub fn is_known(&self) -> bool {
        !self.id.is_empty()
    }

    fn sentence(&self) -> String {
        if !self.is_known() {
            return "The state is locked by a process that has not said who it is.".to_owned();
        }
        let by = if self.manual { "by hand by " } else { "by " };
        let process = if self.manual { String::new() } else { format!(", process {}", self.pid) };
        format!("The state is locked {by}{self}{process}; the lock's id is {}.", self.id)
    }

    /// Whether the holder, had it still the flock, would have been seen from here.
    fn is_visible_here(&self) -> bool {
        self.host == host() || (!self.boot.is_empty() && self.boot == boot())
    }
}

impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
        write!(f, "{} ({}) since {:.0}", clean(&self.who), clean(&self.what), self.since)
    }
}

impl LockError {
    /// What to do next, a full sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Held(info) if !info.is_known() => "Wait for it, with --lock-timeout 5m for example.".to_owned(),
            Self::Held(info) if info.manual => {
                format!("When it is no longer needed, remove it with `topo state unlock {}`.", info.id)
            }
            Self::Held(info) => format!(
                "Wait for it, with --lock-timeout 5m for example; if it is gone for good, `topo state unlock {}` removes its \
                 lock.",
                info.id
            ),
            Self::Running(_) => "Nothing was removed. End that process first; its lock goes with it.".to_owned(),
            Self::OtherId { found, .. } => {
                format!("If that is the one to remove, run `topo state unlock {}`.", found.id)
            }
            Self::Unavailable(_) => {
                "Check the permissions of the folder, and that its file system has locks.".to_owned()
            }
        }
    }
}

/// A held lock. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct HeldLock {
    file: File,
    path: PathBuf,
}

/// One attempt at the lock.
pub(super) enum Attempt {
    /// It is ours, with what a dead holder left behind.
    Taken(HeldLock, Option<LockInfo>),
    /// Somebody else has it.
    Held(LockInfo),
}

/// Tries once to take the lock, and says who we are.
pub(super) fn try_lock(path: &Path, info: &LockInfo) -> Result<Attempt, LockError> {
    let Some(mut held) = try_flock(path)? else { return Ok(Attempt::Held(holder(path))) };
    let left = match held.read()? {
        Some(info) if info.manual || !info.is_visible_here() => {
            held.keep();
            return Ok(Attempt::Held(info));
        }
        left => left,
    };
    held.write(info)?;
    Ok(Attempt::Taken(held, left))
}

/// Removes a lock that no process holds. None where there is none.
pub(super) fn unlock(path: &Path, id: &str) -> Result<Option<LockInfo>, LockError> {
    if !path.exists() {
        return Ok(None);
    }
    let Some(mut held) = try_flock(path)? else { return Err(LockError::Running(Box::new(holder(path)))) };
    match held.read()? {
        Some(found) if found.id != id => {
            held.keep();
            Err(LockError::OtherId { found: Box::new(found), given: id.chars().filter(|c| !c.is_control()).collect() })
        }
        found => Ok(found),
    }
}

/// The flock alone; none where another process has it.
fn try_flock(path: &Path) -> Result<Option<HeldLock>, LockError> {
    loop {
        let file = match OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path) {
            Ok(file) => file,
            Err(error) => return Err(unavailable(path, &error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(unavailable(path, &error)),
        }
        // A holder removes the file when it ends: what was opened before that is nobody's lock any more.
        match is_at(&file, path) {
            Ok(true) => return Ok(Some(HeldLock { file, path: path.to_owned() })),
            Ok(false) => {}
            Err(error) => return Err(unavailable(path, &error)),
        }
    }
}

/// Whether the path still leads to the very file that was opened.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl HeldLock {
    /// What it says; none where it says nothing that can be read, as after a kill while it was written.
    fn read(&mut self) -> Result<Option<LockInfo>, LockError> {
        let mut text = Vec::new();
        (&self.file).take(MOST_BYTES).read_to_end(&mut text).map_err(|error| unavailable(&self.path, &error))?;
        Ok(serde_json::from_slice(&text).ok())
    }

    fn write(&mut self, info: &LockInfo) -> Result<(), LockError> {
        let mut text = serde_json::to_vec(info).map_err(|error| unavailable(&self.path, &error.into()))?;
        text.push(b'\n');
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write(&mut self.file).map_err(|error| unavailable(&self.path, &error))
    }

    /// Gives the flock back and leaves the file with what it says.
    pub(super) fn keep(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // The flock is still held, so the file is ours to remove; who opened it before sees that it is gone.
        if !self.path.as_os_str().is_empty() {
            let _ = self.file.set_len(0);
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Who has the flock, as far as it has said.
fn holder(path: &Path) -> LockInfo {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
        .ok()
        .and_then(|_| serde_json::from_slice(&text).ok())
        .unwrap_or_else(LockInfo::unknown)
}

fn unavailable(path: &Path, error: &io::Error) -> LockError {
    LockError::Unavailable(format!("The state cannot be locked with {}: {error}.", path.display()))
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn host() -> String {
    let name = text_of("/proc/sys/kernel/hostname");
    if name.is_empty() { "localhost".to_owned() } else { name }
}

fn boot() -> String {
    text_of("/proc/sys/kernel/random/boot_id")
}

fn user() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|user| !user.is_empty());
    let own = std::fs::metadata("/proc/self").map(|own| own.uid().to_string()).unwrap_or_default();
    let listed = || {
        let users = text_of("/etc/passwd");
        let of = |line: &str| {
            let mut fields = line.split(':');
            let user = fields.next()?;
            (fields.nth(1)? == own).then(|| user.to_owned())
        };
        users.lines().find_map(of)
    };
    named("USER").or_else(|| named("LOGNAME")).or_else(listed).unwrap_or_else(|| format!("uid-{own}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_removed_or_replaced_is_no_longer_the_lock() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("lock");
        let first = File::create(&path).expect("file");
        assert!(is_at(&first, &path).expect("looked"));
        std::fs::remove_file(&path).expect("removed");
        assert!(!is_at(&first, &path).expect("looked"));
        let second = File::create(&path).expect("file");
        assert!(!is_at(&first, &path).expect("looked"));
        assert!(is_at(&second, &path).expect("looked"));
    }
}

//! The lock of a local state: an flock on a file that names the holder. The flock ends with the holder's process.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RunId;

/// The largest lock file that topo reads, in bytes.
const MOST_BYTES: u64 = 65536;

/// What a lock file says about the holder. Without an id, the holder has not identified itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// The id for `topo state unlock`.
    pub id: String,
    /// `USER@HOST`.
    pub who: String,
    /// The holder's command.
    pub what: String,
    /// The time when the holder took the lock.
    pub since: Timestamp,
    /// The holder's process id.
    pub pid: u32,
    /// The holder's host.
    pub host: String,
    /// The boot id of the holder's kernel: containers on one kernel have different host names, but share flocks.
    #[serde(default)]
    pub boot: String,
    /// Whether `topo state lock` made the lock. Such a lock stays until somebody removes it.
    #[serde(default)]
    pub manual: bool,
}

/// Which lock to take.
#[derive(Clone, Debug)]
pub struct LockRequest {
    /// The command that takes the lock, for example `apply`.
    pub what: String,
    /// Whether the lock stays until somebody removes it, although no process holds it.
    pub manual: bool,
}

/// Why topo could not lock or unlock a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds the lock.
    #[error("{}", .0.sentence())]
    Held(Box<LockInfo>),
    /// The lock that should be removed has a holder that still runs.
    #[error("{} That process still runs.", .0.sentence())]
    Running(Box<LockInfo>),
    /// The lock has another id than the given one.
    #[error("The id of the lock is {}, not {given}: {}", .found.id, .found.sentence())]
    OtherId {
        /// The lock found.
        found: Box<LockInfo>,
        /// The given id.
        given: String,
    },
    /// topo cannot use the lock file.
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

    /// Whether the holder has identified itself.
    pub fn is_known(&self) -> bool {
        !self.id.is_empty()
    }

    fn sentence(&self) -> String {
        if !self.is_known() {
            return "A process that has not identified itself has locked the state.".to_owned();
        }
        let by = if self.manual { "manually by " } else { "by " };
        let process = if self.manual { String::new() } else { format!(", process {}", self.pid) };
        format!("The state is locked {by}{self}{process}; the lock's id is {}.", self.id)
    }

    /// Whether this process would see the flock if the holder still had it.
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
            Self::Held(info) if !info.is_known() => {
                "Wait until the lock is free, for example with --lock-timeout 5m.".to_owned()
            }
            Self::Held(info) if info.manual => {
                format!("If nobody needs the lock any more, remove it with `topo state unlock {}`.", info.id)
            }
            Self::Held(info) => format!(
                "Wait until the lock is free, for example with --lock-timeout 5m. If the holder no longer exists, \
                 remove its lock with `topo state unlock {}`.",
                info.id
            ),
            Self::Running(_) => {
                "topo did not remove the lock. End that process first; this also ends its lock.".to_owned()
            }
            Self::OtherId { found, .. } => {
                format!("To remove that lock, run `topo state unlock {}`.", found.id)
            }
            Self::Unavailable(_) => {
                "Check the permissions of the folder, and that its file system supports locks.".to_owned()
            }
        }
    }
}

/// A lock that this process holds. Dropping it releases the lock.
#[derive(Debug)]
pub(super) struct HeldLock {
    file: File,
    path: PathBuf,
}

/// The result of one attempt to take the lock.
pub(super) enum Attempt {
    /// This process has the lock. With the information that a dead holder left in the file.
    Taken(HeldLock, Option<LockInfo>),
    /// Another process has the lock.
    Held(LockInfo),
}

/// Tries once to take the lock, and writes who holds it.
pub(super) fn try_lock(path: &Path, info: &LockInfo) -> io::Result<Attempt> {
    let Some(mut held) = try_flock(path)? else { return Ok(Attempt::Held(holder(path))) };
    match read(&held.file)? {
        Some(info) if info.manual || !info.is_visible_here() => {
            held.keep();
            Ok(Attempt::Held(info))
        }
        left => {
            held.write(info)?;
            Ok(Attempt::Taken(held, left))
        }
    }
}

/// Removes a lock that no process holds. None if there is no lock.
pub(super) fn unlock(path: &Path, id: &str) -> Result<Option<LockInfo>, LockError> {
    if !path.exists() {
        return Ok(None);
    }
    let failed = |error| unavailable(path, &error);
    let Some(held) = try_flock(path).map_err(failed)? else { return Err(LockError::Running(Box::new(holder(path)))) };
    match read(&held.file).map_err(failed)? {
        Some(found) if found.id != id => {
            held.keep();
            Err(LockError::OtherId { found: Box::new(found), given: id.chars().filter(|c| !c.is_control()).collect() })
        }
        found => Ok(found),
    }
}

/// Takes only the flock; none if another process has it.
fn try_flock(path: &Path) -> io::Result<Option<HeldLock>> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // A holder removes the file at its end. Whoever opened it before that holds a lock on a removed file.
        if is_at(&file, path)? {
            return Ok(Some(HeldLock { file, path: path.to_owned() }));
        }
    }
}

/// Whether the path still leads to the file that was opened.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl HeldLock {
    fn write(&mut self, info: &LockInfo) -> io::Result<()> {
        let mut text = serde_json::to_vec(info)?;
        text.push(b'\n');
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        self.file.sync_all()
    }

    /// Releases the flock, and leaves the file with its content.
    pub(super) fn keep(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // This process still has the flock, so it may remove the file. Whoever opened it before will notice.
        if !self.path.as_os_str().is_empty() {
            let _ = self.file.set_len(0);
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What a lock file says; none if it is unreadable, for example after a kill during the write.
fn read(file: &File) -> io::Result<Option<LockInfo>> {
    let mut text = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

/// The holder of the flock, as far as the file tells.
fn holder(path: &Path) -> LockInfo {
    File::open(path).and_then(|file| read(&file)).ok().flatten().unwrap_or_default()
}

pub(super) fn unavailable(path: &Path, error: &io::Error) -> LockError {
    LockError::Unavailable(format!("topo cannot lock the state with {}: {error}.", path.display()))
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
    let listed = || user_of(&text_of("/etc/passwd"), &own);
    named("USER").or_else(|| named("LOGNAME")).or_else(listed).unwrap_or_else(|| format!("uid-{own}"))
}

/// The name of the user with a number, in the lines of passwd(5): `root:x:0:0:…`.
fn user_of(users: &str, number: &str) -> Option<String> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let user = fields.next()?;
        (fields.nth(1)? == number).then(|| user.to_owned())
    };
    users.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_names_its_holder_or_nobody() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("lock");
        let info = LockInfo::of_this_process("apply", true).expect("info");
        let whole = serde_json::to_string(&info).expect("JSON");
        for (content, found) in [("", None), (&whole[..whole.len() - 1], None), (&whole, Some(info.clone()))] {
            std::fs::write(&path, content).expect("file");
            assert_eq!(read(&File::open(&path).expect("file")).expect("read"), found, "{content}");
            assert_eq!(holder(&path).is_known(), found.is_some());
        }
    }

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\n+\nalice:x:1000:0::/home/alice:/bin/sh\nbob:x:0:1000::/:\n";
        assert_eq!(user_of(users, "1000").as_deref(), Some("alice"));
        assert_eq!(user_of(users, "0").as_deref(), Some("root"), "the first one");
        assert_eq!(user_of(users, "1001"), None);
    }

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

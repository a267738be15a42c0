//! A state in a file, with its journal and its lock beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lock::{self, Attempt, HeldLock};
use super::store::BoxFuture;
use super::{
    Entry, LockError, LockInfo, LockRequest, Locked, Revision, RunId, Snapshot, State, Store, StoreError, from_lines,
    to_lines,
};
use crate::resource::Known;

/// The wait between two attempts to take a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A state in a file. Writes replace the file; they never change it in place.
#[derive(Clone, Debug)]
pub struct LocalStore(Arc<Files>);

#[derive(Debug)]
struct Files {
    /// The path as given, for people.
    given: PathBuf,
    /// The real file, with links followed: topo writes through a link, and all links to the file share one lock.
    state: PathBuf,
    known: &'static Known,
    held: Mutex<Option<HeldLock>>,
}

impl LocalStore {
    /// A state in a file that may not exist yet, for a binary that knows these kinds.
    pub fn new(path: &Path, known: &'static Known) -> Self {
        let held = Mutex::new(None);
        Self(Arc::new(Files { given: path.to_owned(), state: follow(path), known, held }))
    }

    /// The journal's file.
    pub fn journal_path(&self) -> PathBuf {
        self.0.beside(".journal")
    }

    /// The lock's file.
    pub fn lock_path(&self) -> PathBuf {
        self.0.beside(".lock")
    }

    /// Runs blocking work beside the other tasks of the runtime.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let files = Arc::clone(&self.0);
        Box::pin(async move {
            tokio::task::spawn_blocking(move || work(&files)).await.unwrap_or_else(|error| {
                Err(StoreError::unavailable(
                    format!("A task that works on the state ended early: {error}."),
                    "Run the command again.",
                ))
            })
        })
    }
}

impl Store for LocalStore {
    fn read(&self) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        // Only the disk access runs in another thread: decoding a large state there would use that thread's own memory.
        let contents = self.blocking(Files::contents);
        Box::pin(async move {
            let (journal, state) = contents.await?;
            self.0.snapshot(&journal, state.as_deref())
        })
    }

    fn swap<'a>(&'a self, expect: Revision, next: &'a State) -> BoxFuture<'a, Result<(), StoreError>> {
        let document = next.to_json();
        self.blocking(move |files| files.swap(expect, &document))
    }

    fn append<'a>(&'a self, bundle: &'a [Entry]) -> BoxFuture<'a, Result<(), StoreError>> {
        let lines = to_lines(bundle);
        self.blocking(move |files| files.append(&lines))
    }

    fn clear_journal(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.blocking(Files::clear_journal)
    }

    fn lock<'a>(&'a self, request: &'a LockRequest, wait: Duration) -> BoxFuture<'a, Result<Locked, LockError>> {
        Box::pin(async move {
            let path = self.lock_path();
            let info = LockInfo::of_this_process(&request.what, request.manual)
                .map_err(|error| LockError::Unavailable(error.to_string()))?;
            self.0.make_folder().map_err(|error| LockError::Unavailable(error.message))?;
            let start = Instant::now();
            loop {
                match lock::try_lock(&path, &info).map_err(|error| lock::unavailable(&path, &error))? {
                    Attempt::Taken(held, left) => {
                        if request.manual {
                            held.keep();
                        } else {
                            *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
                        }
                        let note = left.map(|left| {
                            format!("Took over the lock of {left}: that process has ended without removing it.")
                        });
                        return Ok(Locked { info, note });
                    }
                    // A new holder needs a moment to write who it is.
                    Attempt::Held(holder)
                        if start.elapsed() >= if holder.is_known() { wait } else { wait.max(LOCK_PAUSE * 3) } =>
                    {
                        return Err(LockError::Held(Box::new(holder)));
                    }
                    Attempt::Held(_) => tokio::time::sleep(LOCK_PAUSE).await,
                }
            }
        })
    }

    fn release(&self) -> BoxFuture<'_, Result<(), LockError>> {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(held);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unlock<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<LockInfo>, LockError>> {
        Box::pin(std::future::ready(lock::unlock(&self.lock_path(), id)))
    }

    fn location(&self) -> String {
        self.0.given.display().to_string()
    }
}

/// The real file behind a path. Follows links, even if the last one leads to a file that does not exist yet.
fn follow(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // The kernel follows at most this many links (path_resolution(7)).
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

impl Files {
    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.state.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn folder(&self) -> &Path {
        self.state.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn trouble(&self, doing: &str, error: &io::Error) -> StoreError {
        let message = format!("topo could not {doing} the state {}: {error}.", self.given.display());
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "Free some space on the disk. The previous state is complete."
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "Check the permissions of the folder, or give another path with --state."
            }
            _ => "Check the path, or give another one with --state.",
        };
        StoreError::unavailable(message, hint)
    }

    fn make_folder(&self) -> Result<(), StoreError> {
        let folder = self.folder();
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(|error| self.trouble("write", &error))?;
        // The folder's own entry must survive a power failure, like the file in it.
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above).and_then(|above| above.sync_all()).map_err(|error| self.trouble("write", &error))
    }

    /// The content of the file; none if it does not exist.
    fn content(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || {
            let there = fs::metadata(path)?;
            if there.is_dir() {
                return Err(io::Error::other("it is a folder and not a file"));
            }
            if !there.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            fs::read(path).map(Some)
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            content => content.map_err(|error| self.trouble("read", &error)),
        }
    }

    /// The journal, and the state if there is one. Reads the journal first: if a run ends in between, the journal has
    /// outcomes that the state has too. The state never lacks outcomes.
    fn contents(&self) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        let journal = self.content(&self.beside(".journal"))?.unwrap_or_default();
        Ok((journal, self.content(&self.state)?))
    }

    fn snapshot(&self, journal: &[u8], state: Option<&[u8]>) -> Result<Snapshot, StoreError> {
        let state = state.map(|document| self.decode(document)).transpose()?;
        let entries = from_lines(journal, self.known).map_err(|damage| StoreError {
            message: format!("The journal {} is damaged: {damage}.", self.beside(".journal").display()),
            hint:
                "topo changed nothing. You may move the journal away: this loses only the outcomes in it, and the next \
                   run looks at those nodes again."
                    .to_owned(),
        })?;
        Ok(Snapshot { state, entries })
    }

    fn state(&self) -> Result<Option<State>, StoreError> {
        self.content(&self.state)?.map(|document| self.decode(&document)).transpose()
    }

    fn decode(&self, document: &[u8]) -> Result<State, StoreError> {
        State::from_json(document, self.known)
            .map_err(|error| StoreError::document(&self.given.display().to_string(), &error))
    }

    fn swap(&self, expect: Revision, document: &[u8]) -> Result<(), StoreError> {
        let found = self.state()?.map_or(Revision::Absent, |state| state.revision());
        if found != expect {
            return Err(StoreError::moved(&self.given.display().to_string(), expect, found));
        }
        self.make_folder()?;
        self.clear_temporary();
        let name = RunId::random().map_err(|error| self.trouble("write", &error))?;
        let temporary = self.beside(&format!(".{name}.new"));
        self.replace(&temporary, document).map_err(|error| {
            let _ = fs::remove_file(&temporary);
            self.trouble("write", &error)
        })
    }

    /// Removes the files that a kill during a write left behind. Only the holder of the lock writes, so nobody needs
    /// them.
    fn clear_temporary(&self) {
        let Some(name) = self.state.file_name().and_then(|name| name.to_str()) else { return };
        for entry in fs::read_dir(self.folder()).into_iter().flatten().flatten() {
            let file_name = entry.file_name();
            let middle =
                file_name.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new"));
            if middle.is_some_and(|middle| middle.parse::<RunId>().is_ok()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn replace(&self, temporary: &Path, document: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
        file.write_all(document)?;
        file.sync_all()?;
        fs::rename(temporary, &self.state)?;
        File::open(self.folder())?.sync_all()
    }

    fn append(&self, lines: &[u8]) -> Result<(), StoreError> {
        let path = self.beside(".journal");
        let append = || {
            let is_new = !path.exists();
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
            let end = whole_lines(&mut file)?;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            file.write_all(lines).and_then(|()| file.sync_data()).inspect_err(|_| {
                let _ = file.set_len(end);
            })?;
            if is_new { File::open(self.folder())?.sync_all() } else { Ok(()) }
        };
        append().map_err(|error| self.trouble("write to the journal of", &error))
    }

    fn clear_journal(&self) -> Result<(), StoreError> {
        match fs::remove_file(self.beside(".journal")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.trouble("remove the journal of", &error)),
            _ => Ok(()),
        }
    }
}

/// The end of the last complete line of a journal. A line that a kill cut off must not become the start of the next
/// line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = vec![0; 4096];
    while end > 0 {
        let start = end.saturating_sub(4096);
        let length = usize::try_from(end - start).unwrap_or(4096);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block[..length])?;
        if let Some(at) = block[..length].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

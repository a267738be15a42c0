//! A state in a file, with the copy of its last write, its journal and its lock beside it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::files::Files;
use super::lock::{self, Attempt, HeldLock};
use super::store::BoxFuture;
use super::{
    Entry, LockError, LockInfo, LockRequest, Locked, Recovered, Revision, Snapshot, State, Store, StoreError, to_lines,
};
use crate::resource::Known;

/// The wait between two attempts to take a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A state in a file. Writes replace the file; they never change it in place.
#[derive(Clone, Debug)]
pub struct LocalStore {
    files: Arc<Files>,
    held: Arc<Mutex<Option<HeldLock>>>,
}

impl LocalStore {
    /// A state in a file that may not exist yet, for a binary that knows these kinds.
    pub fn new(path: &Path, known: &'static Known) -> Self {
        Self { files: Arc::new(Files::new(path, known)), held: Arc::default() }
    }

    /// The journal's file.
    pub fn journal_path(&self) -> PathBuf {
        self.files.journal()
    }

    /// The lock's file.
    pub fn lock_path(&self) -> PathBuf {
        self.files.beside(".lock")
    }

    /// Runs blocking work beside the other tasks of the runtime.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let files = Arc::clone(&self.files);
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
            self.files.snapshot(&journal, state.as_deref())
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

    fn recover(&self) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        self.blocking(Files::recover)
    }

    fn lock<'a>(&'a self, request: &'a LockRequest, wait: Duration) -> BoxFuture<'a, Result<Locked, LockError>> {
        Box::pin(async move {
            let path = self.lock_path();
            let info = LockInfo::of_this_process(&request.what, request.manual)
                .map_err(|error| LockError::Unavailable(error.to_string()))?;
            self.files.make_folder().map_err(|error| LockError::Unavailable(error.message))?;
            let start = Instant::now();
            loop {
                match lock::try_lock(&path, &info).map_err(|error| lock::unavailable(&path, &error))? {
                    Attempt::Taken(held, left) => {
                        if request.manual {
                            held.keep();
                        } else {
                            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
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
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(held);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unlock<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<LockInfo>, LockError>> {
        Box::pin(std::future::ready(lock::unlock(&self.lock_path(), id)))
    }

    fn location(&self) -> String {
        self.files.given.display().to_string()
    }
}

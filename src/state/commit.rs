//! Group commit: entries of many places reach the journal in bundles, each made durable at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{Entry, Store, StoreError};

/// How long an entry waits for others at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// A bundle of so many entries is written at once.
const BUNDLE: usize = 1024;

/// Writes the journal of one run from a task of its own. Once a write has failed nothing more is written, and every
/// call gives that error: the run must stop, for its outcomes can no longer be kept.
#[derive(Debug)]
pub struct JournalWriter {
    queue: mpsc::Sender<Request>,
    failure: watch::Receiver<Option<StoreError>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Request {
    Append(Box<Entry>),
    Flush(oneshot::Sender<()>),
}

impl JournalWriter {
    /// Starts the task, on the runtime that this is called in.
    pub fn start(store: Arc<dyn Store>) -> Self {
        let (queue, requests) = mpsc::channel(BUNDLE);
        let (failed, failure) = watch::channel(None);
        Self { queue, failure, task: tokio::spawn(write(store, requests, failed)) }
    }

    /// Queues an entry, and waits only where the queue is full. The writer numbers the entries.
    pub async fn append(&self, entry: Entry) -> Result<(), StoreError> {
        self.check()?;
        self.queue.send(Request::Append(Box::new(entry))).await.map_err(|_| self.ended())
    }

    /// Returns when all entries that were appended before are durable.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.queue.send(Request::Flush(done)).await.map_err(|_| self.ended())?;
        written.await.map_err(|_| self.ended())?;
        self.check()
    }

    /// Writes what is queued, and ends.
    pub async fn finish(self) -> Result<(), StoreError> {
        let written = self.flush().await;
        drop(self.queue);
        let _ = self.task.await;
        written
    }

    fn check(&self) -> Result<(), StoreError> {
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }

    fn ended(&self) -> StoreError {
        self.failure.borrow().clone().unwrap_or_else(|| {
            StoreError::unavailable("The task that writes the journal has ended.", "Run the command again.")
        })
    }
}

async fn write(
    store: Arc<dyn Store>,
    mut requests: mpsc::Receiver<Request>,
    failed: watch::Sender<Option<StoreError>>,
) {
    let mut bundle: Vec<Entry> = Vec::new();
    let mut number = 0;
    let mut due: Option<Instant> = None;
    loop {
        let request = tokio::select! {
            request = requests.recv() => request,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                commit(&*store, &mut bundle, &failed).await;
                due = None;
                continue;
            }
        };
        match request {
            Some(Request::Append(mut entry)) => {
                entry.seq = number;
                number += 1;
                bundle.push(*entry);
                due = due.or_else(|| Some(Instant::now() + PATIENCE));
                if bundle.len() >= BUNDLE {
                    commit(&*store, &mut bundle, &failed).await;
                    due = None;
                }
            }
            Some(Request::Flush(done)) => {
                commit(&*store, &mut bundle, &failed).await;
                due = None;
                let _ = done.send(());
            }
            None => {
                commit(&*store, &mut bundle, &failed).await;
                return;
            }
        }
    }
}

async fn commit(store: &dyn Store, bundle: &mut Vec<Entry>, failed: &watch::Sender<Option<StoreError>>) {
    let writable = !bundle.is_empty() && failed.borrow().is_none();
    if writable && let Err(error) = store.append(bundle).await {
        failed.send_replace(Some(error));
    }
    bundle.clear();
}

//! Group commit: writes entries of many places to the journal together, so that one sync makes them durable.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::{Entry, Store, StoreError};

/// How long an entry waits for others at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// Writes a group at once when it has this many entries.
const BUNDLE: usize = 1024;

/// Writes the journal of one run in a task of its own. After a failed write it writes nothing more, and every call
/// returns that error: the run must stop, because topo can no longer record its outcomes.
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
    /// Starts the task on the current runtime.
    pub fn start(store: Arc<dyn Store>) -> Self {
        let (queue, requests) = mpsc::channel(BUNDLE);
        let (failed, failure) = watch::channel(None);
        Self { queue, failure, task: tokio::spawn(write(store, requests, failed)) }
    }

    /// Queues an entry. Waits only if the queue is full. The writer numbers the entries.
    pub async fn append(&self, entry: Entry) -> Result<(), StoreError> {
        self.check()?;
        self.queue.send(Request::Append(Box::new(entry))).await.map_err(|_| self.ended())
    }

    /// Returns when all entries appended so far are durable.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.queue.send(Request::Flush(done)).await.map_err(|_| self.ended())?;
        written.await.map_err(|_| self.ended())?;
        self.check()
    }

    /// Writes the queued entries, and ends.
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
        let request = match due {
            Some(due) => timeout_at(due, requests.recv()).await,
            None => Ok(requests.recv().await),
        };
        let is_last = matches!(request, Ok(None));
        let mut flushed = None;
        match request {
            Ok(Some(Request::Append(mut entry))) => {
                entry.seq = number;
                number += 1;
                bundle.push(*entry);
                if bundle.len() < BUNDLE {
                    due = due.or_else(|| Some(Instant::now() + PATIENCE));
                    continue;
                }
            }
            Ok(Some(Request::Flush(done))) => flushed = Some(done),
            // The oldest entry has waited long enough, or no more will come.
            Err(_) | Ok(None) => {}
        }
        commit(&*store, &mut bundle, &failed).await;
        due = None;
        if let Some(done) = flushed {
            let _ = done.send(());
        }
        if is_last {
            return;
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

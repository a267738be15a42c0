//! Group commit: writes entries of many places to the journal together, so that one sync makes them durable.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
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
    failure: Arc<OnceLock<StoreError>>,
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
        let failure = Arc::default();
        Self { queue, failure: Arc::clone(&failure), task: tokio::spawn(write(store, requests, failure)) }
    }

    /// Queues an entry. Waits only if the queue is full. The writer numbers the entries.
    pub async fn append(&self, entry: Entry) -> Result<(), StoreError> {
        self.queue.send(Request::Append(Box::new(entry))).await.map_err(|_| self.ended())
    }

    /// Returns when all entries appended so far are durable.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.queue.send(Request::Flush(done)).await.map_err(|_| self.ended())?;
        written.await.map_err(|_| self.ended())
    }

    /// Writes the queued entries, and ends.
    pub async fn finish(self) -> Result<(), StoreError> {
        let written = self.flush().await;
        drop(self.queue);
        let _ = self.task.await;
        written
    }

    fn ended(&self) -> StoreError {
        self.failure.get().cloned().unwrap_or_else(|| {
            StoreError::unavailable("The task that writes the journal has ended.", "Run the command again.")
        })
    }
}

/// Ends after a failed write: who waits for the task then finds the failure.
async fn write(store: Arc<dyn Store>, mut requests: mpsc::Receiver<Request>, failure: Arc<OnceLock<StoreError>>) {
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
        if !bundle.is_empty()
            && let Err(error) = store.append(&bundle).await
        {
            let _ = failure.set(error);
            return;
        }
        bundle.clear();
        due = None;
        if let Some(done) = flushed {
            let _ = done.send(());
        }
        if is_last {
            return;
        }
    }
}

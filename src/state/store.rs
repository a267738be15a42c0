//! The interface of a store for the state: read, write (compare and swap), journal and lock.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{DocumentError, Entry, Lineage, LockError, LockInfo, LockRequest, State, fold};
use crate::resource::Name;

/// A future that can move between threads.
pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The result of a read: the state as written, and the journal beside it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state; none if nobody has written one yet.
    pub state: Option<State>,
    /// The journal's entries, including stale ones.
    pub entries: Vec<Entry>,
}

/// The write that a state comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// Nobody has written a state yet.
    Absent,
    /// A write.
    Written {
        /// Its lineage.
        lineage: Lineage,
        /// Its serial.
        serial: u64,
    },
}

/// Why a store failed: what happened and where, as a full sentence. Nothing was written, or the old state is complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What happened, and where.
    pub message: String,
    /// What to do next, a full sentence.
    pub hint: String,
}

/// Where a state is kept. Writers hold the lock; readers need none.
pub trait Store: Send + Sync {
    /// Reads the journal first and then the state, so that it sees the outcomes of a run that ends in between. Never
    /// writes.
    fn read(&self) -> BoxFuture<'_, Result<Snapshot, StoreError>>;

    /// Writes the next state if the present one is the expected one.
    fn swap<'a>(&'a self, expect: Revision, next: &'a State) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Appends entries to the journal. They are durable when it returns.
    fn append<'a>(&'a self, bundle: &'a [Entry]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes the journal.
    fn clear_journal(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Puts back what is damaged, from the copy of the last write and from the lines of the journal that are whole. The caller holds
    /// the lock. Damaged files are kept. Does nothing if document and journal are whole.
    fn recover(&self) -> BoxFuture<'_, Result<Recovered, StoreError>>;

    /// Takes the lock, and waits for it up to the given time. A note reports a dead holder whose lock it took over. No
    /// process holds a manual lock.
    fn lock<'a>(&'a self, request: &'a LockRequest, wait: Duration) -> BoxFuture<'a, Result<Locked, LockError>>;

    /// Releases the lock that [`Store::lock`] took; does nothing if there is none.
    fn release(&self) -> BoxFuture<'_, Result<(), LockError>>;

    /// Removes a lock that no living process holds; none if nothing is locked.
    fn unlock<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<LockInfo>, LockError>>;

    /// The location of the state, as shown to people.
    fn location(&self) -> String;
}

/// What [`Store::recover`] has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The serial of the document that is back; none if the document was whole.
    pub serial: Option<u64>,
    /// The serial that the damaged document seems to have. If it is higher, the copy is older than the document was.
    pub damaged_serial: Option<u64>,
    /// How many lines of the journal could not be read. They are no longer in the journal.
    pub lost_lines: usize,
    /// Where the damaged files are now, as shown to people.
    pub kept: Vec<String>,
}

/// A lock that was taken.
#[derive(Clone, Debug)]
pub struct Locked {
    /// What it tells others.
    pub info: LockInfo,
    /// What the user should know, a full sentence.
    pub note: Option<String>,
}

impl Snapshot {
    /// The state with the outcomes of an unfinished run.
    pub fn folded(self) -> Option<State> {
        self.state.map(|state| fold(state, &self.entries))
    }

    /// The write that the state comes from.
    pub fn revision(&self) -> Revision {
        self.state.as_ref().map_or(Revision::Absent, State::revision)
    }

    /// Refuses the state of another topology.
    pub fn expect_topology(self, asked: &Name, location: &str) -> Result<Self, StoreError> {
        match self.state.as_ref().map(|state| state.expect_topology(asked)) {
            Some(Err(error)) => Err(StoreError::document(location, &error)),
            _ => Ok(self),
        }
    }
}

impl State {
    /// The write that the state comes from.
    pub fn revision(&self) -> Revision {
        Revision::Written { lineage: self.lineage, serial: self.serial }
    }
}

impl StoreError {
    /// topo does not accept the document.
    pub fn document(location: &str, error: &DocumentError) -> Self {
        let message = match error {
            DocumentError::Damaged(_) | DocumentError::Digest => format!("The state {location} is damaged: {error}."),
            other => format!("topo does not accept the state {location}: {other}."),
        };
        Self { hint: error.hint().to_owned(), message }
    }

    /// A failure of the file system or the network.
    pub fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// The present state is not the expected one.
    pub fn moved(location: &str, expect: Revision, found: Revision) -> Self {
        let describe = |revision| match revision {
            Revision::Absent => "no state".to_owned(),
            Revision::Written { lineage, serial } => format!("serial {serial} of lineage {lineage}"),
        };
        Self {
            message: format!(
                "Somebody else has changed the state {location} since topo read it: expected {}, found {}.",
                describe(expect),
                describe(found)
            ),
            hint: "topo did not overwrite it. Run the command again.".to_owned(),
        }
    }
}

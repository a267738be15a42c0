//! What a place that keeps the state offers: reading, writing by comparing and swapping, a journal and a lock.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{DocumentError, Entry, Lineage, LockError, LockInfo, LockRequest, State, fold};
use crate::resource::Name;

/// A future that can move between threads.
pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What was read: the state as written, and the journal beside it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state; none where none was written yet.
    pub state: Option<State>,
    /// The journal's entries, stale ones among them.
    pub entries: Vec<Entry>,
}

/// Which write a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// None was written yet.
    Absent,
    /// One was.
    Written {
        /// Its lineage.
        lineage: Lineage,
        /// Its serial.
        serial: u64,
    },
}

/// Why a store did not do what was asked: what happened and where, as a full sentence. Nothing was written, or the old
/// state is whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What kind of trouble it is.
    pub kind: StoreErrorKind,
    /// What happened, and where.
    pub message: String,
    /// What to do next, a full sentence.
    pub hint: String,
}

/// What kind of trouble a store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The document is refused.
    Document(DocumentError),
    /// The journal has a bad line before its last one.
    Journal,
    /// Somebody else wrote a state since it was read.
    Moved,
    /// The file system, or the network, failed.
    Unavailable,
}

/// Where a state is kept. Writers hold the lock; readers need none.
pub trait Store: Send + Sync {
    /// Reads the journal first and then the state, so that a run that ends in between is seen whole. Never writes.
    fn read(&self) -> BoxFuture<'_, Result<Snapshot, StoreError>>;

    /// Writes the next state where the one that is there is still the expected one.
    fn swap<'a>(&'a self, expect: Revision, next: &'a State) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Appends entries to the journal; they are durable when it returns.
    fn append<'a>(&'a self, bundle: &'a [Entry]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes the journal.
    fn clear_journal(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Takes the lock, waiting for it so long. A note tells of a dead holder whose lock was taken over.
    fn lock<'a>(&'a self, request: &'a LockRequest, wait: Duration) -> BoxFuture<'a, Result<Locked, LockError>>;

    /// Gives back the lock that was taken with [`Store::lock`]; nothing where there is none.
    fn release(&self) -> BoxFuture<'_, Result<(), LockError>>;

    /// Leaves a lock behind that no process holds, until it is removed.
    fn lock_by_hand<'a>(&'a self, request: &'a LockRequest, wait: Duration)
    -> BoxFuture<'a, Result<Locked, LockError>>;

    /// Removes a lock that no living process holds; none where nothing is locked.
    fn unlock<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<LockInfo>, LockError>>;

    /// Where it is, for people.
    fn location(&self) -> String;
}

/// A lock that was taken.
#[derive(Clone, Debug)]
pub struct Locked {
    /// What it says to others.
    pub info: LockInfo,
    /// What the user should hear, a full sentence.
    pub note: Option<String>,
}

impl Snapshot {
    /// The state with the outcomes of an unfinished run.
    pub fn folded(self) -> Option<State> {
        self.state.map(|state| fold(state, &self.entries))
    }

    /// Which write it is of.
    pub fn revision(&self) -> Revision {
        self.state.as_ref().map_or(Revision::Absent, State::revision)
    }

    /// Refuses the state of another topology.
    pub fn expect_topology(self, asked: &Name, location: &str) -> Result<Self, StoreError> {
        match self.state.as_ref().map(|state| state.expect_topology(asked)) {
            Some(Err(error)) => Err(StoreError::document(location, error)),
            _ => Ok(self),
        }
    }
}

impl State {
    /// Which write it is.
    pub fn revision(&self) -> Revision {
        Revision::Written { lineage: self.lineage, serial: self.serial }
    }
}

impl StoreError {
    /// A document that is refused.
    pub fn document(location: &str, error: DocumentError) -> Self {
        let message = match &error {
            DocumentError::Damaged(reason) => format!("The state {location} is damaged: {reason}."),
            other => format!("The state {location} is refused: {other}."),
        };
        Self { hint: error.hint().to_owned(), kind: StoreErrorKind::Document(error), message }
    }

    /// Trouble of the file system or the network.
    pub fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: StoreErrorKind::Unavailable, message: message.into(), hint: hint.into() }
    }

    /// Another state than the expected one is there.
    pub fn moved(location: &str, expect: Revision, found: Revision) -> Self {
        let describe = |revision| match revision {
            Revision::Absent => "no state".to_owned(),
            Revision::Written { lineage, serial } => format!("serial {serial} of lineage {lineage}"),
        };
        Self {
            kind: StoreErrorKind::Moved,
            message: format!(
                "The state {location} was written by somebody else meanwhile: expected {}, found {}.",
                describe(expect),
                describe(found)
            ),
            hint: "Nothing was written over it. Run the command again.".to_owned(),
        }
    }
}

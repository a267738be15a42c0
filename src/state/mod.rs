//! The state: the document, the journal of a run, the lock, and their store.
//!
//! A run that writes does this: lock; read and fold; swap in a state that marks everything that it will touch as in
//! doubt; clear the journal; append outcomes; swap in the folded state; clear the journal; release the lock.

mod commit;
mod document;
mod encode;
mod error;
mod identifier;
mod journal;
mod local;
mod lock;
mod read;
mod reader;
mod store;
mod wire;

pub use commit::JournalWriter;
pub use document::{Kept, PlaceRecord, State};
pub use error::{DocumentError, JournalError, LineError};
pub use identifier::{Identifier, IdentifierError, Lineage, RunId};
pub use journal::{Entry, Outcome, fold, from_lines, to_lines};
pub use local::LocalStore;
pub use lock::{LockError, LockInfo, LockRequest};
pub use store::{Locked, Revision, Snapshot, Store, StoreError};

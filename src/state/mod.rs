//! The recorded state: the document, the journal of a run, the lock, and where they are kept.
//!
//! A run that writes goes: lock, read and fold, swap a state in which all that it will touch is in doubt, clear the
//! journal, append outcomes, swap the folded state, clear the journal, release.

mod commit;
mod decode;
mod document;
mod encode;
mod identifier;
mod journal;
mod local;
mod lock;
mod store;
mod wire;

pub use commit::JournalWriter;
pub use decode::DocumentError;
pub use document::{Kept, PlaceRecord, State};
pub use identifier::{Identifier, IdentifierError, Lineage, RunId};
pub use journal::{Entry, JournalDamage, Outcome, fold, from_lines, to_lines};
pub use local::LocalStore;
pub use lock::{LockError, LockInfo, LockRequest};
pub use store::{Locked, Revision, Snapshot, Store, StoreError, StoreErrorKind};

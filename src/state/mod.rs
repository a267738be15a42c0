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

/// The kinds of resources that this binary can read; records of others are kept as they are.
#[cfg(feature = "azure")]
pub const KNOWN_KINDS: &[&str] = &[
    "kernel_route",
    "netplan_file",
    "azure_route_table",
    "azure_route",
    "azure_subnet_association",
    "azure_nic_forwarding",
];
/// The same, without what a build without the feature `azure` leaves alone.
#[cfg(not(feature = "azure"))]
pub const KNOWN_KINDS: &[&str] = &["kernel_route", "netplan_file"];

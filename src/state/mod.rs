//! The recorded state: the document, the journal of a run, the lock, and where they are kept.

mod document;
mod identifier;

pub use document::{Kept, PlaceRecord, Record, Shape, State};
pub use identifier::{Identifier, IdentifierError, Lineage, RunId};

/// The kinds of resources that this binary can read; records of others are kept as they are.
pub const KNOWN_KINDS: &[&str] = &["kernel_route"];

//! The kinds of resources.

use std::fmt;

use super::words::Words;

/// A kind of resource. Its backend describes it once, as a static.
pub struct Kind {
    /// Its name in addresses and in the state: `kernel_route`.
    pub id: &'static str,
    /// The name of one resource in a sentence.
    pub noun: &'static str,
    /// Its rank among all kinds, which sorts changes. No two kinds have the same rank.
    pub order: u8,
    /// Its turn in [`super::Phase::Retire`]: topo first removes what has a lower turn.
    pub retires: u8,
    /// Whether only a look finds its resources: the topology does not name them.
    pub only_seen: bool,
    /// The words for its changes.
    pub words: &'static dyn Words,
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Kind {}

/// Whether a text from a state is the id of a kind.
impl PartialEq<Kind> for str {
    fn eq(&self, kind: &Kind) -> bool {
        self == kind.id
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// The id.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}

//! Why topo refuses a document or a journal.

use std::net::IpAddr;
use std::str::Utf8Error;

use super::Lineage;
use super::wire::VERSION;
use crate::network::Prefix;
use crate::resource::Name;

/// Why topo does not accept a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// A newer topo wrote it.
    #[error("it has version {0}, but this topo reads only version {VERSION}")]
    Newer(u64),
    /// It has a part that this topo does not know, and would lose when it writes.
    #[error("it has a part that this topo does not know: {0}")]
    Unknown(String),
    /// topo did not write it in this form.
    #[error("{0}")]
    Damaged(String),
    /// It belongs to another topology.
    #[error("it belongs to the topology `{found}`, not to `{asked}`")]
    OtherTopology {
        /// The topology that it belongs to.
        found: Name,
        /// The topology that it should belong to.
        asked: Name,
    },
    /// It has another lineage.
    #[error("its lineage is {found}, not {expected}")]
    OtherLineage {
        /// Its lineage.
        found: Lineage,
        /// What the lineage should be.
        expected: Lineage,
    },
}

impl DocumentError {
    /// What to do next, a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Newer(_) | Self::Unknown(_) => "The file was not changed. Upgrade topo.",
            Self::Damaged(_) => {
                "The file was not changed. Restore it from a backup or from version control. If you have none, move it \
                 away: `topo plan --new-lineage` then shows what topo finds on the nodes."
            }
            Self::OtherTopology { .. } => {
                "The file was not changed. Give the topology's own state with --state, or correct `name` in the \
                 topology."
            }
            Self::OtherLineage { .. } => {
                "The file was not changed. It was started separately from the expected state: check that it is the \
                 right one."
            }
        }
    }
}

/// Damage, with the reason as the second half of a sentence.
pub(super) fn damaged(reason: impl Into<String>) -> DocumentError {
    DocumentError::Damaged(reason.into())
}

/// What is wrong with a list of rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListError {
    #[error("{0} and its owner {1} are of different families")]
    Families(Prefix, IpAddr),
    #[error("it removes rows, but does not build on a list")]
    RemovesFromNothing,
    #[error("it builds on the list {0}, which does not come before it")]
    MissingBase(u32),
    #[error("it removes {0}, which is not in the list")]
    NotThere(Prefix),
    #[error("the destination {0} occurs twice")]
    Twice(Prefix),
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("a record in doubt has a token")]
    TokenInDoubt,
    #[error("a settled record has parts in doubt")]
    SettledAndInDoubt,
    #[error("a settled record is null")]
    SettledNull,
    #[error("the record has no content")]
    Empty,
    #[error("a route set is incomplete: it needs both rows and view")]
    HalfRouteSet,
    #[error("the list of rows {0} does not exist")]
    MissingList(u32),
    #[error("the view {0} does not exist")]
    MissingView(u32),
    /// Attributes that are not JSON, with the parser's message.
    #[error("{0}")]
    Attributes(Box<str>),
}

/// A journal is damaged: a line before the last one is not as topo wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is damaged: {reason}")]
pub struct JournalError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: LineError,
}

/// What is wrong with a line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not UTF-8 text.
    #[error("{0}")]
    Text(#[from] Utf8Error),
    /// It is not the JSON of an entry. Has the parser's message.
    #[error("{0}")]
    Json(Box<str>),
    /// Its checksum is not that of its entry.
    #[error("its checksum does not match")]
    Checksum,
    /// Its place is not of a known kind. Has the reason.
    #[error("{0}")]
    Place(Box<str>),
}

impl From<serde_json::Error> for LineError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string().into())
    }
}

//! Reading a state document.

use super::read::read;
use super::wire::{VERSION, VersionOnly};
use super::{Lineage, State};
use crate::resource::{Known, Name};

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

pub(super) fn damaged(reason: impl Into<String>) -> DocumentError {
    DocumentError::Damaged(reason.into())
}

impl State {
    /// Reads a document. Places and records of kinds that are not in `known` stay unchanged.
    pub fn from_json(document: &[u8], known: &Known) -> Result<Self, DocumentError> {
        if document.is_empty() {
            return Err(damaged("it is empty (0 bytes)"));
        }
        let text = std::str::from_utf8(document).map_err(|error| damaged(format!("it is not UTF-8 text ({error})")))?;
        read(text, known).map_err(|refusal| match serde_json::from_str(text) {
            // A newer topo may have written any form, so the version decides before anything else.
            Ok(VersionOnly { version }) if version > VERSION => DocumentError::Newer(version),
            Ok(VersionOnly { version: 0 }) => damaged("it has version 0, which does not exist"),
            _ => refusal,
        })
    }

    /// Whether it is the state of this topology.
    pub fn expect_topology(&self, asked: &Name) -> Result<(), DocumentError> {
        if self.topology == *asked {
            return Ok(());
        }
        Err(DocumentError::OtherTopology { found: self.topology.clone(), asked: asked.clone() })
    }

    /// Whether it has this lineage.
    pub fn expect_lineage(&self, expected: Lineage) -> Result<(), DocumentError> {
        if self.lineage == expected {
            return Ok(());
        }
        Err(DocumentError::OtherLineage { found: self.lineage, expected })
    }
}

//! The results of commands.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Confirmation;
use crate::exchange::Requests;
use crate::state::LockInfo;

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command")]
pub enum CommandResult {
    /// `topo plan`.
    #[serde(rename = "plan")]
    Plan {
        /// Whether there is anything to do.
        changes: bool,
        /// How many requests topo has sent, by service.
        requests: Vec<Requests>,
    },
    /// `topo apply`.
    #[serde(rename = "apply")]
    Apply(RunResult),
    /// `topo destroy`.
    #[serde(rename = "destroy")]
    Destroy(RunResult),
    /// `topo validate`.
    #[serde(rename = "validate")]
    Validate {
        /// The file as the user gave it.
        file: String,
        /// Whether the topology is valid.
        valid: bool,
        /// Number of errors.
        errors: usize,
        /// Number of warnings.
        warnings: usize,
        /// The topology's name, and what is in it, if it is valid.
        topology: Option<String>,
        /// Number of nodes.
        nodes: Option<usize>,
        /// Number of pod subnets.
        pod_subnets: Option<usize>,
        /// The names of the backends' tables.
        backends: Vec<String>,
    },
    /// `topo init`.
    #[serde(rename = "init")]
    Init {
        /// The file.
        file: String,
        /// Whether topo has written it.
        written: bool,
        /// Number of nodes that topo read.
        nodes: usize,
        /// The names of nodes that are new in the file.
        nodes_added: Vec<String>,
        /// The names of nodes that have changed in the file.
        nodes_changed: Vec<String>,
        /// The names of nodes that are no longer in the file.
        nodes_removed: Vec<String>,
    },
    /// `topo state list`: one address.
    #[serde(rename = "state list")]
    StateList {
        /// The address.
        address: String,
        /// Whether an earlier run did not finish there.
        in_doubt: bool,
    },
    /// `topo state show`: the records of one address.
    #[serde(rename = "state show")]
    StateShow {
        /// The address.
        address: String,
        /// The fields of the records, by name.
        fields: BTreeMap<String, String>,
    },
    /// `topo state rm`: one address whose records topo dropped.
    #[serde(rename = "state rm")]
    StateRm {
        /// The address.
        address: String,
        /// Number of routes.
        routes: usize,
    },
    /// `topo state push`.
    #[serde(rename = "state push")]
    StatePush {
        /// The serial of the state.
        serial: u64,
    },
    /// `topo state recover`.
    #[serde(rename = "state recover")]
    StateRecover {
        /// The serial of the document that topo put back; none if the document was whole.
        serial: Option<u64>,
        /// The serial that the damaged document seems to have.
        damaged_serial: Option<u64>,
        /// Number of lines of the journal that could not be read.
        lost_lines: usize,
        /// Where topo keeps the damaged files.
        kept: Vec<String>,
    },
    /// `topo state lock`.
    #[serde(rename = "state lock")]
    StateLock {
        /// The id of the lock.
        id: String,
    },
    /// `topo state unlock`.
    #[serde(rename = "state unlock")]
    StateUnlock {
        /// The lock that topo removed; none if the state was not locked.
        removed: Option<Box<LockInfo>>,
    },
}

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// Whether everything is done, and all routes are in force as far as the network says it.
    pub complete: bool,
    /// Number of things that topo recorded as they were.
    pub imported: usize,
    /// Number of things that topo added.
    pub added: usize,
    /// Number of things that topo changed.
    pub changed: usize,
    /// Number of things that topo removed.
    pub destroyed: usize,
    /// The names of places with live routes that a file should keep, but does not keep yet.
    pub not_persistent: Vec<Arc<str>>,
    /// What is left to do.
    pub left: Vec<Left>,
    /// Whether the new routes are in force, where the network says it.
    pub confirmations: Vec<Confirmation>,
    /// How many requests topo has sent, including those for the plan, by service.
    pub requests: Vec<Requests>,
}

/// The work that is left in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The name of the place.
    pub place: Arc<str>,
    /// Number of routes; 0 if it is not known.
    pub routes: usize,
    /// Why, in a full sentence.
    pub text: String,
}

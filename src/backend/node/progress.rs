//! What a run knows about a node, and what one of its steps does there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ways::Ways;
use crate::exchange::node::Activation;
use crate::network::{Prefix, RouteSet, View};
use crate::plan::Operation;
use crate::resource::{Action, Name, Place, ResourceId, Token};

/// What the run knows about one node so far.
#[derive(Default)]
pub(super) struct Progress {
    /// The last token of each routing table.
    pub(super) tokens: BTreeMap<u32, Token>,
    /// Files that are as wanted now, with the answer of the place for each.
    pub(super) file_tokens: BTreeMap<ResourceId, Token>,
    /// Resources without routes that are as wanted now.
    pub(super) set: BTreeSet<ResourceId>,
    /// Files and resources without routes that may have been written.
    pub(super) touched_files: BTreeSet<ResourceId>,
    /// Whether something may have been written.
    pub(super) wrote: bool,
    /// Destinations that were skipped because their node failed.
    pub(super) excluded: BTreeMap<ResourceId, Vec<Prefix>>,
    /// Changes that were left out.
    pub(super) deferred: bool,
}

/// One step in progress.
pub(super) struct PendingStep {
    pub(super) place: Place,
    pub(super) topology: Name,
    /// The operations that the requests carry out.
    pub(super) batches: Vec<Batch>,
    /// The files that the requests write or check, in the same order.
    pub(super) files: Vec<File>,
    /// Resources without routes, each with its action, in the order of their requests.
    pub(super) others: Vec<(ResourceId, Action)>,
    /// Position of the first of their requests.
    pub(super) first_other: usize,
    pub(super) skipped: BTreeMap<Name, usize>,
    /// What is wanted in each routing table that the step may write.
    pub(super) kept: Vec<RouteSet>,
    /// The question behind all writes which way packets take now, with its position.
    pub(super) ways: Option<(usize, Ways)>,
}

/// A file that a step writes or checks.
pub(super) struct File {
    pub(super) id: ResourceId,
    pub(super) activation: Activation,
    pub(super) action: Option<Action>,
    /// The routing table of its routes.
    pub(super) table: Option<u32>,
}

/// The operations of one step on the routes of one metric in one table.
pub(super) struct Batch {
    pub(super) id: ResourceId,
    pub(super) view: Arc<View>,
    /// Whether the routes stand in a file, too, and count with it.
    pub(super) in_file: bool,
    pub(super) operations: Vec<Operation>,
    /// The write of the exchange that contains them; none if the rows are right already.
    pub(super) write: Option<usize>,
}

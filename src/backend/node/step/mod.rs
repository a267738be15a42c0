//! A step on a node: one exchange.

mod settle;
mod works;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::settle::{describe, settle_batch};
use super::look::lacking;
use super::site::NodeSite;
use crate::backend::{Begun, Moment, StepEnd};
use crate::exchange::node::{Activation, Filed, Reply, Written};
use crate::network::{Memo, Prefix, View};
use crate::plan::Operation;
use crate::resource::{Action, Name, Place, ResourceId, Token};
use crate::transport::{Target, TransportError};

/// What the run knows about one node so far.
#[derive(Default)]
pub(super) struct Progress {
    /// The last token of each routing table.
    tokens: BTreeMap<u32, Token>,
    /// Files that are as wanted now, with the answer of the place for each.
    pub(super) filed: BTreeMap<ResourceId, Token>,
    /// Files that may have been written.
    pub(super) touched_files: BTreeSet<ResourceId>,
    /// Whether something may have been written.
    pub(super) wrote: bool,
    /// Destinations that were skipped because their node failed.
    lacks: BTreeMap<ResourceId, Vec<Prefix>>,
    /// Changes that were left out.
    held: bool,
}

/// One step in progress.
struct Prepared {
    place: Place,
    topology: Name,
    /// The operations that the works carry out.
    batches: Vec<Batch>,
    /// The files that the works write or check, in the same order.
    files: Vec<File>,
    skipped: BTreeMap<Name, usize>,
}

/// A file that a step writes or checks.
struct File {
    id: ResourceId,
    activation: Activation,
    action: Option<Action>,
    /// The routing table of its routes.
    table: Option<u32>,
}

/// The operations of one step on the routes of one metric in one table.
struct Batch {
    id: ResourceId,
    view: Arc<View>,
    /// Whether the routes stand in a file, too, and count with it.
    in_file: bool,
    operations: Vec<Operation>,
    /// The write of the exchange that contains them; none if the rows are right already.
    write: Option<usize>,
}

impl NodeSite {
    /// Sends the requests of a step, if there are any.
    pub(super) fn begin(self: Arc<Self>, moment: &Moment<'_>, memo: &mut Memo) -> Begun {
        let target = || {
            let endpoint = moment.planned()?.endpoint.clone()?;
            Some(Target { name: moment.place.node_name()?, endpoint })
        };
        let (Some(target), Some(transport)) = (target(), self.transport.clone()) else {
            return Begun::Ended(StepEnd::failed("The state does not say how to reach this place."));
        };
        let (works, prepared) = self.works(moment, memo);
        if works.is_empty() {
            return Begun::Ended(StepEnd { skipped: prepared.skipped, ..StepEnd::default() });
        }
        Begun::Sent(Box::pin(async move {
            let replies = transport.exchange(&target, &works).await;
            self.heard(prepared, replies)
        }))
    }

    /// Reads the replies of a step.
    fn heard(&self, prepared: Prepared, replies: Result<Vec<Reply>, TransportError>) -> StepEnd {
        let Prepared { place, topology, batches, files, skipped } = prepared;
        let mut end = StepEnd { skipped, ..StepEnd::default() };
        let mut all = self.progress();
        let progress = all.entry(place.clone()).or_default();
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => {
                if matches!(error, TransportError::Interrupted(_)) {
                    end.touched = true;
                    progress.touch_files(&files);
                }
                progress.wrote |= end.touched;
                end.failure = Some(error.to_string());
                return end;
            }
        };
        if let [Reply::Lacking(what)] = replies.as_slice() {
            end.failure = Some(lacking(place.name(), what));
            return end;
        }
        let mut written: Vec<Written> = Vec::new();
        let mut of_files: Vec<Filed> = Vec::new();
        for reply in replies {
            match reply {
                Reply::Written(one) => written.push(one),
                Reply::Filed(one) => of_files.push(one),
                Reply::Marker(Some(said)) => {
                    let message = format!(
                        "topo could not write or remove the marker /etc/topo/{topology} ({said}). Without it, topo \
                         recognizes this machine only by its id and its routes."
                    );
                    end.warnings.push(message);
                }
                _ => {}
            }
        }
        // Read the outcome of routes even if a file failed: routes of other tables were written all the same.
        progress.settle_files(&files, of_files, &mut end);
        let mut failed: Vec<(Operation, String)> = Vec::new();
        for batch in batches {
            let settled = settle_batch(&batch, &written);
            let Batch { view, in_file, operations, .. } = batch;
            end.operations += settled.done;
            for (at, operation) in operations.iter().enumerate() {
                match settled.failed.iter().find(|(index, _)| *index == at) {
                    Some((_, said)) => failed.push((operation.clone(), said.clone())),
                    None if !in_file => *end.done.entry(operation.action).or_default() += 1,
                    None => {}
                }
            }
            end.touched |= settled.touched;
            progress.tokens.extend(settled.token.map(|token| (view.table, token)));
            end.warnings.extend(settled.warnings);
        }
        progress.wrote |= end.touched;
        if end.failure.is_none() && !failed.is_empty() {
            end.failure = Some(describe(&failed));
        }
        end
    }
}

//! A step on a node: one exchange.

mod requests;
mod settle;
mod taken_along;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::settle::{describe, settle_batch};
use self::taken_along::{disappeared, taken_along};
use super::look::lacking;
use super::nodes::NodeSite;
use super::progress::{Batch, PendingStep};
use super::ways::{LedAway, Traffic, Ways};
use crate::backend::{Begun, Moment, StepEnd};
use crate::exchange::node::{FileOutcome, Reply, RouteOutcome};
use crate::network::{Memo, Prefix};
use crate::plan::Operation;
use crate::resource::Action;
use crate::transport::{Target, TransportError};

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
        let (requests, prepared) = self.requests(moment, memo);
        if requests.is_empty() {
            return Begun::Ended(StepEnd { skipped: prepared.skipped, ..StepEnd::default() });
        }
        Begun::Sent(Box::pin(async move {
            let replies = transport.exchange(&target, &requests).await;
            self.heard(prepared, replies)
        }))
    }

    /// Reads the replies of a step.
    fn heard(&self, prepared: PendingStep, replies: Result<Vec<Reply>, TransportError>) -> StepEnd {
        let PendingStep { place, topology, batches, files, others, first_other, skipped, kept, ways } = prepared;
        let mut end = StepEnd { skipped, ..StepEnd::default() };
        let mut all = self.progress();
        let progress = all.entry(place.clone()).or_default();
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => {
                if matches!(error, TransportError::Interrupted(_)) {
                    end.touched = true;
                    progress.touch_files(&files);
                    progress.touched_files.extend(others.into_iter().map(|(id, _)| id));
                }
                progress.wrote |= end.touched;
                end.failure = Some(error.to_string());
                return end;
            }
        };
        if let [Reply::Lacking(what)] = replies.as_slice() {
            end.failure = Some(lacking(what));
            return end;
        }
        let of_ways = ways.as_ref().map(|(at, _)| *at);
        let unknown = replies.iter().enumerate().find_map(|(at, reply)| match reply {
            // All is written by then.
            Reply::Unknown(why) if Some(at) != of_ways => Some(why.clone()),
            _ => None,
        });
        end.failure = unknown;
        progress.settle_others(self.backends, &others, replies.get(first_other..).unwrap_or_default(), &mut end);
        // Each answer by its place: one that is not known must not stand for another one.
        let of_files = replies.iter().skip(first_other + others.len());
        let of_writes = of_files.clone().skip(files.len());
        let outcomes = of_files.take(files.len()).map(|reply| match reply {
            Reply::FileOutcome(filed) => Some(filed.clone()),
            _ => None,
        });
        let outcomes: Vec<Option<FileOutcome>> = outcomes.collect();
        let written = of_writes.map(|reply| match reply {
            Reply::RouteOutcome(written) => Some(written.clone()),
            _ => None,
        });
        let written: Vec<Option<RouteOutcome>> = written.collect();
        for reply in &replies {
            if let Reply::Marker(Some(said)) = reply {
                let message = format!(
                    "topo could not write or remove the marker /etc/topo/{topology} ({said}). Without it, topo \
                     recognizes this machine only by its id and its routes."
                );
                end.warnings.push(message);
            }
        }
        // Read the outcome of routes even if a file failed: routes of other tables were written all the same.
        progress.settle_files(&files, outcomes, &mut end);
        let mut failed: Vec<(Operation, String)> = Vec::new();
        let mut written_now: BTreeSet<Prefix> = BTreeSet::new();
        let gone = taken_along(&kept, &batches, &written);
        for batch in batches {
            let settled = settle_batch(self.backends, &batch, &written);
            let Batch { view, in_file, operations, .. } = batch;
            end.operations += settled.done;
            for (at, operation) in operations.iter().enumerate() {
                match settled.failed.iter().find(|(index, _)| *index == at) {
                    Some((_, said)) => failed.push((operation.clone(), said.clone())),
                    None if operation.action != Action::Remove => {
                        written_now.insert(operation.route.destination);
                        if !in_file {
                            *end.done.entry(operation.action).or_default() += 1;
                        }
                    }
                    None if !in_file => *end.done.entry(operation.action).or_default() += 1,
                    None => {}
                }
            }
            end.touched |= settled.touched;
            progress.tokens.extend(settled.token.map(|token| (view.table, token)));
            end.warnings.extend(settled.warnings);
        }
        if let Some((at, ways)) = ways {
            end.warnings.extend(led_away(&ways, replies.get(at), &written_now));
            if let Some(Reply::Ways(found)) = replies.get(at) {
                let lost = ways.not_in_force(found);
                let told = |(key, said): &(Prefix, String)| format!("The route to {key} is not in force: {said}.");
                let told: Vec<String> = lost.iter().take(5).map(told).collect();
                let more = lost.len() - told.len();
                let more = if more > 0 { format!(" {more} more routes are not in force.") } else { String::new() };
                if end.failure.is_none() && !lost.is_empty() {
                    end.failure = Some(format!(
                        "{}{more} Somebody else's configuration has brought another route back.",
                        told.join(" ")
                    ));
                }
            }
        }
        progress.wrote |= end.touched;
        if end.failure.is_none() && !failed.is_empty() {
            end.failure = Some(describe(&failed));
        }
        // The token of the table would stand for routes that are not there. The step has failed, so the next look asks for all.
        end.failure = end.failure.take().or_else(|| disappeared(&gone));
        end
    }
}

/// Packets that do not take the routes which were written now. The write itself told of those that the node sends.
fn led_away(ways: &Ways, reply: Option<&Reply>, written: &BTreeSet<Prefix>) -> Vec<String> {
    let found = match reply {
        Some(Reply::Ways(found)) => found,
        Some(Reply::Unknown(why)) => {
            return vec![format!("topo could not ask which way packets of pods take now: {why}")];
        }
        _ => return vec!["topo could not ask which way packets of pods take now: the answer is missing.".to_owned()],
    };
    let mut all = ways.led_away(found, |destination| written.contains(destination));
    all.retain(|cause| cause.traffic != Traffic::OfNode);
    let told = |cause: &LedAway| match cause.table {
        Some(table) => format!(
            "{} take table {table} ({}), not the routes of topo; look at `ip rule`",
            cause.packets(),
            cause.said
        ),
        None => format!("the kernel drops {} ({}); look at `ip rule`", cause.packets(), cause.said),
    };
    all.iter().map(told).collect()
}

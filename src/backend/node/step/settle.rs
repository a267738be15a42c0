//! The outcomes of files and nodes.

use std::collections::BTreeMap;

use crate::backend::node::nodes::NodeSite;
use crate::backend::node::progress::{Batch, File, Progress};
use crate::backend::{Backend, Moment, OnNodes, ResourceEnd, Settled, StepEnd, of_kind};
use crate::exchange::node::{Activation, FileOutcome, Reply, RouteOutcome};
use crate::network::Prefix;
use crate::plan::{Operation, PlacePlan, TablePlan};
use crate::resource::{Action, Record, ResourceId, SharedJson};
use crate::state::Outcome;

impl Progress {
    /// Notes that files may have been written.
    pub(super) fn touch_files(&mut self, files: &[File]) {
        let written = files.iter().filter(|file| file.activation != Activation::Check);
        self.touched_files.extend(written.map(|file| file.id.clone()));
    }

    /// Reads the outcomes of resources without routes.
    pub(super) fn settle_others(
        &mut self,
        backends: OnNodes,
        others: &[(ResourceId, Action)],
        replies: &[Reply],
        end: &mut StepEnd,
    ) {
        for (at, (id, action)) in others.iter().enumerate() {
            let read = |(backend, reply): (&dyn Backend, &Reply)| backend.resource_end(reply);
            let missing = || ResourceEnd {
                failure: Some(format!("The node did not report the outcome of {}.", id.name)),
                touched: true,
            };
            let answer = of_kind(backends, &id.kind).zip(replies.get(at));
            let ResourceEnd { failure, touched } = answer.map_or_else(missing, read);
            end.operations += 1;
            if touched {
                end.touched = true;
                self.touched_files.insert(id.clone());
            }
            if failure.is_none() {
                self.set.insert(id.clone());
                *end.done.entry(*action).or_default() += 1;
            }
            end.failure = end.failure.take().or(failure);
        }
    }

    /// Reads the outcomes of files.
    pub(super) fn settle_files(&mut self, files: &[File], replies: Vec<Option<FileOutcome>>, end: &mut StepEnd) {
        let mut failed = end.failure.take();
        let mut replies = replies.into_iter();
        for file in files {
            let (name, checks) = (&file.id.name, file.activation == Activation::Check);
            end.operations += usize::from(!checks);
            let reply = replies.next().flatten();
            let is_touched = match &reply {
                None | Some(FileOutcome::Done { .. }) => !checks,
                Some(FileOutcome::PutBack(_)) => true,
                Some(FileOutcome::Moved | FileOutcome::Refused(_)) => false,
            };
            if is_touched {
                end.touched = true;
                self.touch_files(std::slice::from_ref(file));
            }
            match reply {
                Some(FileOutcome::Done { .. }) if checks => {}
                Some(FileOutcome::Done { token, table: rows, restored }) => {
                    self.file_tokens.insert(file.id.clone(), token);
                    self.tokens.extend(file.table.map(|table| (table, rows)));
                    if let Some(action) = file.action {
                        *end.done.entry(action).or_default() += 1;
                    }
                    if !restored.is_empty() {
                        end.warnings.push(format!(
                            "Loading {name} removed {} of others. topo put them back at once: {}.",
                            if restored.len() == 1 {
                                "a route".to_owned()
                            } else {
                                format!("{} routes", restored.len())
                            },
                            restored.join("; ")
                        ));
                    }
                }
                Some(FileOutcome::Moved) => {
                    failed.get_or_insert(format!(
                        "{name} or the network configuration around it has changed since the plan. topo did not change it."
                    ));
                }
                Some(FileOutcome::Refused(said) | FileOutcome::PutBack(said)) => _ = failed.get_or_insert(said),
                None => _ = failed.get_or_insert(format!("The node did not report the outcome of {name}.")),
            }
        }
        end.failure = failed;
    }
}

/// Adds destinations that a resource lacks, as found after the state of this run was written.
fn lacks_since(moment: &Moment<'_>, id: &ResourceId, table: &TablePlan) -> Vec<Prefix> {
    let written = match moment.state.record(moment.place, id) {
        Some(Record::InDoubt { to: Some(to), .. }) => to.routes.as_ref(),
        _ => None,
    };
    let excluded = table.to.iter().flat_map(|to| to.excluded.iter());
    excluded.filter(|key| written.is_some_and(|set| !set.excluded.contains(*key))).copied().collect()
}

/// The attributes of a resource, if they differ from those that the state of this run has.
fn attributes_since(moment: &Moment<'_>, id: &ResourceId, attributes: &SharedJson) -> Option<serde_json::Value> {
    match moment.state.record(moment.place, id) {
        Some(Record::InDoubt { to: Some(to), .. }) if to.attributes == *attributes => None,
        _ => Some((**attributes).clone()),
    }
}

impl NodeSite {
    /// Adds the outcomes of a node when its last step has ended, or when no step will follow.
    pub(in crate::backend::node) fn settle_place(&self, moment: &Moment<'_>, end: &mut StepEnd) {
        let failed = end.failure.is_some();
        if failed {
            end.lost.extend(moment.place.node_name().map(|name| (name.clone(), format!("{name} failed"))));
        } else if !moment.is_last {
            return;
        }
        let Some(planned) = moment.planned() else { return };
        let tables = moment.planned().into_iter().flat_map(PlacePlan::tables);
        let mut since: BTreeMap<&ResourceId, Vec<Prefix>> =
            tables.map(|(id, table)| (id, lacks_since(moment, id, table))).collect();
        let mut all = self.progress();
        let progress = all.entry(moment.place.clone()).or_default();
        let in_doubt = moment.was_in_doubt();
        for (id, resource) in &planned.resources {
            let is_set = progress.set.contains(id);
            let is_planned = resource.listed.as_ref().is_some_and(|listed| !listed.phases.is_empty());
            let is_not_done = if is_planned { !is_set } else { failed || progress.deferred };
            let outcome = if is_not_done || resource.is_partial() {
                // A refused change leaves the resource as it was, whatever else was written there.
                let has_own_write = resource.file.is_some() || resource.listed.is_some();
                let wrote = progress.wrote && (!has_own_write || progress.touched_files.contains(id));
                if wrote || (in_doubt && planned.unseen.is_some()) { Outcome::StillInDoubt } else { Outcome::Untouched }
            } else if resource.to().is_some() {
                let mut excluded = progress.excluded.get(id).cloned().unwrap_or_default();
                let mut attributes = None;
                let mut given = None;
                if let Some(to) = resource.listed.as_ref().and_then(|listed| listed.to.as_ref()).filter(|_| is_planned)
                {
                    attributes = attributes_since(moment, id, &to.attributes);
                }
                if let Some(file) = &resource.file {
                    // A written file leaves out the same routes as the kernel.
                    if file.change.is_some() {
                        excluded = progress.excluded.values().flatten().copied().collect();
                        excluded.sort_unstable();
                        excluded.dedup();
                    }
                    given = progress.file_tokens.get(id).or(file.token.as_ref());
                    attributes = attributes_since(moment, id, &file.attributes);
                }
                let token = resource.token(|table| progress.tokens.get(&table.view.table).cloned(), given);
                let token = token.filter(|_| excluded.is_empty());
                excluded.extend(since.remove(id).unwrap_or_default());
                Outcome::Done { excluded, token, attributes }
            } else {
                Outcome::Removed
            };
            end.outcomes.push((id.clone(), outcome));
        }
    }
}

pub(super) fn settle_batch(backends: OnNodes, batch: &Batch, written: &[Option<RouteOutcome>]) -> Settled {
    let Batch { id, view, operations, write, .. } = batch;
    let Some(backend) = of_kind(backends, &id.kind) else { return Settled::default() };
    // Rows that topo imports unchanged need no write.
    let Some(write) = write else { return Settled { done: operations.len(), ..Settled::default() } };
    let Some(mut written) = written.get(*write).cloned().flatten() else {
        let failed = (0..operations.len()).map(|index| (index, "the node did not report the outcome".to_owned()));
        return Settled { failed: failed.collect(), touched: true, ..Settled::default() };
    };
    // Rows of other metrics say nothing about these operations.
    if let RouteOutcome::Done { appeared, vanished, .. } = &mut written {
        for rows in [appeared, vanished] {
            rows.retain(|row| row.metric == view.kernel_metric(row.family()));
        }
    }
    backend.settle(operations, &written)
}

/// The routes that are not as they should be, and what the node said about them.
pub(super) fn describe(failed: &[(Operation, String)]) -> String {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (operation, said) in failed {
        reasons.entry(said).or_default().push(operation.route.destination.to_string());
    }
    let one = |(said, destinations): (&&str, &Vec<String>)| {
        let shown = destinations.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = destinations.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{shown}{more}: {said}.")
    };
    reasons.iter().map(|(said, destinations)| one((said, destinations))).collect::<Vec<_>>().join(" ")
}

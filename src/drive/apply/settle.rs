//! The outcomes of files and places.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Batch, Executor};
use crate::backend::{self, Settled};
use crate::exchange::node::{Activation, Filed, Written};
use crate::network::Prefix;
use crate::plan::{FilePlan, Operation, PlacePlan, TablePlan};
use crate::resource::{Phase, Place, Record, ResourceId};
use crate::state::{Entry, Outcome, StoreError};

impl Executor<'_> {
    /// Reads the outcomes of files. A sentence if something is not as it should be.
    pub(super) fn settle_files(
        &mut self,
        place: &Place,
        files: &[(ResourceId, Activation)],
        replies: Vec<Filed>,
    ) -> Option<String> {
        let mut failed = None;
        let mut replies = replies.into_iter();
        for (id, activation) in files {
            let planned = self.run.plan.places.get(place);
            let resource = planned.and_then(|planned| planned.resources.get(id));
            let file = resource.and_then(|resource| resource.file.as_ref());
            let action = file.and_then(|file| file.change.as_ref()).map(|change| change.action);
            let table = resource.and_then(|resource| resource.tables.first()).map(|table| table.view.table);
            match replies.next() {
                Some(Filed::Done { .. }) if *activation == Activation::Check => {}
                Some(Filed::Done { token, table: rows, restored }) => {
                    self.touch(place);
                    self.touch_files(place, &[(id.clone(), *activation)]);
                    if let Some(progress) = self.progress.get_mut(place) {
                        progress.filed.insert(id.clone(), token);
                        progress.tokens.extend(table.map(|table| (table, rows)));
                    }
                    if let Some(action) = action {
                        *self.outcome.done.entry(action).or_default() += 1;
                    }
                    if !restored.is_empty() {
                        let message = format!(
                            "Loading {} removed {} of others. topo put them back at once: {}.",
                            id.name,
                            if restored.len() == 1 {
                                "a route".to_owned()
                            } else {
                                format!("{} routes", restored.len())
                            },
                            restored.join("; ")
                        );
                        self.warn(place, message);
                    }
                }
                Some(Filed::Moved) => {
                    failed.get_or_insert(format!(
                        "{} or the network configuration around it has changed since the plan. topo did not change it.",
                        id.name
                    ));
                }
                Some(Filed::Refused(said)) => _ = failed.get_or_insert(said),
                Some(Filed::PutBack(said)) => {
                    self.touch(place);
                    self.touch_files(place, &[(id.clone(), *activation)]);
                    failed.get_or_insert(said);
                }
                None => {
                    if *activation != Activation::Check {
                        self.touch(place);
                        self.touch_files(place, &[(id.clone(), *activation)]);
                    }
                    failed.get_or_insert(format!("The node did not report the outcome of {}.", id.name));
                }
            }
        }
        failed
    }

    /// Notes that files may have been written.
    pub(super) fn touch_files(&mut self, place: &Place, files: &[(ResourceId, Activation)]) {
        let written = files.iter().filter(|(_, activation)| *activation != Activation::Check);
        if let Some(progress) = self.progress.get_mut(place) {
            progress.touched_files.extend(written.map(|(id, _)| id.clone()));
        }
    }

    /// Adds destinations that a resource lacks, as found after the state of this run was written.
    fn lacks_since(&self, place: &Place, id: &ResourceId, table: &TablePlan) -> Vec<Prefix> {
        let written = match self.run.state.record(place, id) {
            Some(Record::InDoubt { to: Some(to), .. }) => to.routes.as_ref(),
            _ => None,
        };
        let lacks = table.to.iter().flat_map(|to| to.lacks.iter());
        lacks.filter(|key| written.is_some_and(|set| !set.lacks.contains(*key))).copied().collect()
    }

    /// Sets the attributes of a file, as found after the state of this run was written.
    fn attributes_since(&self, place: &Place, id: &ResourceId, file: &FilePlan) -> Option<serde_json::Value> {
        match self.run.state.record(place, id) {
            Some(Record::InDoubt { to: Some(to), .. }) if to.attributes == file.attributes => None,
            _ => Some((*file.attributes).clone()),
        }
    }

    /// Journals the outcome of a place when its last step has ended, or when no step will follow.
    pub(super) async fn settle_place(&mut self, place: &Place, phase: Phase, failed: bool) -> Result<(), StoreError> {
        let tables = self.run.plan.places.get(place).into_iter().flat_map(PlacePlan::tables);
        let mut since: BTreeMap<ResourceId, Vec<Prefix>> =
            tables.map(|(id, table)| (id.clone(), self.lacks_since(place, id, table))).collect();
        let Some(progress) = self.progress.get_mut(place) else { return Ok(()) };
        progress.failed |= failed;
        progress.left.remove(&phase);
        if !progress.failed && !progress.left.is_empty() {
            return Ok(());
        }
        let in_doubt = self.is_in_doubt(place);
        let Some(planned) = self.run.plan.places.get(place) else { return Ok(()) };
        let Some(progress) = self.progress.get(place) else { return Ok(()) };
        let mut outcomes = Vec::new();
        for (id, resource) in &planned.resources {
            let outcome = if progress.failed || progress.held || resource.is_partial() {
                // A refused change leaves the resource as it was, whatever else was written there.
                let wrote = progress.wrote && (resource.file.is_none() || progress.touched_files.contains(id));
                if wrote || (in_doubt && planned.unseen.is_some()) { Outcome::StillInDoubt } else { Outcome::Untouched }
            } else if resource.to().is_some() {
                let mut lacks = progress.lacks.get(id).cloned().unwrap_or_default();
                let mut attributes = None;
                let mut given = None;
                if let Some(file) = &resource.file {
                    // A written file leaves out the same routes as the kernel.
                    if file.change.is_some() {
                        lacks = progress.lacks.values().flatten().copied().collect();
                        lacks.sort_unstable();
                        lacks.dedup();
                    }
                    given = progress.filed.get(id).or(file.token.as_ref());
                    attributes = self.attributes_since(place, id, file);
                }
                let token = resource.token(|table| progress.tokens.get(&table.view.table).cloned(), given);
                let token = token.filter(|_| lacks.is_empty());
                lacks.extend(since.remove(id).unwrap_or_default());
                Outcome::Done { lacks, token, attributes }
            } else {
                Outcome::Removed
            };
            outcomes.push((id.clone(), outcome));
        }
        self.journal(place, phase, outcomes).await
    }

    /// Journals the outcomes of a place.
    pub(super) async fn journal(
        &mut self,
        place: &Place,
        phase: Phase,
        outcomes: Vec<(ResourceId, Outcome)>,
    ) -> Result<(), StoreError> {
        let machine_id = self.run.plan.places.get(place).and_then(|planned| planned.machine_id.clone());
        let entry = Entry {
            run: self.id,
            base: self.base,
            seq: 0,
            at: Timestamp::now(),
            place: place.clone(),
            phase: phase.label().into(),
            outcomes,
            machine_id: machine_id.filter(|id| !id.is_empty()),
            forget: false,
        };
        self.entries.push(entry.clone());
        self.journal.append(entry).await
    }
}

pub(super) fn settle_batch(batch: &Batch, written: &[Written]) -> Settled {
    let Batch { id, view, operations, write, .. } = batch;
    let Some(backend) = backend::of_kind(&id.kind) else { return Settled::default() };
    // Rows that topo imports unchanged need no write.
    let Some(write) = write else { return Settled { done: operations.len(), ..Settled::default() } };
    let Some(mut written) = written.get(*write).cloned() else {
        let failed = (0..operations.len()).map(|index| (index, "the node did not report the outcome".to_owned()));
        return Settled { failed: failed.collect(), touched: true, ..Settled::default() };
    };
    // Rows of other metrics say nothing about these operations.
    if let Written::Done { appeared, vanished, .. } = &mut written {
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

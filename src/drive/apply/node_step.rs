//! A step on a node: one exchange.

use std::sync::Arc;

use petgraph::graph::NodeIndex;

use super::running::Running;
use super::settle::{describe, settle_batch};
use super::{Batch, Ended, Executor, Failure, Prepared, Replies};
use crate::backend::node::{self, Inputs, Observation};
use crate::drive::{Event, observe, tell};
use crate::exchange::node::{Activation, Filed, Reply, Work, Written};
use crate::plan::Operation;
use crate::resource::{Phase, Place, Record};
use crate::state::StoreError;
use crate::transport::{Target, Transport, TransportError};

impl Executor<'_> {
    /// Starts a step; false if there is nothing to wait for.
    pub(super) async fn start(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        if self.unknown.contains(place) {
            return Ok(false);
        }
        if !place.is_node() {
            return self.start_azure(index, place, phase, running).await;
        }
        if self.progress.get(place).is_none_or(|progress| progress.failed) {
            return Ok(false);
        }
        if self.leaves(place, phase) {
            self.settle_place(place, phase, true).await?;
            return Ok(false);
        }
        let Some(target) = self.target(place) else {
            self.fail(place, phase, "The state does not say how to reach this place.".to_owned()).await?;
            return Ok(false);
        };
        if self.run.plan.places.get(place).is_some_and(|planned| planned.unseen.is_some()) {
            let Some((target, works)) =
                observe::question(place, self.run.desired, self.before.places.get(place), &mut self.memo)
            else {
                return Ok(false);
            };
            spawn(
                running,
                &self.run.transport,
                target,
                works,
                Prepared { index, place: place.clone(), phase, batches: Vec::new(), files: Vec::new() },
            );
            return Ok(true);
        }
        self.send(index, place, phase, target, running).await
    }

    /// Sends the requests of a step; false if there are none.
    pub(super) async fn send(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        target: Target,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let (works, batches, files) = self.works(place, phase);
        if works.is_empty() {
            self.end_step(place, phase, 0).await?;
            return Ok(false);
        }
        let prepared = Prepared { index, place: place.clone(), phase, batches, files };
        spawn(running, &self.run.transport, target, works, prepared);
        Ok(true)
    }

    pub(super) fn target(&self, place: &Place) -> Option<Target> {
        let endpoint = self.run.plan.places.get(place)?.endpoint.clone()?;
        Some(Target { name: place.node_name()?, endpoint })
    }

    /// Reads the replies of a step. False if the step continues, because a place has answered that topo could not look
    /// at before.
    pub(super) async fn finish(
        &mut self,
        prepared: Prepared,
        replies: Replies,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let Prepared { index, place, phase, batches, files } = prepared;
        if self.run.plan.places.get(&place).is_some_and(|planned| planned.unseen.is_some()) {
            return self.answered(index, &place, phase, replies, running).await;
        }
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => {
                if matches!(error, TransportError::Interrupted(_)) {
                    self.touch(&place);
                    self.touch_files(&place, &files);
                }
                self.fail(&place, phase, error.to_string()).await?;
                return Ok(true);
            }
        };
        if let [Reply::Lacking(what)] = replies.as_slice() {
            let message = place.node().map(|name| observe::lacking(name, what)).unwrap_or_default();
            self.fail(&place, phase, message).await?;
            return Ok(true);
        }
        let mut written: Vec<Written> = Vec::new();
        let mut of_files: Vec<Filed> = Vec::new();
        for reply in replies {
            match reply {
                Reply::Written(one) => written.push(one),
                Reply::Filed(one) => of_files.push(one),
                Reply::Marker(Some(said)) => {
                    let message = format!(
                        "topo could not write or remove the marker /etc/topo/{} ({said}). Without it, topo recognizes \
                         this machine only by its id and its routes.",
                        self.run.topology
                    );
                    self.warn(&place, message);
                }
                _ => {}
            }
        }
        let mut done = 0;
        // Read the outcome of routes even if a file failed: routes of other tables were written all the same.
        let file_failed = self.settle_files(&place, &files, of_files);
        done += files.iter().filter(|(_, activation)| *activation != Activation::Check).count();
        let mut failed: Vec<(Operation, String)> = Vec::new();
        for batch in batches {
            let settled = settle_batch(&batch, &written);
            let Batch { view, in_file, operations, .. } = batch;
            done += settled.done;
            for (at, operation) in operations.iter().enumerate() {
                match settled.failed.iter().find(|(index, _)| *index == at) {
                    Some((_, said)) => failed.push((operation.clone(), said.clone())),
                    None if !in_file => *self.outcome.done.entry(operation.action).or_default() += 1,
                    None => {}
                }
            }
            if settled.touched {
                self.touch(&place);
            }
            if let Some(progress) = self.progress.get_mut(&place) {
                progress.tokens.extend(settled.token.map(|token| (view.table, token)));
            }
            for warning in settled.warnings {
                self.warn(&place, warning);
            }
        }
        if let Some(message) = file_failed {
            self.fail(&place, phase, message).await?;
        } else if failed.is_empty() {
            self.end_step(&place, phase, done).await?;
        } else {
            self.fail(&place, phase, describe(&failed)).await?;
        }
        Ok(true)
    }

    /// Handles the answer of a place that topo could not look at before.
    pub(super) async fn answered(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        replies: Replies,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let (Some((target, works)), false) = (
            observe::question(place, self.run.desired, self.before.places.get(place), &mut self.memo),
            *self.run.stop.borrow(),
        ) else {
            return Ok(true);
        };
        let seen = match observe::read(&target, replies, &works) {
            Observation::Seen(seen) => *seen,
            Observation::Unreachable(reason) => {
                self.fail(place, phase, reason).await?;
                return Ok(true);
            }
            Observation::NotAsked => return Ok(true),
        };
        if self.is_in_doubt(place) {
            let message = format!(
                "{} answers again. topo must first look at what an earlier run left there. Run topo apply again.",
                place.name()
            );
            self.fail(place, phase, message).await?;
            return Ok(true);
        }
        let inputs = Inputs {
            topology: &self.run.topology,
            desired: self.run.desired,
            recorded: &self.before,
            options: self.run.options,
        };
        let replanned = node::replan(&mut self.run.plan, place, &inputs, seen, &mut self.memo);
        if let Err(why) = replanned {
            let message = format!("{} answers again, but {why}. Run topo plan to see the details.", place.name());
            self.fail(place, phase, message).await?;
            return Ok(true);
        }
        if let (Some(planned), Some(progress)) = (self.run.plan.places.get(place), self.progress.get_mut(place)) {
            for (_, table) in planned.tables() {
                progress.tokens.extend(table.token.clone().map(|token| (table.view.table, token)));
            }
        }
        Ok(!self.send(index, place, phase, target, running).await?)
    }

    /// Whether an earlier run has left a place in doubt.
    pub(super) fn is_in_doubt(&self, place: &Place) -> bool {
        let recorded =
            self.run.plan.places.get(place).and_then(|planned| planned.renamed_from.as_ref()).unwrap_or(place);
        self.before.places.get(recorded).is_some_and(|record| record.resources.values().any(Record::is_in_doubt))
    }

    pub(super) fn touch(&mut self, place: &Place) {
        self.outcome.touched = true;
        if let Some(progress) = self.progress.get_mut(place) {
            progress.wrote = true;
        }
    }

    pub(super) fn warn(&mut self, place: &Place, message: String) {
        tell(&self.run.events, Event::Warning { place: place.clone(), message: message.clone() });
        self.outcome.warnings.push((place.clone(), message));
    }

    pub(super) async fn end_step(&mut self, place: &Place, phase: Phase, operations: usize) -> Result<(), StoreError> {
        tell(&self.run.events, Event::StepDone { place: place.clone(), phase, operations });
        self.settle_place(place, phase, false).await
    }

    pub(super) async fn fail(&mut self, place: &Place, phase: Phase, message: String) -> Result<(), StoreError> {
        tell(&self.run.events, Event::StepFailed { place: place.clone(), phase, message: message.clone() });
        self.outcome.failures.push(Failure { place: place.clone(), phase, message });
        self.lost.extend(place.node_name().map(|name| (name.clone(), format!("{name} failed"))));
        self.settle_place(place, phase, true).await
    }
}

fn spawn(running: &mut Running, transport: &Arc<dyn Transport>, target: Target, works: Vec<Work>, prepared: Prepared) {
    let transport = Arc::clone(transport);
    running.spawn(async move {
        let replies = transport.exchange(&target, &works).await;
        Ended::Node(prepared, replies)
    });
}

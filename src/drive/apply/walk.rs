//! The walk through the graph of steps: what starts when, and what becomes of a step that panics.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::azure::AzureEnd;
use super::running::{Begun, Running};
use super::{Ended, Executor};
use crate::backend::azure_udr::AzureTask;
use crate::drive::{Event, Skipped, tell};
use crate::plan::{PlacePlan, Steps, Vertex, steps};
use crate::resource::{Name, Phase, Place};
use crate::state::{Outcome, StoreError};

impl Executor<'_> {
    /// Walks the graph: a vertex starts when all vertices before it have ended, whatever their outcome.
    pub(super) async fn execute(&mut self) -> Result<(), StoreError> {
        let graph = steps(&self.run.plan, &mut self.memo);
        self.begin_progress(&graph);
        let mut waits: BTreeMap<NodeIndex, usize> = graph
            .node_indices()
            .map(|index| (index, graph.neighbors_directed(index, Direction::Incoming).count()))
            .collect();
        let mut ready: VecDeque<NodeIndex> =
            waits.iter().filter(|(_, waits)| **waits == 0).map(|(index, _)| *index).collect();
        let mut running = Running::default();
        let mut waiting: BTreeSet<NodeIndex> = graph.node_indices().collect();
        loop {
            while running.len() < self.run.parallelism.max(1) {
                let Some(index) = ready.pop_front() else { break };
                waiting.remove(&index);
                let ended = match &graph[index] {
                    Vertex::Gate(_) => {
                        self.journal.flush().await?;
                        true
                    }
                    Vertex::Step(place, phase) => {
                        running.turn_to(index, place, *phase);
                        !self.start(index, place, *phase, &mut running).await?
                    }
                };
                if ended {
                    release(&graph, index, &mut waits, &mut ready);
                }
            }
            if running.is_empty() {
                if ready.is_empty() {
                    return self.tell_what_was_not_begun(&graph, &waiting).await;
                }
                continue;
            }
            match running.next().await {
                Some(Ok(Ended::Node(prepared, replies))) => {
                    let index = prepared.index;
                    running.turn_to(index, &prepared.place, prepared.phase);
                    if self.finish(prepared, replies, &mut running).await? {
                        release(&graph, index, &mut waits, &mut ready);
                    }
                }
                Some(Ok(Ended::Azure(index, place, phase, end))) => {
                    self.finish_azure(&place, phase, end).await?;
                    release(&graph, index, &mut waits, &mut ready);
                }
                Some(Err(Some(begun))) => {
                    self.panicked(&begun).await?;
                    release(&graph, begun.index, &mut waits, &mut ready);
                }
                // A step of unknown origin ends here; the end of the run reports every vertex that still waits.
                Some(Err(None)) | None => {}
            }
        }
    }

    /// Handles a step that has panicked: nobody knows how much it had done.
    pub(super) async fn panicked(&mut self, begun: &Begun) -> Result<(), StoreError> {
        let Begun { place, phase, .. } = begun;
        let message =
            "This step failed because of a bug in topo, and topo does not know how much of it is done. Run topo \
            again: it looks first."
                .to_owned();
        self.touch(place);
        let planned = self.run.plan.places.get(place);
        if place.is_node() {
            let files: Vec<_> = planned.into_iter().flat_map(PlacePlan::files).map(|(id, _)| id.clone()).collect();
            if let Some(progress) = self.progress.get_mut(place) {
                progress.touched_files.extend(files);
            }
            return self.fail(place, *phase, message).await;
        }
        let resources = planned.into_iter().flat_map(PlacePlan::listed);
        let outcomes = resources.map(|resource| (resource.id.clone(), Outcome::StillInDoubt)).collect();
        // A network interface may not forward now.
        let cut_off = match self.run.azure_work.task(place, *phase) {
            Some(AzureTask::Interface(task)) if *phase == Phase::Prepare => task.addresses.clone(),
            _ => Vec::new(),
        };
        self.unknown.insert(place.clone());
        let end = AzureEnd { failure: Some(message), outcomes, touched: true, cut_off, ..AzureEnd::default() };
        self.finish_azure(place, *phase, end).await
    }

    /// Whether a step does not start because the user asked to stop. The outcome then names the step.
    pub(super) fn leaves(&mut self, place: &Place, phase: Phase) -> bool {
        let stops = *self.run.stop.borrow();
        if stops && !self.outcome.stopped {
            self.outcome.stopped = true;
            tell(&self.run.events, Event::Stopping);
        }
        if stops {
            self.outcome.left.push((place.clone(), phase));
        }
        stops
    }

    /// Reports steps that never started. There should be none; if there are any, the run must not count as complete.
    pub(super) async fn tell_what_was_not_begun(
        &mut self,
        graph: &Steps,
        waiting: &BTreeSet<NodeIndex>,
    ) -> Result<(), StoreError> {
        for index in waiting {
            let Vertex::Step(place, phase) = &graph[*index] else { continue };
            let message = "This step did not start because of a bug in topo. Run topo again.".to_owned();
            if place.is_node() {
                self.fail(place, *phase, message).await?;
            } else {
                let end = AzureEnd { failure: Some(message), ..AzureEnd::default() };
                self.finish_azure(place, *phase, end).await?;
            }
        }
        Ok(())
    }

    /// Reports routes of a place that are skipped, because the node that they lead to is lost.
    pub(super) fn skip(&mut self, place: &Place, receiver: &Name, routes: usize) {
        let why = self.lost.get(receiver).cloned().unwrap_or_default();
        let skipped = Skipped { place: place.clone(), receiver: receiver.to_string(), routes, why };
        tell(&self.run.events, Event::Skipped(skipped.clone()));
        self.outcome.skipped.push(skipped);
    }

    /// Places with live routes that a file should keep across reboots, but does not keep yet.
    pub(super) fn tell_what_does_not_last(&mut self) {
        for (place, progress) in self.progress.iter().filter(|(_, progress)| progress.wrote) {
            let files = self.run.plan.places.get(place).into_iter().flat_map(PlacePlan::files);
            let mut left = files.filter(|(_, file)| file.wanted && file.change.is_some());
            if left.any(|(id, _)| !progress.filed.contains_key(id)) {
                self.outcome.not_persistent.push(place.clone());
            }
        }
    }

    pub(super) fn begin_progress(&mut self, graph: &Steps) {
        let mut places = BTreeSet::new();
        for vertex in graph.node_weights() {
            if let Vertex::Step(place, phase) = vertex {
                places.insert(place.clone());
                self.progress.entry(place.clone()).or_default().left.insert(*phase);
            }
        }
        for (place, progress) in &mut self.progress {
            let Some(planned) = self.run.plan.places.get(place) else { continue };
            for (_, table) in planned.tables() {
                progress.tokens.extend(table.token.clone().map(|token| (table.view.table, token)));
            }
        }
        let steps = graph.node_weights().filter(|vertex| matches!(vertex, Vertex::Step(..))).count();
        tell(&self.run.events, Event::ApplyStarted { steps, places: places.len() });
    }
}

/// A vertex has ended: the vertices behind it wait for one less.
fn release(graph: &Steps, index: NodeIndex, waits: &mut BTreeMap<NodeIndex, usize>, ready: &mut VecDeque<NodeIndex>) {
    for next in graph.neighbors_directed(index, Direction::Outgoing) {
        if let Some(count) = waits.get_mut(&next) {
            *count -= 1;
            if *count == 0 {
                ready.push_back(next);
            }
        }
    }
}

//! The walk through the graph of steps: what starts when, and what becomes of a step that panics.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::Executor;
use super::running::{InFlight, StepId, StepResult};
use crate::drive::tell;
use crate::network::Memo;
use crate::plan::{Steps, Vertex, steps};
use crate::report::Event;
use crate::resource::Place;
use crate::state::StoreError;

impl Executor<'_> {
    /// Walks the graph: a vertex starts when all vertices before it have ended, whatever their outcome.
    pub(super) async fn execute(&mut self, memo: &mut Memo) -> Result<(), StoreError> {
        let graph = steps(&self.run.plan, memo);
        let mut waits: BTreeMap<NodeIndex, usize> = graph
            .node_indices()
            .map(|index| (index, graph.neighbors_directed(index, Direction::Incoming).count()))
            .collect();
        let mut ready: VecDeque<NodeIndex> =
            waits.iter().filter(|(_, waits)| **waits == 0).map(|(index, _)| *index).collect();
        self.note_phases(&graph);
        let mut running = InFlight::default();
        let mut waiting: BTreeSet<NodeIndex> = graph.node_indices().collect();
        loop {
            while running.len() < self.run.parallelism.max(1) {
                let Some(index) = ready.pop_front() else { break };
                waiting.remove(&index);
                let goes_on = match &graph[index] {
                    Vertex::Gate(_) => {
                        self.journal.flush().await?;
                        false
                    }
                    Vertex::Step(place, phase) => {
                        let step = StepId { index, place: place.clone(), phase: *phase };
                        self.start(&step, &mut running, memo).await?
                    }
                };
                if !goes_on {
                    release(&graph, index, &mut waits, &mut ready);
                }
            }
            if running.len() == 0 && !ready.is_empty() {
                continue;
            }
            let Some((step, ended)) = running.next().await else {
                return self.tell_what_was_not_begun(&graph, &waiting).await;
            };
            let goes_on = match ended {
                StepResult::Step(end) => {
                    self.finish(&step, end).await?;
                    false
                }
                StepResult::Looked { rounds } => self.answered(&step, rounds, &mut running, memo).await?,
                StepResult::Panicked => {
                    self.panicked(&step).await?;
                    false
                }
            };
            if !goes_on {
                release(&graph, step.index, &mut waits, &mut ready);
            }
        }
    }

    /// Notes the phases of each place, and says how much there is to do.
    fn note_phases(&mut self, graph: &Steps) {
        let mut count = 0;
        for vertex in graph.node_weights() {
            if let Vertex::Step(place, phase) = vertex {
                self.phases.entry(place.clone()).or_default().insert(*phase);
                count += 1;
            }
        }
        let places: BTreeSet<&Place> = self.phases.keys().collect();
        tell(&self.run.events, Event::ApplyStarted { steps: count, places: places.len() });
    }

    /// Handles a step that has panicked: nobody knows how much it had done, so the run does nothing more in its place.
    async fn panicked(&mut self, step: &StepId) -> Result<(), StoreError> {
        let message = "This step failed because of a bug in topo, and topo does not know how much of it is done. Run topo \
                       again: it looks first.";
        self.unknown.insert(step.place.clone());
        self.give_up(step, message, true).await
    }

    /// Reports steps that never started. There should be none; if there are any, the run must not count as complete.
    async fn tell_what_was_not_begun(
        &mut self,
        graph: &Steps,
        waiting: &BTreeSet<NodeIndex>,
    ) -> Result<(), StoreError> {
        for index in waiting {
            let Vertex::Step(place, phase) = &graph[*index] else { continue };
            let step = StepId { index: *index, place: place.clone(), phase: *phase };
            self.give_up(&step, "This step did not start because of a bug in topo. Run topo again.", false).await?;
        }
        Ok(())
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

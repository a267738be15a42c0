//! Steps in progress, and the vertex of each. Even a step that panics can be told apart.

use std::collections::HashMap;

use petgraph::graph::NodeIndex;
use tokio::task::{Id, JoinError, JoinSet};

use crate::backend::StepEnd;
use crate::resource::{Phase, Place};

/// A step that is being carried out.
#[derive(Clone, Debug)]
pub(super) struct StepId {
    pub(super) index: NodeIndex,
    pub(super) place: Place,
    pub(super) phase: Phase,
}

/// What has ended.
pub(super) enum StepResult {
    /// The step.
    Step(StepEnd),
    /// One round of questions to a place that topo could not look at before.
    Looked {
        /// Number of rounds so far.
        rounds: u32,
    },
    /// The step panicked: nobody knows how much of it is done.
    Panicked,
}

/// Steps in progress.
#[derive(Default)]
pub(super) struct InFlight {
    tasks: JoinSet<StepResult>,
    begun: HashMap<Id, StepId>,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn spawn(&mut self, step: &StepId, work: impl Future<Output = StepResult> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.begun.insert(task.id(), step.clone());
    }

    /// The next step that has ended; none if no step is in progress.
    pub(super) async fn next(&mut self) -> Option<(StepId, StepResult)> {
        loop {
            let ended = self.tasks.join_next_with_id().await?;
            let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
            if let Some(begun) = self.begun.remove(&id) {
                return Some((begun, ended.map_or(StepResult::Panicked, |(_, ended)| ended)));
            }
        }
    }
}

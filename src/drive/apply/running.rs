//! Steps in progress, and the vertex of each. Even a step that panics can be told apart.

use std::collections::HashMap;

use petgraph::graph::NodeIndex;
use tokio::task::{Id, JoinError, JoinSet};

use super::Ended;
use crate::resource::{Phase, Place};

/// A vertex that is being carried out.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) index: NodeIndex,
    pub(super) place: Place,
    pub(super) phase: Phase,
}

/// Steps in progress.
#[derive(Default)]
pub(super) struct Running {
    tasks: JoinSet<Ended>,
    begun: HashMap<Id, Begun>,
    current: Option<Begun>,
}

impl Running {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Everything spawned from now on belongs to this vertex.
    pub(super) fn turn_to(&mut self, index: NodeIndex, place: &Place, phase: Phase) {
        self.current = Some(Begun { index, place: place.clone(), phase });
    }

    pub(super) fn spawn(&mut self, step: impl Future<Output = Ended> + Send + 'static) {
        let task = self.tasks.spawn(step);
        if let Some(begun) = &self.current {
            self.begun.insert(task.id(), begun.clone());
        }
    }

    /// The next step that has ended; an error if it panicked, with its vertex.
    pub(super) async fn next(&mut self) -> Option<Result<Ended, Option<Begun>>> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let begun = self.begun.remove(&id);
        Some(ended.map(|(_, ended)| ended).map_err(|_| begun))
    }
}

//! Events during a run.

use crate::resource::{Phase, Place};

/// One event of a run. It has counts; there is never one event per route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// topo starts to look at places.
    ObserveStarted {
        /// Number of places.
        places: usize,
    },
    /// A place has answered, or not. Then the sentence says why.
    Observed {
        /// The place.
        place: Place,
        /// Why topo could not look at it.
        error: Option<String>,
    },
    /// topo starts to make the changes.
    ApplyStarted {
        /// Number of steps. A step is one exchange with one place in one phase.
        steps: usize,
        /// Number of places.
        places: usize,
    },
    /// A step is done.
    StepDone {
        /// The place.
        place: Place,
        /// The phase.
        phase: Phase,
        /// Number of finished operations.
        operations: usize,
    },
    /// A step has failed. The sentence says what to do. topo does nothing more in that place.
    StepFailed {
        /// The place.
        place: Place,
        /// The phase.
        phase: Phase,
        /// What happened.
        message: String,
    },
    /// topo skipped routes.
    Skipped(Skipped),
    /// Something that the user should know, but that stops nothing.
    Warning {
        /// The place.
        place: Place,
        /// The text.
        message: String,
    },
    /// The user asked to stop: topo finishes the exchanges in progress, and starts no others.
    Stopping,
}

/// Routes of a place that topo skipped, because something failed where they lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The place.
    pub place: Place,
    /// The name of the node that they lead to, or its address.
    pub receiver: String,
    /// Number of routes.
    pub routes: usize,
    /// What failed, without a full stop.
    pub why: String,
}

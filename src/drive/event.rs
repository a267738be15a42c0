//! What a run tells while it goes on.

use crate::resource::{Phase, Place};

/// One event of a run, with counts; never one a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Looking at places begins.
    ObserveStarted {
        /// Number of places that are asked.
        places: usize,
    },
    /// A place has answered, or not: the sentence says why.
    Observed {
        /// Which one.
        place: Place,
        /// Why it could not be looked at.
        error: Option<String>,
    },
    /// Carrying out begins.
    ApplyStarted {
        /// Number of steps: one exchange with one place in one phase.
        steps: usize,
        /// Number of places.
        places: usize,
    },
    /// A step is done.
    StepDone {
        /// Where.
        place: Place,
        /// When.
        phase: Phase,
        /// Number of operations that were carried out.
        operations: usize,
    },
    /// A step has failed, in a sentence that says what to do; nothing more is done in that place.
    StepFailed {
        /// Where.
        place: Place,
        /// When.
        phase: Phase,
        /// What happened.
        message: String,
    },
    /// Routes were left out because the node that they lead to has failed.
    Skipped {
        /// Where.
        place: Place,
        /// The node that has failed.
        receiver: Place,
        /// Number of routes.
        routes: usize,
    },
    /// Something that the user should know and that stops nothing.
    Warning {
        /// Where.
        place: Place,
        /// What.
        message: String,
    },
    /// The user asked to stop: exchanges in flight are finished, no other is begun.
    Stopping,
}

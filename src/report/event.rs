//! Events: what happens in a command, as one JSON object on each line.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Change, CommandResult, Finding, STEP, STOPPING, Skipped};
use crate::plan::Severity;
use crate::resource::{Phase, Place};

/// The version of the JSON events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The present version. The first number changes when readers of the old format would be wrong.
    #[default]
    #[serde(rename = "2.0")]
    V2,
}

/// An event with the time when it happened: one line of JSON. Lines that were kept can be read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    /// The version of the format.
    pub version: Version,
    /// The time, in UTC.
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Places have the names that addresses use. There is never one event per route of a mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A command begins. This event comes before all others.
    Version {
        /// Version of topo.
        topo: Arc<str>,
    },
    /// topo starts to look at places.
    ObserveStarted {
        /// Number of places.
        places: usize,
    },
    /// A place has answered, or not.
    Observed {
        /// The place.
        place: Arc<str>,
        /// Why topo could not look at it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// What topo adds, changes or removes for one reason, in all places.
    Change(Box<Change>),
    /// Something that topo found besides the changes.
    Finding(Finding),
    /// The totals of a plan.
    Summary(Totals),
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
        place: Arc<str>,
        /// The phase.
        phase: Phase,
        /// Number of finished operations.
        operations: usize,
    },
    /// A step has failed. topo does nothing more in that place.
    StepFailed {
        /// The place.
        place: Arc<str>,
        /// The phase.
        phase: Phase,
        /// What happened and what to do, in full sentences.
        text: String,
    },
    /// topo skipped routes, because something failed where they lead to.
    Skipped {
        /// The place.
        place: Arc<str>,
        /// The name of the node that they lead to, or its address.
        receiver: Arc<str>,
        /// Number of routes.
        routes: usize,
        /// What failed, without a full stop.
        text: String,
    },
    /// The result of a command. `topo state list`, `show` and `rm` have one for each address.
    Result(CommandResult),
    /// An error that ends the command.
    Error {
        /// What happened, in full sentences.
        text: String,
        /// What to do next, one sentence each.
        hints: Vec<String>,
    },
}

/// The totals of a plan. The counts of the changes without `part_of` add up to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of things that topo records as they are.
    pub import: usize,
    /// Number of things that topo adds.
    pub add: usize,
    /// Number of things that topo changes.
    pub change: usize,
    /// Number of things that topo removes.
    pub destroy: usize,
    /// Number of places that topo could not look at.
    pub unseen: usize,
}

impl Event {
    /// The event that comes before all others.
    pub fn version() -> Self {
        Self::Version { topo: env!("CARGO_PKG_VERSION").into() }
    }

    /// The user asked to stop: topo finishes the exchanges in progress, and starts no others.
    pub fn stopping() -> Self {
        let text = "Stopping: topo finishes the steps in progress, and starts no others.";
        Self::Finding(Finding::new(Severity::Note, STOPPING, text))
    }

    /// Something that the user should know about a place during a run, but that stops nothing.
    pub fn warning(place: &Place, text: &str) -> Self {
        Self::Finding(Finding::new(Severity::Warning, STEP, text).about([place.name()]))
    }

    /// The same event with the present time.
    pub fn now(self) -> Timed {
        Timed { version: Version::V2, time: Timestamp::now(), event: self }
    }
}

impl From<&Skipped> for Event {
    fn from(Skipped { place, receiver, routes, why }: &Skipped) -> Self {
        let (place, receiver) = (place.name().into(), receiver.as_str().into());
        Self::Skipped { place, receiver, routes: *routes, text: why.clone() }
    }
}

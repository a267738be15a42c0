//! What came of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::network::Prefix;
use crate::resource::{Action, Phase, Place};

/// A place where not everything was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub place: Place,
    /// The phase.
    pub phase: Phase,
    /// What happened, in full sentences.
    pub message: String,
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

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// Number of finished operations, by action.
    pub done: BTreeMap<Action, usize>,
    /// Places where not everything was done.
    pub failures: Vec<Failure>,
    /// Routes that topo skipped.
    pub skipped: Vec<Skipped>,
    /// Steps that did not start because the user asked to stop.
    pub left: Vec<(Place, Phase)>,
    /// What else the user should know.
    pub warnings: Vec<(Place, String)>,
    /// Places with live routes that should survive reboots, but do not yet.
    pub not_persistent: Vec<Place>,
    /// Whether the new routes are in force, where the network says it.
    pub confirmations: Vec<Confirmation>,
    /// Whether the run may have written anything in any place.
    pub touched: bool,
    /// Whether the user asked to stop.
    pub stopped: bool,
}

impl RunOutcome {
    /// Number of finished operations of an action.
    pub fn done(&self, action: Action) -> usize {
        self.done.get(&action).copied().unwrap_or(0)
    }

    /// Whether everything in the plan is done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
            && self.skipped.is_empty()
            && self.left.is_empty()
            && !self.confirmations.iter().any(Confirmation::differs)
    }
}

/// Whether the routes of a place are in force, according to the network after a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The name of the place.
    pub place: String,
    /// The name of the subnet where the routes apply.
    pub subnet: String,
    /// What the network says.
    pub verdict: Verdict,
    /// The network interface that says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Number of routes that are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<usize>,
    /// Routes that are not in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Prefix>,
    /// The same in full sentences.
    pub text: String,
}

/// Whether routes are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All of them are.
    InForce,
    /// Some are not.
    Differs,
    /// Nobody can tell.
    CannotBeVerified,
}

impl Confirmation {
    /// Whether some routes are not in force.
    pub fn differs(&self) -> bool {
        self.verdict == Verdict::Differs
    }
}

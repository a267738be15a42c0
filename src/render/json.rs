//! Plans and runs as JSON events: one object a line, streamed.
//!
//! `version` comes first. A plan is `change` events, then `finding` events, then `summary`. The counts of changes that are not a
//! part of another one add up to the summary. Readers skip types and keys that they do not know.

mod changes;

use std::borrow::Cow;

use serde::Serialize;

pub use self::changes::ChangeEvent;
use super::sentence;
use super::text::Outcome;
use crate::drive::{self, Confirmation};
use crate::exchange::Requests;
use crate::plan::findings::{Finding, Remedy, Severity};
use crate::plan::{Plan, Summary};
use crate::resource::Place;

/// One JSON event.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'a> {
    /// Which topo speaks, in which format.
    Version {
        /// Version of topo.
        topo: &'static str,
        /// Version of this format: the first number changes where readers of the old one would be wrong.
        format_version: &'static str,
    },
    /// What comes, goes or changes for one reason, wherever it does.
    Change(ChangeEvent<'a>),
    /// Something that was found besides the changes.
    Finding(FindingEvent<'a>),
    /// The record of a place is dropped.
    Forget {
        /// The place.
        node: &'a str,
    },
    /// Totals of a plan.
    Summary {
        /// What is recorded as it is.
        import: usize,
        /// What is added.
        add: usize,
        /// What is changed.
        change: usize,
        /// What is removed.
        destroy: usize,
        /// Places that could not be looked at.
        unseen: usize,
        /// How many requests topo has sent so far, by service.
        #[serde(skip_serializing_if = "<[Requests]>::is_empty")]
        requests: &'a [Requests],
    },
    /// Looking at places begins.
    ObserveStarted {
        /// Number of places.
        places: usize,
    },
    /// A place has answered or not.
    Observed {
        /// The place.
        node: &'a str,
        /// Why it could not be looked at.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    /// Carrying out begins.
    ApplyStarted {
        /// Number of exchanges.
        steps: usize,
        /// Number of places.
        places: usize,
    },
    /// An exchange is done.
    StepDone {
        /// The place.
        node: &'a str,
        /// The phase.
        phase: &'static str,
        /// Number of operations that were carried out.
        operations: usize,
    },
    /// An exchange has failed.
    StepFailed {
        /// The place.
        node: &'a str,
        /// The phase.
        phase: &'static str,
        /// What happened.
        message: &'a str,
    },
    /// Routes were left out because the node that they lead to has failed.
    Skipped {
        /// The place.
        node: &'a str,
        /// The node that has failed.
        receiver: &'a str,
        /// Number of routes.
        routes: usize,
    },
    /// Something that stops nothing.
    Warning {
        /// The place.
        node: &'a str,
        /// What.
        message: &'a str,
    },
    /// The user asked to stop.
    Stopping,
    /// Whether the routes of a place are in force after a run.
    Confirmation(&'a Confirmation),
    /// What has come of a run.
    Result {
        /// Whether all is done.
        complete: bool,
        /// What was recorded as it was.
        imported: usize,
        /// What was added.
        added: usize,
        /// What was changed.
        changed: usize,
        /// What was removed.
        destroyed: usize,
        /// Places whose routes are live and not yet kept by the file that was to keep them.
        not_persistent: Vec<&'a str>,
        /// What is left to do.
        left: Vec<Left<'a>>,
        /// How many requests topo has sent, including those for the plan, by service.
        #[serde(skip_serializing_if = "<[Requests]>::is_empty")]
        requests: &'a [Requests],
    },
}

/// Something that was found in one or more places.
#[derive(Serialize)]
pub struct FindingEvent<'a> {
    /// How much it matters: `note`, `warning`, `conflict` or `error`; nothing is written because of the last two.
    pub severity: &'static str,
    /// A stable name of the cause.
    pub code: &'static str,
    /// What it is about, as options take it; `*` stands for several places.
    pub address: String,
    /// The places.
    pub places: Vec<&'a str>,
    /// What is live there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<&'a str>,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<RemedyEvent<'a>>,
    /// All of it as people read it.
    pub text: String,
}

/// What can be done about a finding.
#[derive(Serialize)]
pub struct RemedyEvent<'a> {
    /// `option` (of the command), `edit` (of the topology) or `act` (elsewhere).
    pub kind: &'static str,
    /// The option, with its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<Cow<'a, str>>,
    /// The sentence.
    pub text: Cow<'a, str>,
}

/// What is left to do in one place.
#[derive(Serialize)]
pub struct Left<'a> {
    /// The place.
    pub node: &'a str,
    /// Number of routes.
    pub routes: usize,
    /// Why.
    pub message: &'a str,
}

/// The event that comes before all others.
pub fn version() -> Event<'static> {
    Event::Version { topo: env!("CARGO_PKG_VERSION"), format_version: "2.0-draft" }
}

/// Gives the events of a plan one by one. Write each event at once: its routes are computed while it is written.
pub fn plan(plan: &Plan, summary: &Summary, requests: &[Requests], take: &mut dyn FnMut(Event<'_>)) {
    for number in 0..summary.changes.len() {
        take(Event::Change(ChangeEvent { plan, summary, number }));
    }
    for place in &plan.forgotten {
        take(Event::Forget { node: place.name() });
    }
    for sentence in sentence::all(plan) {
        let address = sentence.address();
        let text = sentence.text();
        let Finding { severity, code, found, remedies, .. } = sentence.first;
        take(Event::Finding(FindingEvent {
            severity: severity.name(),
            code,
            places: sentence.places.iter().map(|place| place.name()).collect(),
            found: found.as_deref(),
            remedies: remedies.iter().map(|one| remedy(one, &address)).collect(),
            address: address.clone(),
            text,
        }));
    }
    let unseen = plan.unseen().len();
    let Summary { import, add, change, destroy, .. } = *summary;
    take(Event::Summary { import, add, change, destroy, unseen, requests });
}

/// A finding of a command that makes no plan, about nodes or machines by name.
pub fn found<'a>(severity: Severity, code: &'static str, places: Vec<&'a str>, text: &str) -> Event<'a> {
    let address = if let [only] = places[..] { only } else { "*" }.to_owned();
    let (severity, text) = (severity.name(), text.to_owned());
    Event::Finding(FindingEvent { severity, code, address, places, found: None, remedies: Vec::new(), text })
}

fn remedy<'a>(remedy: &'a Remedy, address: &str) -> RemedyEvent<'a> {
    let option = match remedy {
        Remedy::TakeOver => Some(format!("--take-over {address}").into()),
        Remedy::Flag(option, _) => Some(Cow::Borrowed(&**option)),
        Remedy::Edit(_) | Remedy::Act(_) => None,
    };
    RemedyEvent { kind: remedy.kind(), option, text: remedy.text(address) }
}

/// An event of a run.
pub fn run(event: &drive::Event) -> Event<'_> {
    let name = Place::name;
    match event {
        drive::Event::ObserveStarted { places } => Event::ObserveStarted { places: *places },
        drive::Event::Observed { place, error } => Event::Observed { node: name(place), error: error.as_deref() },
        drive::Event::ApplyStarted { steps, places } => Event::ApplyStarted { steps: *steps, places: *places },
        drive::Event::StepDone { place, phase, operations } => {
            Event::StepDone { node: name(place), phase: phase.label(), operations: *operations }
        }
        drive::Event::StepFailed { place, phase, message } => {
            Event::StepFailed { node: name(place), phase: phase.label(), message }
        }
        drive::Event::Skipped { place, receiver, routes } => {
            Event::Skipped { node: name(place), receiver: name(receiver), routes: *routes }
        }
        drive::Event::Warning { place, message } => Event::Warning { node: name(place), message },
        drive::Event::Stopping => Event::Stopping,
    }
}

/// What has come of a run.
pub fn result(outcome: &Outcome) -> Event<'_> {
    Event::Result {
        complete: outcome.is_complete(),
        imported: outcome.imported,
        added: outcome.added,
        changed: outcome.changed,
        destroyed: outcome.destroyed,
        not_persistent: outcome.not_persistent.iter().map(Place::name).collect(),
        left: outcome
            .left
            .iter()
            .map(|(place, routes, message)| Left { node: place.name(), routes: *routes, message })
            .collect(),
        requests: &outcome.requests,
    }
}

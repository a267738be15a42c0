//! Plans and runs as a stream of JSON events, one object on each line.
//!
//! `version` comes first. A plan is `change` events, then `finding` events, then `summary`. The counts of the changes without
//! `part_of` add up to the summary. Readers skip types and keys that they do not know.

mod changes;

use std::borrow::Cow;

use serde::Serialize;

pub use self::changes::ChangeEvent;
use super::sentence;
use super::text::Outcome;
use crate::exchange::Requests;
use crate::plan::findings::{Finding, Remedy, Severity};
use crate::plan::{Plan, Summary};
use crate::report::{self, Confirmation, Skipped};
use crate::resource::{Action, Place};

/// One JSON event.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The versions of topo and of the format.
    Version {
        /// Version of topo.
        topo: &'static str,
        /// Version of this format. The first number changes when readers of the old format would be wrong.
        format_version: &'static str,
    },
    /// What topo adds, changes or removes for one reason, in all places.
    Change(ChangeEvent<'a>),
    /// Something that topo found besides the changes.
    Finding(FindingEvent<'a>),
    /// topo drops the record of a place.
    Forget {
        /// The place.
        node: &'a str,
    },
    /// Totals of a plan.
    Summary {
        /// Number of things that topo records as they are.
        import: usize,
        /// Number of things that topo adds.
        add: usize,
        /// Number of things that topo changes.
        change: usize,
        /// Number of things that topo removes.
        destroy: usize,
        /// Number of places that topo could not look at.
        unseen: usize,
        /// How many requests topo has sent so far, by service.
        #[serde(skip_serializing_if = "<[Requests]>::is_empty")]
        requests: &'a [Requests],
    },
    /// topo starts to look at places.
    ObserveStarted {
        /// Number of places.
        places: usize,
    },
    /// A place has answered, or not.
    Observed {
        /// The place.
        node: &'a str,
        /// Why topo could not look at it.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    /// topo starts to make the changes.
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
        /// Number of finished operations.
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
    /// topo skipped routes, because something failed where they lead to.
    Skipped {
        /// The place.
        node: &'a str,
        /// The node that they lead to.
        receiver: &'a str,
        /// Number of routes.
        routes: usize,
        /// What failed.
        message: &'a str,
    },
    /// Something that the user should know, but that stops nothing.
    Warning {
        /// The place.
        node: &'a str,
        /// The text.
        message: &'a str,
    },
    /// The user asked to stop.
    Stopping,
    /// Whether the routes of a place are in force after a run.
    Confirmation(&'a Confirmation),
    /// The outcome of a run.
    Result {
        /// Whether everything is done.
        complete: bool,
        /// Number of things that topo recorded as they were.
        imported: usize,
        /// Number of things that topo added.
        added: usize,
        /// Number of things that topo changed.
        changed: usize,
        /// Number of things that topo removed.
        destroyed: usize,
        /// Places with live routes that a file should keep, but does not keep yet.
        not_persistent: Vec<&'a str>,
        /// What is left to do.
        left: Vec<Left<'a>>,
        /// How many requests topo has sent, including those for the plan, by service.
        #[serde(skip_serializing_if = "<[Requests]>::is_empty")]
        requests: &'a [Requests],
    },
}

/// Something that topo found in one or more places.
#[derive(Serialize)]
pub struct FindingEvent<'a> {
    /// How much it matters: `note`, `warning`, `conflict` or `error`. Because of the last two, topo writes nothing.
    pub severity: &'static str,
    /// A stable name of the cause.
    pub code: &'static str,
    /// The address of what it is about, for options of the command. `*` stands for several places.
    pub address: String,
    /// The places.
    pub places: Vec<&'a str>,
    /// What is live there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<&'a str>,
    /// What the user can do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<RemedyEvent<'a>>,
    /// The whole text for people.
    pub text: String,
}

/// What the user can do about a finding.
#[derive(Serialize)]
pub struct RemedyEvent<'a> {
    /// `option` of the command, `edit` of the topology, or `act` elsewhere.
    pub kind: &'static str,
    /// The option, with its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<Cow<'a, str>>,
    /// The sentence.
    pub text: Cow<'a, str>,
}

/// The work that is left in one place.
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

/// A finding of a command that makes no plan, about nodes or machines with these names.
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
pub fn run(event: &report::Event) -> Event<'_> {
    let name = Place::name;
    match event {
        report::Event::ObserveStarted { places } => Event::ObserveStarted { places: *places },
        report::Event::Observed { place, error } => Event::Observed { node: name(place), error: error.as_deref() },
        report::Event::ApplyStarted { steps, places } => Event::ApplyStarted { steps: *steps, places: *places },
        report::Event::StepDone { place, phase, operations } => {
            Event::StepDone { node: name(place), phase: phase.label(), operations: *operations }
        }
        report::Event::StepFailed { place, phase, message } => {
            Event::StepFailed { node: name(place), phase: phase.label(), message }
        }
        report::Event::Skipped(Skipped { place, receiver, routes, why }) => {
            Event::Skipped { node: name(place), receiver, routes: *routes, message: why }
        }
        report::Event::Warning { place, message } => Event::Warning { node: name(place), message },
        report::Event::Stopping => Event::Stopping,
    }
}

/// The outcome of a run.
pub fn result<'a>(outcome: &'a Outcome<'_>) -> Event<'a> {
    let run = outcome.run;
    Event::Result {
        complete: outcome.is_complete(),
        imported: run.done(Action::Import),
        added: run.done(Action::Add),
        changed: run.done(Action::Change),
        destroyed: run.done(Action::Remove),
        not_persistent: run.not_persistent.iter().map(Place::name).collect(),
        left: outcome
            .left
            .iter()
            .map(|(place, routes, message)| Left { node: place.name(), routes: *routes, message })
            .collect(),
        requests: outcome.requests,
    }
}

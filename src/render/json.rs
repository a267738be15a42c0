//! Plans and runs as JSON events: one object a line, streamed.
//!
//! `version` comes first. A plan is `change` events (the places of one share all of its routes, but for those that
//! a route names itself), `file` and `azure` events, then `note`, `conflict` and `refusal`, then `summary`. Readers skip types and keys
//! that they do not know.

mod azure;

use std::borrow::Cow;
use std::cell::Cell;
use std::net::IpAddr;
use std::ops::ControlFlow;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

pub use self::azure::{AzureChange, AzureEvent, EffectiveEvent, Requests, effective};
use super::sentence;
use super::text::Outcome;
use crate::drive;
use crate::exchange::arm::AzureRequests;
use crate::network::Prefix;
use crate::plan::findings::{Finding, Remedy, Severity};
use crate::plan::{Change, Line, Part, Plan, Summary};
use crate::resource::{Place, Reason};

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
    /// Routes that come, go or change for one reason, on places that share them.
    Change(ChangeEvent<'a>),
    /// A file that comes, goes or changes, the same on several places. Its routes are in the changes of the same kind.
    File {
        /// What happens to it.
        action: &'static str,
        /// Why.
        reason: &'static str,
        /// The kind of resource.
        kind: &'a str,
        /// Its name.
        name: &'a str,
        /// Where it is.
        path: &'a str,
        /// Version of netplan, and the definitions that routes are added to.
        definition: &'a str,
        /// Whether it is a difference between what was recorded and what is there.
        drift: bool,
        /// A unified difference, where somebody has changed it.
        #[serde(skip_serializing_if = "Option::is_none")]
        difference: Option<&'a str>,
        /// The places.
        nodes: Vec<&'a str>,
    },
    /// What comes, goes or changes in one place of Azure for one reason.
    Azure(AzureEvent<'a>),
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
        /// Requests to Azure so far, where there is a way to it.
        #[serde(skip_serializing_if = "Option::is_none")]
        azure_requests: Option<Requests>,
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
    /// What a network interface in Azure says, after a run, of the routes of its subnet.
    Effective(EffectiveEvent<'a>),
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
        /// Requests to Azure, those for the plan included, where there is a way to it.
        #[serde(skip_serializing_if = "Option::is_none")]
        azure_requests: Option<Requests>,
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

/// The routes of one part of a change; they are computed while they are written.
pub struct ChangeEvent<'a> {
    plan: &'a Plan,
    summary: &'a Summary,
    change: &'a Change,
    part: &'a Part,
    drift: bool,
}

impl Serialize for ChangeEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            action: &'static str,
            reason: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason_node: Option<&'a str>,
            kind: &'a str,
            drift: bool,
            table: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            metric: Option<u32>,
            count: usize,
            nodes: Nodes<'a>,
            routes: Routes<'a, 'a>,
            /// Whether routes are missing on the node whose own their destination is; it is named in `not_on` there.
            #[serde(skip_serializing_if = "is_unset")]
            own_left_out: &'a Cell<bool>,
        }
        let reason_node = match &self.change.reason {
            Reason::NodeAdded(name) | Reason::NodeRemoved(name) => Some(name.as_str()),
            _ => None,
        };
        // Known when the routes are written, which comes before.
        let own_left_out = Cell::new(false);
        Fields {
            action: self.change.action.label(),
            reason: self.change.reason.label(),
            reason_node,
            kind: &self.change.kind,
            drift: self.drift,
            table: self.part.table,
            metric: self.part.metric,
            count: self.part.count,
            nodes: Nodes(self.summary, &self.part.members),
            routes: Routes(self, &own_left_out),
            own_left_out: &own_left_out,
        }
        .serialize(serializer)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference to the field")]
fn is_unset(cell: &&Cell<bool>) -> bool {
    !cell.get()
}

struct Nodes<'a>(&'a Summary, &'a [u32]);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.1.iter().map(|number| self.0.place(*number).name()))
    }
}

struct Routes<'a, 'b>(&'b ChangeEvent<'a>, &'b Cell<bool>);

impl Serialize for Routes<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Route<'a> {
            destination: Prefix,
            next_hop: IpAddr,
            #[serde(skip_serializing_if = "Option::is_none")]
            before: Option<Before>,
            #[serde(skip_serializing_if = "Option::is_none")]
            found: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            not_on: Option<Nodes<'a>>,
        }
        #[derive(Serialize)]
        struct Before {
            next_hop: IpAddr,
            protocol: u8,
        }
        let event = self.0;
        let mut routes = serializer.serialize_seq(Some(event.part.len))?;
        let mut outcome = Ok(());
        let _ = event.part.for_each(event.plan, event.change, |line: Line| {
            self.1.set(self.1.get() || !line.without.is_empty());
            let route = Route {
                destination: line.route.destination,
                next_hop: line.route.next_hop,
                before: line.before.map(|live| Before { next_hop: live.next_hop, protocol: live.protocol }),
                found: line.found.as_deref(),
                not_on: (!line.without.is_empty()).then(|| Nodes(event.summary, &line.without)),
            };
            outcome = routes.serialize_element(&route);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome?;
        routes.end()
    }
}

/// The event that comes before all others.
pub fn version() -> Event<'static> {
    Event::Version { topo: env!("CARGO_PKG_VERSION"), format_version: "1.0" }
}

/// Gives the events of a plan one by one; each is to be written at once, for its routes are computed while it is. `requests` are
/// those to Azure so far, where there is a way to it.
pub fn plan<'a>(
    plan: &'a Plan,
    summary: &'a Summary,
    requests: Option<AzureRequests>,
    take: &mut dyn FnMut(Event<'_>),
) {
    let drift = summary.drift.iter().map(|change| (change, true));
    for (change, drift) in drift.chain(summary.changes.iter().map(|change| (change, false))) {
        for part in &change.parts {
            take(Event::Change(ChangeEvent { plan, summary, change, part, drift }));
        }
    }
    for file in &summary.files {
        take(Event::File {
            action: file.change.action.label(),
            reason: file.change.reason.label(),
            kind: &file.kind,
            name: &file.name,
            path: &file.path,
            definition: &file.definition,
            drift: file.change.reason.is_drift(),
            difference: file.difference.as_deref(),
            nodes: file.members.iter().map(|number| summary.place(*number).name()).collect(),
        });
    }
    summary.azure.iter().flat_map(|group| azure::group(summary, group)).for_each(&mut *take);
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
    take(Event::Summary { import, add, change, destroy, unseen, azure_requests: requests.map(Requests::from) });
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
        azure_requests: outcome.azure.map(Requests::from),
    }
}

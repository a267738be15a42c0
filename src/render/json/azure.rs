//! What happens in Azure as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use super::Event;
use crate::drive;
use crate::exchange::arm::AzureRequests;
use crate::network::Prefix;
use crate::plan::azure::AzureWhat;
use crate::plan::{AzureGroup, AzureLine, Summary};
use crate::resource::Reason;

/// What comes, goes or changes in one place of Azure for one reason.
#[derive(Serialize)]
pub struct AzureEvent<'a> {
    /// What happens.
    pub action: &'static str,
    /// Why.
    pub reason: &'static str,
    /// The node for whose sake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_node: Option<&'a str>,
    /// The kind of resource.
    pub kind: &'static str,
    /// The name of the place: of a route table, a virtual network, a network interface.
    pub place: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Whether it is a difference between what was recorded and what is there.
    pub drift: bool,
    /// Number of changes.
    pub count: usize,
    /// The changes.
    pub changes: Vec<AzureChange<'a>>,
}

/// One change in Azure.
#[derive(Serialize)]
pub struct AzureChange<'a> {
    /// The address.
    pub address: String,
    /// Where a route leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Prefix>,
    /// What is there: a next hop (`type`, `address`), the id of a route table, whether IP packets are forwarded; null: nothing.
    pub before: Value,
    /// What it becomes, in the same form; of a route table, what it gets or what is changed of it, in words.
    pub after: Value,
    /// What is live, where that is not as recorded, or somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<&'a str>,
}

/// How many requests went to Azure.
#[derive(Serialize)]
pub struct Requests {
    /// Those that change nothing.
    pub reads: u64,
    /// Those that do.
    pub writes: u64,
}

impl From<AzureRequests> for Requests {
    fn from(requests: AzureRequests) -> Self {
        Self { reads: requests.reads, writes: requests.writes }
    }
}

/// What the effective routes of a network interface say after a run.
#[derive(Serialize)]
pub struct EffectiveEvent<'a> {
    /// The name of the route table.
    pub table: &'a str,
    /// The name of the subnet.
    pub subnet: &'a str,
    /// `in_force`, `differs` or `cannot_be_verified`.
    pub outcome: &'static str,
    /// The network interface that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<&'a str>,
    /// Number of routes that are in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<usize>,
    /// Routes that are not.
    #[serde(skip_serializing_if = "<[Prefix]>::is_empty")]
    pub missing: &'a [Prefix],
    /// Why nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
}

/// The events of a group: one for each place.
pub(super) fn group<'a>(summary: &'a Summary, group: &'a AzureGroup) -> impl Iterator<Item = Event<'a>> {
    let of_places = group.lines.chunk_by(|one, other| one.place == other.place);
    of_places.filter_map(move |lines| {
        let place = summary.place(lines.first()?.place);
        let id = place.id();
        Some(Event::Azure(AzureEvent {
            action: group.action.label(),
            reason: group.reason.label(),
            reason_node: match &group.reason {
                Reason::NodeAdded(name) | Reason::NodeRemoved(name) => Some(name.as_str()),
                _ => None,
            },
            kind: group.kind.id,
            place: place.name(),
            id,
            drift: group.is_drift(),
            count: lines.len(),
            changes: lines.iter().map(|line| change(summary, group, line)).collect(),
        }))
    })
}

fn change<'a>(summary: &Summary, group: &AzureGroup, line: &'a AzureLine) -> AzureChange<'a> {
    let (destination, before, after) = match &line.what {
        AzureWhat::Table(words) => (None, Value::Null, if words.is_empty() { Value::Null } else { json!(words) }),
        AzureWhat::Route { destination, before, after } => (Some(*destination), json!(before), json!(after)),
        AzureWhat::Association { before, after } => (None, json!(before), json!(after)),
        AzureWhat::Forwarding(on) => (None, json!(!on), json!(on)),
    };
    let address = group.address(summary, line);
    AzureChange { address, destination, before, after, found: line.found.as_deref() }
}

/// What a network interface says of the routes of its subnet.
pub fn effective(one: &drive::Effective) -> Event<'_> {
    use drive::EffectiveOutcome::{CannotBeVerified, Differs, InForce};
    let mut event = EffectiveEvent {
        table: one.table.name(),
        subnet: &one.subnet,
        outcome: "in_force",
        interface: None,
        routes: None,
        missing: &[],
        message: None,
    };
    match &one.outcome {
        InForce(interface, routes) => {
            (event.interface, event.routes) = (Some(interface.as_str()), Some(*routes));
        }
        Differs(interface, missing) => {
            (event.outcome, event.interface, event.missing) = ("differs", Some(interface.as_str()), missing.as_slice());
        }
        CannotBeVerified(why) => (event.outcome, event.message) = ("cannot_be_verified", Some(why.as_str())),
    }
    Event::Effective(event)
}

//! What is said after a run of the routes in the cloud, and how many requests went there.

use serde::Serialize;

use super::Event;
use crate::drive;
use crate::exchange::arm::AzureRequests;
use crate::network::Prefix;

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

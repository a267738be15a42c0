//! Whether the routes of tables are in force, according to network interfaces after a run.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Failure, Run, RunOutcome};
use crate::backend::azure_udr::{EffectiveCheck, Hop, arm, name_of};
use crate::exchange::arm::AzureFailure;
use crate::network::Prefix;
use crate::resource::Place;
use crate::transport::azure::Azure;

/// How often topo asks a network interface before it says that routes differ: new routes take a few seconds to arrive.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);
/// The time limit for one question about effective routes.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a network interface says after a run about the routes of its subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The table.
    pub table: Place,
    /// The name of the subnet.
    pub subnet: String,
    /// The outcome.
    pub outcome: EffectiveOutcome,
}

/// Whether routes are in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectiveOutcome {
    /// All of them: the network interface that was asked, and the number of routes.
    InForce(String, usize),
    /// Not all of them: the network interface, and the missing routes.
    Differs(String, Vec<Prefix>),
    /// Nobody can tell; the reason.
    CannotBeVerified(String),
}

/// Checks after a run whether the routes of tables are in force on network interfaces.
pub(super) async fn look(run: &Run<'_>, outcome: &mut RunOutcome) {
    let Some(azure) = run.azure.clone().filter(|_| !outcome.stopped) else { return };
    for check in &run.azure_work.checks {
        let planned = run.plan.places.get(&check.table).is_some_and(|planned| planned.acts);
        let network = check.subnet.rsplit_once("/subnets/").map_or("", |(network, _)| network);
        let is_network = |place: &Place| arm(place).is_some_and(|id| id.eq_ignore_ascii_case(network));
        let associated = run.plan.places.iter().any(|(place, planned)| planned.acts && is_network(place));
        let failed = |failure: &Failure| failure.place == check.table || is_network(&failure.place);
        if !(planned || associated) || outcome.failures.iter().any(failed) {
            continue;
        }
        let mut stop = run.stop.clone();
        let interrupted = async {
            // If the sender is gone, nobody can ask to stop any more.
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let found = tokio::select! {
            found = watch(&azure, check, &outcome.skipped) => found,
            () = interrupted => EffectiveOutcome::CannotBeVerified("interrupted".to_owned()),
        };
        let subnet = name_of(&check.subnet).to_owned();
        outcome.effective.push(Effective { table: check.table.clone(), subnet, outcome: found });
    }
}

async fn watch(azure: &Arc<dyn Azure>, check: &EffectiveCheck, skipped: &[(Place, Place, usize)]) -> EffectiveOutcome {
    let mut why = match (check.interfaces.is_empty(), check.more) {
        (true, _) => "no network interface of a machine is in the subnet".to_owned(),
        (false, _) => String::new(),
    };
    for id in &check.interfaces {
        let name = name_of(id).to_owned();
        for look in 1..=LOOKS {
            let answer = tokio::time::timeout(PATIENCE, azure.effective_routes(id)).await;
            let routes = match answer {
                Ok(Ok(routes)) => routes,
                Ok(Err(error)) => {
                    // Azure's code for it is on no tape; its words say that the machine must be running.
                    let stopped = error.failure == AzureFailure::State && error.text.to_lowercase().contains("running");
                    why = if stopped { format!("VM stopped ({name})") } else { error.text };
                    break;
                }
                Err(_) => {
                    why =
                        format!("Azure did not report the effective routes of {name} within {} s", PATIENCE.as_secs());
                    break;
                }
            };
            let missing: Vec<Prefix> =
                check.routes.iter().filter(|(key, hop)| !is_in_force(&routes, key, hop)).map(|(key, _)| *key).collect();
            let left = skipped.iter().filter(|(place, ..)| *place == check.table).map(|(.., number)| number).sum();
            if missing.len() <= left {
                return EffectiveOutcome::InForce(name, check.routes.len() - missing.len());
            }
            if look == LOOKS {
                return EffectiveOutcome::Differs(name, missing);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    EffectiveOutcome::CannotBeVerified(why)
}

/// Whether an effective route leads to a destination by the next hop of a table.
fn is_in_force(routes: &[Value], destination: &Prefix, hop: &Hop) -> bool {
    let has = |list: &Value, test: &dyn Fn(&str) -> bool| match list {
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(test),
        Value::String(text) => test(text),
        _ => false,
    };
    routes.iter().any(|route| {
        let to = |text: &str| text.parse::<Prefix>().is_ok_and(|prefix| prefix == *destination);
        let by = |text: &str| text.parse::<IpAddr>().ok() == hop.address;
        route["state"].as_str().is_some_and(|state| state.eq_ignore_ascii_case("Active"))
            && route["source"].as_str().is_some_and(|source| source.eq_ignore_ascii_case("User"))
            && has(&route["addressPrefix"], &to)
            && route["nextHopType"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(&hop.kind))
            && (hop.address.is_none() || has(&route["nextHopIpAddress"], &by))
    })
}

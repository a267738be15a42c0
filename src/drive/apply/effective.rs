//! Whether the routes of tables are in force, according to network interfaces after a run.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Failure, Run, RunOutcome};
use crate::backend::azure_udr::{EffectiveCheck, Hop, arm, name_of};
use crate::drive::Skipped;
use crate::exchange::arm::AzureFailure;
use crate::network::Prefix;
use crate::resource::Place;
use crate::transport::azure::Azure;

/// How often topo asks a network interface before it says that routes differ: new routes take a few seconds to arrive.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);
/// The time limit for one question about effective routes.
const PATIENCE: Duration = Duration::from_secs(120);

/// So many routes that are not in force are named.
const NAMED: usize = 5;

/// Whether the routes of a place are in force, according to the network after a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// The name of the place.
    pub place: String,
    /// The name of the subnet where the routes apply.
    pub subnet: String,
    /// What the network says.
    pub verdict: Verdict,
    /// The network interface that says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Number of routes that are in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<usize>,
    /// Routes that are not in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Prefix>,
    /// The same in full sentences.
    pub text: String,
}

/// Whether routes are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

    fn of(check: &EffectiveCheck, verdict: Verdict, text: &str) -> Self {
        let (place, subnet) = (check.table.name().to_owned(), name_of(&check.subnet).to_owned());
        let text = format!("{subnet}: {text}");
        Self { place, subnet, verdict, interface: None, routes: None, missing: Vec::new(), text }
    }

    fn in_force(check: &EffectiveCheck, interface: String, routes: usize) -> Self {
        let are = if routes == 1 { "route is" } else { "routes are" };
        let text = format!("{routes} {are} in force (effective routes of {interface}).");
        Self { interface: Some(interface), routes: Some(routes), ..Self::of(check, Verdict::InForce, &text) }
    }

    fn not_in_force(check: &EffectiveCheck, interface: String, missing: Vec<Prefix>) -> Self {
        let named: Vec<String> = missing.iter().take(NAMED).map(Prefix::to_string).collect();
        let more = match missing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (routes, are) = if missing.len() == 1 { ("route", "is") } else { ("routes", "are") };
        let text = format!(
            "{} {routes} of {} {are} not in force (effective routes of {interface}): {}{more}. Azure may need some minutes \
             more; `az network nic show-effective-route-table --name {interface}` shows what goes there.",
            missing.len(),
            check.table.name(),
            named.join(", ")
        );
        Self { interface: Some(interface), missing, ..Self::of(check, Verdict::Differs, &text) }
    }

    fn unverified(check: &EffectiveCheck, why: &str) -> Self {
        let text = format!("cannot be verified: {}.", why.trim_end().trim_end_matches('.'));
        Self::of(check, Verdict::CannotBeVerified, &text)
    }
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
            () = interrupted => Confirmation::unverified(check, "interrupted"),
        };
        outcome.confirmations.push(found);
    }
}

async fn watch(azure: &Arc<dyn Azure>, check: &EffectiveCheck, skipped: &[Skipped]) -> Confirmation {
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
            let left = skipped.iter().filter(|one| one.place == check.table).map(|one| one.routes).sum();
            if missing.len() <= left {
                return Confirmation::in_force(check, name, check.routes.len() - missing.len());
            }
            if look == LOOKS {
                return Confirmation::not_in_force(check, name, missing);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Confirmation::unverified(check, &why)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::azure_udr::ARM;

    fn check() -> EffectiveCheck {
        EffectiveCheck {
            table: Place::new(&ARM, "/x/routeTables/kubernetes-routes"),
            subnet: "/x/virtualNetworks/kubernetes-vnet/subnets/kubernetes-subnet".to_owned(),
            interfaces: Vec::new(),
            more: 0,
            routes: Vec::new(),
        }
    }

    #[test]
    fn sentences_name_the_subnet_the_interface_and_the_missing_routes() {
        let nic = || "worker-0-nic".to_owned();
        assert_eq!(
            Confirmation::in_force(&check(), nic(), 2).text,
            "kubernetes-subnet: 2 routes are in force (effective routes of worker-0-nic)."
        );
        assert_eq!(
            Confirmation::unverified(&check(), "VM stopped (worker-0-nic). ").text,
            "kubernetes-subnet: cannot be verified: VM stopped (worker-0-nic)."
        );
        let missing = (0..7).map(|number| format!("10.200.{number}.0/24").parse().expect("prefix")).collect();
        let differs = Confirmation::not_in_force(&check(), nic(), missing);
        assert_eq!(
            differs.text,
            "kubernetes-subnet: 7 routes of kubernetes-routes are not in force (effective routes of worker-0-nic): \
             10.200.0.0/24, 10.200.1.0/24, 10.200.2.0/24, 10.200.3.0/24, 10.200.4.0/24 and 2 more. Azure may need some \
             minutes more; `az network nic show-effective-route-table --name worker-0-nic` shows what goes there."
        );
        assert!(differs.differs());
    }
}

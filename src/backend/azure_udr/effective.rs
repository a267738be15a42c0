//! Whether the routes of tables are in force, according to network interfaces after a run.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{EffectiveCheck, Hop, arm, name_of};
use crate::backend::Check;
use crate::exchange::arm::AzureFailure;
use crate::network::Prefix;
use crate::plan::Plan;
use crate::report::{Confirmation, RunOutcome, Verdict};
use crate::resource::Place;
use crate::transport::azure::Azure;

/// How often topo asks a network interface before it says that routes differ: new routes take a few seconds to arrive.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);
/// The time limit for one question about effective routes.
const PATIENCE: Duration = Duration::from_secs(120);

/// So many routes that are not in force are named.
const NAMED: usize = 5;

impl EffectiveCheck {
    fn answer(&self, verdict: Verdict, text: &str) -> Confirmation {
        let (place, subnet) = (self.table.name().to_owned(), name_of(&self.subnet).to_owned());
        let text = format!("{subnet}: {text}");
        Confirmation { place, subnet, verdict, interface: None, routes: None, missing: Vec::new(), text }
    }

    fn in_force(&self, interface: String, routes: usize) -> Confirmation {
        let are = if routes == 1 { "route is" } else { "routes are" };
        let text = format!("{routes} {are} in force (effective routes of {interface}).");
        Confirmation { interface: Some(interface), routes: Some(routes), ..self.answer(Verdict::InForce, &text) }
    }

    fn not_in_force(&self, interface: String, missing: Vec<Prefix>) -> Confirmation {
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
            self.table.name(),
            named.join(", ")
        );
        Confirmation { interface: Some(interface), missing, ..self.answer(Verdict::Differs, &text) }
    }

    fn unverified(&self, why: &str) -> Confirmation {
        let text = format!("cannot be verified: {}.", why.trim_end().trim_end_matches('.'));
        self.answer(Verdict::CannotBeVerified, &text)
    }

    /// Whether the run changed something that the check depends on, and nothing of it failed.
    fn is_due(&self, plan: &Plan, outcome: &RunOutcome) -> bool {
        let network = self.subnet.rsplit_once("/subnets/").map_or("", |(network, _)| network);
        let concerns =
            |place: &Place| *place == self.table || arm(place).is_some_and(|id| id.eq_ignore_ascii_case(network));
        plan.places.iter().any(|(place, planned)| planned.acts && concerns(place))
            && !outcome.failures.iter().any(|failure| concerns(&failure.place))
    }

    /// Asks the interfaces until one answers. `left` is the number of routes that the run skipped.
    async fn watch(self, azure: Arc<dyn Azure>, left: usize) -> Confirmation {
        // It stays if there is no interface to ask.
        let mut why = "no network interface of a machine is in the subnet".to_owned();
        for id in &self.interfaces {
            let name = name_of(id).to_owned();
            for look in 1..=LOOKS {
                let answer = tokio::time::timeout(PATIENCE, azure.effective_routes(id)).await;
                let routes = match answer {
                    Ok(Ok(routes)) => routes,
                    Ok(Err(error)) => {
                        // Azure's code for it is on no tape; its words say that the machine must be running.
                        let stopped =
                            error.failure == AzureFailure::State && error.text.to_lowercase().contains("running");
                        why = if stopped { format!("VM stopped ({name})") } else { error.text };
                        break;
                    }
                    Err(_) => {
                        let seconds = PATIENCE.as_secs();
                        why = format!("Azure did not report the effective routes of {name} within {seconds} s");
                        break;
                    }
                };
                let missing = self.routes.iter().filter(|(key, hop)| !is_in_force(&routes, key, hop));
                let missing: Vec<Prefix> = missing.map(|(key, _)| *key).collect();
                if missing.len() <= left {
                    return self.in_force(name, self.routes.len() - missing.len());
                }
                if look == LOOKS {
                    return self.not_in_force(name, missing);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.unverified(&why)
    }
}

/// The checks after a run: whether the routes of tables are in force on network interfaces.
pub(super) fn confirm(
    checks: &[EffectiveCheck],
    azure: &Arc<dyn Azure>,
    plan: &Plan,
    outcome: &RunOutcome,
) -> Vec<Check> {
    let due = checks.iter().filter(|check| check.is_due(plan, outcome));
    let check = |check: &EffectiveCheck| {
        let left = outcome.skipped.iter().filter(|one| one.place == check.table).map(|one| one.routes).sum();
        let interrupted = check.unverified("interrupted");
        Check { interrupted, asking: Box::pin(check.clone().watch(Arc::clone(azure), left)) }
    };
    due.map(check).collect()
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
            check().in_force(nic(), 2).text,
            "kubernetes-subnet: 2 routes are in force (effective routes of worker-0-nic)."
        );
        assert_eq!(
            check().unverified("VM stopped (worker-0-nic). ").text,
            "kubernetes-subnet: cannot be verified: VM stopped (worker-0-nic)."
        );
        let missing = (0..7).map(|number| format!("10.200.{number}.0/24").parse().expect("prefix")).collect();
        let differs = check().not_in_force(nic(), missing);
        assert_eq!(
            differs.text,
            "kubernetes-subnet: 7 routes of kubernetes-routes are not in force (effective routes of worker-0-nic): \
             10.200.0.0/24, 10.200.1.0/24, 10.200.2.0/24, 10.200.3.0/24, 10.200.4.0/24 and 2 more. Azure may need some \
             minutes more; `az network nic show-effective-route-table --name worker-0-nic` shows what goes there."
        );
        assert!(differs.differs());
    }
}

//! The end of a run as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::style::Look;
use super::words::{counted, place_names, wrapped};
use crate::drive::{Effective, EffectiveOutcome};
use crate::exchange::arm::AzureRequests;
use crate::network::Prefix;
use crate::resource::{Place, natural_order};

/// So many routes that are not in force are named.
const NAMED: usize = 5;

/// What has come of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether all was to be removed.
    pub destroy: bool,
    /// What was recorded as it was.
    pub imported: usize,
    /// What was added.
    pub added: usize,
    /// What was changed.
    pub changed: usize,
    /// What was removed.
    pub destroyed: usize,
    /// What is left to do: where, number of routes, and why, in a sentence.
    pub left: Vec<(Place, usize, String)>,
    /// Places whose routes are live and not yet kept by the file that was to keep them.
    pub not_persistent: Vec<Place>,
    /// What network interfaces in Azure say of the new routes.
    pub effective: Vec<Effective>,
    /// Requests to Azure, where there is a way to it.
    pub azure: Option<AzureRequests>,
}

impl Outcome {
    /// Whether all is done, and nothing says that it does not work.
    pub fn is_complete(&self) -> bool {
        let differs = |one: &Effective| matches!(one.outcome, EffectiveOutcome::Differs(..));
        self.left.is_empty() && !self.effective.iter().any(differs)
    }
}

/// The end of `apply` or `destroy`.
pub fn result(outcome: &Outcome, look: Look) -> String {
    let verb = if outcome.destroy { "Destroy" } else { "Apply" };
    let import = if outcome.imported > 0 { format!("{} imported, ", outcome.imported) } else { String::new() };
    let resources = if outcome.destroy && outcome.added + outcome.changed + outcome.imported == 0 {
        format!("{} destroyed", outcome.destroyed)
    } else {
        format!("{import}{} added, {} changed, {} destroyed", outcome.added, outcome.changed, outcome.destroyed)
    };
    let mut out = String::new();
    for one in &outcome.effective {
        let text = wrapped(&effective(one), look.width, "", "  ");
        let style = if matches!(one.outcome, EffectiveOutcome::InForce(..)) { "" } else { "33" };
        out.push_str(&look.paint_lines(style, &text));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    if outcome.is_complete() {
        return out + &look.paint_lines("1;32", &format!("{verb} complete! Resources: {resources}."));
    }
    out.push_str(&look.paint_lines("1;33", &format!("{verb} incomplete. Resources: {resources}.")));
    // What network interfaces say is above, and another run does not change it.
    if outcome.left.is_empty() {
        return out;
    }
    let mut reasons: BTreeMap<&str, (Vec<&Place>, usize)> = BTreeMap::new();
    for (place, routes, why) in &outcome.left {
        let entry = reasons.entry(why).or_default();
        entry.0.push(place);
        entry.1 += routes;
    }
    out.push_str("\nLeft to do:\n");
    for (why, (mut places, routes)) in reasons {
        places.sort_by(|one, other| natural_order(one.name(), other.name()));
        places.dedup();
        let routes = if routes > 0 { format!(" ({})", counted(routes, "route")) } else { String::new() };
        let text = format!("{}{routes}: {why}", place_names(places.iter().copied()));
        // Behind a sentence there may be lines of a file or a difference.
        let mut lines = text.lines();
        out.push_str(&wrapped(lines.next().unwrap_or_default(), look.width, "  ", "    "));
        for line in lines.filter(|line| !line.trim().is_empty()) {
            out.push_str(&wrapped(line, look.width, "      ", "      "));
        }
    }
    if !outcome.not_persistent.is_empty() {
        let mut places: Vec<&Place> = outcome.not_persistent.iter().collect();
        places.sort_by(|one, other| natural_order(one.name(), other.name()));
        let text = format!(
            "Not persistent yet: {}. Their routes would not survive a reboot, a restart of systemd-networkd or a loss of \
             carrier.",
            place_names(places.into_iter())
        );
        out.push('\n');
        out.push_str(&wrapped(&text, look.width, "", ""));
    }
    let command = verb.to_lowercase();
    let _ = write!(out, "\nRun topo {command} again to go on from there.\n");
    out
}

/// What a network interface says of the routes of its subnet.
fn effective(one: &Effective) -> String {
    let subnet = &one.subnet;
    match &one.outcome {
        EffectiveOutcome::InForce(interface, number) => {
            let are = if *number == 1 { "is" } else { "are" };
            format!("{subnet}: {} {are} in force (effective routes of {interface}).", counted(*number, "route"))
        }
        EffectiveOutcome::Differs(interface, missing) => {
            let more = missing.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named: Vec<String> = missing.iter().take(NAMED).map(Prefix::to_string).collect();
            let are = if missing.len() == 1 { "is" } else { "are" };
            format!(
                "Warning: {subnet}: {} of {} {are} not in force (effective routes of {interface}): {}{more}. Azure may need \
                 some minutes more; `az network nic show-effective-route-table --name {interface}` shows what goes there.",
                counted(missing.len(), "route"),
                one.table.name(),
                named.join(", ")
            )
        }
        EffectiveOutcome::CannotBeVerified(why) => {
            format!("{subnet}: cannot be verified: {}.", why.trim_end().trim_end_matches('.'))
        }
    }
}

/// How many requests went to Azure.
pub fn requests(requests: AzureRequests) -> String {
    let counted = |number: u64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    format!("Azure: {}, {}.", counted(requests.reads, "read"), counted(requests.writes, "write"))
}

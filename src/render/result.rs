//! The end of a run as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::text::Look;
use super::words::{counted, names, wrapped};
use crate::plan::{Place, natural_order};

/// What has come of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether all was to be removed.
    pub destroy: bool,
    /// Routes that were recorded as they were.
    pub imported: usize,
    /// Routes that were added.
    pub added: usize,
    /// Routes that were changed.
    pub changed: usize,
    /// Routes that were removed.
    pub destroyed: usize,
    /// What is left to do: where, number of routes, and why, in a sentence.
    pub left: Vec<(Place, usize, String)>,
    /// Places whose routes are live and not yet kept by the file that was to keep them.
    pub not_persistent: Vec<Place>,
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
    if outcome.left.is_empty() {
        return look.paint_lines("1;32", &format!("{verb} complete! Resources: {resources}."));
    }
    let mut out = look.paint_lines("1;33", &format!("{verb} incomplete. Resources: {resources}."));
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
        let text = format!("{}{routes}: {why}", names(places.iter().map(|place| place.name())));
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
            names(places.into_iter().map(Place::name))
        );
        out.push('\n');
        out.push_str(&wrapped(&text, look.width, "", ""));
    }
    let command = verb.to_lowercase();
    let _ = write!(out, "\nRun topo {command} again to go on from there.\n");
    out
}

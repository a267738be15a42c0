//! Reports where packets of a node do not take the wanted routes: rules lead them elsewhere, or files of others bring other routes back.

use std::collections::{BTreeMap, BTreeSet};

use super::observed::Seen;
use super::ways::{LedAway, Ways};
use super::words::listed;
use crate::exchange::node::{FoundWay, Rule};
use crate::network::Prefix;
use crate::plan::findings::Text;
use crate::plan::{DesiredPlace, Finding, Plan};
use crate::resource::Place;

impl Plan {
    /// Reports the files that keep rows of others on wanted keys: what topo writes there does not last.
    pub(super) fn check_kept(&mut self, place: &Place, seen: &Seen) {
        let mut files: BTreeMap<&str, BTreeSet<Prefix>> = BTreeMap::new();
        for (destination, path) in &seen.kept {
            files.entry(path).or_default().insert(*destination);
        }
        for (path, destinations) in files {
            self.findings.push(kept_by_file(place, path, &destinations.into_iter().collect::<Vec<_>>()));
        }
    }

    /// Reports where the packets of a node do not take the wanted routes because of its rules, and what topo could not ask.
    pub(super) fn check_ways(&mut self, place: &Place, wanted: Option<&DesiredPlace>, seen: &Seen) {
        let Some(found) = &seen.ways else { return };
        let ways = Ways::new(wanted, None, seen);
        let set = wanted.iter().flat_map(|wanted| wanted.resources.values()).find_map(|shape| shape.routes.as_ref());
        let Some(set) = set else { return };
        let is_live = |destination: &Prefix| match (set.find(destination), seen.table(set.view.table)) {
            // The node's own pods.
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(listed)) if listed.ours.is_as_known() => true,
            (Some(route), Some(listed)) => {
                listed.rows().any(|row| row.destination == route.destination && row.next_hop == Some(route.next_hop))
            }
        };
        for cause in ways.led_away(found, is_live) {
            self.findings.push(led_by_rule(place, &cause, &cause.rules(&seen.identity.rules)));
        }
        let mut not_asked: BTreeSet<String> = BTreeSet::new();
        not_asked.extend(found.iter().filter_map(|found| match found {
            FoundWay::NotForwarded(why) => Some(why.clone()),
            _ => None,
        }));
        not_asked.extend(ways.without_device.iter().map(|subnet| format!("no device has an address in {subnet}")));
        if !not_asked.is_empty() {
            self.findings.push(not_forwarded(place, &not_asked.into_iter().collect::<Vec<_>>()));
        }
    }
}

/// A rule leads packets past the wanted routes.
fn led_by_rule(place: &Place, cause: &LedAway, rules: &[&Rule]) -> Finding {
    let LedAway { table, said, .. } = cause;
    let packets = cause.packets();
    let (text, found) = match table {
        Some(table) => {
            (format!(", a rule leads {packets} to table {table}: {said}."), format!("table {table}: {said}"))
        }
        None => (format!(", the kernel drops {packets}: {said}."), said.clone()),
    };
    let look = match rules {
        [] => "Look at `ip rule` there.".to_owned(),
        [rule] => format!("If nobody needs that rule, run {} there.", rule.removal()),
        rules => {
            let rules: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.text)).collect();
            format!("Look at these rules there: {}.", listed(&rules))
        }
    };
    Finding::warning("rule", place, Text::around("On ", text)).found(found).act(look)
}

/// Rules are there, and the kernel cannot be asked about packets of pods.
fn not_forwarded(place: &Place, why: &[String]) -> Finding {
    let text = format!(
        " has rules of its own (`ip rule`). topo could not ask which way packets of its pods take: {}.",
        listed(why)
    );
    Finding::note("rule_unknown", place, Text::around("", text)).found(why.join(", "))
}

/// A file of somebody else keeps rows, so they come back.
fn kept_by_file(place: &Place, path: &str, destinations: &[Prefix]) -> Finding {
    let all: Vec<String> = destinations.iter().map(ToString::to_string).collect();
    let (other, route, it, comes) = match destinations {
        [_] => ("another", "route", "it", "it comes"),
        _ => ("other", "routes", "them", "they come"),
    };
    let text = format!(
        ", the file {path} keeps {other} {route} to {}. Even if topo takes {it} over, {comes} back whenever that file is loaded, also at a \
         reboot, and the kernel may use {it} then.",
        listed(&all)
    );
    Finding::warning("kept_by_file", place, Text::around("On ", text))
        .found(path)
        .act(format!("Take the {route} out of {path}, and load it."))
}

//! The end of a run as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::style::Look;
use super::words::{counted, place_names, wrapped};
use crate::exchange::Requests;
use crate::report::{Confirmation, RunOutcome, Verdict};
use crate::resource::{Action, Place, natural_order};

/// The end of a run.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// Whether the run was to remove everything.
    pub destroy: bool,
    /// What the run did.
    pub run: &'a RunOutcome,
    /// What is left to do: the place, the number of routes, and the reason in a sentence.
    pub left: Vec<(Place, usize, String)>,
    /// Whether another run can do some of that. It cannot do what the user leaves to others.
    pub can_continue: bool,
    /// How many requests topo has sent, by service.
    pub requests: &'a [Requests],
}

impl Outcome<'_> {
    /// Whether everything is done, and all routes are in force as far as the network says it.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.run.is_complete()
    }
}

/// The end of `apply` or `destroy`.
pub fn result(outcome: &Outcome<'_>, look: Look) -> String {
    let Outcome { destroy, run, left, .. } = outcome;
    let verb = if *destroy { "Destroy" } else { "Apply" };
    let [imported, added, changed, destroyed] =
        [Action::Import, Action::Add, Action::Change, Action::Remove].map(|action| run.done(action));
    let import = if imported > 0 { format!("{imported} imported, ") } else { String::new() };
    let resources = if *destroy && added + changed + imported == 0 {
        format!("{destroyed} destroyed")
    } else {
        format!("{import}{added} added, {changed} changed, {destroyed} destroyed")
    };
    let mut out = String::new();
    for Confirmation { verdict, text, .. } in &run.confirmations {
        let warning = if *verdict == Verdict::Differs { "Warning: " } else { "" };
        let text = wrapped(&format!("{warning}{text}"), look.width, "", "  ");
        let style = if *verdict == Verdict::InForce { "" } else { "33" };
        out.push_str(&look.paint_lines(style, &text));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    if outcome.is_complete() {
        return out + &look.paint_lines("1;32", &format!("{verb} complete! Resources: {resources}."));
    }
    out.push_str(&look.paint_lines("1;33", &format!("{verb} incomplete. Resources: {resources}.")));
    // The text above says which routes are not in force. Another run does not change that.
    if left.is_empty() {
        return out;
    }
    let mut reasons: BTreeMap<&str, (Vec<&Place>, usize)> = BTreeMap::new();
    for (place, routes, why) in left {
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
        // After the sentence there may be lines of a file or of a difference.
        let mut lines = text.lines();
        out.push_str(&wrapped(lines.next().unwrap_or_default(), look.width, "  ", "    "));
        for line in lines.filter(|line| !line.trim().is_empty()) {
            out.push_str(&wrapped(line, look.width, "      ", "      "));
        }
    }
    if !run.not_persistent.is_empty() {
        let mut places: Vec<&Place> = run.not_persistent.iter().collect();
        places.sort_by(|one, other| natural_order(one.name(), other.name()));
        let text = format!(
            "Not persistent yet: {}. No file keeps these routes yet, so they would not survive a reboot.",
            place_names(places.into_iter())
        );
        out.push('\n');
        out.push_str(&wrapped(&text, look.width, "", ""));
    }
    if outcome.can_continue {
        let command = verb.to_lowercase();
        let _ = write!(out, "\nRun topo {command} again to continue.\n");
    }
    out
}

/// How many requests topo has sent to a service.
pub fn requests(requests: &Requests) -> String {
    let counted = |number: u64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let Requests { service, reads, writes } = requests;
    format!("{service}: {}, {}.", counted(*reads, "read"), counted(*writes, "write"))
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use crate::resource::Name;

    const LOOK: Look = Look { color: false, width: 80 };

    fn place(name: &str) -> Place {
        Place::from(Name::new(name).expect("a name"))
    }

    fn of(run: &RunOutcome) -> Outcome<'_> {
        Outcome { destroy: false, run, left: Vec::new(), can_continue: true, requests: &[] }
    }

    #[test]
    fn the_end_of_a_run_says_what_is_left() {
        let run =
            |done: &[(Action, usize)]| RunOutcome { done: done.iter().copied().collect(), ..RunOutcome::default() };
        let end = |destroy, run: &RunOutcome, left| {
            result(&Outcome { destroy, run, left, can_continue: true, requests: &[] }, LOOK)
        };
        let mut done = run(&[(Action::Add, 12)]);
        assert_eq!(end(false, &done, Vec::new()), "Apply complete! Resources: 12 added, 0 changed, 0 destroyed.\n");
        done.done.insert(Action::Import, 3);
        let why = || "The node could not be reached.".to_owned();
        let left = vec![(place("node-2"), 4, why()), (place("node-1"), 5, why())];
        assert_eq!(
            end(false, &done, left),
            "Apply incomplete. Resources: 3 imported, 12 added, 0 changed, 0 destroyed.

Left to do:
  node-1, node-2 (9 routes): The node could not be reached.

Run topo apply again to continue.
"
        );
        let gone = run(&[(Action::Remove, 7)]);
        assert_eq!(end(true, &gone, Vec::new()), "Destroy complete! Resources: 7 destroyed.\n");
    }

    #[test]
    fn routes_that_are_not_in_force_make_a_run_incomplete() {
        let one = |verdict, missing: &[&str], text: &str| Confirmation {
            place: "routes".to_owned(),
            subnet: "workers".to_owned(),
            verdict,
            interface: None,
            routes: None,
            missing: missing.iter().map(|text| text.parse().expect("prefix")).collect(),
            text: text.to_owned(),
        };
        let good = one(Verdict::InForce, &[], "workers: 2 routes are in force.");
        let unknown = one(Verdict::CannotBeVerified, &[], "workers: cannot be verified.");
        let bad = one(Verdict::Differs, &["10.200.0.0/24"], "workers: 1 route is not in force.");
        let run = |confirmations: &[&Confirmation]| RunOutcome {
            confirmations: confirmations.iter().copied().cloned().collect(),
            ..RunOutcome::default()
        };
        assert_eq!(
            result(&of(&run(&[&good, &unknown])), LOOK),
            "workers: 2 routes are in force.
workers: cannot be verified.

Apply complete! Resources: 0 added, 0 changed, 0 destroyed.
"
        );
        assert_eq!(
            result(&of(&run(&[&bad])), LOOK),
            "Warning: workers: 1 route is not in force.

Apply incomplete. Resources: 0 added, 0 changed, 0 destroyed.
"
        );
        let end = |one| serde_json::to_value(json::result(&of(&run(&[one])))).expect("JSON");
        assert_eq!((&end(&unknown)["complete"], &end(&bad)["complete"]), (&true.into(), &false.into()));
        let confirmation = serde_json::json!({
            "place": "routes", "subnet": "workers", "verdict": "differs", "missing": ["10.200.0.0/24"],
            "text": "workers: 1 route is not in force."
        });
        assert_eq!(end(&bad)["confirmations"], serde_json::json!([confirmation]));
    }

    #[test]
    fn requests_are_counted_by_service() {
        let requests = Requests { service: "Cloud".into(), reads: 1, writes: 2 };
        assert_eq!(super::requests(&requests), "Cloud: 1 read, 2 writes.");
        let run = RunOutcome::default();
        let event = serde_json::to_value(json::result(&Outcome { requests: &[requests], ..of(&run) }));
        assert_eq!(
            event.expect("JSON")["requests"],
            serde_json::json!([{ "service": "Cloud", "reads": 1, "writes": 2 }])
        );
    }
}

//! Plans and the ends of runs as events.

mod changes;

use super::sentence::{self, Sentence};
use super::text::Outcome;
use crate::exchange::Requests;
use crate::plan::findings::{self, Finding};
use crate::plan::{Plan, Summary};
use crate::report::{self, CommandResult, Event, Left, RemedyKind, RunResult, Totals};
use crate::resource::Action;

/// Gives the events of a plan one by one: its changes, then its findings, then its totals. Write each event at once: together
/// they take much memory.
pub fn plan(plan: &Plan, summary: &Summary, take: &mut dyn FnMut(Event)) {
    for number in 0..summary.changes.len() {
        take(Event::Change(Box::new(changes::change(plan, summary, number))));
    }
    for sentence in sentence::all(plan) {
        take(Event::Finding(finding(&sentence)));
    }
    let Summary { import, add, change, destroy, .. } = *summary;
    take(Event::Summary(Totals { import, add, change, destroy, unseen: plan.unseen().len() }));
}

/// The result of `topo plan`.
pub fn plan_result(plan: &Plan, requests: &[Requests]) -> Event {
    Event::Result(CommandResult::Plan { changes: plan.has_changes(), requests: requests.to_vec() })
}

fn finding(sentence: &Sentence<'_>) -> report::Finding {
    let Finding { severity, code, found, remedies, .. } = sentence.first;
    let address = sentence.address();
    report::Finding {
        found: found.clone(),
        remedies: remedies.iter().map(|one| remedy(one, &address)).collect(),
        address: Some(address),
        places: sentence.places.iter().map(|place| place.name().into()).collect(),
        ..report::Finding::new(*severity, code, sentence.text())
    }
}

fn remedy(remedy: &findings::Remedy, address: &str) -> report::Remedy {
    let (kind, option) = match remedy {
        findings::Remedy::TakeOver => (RemedyKind::Option, Some(format!("--take-over {address}"))),
        findings::Remedy::Flag(option, _) => (RemedyKind::Option, Some(option.to_string())),
        findings::Remedy::Edit(_) => (RemedyKind::Edit, None),
        findings::Remedy::Act(_) => (RemedyKind::Act, None),
    };
    report::Remedy { kind, option, text: remedy.text(address).into_owned() }
}

/// The result of `topo apply` or `topo destroy`.
pub fn result(outcome: &Outcome<'_>) -> Event {
    let run = outcome.run;
    let left = outcome.left.iter();
    let result = RunResult {
        complete: outcome.is_complete(),
        imported: run.done(Action::Import),
        added: run.done(Action::Add),
        changed: run.done(Action::Change),
        destroyed: run.done(Action::Remove),
        not_persistent: run.not_persistent.iter().map(|place| place.name().into()).collect(),
        left: left
            .map(|(place, routes, text)| Left { place: place.name().into(), routes: *routes, text: text.clone() })
            .collect(),
        confirmations: run.confirmations.clone(),
        requests: outcome.requests.to_vec(),
    };
    Event::Result(if outcome.destroy { CommandResult::Destroy(result) } else { CommandResult::Apply(result) })
}

//! Plans and results as text.

mod changes;
mod places;

use std::collections::{BTreeMap, BTreeSet};

use self::changes::Writer;
pub use super::result::{Outcome, requests, result};
use super::sentence;
use super::style::{BOLD, Look, style};
use super::words::{counted, names, noun, wrapped};
use crate::plan::findings::{FORGOTTEN, Finding, Severity};
use crate::plan::{Plan, Summary};
use crate::resource::{Action, Known, Place};

/// So many sentences with the same code are written. The rest is counted.
const SAID: usize = 20;

/// A plan for review. `volatile` says whether to name the new routes that do not last.
pub fn plan(plan: &Plan, summary: &Summary, look: Look, volatile: bool, known: &Known) -> String {
    let mut out = String::new();
    let writer = Writer { plan, summary, look, known };
    let mut is_drift = false;
    let mut number = 0;
    while let Some(change) = summary.changes.get(number) {
        // The change of the file shows the routes in it.
        if change.part_of.is_some() {
            number += 1;
            continue;
        }
        if change.is_drift() && !is_drift {
            out.push_str(&look.paint_lines(BOLD, "Drift: topo will put these back"));
            out.push('\n');
        } else if is_drift && !change.is_drift() {
            out.push_str(&look.paint_lines(BOLD, "Asked for by the topology:"));
            out.push('\n');
        }
        is_drift = change.is_drift();
        number += writer.write(&mut out, number);
    }
    if !plan.forgotten.is_empty() {
        let mut places: Vec<&Place> = plan.forgotten.iter().collect();
        places.sort_by(|one, other| crate::resource::natural_order(one.name(), other.name()));
        let records = counted(places.len(), "record");
        let heading = format!("  # topo drops {records} without a login; what topo added there stays");
        out.push_str(&look.paint_lines(BOLD, &heading));
        for place in places {
            let line = format!("  {} {}", Action::Forget.sign(), place.name());
            out.push_str(&look.paint_lines(style(Action::Forget), &line));
        }
        out.push('\n');
    }
    write_sentences(&mut out, plan, look);
    out.push_str(&look.paint_lines(BOLD, &totals(plan, summary)));
    if let Some(text) = volatile.then(|| not_kept(plan, summary, known)).flatten() {
        out.push('\n');
        out.push_str(&wrapped(&text, look.width, "", ""));
    }
    out
}

/// Says which new routes do not last: no file keeps them.
fn not_kept(plan: &Plan, summary: &Summary, known: &Known) -> Option<String> {
    let (mut end, mut all) = ("", BTreeSet::new());
    for change in &summary.changes {
        let comes = matches!(change.action, Action::Add | Action::Change);
        if let Some(text) = known.words(&change.kind).transience().filter(|_| comes) {
            end = text;
            all.extend(change.members.iter().copied());
        }
    }
    let kept = |number: &u32| {
        plan.places.get(summary.place(*number)).is_some_and(|place| place.files().any(|(_, file)| file.wanted))
    };
    let lost: Vec<u32> = all.iter().copied().filter(|number| !kept(number)).collect();
    if lost.is_empty() {
        None
    } else if lost.len() == all.len() {
        let kind_of = |number: u32| summary.place(number).kind();
        let elsewhere = (0..summary.place_count()).any(|number| kind_of(number) != kind_of(lost[0]));
        let these = if elsewhere { "The routes on nodes" } else { "These routes" };
        Some(format!("{these} {end}"))
    } else {
        Some(format!("The routes of {} {end}", names(lost.iter().map(|number| summary.place(*number).name()))))
    }
}

fn totals(plan: &Plan, summary: &Summary) -> String {
    // What topo leaves out is not as configured, although no change is planned for it.
    let is_complete = plan.forgotten.is_empty() && !plan.is_stopped() && !plan.leaves_out();
    if summary.is_empty() && is_complete {
        let unseen = plan.unseen();
        return match unseen.len() {
            0 => "No changes. Your infrastructure matches the configuration.".to_owned(),
            number => {
                let noun = noun(unseen.into_iter());
                format!("No changes. But topo could not look at {}.", counted(number, noun))
            }
        };
    }
    let import = if summary.import > 0 { format!("{} to import, ", summary.import) } else { String::new() };
    format!("Plan: {import}{} to add, {} to change, {} to destroy.", summary.add, summary.change, summary.destroy)
}

fn write_sentences(out: &mut String, plan: &Plan, look: Look) {
    let sentences = sentence::all(plan);
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for sentence in &sentences {
        *found.entry(sentence.first.code).or_default() += 1;
    }
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for sentence in &sentences {
        let Finding { severity, code, .. } = sentence.first;
        // The changes have a list of dropped records.
        if *code == FORGOTTEN {
            continue;
        }
        let told = told.entry(code).or_default();
        *told += 1;
        let left = found[code] - SAID.min(found[code]);
        let label = severity.label();
        let text = match *told {
            number if number <= SAID => format!("{label}: {}", sentence.text()),
            number if number == SAID + 1 => format!("{label}: … and {left} more like this."),
            _ => continue,
        };
        let style = match severity {
            Severity::Note => "",
            Severity::Warning => "33",
            Severity::Conflict | Severity::Error => "31",
        };
        let mut lines = wrapped(&text, look.width, "", "  ");
        if look.color {
            lines.replace_range(..label.len(), &look.paint(style, label));
        }
        out.push_str(&lines);
    }
    if !told.is_empty() {
        out.push('\n');
    }
}

//! Plans and results as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::azure;
pub use super::result::{Outcome, requests, result};
use super::sentence;
use super::style::{BOLD, DIM, LISTED, Look, style};
use super::words::{clean, counted, names, noun, wrapped};
use crate::network::{MAIN_TABLE, Prefix};
use crate::plan::findings::{FORGOTTEN, Finding, Severity};
use crate::plan::{Change, FileGroup, Line, Live, Part, Plan, Summary};
use crate::resource::{Action, Place, Reason};

/// Up to here lines of several parts are compared, so that equal ones become one.
const COMPARED: usize = 2000;
/// With more lines than this, removals over different next hops are listed by destination.
const REMOVALS: usize = 200;
/// Sentences about the same topic are listed up to here, the rest is counted.
const SAID: usize = 20;

/// A plan for review. `volatile` says whether to name the routes that nothing keeps across reboots.
pub fn plan(plan: &Plan, summary: &Summary, look: Look, volatile: bool) -> String {
    let mut out = String::new();
    let is_drift = |file: &&FileGroup| file.change.reason.is_drift();
    let others = || summary.files.iter().filter(|file| !is_drift(file));
    let drifted: Vec<&FileGroup> = summary.files.iter().filter(is_drift).collect();
    let azure = |drift: bool| summary.azure.iter().filter(move |group| group.is_drift() == drift);
    if !summary.drift.is_empty() || !drifted.is_empty() || azure(true).next().is_some() {
        out.push_str(&look.paint_lines(BOLD, "Changed outside of topo since the last run:"));
        out.push('\n');
        for change in once(&summary.drift) {
            write_change(&mut out, plan, summary, change, look);
        }
        for file in drifted {
            write_file(&mut out, summary, file, look);
        }
        azure::write(&mut out, summary, azure(true), look);
        if !summary.changes.is_empty() || others().next().is_some() || azure(false).next().is_some() {
            out.push_str(&look.paint_lines(BOLD, "Asked for by the topology:"));
            out.push('\n');
        }
    }
    for change in once(&summary.changes) {
        write_change(&mut out, plan, summary, change, look);
    }
    for file in others() {
        write_file(&mut out, summary, file, look);
    }
    azure::write(&mut out, summary, azure(false), look);
    if !plan.forgotten.is_empty() {
        let mut places: Vec<&Place> = plan.forgotten.iter().collect();
        places.sort_by(|one, other| crate::resource::natural_order(one.name(), other.name()));
        let records =
            if places.len() == 1 { "1 record is".to_owned() } else { format!("{} records are", places.len()) };
        let heading = format!("  # {records} dropped without a login; what topo has put there stays");
        out.push_str(&look.paint_lines(BOLD, &heading));
        for place in places {
            let line = format!("  {} {}", Action::Forget.sign(), place.name());
            out.push_str(&look.paint_lines(style(Action::Forget), &line));
        }
        out.push('\n');
    }
    write_sentences(&mut out, plan, look);
    out.push_str(&look.paint_lines(BOLD, &totals(plan, summary)));
    if let Some(text) = volatile.then(|| not_kept(plan, summary)).flatten() {
        out.push('\n');
        out.push_str(&wrapped(&text, look.width, "", ""));
    }
    out
}

/// Says which routes nothing keeps.
fn not_kept(plan: &Plan, summary: &Summary) -> Option<String> {
    let comes = |change: &&Change| change.name.is_empty() && matches!(change.action, Action::Add | Action::Change);
    let changes = || summary.drift.iter().chain(&summary.changes).filter(comes);
    changes().next()?;
    let kept = |number: &u32| {
        plan.places.get(summary.place(*number)).is_some_and(|place| place.files.iter().any(|file| file.wanted))
    };
    let all: BTreeSet<u32> = changes().flat_map(|change| change.members.iter().copied()).collect();
    let lost: Vec<u32> = all.iter().copied().filter(|number| !kept(number)).collect();
    let end = "will not survive a reboot, a restart of systemd-networkd or a loss of carrier.";
    if lost.is_empty() {
        None
    } else if lost.len() == all.len() {
        // Those in Azure last.
        let these = if summary.azure.is_empty() { "These routes" } else { "The routes on nodes" };
        Some(format!("{these} {end}"))
    } else {
        Some(format!("The routes of {} {end}", names(lost.iter().map(|number| summary.place(*number).name()))))
    }
}

fn write_file(out: &mut String, summary: &Summary, file: &FileGroup, look: Look) {
    let one = file.members.len() == 1;
    let (is, gets) = if one { ("is", "gets") } else { ("are", "get") };
    let nodes = match file.members.len() {
        number @ 4.. => counted(number, "node"),
        _ => names(file.members.iter().map(|number| summary.place(*number).name())),
    };
    let name = &file.name;
    let what = match (file.change.action, &file.change.reason) {
        (Action::Import, Reason::Edited) => format!("{name} of {nodes} {is} as wanted; when it is loaded is recorded"),
        (Action::Import, _) => format!("{name} of {nodes} {is} as wanted and not recorded yet; it is recorded"),
        (Action::Add, Reason::Missing) => format!("{nodes} {gets} {name} again: it is not there any more"),
        (Action::Add, _) => format!("{nodes} {gets} {name}, with these routes"),
        (Action::Remove, Reason::Destroy) => format!("{name} of {nodes} is removed (destroy)"),
        (Action::Remove, _) => format!("{name} of {nodes} is removed (no longer wanted)"),
        (_, Reason::Altered(_)) => format!("{nodes} {gets} {name} put back: somebody has changed it"),
        (_, Reason::Stale(_)) => format!("{nodes} {gets} {name} put right: it is of this topology, and not as wanted"),
        (_, Reason::TakenOver(_)) => {
            format!("{nodes} {gets} {name} in the place of somebody else's (taken over as asked)")
        }
        (_, Reason::InDoubt) => format!("{nodes} {gets} {name} put right: a run before did not come to its end there"),
        (_, Reason::Missing) => format!("{nodes} {gets} {name} loaded again: not all of its routes are live"),
        (_, Reason::NotLoaded) => {
            format!("{nodes} {gets} {name} loaded: it is there, and networkd has not read it yet")
        }
        (_, Reason::Redefined) => {
            format!("{nodes} {gets} {name} put right: what it adds routes to is called otherwise by now")
        }
        _ => format!("{nodes} {gets} {name} changed by these routes"),
    };
    let heading = format!("{}: {what}", file.kind);
    out.push_str(&look.paint_lines(BOLD, &wrapped(&heading, look.width, "  # ", "  #   ")));
    let places = names(file.members.iter().map(|number| summary.place(*number).name()));
    let action = file.change.action;
    let line = format!("  {} {:39}  on {places}", action.sign(), clean(&file.path));
    out.push_str(&look.paint_lines(style(action), &line));
    if !file.definition.is_empty() {
        out.push_str(&look.paint_lines(DIM, &format!("      {}", clean(&file.definition))));
    }
    for line in file.difference.iter().flat_map(|difference| difference.lines()) {
        let style = match line.as_bytes().first() {
            Some(b'+') => "32",
            Some(b'-') => "31",
            _ => DIM,
        };
        out.push_str(&look.paint_lines(style, &format!("      {}", clean(line))));
    }
    out.push('\n');
}

/// The changes, without those in files that are told of the kernel already: same routes, same nodes, same reason.
fn once(changes: &[Change]) -> impl Iterator<Item = &Change> {
    let same = |file: &Change, kernel: &Change| {
        let what = |change: &Change| (change.action, change.count, change.lines);
        kernel.name.is_empty()
            && what(file) == what(kernel)
            && file.reason == kernel.reason
            && file.members == kernel.members
    };
    let told = move |file: &Change| !file.name.is_empty() && changes.iter().any(|kernel| same(file, kernel));
    changes.iter().filter(move |change| !told(change))
}

fn totals(plan: &Plan, summary: &Summary) -> String {
    // What is left to others or for later is not as configured, though nothing is done about it now.
    let is_complete = plan.forgotten.is_empty() && !plan.is_stopped() && !plan.leaves_out();
    if summary.is_empty() && is_complete {
        let unseen = plan.unseen();
        return match unseen.len() {
            0 => "No changes. Your infrastructure matches the configuration.".to_owned(),
            number => {
                let noun = noun(unseen.into_iter());
                format!("No changes. But {} could not be looked at.", counted(number, noun))
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
        // Dropped records are listed with the changes.
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

fn write_change(out: &mut String, plan: &Plan, summary: &Summary, change: &Change, look: Look) {
    let file = if change.name.is_empty() { String::new() } else { format!("in {}, ", change.name) };
    let heading = format!("{}: {file}{}", change.kind, heading(summary, change));
    out.push_str(&look.paint_lines(BOLD, &wrapped(&heading, look.width, "  # ", "  #   ")));
    let foldable = matches!(change.action, Action::Add | Action::Import);
    let limit = if change.action == Action::Remove { REMOVALS } else { COMPARED };
    let mut rows = if change.lines > limit && change.parts.len() > 1 && !foldable {
        by_destination(plan, change)
    } else {
        by_line(plan, summary, change, foldable)
    };
    let left = if foldable { change.count - rows.iter().take(LISTED).map(|row| row.count).sum::<usize>() } else { 0 };
    if foldable {
        rows.truncate(LISTED);
    }
    let width = rows.iter().map(|row| row.route.chars().count()).max().unwrap_or(0).max(39);
    for row in rows {
        let line = format!("  {} {:width$}  on {}", change.action.sign(), row.route, row.places);
        out.push_str(&look.paint_lines(style(change.action), &line));
        if let Some(found) = row.found {
            out.push_str(&look.paint_lines(DIM, &format!("      live now: {}", clean(&found))));
        }
    }
    if left > 0 {
        out.push_str(&look.paint_lines(DIM, &format!("  … and {}", counted(left, "more route"))));
    }
    out.push('\n');
}

/// A line of text to be.
struct Row {
    route: String,
    places: String,
    count: usize,
    found: Option<Arc<str>>,
}

/// What tells lines apart: destination, text, what is live.
type RowKey = (Prefix, String, Option<Arc<str>>);

/// One row for each different line; of what is folded, only as much as is shown.
fn by_line(plan: &Plan, summary: &Summary, change: &Change, foldable: bool) -> Vec<Row> {
    if change.lines > COMPARED || change.parts.len() == 1 {
        let mut rows = Vec::new();
        change.for_each(plan, |part, line| {
            let places = if Arc::ptr_eq(&part.members, &change.members) {
                shared_places_text(summary, part, &line)
            } else {
                places_text(summary, change, &part.members_of(&line).collect::<Vec<_>>())
            };
            let count = part.members.len() - line.without.len();
            rows.push(Row { route: route_text(change, part, &line), places, count, found: shown(change, line.found) });
            if foldable && rows.len() == LISTED { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        return rows;
    }
    let mut lines: BTreeMap<RowKey, Vec<u32>> = BTreeMap::new();
    change.for_each(plan, |part, line| {
        let key = (line.route.destination, route_text(change, part, &line), line.found.clone());
        lines.entry(key).or_default().extend(part.members_of(&line));
        ControlFlow::Continue(())
    });
    let row = |((_, route, found), mut members): (RowKey, Vec<u32>)| {
        members.sort_unstable();
        let places = places_text(summary, change, &members);
        Row { route, places, count: members.len(), found: shown(change, found) }
    };
    lines.into_iter().map(row).collect()
}

/// What is live, where it says more than the line itself.
fn shown(change: &Change, found: Option<Arc<str>>) -> Option<Arc<str>> {
    found.filter(|_| !matches!(change.reason, Reason::Adopted(_)))
}

/// Each destination once, where the same ones come or go over many different next hops.
fn by_destination(plan: &Plan, change: &Change) -> Vec<Row> {
    let mut destinations: BTreeMap<Prefix, (Option<IpAddr>, usize)> = BTreeMap::new();
    change.for_each(plan, |part, line| {
        let next_hop = Some(line.route.next_hop);
        let entry = destinations.entry(line.route.destination).or_insert((next_hop, 0));
        entry.0 = entry.0.filter(|known| Some(*known) == next_hop);
        entry.1 += part.members.len() - line.without.len();
        ControlFlow::Continue(())
    });
    let row = |(destination, (next_hop, count)): (Prefix, (Option<IpAddr>, usize))| {
        let way = next_hop.map_or("via several next hops".to_owned(), |next_hop| format!("via {next_hop}"));
        Row { route: format!("{destination} {way}"), places: counted(count, "node"), count, found: None }
    };
    destinations.into_iter().map(row).collect()
}

fn route_text(change: &Change, part: &Part, line: &Line) -> String {
    let mut text = format!("{} via ", line.route.destination);
    if let Some(before) = line.before.filter(|before| before.next_hop != line.route.next_hop) {
        let _ = write!(text, "{} → ", before.next_hop);
    }
    let _ = write!(text, "{}", line.route.next_hop);
    let same_way = |before: &Live| before.next_hop == line.route.next_hop && before.protocol != part.protocol;
    if let Some(before) = line.before.filter(same_way).filter(|_| change.action == Action::Change) {
        let _ = write!(text, " protocol {} → {}", before.protocol, part.protocol);
    }
    if part.table != MAIN_TABLE {
        let _ = write!(text, " table {}", part.table);
    }
    if let Some(metric) = part.metric {
        let _ = write!(text, " metric {metric}");
    }
    if let (Reason::Adopted(_), Some(found)) = (&change.reason, &line.found) {
        let _ = write!(text, " ({})", clean(found.split_once(", ").map_or(found, |(_, owner)| owner)));
    }
    text
}

/// The places of a line whose part has all places of the change.
fn shared_places_text(summary: &Summary, part: &Part, line: &Line) -> String {
    let name = |number: u32| summary.place(number).name();
    let count = part.members.len() - line.without.len();
    if count <= 3 {
        return names(part.members_of(line).map(name));
    }
    if (1..=2).contains(&line.without.len()) {
        return format!("all but {} ({count} nodes)", names(line.without.iter().copied().map(name)));
    }
    let is_there = |member: &&u32| !line.without.contains(*member);
    let first = part.members.iter().find(is_there).map_or("", |number| name(*number));
    let last = part.members.iter().rfind(is_there).map_or("", |number| name(*number));
    format!("{first} … {last} ({count} nodes)")
}

fn places_text(summary: &Summary, change: &Change, members: &[u32]) -> String {
    let name = |number: &u32| summary.place(*number).name();
    let missing = change.members.len().saturating_sub(members.len());
    if members.len() > 3 && (1..=2).contains(&missing) {
        let others = change.members.iter().filter(|member| members.binary_search(member).is_err());
        return format!("all but {} ({} nodes)", names(others.map(name)), members.len());
    }
    names(members.iter().map(name))
}

/// Says what a change is, counting routes.
fn heading(summary: &Summary, change: &Change) -> String {
    let nodes = match change.members.len() {
        number @ 4.. => counted(number, "node"),
        _ => names(change.members.iter().map(|number| summary.place(*number).name())),
    };
    let one_node = change.members.len() == 1;
    let routes = match change.each {
        _ if one_node && change.count == 1 => "a route".to_owned(),
        _ if one_node => counted(change.count, "route"),
        (1, 1) => "a route each".to_owned(),
        (least, most) if least == most => format!("{least} routes each"),
        _ => format!("{} in all", counted(change.count, "route")),
    };
    let many = change.count > 1;
    let (was, is, it) = if many { ("were", "are", "they") } else { ("was", "is", "it") };
    let get = if one_node { "gets" } else { "get" };
    let lose = if one_node { "loses" } else { "lose" };
    let have = if one_node { "has" } else { "have" };
    // `a route to the pods` needs no `each`.
    let toward = |name: &str| {
        format!(
            "{} to the pods of {name}",
            routes.strip_suffix(" each").filter(|text| *text == "a route").unwrap_or(&routes)
        )
    };
    let edited = "(changed in the topology)";
    match (change.action, &change.reason) {
        (Action::Import, _) => {
            format!("{nodes} {have} {routes} as wanted that {is} not recorded yet; {it} {is} recorded and marked")
        }
        (_, Reason::TakenOver(_)) => format!("{nodes} {get} {routes} that {was} somebody else's (taken over as asked)"),
        (Action::Add, Reason::NewNode) => {
            format!("{nodes} {get} {routes} ({})", if one_node { "new node" } else { "new nodes" })
        }
        (Action::Add, Reason::NodeAdded(name)) => format!("{nodes} {get} {} (new node)", toward(name.as_str())),
        (Action::Add, Reason::Missing) => {
            format!("{nodes} {get} {routes} again: what was recorded is not live any more")
        }
        (Action::Add, Reason::InDoubt) => {
            format!("{nodes} {get} {routes} again: a run before did not come to its end there")
        }
        (Action::Add, _) => format!("{nodes} {get} {routes} {edited}"),
        (Action::Change, Reason::Altered(_)) => {
            format!("{nodes} {get} {routes} put back: somebody has changed what was recorded")
        }
        (Action::Change, Reason::MarkLost(_)) => {
            format!("{nodes} {get} {routes} marked again: as recorded, but without the mark of topo")
        }
        (Action::Change, Reason::InDoubt) => {
            format!("{nodes} {get} {routes} put right: a run before did not come to its end there")
        }
        (Action::Change, _) => format!("{nodes} {get} {routes} changed {edited}"),
        (Action::Remove, Reason::NodeRemoved(name)) => {
            format!("{nodes} {lose} {} (no longer in the topology)", toward(name.as_str()))
        }
        (Action::Remove, Reason::NotWanted) => {
            format!("{nodes} {lose} {routes} (no longer in the topology, or no longer served by the backend)")
        }
        (Action::Remove, Reason::Destroy) => format!("{nodes} {lose} {routes} (destroy)"),
        (Action::Remove, Reason::BecomesOwn) => {
            format!("{nodes} {lose} {routes} to what becomes {} own", if one_node { "its" } else { "their" })
        }
        (Action::Remove, Reason::Altered(_)) => {
            format!("{nodes} {lose} {routes}: no longer wanted, and changed by somebody since it was recorded")
        }
        (Action::Remove, Reason::MarkLost(_)) => {
            format!("{nodes} {lose} {routes}: no longer wanted, and without the mark of topo by now")
        }
        (Action::Remove, _) => format!("{nodes} {lose} {routes} {edited}"),
        (Action::Forget, _) => format!("{nodes} {have} {routes} whose record is dropped"),
    }
}

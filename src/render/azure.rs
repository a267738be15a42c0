//! Changes in Azure as text.

use std::fmt::Write;

use super::style::{BOLD, DIM, LISTED, Look, style};
use super::words::{clean, counted, named, wrapped};
use crate::backend::azure_udr::{AZURE_ROUTE, AZURE_ROUTE_TABLE, AZURE_SUBNET_ASSOCIATION, Hop, arm, name_of};
use crate::plan::azure::AzureWhat;
use crate::plan::{AzureGroup, AzureLine, Summary};
use crate::resource::{Action, Place, Reason, natural_order};

const EDITED: &str = "(changed in the topology)";
const GONE: &str = "what was recorded is not there any more";
const IN_DOUBT: &str = "a run before did not come to its end there";
const TAKEN_OVER: &str = "(taken over as asked)";

/// Writes changes; routes that one table gets for several new nodes are told together.
pub(super) fn write<'a>(out: &mut String, summary: &Summary, groups: impl Iterator<Item = &'a AzureGroup>, look: Look) {
    let groups: Vec<&AzureGroup> = groups.collect();
    for together in groups.chunk_by(|one, other| are_one(one, other)) {
        write_one(out, summary, together, look);
    }
}

fn are_one(one: &AzureGroup, other: &AzureGroup) -> bool {
    let place = |group: &AzureGroup| group.lines.first().map(|line| line.place);
    let for_node = |group: &AzureGroup| matches!(group.reason, Reason::NodeAdded(_));
    one.kind == other.kind
        && one.action == other.action
        && place(one) == place(other)
        && for_node(one)
        && for_node(other)
}

fn write_one(out: &mut String, summary: &Summary, groups: &[&AzureGroup], look: Look) {
    let [first, others @ ..] = groups else { return };
    let mut lines: Vec<&AzureLine> = groups.iter().flat_map(|group| &group.lines).collect();
    if !others.is_empty() {
        lines.sort_by_key(|line| match line.what {
            AzureWhat::Route { destination, .. } => Some(destination),
            _ => None,
        });
    }
    let heading = format!("{}: {}", first.kind, heading(summary, groups, &lines));
    out.push_str(&look.paint_lines(BOLD, &wrapped(&heading, look.width, "  # ", "  #   ")));
    // Changes and removals are never out of sight.
    let foldable = matches!(first.action, Action::Add | Action::Import);
    let shown = if foldable { LISTED } else { lines.len() };
    let left = lines.len().saturating_sub(shown);
    let rows: Vec<(String, String)> =
        lines.iter().take(shown).map(|line| row(summary.place(line.place), line)).collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for ((name, what), line) in rows.iter().zip(&lines) {
        let text = format!("  {} {name:width$}   {what}", first.action.sign());
        out.push_str(&look.paint_lines(style(first.action), text.trim_end()));
        // What the line itself says is not said again.
        if let Some(found) = line.found.as_ref().filter(|found| !says(line, what, found)) {
            let topic = if matches!(line.what, AzureWhat::Forwarding(_)) { "IP forwarding " } else { "" };
            out.push_str(&look.paint_lines(DIM, &format!("      live now: {topic}{}", clean(found))));
        }
    }
    if left > 0 {
        let noun = format!("more {}", first.kind.noun);
        out.push_str(&look.paint_lines(DIM, &format!("  … and {}", counted(left, &noun))));
    }
    out.push('\n');
}

/// A line of text: what it is about, and what becomes of it.
fn row(place: &Place, line: &AzureLine) -> (String, String) {
    match &line.what {
        AzureWhat::Table(words) if words.is_empty() => {
            let resource_group = part(place, "resourceGroups");
            (
                clean(place.name()),
                resource_group.map_or_else(String::new, |name| format!("resource group {}", clean(name))),
            )
        }
        AzureWhat::Table(words) => (clean(place.name()), clean(&words.join(", "))),
        AzureWhat::Route { destination, before, after } => {
            let name = clean(&line.key);
            (format!("{destination} via {}", clean(&way(before.as_ref(), after.as_ref()))), name)
        }
        AzureWhat::Association { before, after } => {
            let [before, after] = table_names([before.as_deref(), after.as_deref()]);
            let what = match (before, after) {
                (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
                (_, Some(after)) => format!("→ {after}"),
                (Some(before), None) => format!("{before} → none"),
                (None, None) => String::new(),
            };
            (clean(&line.key), clean(&what))
        }
        AzureWhat::Forwarding(on) => {
            let becomes = if *on { "off → on" } else { "on → off" };
            (clean(place.name()), format!("IP forwarding: {becomes}"))
        }
    }
}

/// Whether the line itself says what is live now.
fn says(line: &AzureLine, what: &str, found: &str) -> bool {
    match &line.what {
        AzureWhat::Route { before, .. } => before.as_ref().is_some_and(|before| before.to_string() == found),
        // Its line has names alone.
        AzureWhat::Association { .. } => false,
        AzureWhat::Table(_) | AzureWhat::Forwarding(_) => found.split(", ").all(|part| what.contains(&clean(part))),
    }
}

/// Where a route leads, and led.
fn way(before: Option<&Hop>, after: Option<&Hop>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before.is(after) => after.to_string(),
        (Some(before), Some(after)) => {
            let address = after.address.filter(|_| before.kind.eq_ignore_ascii_case(&after.kind));
            let mut text = format!("{before} → ");
            let _ = match address {
                Some(address) => write!(text, "{address}"),
                None => write!(text, "{after}"),
            };
            text
        }
        (Some(hop), None) | (None, Some(hop)) => hop.to_string(),
        (None, None) => "none".to_owned(),
    }
}

/// The names of the tables that a subnet has and gets; with their resource groups where the names alone do not differ.
fn table_names(ids: [Option<&str>; 2]) -> [Option<String>; 2] {
    let alike = match ids {
        [Some(one), Some(other)] => {
            name_of(one).eq_ignore_ascii_case(name_of(other)) && !one.eq_ignore_ascii_case(other)
        }
        _ => false,
    };
    ids.map(|id| {
        let id = id?;
        let name = name_of(id).to_owned();
        match part_of(id, "resourceGroups").filter(|_| alike) {
            Some(group) => Some(format!("{group}/{name}")),
            None => Some(name),
        }
    })
}

/// What stands behind a word in the id of a place.
fn part<'a>(place: &'a Place, word: &str) -> Option<&'a str> {
    arm(place).and_then(|id| part_of(id, word))
}

fn part_of<'a>(id: &'a str, word: &str) -> Option<&'a str> {
    id.split('/').skip_while(|part| !part.eq_ignore_ascii_case(word)).nth(1)
}

/// Says what is done.
fn heading(summary: &Summary, groups: &[&AzureGroup], lines: &[&AzureLine]) -> String {
    let [group, ..] = groups else { return String::new() };
    let [line, ..] = lines else { return String::new() };
    let place = summary.place(line.place).name();
    match group.kind {
        kind if *kind == AZURE_ROUTE_TABLE => table(place, group),
        kind if *kind == AZURE_ROUTE => routes(place, groups, lines.len()),
        kind if *kind == AZURE_SUBNET_ASSOCIATION => association(place, group, lines),
        _ => forwarding(place, group, lines),
    }
}

/// Why something goes.
fn gone(reason: &Reason) -> &'static str {
    if *reason == Reason::Destroy { "(destroy)" } else { "(no longer wanted)" }
}

fn table(name: &str, group: &AzureGroup) -> String {
    match (group.action, &group.reason) {
        (Action::Import, _) => format!("{name} is there as wanted and not recorded yet; it is recorded"),
        (Action::Add, Reason::Missing) => format!("{name} is made again: {GONE}"),
        (Action::Add, Reason::InDoubt) => format!("{name} is made: {IN_DOUBT}"),
        (Action::Add, _) => format!("{name} is made (new)"),
        (Action::Change, Reason::Altered(_)) => format!("{name} is put back: somebody has changed what was recorded"),
        (Action::Change, Reason::InDoubt) => format!("{name} is put right: {IN_DOUBT}"),
        (Action::Change, _) => format!("{name} is changed {EDITED}"),
        (Action::Remove, reason) => format!("{name} is removed {}", gone(reason)),
        (Action::Forget, _) => format!("{name} stays, and its record is dropped"),
    }
}

fn routes(table: &str, groups: &[&AzureGroup], number: usize) -> String {
    let [group, ..] = groups else { return String::new() };
    let one = number == 1;
    let routes = if one { "a route".to_owned() } else { counted(number, "route") };
    let (is, was, it) = if one { ("is", "was", "it") } else { ("are", "were", "they") };
    match (group.action, &group.reason) {
        (Action::Import, _) => {
            format!("{table} has {routes} as wanted that {is} not recorded yet; {it} {is} recorded")
        }
        (_, Reason::TakenOver(_)) => format!("{table} gets {routes} that {was} somebody else's {TAKEN_OVER}"),
        (Action::Add, Reason::New | Reason::NewNode) => format!("{table} gets {routes} (new)"),
        (Action::Add, Reason::NodeAdded(_)) => {
            let mut nodes: Vec<&str> = groups
                .iter()
                .filter_map(|group| match &group.reason {
                    Reason::NodeAdded(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            nodes.sort_by(|one, other| natural_order(one, other));
            let new = if nodes.len() == 1 { "new node" } else { "new nodes" };
            format!("{table} gets {routes} ({new} {})", named(nodes.into_iter(), "node"))
        }
        (Action::Add, Reason::Missing) => format!("{table} gets {routes} again: {GONE}"),
        (Action::Add, Reason::InDoubt) => format!("{table} gets {routes} again: {IN_DOUBT}"),
        (Action::Add, _) => format!("{table} gets {routes} {EDITED}"),
        (Action::Change, Reason::Altered(_)) => {
            format!("{table} gets {routes} put back: somebody has changed what was recorded")
        }
        (Action::Change, Reason::InDoubt) => format!("{table} gets {routes} put right: {IN_DOUBT}"),
        (Action::Change, _) => format!("{table} gets {routes} changed {EDITED}"),
        (Action::Remove, Reason::Altered(_)) => {
            format!("{table} loses {routes}: no longer wanted, and changed by somebody since {it} {was} recorded")
        }
        (Action::Remove, reason) => format!("{table} loses {routes} {}", gone(reason)),
        (Action::Forget, _) => format!("{table} has {routes} whose record is dropped"),
    }
}

fn association(network: &str, group: &AzureGroup, lines: &[&AzureLine]) -> String {
    let (subnets, goes, is, it) = match lines {
        [only] => (format!("{network}/{}", only.key), "goes", "is", "it"),
        _ => (format!("{} of {network}", counted(lines.len(), "subnet")), "go", "are", "they"),
    };
    let table = |line: &&AzureLine| match &line.what {
        AzureWhat::Association { before, after } => after.as_ref().or(before.as_ref()).map(|id| name_of(id).to_owned()),
        _ => None,
    };
    let mut tables: Vec<String> = lines.iter().filter_map(table).collect();
    tables.sort_unstable();
    tables.dedup();
    let tables = named(tables.iter().map(String::as_str), "route table");
    match (group.action, &group.reason) {
        (Action::Import, _) => {
            format!("{subnets} {goes} by {tables} as wanted and {is} not recorded yet; {it} {is} recorded")
        }
        (_, Reason::TakenOver(_)) => {
            format!("{subnets} {goes} by {tables} in the place of somebody else's route table {TAKEN_OVER}")
        }
        (Action::Add | Action::Change, Reason::New | Reason::NewNode) => format!("{subnets} {goes} by {tables} (new)"),
        (Action::Add | Action::Change, Reason::Missing) => format!("{subnets} {goes} by {tables} again: {GONE}"),
        (Action::Add | Action::Change, Reason::Altered(_)) => {
            format!("{subnets} {goes} by {tables} again: somebody has changed what was recorded")
        }
        (Action::Add | Action::Change, Reason::InDoubt) => format!("{subnets} {goes} by {tables}: {IN_DOUBT}"),
        (Action::Add | Action::Change, _) => format!("{subnets} {goes} by {tables} {EDITED}"),
        (Action::Remove, reason) => format!("{subnets} no longer {goes} by {tables} {}", gone(reason)),
        (Action::Forget, _) => format!("{subnets} {goes} by {tables}, and the record of that is dropped"),
    }
}

fn forwarding(name: &str, group: &AzureGroup, lines: &[&AzureLine]) -> String {
    let (interfaces, forwards) = match lines {
        [_] => (name.to_owned(), "forwards"),
        _ => (counted(lines.len(), "network interface"), "forward"),
    };
    let off = lines.iter().all(|line| line.what == AzureWhat::Forwarding(false));
    match &group.reason {
        reason if off => format!("{interfaces} no longer {forwards} IP packets {}", gone(reason)),
        Reason::Altered(_) => format!("{interfaces} {forwards} IP packets again: somebody has turned that off"),
        Reason::InDoubt => format!("{interfaces} {forwards} IP packets from now on: {IN_DOUBT}"),
        _ => format!("{interfaces} {forwards} IP packets from now on"),
    }
}

#[cfg(test)]
mod tests;

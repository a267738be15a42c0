//! Changes as text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::style::{BOLD, DIM, LISTED, Look, style};
use super::super::words::{clean, counted, named, names, noun, wrapped};
use super::places::Places;
use crate::network::{MAIN_TABLE, NextHop, Prefix};
use crate::plan::{Before, Change, Line, Part, Plan, SettingLine, Summary, What};
use crate::resource::Known;
use crate::resource::words::{Heading, Words};
use crate::resource::{Action, Place, Reason, natural_order};

/// Equal lines of several parts become one line, if a change has at most so many lines.
const COMPARED: usize = 2000;
/// If removals have more lines than this, the list has each destination once, whatever its next hops.
const REMOVALS: usize = 200;

/// Writes changes.
pub(super) struct Writer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) summary: &'a Summary,
    pub(super) look: Look,
    pub(super) known: &'a Known,
}

impl Writer<'_> {
    /// Writes the change with this number, and those after it that have the same heading. Returns their number.
    pub(super) fn write(&self, out: &mut String, number: usize) -> usize {
        let all = &self.summary.changes[number..];
        let together = all.iter().take_while(|other| have_one_heading(&all[0], other)).count().max(1);
        let changes = &all[..together];
        let change = &changes[0];
        // The change of the file shows the routes in it.
        if change.part_of.is_some() {
            return together;
        }
        let words = self.known.words(&change.kind);
        self.heading(out, changes, words);
        match &change.what {
            What::Routes { .. } => self.routes(out, changes),
            What::Settings(lines) => self.settings(out, change, lines, words),
            What::File { path, definition, difference } => {
                self.file(out, change, path, definition, difference.as_deref());
                self.routes_in_file(out, number);
            }
        }
        out.push('\n');
        together
    }

    fn heading(&self, out: &mut String, changes: &[Change], words: &dyn Words) {
        let change = &changes[0];
        let members = change.members.iter().map(|number| self.summary.place(*number));
        let places = match change.members.len() {
            number @ 4.. => counted(number, noun(members)),
            _ => names(members.map(Place::name)),
        };
        let mut reason_nodes: Vec<&str> = changes.iter().filter_map(Change::reason_node).collect();
        reason_nodes.sort_by(|one, other| natural_order(one, other));
        let told = Heading {
            action: change.action,
            reason: &change.reason,
            places: &places,
            is_one_place: change.members.len() == 1,
            count: changes.iter().map(|change| change.count).sum(),
            each: changes.iter().fold((0, 0), |sum, one| (sum.0 + one.each.0, sum.1 + one.each.1)),
            name: &change.name,
            reason_nodes: (&names(reason_nodes.iter().copied()), reason_nodes.len()),
            settings: &change.settings(),
        };
        let heading = format!("{}: {}", change.kind, words.heading(&told));
        out.push_str(&self.look.paint_lines(BOLD, &wrapped(&heading, self.look.width, "  # ", "  #   ")));
    }

    fn routes(&self, out: &mut String, changes: &[Change]) {
        let change = &changes[0];
        let foldable = matches!(change.action, Action::Add | Action::Import);
        let mut rows: Vec<Row> = changes.iter().flat_map(|change| self.rows(change, foldable)).collect();
        if changes.len() > 1 {
            rows.sort_by_key(|row| row.destination);
        }
        let shown = |rows: &[Row]| rows.iter().take(LISTED).map(|row| row.count).sum::<usize>();
        let count: usize = changes.iter().map(|change| change.count).sum();
        let left = if foldable { count - shown(&rows) } else { 0 };
        if foldable {
            rows.truncate(LISTED);
        }
        let width = rows.iter().map(|row| row.route.chars().count()).max().unwrap_or(0).max(39);
        let happened = happened(change);
        for row in rows {
            let line = format!("  {} {:width$}  {}{happened}", change.action.sign(), row.route, row.places);
            out.push_str(&self.look.paint_lines(style(change.action), &line));
            if let Some(found) = row.found {
                out.push_str(&self.look.paint_lines(DIM, &format!("      live now: {}", clean(&found))));
            }
        }
        self.more(out, left);
    }

    fn rows(&self, change: &Change, foldable: bool) -> Vec<Row> {
        let What::Routes { lines, .. } = change.what else { return Vec::new() };
        let limit = if change.action == Action::Remove { REMOVALS } else { COMPARED };
        if lines > limit && change.parts().len() > 1 && !foldable {
            self.by_destination(change)
        } else {
            self.by_line(change, lines, foldable)
        }
    }

    fn more(&self, out: &mut String, left: usize) {
        if left > 0 {
            out.push_str(&self.look.paint_lines(DIM, &format!("  … and {}", counted(left, "more route"))));
        }
    }

    fn settings(&self, out: &mut String, change: &Change, lines: &[SettingLine], words: &dyn Words) {
        // Changes and removals are always listed in full.
        let foldable = matches!(change.action, Action::Add | Action::Import);
        let shown = if foldable { LISTED } else { lines.len() };
        let row = |line: &SettingLine| {
            let name = if line.is_whole { self.summary.place(line.place).name() } else { &line.name };
            let settings: Vec<String> =
                line.settings.iter().map(|setting| words.setting(change.action, setting)).collect();
            (clean(name), clean(&settings.join(", ")))
        };
        let rows: Vec<(String, String)> = lines.iter().take(shown).map(row).collect();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for ((name, what), line) in rows.iter().zip(lines) {
            let text = format!("  {} {name:width$}   {what}", change.action.sign());
            out.push_str(&self.look.paint_lines(style(change.action), text.trim_end()));
            // Not again what the line above says.
            let is_said = |found: &str| found.split(", ").all(|part| what.contains(&*clean(part)));
            if let Some(found) = line.found.as_ref().filter(|found| !is_said(found)) {
                out.push_str(&self.look.paint_lines(DIM, &format!("      live now: {}", clean(found))));
            }
            self.difference(out, line.difference.as_deref());
        }
        if let left @ 1.. = lines.len() - rows.len() {
            out.push_str(&self.look.paint_lines(DIM, &format!("  … and {left} more")));
        }
    }

    fn file(&self, out: &mut String, change: &Change, path: &str, definition: &str, difference: Option<&str>) {
        let places = named(change.members.iter().map(|number| self.summary.place(*number).name()), "node");
        let line = format!("  {} {:39}  on {places}", change.action.sign(), clean(path));
        out.push_str(&self.look.paint_lines(style(change.action), &line));
        if !definition.is_empty() {
            out.push_str(&self.look.paint_lines(DIM, &format!("      {}", clean(definition))));
        }
        self.difference(out, difference);
    }

    /// A unified difference.
    fn difference(&self, out: &mut String, difference: Option<&str>) {
        for line in difference.into_iter().flat_map(str::lines) {
            let style = match line.as_bytes().first() {
                Some(b'+') => "32",
                Some(b'-') => "31",
                _ => DIM,
            };
            out.push_str(&self.look.paint_lines(style, &format!("      {}", clean(line))));
        }
    }

    /// The changes in a file. Their lines have no sign, because they count as a part of the file.
    fn routes_in_file(&self, out: &mut String, file: usize) {
        let is_part = |change: &&Change| change.part_of == Some(file) && !is_shown_live(change, self.summary);
        for change in self.summary.changes.iter().filter(is_part) {
            let What::Routes { lines, .. } = &change.what else { continue };
            let verb = match change.action {
                Action::Add => "adds",
                Action::Change => "changes",
                Action::Remove => "removes",
                Action::Import | Action::Forget => "keeps",
            };
            let rows = self.by_line(change, *lines, true);
            let left = change.count - rows.iter().take(LISTED).map(|row| row.count).sum::<usize>();
            for row in rows.into_iter().take(LISTED) {
                let line = format!("      {verb:7} {:31}  {}", row.route, row.places);
                out.push_str(&self.look.paint_lines(DIM, line.trim_end()));
            }
            self.more(out, left);
        }
    }

    /// One row for each different line. If the list is shortened, only the rows that it shows.
    fn by_line(&self, change: &Change, lines: usize, foldable: bool) -> Vec<Row> {
        let mut places = Places::new(self.summary);
        if lines > COMPARED || change.parts().len() == 1 {
            let mut rows = Vec::new();
            change.for_each(self.plan, |part, line| {
                let is_whole = Arc::ptr_eq(&part.members, &change.members);
                let text = match &line.name {
                    Some(name) if change.members.len() == 1 => clean(name),
                    _ if is_whole => format!("on {}", places.all_but(&part.members, &line.without)),
                    _ => format!("on {}", places.of(change, &part.members_of(&line).collect::<Vec<_>>())),
                };
                rows.push(Row {
                    destination: line.destination,
                    route: route_text(change, part, &line),
                    places: text,
                    count: part.members.len() - line.without.len(),
                    found: shown(change, line.found),
                });
                if foldable && rows.len() == LISTED { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            return rows;
        }
        let mut all: BTreeMap<RowKey, Vec<u32>> = BTreeMap::new();
        change.for_each(self.plan, |part, line| {
            let key = (line.destination, route_text(change, part, &line), line.found.clone());
            all.entry(key).or_default().extend(part.members_of(&line));
            ControlFlow::Continue(())
        });
        let row = |((destination, route, found), mut members): (RowKey, Vec<u32>)| {
            members.sort_unstable();
            let places = format!("on {}", places.of(change, &members));
            Row { destination, route, places, count: members.len(), found: shown(change, found) }
        };
        all.into_iter().map(row).collect()
    }

    /// One row for each destination, for routes with many different next hops.
    fn by_destination(&self, change: &Change) -> Vec<Row> {
        let mut destinations: BTreeMap<Prefix, (Option<NextHop>, usize)> = BTreeMap::new();
        change.for_each(self.plan, |part, line| {
            let next_hop = Some(line.next_hop);
            let entry = destinations.entry(line.destination).or_insert((next_hop.clone(), 0));
            if entry.0 != next_hop {
                entry.0 = None;
            }
            entry.1 += part.members.len() - line.without.len();
            ControlFlow::Continue(())
        });
        let row = |(destination, (next_hop, count)): (Prefix, (Option<NextHop>, usize))| {
            let way = next_hop.map_or("via several next hops".to_owned(), |next_hop| format!("via {next_hop}"));
            let places = format!("on {}", counted(count, "node"));
            Row { destination, route: format!("{destination} {way}"), places, count, found: None }
        };
        destinations.into_iter().map(row).collect()
    }
}

/// The parts of a line of text.
struct Row {
    destination: Prefix,
    route: String,
    places: String,
    count: usize,
    found: Option<Arc<str>>,
}

/// What makes lines different: the destination, the text, and what is live.
type RowKey = (Prefix, String, Option<Arc<str>>);

/// Whether two changes have one heading: the same places get or lose routes because nodes come or go.
fn have_one_heading(one: &Change, other: &Change) -> bool {
    let is_for_node = |change: &Change| change.reason_node().is_some() && change.part_of.is_none();
    is_for_node(one)
        && is_for_node(other)
        && one.reason.label() == other.reason.label()
        && (one.action, &one.kind, &one.name) == (other.action, &other.kind, &other.name)
        && one.members == other.members
}

/// The end of a line about a route that topo puts back: what happened to it.
fn happened(change: &Change) -> &'static str {
    match change.reason {
        Reason::Missing => "  (gone)",
        Reason::Altered(_) => "  (changed by somebody)",
        Reason::MarkLost(_) => "  (lost its mark)",
        _ => "",
    }
}

/// What is live, if the line itself does not say it.
fn shown(change: &Change, found: Option<Arc<str>>) -> Option<Arc<str>> {
    found.filter(|found| !matches!(change.reason, Reason::Adopted(_)) && !found.is_empty())
}

fn route_text(change: &Change, part: &Part, line: &Line) -> String {
    let mut text = format!("{} via ", line.destination);
    if let Some(before) = line.before.as_ref().filter(|before| before.next_hop != line.next_hop) {
        let _ = write!(text, "{} → ", before.next_hop);
    }
    let _ = write!(text, "{}", line.next_hop);
    let remarked = |before: &&Before| before.next_hop == line.next_hop && before.protocol != part.protocol;
    if let Some(before) = line.before.as_ref().filter(remarked).filter(|_| change.action == Action::Change)
        && let (Some(was), Some(becomes)) = (before.protocol, part.protocol)
    {
        let _ = write!(text, " protocol {was} → {becomes}");
    }
    if let Some(table) = part.table.filter(|table| *table != MAIN_TABLE) {
        let _ = write!(text, " table {table}");
    }
    if let Some(metric) = part.metric {
        let _ = write!(text, " metric {metric}");
    }
    if let (Reason::Adopted(_), Some(found)) = (&change.reason, line.found.as_ref().filter(|found| !found.is_empty())) {
        let _ = write!(text, " ({})", clean(found.split_once(", ").map_or(found, |(_, owner)| owner)));
    }
    text
}

/// Whether a change of live routes has the same routes, nodes and reason as this one of routes in a file.
fn is_shown_live(file: &Change, summary: &Summary) -> bool {
    let lines = |change: &Change| change.parts().iter().map(|part| part.len).sum::<usize>();
    summary.changes.iter().any(|live| {
        live.part_of.is_none()
            && live.name.is_empty()
            && live.action == file.action
            && live.count == file.count
            && live.reason == file.reason
            && live.members == file.members
            && lines(live) == lines(file)
    })
}

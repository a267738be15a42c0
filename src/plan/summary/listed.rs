//! Changes of things that are listed one by one, together by what is done and why.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::change::{Change, Lines, Part, What};
use super::line::{Before, Line, SettingLine, split_reason};
use crate::plan::{ListedChange, ListedWhat, PlacePlan};
use crate::resource::{Action, Kind, Place, Reason, natural_order};

/// The changes of all places where something is done, by kind, place, action and reason. What stands for a whole place is
/// told together for all places.
pub(super) fn listed_changes(planned: &[(&Place, &PlacePlan)]) -> Vec<Change> {
    type Key<'a> = (u8, Option<u32>, &'a str, Action, Reason);
    let mut groups: BTreeMap<Key<'_>, (&'static Kind, Vec<Item<'_>>)> = BTreeMap::new();
    let acting = (0_u32..).zip(planned).filter(|(_, (_, plan))| plan.acts);
    let changes = acting.flat_map(|(number, (_, plan))| {
        plan.listed().flat_map(move |resource| resource.changes.iter().map(move |change| (number, resource, change)))
    });
    for (place, resource, change) in changes {
        let (reason, found) = split_reason(change.reason.clone());
        let (own, name) = if change.key.is_empty() { (None, &*resource.id.name) } else { (Some(place), "") };
        let key = (change.kind.order, own, name, change.action, reason);
        let group = groups.entry(key).or_insert_with(|| (change.kind, Vec::new()));
        group.1.push(Item {
            place,
            resource: &resource.id.name,
            change,
            found: found.filter(|found| !found.is_empty()),
        });
    }
    groups
        .into_iter()
        .map(|((_, _, _, action, reason), (kind, items))| change_of(kind, action, reason, &items))
        .collect()
}

struct Item<'a> {
    place: u32,
    /// The name of the resource in its place.
    resource: &'a Arc<str>,
    change: &'a ListedChange,
    found: Option<Arc<str>>,
}

fn change_of(kind: &'static Kind, action: Action, reason: Reason, items: &[Item<'_>]) -> Change {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for item in items {
        *counts.entry(item.place).or_default() += 1;
    }
    let members: Arc<[u32]> = counts.keys().copied().collect();
    let mut lines: Vec<Line> = items.iter().filter_map(route_line).collect();
    lines.sort_by_key(|line| line.destination);
    let what = if lines.is_empty() {
        let mut lines: Vec<SettingLine> = items.iter().map(setting_line).collect();
        // Names are alike but for numbers in them.
        lines.sort_by(|one, other| one.place.cmp(&other.place).then_with(|| natural_order(&one.name, &other.name)));
        What::Settings(lines)
    } else {
        let len = lines.len();
        let part = Part {
            table: None,
            metric: None,
            protocol: None,
            members: Arc::clone(&members),
            count: len,
            len,
            lines: Lines::Listed(lines),
            missing: HashMap::new(),
        };
        What::Routes { lines: len, parts: vec![part] }
    };
    // A change of one thing is told with the thing's name.
    let name = match &what {
        What::Settings(lines) if lines.len() == 1 => Arc::clone(&lines[0].name),
        _ => "".into(),
    };
    Change {
        kind: kind.id.into(),
        name,
        action,
        reason,
        count: items.len(),
        each: (counts.values().copied().min().unwrap_or(0), counts.values().copied().max().unwrap_or(0)),
        members,
        part_of: None,
        what,
    }
}

fn route_line(item: &Item<'_>) -> Option<Line> {
    let ListedWhat::Route { destination, before, after } = &item.change.what else { return None };
    // The line shows the next hop already.
    let is_said = |found: &Arc<str>| before.as_ref().is_some_and(|before| before.to_string() == **found);
    let is_import = item.change.action == Action::Import;
    Some(Line {
        destination: *destination,
        next_hop: after.clone().or_else(|| before.clone())?,
        name: Some(Arc::clone(&item.change.key)),
        before: before.clone().filter(|_| !is_import).map(|next_hop| Before { next_hop, protocol: None }),
        found: item.found.clone().filter(|found| !is_said(found)),
        without: Vec::new(),
    })
}

fn setting_line(item: &Item<'_>) -> SettingLine {
    let settings = match &item.change.what {
        ListedWhat::Settings(settings) => settings.clone(),
        ListedWhat::Route { .. } => Vec::new(),
    };
    let is_whole = item.change.key.is_empty();
    let name = if is_whole { item.resource } else { &item.change.key };
    let is_changed = matches!(item.change.reason, Reason::Altered(_) | Reason::Stale(_));
    let (difference, found) = match &item.found {
        Some(text) if is_changed && item.change.kind.words.tells_difference() => (Some(Arc::clone(text)), None),
        found => (None, found.clone()),
    };
    SettingLine { place: item.place, name: Arc::clone(name), is_whole, settings, found, difference }
}

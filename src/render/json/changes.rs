//! Changes as events, one event for each change of any kind. A mesh is never listed node by node.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::names::folded;
use crate::network::NextHop;
use crate::plan::{self, Line, Part, Plan, SettingLine, Summary, What};
use crate::report::{AllRows, Change, Item, RouteValues, Values};
use crate::resource::Action;
use crate::resource::words::Setting;

/// The names of more places than this are folded: `node-[0-997]`.
const NAMED: usize = 20;
/// The id of a change covers so many of its items: a mesh has too many.
const IN_ID: usize = 64;

/// The event of the change with this number.
pub(super) fn change(plan: &Plan, summary: &Summary, number: usize) -> Change {
    let change = &summary.changes[number];
    let places = names(summary, &change.members);
    let suffix = match &change.what {
        What::Settings(lines) => match lines.first() {
            Some(line) if line.is_whole && !line.name.is_empty() => format!("[\"{}\"]", line.name),
            _ => String::new(),
        },
        What::File { .. } | What::Routes { .. } if !change.name.is_empty() => format!("[\"{}\"]", change.name),
        _ => String::new(),
    };
    let mut event = Change {
        id: "".into(),
        kind: Arc::clone(&change.kind),
        addresses: places.iter().map(|place| format!("{}.{place}{suffix}", change.kind)).collect(),
        action: change.action,
        reason: change.reason.label().into(),
        reason_node: change.reason_node().map(Arc::from),
        drift: change.is_drift(),
        places,
        count: change.count,
        part_of: None,
        rows: Vec::new(),
        items: Vec::new(),
    };
    match &change.what {
        What::Routes { parts, .. } => {
            // The rows of a whole list are written once. Each view says how its places reach the owners.
            let whole = if parts.len() > 1 { parts.iter().find_map(Part::whole_list) } else { None };
            event.rows = whole.map_or_else(Vec::new, |set| set.rows.as_slice().to_vec());
            for part in parts {
                add_items(&mut event.items, plan, summary, change, part);
            }
        }
        What::Settings(lines) => event.items = lines.iter().map(|line| settings(summary, change, line)).collect(),
        What::File { path, definition, difference } => {
            let definition =
                Some(("definition".into(), Some(Arc::clone(definition)))).filter(|_| !definition.is_empty());
            let values = Some(Values::Settings(definition.into_iter().collect()));
            let (before, after) = if change.action == Action::Remove { (values, None) } else { (None, values) };
            let (path, difference) = (Some(Arc::clone(path)), difference.clone());
            event.items = vec![Item { path, before, after, difference, ..Item::default() }];
        }
    }
    event.id = id_of(&event);
    event.part_of = change.part_of.map(|whole| self::change(plan, summary, whole).id);
    event
}

/// A digest of what is done, why and where.
fn id_of(Change { kind, addresses, action, reason, reason_node, count, items, .. }: &Change) -> Arc<str> {
    #[derive(Serialize)]
    struct Identity<'a>(&'a str, &'a [String], Action, &'a str, Option<&'a str>, usize, &'a [Item]);
    let items = &items[..items.len().min(IN_ID)];
    let identity = Identity(kind, addresses, *action, reason, reason_node.as_deref(), *count, items);
    let digest = Sha256::digest(serde_json::to_vec(&identity).unwrap_or_default());
    let start = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(start)).into()
}

/// The names of places, folded if there are many.
fn names(summary: &Summary, members: &[u32]) -> Vec<String> {
    let names = members.iter().map(|number| summary.place(*number).name());
    if members.len() > NAMED { folded(names) } else { names.map(str::to_owned).collect() }
}

/// Adds the routes of a part, one after the other, or as one item if its places get or lose a whole list.
fn add_items(items: &mut Vec<Item>, plan: &Plan, summary: &Summary, change: &plan::Change, part: &Part) {
    let places = if part.members == change.members { Vec::new() } else { names(summary, &part.members) };
    let parts = change.parts().len();
    if let Some(set) = part.whole_list().filter(|_| parts > 1) {
        let (on_link, gateways) = (set.view.on_link.clone(), set.view.via.clone());
        let all_rows = Some(AllRows { count: part.count, on_link, gateways });
        let (table, metric) = (part.table, part.metric);
        items.push(Item { all_rows, places, table, metric, ..Item::default() });
        return;
    }
    items.reserve(part.len);
    let _ = part.for_each(plan, change, |line| {
        items.push(route(summary, change, part, line, places.clone()));
        ControlFlow::Continue(())
    });
}

fn route(summary: &Summary, change: &plan::Change, part: &Part, line: Line, places: Vec<String>) -> Item {
    let values = |next_hop: NextHop, protocol| Some(Values::Route(RouteValues { next_hop, protocol }));
    let place = || part.members.first().map_or("", |number| summary.place(*number).name());
    let address = line.name.as_ref().map(|name| format!("{}.{}[\"{name}\"]", change.kind, place()));
    let before = line.before.and_then(|before| values(before.next_hop, before.protocol));
    let now = values(line.next_hop, part.protocol);
    let (before, after) = if change.action == Action::Remove { (before.or(now), None) } else { (before, now) };
    Item {
        address,
        destination: Some(line.destination),
        places,
        not_on: names(summary, &line.without),
        table: part.table,
        metric: part.metric,
        before,
        after,
        found: line.found.filter(|found| !found.is_empty()),
        ..Item::default()
    }
}

/// What is set on one thing.
fn settings(summary: &Summary, change: &plan::Change, line: &SettingLine) -> Item {
    let place = summary.place(line.place).name();
    let address = match &*line.name {
        "" => format!("{}.{place}", change.kind),
        name => format!("{}.{place}[\"{name}\"]", change.kind),
    };
    let values = |side: fn(&Setting) -> Option<&str>| {
        let value = |setting: &Setting| (Arc::from(&*setting.name), side(setting).map(Arc::from));
        Values::Settings(line.settings.iter().map(value).collect())
    };
    let before = (change.action != Action::Add).then(|| values(|setting| setting.before.as_deref()));
    let after = (change.action != Action::Remove).then(|| values(|setting| setting.after.as_deref()));
    let (found, difference) = (line.found.clone(), line.difference.clone());
    Item { address: Some(address), before, after, found, difference, ..Item::default() }
}

//! Writes a state document: compact, one line for each list, view and place, so that a text comparison of two versions
//! is short.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::io::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::wire::{
    Address, Addresses, ListWire, Nullable, RecordWire, References, ShapeReferences, ShapeWire, VERSION, ViewWire,
};
use super::{PlaceRecord, State};
use crate::network::{Memo, Prefix, Row, Rows, View};
use crate::resource::{Record, Shape};

impl State {
    /// The document, with a line end. Leaves out lists and views that no record refers to.
    pub fn to_json(&self) -> Vec<u8> {
        let tables = Tables::collect(self);
        let mut out = Document(Vec::with_capacity(512 * self.places.len() + 4096));
        out.text("{");
        out.field("version", &VERSION, "\n");
        out.field("lineage", &self.lineage, "\n");
        out.field("serial", &self.serial, "\n");
        out.field("topology", &self.topology, "\n");
        out.field("run", &self.run, "\n");
        out.text("\"rows\":[");
        tables.write_lists(&mut out);
        out.text("],\n\"views\":[");
        for (at, (id, view)) in tables.views_by_id().into_iter().enumerate() {
            out.separate(at);
            out.json(&ViewWire::new(id, view));
        }
        out.text("],\n\"places\":{");
        for (at, (place, recorded)) in self.places.iter().enumerate() {
            out.separate(at);
            out.json(place);
            out.text(":");
            tables.write_place(&mut out, recorded);
        }
        for (at, (key, value)) in self.kept.places.iter().enumerate() {
            out.separate(self.places.len() + at);
            out.json(key);
            out.text(":");
            out.json(value);
        }
        out.text("}}\n");
        out.0
    }
}

struct Document(Vec<u8>);

impl Document {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn separate(&mut self, at: usize) {
        self.text(if at == 0 { "\n" } else { ",\n" });
    }

    /// A field that another one follows after a comma and this space.
    fn field(&mut self, name: &str, value: &impl Serialize, space: &str) {
        self.json(&name);
        self.text(":");
        self.json(value);
        self.text(",");
        self.text(space);
    }

    fn json(&mut self, value: &impl Serialize) {
        // Writing to memory does not fail, and all keys are strings.
        let written = serde_json::to_writer(&mut self.0, value);
        debug_assert!(written.is_ok(), "{written:?}");
        let _ = self.0.flush();
    }
}

/// A list or a view with its id and the number of shapes that refer to it.
struct Counted<'s, T> {
    value: &'s T,
    count: usize,
    id: Option<u32>,
}

/// All lists or all views of a state, each once.
struct Numbered<'s, T> {
    entries: Vec<Counted<'s, T>>,
    /// Their positions by address in memory. Most shapes share them.
    shared: HashMap<usize, usize>,
    equal: HashMap<&'s T, usize>,
}

impl<'s, T: Eq + Hash> Numbered<'s, T> {
    /// Begins with those that are kept. An id must not change, even if two with different ids are equal.
    fn new(kept: impl Iterator<Item = (u32, usize, &'s T)>) -> Self {
        let mut numbered = Self { entries: Vec::new(), shared: HashMap::new(), equal: HashMap::new() };
        for (at, (id, address, value)) in kept.enumerate() {
            numbered.entries.push(Counted { value, count: 1, id: Some(id) });
            numbered.shared.entry(address).or_insert(at);
            numbered.equal.entry(value).or_insert(at);
        }
        numbered
    }

    fn count(&mut self, address: usize, value: &'s T) {
        let at = *self.shared.entry(address).or_insert_with(|| {
            *self.equal.entry(value).or_insert_with(|| {
                self.entries.push(Counted { value, count: 0, id: None });
                self.entries.len() - 1
            })
        });
        self.entries[at].count += 1;
    }

    /// Gives the smallest free ids to those that have none, most references first.
    fn number(&mut self) {
        let taken: BTreeSet<u32> = self.entries.iter().filter_map(|entry| entry.id).collect();
        let mut new: Vec<&mut Counted<'s, T>> = self.entries.iter_mut().filter(|entry| entry.id.is_none()).collect();
        new.sort_by_key(|entry| Reverse(entry.count));
        for (entry, id) in new.into_iter().zip((0..).filter(|id| !taken.contains(id))) {
            entry.id = Some(id);
        }
    }

    fn id(&self, address: usize) -> Option<u32> {
        let id = self.shared.get(&address).and_then(|at| self.entries[*at].id);
        debug_assert!(id.is_some(), "every list and view was counted");
        id
    }
}

/// All lists and views of a state.
struct Tables<'s> {
    lists: Numbered<'s, Rows>,
    views: Numbered<'s, View>,
}

impl<'s> Tables<'s> {
    fn collect(state: &'s State) -> Self {
        let (keep_rows, keep_views) = referenced(state);
        let rows = state.kept.rows.iter().filter(|(id, _)| keep_rows.contains(id));
        let mut lists = Numbered::new(rows.map(|(id, rows)| (*id, rows.identity(), rows)));
        let views = state.kept.views.iter().filter(|(id, _)| keep_views.contains(id));
        let mut views = Numbered::new(views.map(|(id, view)| (*id, address(view), &**view)));
        let shapes = state.records().flat_map(|(_, _, record)| record.shapes());
        for routes in shapes.filter_map(|shape| shape.routes.as_ref()) {
            lists.count(routes.rows.identity(), &routes.rows);
            views.count(address(&routes.view), &routes.view);
        }
        lists.number();
        views.number();
        Self { lists, views }
    }

    /// The lists by id: the list with most references comes first and whole; the others as a difference to an earlier
    /// list.
    fn write_lists(&self, out: &mut Document) {
        let mut order: Vec<&Counted<'_, Rows>> = self.lists.entries.iter().collect();
        order.sort_by_key(|list| (Reverse(list.count), list.id));
        let mut memo = Memo::default();
        let mut first: Option<(u32, &Rows)> = None;
        let mut previous: Option<(u32, &Rows)> = None;
        for (at, list) in order.into_iter().enumerate() {
            let (rows, id) = (list.value, list.id.unwrap_or_default());
            let mut best =
                ListWire { id, from: None, remove: Vec::new(), add: rows.as_slice().iter().map(wire_row).collect() };
            let cost = |list: &ListWire| 2 * list.add.len() + list.remove.len() + usize::from(list.from.is_some());
            for (from, base) in first.into_iter().chain(previous) {
                let delta = memo.delta(base, rows);
                let wire = ListWire {
                    id,
                    from: Some(from),
                    remove: delta.pairs().filter_map(|(before, _)| before.map(|row| row.destination)).collect(),
                    add: delta.pairs().filter_map(|(_, after)| after.map(wire_row)).collect(),
                };
                if cost(&wire) < cost(&best) {
                    best = wire;
                }
            }
            out.separate(at);
            out.json(&best);
            first = first.or(Some((id, rows)));
            previous = Some((id, rows));
        }
    }

    fn views_by_id(&self) -> BTreeMap<u32, &'s View> {
        self.views.entries.iter().map(|view| (view.id.unwrap_or_default(), view.value)).collect()
    }

    fn write_place(&self, out: &mut Document, recorded: &PlaceRecord) {
        out.text("{");
        if let Some(endpoint) = &recorded.endpoint {
            out.field("endpoint", endpoint, "");
        }
        if let Some(machine_id) = &recorded.machine_id {
            out.field("machine_id", machine_id, "");
        }
        out.text("\"resources\":{");
        for (at, (resource, record)) in recorded.resources.iter().enumerate() {
            if at > 0 {
                out.text(",");
            }
            out.json(resource);
            out.text(":");
            let wire = match record {
                Record::Opaque(raw) => {
                    out.json(raw);
                    continue;
                }
                Record::Settled { is, token } => RecordWire {
                    is: Some(Nullable(Some(self.shape(is)))),
                    to: None,
                    also: Vec::new(),
                    token: token.as_ref().map(Cow::Borrowed),
                },
                Record::InDoubt { is, to, also } => RecordWire {
                    is: Some(Nullable(is.as_ref().map(|shape| self.shape(shape)))),
                    to: Some(Nullable(to.as_ref().map(|shape| self.shape(shape)))),
                    also: also.iter().map(|shape| self.shape(shape)).collect(),
                    token: None,
                },
            };
            out.json(&wire);
        }
        out.text("}}");
    }

    fn shape<'a>(&self, shape: &'a Shape) -> ShapeWire<&'a Value> {
        let attributes = (!shape.attributes.is_null()).then_some(&*shape.attributes);
        let Some(routes) = &shape.routes else {
            return ShapeWire { rows: None, view: None, own: None, excluded: None, attributes };
        };
        ShapeWire {
            rows: self.lists.id(routes.rows.identity()),
            view: self.views.id(address(&routes.view)),
            own: (!routes.own.is_empty()).then(|| Addresses(Arc::clone(&routes.own))),
            excluded: (!routes.excluded.is_empty()).then(|| Arc::clone(&routes.excluded)),
            attributes,
        }
    }
}

/// The kept lists and views that unreadable records refer to; all of them if topo cannot tell.
fn referenced(state: &State) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let all = || (state.kept.rows.keys().copied().collect(), state.kept.views.keys().copied().collect());
    let (mut rows, mut views) = (BTreeSet::new(), BTreeSet::new());
    if !state.kept.places.is_empty() {
        return all();
    }
    for (_, _, record) in state.records() {
        let Record::Opaque(raw) = record else { continue };
        let Ok(References { is, to, also }) = serde_json::from_str(raw.get()) else { return all() };
        for ShapeReferences { rows: list, view } in is.into_iter().chain(to).chain(also) {
            rows.extend(list);
            views.extend(view);
        }
    }
    (rows, views)
}

fn wire_row(row: &Row) -> (Prefix, Address) {
    (row.destination, Address(row.owner))
}

fn address(view: &Arc<View>) -> usize {
    Arc::as_ptr(view) as usize
}

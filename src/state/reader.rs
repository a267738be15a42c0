//! Turns the lists, views and records of a document into those of a state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{DocumentError, ListError, RecordError, damaged};
use super::wire::{Address, ListWire, Nullable, RecordWire, ShapeWire, ViewWire};
use crate::network::{Family, Prefix, RouteSet, Row, Rows, View};
use crate::resource::{Known, Place, Record, ResourceId, Shape, SharedJson};

/// The largest number of rows in all lists together. No real state has so many; the limit bounds the memory for a
/// document of many small deltas.
const MOST_ROWS: usize = 32_000_000;

/// What the records share.
pub(super) struct Reader<'k> {
    pub(super) known: &'k Known,
    /// The length of the document in bytes.
    pub(super) length: usize,
    pub(super) lists: BTreeMap<u32, Rows>,
    pub(super) views: BTreeMap<u32, Arc<View>>,
    /// The resources of the last few records. Most places have the same ones.
    recent: [Option<(Box<str>, ResourceId)>; 4],
    /// Where the next one of these goes.
    next: usize,
    /// Neighbouring records mostly have the same ids.
    own: Arc<[IpAddr]>,
    /// The attributes of the last record that has some, and their text.
    last_attributes: Option<(Box<str>, SharedJson)>,
    excluded: Arc<BTreeSet<Prefix>>,
    nothing: Arc<BTreeSet<Prefix>>,
    /// Buffer to put lists together, one after the other.
    scratch: Vec<Row>,
    /// Why topo refuses the document, if the JSON itself is correct.
    pub(super) refusal: Option<DocumentError>,
    /// The record whose JSON is not correct, as the first words of a message. Empty for the rest of the document.
    pub(super) context: String,
}

impl<'k> Reader<'k> {
    pub(super) fn new(known: &'k Known, length: usize) -> Self {
        Self {
            known,
            length,
            lists: BTreeMap::new(),
            views: BTreeMap::new(),
            recent: [const { None }; 4],
            next: 0,
            own: Arc::from([]),
            last_attributes: None,
            excluded: Arc::default(),
            nothing: Arc::default(),
            scratch: Vec::new(),
            refusal: None,
            context: String::new(),
        }
    }

    pub(super) fn lists(&mut self, lists: Vec<ListWire>) -> Result<(), DocumentError> {
        let mut total = 0;
        for list in lists {
            let id = list.id;
            let wrong = |reason| damaged(format!("in the list of rows {id}, {reason}"));
            let rows = self.list(list).map_err(wrong)?;
            total += rows.as_slice().len();
            if total > MOST_ROWS {
                return Err(damaged(format!("its lists have more than {MOST_ROWS} rows together")));
            }
            if self.lists.insert(id, rows).is_some() {
                return Err(damaged(format!("the list of rows {id} occurs twice")));
            }
        }
        Ok(())
    }

    pub(super) fn views(&mut self, views: Vec<ViewWire>) -> Result<(), DocumentError> {
        for view in views {
            let (id, view) = view.into_view();
            if self.views.insert(id, Arc::new(view)).is_some() {
                return Err(damaged(format!("the view {id} occurs twice")));
            }
        }
        Ok(())
    }

    /// The complete list of one version.
    fn list(&mut self, wire: ListWire) -> Result<Rows, ListError> {
        let mut add: Vec<Row> = Vec::with_capacity(wire.add.len());
        for (destination, Address(owner)) in wire.add {
            if destination.family() != Family::of(owner) {
                return Err(ListError::Families(destination, owner));
            }
            add.push(Row { destination, owner });
        }
        let base = match wire.from {
            None if wire.remove.is_empty() => Rows::default(),
            None => return Err(ListError::RemovesFromNothing),
            Some(from) => self.lists.get(&from).cloned().ok_or(ListError::MissingBase(from))?,
        };
        if wire.remove.is_empty() && add.is_empty() {
            return Ok(base);
        }
        add.sort_unstable_by_key(|row| row.destination);
        if let Some(pair) = add.windows(2).find(|pair| pair[0].destination == pair[1].destination) {
            return Err(ListError::Twice(pair[0].destination));
        }
        self.scratch.clear();
        apply(&mut self.scratch, base.as_slice(), wire.remove.into_iter().collect(), add)?;
        Ok(Rows::from_sorted(self.scratch.as_slice()))
    }

    /// The resource with this text form.
    pub(super) fn resource(&mut self, place: &Place, key: &str) -> Result<ResourceId, DocumentError> {
        if let Some((_, resource)) = self.recent.iter().flatten().find(|(recent, _)| **recent == *key) {
            return Ok(resource.clone());
        }
        let resource: ResourceId = key.parse().map_err(|error| damaged(format!("in the place {place}, {error}")))?;
        self.recent[self.next] = Some((key.into(), resource.clone()));
        self.next = (self.next + 1) % self.recent.len();
        Ok(resource)
    }

    pub(super) fn record(&mut self, wire: RecordWire<'_, &RawValue>) -> Result<Record, RecordError> {
        let mut shape = |wire: Nullable<ShapeWire<&RawValue>>| wire.0.map(|wire| self.shape(wire)).transpose();
        match (wire.is, wire.to) {
            (Some(is), Some(to)) if wire.token.is_none() => {
                let (is, to) = (shape(is)?, shape(to)?);
                let also = wire.also.into_iter().map(|wire| self.shape(wire)).collect::<Result<_, _>>()?;
                Ok(Record::InDoubt { is, to, also })
            }
            (Some(_), Some(_)) => Err(RecordError::TokenInDoubt),
            (Some(_), None) if !wire.also.is_empty() => Err(RecordError::SettledAndInDoubt),
            (Some(is), None) => {
                let is = shape(is)?.ok_or(RecordError::SettledNull)?;
                Ok(Record::Settled { is, token: wire.token.map(std::borrow::Cow::into_owned) })
            }
            (None, _) => Err(RecordError::Empty),
        }
    }

    fn attributes(&mut self, text: &str) -> Result<SharedJson, RecordError> {
        if let Some((_, shared)) = self.last_attributes.as_ref().filter(|(last, _)| **last == *text) {
            return Ok(shared.clone());
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| RecordError::Attributes(error.to_string().into()))?;
        let shared = SharedJson::from(value);
        self.last_attributes = Some((text.into(), shared.clone()));
        Ok(shared)
    }

    fn shape(&mut self, wire: ShapeWire<&RawValue>) -> Result<Shape, RecordError> {
        let attributes = match wire.attributes {
            None => SharedJson::default(),
            Some(text) => self.attributes(text.get())?,
        };
        let (Some(rows), Some(view)) = (wire.rows, wire.view) else {
            if wire.rows.is_some() || wire.view.is_some() || wire.own.is_some() || wire.excluded.is_some() {
                return Err(RecordError::HalfRouteSet);
            }
            return Ok(Shape { routes: None, attributes });
        };
        let rows = self.lists.get(&rows).ok_or(RecordError::MissingList(rows))?.clone();
        let view = self.views.get(&view).ok_or(RecordError::MissingView(view))?.clone();
        let own = wire.own.map_or_else(|| Arc::from([]), |own| own.0);
        if own != self.own {
            self.own = own;
        }
        let excluded = match wire.excluded {
            None => Arc::clone(&self.nothing),
            Some(excluded) if *excluded == *self.excluded => Arc::clone(&self.excluded),
            Some(excluded) => {
                self.excluded = Arc::clone(&excluded);
                excluded
            }
        };
        Ok(Shape { routes: Some(RouteSet { rows, view, own: Arc::clone(&self.own), excluded }), attributes })
    }
}

/// Makes a sorted list without some of its destinations and with further rows, which are sorted too. Cheap for small
/// changes.
fn apply(rows: &mut Vec<Row>, mut base: &[Row], remove: BTreeSet<Prefix>, add: Vec<Row>) -> Result<(), ListError> {
    let (mut remove, mut add) = (remove.into_iter().peekable(), add.into_iter().peekable());
    loop {
        let next = match (remove.peek(), add.peek()) {
            (None, None) => break,
            (Some(gone), Some(row)) => (*gone).min(row.destination),
            (Some(gone), None) => *gone,
            (None, Some(row)) => row.destination,
        };
        let (before, after) = base.split_at(base.partition_point(|row| row.destination < next));
        rows.extend_from_slice(before);
        base = after;
        if remove.next_if_eq(&next).is_some() {
            base = match base {
                [row, after @ ..] if row.destination == next => after,
                _ => return Err(ListError::NotThere(next)),
            };
        }
        if let Some(row) = add.next_if(|row| row.destination == next) {
            if base.first().is_some_and(|after| after.destination == next) {
                return Err(ListError::Twice(next));
            }
            rows.push(row);
        }
    }
    rows.extend_from_slice(base);
    Ok(())
}

//! Reading a state document.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::wire::{DocumentWire, ListWire, Nullable, PlaceWire, RecordWire, ShapeWire, Text, VERSION, VersionOnly};
use super::{Kept, Lineage, PlaceRecord, State};
use crate::network::{Family, Prefix, RouteSet, Row, Rows, View};
use crate::resource::{Known, Name, Place, Record, ResourceId, Resources, Shape};

/// The largest number of rows in all lists together. No real state has so many; the limit bounds the memory for a
/// document of many small deltas.
const MOST_ROWS: usize = 32_000_000;

/// Why topo does not accept a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// A newer topo wrote it.
    #[error("it has version {0}, but this topo reads only version {VERSION}")]
    Newer(u64),
    /// It has a part that this topo does not know, and would lose when it writes.
    #[error("it has a part that this topo does not know: {0}")]
    Unknown(String),
    /// topo did not write it in this form.
    #[error("{0}")]
    Damaged(String),
    /// It belongs to another topology.
    #[error("it belongs to the topology `{found}`, not to `{asked}`")]
    OtherTopology {
        /// The topology that it belongs to.
        found: Name,
        /// The topology that it should belong to.
        asked: Name,
    },
    /// It has another lineage.
    #[error("its lineage is {found}, not {expected}")]
    OtherLineage {
        /// Its lineage.
        found: Lineage,
        /// What the lineage should be.
        expected: Lineage,
    },
}

impl DocumentError {
    /// What to do next, a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Newer(_) | Self::Unknown(_) => "The file was not changed. Upgrade topo.",
            Self::Damaged(_) => {
                "The file was not changed. Restore it from a backup or from version control. If you have none, move it \
                 away: the next plan lists what it finds on the nodes."
            }
            Self::OtherTopology { .. } => {
                "The file was not changed. Give the topology's own state with --state, or correct `name` in the \
                 topology."
            }
            Self::OtherLineage { .. } => {
                "The file was not changed. It was started separately from the expected state: check that it is the \
                 right one."
            }
        }
    }
}

fn damaged(reason: impl Into<String>) -> DocumentError {
    DocumentError::Damaged(reason.into())
}

impl State {
    /// Reads a document. Places and records of kinds that are not in `known` stay unchanged.
    pub fn from_json(document: &[u8], known: &Known) -> Result<Self, DocumentError> {
        if document.is_empty() {
            return Err(damaged("it is empty (0 bytes)"));
        }
        let text = std::str::from_utf8(document).map_err(|error| damaged(format!("it is not UTF-8 text ({error})")))?;
        let wire = match DocumentWire::read(text, known) {
            Ok(wire) => wire,
            // A newer topo may have written any form, so check the version before the rest.
            Err(error) => match serde_json::from_str(text) {
                Ok(VersionOnly { version }) if version > VERSION => return Err(DocumentError::Newer(version)),
                _ => return Err(refuse(&error, "")),
            },
        };
        match wire.version {
            VERSION => Reader::new(known).read(wire),
            0 => Err(damaged("it has version 0, which does not exist")),
            newer => Err(DocumentError::Newer(newer)),
        }
    }

    /// Whether it is the state of this topology.
    pub fn expect_topology(&self, asked: &Name) -> Result<(), DocumentError> {
        if self.topology == *asked {
            return Ok(());
        }
        Err(DocumentError::OtherTopology { found: self.topology.clone(), asked: asked.clone() })
    }

    /// Whether it has this lineage.
    pub fn expect_lineage(&self, expected: Lineage) -> Result<(), DocumentError> {
        if self.lineage == expected {
            return Ok(());
        }
        Err(DocumentError::OtherLineage { found: self.lineage, expected })
    }
}

fn refuse(error: &serde_json::Error, context: &str) -> DocumentError {
    let text = format!("{context}{error}");
    if error.to_string().starts_with("unknown field") {
        DocumentError::Unknown(text)
    } else if error.is_eof() {
        damaged(format!("it is cut off or not JSON ({text})"))
    } else if error.is_syntax() {
        damaged(format!("it is not JSON ({text})"))
    } else {
        damaged(text)
    }
}

/// What the records share.
struct Reader<'k> {
    known: &'k Known,
    lists: BTreeMap<u32, Rows>,
    views: BTreeMap<u32, Arc<View>>,
    /// Most places have the same few resources.
    resources: HashMap<Box<str>, ResourceId>,
    /// Neighbouring records mostly have the same ids.
    own: Arc<[IpAddr]>,
    lacks: Arc<BTreeSet<Prefix>>,
    nothing: Arc<BTreeSet<Prefix>>,
    /// Buffer to put lists together, one after the other.
    scratch: Vec<Row>,
}

impl<'k> Reader<'k> {
    fn new(known: &'k Known) -> Self {
        Self {
            known,
            lists: BTreeMap::new(),
            views: BTreeMap::new(),
            resources: HashMap::new(),
            own: Arc::from([]),
            lacks: Arc::default(),
            nothing: Arc::default(),
            scratch: Vec::new(),
        }
    }

    fn read(mut self, wire: DocumentWire<'_>) -> Result<State, DocumentError> {
        let mut total = 0;
        for list in wire.rows {
            let id = list.id;
            let rows = self.list(list)?;
            total += rows.as_slice().len();
            if total > MOST_ROWS {
                return Err(damaged(format!("its lists have more than {MOST_ROWS} rows together")));
            }
            if self.lists.insert(id, rows).is_some() {
                return Err(damaged(format!("the list of rows {id} occurs twice")));
            }
        }
        for view in wire.views {
            let (id, view) = view.into_view();
            if self.views.insert(id, Arc::new(view)).is_some() {
                return Err(damaged(format!("the view {id} occurs twice")));
            }
        }
        let mut places = BTreeMap::new();
        let mut opaque = false;
        for (place, recorded) in wire.places.known {
            let recorded = self.place(&place, recorded)?;
            opaque |= recorded.resources.values().any(|record| matches!(record, Record::Opaque(_)));
            let name = place.to_string();
            if places.insert(place, recorded).is_some() {
                return Err(damaged(format!("the place {name} occurs twice")));
            }
        }
        let mut kept = Kept::default();
        for (key, value) in wire.places.unknown {
            if let Some(twice) = kept.places.insert(key.clone(), value) {
                drop(twice);
                return Err(damaged(format!("the place {} occurs twice", key.escape_debug())));
            }
        }
        if opaque || !kept.places.is_empty() {
            (kept.rows, kept.views) = (self.lists, self.views);
        }
        let (lineage, serial, topology, run) = (wire.lineage, wire.serial, wire.topology, wire.run);
        Ok(State { lineage, serial, topology, run, places, kept })
    }

    /// The complete list of one version.
    fn list(&mut self, wire: ListWire) -> Result<Rows, DocumentError> {
        let id = wire.id;
        let wrong = |what: String| damaged(format!("in the list of rows {id}, {what}"));
        let mut add: Vec<Row> = Vec::with_capacity(wire.add.len());
        for (destination, owner) in wire.add {
            if destination.family() != Family::of(owner) {
                return Err(wrong(format!("{destination} and its owner {owner} are of different families")));
            }
            add.push(Row { destination, owner });
        }
        let base = match wire.from {
            None if wire.remove.is_empty() => Rows::default(),
            None => return Err(wrong("it removes rows, but does not build on a list".to_owned())),
            Some(from) => self
                .lists
                .get(&from)
                .cloned()
                .ok_or_else(|| wrong(format!("it builds on the list {from}, which does not come before it")))?,
        };
        if wire.remove.is_empty() && add.is_empty() {
            return Ok(base);
        }
        add.sort_unstable_by_key(|row| row.destination);
        if let Some(pair) = add.windows(2).find(|pair| pair[0].destination == pair[1].destination) {
            return Err(wrong(format!("the destination {} occurs twice", pair[0].destination)));
        }
        self.scratch.clear();
        apply(&mut self.scratch, base.as_slice(), wire.remove.into_iter().collect(), add).map_err(wrong)?;
        Ok(Rows::from_sorted(&self.scratch))
    }

    fn place(&mut self, place: &Place, wire: PlaceWire<'_>) -> Result<PlaceRecord, DocumentError> {
        let mut resources = Resources::default();
        for (Text(key), raw) in wire.resources.0 {
            let resource = if let Some(resource) = self.resources.get(&*key) {
                resource.clone()
            } else {
                let resource: ResourceId =
                    key.parse().map_err(|error| damaged(format!("in the place {place}, {error}")))?;
                self.resources.insert(key.as_ref().into(), resource.clone());
                resource
            };
            let record = if self.known.has_kind(&resource.kind) {
                let context = || format!("in {resource} of the place {place}, ");
                let wire = serde_json::from_str(raw.get()).map_err(|error| refuse(&error, &context()))?;
                self.record(wire).map_err(|reason| damaged(context() + &reason))?
            } else {
                Record::Opaque(raw.to_owned())
            };
            if resources.insert(resource, record).is_some() {
                return Err(damaged(format!("in the place {place}, {} occurs twice", key.escape_debug())));
            }
        }
        Ok(PlaceRecord { endpoint: wire.endpoint.map(|strict| strict.0), machine_id: wire.machine_id, resources })
    }

    fn record(&mut self, wire: RecordWire<'_>) -> Result<Record, String> {
        let mut shape = |wire: Nullable<ShapeWire<'_>>| wire.0.map(|wire| self.shape(wire)).transpose();
        match (wire.is, wire.to) {
            (Some(is), Some(to)) if wire.token.is_none() => {
                let (is, to) = (shape(is)?, shape(to)?);
                let also = wire.also.into_iter().map(|wire| self.shape(wire)).collect::<Result<_, _>>()?;
                Ok(Record::InDoubt { is, to, also })
            }
            (Some(_), Some(_)) => Err("a record in doubt has a token".to_owned()),
            (Some(_), None) if !wire.also.is_empty() => Err("a settled record has parts in doubt".to_owned()),
            (Some(is), None) => {
                let is = shape(is)?.ok_or_else(|| "a settled record is null".to_owned())?;
                Ok(Record::Settled { is, token: wire.token.map(std::borrow::Cow::into_owned) })
            }
            (None, _) => Err("the record has no content".to_owned()),
        }
    }

    fn shape(&mut self, wire: ShapeWire<'_>) -> Result<Shape, String> {
        let attributes = wire.attributes.map_or(Value::Null, std::borrow::Cow::into_owned);
        let (Some(rows), Some(view)) = (wire.rows, wire.view) else {
            if wire.rows.is_some() || wire.view.is_some() || wire.own.is_some() || wire.lacks.is_some() {
                return Err("a route set is incomplete: it needs both rows and view".to_owned());
            }
            return Ok(Shape { routes: None, attributes });
        };
        let rows = self.lists.get(&rows).ok_or_else(|| format!("the list of rows {rows} does not exist"))?.clone();
        let view = self.views.get(&view).ok_or_else(|| format!("the view {view} does not exist"))?.clone();
        let own = wire.own.unwrap_or_else(|| Arc::from([]));
        if own != self.own {
            self.own = own;
        }
        let lacks = match wire.lacks {
            None => Arc::clone(&self.nothing),
            Some(lacks) if *lacks == *self.lacks => Arc::clone(&self.lacks),
            Some(lacks) => {
                self.lacks = Arc::clone(&lacks);
                lacks
            }
        };
        Ok(Shape { routes: Some(RouteSet { rows, view, own: Arc::clone(&self.own), lacks }), attributes })
    }
}

/// Makes a sorted list without some of its destinations and with further rows, which are sorted too. Cheap for small
/// changes.
fn apply(rows: &mut Vec<Row>, mut base: &[Row], remove: BTreeSet<Prefix>, add: Vec<Row>) -> Result<(), String> {
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
                _ => return Err(format!("it removes {next}, which is not in the list")),
            };
        }
        if let Some(row) = add.next_if(|row| row.destination == next) {
            if base.first().is_some_and(|after| after.destination == next) {
                return Err(format!("the destination {next} occurs twice"));
            }
            rows.push(row);
        }
    }
    rows.extend_from_slice(base);
    Ok(())
}

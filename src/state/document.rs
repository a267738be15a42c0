//! The state in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Lineage, RunId};
use crate::network::{RouteSet, Rows, View};
use crate::plan::{Place, ResourceId, Resources, Token};
use crate::topology::Name;
use crate::transport::Endpoint;

/// What topo has put in place and therefore owns.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Set once when the first state of a topology is made.
    pub lineage: Lineage,
    /// One more at each write.
    pub serial: u64,
    /// The topology's name.
    pub topology: Name,
    /// The run that is under way, or that did not come to its end.
    pub run: Option<RunId>,
    /// All places where something is recorded.
    pub places: BTreeMap<Place, PlaceRecord>,
    /// What this binary does not know and writes back as it was.
    pub kept: Kept,
}

/// What is recorded of one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaceRecord {
    /// How the place was reached; none where it is not a machine.
    pub endpoint: Option<Endpoint>,
    /// The machine's `/etc/machine-id`, once it was seen.
    pub machine_id: Option<Arc<str>>,
    /// What topo has put there.
    pub resources: Resources<Record>,
}

/// What is recorded of one resource.
#[derive(Clone, Debug)]
pub enum Record {
    /// It was confirmed to be so.
    Settled {
        /// What it is.
        is: Shape,
        /// What the place gave when a listing was last proved equal to the record.
        token: Option<Token>,
    },
    /// A run set out to lead it from one to the other, and its outcome is not known; none: not there. What is in
    /// doubt is owned by the union of both.
    InDoubt {
        /// What it was before.
        is: Option<Shape>,
        /// What it was to become.
        to: Option<Shape>,
        /// What runs before that one may have left: in other tables, with other metrics or marks.
        also: Vec<Shape>,
    },
    /// A record of a backend that this binary does not have, kept byte for byte.
    Opaque(Box<RawValue>),
}

/// What a resource is: a route set in a container, and the container's attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its routes; none for what has none.
    pub routes: Option<RouteSet>,
    /// What the backend keeps besides; null for nothing.
    pub attributes: Value,
}

/// Parts of a document that this binary does not know, kept as they are: places of unknown form, and the lists and
/// views under the ids that unread records may point to.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub(super) places: BTreeMap<Box<str>, Box<RawValue>>,
    pub(super) rows: BTreeMap<u32, Rows>,
    pub(super) views: BTreeMap<u32, Arc<View>>,
}

impl State {
    /// An empty state of a new lineage, not yet written: serial 0.
    pub fn new(topology: Name) -> io::Result<Self> {
        let lineage = Lineage::random()?;
        Ok(Self { lineage, serial: 0, topology, run: None, places: BTreeMap::new(), kept: Kept::default() })
    }

    /// The record of a resource.
    pub fn record(&self, place: &Place, resource: &ResourceId) -> Option<&Record> {
        self.places.get(place)?.resources.get(resource)
    }

    /// All records.
    pub fn records(&self) -> impl Iterator<Item = (&Place, &ResourceId, &Record)> {
        self.places.iter().flat_map(|(place, recorded)| {
            recorded.resources.iter().map(move |(resource, record)| (place, resource, record))
        })
    }

    /// Whether nothing at all is recorded.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.kept.places.is_empty()
    }
}

impl Record {
    /// All that may be there: one shape of a settled record, those of one in doubt.
    pub fn shapes(&self) -> impl Iterator<Item = &Shape> {
        let (first, second, more) = match self {
            Self::Settled { is, .. } => (Some(is), None, &[][..]),
            Self::InDoubt { is, to, also } => (is.as_ref(), to.as_ref(), also.as_slice()),
            Self::Opaque(_) => (None, None, &[][..]),
        };
        first.into_iter().chain(second).chain(more)
    }

    /// What was once seen to be there.
    pub fn confirmed(&self) -> impl Iterator<Item = &Shape> {
        let (is, also) = match self {
            Self::Settled { is, .. } => (Some(is), &[][..]),
            Self::InDoubt { is, also, .. } => (is.as_ref(), also.as_slice()),
            Self::Opaque(_) => (None, &[][..]),
        };
        is.into_iter().chain(also)
    }

    /// Whether its outcome is not known.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt { .. })
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Settled { is, token }, Self::Settled { is: other, token: others }) => is == other && token == others,
            (Self::InDoubt { is, to, also }, Self::InDoubt { is: other, to: others, also: more }) => {
                is == other && to == others && also == more
            }
            (Self::Opaque(raw), Self::Opaque(other)) => raw.get() == other.get(),
            _ => false,
        }
    }
}

/// Equal where the same unknown places are kept; lists that are kept for them follow from those.
impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.places.len() == other.places.len()
            && self
                .places
                .iter()
                .zip(&other.places)
                .all(|(one, other)| one.0 == other.0 && one.1.get() == other.1.get())
    }
}

impl Shape {
    /// A shape of routes alone.
    pub fn of_routes(routes: RouteSet) -> Self {
        Self { routes: Some(routes), attributes: Value::Null }
    }
}

//! The state in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Lineage, RunId};
use crate::network::{Rows, View};
use crate::resource::{Endpoint, Name, Place, Record, ResourceId, Resources};

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

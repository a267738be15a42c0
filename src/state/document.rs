//! The state in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::{DocumentError, Lineage, RunId};
use crate::network::{Rows, View};
use crate::resource::{Endpoint, Name, Place, Raw, Record, ResourceId, Resources};

/// What topo has created, and therefore owns.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Random; set once, when the first state of a topology is made.
    pub lineage: Lineage,
    /// Increases by one with each write.
    pub serial: u64,
    /// The topology's name.
    pub topology: Name,
    /// The run that is in progress, or that did not end.
    pub run: Option<RunId>,
    /// All places with records.
    pub places: BTreeMap<Place, PlaceRecord>,
    /// Parts that this binary does not know. It writes them back unchanged.
    pub kept: Kept,
}

/// The records of one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaceRecord {
    /// How to reach the place; none if it is not a machine.
    pub endpoint: Option<Endpoint>,
    /// The machine's `/etc/machine-id`, once known.
    pub machine_id: Option<Arc<str>>,
    /// The resources that topo has created there.
    pub resources: Resources<Record>,
}

/// Parts of a document that this binary does not know and keeps unchanged: places of unknown form, and the lists and
/// views whose ids the unread records may contain.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub(super) places: BTreeMap<Box<str>, Raw>,
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

    /// Whether there are no records at all.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.kept.places.is_empty()
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

/// Equal if both keep the same unknown places. The lists that are kept follow from the places.
impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places
    }
}

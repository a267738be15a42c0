//! What is planned for resources whose rows and settings are listed one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Finding;
use crate::network::{NextHop, Prefix};
use crate::resource::words::Setting;
use crate::resource::{Action, Kind, Phase, Place, Reason, Record, ResourceId, Shape};

/// One change of something that is listed one by one: of a resource, or of one row in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedChange {
    /// The kind of resource.
    pub kind: &'static Kind,
    /// The name of the row or of the resource in its place; empty if the place has one resource of the kind.
    pub key: Arc<str>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What changes.
    pub what: ListedWhat,
}

/// What changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedWhat {
    /// A route.
    Route {
        /// The destination.
        destination: Prefix,
        /// The next hop that is live, or recorded if nobody looked. None: there is no route.
        before: Option<NextHop>,
        /// The next hop that the route gets. None: the route goes.
        after: Option<NextHop>,
    },
    /// Settings of the resource.
    Settings(Vec<Setting>),
}

/// What is planned for one resource whose rows and settings are listed.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedPlan {
    /// The resource.
    pub id: ResourceId,
    /// Its changes, routes by destination.
    pub changes: Vec<ListedChange>,
    /// The part of it that is topo's, as it is now. None: there is nothing.
    pub is: Option<Shape>,
    /// The shape that it gets. None: it goes.
    pub to: Option<Shape>,
    /// When the run may write the resource. Never: only its record changes.
    pub phases: Vec<Phase>,
}

/// What is planned in one place whose resources are listed.
#[derive(Clone, Debug, Default)]
pub struct ListedPlace {
    /// The resources.
    pub resources: Vec<ListedPlan>,
    /// Why topo could not look at the place. None: it could.
    pub unseen: Option<String>,
}

/// What is planned in all places whose resources are listed, and what was found there.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The places.
    pub places: BTreeMap<Place, ListedPlace>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Number of answers.
    pub answered: usize,
}

impl ListedChange {
    /// Whether it writes something. To import only makes a record.
    pub fn writes(&self) -> bool {
        matches!(self.action, Action::Add | Action::Change | Action::Remove)
    }
}

impl ListedPlan {
    /// The plan of a resource. If it is recorded under another id, the end of that record comes first.
    pub fn under(self, known: Option<&ResourceId>) -> impl Iterator<Item = Self> + use<> {
        let renamed = known.filter(|old| **old != self.id).map(|old| {
            let id = old.clone();
            Self { id, changes: Vec::new(), is: None, to: None, phases: Vec::new() }
        });
        renamed.into_iter().chain([self])
    }

    /// Whether the record says already what it says after the run.
    pub fn is_recorded(&self, record: Option<&Record>) -> bool {
        match (record, &self.to) {
            (None, None) => true,
            (Some(Record::Settled { is, .. }), Some(to)) => is == to,
            _ => false,
        }
    }
}

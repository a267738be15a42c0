//! A plan: what is to be done in each place, and what was found. Pure; it knows no backend.

mod classify;
pub mod findings;
pub mod judge;
mod listed;
mod operation;
mod options;
mod owners;
mod place;
mod record;
mod resource;
mod select;
mod selection;
mod steps;
pub(crate) mod summary;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::findings::UNSEEN;
use crate::network::Memo;
use crate::resource::{Endpoint, Place, ResourceId, Resources};
pub use classify::{ForeignKey, Key, KeyVerdict, Surplus, Verdict, classify};
pub use findings::{Address, Finding, Remedy, Severity};
pub use listed::{Listed, ListedChange, ListedPlace, ListedPlan, ListedWhat};
pub use operation::{Live, Operation};
pub use options::Options;
pub use owners::{Owners, PlaceReasons};
pub use place::DesiredPlace;
pub use resource::{FileChange, FilePlan, ResourcePlan, align};
pub use selection::Selection;
pub use steps::{Steps, Vertex, steps};
pub use summary::{Before, Change, Line, Part, SettingLine, Summary, What};
pub use table::{FiledRoutes, Reasons, TableFindings, TableInput, TablePlan};

/// What is planned for one place.
#[derive(Clone, Debug, Default)]
pub struct PlacePlan {
    /// How it is reached.
    pub endpoint: Option<Endpoint>,
    /// The machine's id, where it was seen.
    pub machine_id: Option<Arc<str>>,
    /// The name under which it was recorded, where that is another.
    pub renamed_from: Option<Place>,
    /// Another machine than the recorded one answers: what was recorded is dropped.
    pub from_nothing: bool,
    /// Why it was not looked at, where it was not: the plan is made from the record then.
    pub unseen: Option<String>,
    /// Whether the marker of this topology was there, of this lineage.
    pub has_marker: bool,
    /// Resources that change, or whose record does.
    pub resources: Resources<ResourcePlan>,
    /// Whether nothing of the topology remains there afterwards.
    pub ends: bool,
    /// Whether something is done on the place; else only the record changes.
    pub acts: bool,
}

impl PlacePlan {
    /// The plans of all routing tables, each with its resource.
    pub fn tables(&self) -> impl Iterator<Item = (&ResourceId, &TablePlan)> {
        self.resources.iter().flat_map(|(id, resource)| resource.tables.iter().map(move |table| (id, table)))
    }

    /// The plans of all resources whose rows and settings are listed.
    pub fn listed(&self) -> impl Iterator<Item = &ListedPlan> {
        self.resources.values().filter_map(|resource| resource.listed.as_ref())
    }

    /// The plans of all files, each with its resource.
    pub fn files(&self) -> impl Iterator<Item = (&ResourceId, &FilePlan)> {
        self.resources.iter().filter_map(|(id, resource)| Some((id, resource.file.as_ref()?)))
    }
}

/// What is to be done, and all that was found out on the way.
#[derive(Debug, Default)]
pub struct Plan {
    /// Places where something is done or recorded anew.
    pub places: BTreeMap<Place, PlacePlan>,
    /// Places whose record is dropped untouched.
    pub forgotten: BTreeSet<Place>,
    /// What was found besides: what stops the run, and what its reader has to know.
    pub findings: Vec<Finding>,
    /// Number of places that answered.
    pub answered: usize,
    /// To whom addresses belong, and why rows come and go.
    pub owners: Arc<Owners>,
}

impl Plan {
    /// Notes that a place could not be looked at, with the reason.
    pub fn note_unseen(&mut self, place: &Place, reason: Option<&str>) {
        self.findings.extend(reason.map(|reason| Finding::unseen(place, reason)));
    }

    /// Takes a finding in; a conflict that is left to others, as asked, stops nothing.
    pub fn add(&mut self, finding: Finding, options: &Options) {
        let skips = options.skip_conflicts && finding.severity == Severity::Conflict;
        self.findings.push(if skips { finding.skipped() } else { finding });
    }

    /// Whether nothing may be written anywhere.
    pub fn is_stopped(&self) -> bool {
        self.findings.iter().any(Finding::stops)
    }

    /// Whether something wanted is left out.
    pub fn leaves_out(&self) -> bool {
        self.findings.iter().any(|finding| finding.left_out.is_some())
    }

    /// The places that could not be looked at; several things may have been asked of one.
    pub fn unseen(&self) -> BTreeSet<&Place> {
        self.findings.iter().filter(|finding| finding.code == UNSEEN).map(Finding::place).collect()
    }

    /// The findings about selected places that topo could not look at, and that the run does not come back to. It comes back
    /// to places where it was to do something. `concerns` says which places are selected.
    pub fn left_unseen(&self, concerns: impl Fn(&Place) -> bool) -> impl Iterator<Item = &Finding> {
        let is_tried = move |place: &Place| {
            let planned = self.places.get(place);
            planned.is_some_and(|planned| planned.acts && planned.unseen.is_some())
        };
        let is_left = move |one: &&Finding| one.code == UNSEEN && concerns(one.place()) && !is_tried(one.place());
        self.findings.iter().filter(is_left)
    }

    /// Why the rows of a place come and go.
    pub fn reasons(&self, place: &Place) -> PlaceReasons<'_> {
        self.owners.reasons(place)
    }

    /// All operations of one place.
    pub fn operations(&self, place: &Place, memo: &mut Memo) -> Vec<(ResourceId, Operation)> {
        let Some(plan) = self.places.get(place) else { return Vec::new() };
        let reasons = self.reasons(place);
        let mut all = Vec::new();
        for (id, table) in plan.tables() {
            all.extend(table.operations(&reasons, memo).into_iter().map(|operation| (id.clone(), operation)));
        }
        all
    }

    /// Whether something is done anywhere.
    pub fn has_changes(&self) -> bool {
        !self.forgotten.is_empty() || self.places.values().any(|plan| plan.acts)
    }

    /// Whether places were asked and none of them answered.
    pub fn reached_nothing(&self) -> bool {
        self.answered == 0 && self.has_unseen()
    }

    /// Whether a place of the plan could not be looked at.
    pub fn has_unseen(&self) -> bool {
        !self.unseen().is_empty()
    }
}

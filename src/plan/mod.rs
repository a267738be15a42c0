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
use crate::state::State;
pub use classify::{ForeignKey, Key, KeyVerdict, Surplus, Verdict, classify};
pub use findings::{Address, Finding, Remedy, Severity};
pub use listed::{Listed, ListedChange, ListedPlace, ListedPlan, ListedWhat};
pub use operation::{Live, Operation};
pub use options::Options;
pub use owners::{Owners, Reasons};
pub use place::DesiredPlace;
pub use resource::{FileChange, FilePlan, ResourcePlan, align};
pub use selection::Selection;
pub use steps::{Steps, Vertex, steps};
pub use summary::{Before, Change, Line, Part, SettingLine, Summary, What};
pub use table::{FiledRoutes, TableFindings, TableInput, TablePlan};

/// What is planned for one place.
#[derive(Clone, Debug, Default)]
pub struct PlacePlan {
    /// How topo reaches the place.
    pub endpoint: Option<Endpoint>,
    /// The id of the machine, if topo saw it.
    pub machine_id: Option<Arc<str>>,
    /// The place under which the machine is recorded, if that is another one.
    pub renamed_from: Option<Place>,
    /// Whether another machine than the recorded one answers. topo then drops the record.
    pub from_nothing: bool,
    /// Why topo could not look at the place. None: it could. Without a look, the plan uses the record.
    pub unseen: Option<String>,
    /// Whether the place has the marker of this topology and lineage.
    pub has_marker: bool,
    /// Resources that change, or whose record changes.
    pub resources: Resources<ResourcePlan>,
    /// Whether the topology has nothing there afterwards.
    pub ends: bool,
    /// Whether the run does something in the place. If not, only the record changes.
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

/// What a run is to do, and what topo found.
#[derive(Debug, Default)]
pub struct Plan {
    /// Places where the run does something, or whose record changes.
    pub places: BTreeMap<Place, PlacePlan>,
    /// Places whose record topo drops without touching them.
    pub forgotten: BTreeSet<Place>,
    /// What topo found: what stops the run, and what the reader of the plan has to know.
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

    /// Adds a finding. If the user asked to leave conflicts to others, a conflict does not stop the run.
    pub fn add(&mut self, finding: Finding, options: &Options) {
        let skips = options.skip_conflicts && finding.severity == Severity::Conflict;
        self.findings.push(if skips { finding.skipped() } else { finding });
    }

    /// Adds places whose resources are listed.
    pub fn add_listed(&mut self, listed: Listed, recorded: &State, options: &Options) {
        self.answered += listed.answered;
        for finding in listed.findings {
            self.add(finding, options);
        }
        for (place, ListedPlace { resources, unseen }) in listed.places {
            let acts = resources.iter().any(|resource| !resource.phases.is_empty());
            let is_recorded = |resource: &ListedPlan| resource.is_recorded(recorded.record(&place, &resource.id));
            // Nothing new can be recorded of a place that nobody looked at.
            let settles = unseen.is_none() && !resources.iter().all(is_recorded);
            if acts || settles {
                let ends = resources.iter().all(|resource| resource.to.is_none());
                let planned =
                    |one: ListedPlan| (one.id.clone(), ResourcePlan { listed: Some(one), ..ResourcePlan::default() });
                let resources = resources.into_iter().map(planned).collect();
                self.places.insert(place, PlacePlan { unseen, resources, ends, acts, ..PlacePlan::default() });
            }
        }
    }

    /// Whether a finding stops the run: topo then writes nothing anywhere.
    pub fn is_stopped(&self) -> bool {
        self.findings.iter().any(Finding::stops)
    }

    /// Whether the run leaves out something that the topology wants.
    pub fn leaves_out(&self) -> bool {
        self.findings.iter().any(|finding| finding.left_out.is_some())
    }

    /// The places that topo could not look at. It may have asked several things of one place.
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
    pub fn reasons(&self, place: &Place) -> Reasons<'_> {
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

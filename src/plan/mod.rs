//! A plan: what is to be done in each place, and what was found. Pure; it knows no backend.

mod classify;
pub mod findings;
pub mod judge;
mod listed;
mod operation;
mod options;
mod owners;
mod place;
mod select;
mod steps;
pub(crate) mod summary;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::findings::UNSEEN;
use crate::backend::netplan::{FilePlan, NETPLAN_FILE};
use crate::network::{Memo, RouteSet};
use crate::resource::{Endpoint, Phase, Place, ResourceId};
pub use classify::{ForeignKey, Key, KeyVerdict, Surplus, Verdict, classify};
pub use findings::{Address, Finding, Remedy, Severity};
pub use listed::{Listed, ListedChange, ListedPlace, ListedPlan, ListedWhat};
pub use operation::{Live, Operation};
pub use options::Options;
pub use owners::{Owners, PlaceReasons};
pub use place::DesiredPlace;
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
    /// Routing tables that change or whose record is to be settled; also the routes that stand in files.
    pub tables: Vec<(ResourceId, TablePlan)>,
    /// Files that keep routes.
    pub files: Vec<FilePlan>,
    /// Resources whose rows and settings are listed.
    pub listed: Vec<ListedPlan>,
    /// Whether nothing of the topology remains there afterwards.
    pub ends: bool,
    /// Whether something is done on the place; else only the record changes.
    pub acts: bool,
}

impl PlacePlan {
    /// Files that are written after routes, and checked before them.
    pub fn checked_files(&self) -> impl Iterator<Item = &FilePlan> {
        self.files.iter().filter(|file| file.wanted && file.change.is_some() && file.phase == Phase::Persist)
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

    /// Whether something could not be looked at that the run does not come back to. It looks again at a place where it was to
    /// do something, and says there what became of it.
    /// `concerns` says which places were selected.
    pub fn leaves_unseen(&self, concerns: impl Fn(&Place) -> bool) -> bool {
        let is_tried = |place: &Place| {
            let planned = self.places.get(place);
            planned.is_some_and(|planned| planned.acts && planned.unseen.is_some())
        };
        self.unseen().into_iter().any(|place| concerns(place) && !is_tried(place))
    }

    /// Why the rows of a place come and go.
    pub fn reasons(&self, place: &Place) -> PlaceReasons<'_> {
        self.owners.reasons(place)
    }

    /// All operations of one place.
    pub fn operations(&self, place: &Place, memo: &mut Memo) -> Vec<(ResourceId, Operation)> {
        let Some(plan) = self.places.get(place) else { return Vec::new() };
        let reasons = self.reasons(place);
        let of = |(id, table): &(ResourceId, TablePlan), memo: &mut Memo| -> Vec<(ResourceId, Operation)> {
            table.operations(&reasons, memo).into_iter().map(|operation| (id.clone(), operation)).collect()
        };
        plan.tables.iter().flat_map(|table| of(table, memo)).collect()
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

/// Whether something is done on a place.
pub fn acts(tables: &[(ResourceId, TablePlan)], files: &[FilePlan], memo: &mut Memo) -> bool {
    // The routes in a file change with the file.
    let is_filed = |id: &ResourceId| *id.kind == NETPLAN_FILE;
    files.iter().any(|file| file.change.is_some())
        || tables.iter().any(|(id, table)| !is_filed(id) && !table.is_settled(memo))
}

/// Brings the routes of files and of the kernel on one place together: a file leaves out what others provide, and what goes
/// from one of the two and stays in the other is not removed.
pub fn align(tables: &mut [(ResourceId, TablePlan)]) {
    let is_filed = |id: &ResourceId| *id.kind == NETPLAN_FILE;
    if !tables.iter().any(|(id, _)| is_filed(id)) {
        return;
    }
    let others: Vec<(ResourceId, RouteSet)> = tables
        .iter()
        .filter(|(_, table)| table.judged)
        .filter_map(|(id, table)| Some((id.clone(), table.to.clone()?)))
        .collect();
    for (id, table) in tables.iter_mut() {
        for (other_id, other) in others.iter().filter(|(other, _)| other != id) {
            let lacks = table.to.as_mut().filter(|_| is_filed(id) && !is_filed(other_id) && !other.lacks.is_empty());
            if let Some(to) = lacks {
                to.lacks = Arc::new(to.lacks.union(&other.lacks).copied().collect());
            }
            if table.to.is_none() && table.judged && other.view.same_key(&table.view) {
                table.leave_to(other);
            }
        }
    }
}

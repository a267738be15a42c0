//! Azure, with the connection to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::look::error_of;
use super::step::{begin, is_reviewed};
use super::work::Work;
use super::{ARM, AzureTask, Recorded, SITE, Seen, Wanted, covers, effective, key, plan};
use crate::backend::{self, Begun, Check, Covered, Inputs, Moment, Question, Site, StepEnd};
use crate::exchange::Requests;
use crate::network::Memo;
use crate::plan::{ListedPlan, Plan};
use crate::report::RunOutcome;
use crate::resource::{Evidence, Name, Phase, Place, PlaceKind, ResourceId};
use crate::state::Outcome;
use crate::transport::azure::Azure;

/// Resources of Azure Resource Manager.
pub struct AzureSite {
    /// None: nobody looks, and nothing is written.
    azure: Option<Arc<dyn Azure>>,
    /// None: nobody has looked.
    seen: Mutex<Option<Seen>>,
    work: Mutex<Work>,
}

impl AzureSite {
    /// Azure with this connection. Without one, topo plans from the record alone.
    pub fn new(azure: Option<Arc<dyn Azure>>) -> Self {
        Self { azure, seen: Mutex::default(), work: Mutex::default() }
    }

    // A step that panics elsewhere does not make other answers wrong.
    pub(super) fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self, moment: &Moment<'_>) -> Option<AzureTask> {
        self.work().task(moment.place, moment.phase).cloned()
    }
}

/// Whether the user may have selected something that is wanted or recorded in Azure. If not, nobody needs to sign in.
fn concerns(inputs: &Inputs<'_>) -> bool {
    let may_choose = |kind: &str, place: &str| inputs.options.selection.may_choose_in(kind, place);
    let mut recorded = inputs.recorded.records().filter(|(place, ..)| *place.kind() == ARM);
    recorded.any(|(place, id, _)| may_choose(&id.kind, place.name()))
        || (SITE.wanted)(inputs.desired).iter().any(|(kind, place)| may_choose(kind, place))
}

/// Whether an id is that of a place, or of a part of it.
fn is_in(id: &str, place: &Place) -> bool {
    id.strip_prefix(key(place.id()).as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What was answered about a place and its parts: none, or why there is no answer.
fn errors<'a, T>(
    answers: &'a BTreeMap<String, Evidence<T>>,
    place: &'a Place,
) -> impl Iterator<Item = Option<String>> + 'a {
    answers.iter().filter(|(id, _)| is_in(id, place)).map(|(_, answer)| error_of(answer))
}

/// The nodes that a network interface belongs to, each with what is wrong if the interface does not forward.
fn cut_off(task: &AzureTask, moment: &Moment<'_>) -> Vec<(Name, String)> {
    let AzureTask::Interface(task) = task else { return Vec::new() };
    let why = || "its network interface does not forward".to_owned();
    let names = task.addresses.iter().filter_map(|address| moment.plan.owners.name(*address));
    names.filter(|_| moment.phase == Phase::Prepare).map(|name| (name.clone(), why())).collect()
}

/// The outcomes of resources that a task leaves as they were.
pub(super) fn untouched(task: &AzureTask, moment: &Moment<'_>) -> Vec<(ResourceId, Outcome)> {
    let is_of = |resource: &&ListedPlan| match task {
        AzureTask::Subnets(subnets) => subnets.iter().any(|subnet| subnet.is_of(&resource.id)),
        AzureTask::Table(_) | AzureTask::Interface(_) => true,
    };
    // Nobody has looked at what an earlier run left in doubt.
    let is_unseen = moment.planned().is_some_and(|planned| planned.unseen.is_some());
    let outcome = if is_unseen && moment.was_in_doubt() { Outcome::StillInDoubt } else { Outcome::Untouched };
    let planned = moment.planned().into_iter().flat_map(|planned| planned.listed());
    planned.filter(is_of).map(|resource| (resource.id.clone(), outcome.clone())).collect()
}

impl Site for AzureSite {
    fn kind(&self) -> &'static PlaceKind {
        &ARM
    }

    fn ask<'a>(self: Arc<Self>, inputs: &Inputs<'a>, _late: Option<&Place>, _memo: &mut Memo) -> Vec<Question<'a>> {
        match &self.azure {
            Some(azure) if concerns(inputs) => self.next(inputs, azure),
            _ => Vec::new(),
        }
    }

    fn silence(&self, place: &Place) -> Option<String> {
        let looked = self.seen();
        let seen = looked.as_ref()?;
        let tables = errors(&seen.tables, place).chain(errors(&seen.subnets, place));
        let answers: Vec<Option<String>> = tables.chain(errors(&seen.forwardings, place)).collect();
        // Where one part of a place could be read, the others wait for nobody.
        if answers.iter().all(Option::is_some) { answers.into_iter().flatten().next() } else { None }
    }

    fn forget_silence(&self, place: &Place) {
        let mut looked = self.seen();
        let Some(seen) = looked.as_mut() else { return };
        seen.tables.retain(|id, answer| !(is_in(id, place) && answer.is_unknown()));
        seen.subnets.retain(|id, answer| !(is_in(id, place) && answer.is_unknown()));
        seen.networks.retain(|id, answer| !(is_in(id, place) && answer.is_unknown()));
        seen.interfaces.retain(|id, answer| !(is_in(id, place) && !answer.unread.is_empty()));
        seen.forwardings.retain(|id, answer| !(is_in(id, place) && answer.is_unknown()));
    }

    fn covered(&self, inputs: &Inputs<'_>) -> Covered {
        let seen = self.seen();
        covers(&Wanted::all(inputs.desired), &Recorded::of(inputs.recorded), seen.as_ref(), inputs.options)
    }

    fn plan(&self, inputs: &Inputs<'_>, made: &mut Plan, _memo: &mut Memo) {
        if concerns(inputs) {
            *self.work() = plan(inputs, self.seen().as_ref(), made);
        }
    }

    fn replan(&self, inputs: &Inputs<'_>, place: &Place, made: &mut Plan, _memo: &mut Memo) -> Result<(), String> {
        let mut fresh = Plan { owners: Arc::clone(&made.owners), ..Plan::default() };
        let mut work = plan(inputs, self.seen().as_ref(), &mut fresh);
        backend::check_late(&fresh, place)?;
        let changes = |plan: &'_ Plan| -> Vec<_> {
            let listed = plan.places.get(place).into_iter().flat_map(|planned| planned.listed());
            listed.flat_map(|resource| resource.changes.clone()).collect()
        };
        let reviewed = changes(made);
        let is_new = |change| !reviewed.iter().any(|known| is_reviewed(known, change));
        if changes(&fresh).iter().any(is_new) {
            return Err("it is not as it was recorded".to_owned());
        }
        backend::take_late(fresh, place, made);
        let tasks = work.tasks.remove(place);
        self.work().tasks.extend(tasks.map(|tasks| (place.clone(), tasks)));
        Ok(())
    }

    fn continues_after_failure(&self) -> bool {
        true
    }

    fn step(self: Arc<Self>, moment: &Moment<'_>, _memo: &mut Memo) -> Option<Begun> {
        let task = self.task(moment)?;
        let Some(azure) = self.azure.clone() else {
            let end = StepEnd::failed("topo cannot reach Azure: it was built without the feature `azure`.");
            return Some(Begun::Ended(StepEnd { outcomes: untouched(&task, moment), ..end }));
        };
        let lost = cut_off(&task, moment);
        Some(begin(azure, task, lost, moment))
    }

    fn unfinished(&self, moment: &Moment<'_>, touched: bool) -> StepEnd {
        let task = self.task(moment);
        let outcomes = if touched {
            let planned = moment.planned().into_iter().flat_map(|planned| planned.listed());
            planned.map(|resource| (resource.id.clone(), Outcome::StillInDoubt)).collect()
        } else {
            task.iter().flat_map(|task| untouched(task, moment)).collect()
        };
        let lost = task.iter().flat_map(|task| cut_off(task, moment)).collect();
        StepEnd { outcomes, lost, touched, ..StepEnd::default() }
    }

    fn confirm(&self, plan: &Plan, outcome: &RunOutcome) -> Vec<Check> {
        self.azure.iter().flat_map(|azure| effective::confirm(&self.work().checks, azure, plan, outcome)).collect()
    }

    fn requests(&self) -> Option<Requests> {
        self.azure.as_ref().map(|azure| azure.requests())
    }
}

//! Azure as a kind of place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::connection::AzureSite;
use super::look::error_of;
use super::step::{begin, cut_off, is_reviewed, untouched};
use super::{ARM, Recorded, SITE, Wanted, covers, effective, key, plan};
use crate::backend::{self, Begun, Check, Covered, Inputs, LateError, Moment, Question, Site, StepEnd};
use crate::exchange::Requests;
use crate::network::Memo;
use crate::plan::{PlacePlan, Plan};
use crate::report::RunOutcome;
use crate::resource::{Evidence, Place, PlaceKind};
use crate::state::Outcome;

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
        let looked = self.weighed();
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
        seen.interfaces.retain(|id, answer| !is_in(id, place) || answer.unread.is_empty());
        seen.forwardings.retain(|id, answer| !(is_in(id, place) && answer.is_unknown()));
    }

    fn covered(&self, inputs: &Inputs<'_>) -> Covered {
        let seen = self.weighed();
        covers(&Wanted::all(inputs.desired), &Recorded::of(inputs.recorded), seen.as_ref(), inputs.options)
    }

    fn plan(&self, inputs: &Inputs<'_>, made: &mut Plan, _memo: &mut Memo) {
        if concerns(inputs) {
            *self.work() = plan(inputs, self.weighed().as_ref(), made);
        }
    }

    fn replan(&self, inputs: &Inputs<'_>, place: &Place, made: &mut Plan, _memo: &mut Memo) -> Result<(), LateError> {
        let mut fresh = Plan { owners: Arc::clone(&made.owners), ..Plan::default() };
        let mut work = plan(inputs, self.weighed().as_ref(), &mut fresh);
        backend::check_late(&fresh, place)?;
        let changes = |plan: &'_ Plan| -> Vec<_> {
            let listed = plan.places.get(place).into_iter().flat_map(PlacePlan::listed);
            listed.flat_map(|resource| resource.changes.clone()).collect()
        };
        let reviewed = changes(made);
        let is_new = |change| !reviewed.iter().any(|known| is_reviewed(known, change));
        if changes(&fresh).iter().any(is_new) {
            return Err(LateError::Changed);
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
        let task = self.work().task(moment.place, moment.phase).cloned()?;
        let Some(azure) = self.azure.clone() else {
            let end = StepEnd::failed("topo cannot reach Azure: it was built without the feature `azure`.");
            return Some(Begun::Ended(StepEnd { outcomes: untouched(&task, moment), ..end }));
        };
        let lost = cut_off(&task, moment);
        Some(begin(azure, task, lost, moment))
    }

    fn unfinished(&self, moment: &Moment<'_>, touched: bool) -> StepEnd {
        let task = self.work().task(moment.place, moment.phase).cloned();
        let outcomes = if touched {
            let planned = moment.planned().into_iter().flat_map(PlacePlan::listed);
            planned.map(|resource| (resource.id.clone(), Outcome::StillInDoubt)).collect()
        } else {
            task.iter().flat_map(|task| untouched(task, moment)).collect()
        };
        let lost = task.iter().flat_map(|task| cut_off(task, moment)).collect();
        StepEnd { outcomes, touched, lost, ..StepEnd::default() }
    }

    fn confirm(&self, plan: &Plan, outcome: &RunOutcome) -> Vec<Check> {
        self.azure.iter().flat_map(|azure| effective::confirm(&self.work().checks, azure, plan, outcome)).collect()
    }

    fn requests(&self) -> Option<Requests> {
        self.azure.as_ref().map(|azure| azure.requests())
    }
}

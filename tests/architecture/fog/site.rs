//! Zones as a kind of place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use topo::backend::{Begun, Covered, Inputs, LOST, LateError, Moment, Question, Site, StepEnd, check_late, take_late};
use topo::exchange::Requests;
use topo::network::Memo;
use topo::plan::{Finding, Listed, ListedChange, ListedPlace, ListedPlan, Owners, PlacePlan, Plan};
use topo::resource::{Evidence, Name, Place, PlaceKind, Why};
use topo::state::Outcome;

use super::FOG;
use super::compare::{Task, Verdict};
use super::service::{Failure, Service, Zone};

/// The toy cloud, for the length of one command.
pub(super) struct FogSite {
    service: Option<Arc<Service>>,
    seen: Mutex<BTreeMap<Place, Evidence<Zone>>>,
    tasks: Mutex<BTreeMap<Place, Task>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer about a zone.
fn evidence(answer: Result<Option<Zone>, Failure>) -> Evidence<Zone> {
    match answer {
        Ok(Some(zone)) => Evidence::Seen(zone),
        Ok(None) => Evidence::Absent,
        Err(failure) => Evidence::Unknown(Why::Failed(failure.text())),
    }
}

impl FogSite {
    pub(super) fn new(service: Option<Arc<Service>>) -> Self {
        Self { service, seen: Mutex::default(), tasks: Mutex::default() }
    }

    /// Plans all zones. The tasks are for the steps.
    fn planned(&self, inputs: &Inputs<'_>, plan: &mut Plan) -> BTreeMap<Place, Task> {
        let wanted = Task::wanted(inputs.desired);
        if plan.owners.is_empty() {
            plan.owners = Owners::new(&inputs.desired.places, inputs.recorded, inputs.options.destroy).into();
        }
        let rows = wanted.values().flat_map(|wish| wish.rows.values()).map(|(address, name)| (*address, name));
        Arc::make_mut(&mut plan.owners).add_receivers(rows, std::iter::empty());
        let (mut listed, mut tasks) = (Listed::default(), BTreeMap::new());
        for task in Task::all(inputs, &plan.owners) {
            let seen = lock(&self.seen).get(&task.place).cloned().unwrap_or(Evidence::Unknown(Why::NotAsked));
            let (live, unseen) = match seen.known() {
                Ok(live) => (live, None),
                Err(why) => (task.believed(), Some(why.to_string())),
            };
            if self.service.is_some() {
                match &unseen {
                    Some(reason) => listed.findings.push(Finding::unseen(&task.place, reason)),
                    None => listed.answered += 1,
                }
            }
            let Verdict { resources, findings, .. } = task.compare(live.as_ref(), &BTreeSet::new());
            listed.findings.extend(findings.into_iter().filter(|_| unseen.is_none()));
            listed.places.insert(task.place.clone(), ListedPlace { resources, unseen });
            tasks.insert(task.place.clone(), task);
        }
        plan.add_listed(listed, inputs.recorded, inputs.options);
        tasks
    }
}

fn changes(plan: &Plan, place: &Place) -> Vec<ListedChange> {
    let listed = plan.places.get(place).into_iter().flat_map(PlacePlan::listed);
    listed.flat_map(|resource| resource.changes.clone()).collect()
}

/// What follows for all records of a place.
fn outcomes(moment: &Moment<'_>, outcome: &Outcome) -> Vec<(topo::resource::ResourceId, Outcome)> {
    let planned = moment.planned().into_iter().flat_map(PlacePlan::listed);
    planned.map(|resource| (resource.id.clone(), outcome.clone())).collect()
}

impl Site for FogSite {
    fn kind(&self) -> &'static PlaceKind {
        &FOG
    }

    fn ask<'a>(self: Arc<Self>, inputs: &Inputs<'a>, late: Option<&Place>, _: &mut Memo) -> Vec<Question<'a>> {
        let Some(service) = self.service.clone() else { return Vec::new() };
        let mut questions = Vec::new();
        for Task { place, .. } in Task::all(inputs, &Owners::default()) {
            if late.is_some_and(|late| *late != place) || lock(&self.seen).contains_key(&place) {
                continue;
            }
            let (site, service, at) = (Arc::clone(&self), Arc::clone(&service), place.clone());
            let pose = Box::new(move |_: &mut Memo| {
                lock(&site.seen).insert(at.clone(), Evidence::Unknown(Why::Failed(LOST.to_owned())));
                Box::pin(async move {
                    let answer = evidence(service.get(at.id()));
                    let error = answer.as_ref().known().err().map(|why| why.to_string());
                    lock(&site.seen).insert(at, answer);
                    error
                }) as _
            });
            questions.push(Question { place, pose });
        }
        questions
    }

    fn silence(&self, place: &Place) -> Option<String> {
        lock(&self.seen).get(place)?.as_ref().known().err().map(|why| why.to_string())
    }

    fn forget_silence(&self, place: &Place) {
        lock(&self.seen).retain(|other, answer| other != place || !answer.is_unknown());
    }

    fn covered(&self, inputs: &Inputs<'_>) -> Covered {
        Task::wanted(inputs.desired).values().flat_map(|wish| wish.rows.keys().copied()).collect()
    }

    fn plan(&self, inputs: &Inputs<'_>, plan: &mut Plan, _: &mut Memo) {
        let tasks = self.planned(inputs, plan);
        *lock(&self.tasks) = tasks;
    }

    fn replan(&self, inputs: &Inputs<'_>, place: &Place, plan: &mut Plan, _: &mut Memo) -> Result<(), LateError> {
        let mut fresh = Plan { owners: Arc::clone(&plan.owners), ..Plan::default() };
        let mut tasks = self.planned(inputs, &mut fresh);
        check_late(&fresh, place)?;
        let reviewed = changes(plan, place);
        if changes(&fresh, place).iter().any(|change| !reviewed.contains(change)) {
            return Err(LateError::Changed);
        }
        take_late(fresh, place, plan);
        lock(&self.tasks).extend(tasks.remove_entry(place));
        Ok(())
    }

    fn step(self: Arc<Self>, moment: &Moment<'_>, _: &mut Memo) -> Option<Begun> {
        let task = lock(&self.tasks).get(moment.place)?.clone();
        let planned: Vec<ListedPlan> = moment.planned()?.listed().cloned().collect();
        if !planned.iter().any(|resource| resource.phases.contains(&moment.phase)) {
            return None;
        }
        let service = self.service.clone()?;
        let lost: BTreeSet<Name> = moment.lost.keys().cloned().collect();
        let not_done = outcomes(moment, &Outcome::Untouched);
        let in_doubt = outcomes(moment, &Outcome::StillInDoubt);
        Some(Begun::Sent(Box::pin(async move {
            let reviewed: Vec<&ListedChange> = planned.iter().flat_map(|resource| &resource.changes).collect();
            let mut failure = Failure::Moved;
            for _ in 0..3 {
                let live = match service.get(task.place.id()) {
                    Ok(live) => live,
                    Err(why) => return StepEnd { outcomes: not_done, ..StepEnd::failed(why.text()) },
                };
                let verdict = task.compare(live.as_ref(), &lost);
                if verdict.changes().any(|change| !reviewed.contains(&change)) {
                    let why = "The zone has changed since the plan, and topo did not overwrite it. Run topo again.";
                    return StepEnd { outcomes: not_done, ..StepEnd::failed(why) };
                }
                let is_same = verdict.after == live;
                let version = live.map(|zone| zone.version);
                let written =
                    if is_same { Ok(()) } else { service.put(task.place.id(), verdict.after.as_ref(), version) };
                match written {
                    Ok(()) => return done(verdict, !is_same),
                    Err(Failure::Moved) => {}
                    Err(other) => {
                        failure = other;
                        break;
                    }
                }
            }
            let touched = matches!(failure, Failure::Silent(_));
            let outcomes = if touched { in_doubt } else { not_done };
            StepEnd { outcomes, touched, ..StepEnd::failed(failure.text()) }
        })))
    }

    fn unfinished(&self, moment: &Moment<'_>, touched: bool) -> StepEnd {
        let is_unseen = moment.planned().is_some_and(|planned| planned.unseen.is_some());
        let is_unsure = touched || (is_unseen && moment.was_in_doubt());
        let outcome = if is_unsure { Outcome::StillInDoubt } else { Outcome::Untouched };
        StepEnd { outcomes: outcomes(moment, &outcome), touched, ..StepEnd::default() }
    }

    fn requests(&self) -> Option<Requests> {
        self.service.as_ref().map(|service| service.requests())
    }
}

/// The end of a step that did what it could.
fn done(verdict: Verdict, touched: bool) -> StepEnd {
    let mut end = StepEnd { touched, ..StepEnd::default() };
    for change in verdict.changes() {
        *end.done.entry(change.action).or_default() += 1;
        end.operations += 1;
    }
    for node in verdict.skipped {
        *end.skipped.entry(node).or_default() += 1;
    }
    for ListedPlan { id, to, .. } in verdict.resources {
        let outcome = match to {
            Some(to) => Outcome::Done { excluded: Vec::new(), token: None, attributes: Some((*to.attributes).clone()) },
            None => Outcome::Removed,
        };
        end.outcomes.push((id, outcome));
    }
    end
}

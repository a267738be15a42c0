//! One step: it starts, a place that answers late is planned anew, and the outcome is recorded.

use std::sync::Arc;

use jiff::Timestamp;

use super::Executor;
use super::running::{InFlight, StepId, StepResult};
use crate::backend::{self, Inputs, Moment, Site, StepEnd};
use crate::drive::observe::ROUNDS;
use crate::drive::tell;
use crate::network::Memo;
use crate::report::{Event, Failure, Skipped};
use crate::resource::{Name, Place, ResourceId};
use crate::state::{Entry, Outcome, StoreError};

impl Executor<'_> {
    /// Starts a step; false if there is nothing to wait for.
    pub(super) async fn start(
        &mut self,
        step: &StepId,
        running: &mut InFlight,
        memo: &mut Memo,
    ) -> Result<bool, StoreError> {
        let Some(site) = self.site(&step.place) else {
            return self.give_up(step, NO_SITE, false).await.map(|()| false);
        };
        let has_failed = self.failed.contains(&step.place) && !site.continues_after_failure();
        if has_failed || self.unknown.contains(&step.place) || self.leaves(step).await? {
            return Ok(false);
        }
        if self.run.plan.places.get(&step.place).is_some_and(|planned| planned.unseen.is_some()) {
            site.forget_silence(&step.place);
            return self.answered(step, 0, running, memo).await;
        }
        self.carry_out(&site, step, running, memo).await
    }

    /// Carries out a step; false if there is nothing to wait for.
    async fn carry_out(
        &mut self,
        site: &Arc<dyn Site>,
        step: &StepId,
        running: &mut InFlight,
        memo: &mut Memo,
    ) -> Result<bool, StoreError> {
        match Arc::clone(site).step(&self.moment(step), memo) {
            None => Ok(false),
            Some(backend::Begun::Ended(end)) => self.finish(step, end).await.map(|()| false),
            Some(backend::Begun::Sent(work)) => {
                running.spawn(step, async move { StepResult::Step(work.await) });
                Ok(true)
            }
        }
    }

    /// Asks a place that topo could not look at before, or plans it anew if it has answered. False if there is nothing to wait
    /// for.
    pub(super) async fn answered(
        &mut self,
        step: &StepId,
        rounds: u32,
        running: &mut InFlight,
        memo: &mut Memo,
    ) -> Result<bool, StoreError> {
        let place = &step.place;
        let Some(site) = self.site(place).filter(|_| rounds == 0 || !*self.run.stop.borrow()) else {
            return self.leaves(step).await.map(|_| false);
        };
        if rounds < ROUNDS {
            let questions = Arc::clone(&site).ask(&self.inputs(), Some(place), memo);
            let asked: Vec<_> = questions.into_iter().map(|question| (question.pose)(memo)).collect();
            if !asked.is_empty() {
                running.spawn(step, async move {
                    for question in asked {
                        question.await;
                    }
                    StepResult::Looked { rounds: rounds + 1 }
                });
                return Ok(true);
            }
        }
        if let Some(why) = site.silence(place) {
            return self.give_up(step, &why, false).await.map(|()| false);
        }
        if self.moment(step).was_in_doubt() {
            let message = format!(
                "{} answers again. topo must first look at what an earlier run left there. Run topo apply again.",
                place.name()
            );
            return self.give_up(step, &message, false).await.map(|()| false);
        }
        let mut plan = std::mem::take(&mut self.run.plan);
        let replanned = site.replan(&self.inputs(), place, &mut plan, memo);
        self.run.plan = plan;
        if let Err(why) = replanned {
            let message = format!("{} answers again, but {why}. Run topo plan to see the details.", place.name());
            return self.give_up(step, &message, false).await.map(|()| false);
        }
        self.carry_out(&site, step, running, memo).await
    }

    /// Whether a step does not start because the user asked to stop. The outcome then names the step.
    async fn leaves(&mut self, step: &StepId) -> Result<bool, StoreError> {
        if !*self.run.stop.borrow() {
            return Ok(false);
        }
        if !self.outcome.stopped {
            self.outcome.stopped = true;
            tell(&self.run.events, Event::stopping());
        }
        self.outcome.left.push((step.place.clone(), step.phase));
        let outcomes = self.unfinished(step, false).outcomes;
        self.failed.insert(step.place.clone());
        self.journal(step, outcomes).await?;
        Ok(true)
    }

    /// A step that fails before its end. `touched` says whether it may have written something.
    pub(super) async fn give_up(&mut self, step: &StepId, why: &str, touched: bool) -> Result<(), StoreError> {
        let end = self.unfinished(step, touched);
        self.finish_as(step, StepEnd { failure: Some(why.to_owned()), touched, ..end }).await
    }

    fn unfinished(&self, step: &StepId, touched: bool) -> StepEnd {
        self.site(&step.place).map(|site| site.unfinished(&self.moment(step), touched)).unwrap_or_default()
    }

    /// Handles the end of a step.
    pub(super) async fn finish(&mut self, step: &StepId, mut end: StepEnd) -> Result<(), StoreError> {
        if let Some(site) = self.site(&step.place) {
            site.settle(&self.moment(step), &mut end);
        }
        self.finish_as(step, end).await
    }

    async fn finish_as(&mut self, step: &StepId, end: StepEnd) -> Result<(), StoreError> {
        let StepEnd { done, operations, outcomes, failure, touched, skipped, lost, warnings } = end;
        let (place, phase) = (step.place.clone(), step.phase);
        self.outcome.touched |= touched;
        for (action, number) in done {
            *self.outcome.done.entry(action).or_default() += number;
        }
        for (receiver, routes) in skipped {
            self.skip(&place, &receiver, routes);
        }
        self.lost.extend(lost);
        for message in warnings {
            tell(&self.run.events, Event::warning(&place, &message));
            self.outcome.warnings.push((place.clone(), message));
        }
        match failure {
            None => {
                let place = place.name().into();
                tell(&self.run.events, Event::StepDone { place, phase, operations });
            }
            Some(message) => {
                let name = place.name().into();
                tell(&self.run.events, Event::StepFailed { place: name, phase, text: message.clone() });
                self.failed.insert(place.clone());
                self.outcome.failures.push(Failure { place, phase, message });
            }
        }
        self.journal(step, outcomes).await
    }

    /// Reports routes of a place that are skipped, because the node that they lead to is lost.
    fn skip(&mut self, place: &Place, receiver: &Name, routes: usize) {
        let why = self.lost.get(receiver).cloned().unwrap_or_default();
        let skipped = Skipped { place: place.clone(), receiver: receiver.to_string(), routes, why };
        tell(&self.run.events, Event::from(&skipped));
        self.outcome.skipped.push(skipped);
    }

    /// Journals the outcomes of a step.
    async fn journal(&mut self, step: &StepId, outcomes: Vec<(ResourceId, Outcome)>) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let machine_id = self.run.plan.places.get(&step.place).and_then(|planned| planned.machine_id.clone());
        let entry = Entry {
            run: self.id,
            base: self.base,
            seq: 0,
            at: Timestamp::now(),
            place: step.place.clone(),
            phase: step.phase.label().into(),
            outcomes,
            machine_id: machine_id.filter(|id| !id.is_empty()),
            forget: false,
        };
        self.entries.push(entry.clone());
        self.journal.append(entry).await
    }

    fn site(&self, place: &Place) -> Option<Arc<dyn Site>> {
        self.run.sites.iter().find(|site| site.kind() == place.kind()).cloned()
    }

    fn inputs(&self) -> Inputs<'_> {
        let (topology, desired, options) = (&self.run.topology, self.run.desired, self.run.options);
        Inputs { topology, desired, recorded: &self.before, options }
    }

    fn moment<'m>(&'m self, step: &'m StepId) -> Moment<'m> {
        let StepId { place, phase, .. } = step;
        Moment {
            inputs: self.inputs(),
            state: &self.run.state,
            plan: &self.run.plan,
            place,
            phase: *phase,
            is_last: self.phases.get(place).is_none_or(|phases| phases.iter().all(|other| other <= phase)),
            lost: &self.lost,
            failed: &self.failed,
        }
    }
}

/// What is said of a place that no site of this binary can reach.
const NO_SITE: &str = "This topo has no connection to such places. Use a topo that was built with it.";

//! Steps in Azure: which ones start, what they leave out, and their outcomes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use petgraph::graph::NodeIndex;

use super::azure_step::Step;
use super::running::Running;
use super::{Ended, Executor, Failure};
use crate::backend::azure_udr::{AzureTask, SubnetTask, arm};
use crate::drive::{Event, tell};
use crate::plan::ListedPlan;
use crate::resource::{Action, Name, Phase, Place, ResourceId};
use crate::state::{Outcome, StoreError};

/// The outcome of a step.
#[derive(Debug, Default)]
pub(super) struct AzureEnd {
    /// Number of changes that are done, by action.
    pub(super) done: BTreeMap<Action, usize>,
    pub(super) outcomes: Vec<(ResourceId, Outcome)>,
    /// Why not everything was done, in full sentences.
    pub(super) failure: Option<String>,
    /// Whether the step may have written anything.
    pub(super) touched: bool,
    /// Skipped routes, by the node that they lead to.
    pub(super) skipped: BTreeMap<Name, usize>,
    /// Addresses of a network interface that does not forward.
    pub(super) cut_off: Vec<IpAddr>,
}

impl AzureEnd {
    /// Adds the outcome of another part of the step.
    pub(super) fn join(&mut self, other: Self) {
        for (action, number) in other.done {
            *self.done.entry(action).or_default() += number;
        }
        self.outcomes.extend(other.outcomes);
        self.touched |= other.touched;
        let failures: Vec<String> = self.failure.take().into_iter().chain(other.failure).collect();
        self.failure = (!failures.is_empty()).then(|| failures.join(" "));
    }

    pub(super) fn touching(self, touched: bool) -> Self {
        Self { touched: self.touched || touched, ..self }
    }
}

impl Executor<'_> {
    /// Starts a step in Azure; false if there is nothing to wait for.
    pub(super) async fn start_azure(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let Some(planned) = self.run.plan.places.get(place) else { return Ok(false) };
        let failed = |message: &str, outcomes: Vec<(ResourceId, Outcome)>| AzureEnd {
            failure: Some(message.to_owned()),
            outcomes,
            ..AzureEnd::default()
        };
        if let Some(reason) = &planned.unseen {
            let end = failed(reason, Vec::new());
            self.finish_azure(place, phase, end).await?;
            return Ok(false);
        }
        let Some(mut task) = self.run.azure_work.task(place, phase).cloned() else { return Ok(false) };
        let planned: Vec<ListedPlan> = planned.listed().cloned().collect();
        let untouched = of_task(&task, &planned);
        let (mut left_out, mut subnets_failed) = (None, false);
        if self.leaves(place, phase) {
            self.azure_failed.insert(place.clone());
            self.journal(place, phase, untouched).await?;
            return Ok(false);
        }
        let Some(azure) = self.run.azure.clone() else {
            let end = failed("topo cannot reach Azure: it was built without the feature `azure`.", untouched);
            self.finish_azure(place, phase, end).await?;
            return Ok(false);
        };
        match &mut task {
            AzureTask::Table(table) => {
                table.left_out = self.lost.keys().cloned().collect();
                let mut failed = self.azure_failed.iter();
                subnets_failed = failed.any(|place| arm(place).is_some_and(|id| table.is_left_by_subnets_of(id)));
            }
            AzureTask::Subnets(subnets) if phase == Phase::Persist => {
                // A subnet must not get a table that is not as planned.
                let broken = |subnet: &SubnetTask| {
                    let table = subnet.table().unwrap_or_default();
                    let is_table = |place: &Place| arm(place).is_some_and(|id| id.eq_ignore_ascii_case(table));
                    self.azure_failed.iter().any(is_table)
                };
                let (left, rest): (Vec<SubnetTask>, Vec<SubnetTask>) = subnets.drain(..).partition(broken);
                *subnets = rest;
                if !left.is_empty() {
                    let names: Vec<&str> = left.iter().map(SubnetTask::name).collect();
                    let message = format!(
                        "topo did not write the route table of {} as planned, so it did not associate the table. \
                         Correct that and run topo again.",
                        names.join(", ")
                    );
                    let nothing = subnets.is_empty();
                    let end = failed(&message, of_task(&AzureTask::Subnets(left), &planned));
                    if nothing {
                        self.finish_azure(place, phase, end).await?;
                        return Ok(false);
                    }
                    left_out = Some(end);
                }
            }
            AzureTask::Interface(_) if phase == Phase::Retire && !self.azure_failed.is_empty() => {
                let message = "topo did not change it, because routes may still lead to it. Correct what failed, and run topo \
                     again.";
                let end = failed(message, untouched);
                self.finish_azure(place, phase, end).await?;
                return Ok(false);
            }
            AzureTask::Subnets(_) | AzureTask::Interface(_) => {}
        }
        let place = place.clone();
        running.spawn(async move {
            let work = Step { azure: &*azure, planned: &planned, subnets_failed };
            let mut end = match &task {
                AzureTask::Table(table) => work.table(table).await,
                AzureTask::Subnets(subnets) => work.subnets(subnets).await,
                AzureTask::Interface(interface) => work.interface(interface, phase).await,
            };
            end.join(left_out.unwrap_or_default());
            Ended::Azure(index, place, phase, end)
        });
        Ok(true)
    }

    /// Handles the outcome of a step in Azure.
    pub(super) async fn finish_azure(&mut self, place: &Place, phase: Phase, end: AzureEnd) -> Result<(), StoreError> {
        let AzureEnd { done, outcomes, failure, touched, skipped, cut_off } = end;
        self.outcome.touched |= touched;
        let operations = done.values().sum();
        for (action, number) in done {
            *self.outcome.done.entry(action).or_default() += number;
        }
        for (receiver, routes) in skipped {
            self.skip(place, &receiver, routes);
        }
        for address in cut_off {
            let receiver = self.run.plan.owners.name(address).cloned();
            self.lost.extend(receiver.map(|name| (name, "its network interface does not forward".to_owned())));
        }
        match failure {
            None => tell(&self.run.events, Event::StepDone { place: place.clone(), phase, operations }),
            Some(message) => {
                tell(&self.run.events, Event::StepFailed { place: place.clone(), phase, message: message.clone() });
                self.outcome.failures.push(Failure { place: place.clone(), phase, message });
                self.azure_failed.insert(place.clone());
            }
        }
        self.journal(place, phase, outcomes).await
    }
}

/// The outcomes of a task that did not start.
fn of_task(task: &AzureTask, planned: &[ListedPlan]) -> Vec<(ResourceId, Outcome)> {
    let is_of = |resource: &&ListedPlan| match task {
        AzureTask::Subnets(subnets) => subnets.iter().any(|subnet| subnet.is_of(&resource.id)),
        AzureTask::Table(_) | AzureTask::Interface(_) => true,
    };
    planned.iter().filter(is_of).map(|resource| (resource.id.clone(), Outcome::Untouched)).collect()
}

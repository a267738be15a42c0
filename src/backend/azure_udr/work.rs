//! What a run does in Azure, beside the plan.

use std::collections::BTreeMap;

use super::{Hop, InterfaceTask, SubnetTask, TableTask};
use crate::network::Prefix;
use crate::plan::{Finding, Listed, ListedPlan};
use crate::resource::{Phase, Place};

/// What is done in one place of Azure in one phase. Each step compares the task with the live resource again before it writes.
#[derive(Clone, Debug)]
pub enum AzureTask {
    /// A route table with its routes: one write.
    Table(Box<TableTask>),
    /// Associations of subnets of one virtual network, one after the other.
    Subnets(Vec<SubnetTask>),
    /// IP forwarding of a network interface.
    Interface(InterfaceTask),
}

/// Where a run can see afterwards whether the routes of a table are in force in a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveCheck {
    /// The table.
    pub table: Place,
    /// The id of the subnet.
    pub subnet: String,
    /// Ids of network interfaces in the subnet that belong to machines. topo asks them until one answers: all have the same routes.
    pub interfaces: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// The routes, by destination.
    pub routes: Vec<(Prefix, Hop)>,
}

/// What a run does in Azure.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// The tasks of each place, one for a phase.
    pub tasks: BTreeMap<Place, Vec<(Phase, AzureTask)>>,
    /// What topo looks at after the run.
    pub checks: Vec<EffectiveCheck>,
}

impl Work {
    /// The task of a place in a phase.
    pub fn task(&self, place: &Place, phase: Phase) -> Option<&AzureTask> {
        self.tasks.get(place)?.iter().find(|(at, _)| *at == phase).map(|(_, task)| task)
    }
}

/// What comes of the comparison, as far as it is made.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) listed: Listed,
    pub(super) work: Work,
}

impl Findings {
    pub(super) fn add(&mut self, finding: impl IntoIterator<Item = Finding>) {
        self.listed.findings.extend(finding);
    }

    /// Notes the answer of a place that topo asked.
    pub(super) fn note_answer(&mut self, place: &Place, unseen: Option<&str>) {
        match unseen {
            Some(reason) => self.listed.findings.push(Finding::unseen(place, reason)),
            None => self.listed.answered += 1,
        }
    }

    pub(super) fn plan(&mut self, place: &Place, resources: Vec<ListedPlan>, unseen: Option<String>, task: AzureTask) {
        if let Some(phase) = resources.iter().flat_map(|resource| &resource.phases).next() {
            let tasks = self.work.tasks.entry(place.clone()).or_default();
            match (tasks.iter_mut().find(|(at, _)| at == phase), task) {
                (Some((_, AzureTask::Subnets(tasks))), AzureTask::Subnets(more)) => tasks.extend(more),
                (_, task) => tasks.push((*phase, task)),
            }
        }
        let known = self.listed.places.entry(place.clone()).or_default();
        known.resources.extend(resources);
        known.unseen = known.unseen.take().or(unseen);
    }
}

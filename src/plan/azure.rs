//! What is planned in Azure.

use std::sync::Arc;

use crate::backend::azure_udr::{Hop, InterfaceTask, SubnetTask, TableTask};
use crate::network::Prefix;
use crate::resource::words::Setting;
use crate::resource::{Action, Kind, Phase, Place, Reason, ResourceId, Shape};

/// One change in Azure: of a route table, of one of its routes, of a subnet's association, of a network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureChange {
    /// The kind of resource.
    pub kind: &'static Kind,
    /// The name of the route or of the subnet; empty for what stands for the whole place.
    pub key: Arc<str>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What becomes of it.
    pub what: AzureWhat,
}

/// What becomes of something in Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AzureWhat {
    /// A route table: what is set on it.
    Table(Vec<Setting>),
    /// A route to a destination; none: not there.
    Route {
        /// Where it leads to.
        destination: Prefix,
        /// The next hop that is live, or recorded where nobody looked.
        before: Option<Hop>,
        /// The next hop that it gets.
        after: Option<Hop>,
    },
    /// The route table of a subnet, by id.
    Association {
        /// The one that it has.
        before: Option<String>,
        /// The one that it gets.
        after: Option<String>,
    },
    /// Whether a network interface forwards, and the address that is a next hop.
    Forwarding(bool),
}

/// What is planned in one place of Azure.
#[derive(Clone, Debug, Default)]
pub struct AzurePlace {
    /// The changes, routes by destination.
    pub changes: Vec<AzureChange>,
    /// What is to be recorded.
    pub records: Vec<AzureRecord>,
    /// What is done there, by phase.
    pub tasks: Vec<(Phase, AzureTask)>,
}

/// What is recorded of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct AzureRecord {
    /// Which one.
    pub id: ResourceId,
    /// What it is, as far as it is ours; none: not there.
    pub is: Option<Shape>,
    /// What it is to become.
    pub to: Option<Shape>,
    /// Whether something is done to it; else only the record changes.
    pub touched: bool,
}

/// What is done in one place of Azure in one phase. Each is compared with what is live again before anything is written.
#[derive(Clone, Debug)]
pub enum AzureTask {
    /// A route table with its routes: one write.
    Table(Box<TableTask>),
    /// Associations of the subnets of one virtual network, one after the other.
    Subnets(Vec<SubnetTask>),
    /// IP forwarding of a network interface.
    Interface(InterfaceTask),
}

impl AzurePlace {
    /// What is done there in a phase.
    pub fn task(&self, phase: Phase) -> Option<&AzureTask> {
        self.tasks.iter().find(|(at, _)| *at == phase).map(|(_, task)| task)
    }
}

/// What is found out about Azure when it is compared with what is wanted and recorded.
#[derive(Clone, Debug, Default)]
pub struct AzureFindings {
    /// What is planned, by place.
    pub places: Vec<(Place, AzurePlace, Option<String>)>,
    /// What was found besides.
    pub findings: Vec<super::Finding>,
    /// Number of places that answered.
    pub answered: usize,
    /// What is looked at after the run.
    pub checks: Vec<EffectiveCheck>,
}

/// Where it shows, after a run, whether the routes of a table are in force in a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveCheck {
    /// The table.
    pub table: Place,
    /// The id of the subnet.
    pub subnet: String,
    /// Ids of network interfaces in it that belong to machines; the first one whose machine runs is enough, for all of a subnet
    /// go by the same routes.
    pub interfaces: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// The routes, by destination.
    pub routes: Vec<(Prefix, Hop)>,
}

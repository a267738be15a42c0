//! The order of a run: steps, and gates between the phases.

use petgraph::graph::{DiGraph, NodeIndex};

use super::Plan;
use super::azure::AzureTask;
use crate::network::Memo;
use crate::resource::{Phase, Place};

/// A vertex of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vertex {
    /// One exchange with one place in one phase.
    Step(Place, Phase),
    /// The end of a phase: it orders, it never fails.
    Gate(Phase),
}

/// The steps of a run. At most two edges a step: from the gate before its phase, and to the gate behind it.
pub type Steps = DiGraph<Vertex, ()>;

/// Builds the graph. A place that could not be looked at gets a step in Prepare, so that it is known whether it answers
/// before others get routes that lead to it.
pub fn steps(plan: &Plan, memo: &mut Memo) -> Steps {
    let mut phases: Vec<(Phase, Vec<&Place>)> = Phase::ALL.iter().map(|phase| (*phase, Vec::new())).collect();
    for (place, planned) in plan.places.iter().filter(|(_, planned)| planned.acts) {
        let reasons = plan.reasons(place);
        let mut needed = std::collections::BTreeSet::new();
        for resource in planned.resources.values() {
            needed.extend(resource.phases(&reasons, memo));
        }
        // A file is checked before the first write of its node.
        if needed.contains(&Phase::Install) && planned.files().any(|(_, file)| file.is_checked()) {
            needed.insert(Phase::Prepare);
        }
        if let Some(azure) = &planned.azure {
            // What nobody could look at is not touched: its step says so.
            let tasks = azure.tasks.iter().map(|(phase, _)| *phase);
            needed.extend(tasks.filter(|_| planned.unseen.is_none()));
        }
        if planned.unseen.is_some() {
            needed.insert(Phase::Prepare);
        }
        if planned.ends && planned.has_marker {
            needed.insert(Phase::Retire);
        }
        for (phase, places) in &mut phases {
            if needed.contains(phase) {
                places.push(place);
            }
        }
    }
    let mut graph = Steps::new();
    let mut before: Option<NodeIndex> = None;
    for (phase, places) in phases.into_iter().filter(|(_, places)| !places.is_empty()) {
        let gate = graph.add_node(Vertex::Gate(phase));
        for place in places {
            let step = graph.add_node(Vertex::Step(place.clone(), phase));
            if let Some(before) = before {
                graph.add_edge(before, step, ());
            }
            graph.add_edge(step, gate, ());
        }
        before = Some(gate);
    }
    order_removals(plan, &mut graph);
    graph
}

/// A route table goes, or loses its routes, after its subnets have left it; a machine forwards as long as routes lead to it.
fn order_removals(plan: &Plan, graph: &mut Steps) {
    let (mut subnets, mut tables, mut interfaces) = (Vec::new(), Vec::new(), Vec::new());
    for index in graph.node_indices() {
        let Vertex::Step(place, Phase::Retire) = &graph[index] else { continue };
        let azure = plan.places.get(place).and_then(|planned| planned.azure.as_ref());
        match azure.and_then(|azure| azure.task(Phase::Retire)) {
            Some(AzureTask::Subnets(_)) => subnets.push(index),
            Some(AzureTask::Table(_)) => tables.push(index),
            Some(AzureTask::Interface(_)) => interfaces.push(index),
            None => {}
        }
    }
    for subnet in subnets {
        for table in &tables {
            graph.add_edge(subnet, *table, ());
        }
    }
    for table in tables {
        for interface in &interfaces {
            graph.add_edge(table, *interface, ());
        }
    }
}

//! The order of a run: steps, and gates between the phases.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::{DiGraph, NodeIndex};

use super::{PlacePlan, Plan};
use crate::network::Memo;
use crate::resource::{Phase, Place};

/// A vertex of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vertex {
    /// One exchange with one place in one phase.
    Step(Place, Phase),
    /// The end of a phase, or of a turn within the phase Retire. A gate orders, it never fails.
    Gate(Phase),
}

/// The steps of a run. A step has at most two edges: one from the gate before it, and one to the gate behind it.
pub type Steps = DiGraph<Vertex, ()>;

/// Builds the graph. A place that topo could not look at gets a step in Prepare, so that topo knows whether the place answers
/// before others get routes that lead to it.
pub fn steps(plan: &Plan, memo: &mut Memo) -> Steps {
    let mut rounds: BTreeMap<(Phase, u8), Vec<&Place>> = BTreeMap::new();
    for (place, planned) in plan.places.iter().filter(|(_, planned)| planned.acts) {
        let reasons = plan.reasons(place);
        let mut needed = BTreeSet::new();
        for resource in planned.resources.values() {
            needed.extend(resource.phases(&reasons, memo));
        }
        // A file is checked before the first write of its node.
        if needed.contains(&Phase::Install) && planned.files().any(|(_, file)| file.is_checked()) {
            needed.insert(Phase::Prepare);
        }
        if planned.unseen.is_some() {
            // The step asks the place again, and does nothing there if it still does not answer.
            needed.insert(Phase::Prepare);
        }
        if planned.ends && planned.has_marker {
            needed.insert(Phase::Retire);
        }
        for phase in needed {
            let turn = if phase == Phase::Retire { turn_of(planned) } else { 0 };
            rounds.entry((phase, turn)).or_default().push(place);
        }
    }
    let mut graph = Steps::new();
    let mut before: Option<NodeIndex> = None;
    for ((phase, _), places) in rounds {
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
    graph
}

/// The turn of a place in the phase Retire: that of the last kind that changes there.
fn turn_of(planned: &PlacePlan) -> u8 {
    let changes = planned.listed().flat_map(|resource| &resource.changes);
    changes.map(|change| change.kind.retires).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use petgraph::algo::has_path_connecting;

    use super::*;
    use crate::plan::{ListedChange, ListedPlan, ListedWhat, ResourcePlan};
    use crate::resource::words::RouteWords;
    use crate::resource::{Action, Kind, Name, PlaceKind, Reason, ResourceId};

    static CLOUD: PlaceKind = PlaceKind { id: "cloud", form: "cloud:ID", order: 9, name: |id| id, is_id: |_| true };
    static SUBNET: Kind =
        Kind { id: "subnet", noun: "subnet", order: 90, retires: 0, only_seen: false, words: &RouteWords };
    static TABLE: Kind =
        Kind { id: "table", noun: "table", order: 91, retires: 1, only_seen: false, words: &RouteWords };
    static INTERFACE: Kind =
        Kind { id: "interface", noun: "interface", order: 92, retires: 2, only_seen: false, words: &RouteWords };

    /// A place of which everything goes.
    fn retiring(kind: &'static Kind, number: usize) -> (Place, PlacePlan) {
        let (action, reason, what) = (Action::Remove, Reason::NotWanted, ListedWhat::Settings(Vec::new()));
        let change = ListedChange { kind, key: "".into(), action, reason, what };
        let backend = Name::new("cloud").expect("name");
        let resource = ListedPlan {
            id: ResourceId { backend, kind: kind.id.into(), name: "".into() },
            changes: vec![change],
            is: None,
            to: None,
            phases: vec![Phase::Retire],
        };
        let id = resource.id.clone();
        let resources = [(id, ResourcePlan { listed: Some(resource), ..ResourcePlan::default() })].into();
        let planned = PlacePlan { resources, acts: true, ..PlacePlan::default() };
        (Place::new(&CLOUD, format!("{kind}-{number}")), planned)
    }

    #[test]
    fn removals_take_turns_and_each_step_has_at_most_two_edges() {
        let mut plan = Plan::default();
        for (kind, number) in [(&SUBNET, 20), (&TABLE, 10), (&INTERFACE, 5_000)] {
            plan.places.extend((0..number).map(|number| retiring(kind, number)));
        }
        let graph = steps(&plan, &mut Memo::default());
        assert_eq!(graph.node_count(), 20 + 10 + 5_000 + 3);
        assert!(graph.edge_count() <= 2 * (20 + 10 + 5_000), "{}", graph.edge_count());
        let find = |kind: &Kind, number: usize| {
            let place = Place::new(&CLOUD, format!("{kind}-{number}"));
            let is_it = |at: &NodeIndex| graph[*at] == Vertex::Step(place.clone(), Phase::Retire);
            graph.node_indices().find(is_it).expect("a step")
        };
        for (before, after) in [((&SUBNET, 19), (&TABLE, 0)), ((&TABLE, 9), (&INTERFACE, 4_999))] {
            let (before, after) = (find(before.0, before.1), find(after.0, after.1));
            assert!(has_path_connecting(&graph, before, after, None));
            assert!(!has_path_connecting(&graph, after, before, None));
        }
    }
}

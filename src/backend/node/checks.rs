//! The checks before the first write: to whom a machine belongs, and what a route would cut off.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::findings::{captures, in_azure, lineage_lost, not_on_link, other_lineage, protocol_taken};
use super::observed::{Observation, Seen};
use crate::backend::{Covered, Inputs};
use crate::network::{Prefix, Rows};
use crate::plan::{DesiredPlace, Plan, ResourcePlan, TablePlan};
use crate::resource::{Name, Place, Resources};

/// The destinations that no route table of Azure leads to. They are found once for each list of rows and each set of tables.
pub(super) struct Uncovered<'a> {
    covered: &'a Covered,
    lists: Vec<(Rows, Vec<usize>, Arc<[Prefix]>)>,
}

impl<'a> Uncovered<'a> {
    pub(super) fn new(covered: &'a Covered) -> Self {
        Self { covered, lists: Vec::new() }
    }

    /// The uncovered destinations of a list for a machine with these addresses, sorted.
    fn of(&mut self, rows: &Rows, addresses: &[IpAddr]) -> Arc<[Prefix]> {
        let tables = self.covered.tables_of(addresses);
        let mut known = self.lists.iter().filter(|(_, of, _)| *of == tables);
        if let Some((.., found)) = known.find(|(known, ..)| known.is_same_list(rows)) {
            return Arc::clone(found);
        }
        let is_covered = |destination: &Prefix| tables.iter().any(|at| self.covered.0[*at].1.contains(destination));
        let destinations = rows.as_slice().iter().map(|row| row.destination);
        let found: Arc<[Prefix]> = destinations.filter(|destination| !is_covered(destination)).collect();
        self.lists.push((rows.clone(), tables, Arc::clone(&found)));
        found
    }
}

impl Plan {
    /// Checks the markers of a machine. True: the marker of this topology and lineage is there.
    pub(super) fn check_markers(
        &mut self,
        inputs: &Inputs<'_>,
        place: &Place,
        seen: &Seen,
        resources: &Resources<ResourcePlan>,
    ) -> bool {
        let mut ours = false;
        for marker in &seen.identity.markers {
            if marker.topology == inputs.topology.as_str() {
                ours = marker.lineage == inputs.recorded.lineage.to_string();
                if !ours && !marker.lineage.is_empty() {
                    self.findings.push(other_lineage(place, &marker.lineage));
                    if !inputs.options.new_lineage {
                        self.findings.push(lineage_lost(place));
                    }
                }
            } else if tables_of(resources).any(|table| table.mark_protocols.contains(&marker.protocol)) {
                self.findings.push(protocol_taken(place, &marker.topology, marker.protocol));
            }
        }
        ours
    }

    /// Finds what a route would cut off that the run is about to write.
    pub(super) fn check_lockout(&mut self, place: &Place, resources: &Resources<ResourcePlan>, seen: &Seen) {
        let identity = &seen.identity;
        let own = tables_of(resources).filter_map(|table| table.to.as_ref()).flat_map(|to| to.own.iter().copied());
        let needed = identity
            .peer
            .iter()
            .map(|address| (*address, "the address that you are logged in from"))
            .chain(own.map(|address| (address, "an address of the node")))
            .chain(identity.addresses.iter().map(|address| (*address, "an address of the node")))
            .chain(identity.gateways.iter().map(|address| (*address, "the default gateway")))
            .chain(identity.resolvers.iter().map(|address| (*address, "a DNS server in use")));
        let mut told = BTreeSet::new();
        for (address, what) in needed {
            for table in tables_of(resources) {
                let Some(to) = &table.to else { continue };
                let rows = to.rows.as_slice();
                let at = rows.partition_point(|row| row.destination <= Prefix::host(address));
                let Some(row) = at.checked_sub(1).and_then(|at| rows.get(at)) else { continue };
                let key = row.destination;
                if key.contains(address) && table.writes(&key) && told.insert((key, address)) {
                    self.findings.push(captures(place, key, address, what));
                }
            }
        }
        for (next_hop, found) in &seen.not_on_link {
            self.findings.push(not_on_link(place, *next_hop, found));
        }
    }
    /// Azure forwards by its own route tables, whatever routes a machine has. If the topology wants a route on the machine that no
    /// table has, packets get lost, also if the route is in force already.
    pub(super) fn check_azure(
        &mut self,
        place: &Place,
        wanted: Option<&DesiredPlace>,
        observation: &Observation,
        uncovered: &mut Uncovered<'_>,
    ) {
        if !observation.seen().is_some_and(|seen| seen.identity.in_azure) {
            return;
        }
        // Backends share lists, so one finding names all backends of the place.
        let mut found: Vec<(Arc<[Prefix]>, Vec<Name>)> = Vec::new();
        for (id, shape) in wanted.iter().flat_map(|wanted| &wanted.resources) {
            let Some(set) = &shape.routes else { continue };
            let destinations = uncovered.of(&set.rows, &set.own);
            if !destinations.iter().any(|destination| set.find(destination).is_some()) {
                continue;
            }
            match found.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &destinations)) {
                Some((_, backends)) if backends.contains(&id.backend) => {}
                Some((_, backends)) => backends.push(id.backend.clone()),
                None => found.push((destinations, vec![id.backend.clone()])),
            }
        }
        self.findings
            .extend(found.into_iter().map(|(destinations, backends)| in_azure(place, &backends, destinations)));
    }
}

fn tables_of(resources: &Resources<ResourcePlan>) -> impl Iterator<Item = &TablePlan> {
    resources.values().flat_map(|resource| &resource.tables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::{World, place, plan_of, prefix, seen};
    use crate::backend::node::replan;
    use crate::backend::{Desired, REGISTRY};
    use crate::network::Memo;
    use crate::plan::findings::{Finding, Scope};
    use crate::plan::{Options, Selection};
    use crate::state::State;

    const ALL: [&str; 3] = ["node-0", "node-1", "node-2"];

    /// What nodes answer from Azure.
    fn in_azure(state: &State, names: &[&str]) -> Vec<(Place, Observation)> {
        let of = |name: &&str| {
            let (place, mut observation) = seen(state, name, |_| ());
            if let Observation::Seen(seen) = &mut observation {
                seen.identity.in_azure = true;
            }
            (place, observation)
        };
        names.iter().map(of).collect()
    }

    /// The nodes that are refused and the destinations that are named.
    fn refused(plan: &Plan) -> Vec<(&'static str, String)> {
        let of = |finding: &Finding| {
            let Scope::Keys(_, destinations) = &finding.scope else { panic!("{finding:?}") };
            let destinations: Vec<String> = destinations.iter().map(Prefix::to_string).collect();
            let name = ALL.into_iter().find(|name| *name == finding.place().name());
            (name.expect("a node"), destinations.join(" "))
        };
        plan.findings.iter().filter(|finding| finding.stops()).map(of).collect()
    }

    const PODS: &str = "172.16.0.0/24 172.16.1.0/24 172.16.2.0/24";

    #[test]
    fn routes_on_machines_in_azure_need_a_route_table() {
        let world = World::mesh(3, 3);
        let desired = world.desired();
        let nothing = State::new(Name::new("mesh").expect("name")).expect("lineage");
        for state in [&nothing, &world.state()] {
            // New routes and those in force alike; not on machines elsewhere, and not where nobody looked.
            let mut answers = in_azure(state, &["node-0", "node-2"]);
            answers.push(seen(state, "node-1", |_| ()));
            let plan = plan_of(&desired, state, answers, &Options::default());
            assert_eq!(refused(&plan), [("node-0", PODS.to_owned()), ("node-2", PODS.to_owned())]);
            let [Finding { scope: Scope::Keys(_, one), .. }, Finding { scope: Scope::Keys(_, other), .. }] =
                &plan.findings[..]
            else {
                panic!()
            };
            assert!(Arc::ptr_eq(one, other), "found once for all nodes");
            assert_eq!(refused(&plan_of(&desired, state, vec![], &Options::default())), []);
        }
    }

    #[test]
    fn a_route_table_counts_for_machines_of_its_network_alone() {
        let set = |texts: &[&str]| texts.iter().map(|text| prefix(text)).collect();
        let covered = Covered(vec![
            (vec![prefix("10.240.0.0/16")], set(&["10.200.0.0/24"])),
            (vec![prefix("10.250.0.0/16")], set(&["10.201.0.0/24"])),
        ]);
        let tables = |text: &str| covered.tables_of(&[text.parse().expect("address")]);
        assert_eq!(tables("10.240.0.20"), [0]);
        assert_eq!(tables("10.250.0.20"), [1]);
        assert!(tables("192.168.0.1").is_empty());
        assert_eq!([prefix("10.0.0.0/8")].into_iter().collect::<Covered>().tables_of(&[]), [0], "unknown: for all");
    }

    #[test]
    fn a_route_table_covers_its_destinations() {
        let world = World::mesh(3, 3);
        let (state, all) = (world.state(), in_azure(&world.state(), &ALL));
        let with = |covered: &[&str]| {
            let covered = covered.iter().map(|text| prefix(text)).collect();
            let desired = Desired { covered, ..world.desired() };
            let plan = plan_of(&desired, &state, all.clone(), &Options::default());
            refused(&plan).into_iter().map(|(name, said)| format!("{name}: {said}")).collect::<Vec<_>>()
        };
        assert_eq!(with(&["172.16.0.0/24", "172.16.1.0/24", "172.16.2.0/24"]), [""; 0]);
        // A node has no route to its own pods, so nothing is wrong there.
        assert_eq!(with(&["172.16.0.0/24", "172.16.1.0/24"]), ["node-0: 172.16.2.0/24", "node-1: 172.16.2.0/24"]);
    }

    #[test]
    fn what_is_taken_away_needs_none() {
        let world = World::mesh(3, 3);
        let state = world.state();
        let mut desired = world.desired();
        // `nodes = ["node-1"]`, and node-1 is elsewhere.
        for name in ["node-0", "node-2"] {
            desired.places.get_mut(&place(name)).expect("there").resources.clear();
        }
        let plan = plan_of(&desired, &state, in_azure(&state, &["node-0", "node-2"]), &Options::default());
        assert!(refused(&plan).is_empty() && plan.places.len() == 2);

        desired.places.values_mut().for_each(|place| place.resources.clear());
        let destroy = Options { destroy: true, ..Options::default() };
        let plan = plan_of(&desired, &state, in_azure(&state, &ALL), &destroy);
        assert!(refused(&plan).is_empty() && plan.places.len() == 3);
        let plan = plan_of(&Desired::default(), &state, in_azure(&state, &ALL), &destroy);
        assert!(refused(&plan).is_empty() && plan.places.len() == 3);
    }

    #[test]
    fn what_is_selected_is_judged() {
        let world = World::mesh(3, 3);
        let desired = world.desired();
        let nothing = State::new(Name::new("mesh").expect("name")).expect("lineage");
        let names = |targets: &[&str], excludes: &[&str]| -> Vec<Vec<&'static str>> {
            let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("pattern")).collect();
            let selection = Selection { targets: patterns(targets), excludes: patterns(excludes) };
            let options = Options { selection, ..Options::default() };
            let with = |state: &State| {
                let plan = plan_of(&desired, state, in_azure(state, &ALL), &options);
                refused(&plan).into_iter().map(|(name, _)| name).collect()
            };
            vec![with(&nothing), with(&world.state())]
        };
        assert_eq!(names(&["node-1"], &[]), [["node-1"], ["node-1"]]);
        assert_eq!(names(&["*[\"172.16.1.0/24\"]"], &["node-1"]), [["node-0", "node-2"], ["node-0", "node-2"]]);
        assert_eq!(names(&[], &["node-*"]), [[""; 0], [""; 0]]);
    }

    #[test]
    fn a_node_that_answers_late_is_judged_by_the_same_tables() {
        let world = World::mesh(3, 3);
        let (name, state) = (Name::new("mesh").expect("name"), world.state());
        let options = Options::default();
        let mut changed = world.clone();
        changed.0[2].pods = vec![prefix("172.16.9.0/24")];
        for is_covered in [true, false] {
            let rows = changed.rows();
            let covered = rows.as_slice().iter().map(|row| row.destination).filter(|_| is_covered).collect();
            let desired = Desired { covered, ..changed.desired() };
            let unseen = (place("node-0"), Observation::Unreachable("It is away.".to_owned()));
            let mut plan = plan_of(&desired, &state, vec![unseen], &options);
            let inputs = Inputs { topology: &name, desired: &desired, recorded: &state, options: &options };
            let Some((at, Observation::Seen(seen))) = in_azure(&state, &["node-0"]).pop() else { panic!() };
            let result = replan(&mut plan, &at, &inputs, REGISTRY.on_nodes, *seen, &mut Memo::default());
            assert_eq!(result.is_ok(), is_covered, "{result:?}");
        }
    }
}

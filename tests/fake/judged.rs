//! Who owns the rows and files of the nodes, and whether all of them are as they must be.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topo::backend::Desired;
use topo::backend::netplan::{Attributes, NETPLAN_FILE};
use topo::network::{Route, RouteSet, STATIC};
use topo::resource::{Name, Record, ResourceId, Shape};

use super::kernel::{Node, Owner, TableRow, Way};
use super::network_configuration::{Author, FileRoute, routes};
use super::world::World;

impl World {
    /// The rows of others, machine by machine, in their order.
    pub(crate) fn foreign(&self) -> Vec<Vec<TableRow>> {
        let others = |node: &Node| {
            let mut rows: Vec<TableRow> = node.rows.iter().filter(|row| row.owner == Owner::Other).cloned().collect();
            // The order counts inside a key alone.
            rows.sort_by_key(|row| (row.table, row.destination, row.metric));
            rows
        };
        self.network.nodes().iter().map(others).collect()
    }

    pub(crate) fn trespasses(&self) -> Vec<String> {
        self.network.nodes().iter().flat_map(|node| node.trespasses.clone()).collect()
    }

    /// Whether the key of a row was once confirmed to be ours, and the next hops that are recorded for it.
    pub(crate) fn recorded(&self, name: &Name, machine: usize, row: &TableRow) -> (bool, Vec<IpAddr>) {
        let (state, _) = self.state(name);
        let (mut firm, mut hops) = (false, Vec::new());
        let id = self.network.nodes()[machine].machine_id.clone();
        for record in state.places.values().filter(|record| record.machine_id.as_deref() == Some(&id)) {
            for record in record.resources.values() {
                let at = |shape: &Shape| {
                    let set = shape.routes.as_ref().filter(|set| {
                        set.view.table == row.table && set.view.kernel_metric(row.destination.family()) == row.metric
                    })?;
                    set.find(&row.destination).map(|route| route.next_hop)
                };
                hops.extend(record.shapes().filter_map(at));
                firm |= record.confirmed().any(|shape| at(shape).is_some());
            }
        }
        (firm, hops)
    }

    /// Whether a file of netplan that is recorded has the destination of a row.
    pub(crate) fn is_filed(&self, name: &Name, machine: usize, row: &TableRow) -> bool {
        let (state, _) = self.state(name);
        let id = self.network.nodes()[machine].machine_id.clone();
        let records = state.places.values().filter(|record| record.machine_id.as_deref() == Some(&id));
        let files = records.flat_map(|record| &record.resources).filter(|(id, _)| *id.kind == NETPLAN_FILE);
        let mut sets = files.flat_map(|(_, record)| record.shapes()).filter_map(|shape| shape.routes.as_ref());
        sets.any(|set| set.view.protocol == STATIC && set.find(&row.destination).is_some())
    }

    /// After a complete run: what is wanted is live and stands in files, but for what others have. What is loaded at the next boot is
    /// live when all nodes with files have restarted.
    pub(crate) fn check(&self, name: &Name, desired: &Desired, restarted: bool) {
        let (state, _) = self.state(name);
        let nodes = self.network.nodes();
        for (place, wanted) in &desired.places {
            let host: IpAddr = wanted.endpoint.as_ref().expect("endpoint").host.parse().expect("address");
            let node = nodes.iter().find(|node| node.answers_at(host)).expect("a machine");
            let is_strange = node.configuration.files.values().any(|file| file.author == Author::Stranger);
            let mut in_files: BTreeSet<FileRoute> = BTreeSet::new();
            let mut expected: BTreeSet<FileRoute> = BTreeSet::new();
            for (id, shape) in &wanted.resources {
                let filed = *id.kind == NETPLAN_FILE;
                if filed && is_strange {
                    continue;
                }
                let attributes = Attributes::of(shape);
                let set = shape.routes.as_ref().expect("routes");
                let record = state.record(place, id);
                let is = match record {
                    Some(Record::Settled { is, .. }) => is.routes.as_ref().expect("routes"),
                    // What is held, or left for another run.
                    Some(_) => continue,
                    None => {
                        let held = |route: Route| node.rows.iter().any(|row| has_key(row, set, &route));
                        assert!(set.routes().all(held), "{id:?} is not recorded for {place:?}");
                        continue;
                    }
                };
                for route in is.routes() {
                    // A key with a row of somebody else beside ours is held as it is.
                    let held = node.rows.iter().any(|row| has_key(row, set, &route) && row.owner == Owner::Other);
                    assert!(held || set.find(&route.destination) == Some(route), "{route:?} on {place:?}, {id:?}");
                    let protocols = [set.view.protocol, if filed { set.view.protocol } else { STATIC }];
                    let live = node.rows.iter().any(|row| {
                        has_key(row, set, &route)
                            && row.way == Way::Via(route.next_hop)
                            && protocols.contains(&row.protocol)
                    });
                    let judged = !filed || (attributes.alone && (restarted || !attributes.deferred));
                    assert!(live || !judged || held, "{route:?} is not live on {place:?}: {:#?}", node.rows);
                    if filed {
                        expected.insert(FileRoute {
                            table: set.view.table,
                            destination: route.destination,
                            metric: set.view.kernel_metric(route.destination.family()),
                            next_hop: route.next_hop,
                            protocol: set.view.protocol,
                        });
                    }
                }
                for route in set.routes().filter(|route| is.find(&route.destination).is_none()) {
                    let found = |row: &TableRow| has_key(row, set, &route) && row.owner == Owner::Other;
                    assert!(node.rows.iter().any(found), "{route:?} of {id:?} is left out on {place:?}");
                }
            }
            for (path, file) in node.configuration.ours() {
                in_files.extend(routes(&file.text));
                let known: BTreeSet<_> = topo::backend::netplan::routes_in(&file.text).into_iter().collect();
                let read: BTreeSet<_> =
                    routes(&file.text).into_iter().map(|route| (route.destination, route.next_hop)).collect();
                assert_eq!(known, read, "{path} is read otherwise");
            }
            assert_eq!(in_files, expected, "the files of {place:?}");
        }
    }

    /// Our rows that no record covers.
    pub(crate) fn forgotten(&self, name: &Name) -> Vec<String> {
        let (state, _) = self.state(name);
        let nodes = self.network.nodes();
        let mut forgotten = Vec::new();
        for node in nodes.iter() {
            let records: Vec<_> = state
                .places
                .values()
                .filter(|record| {
                    record.machine_id.as_deref() == Some(&node.machine_id)
                        || record
                            .endpoint
                            .as_ref()
                            .is_some_and(|endpoint| node.answers_at(endpoint.host.parse().expect("address")))
                })
                .collect();
            for (path, _) in node.configuration.ours() {
                let name = path.rsplit('/').next().expect("a name");
                let is_it = |id: &ResourceId| *id.kind == NETPLAN_FILE && &*id.name == name;
                if !records.iter().any(|record| record.resources.keys().any(is_it)) {
                    forgotten.push(format!("{} {path}", node.machine_id));
                }
            }
            for row in node.rows.iter().filter(|row| row.owner == Owner::Us) {
                let covered = records
                    .iter()
                    .flat_map(|record| record.resources.values())
                    .flat_map(topo::resource::Record::shapes);
                let covered = covered.filter_map(|shape| shape.routes.as_ref()).any(|set| {
                    set.view.table == row.table
                        && set.view.kernel_metric(row.destination.family()) == row.metric
                        && set.find(&row.destination).is_some()
                });
                if !covered {
                    forgotten.push(format!("{} {row:?}", node.machine_id));
                }
            }
        }
        forgotten
    }
}

/// Whether a row has the key of a route of a set.
fn has_key(row: &TableRow, set: &RouteSet, route: &Route) -> bool {
    row.table == set.view.table
        && row.destination == route.destination
        && row.metric == set.view.kernel_metric(row.destination.family())
}

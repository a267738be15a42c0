//! Whether what is there, what is recorded, and what a run says of it belong together.

use std::collections::BTreeSet;

use serde_json::Value;
use topo::backend::azure_udr::{AZURE_NIC_FORWARDING, AZURE_ROUTE, AZURE_ROUTE_TABLE, Recorded};
use topo::backend::azure_udr::{AZURE_SUBNET_ASSOCIATION, routes_in};
use topo::resource::Record;

use super::draft::{Draft, MACHINES, WORKERS};
use super::scene::{Order, Scene, WHOLE};
use crate::arm::{NETWORK, SUBNET, TABLE, network_path};
use crate::fake::cloud::TOUCHED;
use crate::fake::kernel::{Owner, TableRow, Way};
use crate::fake::network_configuration::routes;
use crate::fake::world::World;

/// What others have, on machines and in Azure.
#[derive(Debug, PartialEq)]
pub(super) struct Others {
    rows: Vec<Vec<TableRow>>,
    /// All documents, without what Azure changes itself.
    documents: Vec<Value>,
    /// The documents without what topo may write.
    theirs: Vec<Value>,
    /// The machines whose network interface forwards.
    forwarding: BTreeSet<usize>,
}

pub(super) fn others(world: &World, documents: &[Value]) -> Others {
    let documents: Vec<Value> = documents.iter().map(settled).collect();
    let theirs = documents.iter().filter_map(theirs).collect();
    let forwards = |worker: &u8| {
        let is_it = |document: &&Value| {
            let id = document["id"].as_str().unwrap_or_default();
            id.ends_with(&format!("/worker-{worker}-nic")) && document["properties"]["enableIPForwarding"] == true
        };
        documents.iter().any(|document| is_it(&document))
    };
    let forwarding = (0..WORKERS).filter(forwards).map(|worker| usize::from(worker) + 1).collect();
    Others { rows: world.foreign(), documents, theirs, forwarding }
}

/// A document without versions and states, and without the trace of a test that changed it.
pub(super) fn settled(document: &Value) -> Value {
    match document {
        Value::Object(fields) => {
            let is_kept = |name: &str| !["etag", "provisioningState", TOUCHED, "defaultOutboundAccess"].contains(&name);
            let kept = fields.iter().filter(|(name, _)| is_kept(name));
            let settled = kept.map(|(name, value)| (name.clone(), settled(value)));
            // No tags are no tags, whether the list is there or not.
            let is_empty = |(name, value): &(String, Value)| {
                name == "tags" && value.as_object().is_some_and(serde_json::Map::is_empty)
            };
            Value::Object(settled.filter(|field| !is_empty(field)).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(settled).collect()),
        other => other.clone(),
    }
}

/// A document without what topo may write; none if nothing is left.
fn theirs(document: &Value) -> Option<Value> {
    let mut document = document.clone();
    let id = document["id"].as_str().unwrap_or_default().to_owned();
    if id.ends_with(&format!("/{TABLE}")) {
        let routes = document["properties"]["routes"].as_array_mut().expect("routes");
        routes.retain(|route| !is_ours(route));
        let has_routes = !routes.is_empty();
        let properties = document["properties"].as_object_mut().expect("properties");
        properties.remove("subnets");
        let fields = document.as_object_mut().expect("a document");
        if let Some(tags) = fields.get_mut("tags").and_then(Value::as_object_mut) {
            tags.retain(|name, _| !["managed-by", "topology"].contains(&name.as_str()));
        }
        let has_tags = fields.get("tags").and_then(Value::as_object).is_some_and(|tags| !tags.is_empty());
        if !has_routes && !has_tags {
            return None;
        }
    }
    for subnet in document["properties"]["subnets"].as_array_mut().into_iter().flatten() {
        if leads_to_table(subnet) {
            subnet["properties"].as_object_mut().expect("properties").remove("routeTable");
        }
    }
    if id.contains("/worker-") {
        document["properties"].as_object_mut().expect("properties").remove("enableIPForwarding");
    }
    Some(document)
}

/// Whether a route bears a name that topo gives. Nobody else gives such names here.
fn is_ours(route: &Value) -> bool {
    route["name"].as_str().is_some_and(|name| name.starts_with("kubernetes-route-"))
}

fn leads_to_table(subnet: &Value) -> bool {
    let table = subnet["properties"]["routeTable"]["id"].as_str();
    table.is_some_and(|id| id.ends_with(&format!("/{TABLE}")))
}

/// What topo has in Azure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct InAzure {
    /// Whether the table bears topo's mark.
    is_marked: bool,
    /// `10.200.1.0/24 by 10.240.0.21`, those of topo.
    pub(super) routes: BTreeSet<String>,
    is_associated: bool,
    /// The machines whose network interface forwards.
    forwarding: BTreeSet<usize>,
}

impl Scene {
    pub(super) fn in_azure(&self) -> InAzure {
        let table = self.cloud.look(&network_path(&format!("routeTables/{TABLE}")));
        let route = |route: &Value| {
            let of = &route["properties"];
            let hop = of["nextHopIpAddress"].as_str().or(of["nextHopType"].as_str()).unwrap_or("-");
            format!("{} by {hop}", of["addressPrefix"].as_str().unwrap_or("-"))
        };
        let routes = table.iter().filter_map(|table| table["properties"]["routes"].as_array()).flatten();
        let subnet = network_path(&format!("virtualNetworks/{NETWORK}/subnets/{SUBNET}"));
        let forwards = |worker: &u8| {
            let interface = self.cloud.look(&network_path(&format!("networkInterfaces/worker-{worker}-nic")));
            interface.expect("an interface")["properties"]["enableIPForwarding"] == true
        };
        InAzure {
            is_marked: table.as_ref().is_some_and(|table| table["tags"]["managed-by"] == "topo"),
            routes: routes.filter(|route| is_ours(route)).map(route).collect(),
            is_associated: leads_to_table(&self.cloud.look(&subnet).expect("a subnet")),
            forwarding: (0..WORKERS).filter(forwards).map(|worker| usize::from(worker) + 1).collect(),
        }
    }

    /// The rows of topo on all nodes: `node-0: 10.200.1.0/24 via 10.240.0.21`.
    pub(super) fn rows(&self) -> BTreeSet<String> {
        let nodes = self.world.network.nodes();
        let mut all = BTreeSet::new();
        for ((name, ..), node) in MACHINES.iter().zip(nodes.iter()) {
            for row in node.rows.iter().filter(|row| row.owner == Owner::Us) {
                let Way::Via(hop) = &row.way else { panic!("{row:?} is topo's") };
                all.insert(format!("{name}: {} via {hop}", row.destination));
            }
        }
        all
    }

    /// The routes in topo's files on all nodes, in the same words.
    fn filed(&self) -> BTreeSet<String> {
        let nodes = self.world.network.nodes();
        let mut all = BTreeSet::new();
        for ((name, ..), node) in MACHINES.iter().zip(nodes.iter()) {
            for route in node.configuration.ours().flat_map(|(_, file)| routes(&file.text)) {
                all.insert(format!("{name}: {} via {}", route.destination, route.next_hop));
            }
        }
        all
    }

    /// What is not as a run that says that all is done must leave it.
    fn undone(&self, order: &Order) -> Vec<String> {
        let (rows, files, azure) = (self.rows(), self.filed(), self.in_azure());
        let mut undone = Vec::new();
        let mut check = |what: &str, is_right: bool, found: &dyn std::fmt::Debug| {
            if !is_right {
                undone.push(format!("{what}: {found:?}"));
            }
        };
        if let Order::Apply(draft) = order {
            check("the routes of nodes are not as wanted", rows == draft.rows(), &rows);
            let in_files = if draft.has_files() { draft.rows() } else { BTreeSet::new() };
            check("the files of nodes are not as wanted", files == in_files, &files);
            check("the route table is not as wanted", azure.routes == draft.table(), &azure);
            check("the subnet does not go by the table", azure.is_associated, &azure);
            check("a next hop does not forward", draft.forwarding().is_subset(&azure.forwarding), &azure);
            return undone;
        }
        let documents = others(&self.world, &self.cloud.documents());
        check("not all is as before", documents == *self.before, &(&documents, &self.before));
        let nodes = self.world.network.nodes();
        let is_bare = nodes.iter().all(|node| node.markers.is_empty() && node.configuration.ours().next().is_none());
        check("nodes are not as before", rows.is_empty() && files.is_empty() && is_bare, &(&rows, &files));
        let (state, _) = self.world.state(&self.name);
        check("the state is not empty", state.is_empty(), &state.places.keys());
        undone
    }

    /// What is wrong after a run that ended with this exit code.
    pub(super) fn wrong(&self, order: &Order, exit: u8) -> Vec<String> {
        let mut wrong = self.world.trespasses();
        let others = others(&self.world, &self.cloud.documents());
        if others.rows != self.before.rows {
            wrong.push(format!("rows of others: {:?} were {:?}", others.rows, self.before.rows));
        }
        if others.theirs != self.before.theirs {
            wrong.push(format!("things of others in Azure: {:?} were {:?}", others.theirs, self.before.theirs));
        }
        wrong.extend(self.world.forgotten(&self.name).into_iter().map(|row| format!("lost: {row}")));
        wrong.extend(self.lost_in_azure());
        wrong.extend(self.recorded_but_not_there());
        if exit == WHOLE {
            wrong.extend(self.undone(order).into_iter().map(|it| format!("the run says that all is done: {it}")));
        }
        wrong
    }

    /// What topo has in Azure without a record.
    fn lost_in_azure(&self) -> Vec<String> {
        let recorded = Recorded::of(&self.world.state(&self.name).0);
        let found = self.in_azure();
        let table = recorded.tables.values().next();
        let mut lost = Vec::new();
        for route in &found.routes {
            let (pods, _) = route.split_once(" by ").expect("a route");
            let destination = pods.parse().expect("a prefix");
            if !table.is_some_and(|table| table.routes.contains_key(&destination)) {
                lost.push(format!("lost in Azure: {route}"));
            }
        }
        if found.is_marked && table.is_none_or(|table| table.table.is_empty()) {
            lost.push("lost in Azure: the table".to_owned());
        }
        if found.is_associated && recorded.associations.values().flatten().next().is_none() {
            lost.push("lost in Azure: the association".to_owned());
        }
        for worker in found.forwarding.difference(&self.before.forwarding) {
            let interface = format!("/worker-{}-nic", worker - 1);
            if !recorded.forwardings.keys().any(|place| place.id().ends_with(&interface)) {
                lost.push(format!("lost in Azure: {interface} forwards"));
            }
        }
        lost
    }

    /// What is recorded without doubt and is not there.
    fn recorded_but_not_there(&self) -> Vec<String> {
        let (state, _) = self.world.state(&self.name);
        let (rows, files, azure) = (self.rows(), self.filed(), self.in_azure());
        let mut wrong = Vec::new();
        for (place, id, record) in state.records() {
            let Record::Settled { is, .. } = record else { continue };
            let is_there = match &*id.kind {
                "kernel_route" | "netplan_file" => {
                    let all = if &*id.kind == "kernel_route" { &rows } else { &files };
                    let mut routes = is.routes.iter().flat_map(topo::network::RouteSet::routes);
                    let text =
                        |route: topo::network::Route| format!("{place}: {} via {}", route.destination, route.next_hop);
                    routes.all(|route| all.contains(text(route).trim_start_matches("node:")))
                }
                kind if kind == AZURE_ROUTE_TABLE.id => {
                    let made = is.attributes["made"] == true;
                    made == azure.is_marked
                }
                kind if kind == AZURE_ROUTE.id => {
                    let record = routes_in(&is.attributes).expect("a record");
                    let text = |(pods, route): (&topo::network::Prefix, &topo::backend::azure_udr::Route)| {
                        let hop = route.hop.address.map_or("VirtualNetworkGateway".to_owned(), |hop| hop.to_string());
                        format!("{pods} by {hop}")
                    };
                    record.routes.iter().map(text).all(|route| azure.routes.contains(&route))
                }
                kind if kind == AZURE_SUBNET_ASSOCIATION.id => azure.is_associated,
                kind if kind == AZURE_NIC_FORWARDING.id => {
                    let is_it = |worker: &&usize| place.id().ends_with(&format!("/worker-{}-nic", **worker - 1));
                    azure.forwarding.iter().any(|worker| is_it(&worker))
                }
                other => panic!("what is {other}?"),
            };
            if !is_there {
                wrong.push(format!("recorded and not there: {place} {id:?} {is:?}"));
            }
        }
        wrong
    }
}

/// What a draft asks for is worked out here as topo does it.
#[test]
fn what_a_draft_asks_for_is_what_topo_puts_in_place() {
    let pods: &[(usize, &[&str])] = &[(0, &[]), (1, &["10.200.0.0/24"]), (4, &["192.168.50.0/24"])];
    for on_nodes in [super::draft::KERNEL, super::draft::KERNEL_AND_FILES, super::draft::FILES] {
        for with_table in [false, true] {
            let scene = Scene::new(with_table);
            let draft = Draft::new(on_nodes, pods);
            scene.apply(&draft);
            assert_eq!(scene.finish(&Order::Apply(draft)), [""; 0]);
        }
    }
}

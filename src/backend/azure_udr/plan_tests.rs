//! What is planned in Azure, as people and programs read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::backend::azure_udr::{
    ARM, BACKEND, LiveInterface, LiveInterfaces, LiveNetwork, LiveSubnet, LiveTable, Seen, Wanted, key,
};
use crate::backend::{Desired, Inputs, NetworkTable, REGISTRY};
use crate::exchange::arm::Document;
use crate::network::{Memo, Prefix};
use crate::plan::{DesiredPlace, Finding, Options, Plan, Summary};
use crate::render::json as events;
use crate::render::style::Look;
use crate::render::text;
use crate::resource::{Evidence, Name, Place, Record};
use crate::state::State;

const GROUP: &str = "/subscriptions/0/resourceGroups/kubernetes/providers/Microsoft.Network";

fn look() -> Look {
    Look { color: false, width: 80 }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("name")
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("prefix")
}

fn arm(text: &str) -> Place {
    Place::new(&ARM, format!("{GROUP}/{text}"))
}

fn table_id() -> String {
    format!("{GROUP}/routeTables/kubernetes-routes")
}

fn network_id() -> String {
    format!("{GROUP}/virtualNetworks/kubernetes-vnet")
}

fn subnet_id() -> String {
    format!("{}/subnets/kubernetes-subnet", network_id())
}

/// What the topology asks for: the pods of so many workers.
fn wanted(workers: u8, more: &Value) -> Vec<Wanted> {
    let mut settings = json!({
        "subscription": "0", "resource_group": "kubernetes", "location": "eastus2",
        "route_table": "kubernetes-routes", "route_name_prefix": "kubernetes-route-", "manage_table": true,
        "subnets": [{ "resource_group": "kubernetes", "network": "kubernetes-vnet", "subnet": "kubernetes-subnet" }],
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        settings[key] = value.clone();
    }
    let row = |number: u8| {
        let address = format!("10.240.0.{}", 20 + number).parse().expect("address");
        (prefix(&format!("10.200.{number}.0/24")), (address, name(&format!("worker-{number}"))))
    };
    vec![Wanted {
        topology: name("kthw"),
        backend: name("azure-udr"),
        settings: serde_json::from_value(settings).expect("settings"),
        rows: (0..workers).map(row).collect(),
        left_out: Vec::new(),
    }]
}

fn route(number: u8, hop: &str) -> Value {
    json!({ "name": format!("kubernetes-route-10-200-{number}-0-24"), "properties": {
        "addressPrefix": format!("10.200.{number}.0/24"), "nextHopType": "VirtualAppliance", "nextHopIpAddress": hop,
    } })
}

/// What Azure has: a table with some routes where there is one, the table of the subnet, and whether workers forward.
fn seen(routes: Option<Vec<Value>>, association: Option<&str>, forwards: bool) -> Seen {
    let document = |body: Value| Document { body, etag: None };
    let table = routes.map(|routes| {
        let properties = json!({ "routes": routes, "disableBgpRoutePropagation": false });
        LiveTable::of(document(json!({
            "location": "eastus2", "tags": { "managed-by": "topo", "topology": "kthw" }, "properties": properties,
        })))
    });
    let association = association.map(|table| json!({ "id": table }));
    let subnet = LiveSubnet::of(document(json!({ "properties": { "routeTable": association } })));
    let network =
        LiveNetwork { location: "eastus2".to_owned(), space: vec![prefix("10.240.0.0/16")], ..LiveNetwork::default() };
    let interface = |number: u8| LiveInterface {
        id: format!("{GROUP}/networkInterfaces/worker-{number}-nic"),
        addresses: vec![format!("10.240.0.{}", 20 + number).parse().expect("address")],
        subnets: vec![subnet_id()],
        forwards,
        scale_set: None,
        attached: true,
    };
    Seen {
        tables: [(key(&table_id()), table.map_or(Evidence::Absent, Evidence::Seen))].into(),
        subnets: [(key(&subnet_id()), Evidence::Seen(subnet))].into(),
        networks: [(key(&network_id()), Evidence::Seen(network))].into(),
        interfaces: [(
            key(&network_id()),
            LiveInterfaces { found: (0..30).map(interface).collect(), unread: Vec::new() },
        )]
        .into(),
        limits: BTreeMap::new(),
        forwardings: BTreeMap::new(),
    }
}

fn nothing() -> State {
    State::new(name("kthw")).expect("lineage")
}

fn planned(wanted: &[Wanted], state: &State, seen: Option<&Seen>, options: &Options) -> Plan {
    let table = |wanted: &Wanted| NetworkTable {
        topology: wanted.topology.clone(),
        name: wanted.backend.clone(),
        backend: BACKEND,
        settings: serde_json::to_value(&wanted.settings).expect("settings"),
        rows: wanted.rows.clone(),
        left_out: wanted.left_out.clone(),
    };
    let mut desired = Desired { tables: wanted.iter().map(table).collect(), ..Desired::default() };
    let nodes = wanted.iter().flat_map(|wanted| wanted.rows.values()).map(|(_, name)| Place::from(name.clone()));
    desired.places.extend(nodes.map(|node| (node, DesiredPlace::default())));
    let mut plan = Plan::default();
    let topology = name("kthw");
    let inputs = Inputs { topology: &topology, desired: &desired, recorded: state, options };
    super::plan(&inputs, seen, &mut plan);
    plan
}

/// The state after a plan was carried out.
fn after(plan: &Plan) -> State {
    let mut state = nothing();
    for (place, planned) in &plan.places {
        let entry = state.places.entry(place.clone()).or_default();
        for resource in planned.listed() {
            let record = resource.to.clone().map(|is| (resource.id.clone(), Record::Settled { is, token: None }));
            entry.resources.extend(record);
        }
    }
    state
}

/// The state of so many workers.
fn state_of(workers: u8, more: &Value) -> State {
    after(&planned(&wanted(workers, more), &nothing(), Some(&seen(None, None, true)), &Options::default()))
}

fn render(plan: &Plan) -> String {
    text::plan(plan, &Summary::new(plan, &mut Memo::default()), look(), true, REGISTRY.known())
}

fn json_lines(plan: &Plan) -> Vec<Value> {
    let mut lines = Vec::new();
    events::plan(plan, &Summary::new(plan, &mut Memo::default()), &mut |event| {
        lines.push(serde_json::to_value(&event).expect("JSON"));
    });
    lines
}

#[test]
fn the_table_of_the_tutorial_is_reviewed_line_by_line() {
    let enable = json!({ "ip_forwarding": "enable" });
    let plan = planned(&wanted(2, &enable), &nothing(), Some(&seen(None, None, false)), &Options::default());
    assert_eq!(
        render(&plan),
        "  # azure_route_table: topo makes kubernetes-routes (new)
  + kubernetes-routes   location: eastus2, resource group: kubernetes

  # azure_route: kubernetes-routes gets 2 routes (new)
  + 10.200.0.0/24 via 10.240.0.20            kubernetes-route-10-200-0-0-24
  + 10.200.1.0/24 via 10.240.0.21            kubernetes-route-10-200-1-0-24

  # azure_subnet_association: kubernetes-vnet/kubernetes-subnet uses
  #   kubernetes-routes (new)
  + kubernetes-subnet   route table: kubernetes-routes

  # azure_nic_forwarding: topo makes worker-0-nic, worker-1-nic forward IP
  #   packets
  ~ worker-0-nic   IP forwarding: off → on
  ~ worker-1-nic   IP forwarding: off → on

Plan: 4 to add, 2 to change, 0 to destroy.
"
    );
}

#[test]
fn where_nothing_is_done_nothing_is_said() {
    let (wanted, state) = (wanted(2, &json!({})), state_of(2, &json!({})));
    let live = seen(Some(vec![route(0, "10.240.0.20"), route(1, "10.240.0.21")]), Some(&table_id()), true);
    let plan = planned(&wanted, &state, Some(&live), &Options::default());
    assert_eq!(render(&plan), "No changes. Your infrastructure matches the configuration.\n");
    // A record that alone changes is no change of anything: here the network has more addresses by now.
    let mut wider = live;
    let network =
        LiveNetwork { location: "eastus2".to_owned(), space: vec![prefix("10.0.0.0/8")], ..LiveNetwork::default() };
    wider.networks.insert(key(&network_id()), Evidence::Seen(network));
    let plan = planned(&wanted, &state, Some(&wider), &Options::default());
    assert_eq!(plan.places.len(), 1);
    assert_eq!(render(&plan), "No changes. Your infrastructure matches the configuration.\n");
    assert_eq!(json_lines(&plan).len(), 1);
    // What could not be looked at is no node, and asked twice it is one place.
    let unseen = |place: &str| Finding::unseen(&arm(place), "Azure did not answer.");
    let findings = ["routeTables/a", "virtualNetworks/b", "virtualNetworks/b"].map(unseen);
    let plan = Plan { findings: findings.into(), ..Plan::default() };
    assert!(render(&plan).ends_with("\nNo changes. But topo could not look at 2 places.\n"), "{}", render(&plan));
    assert_eq!(json_lines(&plan).last().expect("summary")["unseen"], 2);
}

#[test]
fn what_is_there_already_is_imported_and_long_lists_are_folded() {
    let routes: Vec<Value> = (0..25).map(|number| route(number, &format!("10.240.0.{}", 20 + number))).collect();
    let plan = planned(
        &wanted(25, &json!({})),
        &nothing(),
        Some(&seen(Some(routes), Some(&table_id()), true)),
        &Options::default(),
    );
    let text = render(&plan);
    assert!(
        text.starts_with(
            "  # azure_route_table: kubernetes-routes is already as wanted; topo records it
  < kubernetes-routes   resource group: kubernetes, tag managed-by: topo

  # azure_route: kubernetes-routes already has 25 routes as wanted; topo records
  #   them as its own
  < 10.200.0.0/24 via 10.240.0.20            kubernetes-route-10-200-0-0-24\n"
        ),
        "{text}"
    );
    assert!(text.contains("\n  … and 5 more routes\n\n"), "{text}");
    assert!(
        text.ends_with(
            "  # azure_subnet_association: kubernetes-vnet/kubernetes-subnet already uses
  #   kubernetes-routes as wanted; topo records it
  < kubernetes-subnet   route table: kubernetes-routes

Plan: 27 to import, 0 to add, 0 to change, 0 to destroy.\n"
        ),
        "{text}"
    );
    assert_eq!(text.matches("  < 10.200.").count(), 20);
}

#[test]
fn routes_for_new_nodes_are_told_together() {
    let live = seen(Some(vec![route(0, "10.240.0.20")]), Some(&table_id()), true);
    let plan = planned(&wanted(12, &json!({})), &state_of(1, &json!({})), Some(&live), &Options::default());
    let text = render(&plan);
    assert!(
        text.starts_with(
            "  # azure_route: kubernetes-routes gets 11 routes to the pods of worker-1 …
  #   worker-11 (11 new nodes)
  + 10.200.1.0/24 via 10.240.0.21            kubernetes-route-10-200-1-0-24
  + 10.200.2.0/24 via "
        ),
        "{text}"
    );
    assert!(text.ends_with("\nPlan: 11 to add, 0 to change, 0 to destroy.\n"), "{text}");
    let plan = planned(&wanted(2, &json!({})), &state_of(1, &json!({})), Some(&live), &Options::default());
    assert!(
        render(&plan)
            .starts_with("  # azure_route: kubernetes-routes gets a route to the pods of worker-1 (new\n  #   node)\n")
    );
    let lines = json_lines(&plan);
    assert_eq!((&lines[0]["reason"], &lines[0]["reason_node"]), (&json!("node_added"), &json!("worker-1")));
}

#[test]
fn drift_comes_first_with_what_is_live_and_removals_are_never_folded() {
    let mut live = seen(Some(vec![route(0, "10.240.0.99"), route(1, "10.240.0.21")]), None, true);
    let state = state_of(3, &json!({}));
    let more = json!({ "bgp_route_propagation": false });
    let plan = planned(&wanted(2, &more), &state, Some(&live), &Options::default());
    assert_eq!(
        render(&plan),
        "Drift: topo will put these back

  # azure_route: kubernetes-routes gets a route put back: somebody changed it
  ~ 10.200.0.0/24 via 10.240.0.99 → 10.240.0.20  kubernetes-route-10-200-0-0-24  (changed by somebody)

  # azure_subnet_association: kubernetes-vnet/kubernetes-subnet uses
  #   kubernetes-routes again: the association on record is gone
  + kubernetes-subnet   route table: kubernetes-routes

Asked for by the topology:

  # azure_route_table: topo changes kubernetes-routes (changed in the topology)
  ~ kubernetes-routes   BGP route propagation: on → off

Plan: 1 to add, 2 to change, 0 to destroy.
"
    );
    let routes: Vec<Value> = (0..25).map(|number| route(number, &format!("10.240.0.{}", 20 + number))).collect();
    live = seen(Some(routes), Some(&table_id()), true);
    let options = Options { destroy: true, ..Options::default() };
    let text = render(&planned(&[], &state_of(25, &json!({})), Some(&live), &options));
    assert!(
        text.starts_with(
            "  # azure_route_table: topo removes kubernetes-routes (destroy)
  - kubernetes-routes   resource group: kubernetes

  # azure_route: kubernetes-routes loses 25 routes (destroy)
  - 10.200.0.0/24 via 10.240.0.20            kubernetes-route-10-200-0-0-24\n"
        ),
        "{text}"
    );
    assert_eq!(text.matches("  - 10.200.").count(), 25);
    assert!(
        text.ends_with(
            "  # azure_subnet_association: kubernetes-vnet/kubernetes-subnet no longer uses
  #   kubernetes-routes (destroy)
  - kubernetes-subnet   route table: kubernetes-routes → none

Plan: 0 to add, 0 to change, 27 to destroy.\n"
        ),
        "{text}"
    );
}

#[test]
fn what_is_live_is_said_once() {
    let state = state_of(1, &json!({}));
    let mut live = seen(Some(vec![route(0, "10.240.0.20")]), Some(&table_id()), true);
    let table = |tags: Value| {
        let properties = json!({ "routes": [route(0, "10.240.0.2")], "disableBgpRoutePropagation": false });
        let body = json!({ "location": "eastus2", "tags": tags, "properties": properties });
        Evidence::Seen(LiveTable::of(Document { body, etag: None }))
    };
    live.tables.insert(key(&table_id()), table(json!({ "managed-by": "somebody", "owner": "x" })));
    let text = render(&planned(&wanted(1, &json!({})), &state, Some(&live), &Options::default()));
    assert!(
        text.contains("tag managed-by: somebody → topo, tag topology: none → kthw\n")
            && text.contains("via 10.240.0.2 → 10.240.0.20 ")
            && !text.contains("live now"),
        "{text}"
    );
}

#[test]
fn tables_of_one_name_are_told_apart_and_words_of_azure_do_not_steer_the_terminal() {
    let other = table_id().replace("/kubernetes/", "/other/");
    let live = seen(None, Some(&other), true);
    let pattern = "azure_subnet_association.kubernetes-vnet[\"kubernetes-subnet\"]".parse().expect("pattern");
    let options = Options { take_over: vec![pattern], ..Options::default() };
    let text = render(&planned(&wanted(1, &json!({})), &nothing(), Some(&live), &options));
    assert!(
        text.contains(&format!(
            "uses\n  #   kubernetes-routes in place of somebody else's route table (taken over as
  #   asked)
  ~ kubernetes-subnet   route table: other/kubernetes-routes → kubernetes/kubernetes-routes
      live now: {other}\n"
        )),
        "{text}"
    );
    let hostile = seen(None, Some("/x/\u{1b}[2J"), true);
    let plan = planned(&wanted(1, &json!({})), &nothing(), Some(&hostile), &options);
    assert!(render(&plan).contains("→ kubernetes-routes") && !render(&plan).contains('\u{1b}'));
}

#[test]
fn every_change_has_its_address_in_json() {
    let enable = json!({ "ip_forwarding": "enable" });
    let plan = planned(&wanted(2, &enable), &nothing(), Some(&seen(None, None, false)), &Options::default());
    let lines = json_lines(&plan);
    let addresses: Vec<&str> = lines
        .iter()
        .flat_map(|line| line["items"].as_array().into_iter().flatten())
        .filter_map(|change| change["address"].as_str())
        .collect();
    assert_eq!(
        addresses,
        [
            "azure_route_table.kubernetes-routes",
            r#"azure_route.kubernetes-routes["kubernetes-route-10-200-0-0-24"]"#,
            r#"azure_route.kubernetes-routes["kubernetes-route-10-200-1-0-24"]"#,
            r#"azure_subnet_association.kubernetes-vnet["kubernetes-subnet"]"#,
            "azure_nic_forwarding.worker-0-nic",
            "azure_nic_forwarding.worker-1-nic",
        ]
    );
    let hop = |address: &str| json!({ "next_hop": address });
    assert_eq!(
        lines[1],
        json!({
            "type": "change", "id": lines[1]["id"], "kind": "azure_route", "addresses": ["azure_route.kubernetes-routes"],
            "action": "add", "reason": "new", "drift": false, "places": ["kubernetes-routes"], "count": 2, "items": [
                { "destination": "10.200.0.0/24", "address": addresses[1], "after": hop("10.240.0.20") },
                { "destination": "10.200.1.0/24", "address": addresses[2], "after": hop("10.240.0.21") },
            ],
        })
    );
    let set = |event: usize, at: usize| [&lines[event]["items"][at]["before"], &lines[event]["items"][at]["after"]];
    assert_eq!(set(2, 0), [&json!(null), &json!({ "route table": table_id() })]);
    // Each network interface is a place of its own.
    assert_eq!(lines[3]["places"], json!(["worker-0-nic", "worker-1-nic"]));
    assert_eq!(set(3, 1), [&json!({ "IP forwarding": "off" }), &json!({ "IP forwarding": "on" })]);
    assert_eq!(lines[4], json!({ "type": "summary", "import": 0, "add": 4, "change": 2, "destroy": 0, "unseen": 0 }));
}

//! What somebody changes of ours, and what the topology changes.

use super::hands::topology_of;
use super::*;

const FIRST: &str = "kubernetes-route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.20";
const SECOND: &str = "kubernetes-route-10-200-1-0-24 10.200.1.0/24 VirtualAppliance 10.240.0.21";

fn put_table() -> String {
    format!("PUT {TABLE}")
}

fn put_subnet() -> String {
    format!("PUT {SUBNET}")
}

fn applied(workers: u8, backend: &str) -> Cloud {
    let cloud = Cloud::start(workers);
    cloud.write(&topology(workers, backend));
    cloud.apply();
    cloud.settled();
    cloud
}

/// Nothing but the network is there besides.
fn applied_without_machines() -> Cloud {
    let cloud = Cloud::start(0);
    cloud.write(&topology(1, ""));
    cloud.apply();
    cloud
}

/// What was recorded is not so any more: the plan says so, apply mends it.
#[track_caller]
fn drifted(cloud: &Cloud, written: &[&str]) {
    cloud.topo(&["plan"]).exits(0).says("Drift: topo will put these back");
    cloud.mends(written);
}

#[test]
fn a_route_that_was_changed_is_put_back() {
    let cloud = applied(2, "");
    cloud.set_routes(|routes| routes[0]["properties"]["nextHopIpAddress"] = json!("10.240.0.99"));
    let plan = cloud.topo(&["plan"]).exits(0).says("10.240.0.99").says("Drift: topo will put these back");
    plan.says("Plan: 0 to add, 1 to change, 0 to destroy.");
    drifted(&cloud, &[&put_table()]);
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
    cloud.set_routes(|routes| {
        routes[1]["properties"] = json!({ "addressPrefix": "10.200.1.0/24", "nextHopType": "Internet" });
    });
    drifted(&cloud, &[&put_table()]);
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
}

#[test]
fn a_route_that_was_removed_is_put_back() {
    let cloud = applied(2, "");
    cloud.set_routes(|routes| _ = routes.remove(0));
    drifted(&cloud, &[&put_table()]);
    assert_eq!(cloud.routes(), [SECOND, FIRST]);
}

#[test]
fn a_destination_that_was_changed_is_put_back() {
    let cloud = applied(2, "");
    cloud.set_routes(|routes| routes[0]["properties"]["addressPrefix"] = json!("10.222.0.0/24"));
    drifted(&cloud, &[&put_table()]);
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
    // One that is not wanted any more goes under its name.
    cloud.set_routes(|routes| routes[0]["properties"]["addressPrefix"] = json!("10.222.0.0/24"));
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
}

#[test]
fn destinations_that_were_exchanged_are_put_back() {
    let cloud = applied(2, "");
    cloud.set_routes(|routes| {
        routes[0]["properties"]["addressPrefix"] = json!("10.200.1.0/24");
        routes[1]["properties"]["addressPrefix"] = json!("10.200.0.0/24");
    });
    drifted(&cloud, &[&put_table()]);
    let routes = cloud.plain_routes();
    for (destination, address) in [("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21")] {
        let of = |route: &Value| {
            (route["properties"]["addressPrefix"].clone(), route["properties"]["nextHopIpAddress"].clone())
        };
        assert!(routes.iter().any(|route| of(route) == (json!(destination), json!(address))), "{routes:?}");
    }
    assert_eq!(routes.len(), 2);
}

#[test]
fn an_association_that_is_gone_is_put_back() {
    let cloud = applied(1, "");
    cloud.associate(None);
    cloud
        .topo(&["plan"])
        .exits(0)
        .says("Drift: topo will put these back")
        .says("Plan: 1 to add, 0 to change, 0 to destroy.");
    drifted(&cloud, &[&put_subnet()]);
    assert_eq!(cloud.association(), Some(table()));
}

#[test]
fn an_association_with_another_table_is_a_conflict() {
    let cloud = applied(1, "");
    cloud.make("routeTables", "firewall", json!({ "location": LOCATION, "properties": {} }));
    cloud.associate(Some("firewall"));
    cloud.topo(&["plan", "--detailed-exitcode"]).exits(1).says("firewall");
    cloud.topo(&["apply", "-y"]).exits(1);
    assert_eq!(cloud.written(), [""; 0]);
    cloud.topo(&["destroy", "-y"]).exits(0).says("of somebody else. topo drops only the record");
    assert_eq!(cloud.association(), Some(network_path("routeTables/firewall")));
    assert!(cloud.table().is_none());
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn bgp_propagation_is_put_back_where_it_is_set() {
    for wanted in [true, false] {
        let cloud = applied(1, &format!("bgp_route_propagation = {wanted}"));
        assert_eq!(cloud.table().unwrap()["properties"]["disableBgpRoutePropagation"], !wanted);
        cloud.merge(table(), json!({ "properties": { "disableBgpRoutePropagation": wanted } }));
        drifted(&cloud, &[&put_table()]);
        assert_eq!(cloud.table().unwrap()["properties"]["disableBgpRoutePropagation"], !wanted);
        assert_eq!(cloud.routes(), [FIRST]);
    }
}

#[test]
fn bgp_propagation_is_left_alone_where_it_is_not_set() {
    let cloud = applied(1, "");
    cloud.merge(table(), json!({ "properties": { "disableBgpRoutePropagation": true } }));
    cloud.settled();
    cloud.set_routes(Vec::clear);
    cloud.mends(&[&put_table()]);
    assert_eq!(cloud.table().unwrap()["properties"]["disableBgpRoutePropagation"], true);
    // Set later, it is an edit of one write.
    cloud.write(&topology(1, "bgp_route_propagation = true"));
    cloud.mends(&[&put_table()]);
    assert_eq!(cloud.table().unwrap()["properties"]["disableBgpRoutePropagation"], false);
    // And no longer set, it stays.
    cloud.write(&topology(1, ""));
    cloud.apply();
    assert_eq!(cloud.written(), [""; 0]);
    cloud.merge(table(), json!({ "properties": { "disableBgpRoutePropagation": true } }));
    cloud.settled();
}

#[test]
fn a_tag_that_was_removed_is_put_back() {
    let cloud = applied(1, "");
    cloud.merge(table(), json!({ "tags": null }));
    drifted(&cloud, &[&put_table()]);
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "managed-by": "topo", "topology": "kthw" }));
    cloud.merge(table(), json!({ "tags": { "managed-by": "somebody", "owner": "x" } }));
    drifted(&cloud, &[&put_table()]);
    let tags = json!({ "managed-by": "topo", "topology": "kthw", "owner": "x" });
    assert_eq!(cloud.table().unwrap()["tags"], tags);
    // The name of another topology is no less drift: the table is recorded.
    cloud.merge(table(), json!({ "tags": { "topology": "other" } }));
    cloud.topo(&["plan"]).exits(0).says("tag topology: other → kthw");
    drifted(&cloud, &[&put_table()]);
    assert_eq!(cloud.table().unwrap()["tags"], tags);
}

#[test]
fn a_table_that_was_deleted_is_made_again() {
    let cloud = applied(2, "");
    cloud.associate(None);
    cloud.server.command(Command::Delete { path: table() });
    assert!(cloud.table().is_none());
    cloud
        .topo(&["plan"])
        .exits(0)
        .says("Drift: topo will put these back")
        .says("Plan: 4 to add, 0 to change, 0 to destroy.");
    drifted(&cloud, &[&put_table(), &put_subnet()]);
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
    assert_eq!(cloud.association(), Some(table()));
    cloud.associate(None);
    cloud.server.command(Command::Delete { path: table() });
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.written(), [""; 0]);
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn what_is_gone_with_its_network_is_destroyed() {
    let cloud = applied_without_machines();
    cloud.server.command(Command::Delete { path: subnet() });
    cloud.topo(&["apply", "-y"]).exits(1).says("There is no subnet kubernetes-vnet/kubernetes-subnet");
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.written(), [format!("DELETE {TABLE}")]);
    assert_eq!(cloud.state()["places"], json!({}));
    // And the network itself.
    let cloud = applied_without_machines();
    cloud.server.command(Command::Delete { path: network() });
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.written(), [format!("DELETE {TABLE}")]);
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_backend_that_leaves_the_topology_takes_its_own_along() {
    let cloud = applied(2, "");
    let text = topology(2, "");
    cloud.write(&text[..text.find("[backends").unwrap()]);
    cloud.topo(&["plan"]).exits(0).says("Plan: 0 to add, 0 to change, 4 to destroy.");
    cloud.apply();
    assert_eq!(cloud.written(), [put_subnet(), format!("DELETE {TABLE}")]);
    assert_eq!(cloud.state()["places"], json!({}));
    // And comes back.
    cloud.write(&text);
    cloud.apply();
    cloud.settled();
}

#[test]
fn what_was_removed_by_hand_needs_no_removal() {
    let cloud = applied(2, "");
    cloud.associate(None);
    cloud.set_routes(|routes| _ = routes.remove(0));
    cloud.write(&topology_of("kthw", &[("worker-1", "address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"]")], ""));
    cloud.mends(&[&put_subnet()]);
    assert_eq!(cloud.routes(), [SECOND]);
}

#[test]
fn what_azure_gave_up_on_is_finished_by_the_next_run() {
    for path in ["/routeTables/", "/subnets/"] {
        let cloud = Cloud::start(2);
        let fail =
            Effect::FailOperation { code: "InternalServerError".to_owned(), message: "An error occurred.".to_owned() };
        cloud.server.command(fail.next("PUT", path));
        cloud.topo(&["apply", "-y"]).exits(3).says("InternalServerError");
        cloud.apply();
        cloud.settled();
        assert_eq!(cloud.routes(), [FIRST, SECOND]);
        assert_eq!(cloud.association(), Some(table()));
        for state in [cloud.table().unwrap(), cloud.subnet()] {
            assert_eq!(state["properties"]["provisioningState"], "Succeeded");
        }
        cloud.topo(&["destroy", "-y"]).exits(0);
        assert!(cloud.table().is_none(), "it is known that topo made it");
    }
}

#[test]
fn a_route_that_azure_gave_up_on_is_written_again() {
    let cloud = Cloud::start(2);
    cloud.write(&topology(1, ""));
    cloud.apply();
    cloud.write(&topology(2, ""));
    let fail =
        Effect::FailOperation { code: "InternalServerError".to_owned(), message: "An error occurred.".to_owned() };
    cloud.server.command(fail.next("PUT", "/routeTables/"));
    cloud.topo(&["apply", "-y"]).exits(3);
    cloud.apply();
    cloud.settled();
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
    assert_eq!(cloud.table().unwrap()["properties"]["provisioningState"], "Succeeded");
}

#[test]
fn nodes_come_and_go_and_move_with_one_write_each() {
    let cloud = applied(3, "");
    let node = |name: &'static str, address: u8, pods: u8| {
        (name, format!("address = \"10.240.0.{address}\", pods = [\"10.200.{pods}.0/24\"]"))
    };
    let step = |nodes: &[(&'static str, String)], expected: &[&str]| {
        let nodes: Vec<(&str, &str)> = nodes.iter().map(|(name, keys)| (*name, keys.as_str())).collect();
        cloud.write(&topology_of("kthw", &nodes, ""));
        cloud.mends(&[&put_table()]);
        assert_eq!(cloud.routes(), expected);
    };
    let third = "kubernetes-route-10-200-2-0-24 10.200.2.0/24 VirtualAppliance 10.240.0.22";
    step(&[node("worker-0", 20, 0), node("worker-1", 21, 1)], &[FIRST, SECOND]);
    step(&[node("worker-0", 20, 0), node("worker-1", 21, 1), node("worker-2", 22, 2)], &[FIRST, SECOND, third]);
    let moved = "kubernetes-route-10-200-1-0-24 10.200.1.0/24 VirtualAppliance 10.240.0.41";
    step(&[node("worker-0", 20, 0), node("worker-1", 41, 1), node("worker-2", 22, 2)], &[FIRST, moved, third]);
    // Two nodes change places: a change of both.
    let (one, two) = (
        "kubernetes-route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.22",
        "kubernetes-route-10-200-2-0-24 10.200.2.0/24 VirtualAppliance 10.240.0.20",
    );
    step(&[node("worker-0", 22, 0), node("worker-1", 41, 1), node("worker-2", 20, 2)], &[one, moved, two]);
}

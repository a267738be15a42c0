//! What is left where a part of a run fails, and what Azure says of the routes after it.

use super::*;

const SECOND: &str = "second-routes";

/// A machine stops.
fn deallocate(cloud: &Cloud, worker: u8) {
    let body = json!({ "properties": { "instanceView": { "statuses": [
        { "code": "PowerState/deallocated", "level": "Info", "displayStatus": "VM deallocated" },
    ] } } });
    cloud
        .server
        .command(Command::Merge { path: crate::arm::compute_path(&format!("virtualMachines/worker-{worker}")), body });
}

#[test]
fn a_subnet_is_not_given_a_table_that_was_not_written() {
    let cloud = Cloud::start(2);
    cloud.server.command(Effect::Forbid.next("PUT", &table()));
    let said = cloud.topo(&["apply", "-y"]).exits(1);
    let said = said.says("Microsoft.Network/routeTables/write").says("Network Contributor");
    said.says("as planned, so it did not associate the table");
    assert_eq!((cloud.table(), cloud.association()), (None, None));
    assert_eq!(cloud.state()["places"], json!({}), "nothing is in doubt");
    cloud.apply();
    cloud.settled();
}

#[test]
fn a_table_stays_where_its_subnet_does_not_let_go() {
    let cloud = Cloud::start(2);
    cloud.apply();
    cloud.server.command(Effect::Forbid.next("PUT", &subnet()));
    cloud.topo(&["destroy", "-y"]).exits(1).says("subnets still use it: kubernetes-subnet");
    assert_eq!(cloud.routes().len(), 2);
    assert_eq!(cloud.association().as_deref(), Some(table().as_str()));
    assert!(!cloud.state().to_string().contains("\"to\":"), "nothing is in doubt: {}", cloud.state());
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
}

#[test]
fn a_table_that_cannot_be_deleted_is_deleted_by_the_next_run() {
    let cloud = Cloud::start(2);
    cloud.apply();
    let effect = Effect::FailOperation { code: "InternalServerError".into(), message: "An error occurred.".into() };
    cloud.server.command(effect.next("DELETE", &table()));
    cloud.topo(&["destroy", "-y"]).exits(3).says("InternalServerError: An error occurred");
    assert_eq!(cloud.association(), None);
    assert!(cloud.table().is_some());
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn routes_to_a_next_hop_that_cannot_forward_are_left_out_until_it_does() {
    let cloud = Cloud::start(3);
    cloud.write(&topology(3, "ip_forwarding = \"enable\""));
    cloud.forward(1, false);
    cloud.server.command(Effect::Forbid.next("PUT", &interface(1)));
    let said = cloud.topo(&["apply", "-y"]).exits(3);
    said.says("Microsoft.Network/networkInterfaces/write")
        .says("Skipped the route to worker-1: its network interface does not forward.")
        .not("not in force");
    let destinations: Vec<String> = cloud.routes().iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(destinations, ["10.200.0.0/24", "10.200.2.0/24"]);
    assert!(cloud.association().is_some(), "the rest goes on");
    assert!(!cloud.state().to_string().contains("10.200.1.0/24"), "{}", cloud.state());
    cloud.topo(&["plan", "--detailed-exitcode"]).exits(2);
    cloud.apply();
    assert_eq!(cloud.routes().len(), 3);
    assert_eq!(cloud.server.look(&interface(1)).unwrap()["properties"]["enableIPForwarding"], true);
    cloud.settled();
    cloud.topo(&["destroy", "-y", "--revert-forwarding"]).exits(0);
    assert_eq!(cloud.server.look(&interface(1)).unwrap()["properties"]["enableIPForwarding"], false);
    assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], true, "not ours");
}

/// Later runs would not look at it again: nothing of the table would change.
#[test]
fn what_is_to_forward_must_be_seen() {
    let cloud = Cloud::start(2);
    cloud.write(&topology(2, "ip_forwarding = \"enable\""));
    cloud.forward(1, false);
    cloud.server.command(Effect::Forbid.next("GET", "/networkInterfaces"));
    let said = cloud.topo(&["apply", "-y"]).exits(1).says("the plan has errors or conflicts");
    said.says("Microsoft.Network/networkInterfaces/read");
    assert!(cloud.server.writes().is_empty());
    cloud.apply();
    cloud.settled();
}

#[test]
fn one_table_that_fails_does_not_hold_back_another() {
    let cloud = Cloud::start(2);
    let other = format!("{}/subnets/other", network());
    let body = json!({ "properties": { "addressPrefix": "10.240.1.0/24" } });
    cloud.server.command(Command::Put { path: other.clone(), body });
    let first = topology(2, "");
    let backend = first.split_once("[backends.azure-udr]").unwrap().1;
    let backend = backend.replace(TABLE, SECOND).replace(&format!("{NETWORK}/{SUBNET}"), &format!("{NETWORK}/other"));
    cloud.write(&format!("{first}[backends.second]\ntype = \"azure-udr\"{backend}"));
    let second = network_path(&format!("routeTables/{SECOND}"));
    cloud.server.command(Effect::Forbid.next("PUT", &second));
    cloud.topo(&["apply", "-y"]).exits(3).says("topo did not write the route table of other as planned");
    assert_eq!(cloud.association().as_deref(), Some(table().as_str()));
    assert_eq!(cloud.server.look(&other).unwrap()["properties"]["routeTable"], Value::Null);
    assert!(!cloud.state().to_string().contains("\"to\":"), "nothing is in doubt: {}", cloud.state());
    cloud.apply();
    assert_eq!(cloud.server.look(&other).unwrap()["properties"]["routeTable"]["id"], json!(second));
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none() && cloud.server.look(&second).is_none());
}

#[test]
fn azure_says_whether_the_routes_are_in_force() {
    let cloud = Cloud::start(2);
    cloud.apply().says("2 routes are in force (effective routes of worker-0-nic)");
    cloud.topo(&["destroy", "-y"]).exits(0);
    // One machine that runs is enough.
    deallocate(&cloud, 0);
    cloud.apply().says("2 routes are in force (effective routes of worker-1-nic)");
    cloud.topo(&["destroy", "-y"]).exits(0);
    deallocate(&cloud, 1);
    cloud.apply().says("cannot be verified: VM stopped (worker-1-nic)");
    cloud.settled();
}

#[test]
fn routes_that_nobody_may_look_at_cannot_be_verified() {
    let cloud = Cloud::start(1);
    cloud.server.command(Effect::Forbid.next("POST", "/effectiveRouteTable"));
    cloud.apply().says("cannot be verified").says("effectiveRouteTable/action");
    let cloud = Cloud::start(1);
    cloud.server.command(Effect::answer(409, "AnotherThing").next("POST", "/effectiveRouteTable"));
    cloud.apply().says("cannot be verified").says("AnotherThing").not("VM stopped");
}

#[test]
fn routes_that_are_not_in_force_are_told() {
    let cloud = Cloud::start(2);
    // Somebody takes the association away, after it was read back.
    let body = json!({ "properties": { "routeTable": null } });
    let somebody = || cloud.server.command(Command::Merge { path: subnet(), body });
    let said = cloud.topo_while_held(&["apply", "-y"], ("POST", "/effectiveRouteTable", 0), somebody);
    said.exits(3)
        .says("2 routes of kubernetes-routes are not in force (effective routes of worker-0-nic)")
        .says("10.200.0.0/24");
    cloud.topo(&["plan", "--detailed-exitcode"]).exits(2);
    cloud.apply();
    cloud.settled();
}

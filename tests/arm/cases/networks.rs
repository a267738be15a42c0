//! Subnets, interfaces, machines, and what is in force on them.

use serde_json::{Value, json};

use super::super::seed::{compute_path, network_path};
use super::super::{Command, GROUP, NETWORK, SUBSCRIPTION};
use super::{associated, nic, subnet, table, table_with, with_table};

fn interface(number: u8) -> String {
    network_path(&format!("networkInterfaces/worker-{number}-nic"))
}

#[test]
fn an_association_is_seen_from_both_ends_and_keeps_the_table() {
    let (_server, client) = with_table();
    let before = client.get(&table()).etag().to_owned();
    let put = client.put_done(&subnet(), &associated(&client));
    assert_eq!(put.status, 200);
    let seen = client.get(&table());
    assert_eq!(seen.body["properties"]["subnets"], json!([{ "id": subnet() }]));
    assert_ne!(seen.etag(), before);
    assert_eq!(client.get(&subnet()).body["properties"]["routeTable"]["id"], table());

    let delete = client.delete(&table());
    assert_eq!((delete.status, delete.code()), (400, "InUseRouteTableCannotBeDeleted"));

    let mut body = client.get(&subnet()).body;
    body["properties"].as_object_mut().unwrap().remove("routeTable");
    client.put_done(&subnet(), &body);
    assert!(client.get(&table()).body["properties"].get("subnets").is_none());
    assert_eq!(client.delete(&table()).status, 202);
}

#[test]
fn a_subnet_is_replaced_as_a_whole() {
    let (_server, client) = with_table();
    let before = client.get(&subnet());
    assert_eq!(before.body["properties"]["ipConfigurations"].as_array().unwrap().len(), 2);
    assert!(before.body["properties"].get("networkSecurityGroup").is_some());
    let bare = json!({ "properties": { "addressPrefix": "10.240.0.0/24", "routeTable": { "id": table() } } });
    client.put_done(&subnet(), &bare);
    let after = client.get(&subnet()).body;
    assert!(after["properties"].get("networkSecurityGroup").is_none(), "what is left out is gone");
    assert!(after["properties"].get("serviceEndpoints").is_none());
    let network = client.get(&network_path(&format!("virtualNetworks/{NETWORK}")));
    assert_eq!(network.body["properties"]["subnets"][0], after, "the same from the network");
    assert_eq!(network.etag(), after["etag"]);
}

#[test]
fn a_service_endpoint_is_completed() {
    let (_server, client) = with_table();
    let mut body = client.get(&subnet()).body;
    let before = body["properties"]["serviceEndpoints"].clone();
    body["properties"]["serviceEndpoints"] = json!([{ "service": "Microsoft.Storage" }]);
    client.put_done(&subnet(), &body);
    assert_eq!(client.get(&subnet()).body["properties"]["serviceEndpoints"], before);
}

#[test]
fn a_subnet_takes_only_a_table_that_is_there_in_its_region() {
    let (server, client) = with_table();
    let elsewhere = network_path("routeTables/elsewhere");
    server.command(Command::Put { path: elsewhere.clone(), body: json!({ "location": "westus" }) });
    for id in [network_path("routeTables/none"), elsewhere] {
        let mut body = associated(&client);
        body["properties"]["routeTable"]["id"] = json!(id);
        let put = client.put(&subnet(), &body);
        assert_eq!((put.status, put.code()), (400, "InvalidResourceReference"));
    }
}

#[test]
fn subnets_come_and_go_one_by_one_unless_in_use() {
    let (_server, client) = with_table();
    let second = network_path(&format!("virtualNetworks/{NETWORK}/subnets/second"));
    let put = client.put_done(&second, &json!({ "properties": { "addressPrefix": "10.240.1.0/24" } }));
    assert_eq!((put.status, &put.body["properties"]["delegations"]), (201, &json!([])));
    let list = client.get(&network_path(&format!("virtualNetworks/{NETWORK}/subnets"))).body;
    assert_eq!(list["value"].as_array().unwrap().len(), 2);
    let delete = client.delete(&second);
    assert_eq!(delete.status, 202);
    client.finish(&delete);
    let delete = client.delete(&subnet());
    assert_eq!((delete.status, delete.code()), (400, "InUseSubnetCannotBeDeleted"));
    let outside = client.put(&second, &json!({ "properties": { "addressPrefix": "10.9.0.0/24" } }));
    assert_eq!(outside.code(), "NetcfgSubnetRangeOutsideVnet");
    let overlapping = client.put(&second, &json!({ "properties": { "addressPrefix": "10.240.0.128/25" } }));
    assert_eq!(overlapping.code(), "NetcfgSubnetRangesOverlap");
    let network =
        json!({ "location": "eastus2", "properties": { "addressSpace": { "addressPrefixes": ["10.240.0.0/16"] } } });
    let put = client.put(&network_path(&format!("virtualNetworks/{NETWORK}")), &network);
    assert_eq!((put.status, put.code()), (400, "InUseSubnetCannotBeDeleted"), "left out is deleted");
}

#[test]
fn forwarding_is_switched_on_and_nothing_else_changes() {
    let (_server, client) = with_table();
    let before = client.get(&interface(0)).body;
    assert_eq!(before["properties"]["virtualMachine"]["id"], compute_path("virtualMachines/worker-0"));
    let mut body = before.clone();
    body["properties"]["enableIPForwarding"] = json!(true);
    let put = client.put(&interface(0), &body);
    assert_eq!((put.status, put.header("retry-after")), (200, ""), "no Retry-After for a NIC");
    assert_eq!(put.body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(client.get(put.header("azure-asyncoperation")).body["status"], "Succeeded", "at once");
    let mut after = client.get(&interface(0));
    assert_eq!(after.etag(), put.etag(), "the version of the PUT response stays");
    after.body["properties"]["enableIPForwarding"] = json!(false);
    let plain = |mut value: Value| {
        value["etag"] = Value::Null;
        value["properties"]["ipConfigurations"][0]["etag"] = Value::Null;
        value
    };
    assert_eq!(plain(after.body), plain(before));
}

#[test]
fn machines_have_tags_and_tell_their_state_when_asked() {
    let (_server, client) = with_table();
    let list = client.get(&compute_path("virtualMachines")).body;
    let tags: Vec<&str> =
        list["value"].as_array().unwrap().iter().map(|vm| vm["tags"]["pod-cidr"].as_str().unwrap()).collect();
    assert_eq!(tags, ["10.200.0.0/24", "10.200.1.0/24"]);
    let path = compute_path("virtualMachines/worker-0");
    assert!(client.get(&path).body["properties"].get("instanceView").is_none());
    let expanded = client.get(&format!("{path}?api-version=2024-07-01&$expand=instanceView")).body;
    assert_eq!(expanded["properties"]["instanceView"]["statuses"][1]["code"], "PowerState/running");
    assert_eq!(client.get(&format!("{path}/instanceView")).body["statuses"][1]["displayStatus"], "VM running");
}

#[test]
fn interfaces_of_scale_sets_are_not_in_the_list_of_interfaces() {
    let (server, client) = with_table();
    let set = compute_path("virtualMachineScaleSets/pool");
    for instance in 0..2 {
        let path = format!("{set}/virtualMachines/{instance}/networkInterfaces/nic");
        server.command(Command::Put { path, body: nic(40 + instance, None) });
    }
    let count = |path: &str| client.get(path).body["value"].as_array().unwrap().len();
    assert_eq!(count(&network_path("networkInterfaces")), 2);
    assert_eq!(count(&format!("{set}/networkInterfaces")), 2);
    assert_eq!(count(&format!("{set}/virtualMachines/1/networkInterfaces")), 1);
    let one = client.get(&format!("{set}/virtualMachines/1/networkInterfaces/nic")).body;
    assert_eq!(one["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"], "10.240.0.41");
    assert_eq!(client.get(&compute_path("virtualMachineScaleSets/none/networkInterfaces")).code(), "ResourceNotFound");
}

/// As in the tape 19.3.0_virtual_networks_api2020-04-01.yaml: identifiers and nothing else.
#[test]
fn a_network_names_all_that_is_in_its_subnets() {
    let (server, client) = with_table();
    let set = compute_path("virtualMachineScaleSets/pool/virtualMachines/0/networkInterfaces/nic");
    server.command(Command::Put { path: set.clone(), body: nic(40, None) });
    let path = network_path(&format!("virtualNetworks/{NETWORK}"));
    let users = |body: &Value| body["properties"]["ipConfigurations"].clone();
    let id = |interface: &str| json!({ "id": format!("{interface}/ipConfigurations/ipconfig1") });
    let seen = users(&client.get(&path).body["properties"]["subnets"][0]);
    assert_eq!(seen, json!([id(&set), id(&interface(0)), id(&interface(1))]));
    assert_eq!(users(&client.get(&subnet()).body), seen);
    let all = client.get(&network_path("virtualNetworks")).body;
    assert_eq!(users(&all["value"][0]["properties"]["subnets"][0]), seen);

    // They are Azure's to say: what somebody sends is not kept, and what leaves is gone.
    let mut body = client.get(&subnet()).body;
    body["properties"]["ipConfigurations"] = json!([{ "id": "/made/up" }]);
    client.put_done(&subnet(), &body);
    assert_eq!(users(&client.get(&subnet()).body), seen);
    server.command(Command::Delete { path: set });
    let seen = users(&client.get(&path).body["properties"]["subnets"][0]);
    assert_eq!(seen, json!([id(&interface(0)), id(&interface(1))]));
}

#[test]
fn effective_routes_take_time_and_a_running_machine() {
    let (server, client) = with_table();
    client.put_done(&subnet(), &associated(&client));
    let post = client.post(&format!("{}/effectiveRouteTable", interface(0)));
    assert_eq!((post.status, post.text.as_str(), post.header("azure-asyncoperation")), (202, "null", ""));
    let waiting = client.get(post.header("location"));
    assert_eq!((waiting.status, waiting.text.as_str()), (202, "null"));
    let result = client.get(post.header("location"));
    assert_eq!((result.status, result.body.get("status")), (200, None));
    let user = |value: &Value| value["source"] == "User" && value["addressPrefix"] == json!(["10.200.1.0/24"]);
    let row = result.body["value"].as_array().unwrap().iter().find(|row| user(row)).unwrap();
    assert_eq!((&row["nextHopIpAddress"], &row["state"]), (&json!(["10.240.0.21"]), &json!("Active")));

    server.command(Command::Merge {
        path: compute_path("virtualMachines/worker-0"),
        body: json!({ "properties": { "instanceView": { "statuses": [{ "code": "PowerState/deallocated" }] } } }),
    });
    let post = client.post(&format!("{}/effectiveRouteTable", interface(0)));
    assert_eq!(post.status, 400, "{post:?}");
    assert_eq!(server.count("POST", "effectiveRouteTable"), 2);
}

#[test]
fn somebody_else_changes_things_without_a_trace_in_the_log() {
    let (server, client) = with_table();
    let before = client.get(&table()).etag().to_owned();
    server.command(Command::ClearLog);
    server.command(Command::Merge {
        path: super::route("worker-0"),
        body: json!({ "properties": { "nextHopIpAddress": "10.240.0.99" } }),
    });
    server.command(Command::Merge {
        path: table(),
        body: json!({ "properties": { "disableBgpRoutePropagation": true }, "tags": { "by": "hand" } }),
    });
    server.command(Command::Delete { path: super::route("worker-1") });
    assert!(server.log().is_empty());
    let seen = client.get(&table());
    assert_ne!(seen.etag(), before);
    assert_eq!(super::names(&seen.body), ["worker-0"]);
    assert_eq!(seen.body["properties"]["routes"][0]["properties"]["nextHopIpAddress"], "10.240.0.99");
    assert_eq!(seen.body["properties"]["disableBgpRoutePropagation"], true);
    assert_eq!(client.put_if(&table(), &before, &table_with(&[])).status, 412);
    assert_eq!(server.look(&table()), Some(client.get(&table()).body));
}

#[test]
fn groups_and_accounts_are_there() {
    let (_server, client) = with_table();
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}");
    assert_eq!(client.get(&group).body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(client.put(&format!("{group}-2"), &json!({ "location": "westus" })).status, 201);
    assert_eq!(client.get("/subscriptions").body["value"][0]["subscriptionId"], SUBSCRIPTION);
    let provider = client.get(&format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network"));
    assert_eq!(provider.body["registrationState"], "Registered");
}

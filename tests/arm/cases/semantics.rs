//! What writes, reads and polls of tables and routes do.

use serde_json::{Value, json};

use super::super::seed::{compute_path, network_path};
use super::super::{ArmServer, Command, SUBSCRIPTION};
use super::{names, route, table, table_with, to_worker, with_table};

#[test]
fn a_new_table_is_201_and_updating_until_its_operation_has_ended() {
    let server = ArmServer::start(0);
    server.command(Command::RetryAfter { percent: Some(100) });
    server.command(Command::Pace { polls: 2, milliseconds: 0, abandoned: 60_000 });
    let client = server.client();
    let put = client.put(&table(), &table_with(&[0]));
    assert_eq!((put.status, put.header("retry-after")), (201, "2"));
    assert_eq!(put.body["properties"]["provisioningState"], "Updating");
    assert_eq!(put.body["properties"]["routes"][0]["properties"]["provisioningState"], "Updating");
    assert!(put.header("location").is_empty() && put.header("etag").is_empty());
    let url = put.header("azure-asyncoperation");
    assert!(url.starts_with(&server.endpoint()) && url.contains("/locations/eastus2/operations/"), "{url}");

    let polls: Vec<_> = (0..3).map(|_| client.get(url)).collect();
    let told: Vec<_> = polls.iter().map(|it| (it.body["status"].as_str().unwrap(), it.header("retry-after"))).collect();
    assert_eq!(told, [("InProgress", "10"), ("InProgress", "20"), ("Succeeded", "")]);
    assert_eq!(client.get(url).body, json!({ "status": "Succeeded" }), "it stays so");

    let seen = client.get(&table());
    assert_eq!(seen.body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(seen.header("etag"), seen.etag());
    assert_ne!(seen.etag(), put.etag(), "the version of the PUT response is stale");
    assert_eq!(seen.body["properties"]["routes"][0]["etag"], seen.body["etag"], "one version for table and routes");
}

#[test]
fn an_update_is_200_and_has_an_operation_too() {
    let (_server, client) = with_table();
    let put = client.put(&table(), &table_with(&[0, 1, 2]));
    assert_eq!(put.status, 200);
    assert_eq!(put.body["properties"]["provisioningState"], "Updating");
    assert_eq!(client.finish(&put).body["status"], "Succeeded");
}

#[test]
fn a_table_is_replaced_as_a_whole_and_keeps_what_it_does_not_know() {
    let (_server, client) = with_table();
    let mut body = table_with(&[1]);
    body["tags"] = json!({ "owner": "topo" });
    body["properties"]["someday"] = json!({ "deep": [1, 2] });
    body["properties"]["disableBgpRoutePropagation"] = json!(true);
    client.put_done(&table(), &body);
    let seen = client.get(&table()).body;
    assert_eq!(names(&seen), ["worker-1"]);
    assert_eq!((&seen["tags"]["owner"], &seen["properties"]["someday"]), (&json!("topo"), &json!({ "deep": [1, 2] })));

    client.put_done(&table(), &json!({ "location": "eastus2" }));
    let seen = client.get(&table()).body;
    assert_eq!((names(&seen).len(), seen.get("tags")), (0, None), "what is left out is gone");
    assert_eq!(seen["properties"]["disableBgpRoutePropagation"], false);
}

#[test]
fn tags_are_patched_at_once() {
    let (_server, client) = with_table();
    let before = client.get(&table());
    let patch = client.patch(&table(), &json!({ "tags": { "a": "b" } }));
    assert_eq!((patch.status, patch.header("azure-asyncoperation")), (200, ""));
    assert_eq!(patch.body["tags"], json!({ "a": "b" }));
    assert_eq!(patch.body["properties"]["provisioningState"], "Succeeded");
    assert_ne!(patch.etag(), before.etag());
    assert_eq!(client.get(&table()).etag(), patch.etag());
}

#[test]
fn a_deletion_is_202_then_204_and_of_nothing_204() {
    let (_server, client) = with_table();
    for path in [route("worker-0"), table()] {
        let delete = client.delete(&path);
        assert_eq!((delete.status, delete.text.as_str()), (202, ""));
        assert!(delete.header("location").contains("/operationResults/"));
        let waiting = client.get(delete.header("location"));
        assert_eq!((waiting.status, waiting.text.as_str()), (202, "null"));
        assert_eq!(client.finish(&delete).body["status"], "Succeeded");
        let result = client.get(delete.header("location"));
        assert_eq!((result.status, result.text.as_str()), (204, ""));
        assert_eq!(client.get(&path).status, 404);
        assert_eq!(client.delete(&path).status, 204);
    }
}

#[test]
fn an_operation_that_nobody_polls_ends_in_the_end() {
    let server = ArmServer::start(0);
    server.command(Command::Pace { polls: 1, milliseconds: 0, abandoned: 40 });
    let client = server.client();
    client.put(&table(), &table_with(&[]));
    while client.get(&table()).body["properties"]["provisioningState"] != "Succeeded" {}
    assert_eq!(client.put(&table(), &table_with(&[])).status, 200);
}

#[test]
fn routes_come_one_by_one_and_change_the_version_of_the_table() {
    let (_server, client) = with_table();
    let before = client.get(&table()).etag().to_owned();
    let put = client.put_done(&route("worker-2"), &json!({ "properties": to_worker(2) }));
    assert_eq!(put.status, 201);
    assert_eq!(put.body["properties"]["hasBgpOverride"], false);
    let seen = client.get(&table());
    assert_ne!(seen.etag(), before);
    assert_eq!(names(&seen.body), ["worker-0", "worker-1", "worker-2"]);
    assert_eq!(client.get(&route("worker-2")).header("etag"), seen.etag());
    assert_eq!(client.put(&route("worker-2"), &json!({ "properties": to_worker(2) })).status, 200);

    let missing = client.put(&table().replace("routes", "gone"), &json!({}));
    assert_eq!((missing.status, missing.code()), (400, "LocationRequired"));
    let orphan = network_path("routeTables/gone/routes/a");
    let orphan = client.put(&orphan, &json!({ "properties": to_worker(2) }));
    assert_eq!((orphan.status, orphan.code()), (404, "ParentResourceNotFound"));
}

#[test]
fn two_routes_with_one_prefix_are_refused_whatever_their_names() {
    let (_server, client) = with_table();
    let put = client.put(&route("other"), &json!({ "properties": to_worker(1) }));
    assert_eq!((put.status, put.code()), (400, "RouteConflict"));
    let wanted = "Route: other conflicts with Route: worker-1. Routes cannot have the same AddressPrefix.";
    assert_eq!(put.body["error"]["message"], wanted);
    let put = client.put(&table(), &table_with(&[1, 0, 1]));
    assert_eq!(put.status, 400);
    assert_eq!(names(&client.get(&table()).body), ["worker-0", "worker-1"], "nothing has changed");
}

#[test]
fn what_is_no_route_is_refused() {
    let (_server, client) = with_table();
    for (field, value, code) in [
        ("addressPrefix", json!("10.200.9.1/24"), "InvalidCIDRNotation"),
        ("addressPrefix", json!("10.200.9.0/33"), "InvalidAddressPrefixFormat"),
        ("nextHopType", json!("Nowhere"), "InvalidRequestFormat"),
        ("nextHopIpAddress", Value::Null, "InvalidNextHopIpAddress"),
        ("nextHopType", json!("None"), "NextHopIpAddressNotAllowed"),
    ] {
        let mut properties = to_worker(9);
        properties[field] = value;
        let put = client.put(&route("bad"), &json!({ "properties": properties }));
        assert_eq!((put.status, put.code()), (400, code));
    }
    let put = client.put(&route("bad%20name"), &json!({ "properties": to_worker(9) }));
    assert_eq!(put.code(), "InvalidResourceName", "{put:?}");
    assert!(put.body["error"]["message"].as_str().unwrap().contains("bad name"), "decoded");
}

#[test]
fn limits_are_told_and_kept() {
    let (server, client) = with_table();
    server.command(Command::Limits { routes: Some(2), tables: Some(1) });
    let usages =
        client.get(&format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/locations/eastus2/usages"));
    let usage = |name: &str| {
        let all = usages.body["value"].as_array().unwrap();
        let usage = all.iter().find(|usage| usage["name"]["value"] == name).unwrap();
        (usage["currentValue"].as_u64().unwrap(), usage["limit"].as_u64().unwrap())
    };
    assert_eq!((usage("RoutesPerRouteTable"), usage("RouteTables")), ((0, 2), (1, 1)));
    let put = client.put(&table(), &table_with(&[0, 1, 2]));
    assert_eq!((put.status, put.code()), (400, "RouteTableRoutesLimitReached"));
    let put = client.put(&route("worker-2"), &json!({ "properties": to_worker(2) }));
    assert_eq!(put.status, 400);
    let put = client.put(&network_path("routeTables/second"), &table_with(&[]));
    assert_eq!((put.status, put.code()), (400, "RouteTableCountLimitReached"));
}

#[test]
fn a_write_for_another_version_is_412() {
    let (_server, client) = with_table();
    let seen = client.get(&table()).etag().to_owned();
    let put = client.put_if(&table(), &seen, &table_with(&[0]));
    assert_eq!(put.status, 200);
    client.finish(&put);
    for stale in [seen.as_str(), put.etag(), "invalid"] {
        let put = client.put_if(&table(), stale, &table_with(&[]));
        assert_eq!((put.status, put.code()), (412, "PreconditionFailed"));
        assert_eq!(put.body["error"]["details"][0]["code"], "PreconditionFailedEtagMismatch");
    }
    let put = client.put_if(&route("worker-0"), "\"no\"", &json!({ "properties": to_worker(0) }));
    assert_eq!(put.status, 412, "for a route it is the version of the table");
    let absent = network_path("routeTables/absent");
    assert_eq!(client.put_if(&absent, "*", &table_with(&[])).status, 412);
    let header = [("if-none-match", "*")];
    assert_eq!(client.ask("PUT", &table(), &header, Some(&table_with(&[]))).unwrap().status, 412);
    assert_eq!(client.ask("PUT", &absent, &header, Some(&table_with(&[]))).unwrap().status, 201);
    assert_eq!(client.ask("DELETE", &table(), &[("if-match", "old")], None).unwrap().status, 412);
}

#[test]
fn identifiers_have_no_case_and_keep_their_spelling() {
    let (_server, client) = with_table();
    let shouted = table().to_uppercase();
    let seen = client.get(&shouted);
    assert_eq!((seen.status, &seen.body["id"]), (200, &json!(table())));
    client.put_done(&shouted, &table_with(&[0]));
    assert_eq!(client.get(&table()).body["id"], table());
    assert_eq!(client.get(&table().replace("kubernetes-routes", "kubernetes%2Droutes")).status, 200);
}

#[test]
fn what_is_not_there_is_404_in_the_words_of_azure() {
    let server = ArmServer::start(0);
    let client = server.client();
    let seen = client.get(&table());
    assert_eq!((seen.status, seen.code()), (404, "ResourceNotFound"));
    assert!(seen.body["error"].get("details").is_none());
    for (path, code) in [
        (table().replace("resourceGroups/kubernetes", "resourceGroups/other"), "ResourceGroupNotFound"),
        (table().replace(SUBSCRIPTION, "33333333-3333-3333-3333-333333333333"), "SubscriptionNotFound"),
        (network_path("virtualNetworks/kubernetes-vnet/subnets/none"), "NotFound"),
        (network_path("teapots/none"), "InvalidResourceType"),
        (compute_path("virtualMachines/none"), "ResourceNotFound"),
    ] {
        let seen = client.get(&path);
        assert_eq!((seen.status, seen.code()), (404, code), "{path}");
    }
    assert_eq!(client.delete(&table().replace("kubernetes/", "other/")).code(), "ResourceGroupNotFound");
}

#[test]
fn lists_come_in_pages() {
    let (server, client) = with_table();
    server.command(Command::PageSize { size: 1 });
    let mut found = Vec::new();
    let mut next = format!("{}/routes", table());
    loop {
        let page = client.get(&next).body;
        found.extend(page["value"].as_array().unwrap().iter().map(|route| route["name"].as_str().unwrap().to_owned()));
        match page["nextLink"].as_str() {
            Some(link) => link.clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!(found, ["worker-0", "worker-1"]);
    let all = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/networkInterfaces");
    let page = client.get(&all).body;
    assert_eq!(page["value"].as_array().unwrap().len(), 1);
    let link = page["nextLink"].as_str().unwrap();
    assert!(link.starts_with(&server.endpoint()), "{link}");
    server.command(Command::LinksOrigin { origin: Some("https://elsewhere.example".into()) });
    let link = client.get(&all).body["nextLink"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://elsewhere.example/subscriptions/"), "{link}");
}

#[test]
fn a_table_stays_in_its_region() {
    let (_server, client) = with_table();
    let put = client.put(&table(), &json!({ "location": "westus" }));
    assert_eq!((put.status, put.code()), (409, "InvalidResourceLocation"));
}

//! Writes that go well, and operations that do not.

use std::time::Duration;

use super::*;
use crate::arm::Effect;

#[test]
fn a_table_is_made_changed_and_deleted() {
    let (server, arm) = start(2);
    server.command(Command::Pace { polls: 2, milliseconds: 0, abandoned: 60_000 });
    block_on(async {
        assert_eq!(arm.get(ResourceType::Table, &table()).await.unwrap(), None);
        let made = arm.put(ResourceType::Table, &table(), &table_with(&[0, 1]), None).await.unwrap();
        assert_eq!(made.body["properties"]["provisioningState"], "Succeeded");
        assert_eq!(made.etag.as_deref(), server.look(&table()).unwrap()["etag"].as_str());
        assert_eq!(arm.get(ResourceType::Table, &table()).await.unwrap(), Some(made.clone()));

        // The version is the one after the operation: with that of the answer this would be 412.
        let changed = arm.put(ResourceType::Table, &table(), &table_with(&[]), made.etag.as_deref()).await.unwrap();
        assert_ne!(changed.etag, made.etag);
        assert_eq!(routes(&server), Vec::<String>::new());
        let put = server.writes().pop().unwrap();
        assert_eq!(put.request_body, Some(table_with(&[])), "an empty list is sent");
        assert_eq!(put.request_headers["if-match"].as_str(), made.etag.as_deref());
        assert!(put.request_headers["user-agent"].as_str().unwrap().contains("topo"), "{:?}", put.request_headers);

        arm.delete_table(&table(), changed.etag.as_deref()).await.unwrap();
        assert!(server.look(&table()).is_none());
        arm.delete_table(&table(), None).await.unwrap();
    });
    assert_eq!(server.writes().len(), 4);
    assert_eq!(server.count("GET", "/operations/"), 9, "each of the three is polled until it has ended");
    let log = server.log();
    assert_eq!(arm.requests().writes, 4);
    assert_eq!(arm.requests().reads + 4, log.len() as u64);
    for exchange in &log {
        let id = exchange.request_headers["x-ms-client-request-id"].as_str().unwrap();
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
    }
}

#[test]
fn a_subnet_keeps_what_topo_does_not_know() {
    let (server, arm) = start(1);
    let news = json!({ "properties": { "somethingNew": { "empty": [], "deep": { "a": 1 } }, "delegations": [] } });
    server.command(Command::Merge { path: subnet(), body: news });
    let before = server.look(&subnet()).unwrap();
    block_on(async {
        arm.put(ResourceType::Table, &table(), &table_with(&[0]), None).await.unwrap();
        let mut seen = arm.get(ResourceType::Subnet, &subnet()).await.unwrap().unwrap();
        seen.body["properties"]["routeTable"] = json!({ "id": table() });
        let written = arm.put(ResourceType::Subnet, &subnet(), &seen.body, seen.etag.as_deref()).await.unwrap();
        assert_eq!(written.body["properties"]["routeTable"]["id"], table());
        let mut after = server.look(&subnet()).unwrap();
        after["properties"].as_object_mut().unwrap().remove("routeTable");
        after["etag"] = before["etag"].clone();
        assert_eq!(after, before);
        let network = arm.get(ResourceType::Network, &network()).await.unwrap().unwrap();
        assert_eq!(network.body["location"], LOCATION);
        assert_eq!(network.body["properties"]["addressSpace"]["addressPrefixes"], json!(["10.240.0.0/16"]));
    });
}

#[test]
fn an_interface_keeps_what_topo_does_not_know() {
    let (server, arm) = start(1);
    let news = json!({ "kind": "Regular", "properties": { "allowPort25Out": true, "auxiliaryMode": "None" } });
    server.command(Command::Merge { path: interface(0), body: news });
    block_on(async {
        let mut seen = arm.get(ResourceType::Interface, &interface(0)).await.unwrap().unwrap();
        seen.body["properties"]["enableIPForwarding"] = json!(true);
        let written = arm.put(ResourceType::Interface, &interface(0), &seen.body, seen.etag.as_deref()).await.unwrap();
        assert_eq!(written.body["properties"]["enableIPForwarding"], true);
    });
    let put = server.writes().pop().unwrap().request_body.unwrap();
    assert_eq!((&put["kind"], &put["properties"]["allowPort25Out"]), (&json!("Regular"), &json!(true)));
}

#[test]
fn a_failed_operation_keeps_code_and_message() {
    let (server, arm) = start(1);
    let message = "An error occurred while the routes were written.".to_owned();
    server.command(
        Effect::FailOperation { code: "InternalServerError".into(), message: message.clone() }
            .next("PUT", "/routeTables/"),
    );
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Failed);
    let text = check_sentence(&error);
    let told = format!("InternalServerError: {} (request id ", message.trim_end_matches('.'));
    let operation = text.split("operation ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(text.contains(&told) && server.log().iter().any(|it| it.path.ends_with(operation)), "{text}");

    server
        .command(Effect::FailOperation { code: "Busy".into(), message: "No.".into() }.next("DELETE", "/routeTables/"));
    let error = block_on(arm.delete_table(&table(), None)).unwrap_err();
    assert!(error.kind == ArmErrorKind::Failed && check_sentence(&error).contains(" failed: Busy: No"), "{error}");
}

#[test]
fn as_much_time_passes_as_azure_asks_for() {
    let (server, arm) = start(1);
    server.command(Command::RetryAfter { percent: Some(10) });
    server.command(Command::Pace { polls: 2, milliseconds: 0, abandoned: 60_000 });
    block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();
    let log = server.log();
    let asked =
        |it: &crate::arm::Exchange| it.response_headers.get("retry-after").and_then(Value::as_str).map(str::to_owned);
    assert_eq!(
        log[..4].iter().map(asked).collect::<Vec<_>>(),
        [Some("1".into()), Some("1".into()), Some("2".into()), None]
    );
    let waited: Vec<u128> = log[..4].windows(2).map(|two| (two[1].began - two[0].began) / 1000).collect();
    assert_eq!(waited, [1, 1, 2], "from the first answer on");
}

#[test]
fn a_question_is_answered_at_its_location() {
    let (server, arm) = start(1);
    server.command(Command::Pace { polls: 2, milliseconds: 0, abandoned: 60_000 });
    block_on(async {
        arm.put(ResourceType::Table, &table(), &table_with(&[0]), None).await.unwrap();
        let mut seen = arm.get(ResourceType::Subnet, &subnet()).await.unwrap().unwrap();
        seen.body["properties"]["routeTable"] = json!({ "id": table() });
        arm.put(ResourceType::Subnet, &subnet(), &seen.body, seen.etag.as_deref()).await.unwrap();
        let rows = arm.effective_routes(&interface(0)).await.unwrap();
        assert!(rows.iter().any(|row| row["source"] == "User" && row["nextHopIpAddress"] == json!(["10.240.0.20"])));
    });
    assert_eq!(server.count("GET", "/operationResults/"), 3);
}

#[test]
fn a_machine_that_does_not_run_is_a_refusal() {
    let (server, arm) = start(0);
    server.command(Command::Put { path: interface(0), body: crate::arm::nic(20, None) });
    let error = block_on(arm.effective_routes(&interface(0))).unwrap_err();
    assert!(error.kind == ArmErrorKind::Conflict, "{error}");
    assert!(check_sentence(&error).contains("must be attached to a running virtual machine"), "{error}");
}

#[test]
fn an_operation_that_does_not_end_is_given_up() {
    let (server, arm) = start_with(1, |settings| settings.operation_timeout = Duration::from_secs(1));
    server.command(Command::Pace { polls: 1_000_000, milliseconds: 60_000, abandoned: 60_000 });
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::TimedOut, "{error}");
    let text = check_sentence(&error);
    assert!(text.contains("is still being written after 1 s") && text.contains("has not ended yet"), "{text}");
}

#[test]
fn a_write_that_was_accepted_is_not_called_undone() {
    let (server, arm) = start(1);
    server.command(Effect::Forbid.nth("GET", "/routeTables/", 0));
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap_err();
    assert!(error.kind == ArmErrorKind::Denied && error.to_string().contains("--role 'Reader'"), "{error:?}");
    assert!(check_sentence(&error).contains("may have been written (Azure accepted the request"), "{error}");
}

/// Drivers box them.
#[test]
fn requests_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let (_server, arm) = start(0);
    moves(arm.get(ResourceType::Table, ""));
    moves(arm.put(ResourceType::Table, "", &Value::Null, None));
    moves(arm.delete_table("", None));
    moves(arm.list_interfaces(SUBSCRIPTION, GROUP));
    moves(arm.list_machines(SUBSCRIPTION, GROUP));
    moves(arm.list_scale_set_interfaces(""));
    moves(arm.usages("", ""));
    moves(arm.effective_routes(""));
}

#[test]
fn a_body_of_the_wrong_type_is_not_sent() {
    let (server, arm) = start(0);
    let body = json!({ "location": LOCATION, "properties": { "routes": "none" } });
    let error = block_on(arm.put(ResourceType::Table, &table(), &body, None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Unexpected);
    assert!(check_sentence(&error).contains("is not a route table"), "{error}");
    assert!(server.log().is_empty());
}

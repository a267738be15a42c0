//! What is tried again, and what is not.

use std::time::{Duration, Instant};

use super::*;
use crate::arm::{Effect, Fault};

/// Runs a write. What somebody else has under way ends once the write was refused with this status, and not before.
fn once_refused<T>(server: &ArmServer, status: u16, write: impl Future<Output = T>) -> T {
    let patience = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !server.writes().iter().any(|it| it.status == Some(status)) {
                assert!(Instant::now() < patience, "nothing was refused with {status}: {:?}", server.log());
                std::thread::sleep(Duration::from_millis(1));
            }
            server.command(Command::Settle);
        });
        block_on(write)
    })
}

/// A role on a single resource would not let topo follow its own writes: it is given on the resource group.
fn group_id() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}")
}

fn route(name: &str) -> String {
    format!("{}/routes/{name}", table())
}

fn puts(server: &ArmServer, part: &str) -> Vec<Option<u16>> {
    server.writes().iter().filter(|it| it.method == "PUT" && it.path.ends_with(part)).map(|it| it.status).collect()
}

fn busy(status: u16, code: &str) -> Effect {
    Effect::Answer { status, code: code.into(), message: None, retry_after: Some(0) }
}

#[test]
fn a_busy_table_is_waited_for() {
    let (server, arm) = start(1);
    let seen = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();
    server.command(busy(429, "RetryableError").next("PUT", "/routeTables/"));
    block_on(arm.put(ResourceType::Table, &table(), &table_with(&[1]), seen.etag.as_deref())).unwrap();
    assert_eq!(puts(&server, TABLE), [Some(201), Some(429), Some(200)]);
}

#[test]
fn what_somebody_writes_meanwhile_is_waited_for_and_not_overwritten() {
    let (server, arm) = start(1);
    block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();
    server.command(Command::Pace { polls: 0, milliseconds: 0, abandoned: 60_000 });
    // Somebody else writes a route, and does not wait for it.
    let body = json!({ "properties": table_with(&[7])["properties"]["routes"][0]["properties"] });
    assert_eq!(server.client().put(&route("worker-7"), &body).status, 201);
    let error =
        once_refused(&server, 429, arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap_err();
    assert_eq!((&error.kind, error.unsure), (&ArmErrorKind::Precondition, false), "{error}");
    check_sentence(&error);
    assert_eq!(puts(&server, TABLE), [Some(201), Some(429)]);
    assert_eq!(routes(&server), ["worker-0", "worker-7"]);
}

#[test]
fn a_table_that_stays_busy_is_no_quota() {
    let (server, arm) = start_with(1, |settings| settings.operation_timeout = Duration::from_secs(2));
    server.command(Command::Pace { polls: 0, milliseconds: 0, abandoned: 60_000 });
    assert_eq!(server.client().put(&table(), &table_with(&[0])).status, 201);
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Conflict, "{error}");
    let text = check_sentence(&error);
    assert!(text.contains("another write") && text.contains("RetryableError: "), "{text}");
}

#[test]
fn a_new_table_waits_as_long_as_azure_asks_for() {
    let (server, arm) = start_with(1, |settings| settings.operation_timeout = Duration::from_secs(60));
    let (method, path) = (Some("PUT".to_owned()), Some("/routeTables/".to_owned()));
    let effect = Effect::Answer { status: 429, code: "RetryableError".into(), message: None, retry_after: Some(1) };
    server.command(Command::Fault(Fault { method, path, skip: 0, times: 5, effect }));
    let began = Instant::now();
    block_on(arm.create(ResourceType::Table, &table(), &table_with(&[0]))).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(5));
    assert_eq!(puts(&server, TABLE).last(), Some(&Some(201)));
    // What cannot be waited for is told with the time that has passed.
    server.command(Command::Delete { path: table() });
    let busy = Effect::Answer { status: 429, code: "RetryableError".into(), message: None, retry_after: Some(3600) };
    server.command(busy.next("PUT", "/routeTables/"));
    let error = block_on(arm.create(ResourceType::Table, &table(), &table_with(&[0]))).unwrap_err();
    assert!(check_sentence(&error).contains("has not ended after 0 s"), "{error}");
}

#[test]
fn somebodys_table_of_that_moment_is_not_replaced_after_a_wait() {
    let (server, arm) = start(2);
    // A server that does not respect `If-None-Match`.
    server.command(Command::IgnoreNew { on: true });
    let busy = Effect::Answer { status: 429, code: "RetryableError".into(), message: None, retry_after: Some(1) };
    server.command(busy.next("PUT", "/routeTables/"));
    let (id, body) = (table(), table_with(&[0]));
    let error = block_on(async {
        let somebody = async {
            while server.count("PUT", "/routeTables/") == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.command(Command::Put { path: table(), body: table_with(&[1]) });
        };
        tokio::join!(arm.create(ResourceType::Table, &id, &body), somebody).0.unwrap_err()
    });
    assert_eq!(error.kind, ArmErrorKind::Precondition, "{error}");
    assert_eq!(routes(&server), ["worker-1"]);
}

#[test]
fn a_table_that_is_replaced_is_told() {
    let (server, arm) = start(2);
    let create = || block_on(arm.create(ResourceType::Table, &table(), &table_with(&[0])));
    assert!(!create().unwrap().replaced);
    assert_eq!(create().unwrap_err().kind, ArmErrorKind::Precondition);
    assert_eq!(server.writes().last().unwrap().request_headers["if-none-match"], "*");
    server.command(Command::IgnoreNew { on: true });
    assert!(create().unwrap().replaced);
}

#[test]
fn a_busy_network_is_waited_for() {
    let (server, arm) = start(1);
    let seen = block_on(arm.get(ResourceType::Subnet, &subnet())).unwrap().unwrap();
    server.command(busy(409, "AnotherOperationInProgress").next("PUT", "/subnets/"));
    block_on(arm.put(ResourceType::Subnet, &subnet(), &seen.body, seen.etag.as_deref())).unwrap();
    assert_eq!(puts(&server, SUBNET), [Some(409), Some(200)]);

    // Where what somebody else has written is what was to be written there is nothing to send again.
    server.command(Command::ClearLog);
    server.command(Command::Pace { polls: 0, milliseconds: 0, abandoned: 60_000 });
    assert_eq!(server.client().put(&subnet(), &seen.body).status, 200);
    let after = once_refused(&server, 409, arm.put(ResourceType::Subnet, &subnet(), &seen.body, None)).unwrap();
    assert_eq!(after.body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(puts(&server, SUBNET), [Some(200), Some(409)]);
}

#[test]
fn writes_of_one_run_wait_for_each_other() {
    let (server, arm) = start(2);
    server.command(Command::Pace { polls: 1, milliseconds: 0, abandoned: 60_000 });
    block_on(async {
        let (table, bodies) = (table(), [table_with(&[0]), table_with(&[1]), table_with(&[0, 1])]);
        let [one, two, three] = &bodies;
        let (one, two, three) = tokio::join!(
            arm.put(ResourceType::Table, &table, one, None),
            arm.put(ResourceType::Table, &table, two, None),
            arm.put(ResourceType::Table, &table, three, None)
        );
        one.and(two).and(three).unwrap();
    });
    assert!(server.writes().iter().all(|it| it.status < Some(400)), "{:?}", puts(&server, TABLE));
}

#[test]
fn another_conflict_is_an_answer() {
    let (server, arm) = start(1);
    let mut body = table_with(&[0, 1]);
    body["properties"]["routes"][1]["properties"]["addressPrefix"] = json!("10.200.0.0/24");
    let error = block_on(arm.put(ResourceType::Table, &table(), &body, None)).unwrap_err();
    assert!(error.kind == ArmErrorKind::Conflict && check_sentence(&error).contains("RouteConflict: "), "{error:?}");
    assert_eq!(server.writes().len(), 1);
}

#[test]
fn what_somebody_changed_is_never_overwritten() {
    let (server, arm) = start(1);
    let seen = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();
    server.command(Command::Merge { path: table(), body: json!({ "tags": { "by": "somebody" } }) });
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[]), seen.etag.as_deref())).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Precondition);
    assert!(check_sentence(&error).contains("makes a new plan"), "{error}");
    assert_eq!(puts(&server, TABLE), [Some(201), Some(412)]);
    assert_eq!(routes(&server), ["worker-0"]);
}

#[test]
fn a_broken_connection_is_made_anew() {
    let (server, arm) = start(2);
    // What nobody polls for ends before it is tried again, or that would wait for it.
    server.command(Command::Pace { polls: 1, milliseconds: 0, abandoned: 200 });
    server.command(Effect::DropBefore.next("PUT", "/routeTables/"));
    block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();
    server.command(Effect::DropAfter.next("PUT", "/routeTables/"));
    let seen = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[1]), None)).unwrap();
    assert_eq!(routes(&server), ["worker-1"]);
    server.command(Effect::DropBefore.next("GET", "/routeTables/"));
    assert_eq!(block_on(arm.get(ResourceType::Table, &table())).unwrap(), Some(seen));
    server.command(Effect::DropBefore.next("GET", "/operations/"));
    block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();
    server.command(Effect::DropAfter.next("DELETE", "/routeTables/"));
    block_on(arm.delete_table(&table(), None)).unwrap();
    assert!(server.look(&table()).is_none());
}

#[test]
fn a_lost_answer_to_a_write_with_a_condition_is_looked_into() {
    let (server, arm) = start(2);
    let seen = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();

    // It never arrived: sent again under the same condition.
    server.command(Effect::DropBefore.next("PUT", "/routeTables/"));
    let seen = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[1]), seen.etag.as_deref())).unwrap();
    assert_eq!(puts(&server, TABLE), [Some(201), None, Some(200)]);

    // It arrived: not sent again, for its own effect would make it a 412.
    server.command(Command::Pace { polls: 0, milliseconds: 0, abandoned: 200 });
    server.command(Effect::DropAfter.next("PUT", "/routeTables/"));
    let seen = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0, 1]), seen.etag.as_deref())).unwrap();
    assert_eq!(puts(&server, TABLE), [Some(201), None, Some(200), None]);
    assert_eq!(seen.body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(routes(&server), ["worker-0", "worker-1"]);

    // Somebody else was there in between.
    server.command(Effect::DropBefore.next("PUT", "/routeTables/"));
    server.command(Command::Merge { path: table(), body: json!({ "tags": { "by": "somebody" } }) });
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[]), seen.etag.as_deref())).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Precondition, "{error}");
    assert_eq!(routes(&server), ["worker-0", "worker-1"]);

    let etag = server.look(&table()).unwrap()["etag"].as_str().unwrap().to_owned();
    server.command(Effect::DropAfter.next("DELETE", "/routeTables/"));
    block_on(arm.delete_table(&table(), Some(&etag))).unwrap();
    assert!(server.look(&table()).is_none());
}

#[test]
fn a_throttled_request_waits_as_long_as_it_is_told() {
    let (server, arm) = start_with(1, |settings| settings.operation_timeout = Duration::from_secs(60));
    let told = |seconds| Effect::Answer {
        status: 429,
        code: "TooManyRequests".into(),
        message: None,
        retry_after: Some(seconds),
    };
    server.command(told(1).next("GET", "/routeTables/"));
    let began = Instant::now();
    block_on(arm.get(ResourceType::Table, &table())).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));

    server.command(told(3600).next("PUT", "/routeTables/"));
    let began = Instant::now();
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[]), None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Throttled, "{error}");
    assert!(check_sentence(&error).contains("TooManyRequests"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(50), "it does not wait for nothing");
}

#[test]
fn no_word_on_how_long_to_wait_is_too_long() {
    let (server, arm) = start_with(1, |settings| settings.operation_timeout = Duration::from_secs(2));
    let told =
        Effect::Answer { status: 429, code: "TooManyRequests".into(), message: None, retry_after: Some(u64::MAX) };
    server.command(told.clone().next("GET", "/routeTables/"));
    let error = block_on(arm.get(ResourceType::Table, &table())).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Throttled, "{error}");
    server.command(told.next("PUT", "/routeTables/"));
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[]), None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Throttled, "{error}");
}

#[test]
fn what_has_not_the_shape_of_a_resource_is_none() {
    let (server, arm) = start(1);
    for text in [r#"{"properties":"x"}"#, r#"{"properties":[1]}"#, r#"{"tags":"x"}"#, "[]", "7"] {
        let odd = || Effect::Garbage { status: 200, text: text.into() };
        server.command(odd().next("GET", "/routeTables/"));
        server.command(odd().next("GET", "/subnets/"));
        server.command(odd().next("GET", "/networkInterfaces/"));
        for answer in block_on(async {
            [
                arm.get(ResourceType::Table, &table()).await,
                arm.get(ResourceType::Subnet, &subnet()).await,
                arm.get(ResourceType::Interface, &interface(0)).await,
            ]
        }) {
            let error = answer.unwrap_err();
            assert_eq!(error.kind, ArmErrorKind::Unexpected, "{text}: {error}");
            check_sentence(&error);
        }
    }
}

#[test]
fn a_server_that_stumbles_is_asked_again_but_not_for_ever() {
    let (server, arm) = start(0);
    server.command(Effect::answer(500, "InternalServerError").next("GET", "/routeTables/"));
    assert_eq!(block_on(arm.get(ResourceType::Table, &table())).unwrap(), None);
    for number in 0..4 {
        server.command(Effect::Garbage { status: 502, text: "<html>Bad\u{1b}[31m gateway".into() }.nth(
            "GET",
            "/subnets/",
            number,
        ));
    }
    let error = block_on(arm.get(ResourceType::Subnet, &subnet())).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Unexpected);
    let text = check_sentence(&error);
    assert!(text.contains("a proxy or another server in between answered with HTTP 502: "), "{text}");
    assert!(text.contains("\\u{1b}") && text.contains("Check the proxy (HTTPS_PROXY)"), "{text}");
    server.command(Effect::Garbage { status: 502, text: "<html>Bad gateway".into() }.next("PUT", "/routeTables/"));
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[]), None));
    assert!(error.is_ok(), "a write that never arrived is sent again: {error:?}");
    server.command(Effect::Garbage { status: 200, text: "<html>Sign in".into() }.next("GET", "/subnets/"));
    assert_eq!(block_on(arm.get(ResourceType::Subnet, &subnet())).unwrap_err().kind, ArmErrorKind::Unexpected);
}

#[test]
fn a_missing_role_is_named() {
    let (server, arm) = start(0);
    server.command(Effect::Forbid.next("PUT", "/routeTables/"));
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[]), None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Denied);
    let text = check_sentence(&error);
    assert!(text.contains("`Microsoft.Network/routeTables/write`"), "{text}");
    assert!(text.contains(&format!(
        "az role assignment create --assignee '11111111-1111-1111-1111-111111111111' --role 'Network Contributor' --scope '{}'",
        group_id()
    )), "{text}");
    server.command(Effect::Forbid.next("GET", "/virtualMachines"));
    let error = block_on(arm.list_machines(SUBSCRIPTION, GROUP)).unwrap_err();
    assert!(error.kind == ArmErrorKind::Denied && check_sentence(&error).contains("--role 'Reader'"), "{error:?}");
}

#[test]
fn what_a_write_belongs_to_must_be_there() {
    let (_server, arm) = start(0);
    let elsewhere = subnet().replace(NETWORK, "no-vnet");
    let body = json!({ "properties": { "addressPrefix": "10.240.0.0/24" } });
    let error = block_on(arm.put(ResourceType::Subnet, &elsewhere, &body, None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::NotFound, "{error:?}");
    check_sentence(&error);
}

#[test]
fn a_token_that_has_ended_is_renewed_once() {
    let (server, arm) = start(0);
    block_on(arm.get(ResourceType::Table, &table())).unwrap();
    server.command(Command::ExpireTokens);
    block_on(arm.get(ResourceType::Table, &table())).unwrap();
    let statuses: Vec<_> = server.log().iter().map(|it| it.status).collect();
    assert_eq!(statuses, [Some(404), Some(401), Some(404)]);

    for number in 0..2 {
        server.command(Effect::answer(401, "InvalidAuthenticationToken").nth("GET", "/routeTables/", number));
    }
    let error = block_on(arm.get(ResourceType::Table, &table())).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::SignIn);
    assert!(check_sentence(&error).contains("az login"), "{error}");
}

#[test]
fn nobody_there_is_told() {
    let (server, arm) = start(0);
    server.command(Command::Stop);
    let error = block_on(arm.get(ResourceType::Table, &table())).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Unreachable);
    assert!(check_sentence(&error).contains(&server.endpoint()), "{error}");
}

#[test]
fn what_is_missing_on_something_else_is_named_and_not_what_is_there() {
    let (server, arm) = start(0);
    let message = format!(
        "The client 'c' with object id 'o' has permission to perform action 'Microsoft.Network/virtualNetworks/subnets/write' on scope \
         '{}'; however, it does not have permission to perform action 'Microsoft.Network/routeTables/join/action' on the linked \
         scope(s) '{}' or the linked scope(s) are invalid.",
        subnet(),
        table()
    );
    let answer = Effect::Answer {
        status: 403,
        code: "LinkedAuthorizationFailed".into(),
        message: Some(message),
        retry_after: None,
    };
    server.command(answer.next("PUT", "/subnets/"));
    let body = json!({ "properties": { "addressPrefix": "10.240.0.0/24" } });
    let error = block_on(arm.put(ResourceType::Subnet, &subnet(), &body, None)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Denied);
    let text = error.to_string();
    assert!(text.contains("`Microsoft.Network/routeTables/join/action`"), "{text}");
    assert!(text.contains(&format!("--assignee 'o' --role 'Network Contributor' --scope '{}'", group_id())), "{text}");
    assert!(!error.unsure);
}

#[test]
fn a_refused_poll_leaves_the_write_in_doubt() {
    let (server, arm) = start(0);
    server.command(Effect::Forbid.next("GET", "/operations/"));
    let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap_err();
    assert!(error.unsure && error.kind == ArmErrorKind::Denied, "{error:?}");
    let text = check_sentence(&error);
    assert!(text.contains("may have been written") && text.contains("--scope SCOPE"), "{text}");
}

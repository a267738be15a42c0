//! What goes wrong: by itself, and on command.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::tls::Identity;
use super::super::{ArmServer, Client, Command, Effect};
use super::{associated, names, route, subnet, table, table_with, to_worker, with_table};

#[test]
fn two_writes_at_once_on_one_table_are_429() {
    let (_server, client) = with_table();
    let first = client.put(&route("worker-2"), &json!({ "properties": to_worker(2) }));
    for answer in [
        client.put(&table(), &table_with(&[])),
        client.put(&route("worker-3"), &json!({ "properties": to_worker(3) })),
        client.delete(&route("worker-0")),
        client.put(&subnet(), &associated(&client)),
    ] {
        assert_eq!((answer.status, answer.code()), (429, "RetryableError"));
        let cause = &answer.body["error"]["details"][0];
        assert_eq!(cause["code"], "ReferencedResourceNotProvisioned");
        assert!(cause["message"].as_str().unwrap().ends_with("is PutRouteOperation."), "{cause}");
    }
    client.finish(&first);
    assert_eq!(client.put(&table(), &table_with(&[])).status, 200);
}

#[test]
fn two_writes_at_once_on_one_network_are_409() {
    let (server, client) = with_table();
    let first = client.put(&subnet(), &associated(&client));
    let second = client.put(&subnet(), &associated(&client));
    assert_eq!((second.status, second.code()), (409, "AnotherOperationInProgress"));
    let id = first.header("azure-asyncoperation").split(['/', '?']).rev().nth(1).unwrap().to_owned();
    assert!(second.body["error"]["message"].as_str().unwrap().contains(&id));
    server.command(Command::Settle);
    assert_eq!(client.put(&subnet(), &associated(&client)).status, 200);
}

#[test]
fn an_operation_fails_on_command_with_http_200() {
    let (server, client) = with_table();
    let effect = Effect::FailOperation { code: "InternalServerError".into(), message: "An error occurred.".into() };
    server.command(effect.next("PUT", "/routeTables/"));
    let put = client.put(&table(), &table_with(&[2]));
    assert_eq!(put.status, 200);
    let poll = client.finish(&put);
    assert_eq!((poll.status, poll.code(), &poll.body["status"]), (200, "InternalServerError", &json!("Failed")));
    let seen = client.get(&table()).body;
    assert_eq!(seen["properties"]["provisioningState"], "Failed");
    assert_eq!(names(&seen), ["worker-0", "worker-1"]);

    let effect = Effect::FailOperation { code: "Conflict".into(), message: "No.".into() };
    server.command(effect.next("DELETE", "/routeTables/"));
    let delete = client.delete(&table());
    client.finish(&delete);
    let result = client.get(delete.header("location"));
    assert_eq!((result.status, result.code()), (409, "Conflict"), "a Location poll tells a failure by its status");
    client.put_done(&table(), &table_with(&[0]));
}

#[test]
fn connections_end_before_or_after_acting() {
    let (server, client) = with_table();
    server.command(Effect::DropBefore.nth("PUT", "/routes/", 1));
    server.command(Effect::DropAfter.nth("PUT", "/routes/", 2));
    let put = |number: u8| {
        let body = json!({ "properties": to_worker(number) });
        let answer = client.ask("PUT", &route(&format!("worker-{number}")), &[], Some(&body));
        server.command(Command::Settle);
        answer.map(|answer| answer.status)
    };
    assert_eq!(put(2), Ok(201));
    assert!(put(3).is_err());
    assert!(put(4).is_err());
    assert_eq!(names(&client.get(&table()).body), ["worker-0", "worker-1", "worker-2", "worker-4"]);
    let dropped: Vec<_> = server.writes().iter().map(|it| (it.status, it.dropped)).collect();
    assert_eq!(dropped[1..], [(Some(201), None), (None, Some("before")), (None, Some("after"))]);
}

#[test]
fn the_next_matching_request_is_answered_as_told() {
    let (server, client) = with_table();
    for (status, code) in
        [(429, "TooManyRequests"), (409, "Conflict"), (412, "PreconditionFailed"), (500, "InternalServerError")]
    {
        server.command(Effect::answer(status, code).next("GET", "KUBERNETES-ROUTES"));
        let seen = client.get(&table());
        assert_eq!((seen.status, seen.code()), (status, code));
        assert_eq!(client.get(&table()).status, 200, "once");
    }
    let throttled = Effect::Answer { status: 429, code: "TooManyRequests".into(), message: None, retry_after: Some(7) };
    server.command(throttled.next("PUT", ""));
    assert_eq!(client.put(&table(), &table_with(&[])).header("retry-after"), "7");
    server.command(Effect::Forbid.next("PUT", "/routes/"));
    let put = client.put(&route("worker-2"), &json!({}));
    assert_eq!((put.status, put.code()), (403, "AuthorizationFailed"));
    let message = put.body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("action 'Microsoft.Network/routeTables/routes/write' over scope '/subscriptions/"),
        "{message}"
    );
    server.command(Effect::Garbage { status: 502, text: "<html>".into() }.next("GET", ""));
    let seen = client.get(&table());
    assert_eq!((seen.status, seen.text.as_str(), seen.header("content-type")), (502, "<html>", "text/html"));
}

#[test]
fn answers_take_time_on_command() {
    let (server, client) = with_table();
    server.command(Effect::Delay { milliseconds: 60 }.next("GET", ""));
    let began = Instant::now();
    client.get(&table());
    assert!(began.elapsed() >= Duration::from_millis(60));
    let last = server.log().pop().unwrap();
    assert!(last.ended.unwrap() - last.began >= 59, "{last:?}");
}

#[test]
fn nobody_passes_without_a_token_of_this_server() {
    let (server, client) = with_table();
    let ask = |token: Option<&str>| {
        let answer = server.client().with_token(token).get(&table());
        assert!(answer.status == 200 || answer.header("www-authenticate").starts_with("Bearer authorization_uri="));
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(ask(None), (401, "AuthenticationFailed".to_owned()));
    assert_eq!(ask(Some("stolen")), (401, "InvalidAuthenticationToken".to_owned()));
    let token = server.token();
    assert_eq!(ask(Some(&token)).0, 200);
    server.command(Command::ExpireTokens);
    assert_eq!(ask(Some(&token)), (401, "ExpiredAuthenticationToken".to_owned()));
    assert_eq!(client.get(&table()).status, 401);
    assert_eq!(server.client().get(&table()).status, 200);
}

#[test]
fn a_version_is_asked_for() {
    let server = ArmServer::start(0);
    let seen = server.client().get(&format!("{}?other=1", table()));
    assert_eq!((seen.status, seen.code()), (400, "MissingApiVersionParameter"));
    assert_eq!(server.client().with_version("latest").get(&table()).code(), "InvalidApiVersionParameter");
}

#[test]
fn tokens_are_had_as_in_an_app_service_and_by_a_secret() {
    let server = ArmServer::start(0);
    let client = server.client().with_token(None);
    let [_, (_, secret)] = server.identity_environment();
    let path = "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
    assert_eq!(client.get(path).status, 401);
    let answer = client.ask("GET", path, &[("x-identity-header", &secret)], None).unwrap();
    assert_eq!((answer.status, &answer.body["resource"]), (200, &json!("https://management.azure.com/")));
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.client().with_token(Some(&token)).get("/subscriptions").status, 200);
    let answer = client.post("/tenant/oauth2/v2.0/token");
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.client().with_token(Some(&token)).get("/subscriptions").status, 200);
    assert!(server.log().iter().any(|it| it.service == "identity"));
}

#[test]
fn every_answer_can_be_traced() {
    let (server, client) = with_table();
    for answer in [client.get(&table()), client.get(&route("none")), client.delete(&route("worker-0"))] {
        for name in ["x-ms-request-id", "x-ms-correlation-request-id", "cache-control", "date"] {
            assert!(!answer.header(name).is_empty(), "{name}: {answer:?}");
        }
    }
    let log = server.log();
    let (put, get) = (&log[0], log.iter().find(|it| it.path.contains("/operations/")).unwrap());
    assert_eq!((put.method.as_str(), put.status, put.query.as_str()), ("PUT", Some(201), "api-version=2024-03-01"));
    assert_eq!(put.request_body.as_ref().unwrap()["location"], "eastus2");
    assert_eq!(put.response_body.as_ref().unwrap()["properties"]["provisioningState"], "Updating");
    assert!(get.request_headers["authorization"].as_str().unwrap().starts_with("Bearer "));
}

#[test]
fn who_does_not_trust_the_authority_does_not_get_in() {
    let server = ArmServer::start(0);
    let stranger = Identity::new(&[]).client();
    let client = Client::new(server.endpoint(), stranger, server.token());
    let refusal = client.ask("GET", &table(), &[], None).unwrap_err();
    assert!(refusal.contains("certificate"), "{refusal}");
    assert!(server.log().is_empty());
}

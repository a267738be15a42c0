//! The server against tapes of real traffic: each request of a tape is made again, and the answers are compared. Tapes in YAML are
//! replayed by `tests/judges/azure/tapes`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::seed::network_path;
use super::super::tape::{AZURE, Recorded, file};
use super::super::{ArmServer, Client, Command, SUBSCRIPTION};
use super::{associated, route, subnet, table, table_with, to_worker, with_table};

/// Whether the server plays this resource.
fn played(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let known = ["/routetables/", "/virtualnetworks/", "/networkinterfaces/"].iter().any(|kind| path.contains(kind));
    known && !path.contains("peerings/") && !path.contains("gatewaysubnet")
}

/// What differs from run to run is made the same: versions, identifiers, hosts.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match name.as_str() {
                "etag" | "resourceGuid" | "internalDomainNameSuffix" => (name.clone(), json!("…")),
                _ => (name.clone(), plain(value)),
            })
            .collect(),
        Value::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// The versions in an answer of the server and in that of the tape, place by place.
fn versions(ours: &Value, tape: &Value, pairs: &mut Vec<(String, String)>) {
    match (ours, tape) {
        (Value::Object(ours), Value::Object(tape)) => {
            for (name, value) in ours {
                match (name.as_str(), value.as_str(), tape.get(name).and_then(Value::as_str)) {
                    ("etag", Some(ours), Some(tape)) => pairs.push((ours.to_owned(), tape.to_owned())),
                    _ => versions(value, &tape[name], pairs),
                }
            }
        }
        (Value::Array(ours), Value::Array(tape)) => {
            ours.iter().zip(tape).for_each(|(ours, tape)| versions(ours, tape, pairs));
        }
        _ => {}
    }
}

/// The headers that clients go by: present or absent, and how long to wait.
fn told(headers: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let names = ["azure-asyncoperation", "azure-asyncnotification", "location", "etag", "retry-after", "content-type"];
    names
        .iter()
        .filter_map(|name| {
            let value = headers.get(*name)?;
            let kept = matches!(*name, "retry-after" | "azure-asyncnotification" | "content-type");
            Some(((*name).to_owned(), if kept { value.clone() } else { "…".to_owned() }))
        })
        .collect()
}

fn tape_headers(entry: &Value) -> BTreeMap<String, String> {
    let headers = entry["ResponseHeaders"].as_object().expect("headers");
    headers.iter().filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()))).collect()
}

/// How often the tape saw this operation in progress.
fn polls(entries: &[Value], url: &str) -> u32 {
    let in_progress =
        entries.iter().filter(|entry| entry["RequestUri"] == url && entry["ResponseBody"]["status"] == "InProgress");
    u32::try_from(in_progress.count()).expect("few")
}

/// Makes the requests of a tape again; says how many were compared.
fn replay(tape: &Value) -> usize {
    let server = ArmServer::empty();
    server.command(Command::RetryAfter { percent: Some(100) });
    server.command(Command::Put {
        path: format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rgname"),
        body: json!({ "location": "westus" }),
    });
    let client = server.client();
    let entries = tape["Entries"].as_array().expect("entries");
    let mut urls: BTreeMap<String, String> = BTreeMap::new();
    let mut compared = 0;
    let mut pairs = Vec::new();
    for entry in entries {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let Some(path) = text("RequestUri").strip_prefix(AZURE) else { continue };
        let known = urls.get(text("RequestUri")).cloned();
        let target = match &known {
            Some(url) => url.clone(),
            None if played(path) => path.to_owned(),
            // From the first thing on that the server does not play, the tape's networks are not the server's any more.
            None if text("RequestMethod") == "PUT" && path.contains("GatewaySubnet") => break,
            None => continue,
        };
        let headers = tape_headers(entry);
        if let Some(url) = headers.get("azure-asyncoperation").filter(|_| known.is_none()) {
            let polls = polls(entries, url);
            server.command(Command::Pace { polls, milliseconds: 0, abandoned: 60_000 });
        }
        let body = Some(&entry["RequestBody"]).filter(|body| body.is_object());
        let answer = client.ask(text("RequestMethod"), &target, &[], body).expect("an answer");
        let what = format!("{} {path}: {answer:?}", text("RequestMethod"));
        assert_eq!(u64::from(answer.status), entry["StatusCode"].as_u64().expect("a status"), "{what}");
        assert_eq!(told(&answer.headers), told(&headers), "{what}");
        let tape_body = match &entry["ResponseBody"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            body => body.clone(),
        };
        assert_eq!(plain(&answer.body), plain(&tape_body), "{what}");
        // Versions differ from run to run, but where the tape has the same one twice, or two, the server has too.
        versions(&answer.body, &tape_body, &mut pairs);
        let (ours, tapes): (BTreeSet<_>, BTreeSet<_>) = pairs.iter().cloned().unzip();
        let together: BTreeSet<_> = pairs.iter().collect();
        assert_eq!((ours.len(), tapes.len()), (together.len(), together.len()), "versions at {what}");
        for name in ["azure-asyncoperation", "location"] {
            if let Some(url) = headers.get(name) {
                urls.insert(url.clone(), answer.header(name).to_owned());
            }
        }
        compared += 1;
    }
    compared
}

#[test]
fn tables_and_routes_are_as_on_the_tape() {
    let Some(tape) = file("22.2.0_route_table_api2022-07-01.json") else { return };
    assert_eq!(replay(&tape), 15);
}

#[test]
fn networks_and_subnets_are_as_on_the_tape() {
    let Some(tape) = file("22.2.0_endpoint_subnet_update.json") else { return };
    assert_eq!(replay(&tape), 12);
}

#[test]
fn interfaces_are_as_on_the_tape() {
    let Some(tape) = file("22.2.0_base_vnet_subnet_nic_peering.json") else { return };
    assert!(replay(&tape) >= 12);
}

/// The answer of a fragment.
fn fragment(all: &Value, name: &str) -> (u16, Value) {
    let entry = Recorded::of(&all[name]["entry"]);
    (entry.status, entry.json())
}

/// Codes and keys; messages with what is named in them left out.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("message", Some(text)) => (name.clone(), json!(words(text))),
                _ => (name.clone(), shape(value)),
            })
            .collect(),
        Value::Array(values) => values.iter().map(shape).collect(),
        other => other.clone(),
    }
}

/// The words of a message that are not names: no slashes, quotes, digits, and nothing with a hyphen.
fn words(text: &str) -> String {
    let word = |word: &&str| word.chars().all(|letter| letter.is_ascii_alphabetic() || ".,:".contains(letter));
    text.split_whitespace().filter(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn errors_are_as_they_were_seen() {
    let Some(all) = file("../fragments/real-errors-and-lro.json") else { return };
    let (server, client) = with_table();
    let compare = |name: &str, status: u16, body: &Value| {
        let wanted = fragment(&all, name);
        assert_eq!((status, shape(body)), (wanted.0, shape(&wanted.1)), "{name}: {body}");
    };
    let missing = client.get(&network_path("routeTables/testResourcenotfound"));
    compare("404_ResourceNotFound_routeTable", missing.status, &missing.body);
    let missing = client.get(&subnet().replace("kubernetes-subnet", "testResourcenotfound"));
    compare("404_NotFound_subnet", missing.status, &missing.body);
    let put = client.put_if(&table(), "invalid", &table_with(&[]));
    compare("412_PreconditionFailedEtagMismatch_routeTable", put.status, &put.body);
    let first = client.put(&subnet(), &associated(&client));
    let second = client.put(&subnet(), &associated(&client));
    compare("409_AnotherOperationInProgress", second.status, &second.body);
    client.finish(&first);

    let fail = |client: &Client, code: &str, message: &Value, method: &str| {
        let message = message.as_str().expect("a message").to_owned();
        let effect = super::super::Effect::FailOperation { code: code.to_owned(), message };
        server.command(effect.next(method, "/routes/"));
        let body = json!({ "properties": to_worker(7) });
        let path = route(if method == "PUT" { "worker-7" } else { "worker-0" });
        let answer = client.ask(method, &path, &[], Some(&body)).expect("an answer");
        (client.finish(&answer), answer)
    };
    let (_, wanted) = fragment(&all, "lro_poll_status_Failed_with_error");
    let (poll, _) = fail(&client, "UpdateGatewayInProgress", &wanted["error"]["message"], "PUT");
    assert_eq!((poll.status, poll.body), (200, wanted));
    let (status, wanted) = fragment(&all, "location_poll_409_error");
    let (_, delete) = fail(&client, "GatewayOperationFailedRetry", &wanted["error"]["message"], "DELETE");
    let result = client.get(delete.header("location"));
    assert_eq!((result.status, result.body), (status, wanted));

    let post = client.post(&network_path("networkInterfaces/worker-0-nic/effectiveRouteTable"));
    compare("post_action_202_null_body", post.status, &post.body);
    let waiting = client.get(post.header("location"));
    compare("location_poll_202_null_RetryAfter10", waiting.status, &waiting.body);
}

//! The client against the answers of real Azure, as tapes have them. Each request gets what the tape has for it.
//!
//! Tapes in YAML take part where `tests/judges/azure/tapes` has put them into JSON.

mod documents;
mod operations;
mod trouble;

use std::collections::BTreeMap;

use serde_json::Value;
use topo::exchange::arm::Document;
use topo::transport::azure::ResourceType;

use super::player::{Player, Waits, play};
use crate::arm::tape::{self, Recorded};

/// The type of what a path or an id names; none where it is nothing that topo asks for by itself.
fn type_of(path: &str) -> Option<ResourceType> {
    let names: Vec<&str> = path.split('/').collect();
    match &names[..] {
        [_, _, _, _, _, _, _, kind, _] => match *kind {
            "routeTables" => Some(ResourceType::Table),
            "virtualNetworks" => Some(ResourceType::Network),
            "networkInterfaces" => Some(ResourceType::Interface),
            _ => None,
        },
        [_, _, _, _, _, _, _, "virtualNetworks", _, "subnets", _] => Some(ResourceType::Subnet),
        _ => None,
    }
}

/// An exchange as [`Player::told`] says it.
fn said(entry: &Recorded) -> String {
    format!("{} {}: {}", entry.method, entry.path().rsplit('/').next().unwrap_or_default(), entry.status)
}

/// What the client has to ask when an entry is the answer to its first request: that, then the operation until it ends.
fn with_polls(entries: &[Recorded], first: &Recorded) -> Vec<String> {
    let link = first.header("azure-asyncoperation").or_else(|| first.header("location"));
    let polls = entries.iter().filter(|entry| Some(entry.url.as_str()) == link);
    std::iter::once(first).chain(polls).map(said).collect()
}

/// The look after a table was deleted: it is gone. Who made a tape did not always look.
fn gone(path: &str) -> Recorded {
    let body =
        serde_json::json!({ "error": { "code": "ResourceNotFound", "message": "It was not found." } }).to_string();
    let (method, url) = ("GET".to_owned(), format!("{}{path}", tape::AZURE));
    Recorded { method, url, sent: Value::Null, status: 404, headers: Vec::new(), body }
}

/// A document must be what an answer has.
fn check_document(document: &Document, entry: &Recorded) {
    assert_eq!(document.body, entry.json(), "{entry:?}");
    let version = entry.header("etag").map_or_else(|| entry.json()["etag"].clone(), Value::from);
    assert!(version.is_string(), "{entry:?}");
    assert_eq!(document.etag.as_deref(), version.as_str(), "{entry:?}");
}

/// Does all that topo can do of what was done on a tape, in its order, and compares. Says how often each was done.
fn follow(tape: &Value) -> BTreeMap<String, usize> {
    let entries = Recorded::all(tape);
    let mut played = Vec::new();
    for entry in &entries {
        played.push(entry.clone());
        if let ("DELETE", Some(ResourceType::Table)) = (entry.method.as_str(), type_of(entry.path())) {
            played.push(gone(entry.path()));
        }
    }
    play(played, Waits::None, async |arm, player| {
        let mut done = BTreeMap::new();
        let mut taken = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let path = entry.path();
            if taken.contains(&place) {
                continue;
            }
            let what = match (entry.method.as_str(), type_of(path)) {
                // topo does not write networks.
                ("PUT", Some(resource)) if resource != ResourceType::Network => {
                    let outcome = arm.put(resource, path, &entry.sent, None).await;
                    // The client reads it when the operation has ended, and so did who made the tape.
                    let read = (place..entries.len())
                        .find(|place| entries[*place].method == "GET" && entries[*place].path() == path)
                        .expect("a look afterwards");
                    taken.push(read);
                    check_document(&outcome.unwrap(), &entries[read]);
                    let asked = player.asked();
                    assert_eq!(asked[0].body, entry.sent, "a body goes out as it is");
                    let wanted = [with_polls(&entries, entry), vec![said(&entries[read])]].concat();
                    assert_eq!(Player::told(&asked), wanted);
                    format!("put {resource:?}")
                }
                ("GET", Some(resource)) => {
                    check_document(&arm.get(resource, path).await.unwrap().unwrap(), entry);
                    format!("get {resource:?}")
                }
                ("DELETE", Some(ResourceType::Table)) => {
                    arm.delete_table(path, Some("W/\"of-the-test\"")).await.unwrap();
                    let asked = player.asked();
                    assert_eq!(asked[0].if_match.as_deref(), Some("W/\"of-the-test\""));
                    let wanted = [with_polls(&entries, entry), vec![said(&gone(path))]].concat();
                    assert_eq!(Player::told(&asked), wanted);
                    "delete Table".to_owned()
                }
                // topo does not list the interfaces of a whole subscription.
                ("GET", None) if path.ends_with("/networkInterfaces") && path.contains("/resourceGroups/") => {
                    let parts: Vec<&str> = path.split('/').collect();
                    let found = arm.list_interfaces(parts[2], parts[4]).await.unwrap();
                    let bodies: Vec<Value> = found.into_iter().map(|it| it.body).collect();
                    assert_eq!(Value::from(bodies), entry.json()["value"]);
                    "list Interface".to_owned()
                }
                ("GET", None) if path.ends_with("/usages") => {
                    let parts: Vec<&str> = path.split('/').collect();
                    let found = arm.usages(parts[2], parts[6]).await.unwrap();
                    assert_eq!(Value::from(found), entry.json()["value"]);
                    "usages".to_owned()
                }
                ("POST", None) if path.ends_with("/effectiveRouteTable") => {
                    let id = path.strip_suffix("/effectiveRouteTable").unwrap();
                    let found = arm.effective_routes(id).await.unwrap();
                    let last = entries.iter().rfind(|it| Some(it.url.as_str()) == entry.header("location")).unwrap();
                    assert_eq!(Value::from(found), last.json()["value"]);
                    assert_eq!(Player::told(&player.asked()), with_polls(&entries, entry));
                    "effective routes".to_owned()
                }
                _ => continue,
            };
            player.asked();
            *done.entry(what).or_default() += 1;
        }
        done
    })
}

/// Compares what was done on a tape with what must have been.
fn check_follow(tape: &Value, wanted: &[(&str, usize)]) {
    let wanted: BTreeMap<String, usize> = wanted.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
    assert_eq!(follow(tape), wanted);
}

#[test]
fn a_table_is_made_read_and_deleted() {
    let Some(tape) = tape::file("22.2.0_route_table_api2022-07-01.json") else { return };
    check_follow(&tape, &[("put Table", 1), ("get Table", 1), ("delete Table", 1)]);
}

#[test]
fn subnets_are_written_and_read() {
    let Some(tape) = tape::file("22.2.0_endpoint_subnet_update.json") else { return };
    check_follow(&tape, &[("get Network", 1), ("put Subnet", 2)]);
}

#[test]
fn an_interface_and_what_it_is_in_are_written_and_read() {
    let Some(tape) = tape::file("22.2.0_base_vnet_subnet_nic_peering.json") else { return };
    check_follow(&tape, &[("get Network", 3), ("put Subnet", 2), ("put Interface", 1), ("get Subnet", 1)]);
}

#[test]
fn older_tables() {
    for (name, gets) in [("19.3.0_route_table_api2021-05-01", 1), ("19.3.0_routes_api2020-04-01", 1)] {
        let Some(tape) = tape::converted(name) else { return };
        check_follow(&tape, &[("put Table", 1), ("get Table", gets), ("delete Table", 1)]);
    }
}

#[test]
fn older_subnets() {
    let Some(tape) = tape::converted("19.3.0_subnets_api2020-04-01") else { return };
    check_follow(&tape, &[("get Network", 2), ("put Subnet", 1), ("get Subnet", 1)]);
}

#[test]
fn older_interfaces_and_their_lists() {
    let Some(tape) = tape::converted("19.3.0_nic_api2020-04-01") else { return };
    let wanted =
        [("get Network", 1), ("put Subnet", 1), ("put Interface", 1), ("get Interface", 1), ("list Interface", 1)];
    check_follow(&tape, &wanted);
}

#[test]
fn older_networks() {
    let Some(tape) = tape::converted("19.3.0_virtual_networks_api2020-04-01") else { return };
    check_follow(&tape, &[("get Network", 2)]);
}

#[test]
fn effective_routes_come_by_a_location() {
    let Some(tape) = tape::converted("16.0.0_nic_effective_routes_effective_nsg_api2020-06-01") else { return };
    let wanted =
        [("get Network", 1), ("put Subnet", 1), ("put Interface", 1), ("get Interface", 1), ("effective routes", 1)];
    check_follow(&tape, &wanted);
}

#[test]
fn the_limit_of_routes_is_among_the_usages() {
    let Some(tape) = tape::converted("19.3.0_usages") else { return };
    check_follow(&tape, &[("usages", 1)]);
    let subscription = "00000000-0000-0000-0000-000000000000";
    let usages = play(Recorded::all(&tape), Waits::None, async |arm, _| arm.usages(subscription, "westus").await);
    let usages = usages.unwrap();
    let limit = |name: &str| usages.iter().find(|it| it["name"]["value"] == name).and_then(|it| it["limit"].as_u64());
    assert_eq!((limit("RoutesPerRouteTable"), limit("RouteTables")), (Some(400), Some(200)));
}

#[test]
fn a_wait_is_as_long_as_azure_said() {
    let Some(tape) = tape::file("22.2.0_route_table_api2022-07-01.json") else { return };
    let entries = Recorded::all(&tape);
    let put = entries[0].clone();
    assert_eq!((put.method.as_str(), put.header("retry-after")), ("PUT", Some("2")));
    play(entries, Waits::Recorded, async |arm, player| {
        arm.put(ResourceType::Table, put.path(), &put.sent, None).await.unwrap();
        let asked = player.asked();
        assert!(asked[1].at - asked[0].at >= std::time::Duration::from_secs(2));
    });
}

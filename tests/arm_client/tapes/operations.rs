//! Every long-running operation on the tapes, whatever it was about: its answer is played as that to a write of a table, its polls as
//! they are.

use serde_json::json;
use topo::transport::arm::ArmErrorKind;
use topo::transport::azure::ResourceType;

use super::super::network_path;
use super::super::player::{Player, Waits, play};
use super::{Value, said, with_polls};
use crate::arm::tape::{self, AZURE, Recorded};

/// How an operation ended, as its last poll has it.
#[derive(Debug)]
enum End {
    Well,
    Badly { code: String, message: String },
}

impl End {
    /// None where it had not ended when the tape did.
    fn of(poll: &Recorded) -> Option<Self> {
        let body = poll.json();
        let error = |body: &Value| Self::Badly {
            code: body["error"]["code"].as_str().unwrap().to_owned(),
            message: body["error"]["message"].as_str().unwrap().to_owned(),
        };
        match (poll.status, body["status"].as_str()) {
            (200, Some("Succeeded")) | (200 | 204, None) => Some(Self::Well),
            (200, Some("Failed" | "Canceled")) | (400.., _) => Some(error(&body)),
            (200, Some("InProgress" | "Updating")) | (202, _) => None,
            other => panic!("{other:?} in {poll:?}"),
        }
    }
}

struct Operation {
    table: String,
    deletes: bool,
    told: Vec<String>,
    end: End,
}

#[test]
fn every_operation_is_followed_to_its_end() {
    let mut played = Vec::new();
    let mut operations = Vec::new();
    let mut names = Vec::new();
    for (name, tape) in tape::all() {
        names.push(name);
        let entries = Recorded::all(&tape);
        for first in entries.iter().filter(|entry| entry.method != "GET") {
            let location = first.header("location").filter(|_| matches!(first.status, 201 | 202));
            let Some(link) = first.header("azure-asyncoperation").or(location) else { continue };
            let polls: Vec<Recorded> = entries.iter().filter(|entry| entry.url == link).cloned().collect();
            // Who made the tape did not always look.
            let Some(end) = polls.last().and_then(End::of) else { continue };
            let deletes = matches!(first.method.as_str(), "DELETE" | "POST");
            let method = if deletes { "DELETE" } else { "PUT" }.to_owned();
            let table = network_path(&format!("routeTables/followed-{}", operations.len()));
            let first = Recorded { method, url: format!("{AZURE}{table}"), ..first.clone() };
            let mut told = with_polls(&entries, &first);
            played.push(first);
            played.extend(polls);
            if deletes && matches!(end, End::Well) {
                let read = super::gone(&table);
                told.push(said(&read));
                played.push(read);
            }
            if !deletes && matches!(end, End::Well) {
                let body = json!({ "properties": { "provisioningState": "Succeeded" } }).to_string();
                let (method, url, sent) = ("GET".to_owned(), format!("{AZURE}{table}"), Value::Null);
                let read = Recorded { method, url, sent, status: 200, headers: Vec::new(), body };
                told.push(said(&read));
                played.push(read);
            }
            operations.push(Operation { table, deletes, told, end });
        }
    }
    if names.is_empty() {
        return;
    }
    // So that nothing is not taken for everything: all in JSON, or all.
    let bad = operations.iter().filter(|it| matches!(it.end, End::Badly { .. })).count();
    let wanted = if names.iter().any(|name| name == "19.3.0_usages") { 97 } else { 27 };
    assert_eq!((operations.len(), bad), (wanted, 1), "{names:?}");
    play(played, Waits::None, async |arm, player| {
        let each = operations.iter().map(async |operation| {
            let Operation { table, deletes, end, .. } = operation;
            let outcome = match deletes {
                true => arm.delete_table(table, None).await,
                false => arm.put(ResourceType::Table, table, &json!({ "location": "westus" }), None).await.map(|_| ()),
            };
            match (outcome, end) {
                (Ok(()), End::Well) => {}
                (Err(error), End::Badly { code, message }) => {
                    assert_eq!(error.kind, ArmErrorKind::Failed, "{error}, not {end:?}");
                    let text = super::super::check_sentence(&error);
                    let told = format!("{code}: {} (request id ", message.trim_end_matches('.'));
                    assert!(text.contains(&told), "{text}");
                }
                (outcome, end) => panic!("{table}: {outcome:?}, not {end:?}"),
            }
        });
        futures::future::join_all(each).await;
        assert_eq!(player.left(), 0, "all polls were asked for");
        let mut asked = Player::told(&player.asked());
        let mut told: Vec<String> = operations.into_iter().flat_map(|it| it.told).collect();
        asked.sort();
        told.sort();
        assert_eq!(asked, told);
    });
}

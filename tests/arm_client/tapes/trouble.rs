//! Single real answers. What they answer on the tape is named in the fragments; here each answers a request that topo makes.

use std::time::Duration;

use serde_json::{Value, json};
use topo::transport::arm::ArmErrorKind;
use topo::transport::azure::ResourceType;

use super::super::player::{LOST, Player, Waits, play, play_within};
use super::super::{check_sentence, interface, subnet, table, table_with};
use super::type_of;
use crate::arm::tape::{self, AZURE, Recorded, file};

/// The fragments, and what Azure answers to a PUT of a table.
fn fragments() -> Option<(Value, Recorded)> {
    let fragments = file("../fragments/real-errors-and-lro.json")?;
    let tape = file("22.2.0_route_table_api2022-07-01.json")?;
    let put = Recorded::all(&tape).into_iter().find(|entry| entry.method == "PUT")?;
    Some((fragments, put))
}

/// A fragment as the answer to another request.
fn answering(all: &Value, name: &str, method: &str, url: &str) -> Recorded {
    let url = if url.starts_with('/') { format!("{AZURE}{url}") } else { url.to_owned() };
    let recorded = Recorded::of(&all[name]["entry"]);
    assert!(recorded.status > 0 && !recorded.headers.is_empty());
    Recorded { method: method.to_owned(), url, ..recorded }
}

fn to_table(put: &Recorded) -> Recorded {
    Recorded { url: format!("{AZURE}{}", table()), ..put.clone() }
}

#[test]
fn a_failed_operation_keeps_azures_code_and_message() {
    let Some((all, put)) = fragments() else { return };
    let put = to_table(&put);
    let link = put.header("azure-asyncoperation").unwrap().to_owned();
    let failed = answering(&all, "lro_poll_status_Failed_with_error", "GET", &link);
    let error = play(vec![put, failed], Waits::None, async |arm, _| {
        arm.put(ResourceType::Table, &table(), &table_with(&[0]), None).await.unwrap_err()
    });
    let operation = link.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let message = "There is already another operation in progress for updating the gateway. Please try any update/delete operation \
                   after some time.";
    assert_eq!(error.kind, ArmErrorKind::Failed);
    let (text, message) = (check_sentence(&error), message.trim_end_matches('.'));
    let told = format!(
        "{operation} failed: UpdateGatewayInProgress: {message} (request id 792320e4-39ea-428b-b96c-b41b41c8fe36)"
    );
    assert!(text.contains(&told), "{text}");
}

#[test]
fn a_busy_network_is_waited_for_and_then_told() {
    let Some((all, put)) = fragments() else { return };
    let busy = answering(&all, "409_AnotherOperationInProgress", "PUT", &subnet());
    let body = json!({ "properties": { "addressPrefix": "10.240.0.0/24" } });

    // It ends in time: what comes then is the answer. Nothing says when to come again, so there is a second in between.
    let put = Recorded { url: format!("{AZURE}{}", subnet()), ..put };
    let link = put.header("azure-asyncoperation").unwrap().to_owned();
    let ended = Recorded {
        body: json!({ "status": "Succeeded" }).to_string(),
        ..answering(&all, "lro_poll_status_Failed_with_error", "GET", &link)
    };
    let read = Recorded { method: "GET".to_owned(), status: 200, ..put.clone() };
    play(vec![busy.clone(), put, ended, read], Waits::None, async |arm, player| {
        arm.put(ResourceType::Subnet, &subnet(), &body, Some("W/\"read\"")).await.unwrap();
        let asked = player.asked();
        assert_eq!(asked.iter().map(|it| it.status).collect::<Vec<_>>(), [409, 201, 200, 200]);
        assert!(asked[1].at - asked[0].at >= Duration::from_secs(1));
    });

    // It does not.
    let limit = Duration::from_secs(3);
    let error = play_within(limit, vec![busy.clone(), busy], Waits::None, async |arm, player| {
        let error = arm.put(ResourceType::Subnet, &subnet(), &body, Some("W/\"read\"")).await.unwrap_err();
        assert_eq!(player.left(), 0);
        error
    });
    assert_eq!(error.kind, ArmErrorKind::Conflict);
    let text = check_sentence(&error);
    assert!(text.contains("AnotherOperationInProgress: "), "{text}");
    assert!(text.contains("another write") && text.contains("7cc09cb4-575a-45fb-84c4-d3e7a1c75129"), "{text}");
    // Older answers have no other id of the request.
    assert!(text.contains("(request id c5c669d6-0f6d-4003-a4ed-8136908a5215)"), "{text}");
}

#[test]
fn a_version_that_has_passed_is_told_and_not_tried_again() {
    let Some((all, _)) = fragments() else { return };
    let [put, delete] = ["PUT", "DELETE"]
        .map(|method| answering(&all, "412_PreconditionFailedEtagMismatch_routeTable", method, &table()));
    play(vec![put, delete], Waits::None, async |arm, player| {
        let put = arm.put(ResourceType::Table, &table(), &table_with(&[0]), Some("invalid")).await.unwrap_err();
        let delete = arm.delete_table(&table(), Some("invalid")).await.unwrap_err();
        for error in [put, delete] {
            assert_eq!(error.kind, ArmErrorKind::Precondition, "{error:?}");
            check_sentence(&error);
        }
        let asked = player.asked();
        assert_eq!(asked.iter().map(|it| it.status).collect::<Vec<_>>(), [412, 412]);
        assert!(asked.iter().all(|it| it.if_match.as_deref() == Some("invalid")));
    });
}

#[test]
fn what_is_not_there_is_none() {
    let Some((all, _)) = fragments() else { return };
    let (of_table, of_subnet) = ("404_ResourceNotFound_routeTable", "404_NotFound_subnet");
    let entries = vec![
        answering(&all, of_table, "GET", &table()),
        answering(&all, of_table, "DELETE", &table()),
        answering(&all, of_table, "GET", &table()),
        answering(&all, of_table, "GET", &interface(0)),
        answering(&all, of_subnet, "GET", &subnet()),
        answering(&all, of_subnet, "PUT", &subnet()),
    ];
    let error = play(entries, Waits::None, async |arm, player| {
        assert_eq!(arm.get(ResourceType::Table, &table()).await.unwrap(), None);
        arm.delete_table(&table(), None).await.unwrap();
        assert_eq!(arm.get(ResourceType::Interface, &interface(0)).await.unwrap(), None);
        assert_eq!(arm.get(ResourceType::Subnet, &subnet()).await.unwrap(), None);
        let error = arm.put(ResourceType::Subnet, &subnet(), &json!({ "properties": {} }), None).await.unwrap_err();
        assert_eq!(player.asked().len(), 6);
        error
    });
    assert!(error.kind == ArmErrorKind::NotFound && check_sentence(&error).contains("NotFound"), "{error}");
}

#[test]
fn a_question_is_answered_at_a_location_or_refused_there() {
    let Some((all, _)) = fragments() else { return };
    let asks = format!("{}/effectiveRouteTable", interface(0));
    let accepted = answering(&all, "post_action_202_null_body", "POST", &asks);
    let link = accepted.header("location").unwrap().to_owned();
    let waiting = answering(&all, "location_poll_202_null_RetryAfter10", "GET", &link);
    let refused = answering(&all, "location_poll_409_error", "GET", &link);
    assert_eq!((accepted.body.as_str(), waiting.body.as_str()), ("null", "null"));
    let ask = |entries| {
        play(entries, Waits::None, async |arm, player| {
            let outcome = arm.effective_routes(&interface(0)).await;
            assert_eq!(player.left(), 0, "{outcome:?}");
            outcome
        })
    };
    let error = ask(vec![accepted.clone(), waiting.clone(), waiting.clone(), refused]).unwrap_err();
    let message = "The current operation failed due to an intermittent error with gateway 'virtualnetworkgatewayname'. Please try again.";
    assert_eq!(error.kind, ArmErrorKind::Failed);
    let text = check_sentence(&error);
    let told = format!(" failed: GatewayOperationFailedRetry: {}", message.trim_end_matches('.'));
    let operation = text.split("operation ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(text.contains(&told) && link.contains(operation), "{text}");

    // Hand-made: other questions of the tapes (`sharedkey/reset`) are accepted with both headers. The status says nothing of the result,
    // which is at the location then, too.
    let result =
        Recorded { status: 200, body: json!({ "value": [{ "source": "User" }] }).to_string(), ..waiting.clone() };
    let mut both = accepted;
    both.headers.push(("azure-asyncoperation".to_owned(), link.replace("operationResults", "operations")));
    assert_eq!(ask(vec![both, waiting, result]).unwrap(), [json!({ "source": "User" })]);
}

#[test]
fn a_write_whose_answer_was_lost_is_known_by_what_azure_made_of_it() {
    let mut count = 0;
    for (name, tape) in tape::all() {
        let entries = Recorded::all(&tape);
        for (place, put) in entries.iter().enumerate().filter(|(_, entry)| entry.method == "PUT") {
            let Some(resource) = type_of(put.path()).filter(|it| *it != ResourceType::Network) else { continue };
            let read = entries[place..].iter().find(|it| it.method == "GET" && it.path() == put.path()).unwrap();
            let lost = Recorded { status: LOST, ..put.clone() };
            play(vec![lost.clone(), lost, read.clone(), read.clone()], Waits::None, async |arm, player| {
                let before = Some("W/\"before\"");
                let seen = arm.put(resource, put.path(), &put.sent, before).await;
                assert_eq!(seen.unwrap_or_else(|error| panic!("{name}: {error}")).body, read.json());
                let mut other = put.sent.clone();
                other["tags"] = json!({ "by": "topo" });
                let error = arm.put(resource, put.path(), &other, before).await.unwrap_err();
                assert_eq!(error.kind, ArmErrorKind::Precondition, "{error}");
                assert_eq!(player.left(), 0, "{:?}", Player::told(&player.asked()));
            });
            count += 1;
        }
    }
    assert!(count == 0 || count >= 6, "{count}");
}

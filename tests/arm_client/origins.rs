//! Where requests and tokens go, and where they do not.

use std::io::Write;

use super::*;

#[test]
fn a_poll_to_another_origin_is_not_followed() {
    let (server, arm) = start(1);
    let thief = ArmServer::start(0);
    for origin in [thief.endpoint(), thief.plain_endpoint(), server.endpoint().replace("https", "http")] {
        server.command(Command::LinksOrigin { origin: Some(origin.clone()) });
        let error = block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap_err();
        assert_eq!(error.kind, ArmErrorKind::Unexpected, "{error}");
        let text = check_sentence(&error);
        assert!(
            text.contains(&origin)
                && text.contains("neither a request nor a token")
                && text.contains("may have been written"),
            "{text}"
        );
        server.command(Command::Settle);
    }
    assert!(thief.log().is_empty());
}

#[test]
fn a_next_link_to_another_origin_is_not_followed() {
    let (server, arm) = start(3);
    let thief = ArmServer::start(3);
    server.command(Command::PageSize { size: 1 });
    server.command(Command::LinksOrigin { origin: Some(thief.endpoint()) });
    for error in [
        block_on(arm.list_interfaces(SUBSCRIPTION, GROUP)).unwrap_err(),
        block_on(arm.list_machines(SUBSCRIPTION, GROUP)).unwrap_err(),
    ] {
        assert_eq!(error.kind, ArmErrorKind::Unexpected, "{error}");
        check_sentence(&error);
    }
    assert!(thief.log().is_empty());
}

#[test]
fn parts_of_a_path_stay_parts() {
    let (server, arm) = start(0);
    let path = |group: &str, name: &str| {
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Network/routeTables/{name}")
    };
    for (group, name, encoded) in [
        ("a b", "c?d=e#f", path("a%20b", "c%3Fd%3De%23f")),
        ("(ü)", "%2e%2e", path("(%C3%BC)", "%252e%252e")),
        ("x&y", "z;api-version=1", path("x%26y", "z%3Bapi-version%3D1")),
    ] {
        assert_eq!(block_on(arm.get(ResourceType::Table, &path(group, name))).unwrap(), None);
        let last = server.log().pop().unwrap();
        assert_eq!((last.path, last.query.as_str()), (encoded, "api-version=2024-03-01"));
    }
    let before = server.log().len();
    for odd in [path("..", "t"), path("g", ".."), path("g", ""), path("g", "t/../../x"), "https://a/b".to_owned()] {
        let error = block_on(arm.get(ResourceType::Table, &odd)).unwrap_err();
        assert!(check_sentence(&error).contains("Nothing was sent"), "{error}");
    }
    assert!(block_on(arm.list_machines("../x", GROUP)).is_err());
    assert!(block_on(arm.list_machines(SUBSCRIPTION, "..")).is_err());
    assert!(block_on(arm.usages(SUBSCRIPTION, "a/b")).is_err());
    assert_eq!(server.log().len(), before);
}

#[test]
fn an_endpoint_is_an_origin_over_tls() {
    let (server, _) = start(0);
    for endpoint in [
        server.plain_endpoint(),
        format!("{}/path", server.endpoint()),
        "https://user:password@localhost".to_owned(),
        "management.azure.com".to_owned(),
    ] {
        let error = Arm::connect(&ArmSettings { endpoint, ..settings(&server) }).err().unwrap();
        check_sentence(&error);
    }
}

#[test]
fn who_is_not_trusted_gets_no_token() {
    let stranger = ArmServer::start(0);
    let (server, arm) = start_with(0, |settings| settings.certificate_authorities = Some(stranger.authority_file()));
    let error = block_on(arm.get(ResourceType::Table, &table())).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::Unreachable);
    assert!(check_sentence(&error).to_lowercase().contains("certificate"), "{error}");
    assert!(server.log().is_empty());
    let missing = ArmSettings { certificate_authorities: Some("/nowhere/ca.pem".into()), ..settings(&server) };
    assert!(check_sentence(&Arm::connect(&missing).err().unwrap()).contains("/nowhere/ca.pem"));
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The crate logs whole requests, with the authorization header of all headers in the clear.
#[test]
fn a_token_is_not_logged() {
    let (server, arm) = start(1);
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // A place that logs for the first time in another test at the same moment can take it that nobody listens, and keeps to that. So all
    // places log once before, and are asked anew.
    block_on(arm.get(ResourceType::Table, &table())).unwrap();
    block_on(arm.put(ResourceType::Table, &table(), &table_with(&[]), None)).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        tracing::callsite::rebuild_interest_cache();
        block_on(arm.put(ResourceType::Table, &table(), &table_with(&[0]), None)).unwrap();
    });
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let token = server.log()[0].request_headers["authorization"].as_str().unwrap().replace("Bearer ", "");
    assert!(log.contains("azure") && log.contains(TABLE), "{log}");
    assert!(!log.contains(&token), "{log}");
}

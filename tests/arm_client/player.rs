//! Plays a tape to the client: each request gets the next recorded answer for its method and path. The tape's origin becomes the
//! player's own. What the tape does not have fails the test.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use topo::transport::BoxFuture;
use topo::transport::arm::{Arm, ArmSettings, SignInError, Token, TokenSource};

use super::block_on;
use crate::arm::Identity;
use crate::arm::tape::{AZURE, Recorded};

/// The status of an entry whose answer is lost: the connection ends when the request has come.
pub(super) const LOST: u16 = 0;
const TOKEN: &str = "of-the-player";

/// How long the client is told to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// As recorded.
    Recorded,
    /// Not at all, where an operation is under way. Recorders of some tapes left the header out.
    None,
}

/// A request of the client.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) if_match: Option<String>,
    pub(super) body: Value,
    /// The status that was answered.
    pub(super) status: u16,
    pub(super) at: Instant,
}

/// The tape and what was asked for so far.
pub(super) struct Player {
    endpoint: String,
    waits: Waits,
    entries: Mutex<Vec<Option<Recorded>>>,
    asked: Mutex<Vec<Asked>>,
    wrong: Mutex<Vec<String>>,
}

/// Runs the client against a tape.
pub(super) fn play<T>(entries: Vec<Recorded>, waits: Waits, drive: impl AsyncFnOnce(&Arm, &Player) -> T) -> T {
    play_within(Duration::from_secs(30), entries, waits, drive)
}

/// The same with a time limit for operations.
pub(super) fn play_within<T>(
    limit: Duration,
    entries: Vec<Recorded>,
    waits: Waits,
    drive: impl AsyncFnOnce(&Arm, &Player) -> T,
) -> T {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let identity = Identity::new(&[]);
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        std::fs::write(&authority, &identity.authority_pem).unwrap();
        let player = Arc::new(Player {
            endpoint: format!("https://{}", listener.local_addr().unwrap()),
            waits,
            entries: Mutex::new(entries.into_iter().map(Some).collect()),
            asked: Mutex::default(),
            wrong: Mutex::default(),
        });
        tokio::spawn(accept(listener, TlsAcceptor::from(identity.server), Arc::clone(&player)));
        let settings = ArmSettings {
            endpoint: player.endpoint.clone(),
            certificate_authorities: Some(authority),
            operation_timeout: limit,
            ..ArmSettings::default()
        };
        let arm = Arm::with_tokens(&settings, Arc::new(Tokens)).unwrap();
        let outcome = drive(&arm, &player).await;
        let wrong = player.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        drop(wrong);
        outcome
    })
}

struct Tokens;

impl TokenSource for Tokens {
    fn token<'a>(&'a self, _scope: &'a str) -> BoxFuture<'a, Result<Token, SignInError>> {
        Box::pin(async { Ok(Token::new(TOKEN.to_owned(), u64::MAX)) })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl Player {
    /// Requests as `METHOD last part of the path: status`.
    pub(super) fn told(asked: &[Asked]) -> Vec<String> {
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        asked.iter().map(|it| format!("{} {}: {}", it.method, name(&it.path), it.status)).collect()
    }

    /// What was asked for since the last time, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// How many entries nobody asked for.
    pub(super) fn left(&self) -> usize {
        self.entries.lock().unwrap().iter().flatten().count()
    }

    /// The next answer for a method and a path.
    fn next(&self, method: &str, path: &str, query: &str) -> Option<Recorded> {
        let mut entries = self.entries.lock().unwrap();
        let place =
            entries.iter().position(|it| it.as_ref().is_some_and(|it| it.method == method && it.path() == path));
        let entry = place.and_then(|place| entries[place].take());
        let wrong = match &entry {
            None => format!("{method} {path}?{query} is not on the tape, or not so often"),
            // A link of Azure is followed as it stands; other requests have the version that topo speaks.
            Some(entry) if path.to_ascii_lowercase().contains("operation") && entry.query() != query => {
                format!("{path} was asked for with {query}, not {}", entry.query())
            }
            Some(_) if !query.contains("api-version=20") => format!("{path} was asked for without a version"),
            Some(_) => return entry,
        };
        self.wrong.lock().unwrap().push(wrong);
        None
    }

    fn answer(&self, entry: &Recorded) -> hyper::Response<Full<Bytes>> {
        // What belongs to the connection or to a body's encoding was true of the tape's own.
        const CARRIAGE: [&str; 4] = ["content-encoding", "content-length", "transfer-encoding", "connection"];
        let here = |text: &str| text.replace(AZURE, &self.endpoint);
        let mut response = hyper::Response::new(Full::new(Bytes::from(here(&entry.body))));
        *response.status_mut() = hyper::StatusCode::from_u16(entry.status).unwrap();
        for (name, value) in entry.headers.iter().filter(|(name, _)| !CARRIAGE.contains(&name.as_str())) {
            let value = HeaderValue::from_str(&here(value)).unwrap();
            response.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        if self.waits == Waits::None && entry.status < 300 {
            response.headers_mut().insert("retry-after", HeaderValue::from_static("0"));
        }
        response
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, player: Arc<Player>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, player) = (acceptor.clone(), Arc::clone(&player));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| exchange(request, &player));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn exchange(
    request: hyper::Request<Incoming>,
    player: &Player,
) -> Result<hyper::Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (method, path) = (head.method.as_str(), head.uri.path());
    if header("authorization").as_deref() != Some(&format!("Bearer {TOKEN}")) {
        player.wrong.lock().unwrap().push(format!("{method} {path} came without the token"));
    }
    let entry = player.next(method, path, head.uri.query().unwrap_or_default());
    player.asked.lock().unwrap().push(Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        if_match: header("if-match"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        status: entry.as_ref().map_or(400, |entry| entry.status),
        at: Instant::now(),
    });
    match entry {
        Some(entry) if entry.status == LOST => Err(std::io::Error::other("the answer is lost")),
        Some(entry) => Ok(player.answer(&entry)),
        None => {
            let body = json!({ "error": { "code": "NotOnTheTape", "message": "The test fails." } }).to_string();
            let mut response = hyper::Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = hyper::StatusCode::BAD_REQUEST;
            Ok(response)
        }
    }
}

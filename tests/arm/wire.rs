//! The server on the wire: connections, the front door, what goes wrong on command, the log.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::command::{Command, Effect};
use super::exchange::{Exchange, body_of};
use super::path;
use super::reply::Reply;
use super::tls::Identity;
use super::world::{Request, World};

/// What `IDENTITY_HEADER` says.
pub const SECRET: &str = "topo-identity";

/// How long a request is held at most, so that a test that fails ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all connections share.
pub struct Shared {
    pub world: Mutex<World>,
    pub identity: Identity,
    pub stop: Notify,
}

impl Shared {
    /// The world, for the moment.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Takes connections until the end.
pub async fn accept(listener: TcpListener, shared: Arc<Shared>, secure: bool) {
    let acceptor = TlsAcceptor::from(Arc::clone(&shared.identity.server));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
        tokio::spawn(async move {
            if secure {
                if let Ok(stream) = acceptor.accept(stream).await {
                    connection(stream, shared, true).await;
                }
            } else {
                connection(stream, shared, false).await;
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>, secure: bool) {
    let service = service_fn(|request| exchange(request, Arc::clone(&shared), secure));
    // An error here is a client that went away, or a connection that was dropped on purpose.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The connection ends here.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

type Wire = hyper::Response<Full<Bytes>>;

async fn exchange(request: hyper::Request<Incoming>, shared: Arc<Shared>, secure: bool) -> Result<Wire, Dropped> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let host = header("host").unwrap_or_default();
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    if path::same(path.split('/').nth(1).unwrap_or_default(), "control") {
        return Ok(control(&shared, head.method.as_str(), &path, &body));
    }
    let mut request = Request {
        method: head.method.as_str().to_owned(),
        origin: format!("{}://{host}", if secure { "https" } else { "http" }),
        parts: path::parts(&path),
        api_version: path::parameter(&query, "api-version").unwrap_or_default(),
        if_match: header("if-match"),
        if_none_match: header("if-none-match"),
        body: body_of(&body),
        path,
        query,
        ..Request::default()
    };
    let token_reply = {
        let mut world = shared.world();
        world.identity(&request, header("x-identity-header").as_deref(), SECRET)
    };
    let number = begin(&shared, &request, &head.headers, token_reply.is_some());
    if let Some(reply) = token_reply {
        return Ok(finish(&shared, number, &request, reply));
    }

    let (latency, effects) = {
        let mut world = shared.world();
        let (method, path) = (request.method.clone(), request.path.clone());
        let struck =
            world.faults.iter_mut().filter_map(|fault| fault.strikes(&method, &path).then(|| fault.effect.clone()));
        let effects: Vec<Effect> = struck.collect();
        (world.settings.latency, effects)
    };
    let mut wait = latency;
    let (mut instead, mut drop_after, mut until, mut older) = (None, false, None, false);
    for effect in effects {
        match effect {
            Effect::Answer { status, code, message, retry_after } => {
                let message = message.unwrap_or_else(|| format!("The test asked for {code}."));
                let reply = Reply::error(status, &code, &message);
                instead = Some(match retry_after {
                    Some(seconds) => reply.header("retry-after", seconds.to_string()),
                    None => reply,
                });
            }
            Effect::Older => older = true,
            Effect::Forbid => instead = Some(forbidden(&request)),
            Effect::Garbage { status, text } => {
                instead = Some(Reply::json(status, Value::String(text)).header("content-type", "text/html"));
            }
            Effect::DropBefore => {
                record_drop(&shared, number, "before");
                return Err(Dropped);
            }
            Effect::DropAfter => drop_after = true,
            Effect::FailOperation { code, message } => request.fail = Some((code, message)),
            Effect::Delay { milliseconds } => wait += Duration::from_millis(milliseconds),
            Effect::Hold => until = Some(shared.world().released.subscribe()),
        }
    }
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    if let Some(mut released) = until {
        let _ = tokio::time::timeout(PATIENCE, released.wait_for(|released| *released)).await;
    }
    let reply = instead.unwrap_or_else(|| {
        let authorization = header("authorization");
        let mut world = shared.world();
        let refused = front_door(&world, &request, authorization.as_deref(), secure);
        refused.unwrap_or_else(|| if older { world.handle_older(&request) } else { world.handle(&request) })
    });
    if drop_after {
        record_drop(&shared, number, "after");
        return Err(Dropped);
    }
    Ok(finish(&shared, number, &request, reply))
}

/// What is refused before anybody looks at the path.
fn front_door(world: &World, request: &Request, authorization: Option<&str>, secure: bool) -> Option<Reply> {
    if !secure {
        return Some(Reply::gateway_error(403, "HttpsRequired", "Azure Resource Manager is asked over TLS only."));
    }
    if let Err(reply) = world.authenticate(authorization) {
        return Some(reply);
    }
    if request.api_version.is_empty() {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        return Some(Reply::gateway_error(400, "MissingApiVersionParameter", message));
    }
    let date = request.api_version.strip_suffix("-preview").unwrap_or(&request.api_version);
    if date.parse::<jiff::civil::Date>().is_err() {
        let message = format!("The api-version '{}' is invalid.", request.api_version);
        return Some(Reply::gateway_error(400, "InvalidApiVersionParameter", &message));
    }
    None
}

fn forbidden(request: &Request) -> Reply {
    let verb = match request.method.as_str() {
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        "POST" => "action",
        _ => "read",
    };
    let provider = request.parts.iter().position(|part| path::same(part, "providers"));
    let types: Vec<&str> = match provider {
        Some(at) => {
            let kinds = request.parts[at + 2..].iter().step_by(2);
            std::iter::once(&request.parts[at + 1]).chain(kinds).map(String::as_str).collect()
        }
        None => vec!["Microsoft.Resources", "subscriptions", "resourceGroups"],
    };
    let message = format!(
        "The client 'topo' with object id '11111111-1111-1111-1111-111111111111' does not have authorization to perform action \
         '{}/{verb}' over scope '{}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        types.join("/"),
        request.path
    );
    Reply::gateway_error(403, "AuthorizationFailed", &message)
}

fn headers_of(headers: &hyper::HeaderMap) -> Map<String, Value> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), json!(String::from_utf8_lossy(value.as_bytes()))))
        .collect()
}

fn begin(shared: &Shared, request: &Request, headers: &hyper::HeaderMap, identity: bool) -> usize {
    let mut world = shared.world();
    let number = world.log.last().map_or(1, |last| last.number + 1);
    let began = world.started.elapsed().as_millis();
    world.log.push(Exchange {
        number,
        service: if identity { "identity" } else { "arm" },
        method: request.method.clone(),
        origin: request.origin.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        request_headers: headers_of(headers),
        request_body: request.body.clone(),
        status: None,
        response_headers: Map::new(),
        response_body: None,
        dropped: None,
        began,
        ended: None,
    });
    number
}

fn entry(world: &mut World, number: usize) -> Option<&mut Exchange> {
    world.log.iter_mut().rev().find(|it| it.number == number)
}

fn record_drop(shared: &Shared, number: usize, when: &'static str) {
    let mut world = shared.world();
    let ended = world.started.elapsed().as_millis();
    if let Some(entry) = entry(&mut world, number) {
        entry.dropped = Some(when);
        entry.ended = Some(ended);
    }
}

/// Puts the headers on that every answer of Azure has, and writes the log.
fn finish(shared: &Shared, number: usize, request: &Request, reply: Reply) -> Wire {
    let mut world = shared.world();
    let (service, correlation) = (world.uuid(), world.uuid());
    let text = reply.headers.iter().any(|(name, value)| *name == "content-type" && value == "text/html");
    let bytes = match &reply.body {
        Some(Value::String(plain)) if text => Bytes::from(plain.clone()),
        Some(body) => Bytes::from(body.to_string()),
        None => Bytes::new(),
    };
    let remaining = match request.method.as_str() {
        "PUT" | "PATCH" | "POST" => "x-ms-ratelimit-remaining-subscription-writes",
        "DELETE" => "x-ms-ratelimit-remaining-subscription-deletes",
        _ => "x-ms-ratelimit-remaining-subscription-reads",
    };
    let mut headers: Vec<(&str, String)> = vec![
        ("cache-control", "no-cache".into()),
        ("pragma", "no-cache".into()),
        ("expires", "-1".into()),
        ("strict-transport-security", "max-age=31536000; includeSubDomains".into()),
        ("x-content-type-options", "nosniff".into()),
        ("x-ms-request-id", service.clone()),
        ("x-ms-arm-service-request-id", service),
        ("x-ms-routing-request-id", format!("EASTUS2:20240101T000000Z:{correlation}")),
        ("x-ms-correlation-request-id", correlation),
        (remaining, "1199".into()),
    ];
    if reply.body.is_some() && !text {
        headers.push(("content-type", "application/json; charset=utf-8".into()));
    }
    headers.extend(reply.headers.iter().cloned());
    let mut response = hyper::Response::new(Full::new(bytes));
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).expect("a status");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        response.headers_mut().insert(name, HeaderValue::from_str(&value).expect("a header value"));
    }
    let ended = world.started.elapsed().as_millis();
    let sent = headers_of(response.headers());
    if let Some(entry) = entry(&mut world, number) {
        entry.status = Some(reply.status);
        entry.response_headers = sent;
        entry.response_body = reply.body;
        entry.ended = Some(ended);
    }
    response
}

/// `POST /control` takes a command, `GET /control/log` gives the log.
fn control(shared: &Shared, method: &str, path: &str, body: &[u8]) -> Wire {
    let answer = |status: u16, body: Value| {
        let mut response = hyper::Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
        response
    };
    match (method, path) {
        ("GET", "/control/log") => answer(200, serde_json::to_value(&shared.world().log).unwrap_or_default()),
        ("POST", "/control") => match serde_json::from_slice::<Command>(body) {
            Ok(command) => {
                let stop = matches!(command, Command::Stop);
                let done = shared.world().command(command);
                if stop {
                    shared.stop.notify_one();
                }
                match done {
                    Ok(()) => answer(200, json!({})),
                    Err(reply) => answer(reply.status, reply.body.unwrap_or_default()),
                }
            }
            Err(error) => answer(400, json!({ "error": error.to_string() })),
        },
        _ => answer(404, json!({ "error": "POST /control, GET /control/log" })),
    }
}

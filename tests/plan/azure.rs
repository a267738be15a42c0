//! Azure as a case has it: a small server that answers each GET with a file, and topo's own client in front of it.
//!
//! `/subscriptions/…/resourceGroups/GROUP/providers/Microsoft.Network/routeTables/TABLE` is `azure/GROUP/routeTables.TABLE.json`, and
//! so on; what belongs to the whole subscription stands in `azure` itself. A file `….404.json` is answered with that status. With
//! `azure/signed-out` nobody is signed in; it says why.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use topo::transport::BoxFuture;
use topo::transport::arm::{Arm, ArmSettings, SignInError, Token, TokenSource};
use topo::transport::azure::Azure;

use super::case::{Case, files};
use crate::arm::{Identity, SUBSCRIPTION};

struct SignIn(Arc<Case>);

impl TokenSource for SignIn {
    fn token<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Token, SignInError>> {
        let token = match self.0.text("azure/signed-out") {
            Some(why) => Err(SignInError::Source(why.trim_end().to_owned())),
            None => Ok(Token::new("of-the-case".to_owned(), u64::MAX)),
        };
        Box::pin(std::future::ready(token))
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The client of a case.
pub(super) async fn connect(case: &Arc<Case>) -> Arc<dyn Azure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let identity = Identity::new(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, &identity.authority_pem).expect("ca.pem");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    tokio::spawn(accept(listener, TlsAcceptor::from(identity.server), Arc::clone(case)));
    let settings = ArmSettings { endpoint, certificate_authorities: Some(authority), ..ArmSettings::default() };
    Arc::new(Arm::with_tokens(&settings, Arc::new(SignIn(Arc::clone(case)))).expect("a client"))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, case: Arc<Case>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, case) = (acceptor.clone(), Arc::clone(&case));
        // Else small answers wait for each other.
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(&case, request.method().as_str(), request.uri().path());
                std::future::ready(Ok::<_, std::convert::Infallible>(answer))
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(case: &Case, method: &str, path: &str) -> Response<Full<Bytes>> {
    let found = file_of(path).and_then(|name| find(case, &name));
    let Some((status, body)) = found.filter(|_| method == "GET") else {
        case.note(format!("Azure is asked {method} {path}, and there is no {}", file_of(path).unwrap_or_default()));
        return response(400, b"{}".to_vec());
    };
    let id = serde_json::from_slice::<Value>(&body).unwrap_or_default()["id"].as_str().map(str::to_ascii_lowercase);
    if status == 200 && id.is_some_and(|id| id != path.to_ascii_lowercase()) {
        case.note(format!("{} has the id of something else", file_of(path).unwrap_or_default()));
    }
    response(status, body)
}

fn response(status: u16, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let headers = [("x-ms-request-id", "11111111-1111-1111-1111-111111111111"), ("retry-after", "0")];
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

/// The file for a path, without `.json`; none where nothing like that is ever asked.
fn file_of(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["", "subscriptions", subscription, rest @ ..] if *subscription == SUBSCRIPTION => match rest {
            ["resourceGroups", group, "providers", _, rest @ ..] => Some(format!("azure/{group}/{}", rest.join("."))),
            ["providers", _, rest @ ..] => Some(format!("azure/{}", rest.join("."))),
            _ => None,
        },
        _ => None,
    }
}

/// Status and body of a file, whatever the case of its name: Azure does not care for it.
fn find(case: &Case, name: &str) -> Option<(u16, Vec<u8>)> {
    let name = name.to_ascii_lowercase();
    for path in files(&case.folder.join("azure")) {
        let file = path.strip_prefix(&case.folder).ok()?.to_str()?;
        let lower = file.to_ascii_lowercase();
        let Some(rest) = lower.strip_prefix(&name).and_then(|rest| rest.strip_suffix(".json")) else { continue };
        let status =
            if rest.is_empty() { Some(200) } else { rest.strip_prefix('.').and_then(|rest| rest.parse().ok()) };
        if let Some(status) = status {
            return Some((status, case.read(file)?));
        }
    }
    None
}

//! The only place where requests, and tokens with them, leave for Azure Resource Manager.
//!
//! The crate's clients get a credential without a real token. This file checks the origin and then adds the token, so a
//! request that the crate could log or send elsewhere never contains it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use azure_core::{Body, BytesStream, Context, Policy, PolicyResult, Request, Response, StatusCode, Url};
use reqwest::header::{ACCEPT, CONTENT_TYPE, IF_MATCH};
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::client::{built, http_client, reason};
use super::error::{ArmError, tidy};
use super::settings::ArmSettings;
use super::token::{SignInError, TokenSource};
use crate::exchange::Requests;

/// The largest answer that topo accepts, in bytes: much more than a page of any list.
const ANSWER_LIMIT: usize = 64 << 20;

/// The type of all bodies.
const JSON: &str = "application/json";

/// What topo adds to a request of the crate.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    /// Replaces the crate's body.
    pub(super) body: Option<Vec<u8>>,
    pub(super) if_match: Option<String>,
    /// topo's own id for the request, the same for all tries.
    pub(super) client_request_id: String,
}

impl Extra {
    /// Only an id, as a UUID.
    pub(super) fn new() -> Self {
        let mut bytes = [0_u8; 16];
        // Without random numbers the id means nothing, and does no harm.
        let _ = getrandom::fill(&mut bytes);
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Self { body: None, if_match: None, client_request_id: id.to_string() }
    }
}

/// Why topo has no answer.
#[derive(Clone, Debug)]
pub(super) enum NoAnswer {
    /// There is no token.
    SignIn(SignInError),
    /// The request was not sent.
    NotSent(String),
    /// The request may have been sent, and carried out.
    Lost(String),
    /// The request would have gone to another origin.
    Elsewhere(String),
    /// The answer is too long.
    TooLong,
}

/// A request of the crate in progress.
pub(super) struct Call {
    extra: Extra,
    outcome: std::sync::Mutex<Option<Result<Answer, NoAnswer>>>,
}

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// Sends a request of the crate, and returns the raw answer instead of the crate's reading of it.
pub(super) async fn carry<T>(extra: Extra, send: impl Future<Output = T>) -> Result<Answer, NoAnswer> {
    let call = Arc::new(Call { extra, outcome: std::sync::Mutex::new(None) });
    let _ = CALL.scope(Arc::clone(&call), send).await;
    let outcome = call.outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    outcome.unwrap_or_else(|| Err(NoAnswer::NotSent("topo could not make the request".to_owned())))
}

/// The connection to Azure Resource Manager.
pub(super) struct Wire {
    http: reqwest::Client,
    endpoint: Url,
    scope: String,
    tokens: Arc<dyn TokenSource>,
    requests: Semaphore,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Wire {
    pub(super) fn new(settings: &ArmSettings, tokens: Arc<dyn TokenSource>) -> Result<Self, ArmError> {
        let endpoint = endpoint(&settings.endpoint)?;
        let agent = concat!("topo/", env!("CARGO_PKG_VERSION"));
        let http = built(http_client(settings)?.https_only(true).user_agent(agent))?;
        let scope = format!("{}/.default", settings.audience.trim_end_matches('/'));
        let requests = Semaphore::new(settings.parallelism.clamp(1, 1000));
        Ok(Self { http, endpoint, scope, tokens, requests, reads: AtomicU64::new(0), writes: AtomicU64::new(0) })
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The origin for sentences.
    pub(super) fn origin(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }

    /// How many requests topo has sent, including retries and polls. GET and questions with POST are reads; PUT, PATCH
    /// and DELETE are writes.
    pub(super) fn requests(&self) -> Requests {
        let [reads, writes] = [&self.reads, &self.writes].map(|count| count.load(Ordering::Relaxed));
        Requests { service: "Azure".into(), reads, writes }
    }

    /// Azure no longer accepts the token.
    pub(super) async fn forget_token(&self) {
        self.tokens.forget().await;
    }

    /// A link from Azure, if it leads to the same origin.
    pub(super) fn link(&self, link: &str) -> Option<Url> {
        let url = self.endpoint.join(link).ok()?;
        self.is_ours(&url).then_some(url)
    }

    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// GET of a URL that no client of the crate makes.
    pub(super) async fn get(&self, url: &Url, extra: Extra) -> Result<Answer, NoAnswer> {
        self.send(reqwest::Method::GET, url, &extra, None).await
    }

    async fn send(
        &self,
        method: reqwest::Method,
        url: &Url,
        extra: &Extra,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, NoAnswer> {
        if !self.is_ours(url) {
            return Err(NoAnswer::Elsewhere(url.origin().ascii_serialization()));
        }
        let _permit =
            self.requests.acquire().await.map_err(|_| NoAnswer::NotSent("topo is about to end".to_owned()))?;
        let token = self.tokens.token(&self.scope).await.map_err(NoAnswer::SignIn)?;
        let changes = matches!(method, reqwest::Method::PUT | reqwest::Method::DELETE);
        let mut request = self.http.request(method.clone(), url.clone()).bearer_auth(token.secret());
        request = request.header(ACCEPT, JSON).header("x-ms-client-request-id", &extra.client_request_id);
        if let Some(version) = &extra.if_match {
            request = request.header(IF_MATCH, version);
        }
        if changes || method == reqwest::Method::POST {
            request = request.header(CONTENT_TYPE, JSON);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let counter = if changes { &self.writes } else { &self.reads };
        counter.fetch_add(1, Ordering::Relaxed);
        let began = std::time::Instant::now();
        let outcome = receive(request).await;
        let milliseconds = began.elapsed().as_millis();
        match &outcome {
            Ok(answer) => tracing::info!(
                %method, path = url.path(), status = answer.status, milliseconds,
                request_id = answer.request_id().unwrap_or_default(), client_request_id = extra.client_request_id, "azure"
            ),
            Err(failure) => tracing::info!(%method, path = url.path(), milliseconds, ?failure, "azure: no answer"),
        }
        outcome
    }
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Answer, NoAnswer> {
    let lost = |error: &reqwest::Error| {
        if error.is_connect() || error.is_builder() {
            NoAnswer::NotSent(reason(error))
        } else {
            NoAnswer::Lost(reason(error))
        }
    };
    let mut response = request.send().await.map_err(|error| lost(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::Lost(reason(&error)))? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(NoAnswer::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer::new(status, headers, body))
}

/// The transport of the crate's pipeline.
pub(super) struct Gate(pub(super) Arc<Wire>);

impl std::fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Gate")
    }
}

#[async_trait::async_trait]
impl Policy for Gate {
    async fn send(&self, _context: &Context, request: &mut Request, _next: &[Arc<dyn Policy>]) -> PolicyResult {
        let other = |text: &'static str| azure_core::Error::message(azure_core::error::ErrorKind::Other, text);
        let call = CALL.try_with(Arc::clone).map_err(|_| other("a request outside of a call"))?;
        let method = match request.method() {
            azure_core::Method::Get => reqwest::Method::GET,
            azure_core::Method::Put => reqwest::Method::PUT,
            azure_core::Method::Post => reqwest::Method::POST,
            azure_core::Method::Delete => reqwest::Method::DELETE,
            _ => return Err(other("a method that topo does not use")),
        };
        let body = match (&call.extra.body, request.body()) {
            (Some(ours), _) => Some(ours.clone()),
            (None, Body::Bytes(bytes)) if bytes.is_empty() && method != reqwest::Method::POST => None,
            (None, Body::Bytes(bytes)) => Some(bytes.to_vec()),
            (None, Body::SeekableStream(_)) => return Err(other("a body that topo does not use")),
        };
        let outcome = self.0.send(method, request.url(), &call.extra, body).await;
        let response = match &outcome {
            Ok(answer) => StatusCode::try_from(answer.status)
                .map(|status| {
                    let stream = Box::pin(BytesStream::new(answer.body.clone()));
                    Response::new(status, azure_core::headers::Headers::new(), stream)
                })
                .map_err(|_| other("a status that is none")),
            Err(_) => Err(other("no answer")),
        };
        *call.outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(outcome);
        response
    }
}

/// An endpoint is an origin with TLS, and nothing more.
fn endpoint(text: &str) -> Result<Url, ArmError> {
    let url = Url::parse(text).ok().filter(|url| {
        let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        url.scheme() == "https" && url.has_host() && plain && url.username().is_empty() && url.password().is_none()
    });
    url.ok_or_else(|| {
        ArmError::settings(format!(
            "The endpoint of Azure Resource Manager is not an address such as https://management.azure.com: `{}`. topo \
             sends tokens only to an https origin without a path. Correct it in your settings.",
            tidy(text)
        ))
    })
}

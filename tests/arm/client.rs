//! A small client for the server's own tests. It follows nothing and retries nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::exchange::body_of;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; null where it is empty.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// A header; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The code of an error.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The version in the body.
    pub fn etag(&self) -> &str {
        self.body["etag"].as_str().unwrap_or_default()
    }
}

/// A client with a token.
pub struct Client {
    endpoint: String,
    tls: Arc<ClientConfig>,
    token: Option<String>,
    version: String,
}

impl Client {
    /// A client for this endpoint.
    pub fn new(endpoint: String, tls: Arc<ClientConfig>, token: String) -> Self {
        Self { endpoint, tls, token: Some(token), version: "2024-03-01".to_owned() }
    }

    /// The same with another token, or with none.
    pub fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// The same with another API version.
    pub fn with_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Asks for a path (the API version is added where there is no query) or a whole URL. An error: no answer came.
    pub fn ask(
        &self,
        method: &str,
        to: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.exchange(method, to, headers, body))
    }

    async fn exchange(
        &self,
        method: &str,
        to: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let url = if to.starts_with('/') { format!("{}{to}", self.endpoint) } else { to.to_owned() };
        let url = if url.contains('?') { url } else { format!("{url}?api-version={}", self.version) };
        let rest = url.strip_prefix("https://").ok_or("only https")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let stream = TcpStream::connect(host).await.map_err(|error| told(&error))?;
        let name = host.split(':').next().unwrap_or_default().to_owned();
        let name = ServerName::try_from(name).map_err(|error| told(&error))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.map_err(|it| told(&it))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| told(&error))?;
        let driver = tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", host);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(bytes)).map_err(|error| told(&error))?;
        let response = sender.send_request(request).await.map_err(|error| told(&error))?;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| told(&error))?.to_bytes();
        drop(sender);
        driver.abort();
        let headers = head.headers.iter();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body: body_of(&bytes).unwrap_or_default(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    fn must(&self, method: &str, to: &str, body: Option<&Value>) -> Answer {
        self.ask(method, to, &[], body).expect("an answer")
    }

    /// GET.
    pub fn get(&self, to: &str) -> Answer {
        self.must("GET", to, None)
    }

    /// PUT.
    pub fn put(&self, to: &str, body: &Value) -> Answer {
        self.must("PUT", to, Some(body))
    }

    /// PUT of what was seen as this version.
    pub fn put_if(&self, to: &str, version: &str, body: &Value) -> Answer {
        self.ask("PUT", to, &[("if-match", version)], Some(body)).expect("an answer")
    }

    /// PATCH.
    pub fn patch(&self, to: &str, body: &Value) -> Answer {
        self.must("PATCH", to, Some(body))
    }

    /// DELETE.
    pub fn delete(&self, to: &str) -> Answer {
        self.must("DELETE", to, None)
    }

    /// POST without a body.
    pub fn post(&self, to: &str) -> Answer {
        self.must("POST", to, None)
    }

    /// Polls until the operation that an answer leads to has ended; gives the last poll.
    pub fn finish(&self, answer: &Answer) -> Answer {
        assert!(answer.status < 300, "{answer:?}");
        let url = answer.header("azure-asyncoperation").to_owned();
        assert!(!url.is_empty(), "an operation: {answer:?}");
        loop {
            let poll = self.get(&url);
            assert_eq!(poll.status, 200, "{poll:?}");
            if poll.body["status"] != "InProgress" {
                return poll;
            }
        }
    }

    /// PUT, and polls until it has ended well.
    pub fn put_done(&self, to: &str, body: &Value) -> Answer {
        let answer = self.put(to, body);
        assert_eq!(self.finish(&answer).body["status"], "Succeeded");
        answer
    }
}

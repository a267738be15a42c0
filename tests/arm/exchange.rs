//! The log: every request that arrived and what became of it.

use serde::Serialize;
use serde_json::{Map, Value};

/// One request and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// Counts from 1.
    pub number: usize,
    /// `arm` or `identity`.
    pub service: &'static str,
    /// The method.
    pub method: String,
    /// The scheme, host and port that the client asked, such as `https://127.0.0.1:4711`.
    pub origin: String,
    /// The path as it came, not decoded.
    pub path: String,
    /// The query as it came, without the question mark.
    pub query: String,
    /// Headers by lower-case name.
    pub request_headers: Map<String, Value>,
    /// JSON, or a string where it is not JSON, or nothing.
    pub request_body: Option<Value>,
    /// The status; none while it is being worked on, and where the connection was dropped.
    pub status: Option<u16>,
    /// Headers by lower-case name.
    pub response_headers: Map<String, Value>,
    /// As in the request.
    pub response_body: Option<Value>,
    /// The connection was dropped in place of an answer: `before` or `after` acting.
    pub dropped: Option<&'static str>,
    /// Milliseconds since the server started, when the request had arrived.
    pub began: u128,
    /// The same when the answer was ready.
    pub ended: Option<u128>,
}

impl Exchange {
    /// Whether this changes something at Azure.
    pub fn is_write(&self) -> bool {
        self.service == "arm" && matches!(self.method.as_str(), "PUT" | "PATCH" | "DELETE")
    }

    /// Whether the request names a path that contains this, without case.
    pub fn concerns(&self, part: &str) -> bool {
        self.path.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
    }
}

/// JSON where it is, else a string; nothing where there is nothing.
pub fn body_of(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    Some(serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned())))
}

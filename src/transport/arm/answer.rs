//! An answer of Azure, and how to read it.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The longest wait that topo accepts from Azure.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A complete answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The raw body.
    pub(super) body: Vec<u8>,
    /// The body as JSON; null if it is empty or something else.
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn new(status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Self { status, headers, body, json }
    }

    /// A header that is not empty.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|it| !it.is_empty())
    }

    pub(super) fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Azure's id of this request. Recorded errors have any of the three headers, some of them only the last.
    pub(super) fn request_id(&self) -> Option<&str> {
        let names = ["x-ms-request-id", "x-ms-correlation-request-id", "x-ms-arm-service-request-id"];
        names.into_iter().find_map(|name| self.header(name))
    }

    fn error(&self) -> &Value {
        match &self.json["error"] {
            Value::Object(_) => &self.json["error"],
            _ => &self.json,
        }
    }

    /// The code of an error.
    pub(super) fn error_code(&self) -> Option<&str> {
        self.error()["code"].as_str().or_else(|| self.header("x-ms-error-code"))
    }

    /// The message of an error.
    pub(super) fn error_message(&self) -> Option<&str> {
        self.error()["message"].as_str()
    }

    /// The causes of an error, each a code and a message.
    pub(super) fn error_causes(&self) -> impl Iterator<Item = (&str, &str)> {
        let causes = self.error()["details"].as_array().into_iter().flatten();
        causes.filter_map(|cause| Some((cause["code"].as_str()?, cause["message"].as_str().unwrap_or_default())))
    }

    /// Whether the message names an action that the login may not do.
    pub(super) fn names_action(&self) -> bool {
        self.error_message().is_some_and(|message| message.contains("authorization to perform action '"))
    }

    /// Whether another write is in progress, so that the same request works later: 429 `RetryableError` for a table
    /// (not a quota), 409 `AnotherOperationInProgress` for a virtual network. Any other 409 is a refusal.
    pub(super) fn is_other_write(&self) -> bool {
        const BUSY: [&str; 3] = ["RetryableError", "AnotherOperationInProgress", "ReferencedResourceNotProvisioned"];
        let mut codes = self.error_code().into_iter().chain(self.error_causes().map(|(code, _)| code));
        matches!(self.status, 409 | 429) && codes.any(|code| BUSY.contains(&code))
    }

    /// Whether Azure asks to try later: because of another write, or too many requests.
    pub(super) fn is_busy(&self) -> bool {
        self.status == 429 || self.is_other_write()
    }

    /// Whether Azure or a server in front of it has failed.
    pub(super) fn stumbled(&self) -> bool {
        matches!(self.status, 408 | 500 | 502 | 503 | 504)
    }

    /// How long Azure asks to wait: seconds, or a date; at most an hour, whoever answers.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        Some(self.asked_pause()?.min(LONGEST_PAUSE))
    }

    fn asked_pause(&self) -> Option<Duration> {
        let milliseconds = self.header("retry-after-ms").or_else(|| self.header("x-ms-retry-after-ms"));
        if let Some(milliseconds) = milliseconds.and_then(|it| it.parse().ok()) {
            return Some(Duration::from_millis(milliseconds));
        }
        let text = self.header("retry-after")?;
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(SystemTime::from(date).duration_since(SystemTime::now()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::HeaderName;

    use super::{Answer, LONGEST_PAUSE};

    fn answer(status: u16, header: (&'static str, &str), body: &str) -> Answer {
        let headers = [(HeaderName::from_static(header.0), header.1.parse().unwrap())];
        Answer::new(status, headers.into_iter().collect(), body.as_bytes().to_vec())
    }

    #[test]
    fn the_time_to_wait_comes_in_seconds_or_as_a_date() {
        let wait = |name: &'static str, value: &str| answer(429, (name, value), "").retry_after();
        assert_eq!(wait("retry-after", "17"), Some(Duration::from_secs(17)));
        assert_eq!(wait("retry-after-ms", "17"), Some(Duration::from_millis(17)));
        assert_eq!(wait("retry-after", "Fri, 01 Jan 2021 00:00:10 GMT"), Some(Duration::ZERO));
        assert!(wait("retry-after", "Fri, 01 Jan 2100 00:00:10 GMT") > Some(Duration::from_secs(1)));
        assert_eq!(wait("retry-after", "soon"), None);
        for (name, value) in [
            ("retry-after", u64::MAX.to_string()),
            ("retry-after-ms", u64::MAX.to_string()),
            ("retry-after", "Fri, 01 Jan 2100 00:00:10 GMT".to_owned()),
        ] {
            assert_eq!(wait(name, &value), Some(LONGEST_PAUSE), "{name}: {value}");
        }
        assert_eq!(wait("other", "1"), None);
    }

    #[test]
    fn another_write_is_told_from_other_conflicts() {
        let busy = |status: u16, code: &str| {
            answer(status, ("a", "b"), &format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#)).is_busy()
        };
        assert!(busy(429, "RetryableError") && busy(429, "TooManyRequests") && busy(409, "AnotherOperationInProgress"));
        assert!(!busy(409, "RouteConflict") && !busy(412, "AnotherOperationInProgress") && !busy(409, "InUse"));
    }
}

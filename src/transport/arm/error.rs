//! What went wrong, in sentences.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::Answer;
use super::text::{TRUST, clause, is_untrusted, tidy};
use super::token::SignInError;
use crate::transport::between;

/// Why something in Azure failed. The text is a full sentence with Azure's request id that says what to do next.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct ArmError {
    /// The kind of failure.
    pub kind: ArmErrorKind,
    /// Whether a write may have been carried out, completely or partly.
    pub unsure: bool,
    text: Box<str>,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmErrorKind {
    /// The resource does not exist (404).
    NotFound,
    /// Somebody changed the resource after topo had read it (412): look again and plan again.
    Precondition,
    /// Azure refuses the request in the present situation (409, and other refusals: 400, 422).
    Conflict,
    /// Azure kept asking to wait until topo's time was up (429).
    Throttled,
    /// The login may not do this (403).
    Denied,
    /// Nobody is signed in, or Azure does not accept the token (401).
    SignIn,
    /// Azure accepted the request, but its operation failed.
    Failed,
    /// The operation had not ended when the time was up. It may still end.
    TimedOut,
    /// There is no connection, or it broke.
    Unreachable,
    /// An answer that makes no sense, an impossible name, or a link to another origin.
    Unexpected,
}

/// What topo wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Read,
    Write,
    Delete,
    /// A question with POST.
    Ask,
}

/// What topo wants to do with which resource. Writes the sentences.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// For example `The route table x (resource group y)`.
    pub(super) subject: String,
    pub(super) doing: Doing,
    /// The resource type and, for questions, the action, such as
    /// `Microsoft.Network/networkInterfaces/effectiveRouteTable`.
    pub(super) resource_type: String,
    /// The time limit in sentences.
    pub(super) limit: Duration,
    /// When topo began.
    pub(super) began: Instant,
    /// Whether Azure has accepted the write. Then it may be carried out, whatever goes wrong later.
    pub(super) accepted: bool,
}

impl About {
    /// In sentences, and at the end of a permission.
    fn words(&self) -> (&'static str, &'static str) {
        match self.doing {
            Doing::Read => ("read", "read"),
            Doing::Write => ("written", "write"),
            Doing::Delete => ("deleted", "delete"),
            Doing::Ask => ("asked for its routes", "action"),
        }
    }

    fn done(&self) -> &'static str {
        self.words().0
    }

    /// The same after Azure has accepted the write.
    pub(super) fn accepted(&self) -> Self {
        Self { accepted: matches!(self.doing, Doing::Write | Doing::Delete), ..self.clone() }
    }

    /// What topo knows about the outcome after a failure.
    fn outcome(&self) -> String {
        let done = self.done();
        if self.accepted {
            format!("may have been {done} (Azure accepted the request, but topo did not see its end)")
        } else {
            format!("was not {done}")
        }
    }

    fn error(&self, kind: ArmErrorKind, text: &str) -> ArmError {
        ArmError { kind, unsure: self.accepted, text: format!("{} {text}", self.subject).into() }
    }

    /// A failure with the outcome. `why` is the rest of a sentence and what to do.
    fn failure(&self, kind: ArmErrorKind, why: &str) -> ArmError {
        self.error(kind, &format!("{}: {why}", self.outcome()))
    }

    /// Whether this is a write that Azure has not accepted yet. Sent twice, its condition would fail because of the
    /// first one, or it would replace what somebody has written in between.
    pub(super) fn is_write(&self) -> bool {
        !self.accepted && matches!(self.doing, Doing::Write | Doing::Delete)
    }

    /// A refusal by Azure.
    pub(super) fn refused(&self, answer: &Answer) -> ArmError {
        let (said, passed) = (said(answer), self.began.elapsed().as_secs());
        let code = answer.error_code().unwrap_or_default();
        let (kind, why) = match answer.status {
            401 => return self.sign_in(&SignInError::Token(said)),
            403 if matches!(code, "AuthorizationFailed" | "LinkedAuthorizationFailed") || answer.names_action() => {
                return self.denied(answer);
            }
            403 => {
                let next =
                    "A policy, a lock or a disabled subscription may be the cause; correct that and run topo again.";
                (ArmErrorKind::Conflict, format!("Azure refuses it: {said}. {next}"))
            }
            404 => {
                let next = "Check the subscription, the resource group and the name.";
                let why = format!("it, or the resource that it belongs to, does not exist: {said}. {next}");
                (ArmErrorKind::NotFound, why)
            }
            412 => return self.precondition(answer.request_id()),
            409 | 429 if answer.is_other_write() => {
                let why = format!(
                    "another write to it, or to the resource that it belongs to, has not ended after {passed} s: {said}. \
                     Wait for that write and run topo again."
                );
                (ArmErrorKind::Conflict, why)
            }
            429 => {
                let limit = self.limit.as_secs();
                let wait = match answer.retry_after() {
                    Some(wait) => format!("{} s more", wait.as_secs()),
                    None => "again".to_owned(),
                };
                let why = format!(
                    "after {passed} s, Azure asked topo to wait {wait}: {said}. topo waits {limit} s in all. Run topo again in a few \
                     minutes."
                );
                (ArmErrorKind::Throttled, why)
            }
            400 | 409 | 422 => (
                ArmErrorKind::Conflict,
                format!("Azure refuses it: {said}. Correct what Azure names and run topo again."),
            ),
            _ => return self.unexpected(answer),
        };
        self.failure(kind, &why)
    }

    /// Somebody changed the resource in between.
    pub(super) fn precondition(&self, id: Option<&str>) -> ArmError {
        self.error(
            ArmErrorKind::Precondition,
            &format!(
                "was not {}: somebody changed it after topo had read it{}. topo did not overwrite that change. Run \
                 topo again: it looks first and makes a new plan.",
                self.done(),
                in_brackets(id)
            ),
        )
    }

    fn denied(&self, answer: &Answer) -> ArmError {
        let whole = answer.error_message().unwrap_or_default();
        // If the permission is missing on a linked resource, Azure first says what the login may do.
        let message = whole.rfind("not have permission to perform action").map_or(whole, |at| &whole[at..]);
        let named = |word: &str| between(message, &format!("{word} '"), "'").map(tidy);
        let action = named("action").unwrap_or_else(|| format!("{}/{}", self.resource_type, self.words().1));
        let read = action.ends_with("/read");
        let role = if read { "Reader" } else { "Network Contributor" };
        let who = between(whole, "object id '", "'").map_or_else(|| "ID".to_owned(), |id| quote(&tidy(id)));
        // Several linked scopes are separated by commas.
        let scope = named("scope").or_else(|| named("linked scope(s)"));
        let scope = scope.as_deref().and_then(|scope| scope.split(',').next());
        // Nobody can assign a role on an operation. A role on a single resource would not let topo follow its own
        // writes.
        let scope = scope.filter(|scope| !scope.to_ascii_lowercase().contains("/locations/"));
        let scope = scope.map(|scope| scope.split("/providers/").next().unwrap_or(scope));
        let scope = scope.map_or_else(|| "SCOPE".to_owned(), quote);
        let why = format!(
            "the login may not do `{action}` there ({}). Assign a role that allows it, such as {role}: `az role \
             assignment create --assignee {who} --role '{role}' --scope {scope}`. A new role takes effect after a few \
             minutes.",
            said(answer)
        );
        self.failure(ArmErrorKind::Denied, &why)
    }

    /// There is no token, or Azure does not accept it.
    pub(super) fn sign_in(&self, reason: &SignInError) -> ArmError {
        let why = format!("nobody is signed in to Azure: {}. {}", clause(&reason.to_string()), reason.hint());
        self.failure(ArmErrorKind::SignIn, &why)
    }

    /// An operation that failed.
    pub(super) fn failed(&self, code: &str, message: &str, operation: &str, id: Option<&str>) -> ArmError {
        let text = format!(
            "was not {}: Azure's operation {} failed: {}: {}{}. Correct what Azure names and run topo again: it looks first.",
            self.done(),
            tidy(operation),
            tidy(code),
            clause(message),
            in_brackets(id)
        );
        self.error(ArmErrorKind::Failed, &text)
    }

    /// An operation that has not ended.
    pub(super) fn timed_out(&self, operation: &str, id: Option<&str>) -> ArmError {
        let text = format!(
            "is still being {} after {} s: Azure's operation {}{} has not ended yet. Run topo again: it looks first.",
            self.done(),
            self.began.elapsed().as_secs(),
            tidy(operation),
            in_brackets(id)
        );
        self.error(ArmErrorKind::TimedOut, &text)
    }

    /// No connection. `lost` if the request was a write and had been sent.
    pub(super) fn unreachable(&self, endpoint: &str, reason: &str, lost: bool) -> ArmError {
        let after = if lost { "Azure may still have carried out the request. " } else { "" };
        if is_untrusted(reason) {
            let why = format!("topo does not trust {endpoint}: {}. {TRUST}", clause(reason));
            return self.failure(ArmErrorKind::Unreachable, &why);
        }
        let why = format!(
            "topo cannot reach {endpoint}, or the connection broke: {}. {after}Check the network, the proxy \
             (HTTPS_PROXY) and the endpoint, and run topo again.",
            clause(reason)
        );
        let error = self.failure(ArmErrorKind::Unreachable, &why);
        ArmError { unsure: error.unsure || lost, ..error }
    }

    /// An answer that makes no sense.
    pub(super) fn unexpected(&self, answer: &Answer) -> ArmError {
        if matches!(answer.status, 407 | 502 | 504) && answer.error_code().is_none() {
            let why = format!(
                "a proxy or another server in between answered with HTTP {}: {}. Check the proxy (HTTPS_PROXY) and the network, and \
                 run topo again.",
                answer.status,
                said(answer)
            );
            let error = self.odd(&why);
            return ArmError { unsure: error.unsure || self.is_write(), ..error };
        }
        let why = format!(
            "Azure answered with HTTP {}: {}. Run topo again. If it happens again, give the request id to Azure's \
             support.",
            answer.status,
            said(answer)
        );
        let error = self.odd(&why);
        ArmError { unsure: error.unsure || self.is_write(), ..error }
    }

    /// Another failure that makes no sense. `why` is the rest of a sentence and what to do.
    pub(super) fn odd(&self, why: &str) -> ArmError {
        self.failure(ArmErrorKind::Unexpected, why)
    }

    /// A link to another origin.
    pub(super) fn elsewhere(&self, link: &str, endpoint: &str, id: Option<&str>) -> ArmError {
        let link = tidy(link);
        let why = format!(
            "Azure's answer leads to {link}, which is not at {endpoint}{}. topo sent neither a request nor a token \
             there. Check the endpoint, and which server answers there.",
            in_brackets(id)
        );
        self.odd(&why)
    }
}

impl ArmError {
    /// An impossible name or identifier.
    pub(super) fn odd_name(what: &str, text: &str) -> Self {
        let text = tidy(text);
        let next = "Nothing was sent. Correct it and run topo again.";
        Self::settings(format!("`{text}` is not a valid name or id of a {what}. {next}"))
    }

    /// Unusable settings. The text is the whole sentence.
    pub(super) fn settings(text: String) -> Self {
        Self { kind: ArmErrorKind::Unexpected, unsure: false, text: text.into() }
    }

    /// The result of the look after a write with an unknown outcome.
    pub(super) fn after(self, unknown: &Self) -> Self {
        Self { unsure: unknown.unsure, text: format!("{} {}", unknown.text, self.text).into(), ..self }
    }

    /// The text without its subject, if the reason is the same for everything that topo reads: nobody is signed in,
    /// nothing answers.
    pub fn cause(&self) -> String {
        let is_general = matches!(self.kind, ArmErrorKind::SignIn | ArmErrorKind::Unreachable) && !self.unsure;
        let (_, rest) = self.text.split_once(" was not read: ").filter(|_| is_general).unwrap_or(("", &self.text));
        match rest.chars().next() {
            Some(first) if is_general && !rest.starts_with("topo ") => {
                first.to_uppercase().chain(rest.chars().skip(1)).collect()
            }
            _ => rest.to_owned(),
        }
    }
}

/// Azure's own words with its causes and the request id.
fn said(answer: &Answer) -> String {
    let mut words = match (answer.error_code(), answer.error_message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, Some(message)) => message.to_owned(),
        (None, None) => format!("HTTP {} {}", answer.status, String::from_utf8_lossy(&answer.body)),
    };
    for (code, message) in answer.error_causes() {
        let _ = write!(words, " {code}: {message}");
    }
    clause(&words) + &in_brackets(answer.request_id())
}

fn in_brackets(id: Option<&str>) -> String {
    id.map(|id| format!(" (request id {})", tidy(id))).unwrap_or_default()
}

/// For a command that somebody may paste into a shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', ""))
}

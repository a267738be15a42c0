//! What a test or a script can tell the server to do.

use serde::Deserialize;
use serde_json::Value;

/// A command, the same from Rust and as JSON at `POST /control` (`{"command": "pace", "polls": 2}`).
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// How long operations take: an operation has ended once it was answered `polls` times with `InProgress` and `milliseconds`
    /// have passed. One that nobody polls ends after `abandoned` milliseconds.
    Pace {
        /// Polls that see `InProgress`.
        #[serde(default)]
        polls: u32,
        /// The least time.
        #[serde(default)]
        milliseconds: u64,
        /// The time after which it ends without polls.
        #[serde(default = "abandoned")]
        abandoned: u64,
    },
    /// What `Retry-After` says, in hundredths of what Azure says, rounded up to whole seconds; none leaves the header out.
    RetryAfter {
        /// 100 is the real thing, 0 says `0`.
        percent: Option<u32>,
    },
    /// How long each answer takes.
    Latency {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// How many values a page of a list holds; more of them come with a `nextLink`.
    PageSize {
        /// At least 1.
        size: usize,
    },
    /// Limits of the subscription.
    Limits {
        /// Routes per route table (400 on the tape).
        #[serde(default)]
        routes: Option<usize>,
        /// Route tables (200 on the tape).
        #[serde(default)]
        tables: Option<usize>,
    },
    /// Something goes wrong with the requests that match.
    Fault(Fault),
    /// Nothing goes wrong any more.
    ClearFaults,
    /// Requests that are held (see [`Effect::Hold`]) go on.
    Release,
    /// Polling URLs and next links point to this origin instead of the one that was asked (none: back to normal).
    LinksOrigin {
        /// Such as `https://127.0.0.1:4711`.
        origin: Option<String>,
    },
    /// Somebody else creates or replaces something: no operation, done at once, not in the log.
    Put {
        /// The path of the resource.
        path: String,
        /// Its body as in a request.
        body: Value,
    },
    /// Somebody else changes parts of a resource: the body is merged into it (RFC 7396), and written at once.
    Merge {
        /// The path of the resource.
        path: String,
        /// What to change.
        body: Value,
    },
    /// Somebody else deletes something.
    Delete {
        /// The path of the resource.
        path: String,
    },
    /// All operations that are running end now.
    Settle,
    /// Tokens given out so far are refused from now on (401 `ExpiredAuthenticationToken`).
    ExpireTokens,
    /// Whether `If-None-Match: *` counts for nothing: Azure documents it for no network resource.
    IgnoreNew {
        /// Off at the start.
        on: bool,
    },
    /// Microsoft Entra refuses applications with this sentence.
    RefuseSignIn {
        /// The code of OAuth, such as `invalid_client`.
        error: String,
        /// The sentence, which begins with a code.
        description: String,
    },
    /// The log is emptied.
    ClearLog,
    /// The server ends (from scripts).
    Stop,
}

fn abandoned() -> u64 {
    5_000
}

/// What goes wrong, and with which requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that contain this, without case.
    #[serde(default)]
    pub path: Option<String>,
    /// This many matching requests go well first.
    #[serde(default)]
    pub skip: u32,
    /// With this many requests it goes wrong; then never again.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    pub effect: Effect,
}

fn once() -> u32 {
    1
}

/// What goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Effect {
    /// An error in place of what was asked for.
    Answer {
        /// The status.
        status: u16,
        /// The code in the body.
        code: String,
        /// The message in the body; one is made up where it is missing.
        #[serde(default)]
        message: Option<String>,
        /// Seconds in a `Retry-After` header.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// A read shows what was there before the last write: reads are only eventually consistent.
    Older,
    /// 403 `AuthorizationFailed`, naming the action and the scope.
    Forbid,
    /// The connection ends before the server acts.
    DropBefore,
    /// The connection ends after the server has acted.
    DropAfter,
    /// The request is accepted, and its operation fails in the end.
    FailOperation {
        /// The code.
        code: String,
        /// The message.
        message: String,
    },
    /// The answer takes longer.
    Delay {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// The request is in the log, and nothing else happens to it until somebody says `Release`, or for a minute at most.
    Hold,
    /// A body that is not JSON, as a proxy in between may give it.
    Garbage {
        /// The status.
        status: u16,
        /// The text.
        text: String,
    },
}

impl Effect {
    /// It goes wrong with the next request of this method whose path contains this.
    pub fn next(self, method: &str, path: &str) -> Command {
        self.nth(method, path, 0)
    }

    /// The same after `skip` such requests went well.
    pub fn nth(self, method: &str, path: &str, skip: u32) -> Command {
        Command::Fault(Fault {
            method: Some(method.to_owned()),
            path: Some(path.to_owned()),
            skip,
            times: 1,
            effect: self,
        })
    }

    /// An error with a made-up message.
    pub fn answer(status: u16, code: &str) -> Self {
        Self::Answer { status, code: code.to_owned(), message: None, retry_after: None }
    }
}

impl Fault {
    /// Whether this request is meant; counts it.
    pub fn strikes(&mut self, method: &str, path: &str) -> bool {
        let matches = self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_ref().is_none_or(|wanted| path.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase()));
        if !matches || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

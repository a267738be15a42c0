//! Together with the state stores, the only code that talks to the world.

#[cfg(feature = "azure")]
pub mod arm;
pub mod azure;
pub mod ssh;

use std::error::Error;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;

use crate::exchange::node::{self, Nonce, Reply, Request};
use crate::resource::{Endpoint, Name};

/// A future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node to talk to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in the topology or in the state, also used as `HostKeyAlias`.
    pub name: Name,
    /// How to reach it.
    pub endpoint: Endpoint,
}

/// Why a script did not run to its end on a node. Each text is a full sentence that says what to do next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// topo could not open a session: nothing ran on the node.
    #[error("{0}")]
    Unreachable(String),
    /// After topo had sent the script, the session broke or reached the limit of time or size: the script may have run.
    #[error("{0}")]
    Interrupted(String),
}

/// Runs POSIX shell scripts on nodes. One implementation uses ssh; tests have others.
pub trait Shell: Send + Sync {
    /// Runs a script with `sh` (through `sudo -n` if the endpoint says so) and returns its standard output. The script
    /// goes in as data on standard input. Its exit status does not matter, because a script frames its reply.
    fn run<'a>(&'a self, at: &'a Target, script: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, TransportError>>;

    /// Ends all sessions.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Carries exchanges to nodes.
pub trait Transport: Send + Sync {
    /// Carries out requests on a node in their order, and returns one reply for each; or only [`Reply::Lacking`] if the
    /// node lacks what they need.
    fn exchange<'a>(
        &'a self,
        at: &'a Target,
        requests: &'a [Request],
    ) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>>;

    /// Ends all sessions.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Exchanges as shell scripts.
pub struct ShellTransport<S>(pub S);

impl<S: Shell> Transport for ShellTransport<S> {
    fn exchange<'a>(
        &'a self,
        at: &'a Target,
        requests: &'a [Request],
    ) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            let nonce = Nonce::random();
            let script = node::render(requests, &nonce);
            let began = std::time::Instant::now();
            let output = self.0.run(at, script.as_bytes()).await;
            let milliseconds = began.elapsed().as_millis();
            match &output {
                Ok(reply) => tracing::info!(
                    node = %at.name, milliseconds, sent = script.len(), received = reply.len(), "exchange"
                ),
                Err(error) => tracing::info!(node = %at.name, milliseconds, %error, "exchange failed"),
            }
            tracing::debug!(node = %at.name, %script, "script");
            let output = output?;
            node::parse(&output, requests, &nonce)
                .map_err(|untrusted| TransportError::Interrupted(untrusted.to_string()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close()
    }
}

/// The causes of an error, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// An error with its causes, without those that it has named already.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

/// Makes a text from outside safe for a message: one line, no control of a terminal, at most `limit` characters.
/// `line_end` stands for the end of a line.
fn one_line(text: &str, line_end: &str, limit: usize) -> String {
    let mut line = String::new();
    for character in text.trim().chars() {
        if line.chars().count() >= limit {
            line.push('…');
            break;
        }
        match character {
            '\r' => {}
            '\n' => line.push_str(line_end),
            '\t' => line.push(' '),
            // Changes the direction of text, or is invisible.
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}' => {
                let _ = write!(line, "{}", character.escape_unicode());
            }
            character if character.is_control() => {
                let _ = write!(line, "{}", character.escape_default());
            }
            character => line.push(character),
        }
    }
    line
}

/// The text between two others.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

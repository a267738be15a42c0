//! The only code that talks to the world, beside the state stores.

#[cfg(feature = "azure")]
pub mod arm;
pub mod azure;
pub mod ssh;

use std::future::Future;
use std::pin::Pin;

use crate::exchange::node::{self, Nonce, Reply, Work};
use crate::resource::{Endpoint, Name};

/// A future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node that is to be talked to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in the topology or in the state, also used as `HostKeyAlias`.
    pub name: Name,
    /// Where it is reached.
    pub endpoint: Endpoint,
}

/// Why a script did not run to its end on a node. Each text is a full sentence that says what to do next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// No session could be opened: nothing ran on the node.
    #[error("{0}")]
    Unreachable(String),
    /// The session broke, or the time or size limit was hit, after the script had been sent: it may have run.
    #[error("{0}")]
    Interrupted(String),
}

/// Runs POSIX shell scripts on nodes. One implementation goes through ssh; tests have others.
pub trait Shell: Send + Sync {
    /// Runs a script with `sh` (through `sudo -n` where the endpoint says so) and gives back its standard output.
    /// The script is passed as data on standard input; its exit status is not looked at, for a script frames its reply.
    fn run<'a>(&'a self, at: &'a Target, script: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, TransportError>>;

    /// Ends all sessions.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Carries exchanges to nodes.
pub trait Transport: Send + Sync {
    /// Carries out works on a node, in their order, and gives back one reply for each; or [`Reply::Lacking`] alone where
    /// the node has not what it takes.
    fn exchange<'a>(&'a self, at: &'a Target, works: &'a [Work]) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>>;

    /// Ends all sessions.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Exchanges as shell scripts.
pub struct ShellTransport<S>(pub S);

impl<S: Shell> Transport for ShellTransport<S> {
    fn exchange<'a>(&'a self, at: &'a Target, works: &'a [Work]) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        Box::pin(async move {
            let nonce = Nonce::random();
            let script = node::render(works, &nonce);
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
            node::parse(&output, works, &nonce)
                .map_err(|untrusted| TransportError::Interrupted(format!("{}: {untrusted}", at.name)))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close()
    }
}

//! Logins: `ssh -M -f -N` with a control socket, one per node.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::configuration::Configuration;
use super::destination::{self, Resolved};
use super::failure::{Failure, FailureKind, Sentence};
use super::known_hosts;
use super::master::{Master, read_log};
use super::pool::{Learned, Pool};
use super::settings::{SshOptions, whole_seconds};
use crate::transport::{Target, TransportError};

/// How often topo tries a login that sshd drops before authentication (`MaxStartups`), in all.
const TRIES: u32 = 5;
/// The wait before the first retry. It doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// A master that nobody uses ends by itself after the time limit of an exchange plus this.
const IDLE_BEYOND_EXCHANGE: Duration = Duration::from_secs(60);

/// The settings for a connection to a node.
pub(super) struct Login<'a> {
    pub(super) options: &'a SshOptions,
    pub(super) configuration: &'a Configuration,
    pub(super) pool: &'a Pool,
    pub(super) at: &'a Target,
}

impl Login<'_> {
    /// Connects. Uses the node's name as `HostKeyAlias` if its host key is known only by the name.
    pub(super) async fn connect(&self, about: &Sentence<'_>) -> Result<Master, TransportError> {
        let mut learned = self.pool.learned(self.at);
        let failure = loop {
            match self.connect_as(&mut learned).await {
                Ok(master) => {
                    self.pool.learn(self.at, learned);
                    return Ok(master);
                }
                Err(failure) if self.is_known_by_name(&failure, &mut learned).await => learned.by_name = true,
                Err(failure) => break failure,
            }
        };
        let resolved = self.resolved(&mut learned).await;
        let said = self.configuration.in_operators_words(&failure.said);
        Err(about.no_login(&failure, resolved.as_deref(), self.options, &said))
    }

    async fn is_known_by_name(&self, failure: &Failure, learned: &mut Learned) -> bool {
        if failure.kind != FailureKind::HostKeyUnknown || learned.by_name {
            return false;
        }
        let Some(resolved) = self.resolved(learned).await else { return false };
        // The unknown key may belong to the jump host.
        if failure.key_of().is_some_and(|of| of != resolved.known_as()) {
            return false;
        }
        known_hosts::only_by_name(&resolved, self.at.name.as_str()).await
    }

    async fn resolved(&self, learned: &mut Learned) -> Option<Arc<Resolved>> {
        if learned.resolved.is_none() {
            learned.resolved = self.configuration.resolve(self.at).await.map(Arc::new);
        }
        learned.resolved.clone()
    }

    /// The machine that ssh connects to first.
    async fn first_hop(&self, learned: &mut Learned) -> String {
        let endpoint = &self.at.endpoint;
        if self.configuration.has_proxies()
            && let Some(proxy) = self.resolved(learned).await.and_then(|resolved| resolved.proxy.clone())
        {
            return proxy;
        }
        format!("{} {}", endpoint.host, endpoint.port.unwrap_or_default())
    }

    async fn connect_as(&self, learned: &mut Learned) -> Result<Master, Failure> {
        let hop = self.pool.hop(self.first_hop(learned).await);
        let room = self.pool.room().await;
        let mut wait = FIRST_WAIT;
        let mut spent = Duration::ZERO;
        let mut tried = 1;
        loop {
            let failure = {
                // Logins that were dropped go one by one, so that they do not make sshd drop each other again.
                let _alone = if tried > 1 { Some(hop.again.lock().await) } else { None };
                let _permit = hop.logins.acquire().await;
                let started = tokio::time::Instant::now();
                match self.launch(learned).await {
                    Ok((control, log)) => return Ok(Master::new(control, log, room)),
                    Err(failure) => {
                        spent += started.elapsed();
                        failure
                    }
                }
            };
            let late = spent > self.options.connect_timeout * 3;
            if failure.kind != FailureKind::Dropped || tried == TRIES || late {
                return Err(Failure { tried, ..failure });
            }
            tried += 1;
            let pause = wait + wait.mul_f64(jitter());
            spent += pause;
            sleep(pause).await;
            wait *= 2;
        }
    }

    /// One try: starts `ssh`, which goes to the background after the login.
    ///
    /// Like `openssh::SessionBuilder`, with these differences: it ends a login that hangs; it keeps the output of a
    /// jump host's `ssh`; `--` comes before the host; the process has no access to the terminal from the start.
    async fn launch(&self, learned: &Learned) -> Result<(PathBuf, PathBuf), Failure> {
        let base = self.configuration.new_path();
        let (control, log) = (base.with_extension("s"), base.with_extension("log"));
        let failed =
            |error: &io::Error| Failure::local(format!("{}: {error}", self.configuration.directory().display()));
        let stderr = fs::OpenOptions::new().append(true).create(true).open(&log).map_err(|error| failed(&error))?;
        let idle = self.options.node_timeout + IDLE_BEYOND_EXCHANGE;
        let mut command = tokio::process::Command::new("ssh");
        command.arg("-F").arg(self.configuration.path()).arg("-E").arg(&log).arg("-S").arg(&control);
        command.args(["-M", "-f", "-N", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o"]);
        command.arg(format!("ControlPersist={}s", whole_seconds(idle)));
        if self.options.compress {
            command.args(["-o", "Compression=yes"]);
        }
        if learned.by_name {
            command.arg("-o").arg(format!("HostKeyAlias={}", self.at.name));
        }
        // With ControlPersist, ssh shows a jump host's errors only with this option.
        if learned.resolved.as_ref().is_some_and(|resolved| resolved.proxy.is_some()) {
            command.arg("-v");
        }
        command.args(destination::arguments(&self.at.endpoint));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).process_group(0).kill_on_drop(true);
        // ssh's own limit covers the connection and the key exchange, but not authentication.
        let limit = self.options.connect_timeout * 2 + Duration::from_secs(1);
        let outcome = timeout(limit, command.status()).await;
        let said = read_log(&log);
        match outcome {
            Ok(Ok(status)) if status.success() => Ok((control, log)),
            Ok(Ok(_)) => {
                let _ = fs::remove_file(&log);
                Err(Failure::of(said))
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(Failure::no_client()),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(Failure::hung(&said, limit)),
        }
    }
}

/// Between 0 and 1.
fn jitter() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

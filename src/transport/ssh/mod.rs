//! SSH: runs scripts on nodes through OpenSSH's own client, with one master connection per node.
//!
//! The client is the installed `ssh`, so its configuration, agent, jump hosts and known hosts work as usual. Exchanges
//! go through the master's control socket (`openssh`, native multiplexing): topo starts no process for an exchange, and
//! has none in the terminal's process group then.

mod configuration;
mod destination;
mod excerpt;
mod exchange;
mod failure;
mod known_hosts;
mod leftovers;
mod login;
mod master;
mod pool;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OnceCell, Semaphore};

use self::configuration::Configuration;
use self::exchange::{Exchange, ExchangeError};
use self::failure::Sentence;
use self::login::Login;
use self::master::Master;
use self::pool::{Pool, Slot};
use super::{BoxFuture, Shell, Target, TransportError};

pub use self::settings::{SshOptions, SshSetupError};

/// SSH to nodes: implements [`Shell`].
pub struct Ssh {
    options: SshOptions,
    configuration: Configuration,
    exchanges: Semaphore,
    pool: Pool,
    cleaned: OnceCell<()>,
    closed: AtomicBool,
}

impl Ssh {
    /// Writes ssh's configuration to a private directory and lets `ssh` check it. Connects nothing yet.
    pub fn new(mut options: SshOptions) -> Result<Self, SshSetupError> {
        options.parallelism = options.parallelism.clamp(1, 10_000);
        let configuration = Configuration::write(&options)?;
        Ok(Self {
            exchanges: Semaphore::new(options.parallelism),
            pool: Pool::new(options.parallelism),
            options,
            configuration,
            cleaned: OnceCell::new(),
            closed: AtomicBool::new(false),
        })
    }

    async fn exchange(&self, at: &Target, script: &[u8]) -> Result<Vec<u8>, TransportError> {
        let about = Sentence::new(at);
        destination::check(at).map_err(|found| Sentence::unsafe_endpoint(&found))?;
        let _permit = self.exchanges.acquire().await.map_err(|_| Sentence::closed())?;
        if self.closed.load(Ordering::Acquire) {
            return Err(Sentence::closed());
        }
        self.cleaned.get_or_init(|| leftovers::clean(self.configuration.directory())).await;

        let slot = self.pool.slot(at);
        let limits = Exchange { options: &self.options, about: &about, sudo: at.endpoint.sudo };
        // Replace a master that died while it was idle, once: nothing was sent over it.
        let (mut master, fresh) = self.master(&slot, at, &about).await?;
        let mut outcome = limits.run(&master, script).await;
        if !fresh && matches!(outcome, Err(ExchangeError::NotOpened(_))) {
            self.pool.discard(&slot, &master).await;
            (master, _) = self.master(&slot, at, &about).await?;
            outcome = limits.run(&master, script).await;
        }
        let outcome = self.settle(&slot, &master, outcome, &about).await;
        slot.used();
        outcome
    }

    async fn settle(
        &self,
        slot: &Slot,
        master: &Arc<Master>,
        outcome: Result<Vec<u8>, ExchangeError>,
        about: &Sentence<'_>,
    ) -> Result<Vec<u8>, TransportError> {
        let error = match outcome {
            Ok(reply) => return Ok(reply),
            Err(ExchangeError::Failed(error)) => return Err(error),
            Err(ExchangeError::NotOpened(reason)) => about.not_opened(&reason, &master.last_words()),
            Err(ExchangeError::Broken(reason)) => about.broken(&reason, &master.last_words()),
        };
        self.pool.discard(slot, master).await;
        Err(error)
    }

    /// The slot's master. Connects one if there is none (then `true`). Others for the same node wait.
    async fn master(
        &self,
        slot: &Slot,
        at: &Target,
        about: &Sentence<'_>,
    ) -> Result<(Arc<Master>, bool), TransportError> {
        let mut held = slot.master.lock().await;
        if let Some(master) = &*held {
            return Ok((Arc::clone(master), false));
        }
        let login = Login { options: &self.options, configuration: &self.configuration, pool: &self.pool, at };
        let master = Arc::new(login.connect(about).await?);
        *held = Some(Arc::clone(&master));
        Ok((master, true))
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        // The next run ends the masters in the directory.
        if self.pool.is_empty() {
            self.configuration.remove();
        }
    }
}

impl Shell for Ssh {
    fn run<'a>(&'a self, at: &'a Target, script: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, TransportError>> {
        Box::pin(self.exchange(at, script))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.closed.store(true, Ordering::Release);
            self.pool.close().await;
            // Masters that were connected for somebody who stopped waiting.
            leftovers::end_masters(self.configuration.directory()).await;
            self.configuration.remove();
        })
    }
}

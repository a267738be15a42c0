//! How topo talks to nodes, and why it cannot use SSH at all.

use std::path::PathBuf;
use std::time::Duration;

/// How topo talks to nodes. None of it comes from a topology.
#[derive(Clone, Debug)]
pub struct SshOptions {
    /// Concurrent exchanges, at least one. topo keeps at most four times as many connections open.
    pub parallelism: usize,
    /// The time limit for one try to connect; rounded up to whole seconds.
    pub connect_timeout: Duration,
    /// The time limit for one exchange with a connected node.
    pub node_timeout: Duration,
    /// Whether connections compress: for tables with many rows. For short scripts it would only cost time.
    pub compress: bool,
    /// A file to use instead of ssh's own configuration, as with `ssh -F`.
    pub ssh_config: Option<PathBuf>,
    /// A file to check host keys against instead of ssh's own.
    pub known_hosts: Option<PathBuf>,
    /// The largest reply that topo accepts, in bytes.
    pub reply_limit: usize,
}

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            parallelism: 32,
            connect_timeout: Duration::from_secs(10),
            node_timeout: Duration::from_secs(60),
            compress: false,
            ssh_config: None,
            known_hosts: None,
            reply_limit: 32 << 20,
        }
    }
}

/// Why topo cannot use SSH at all on this machine.
#[derive(Debug, thiserror::Error)]
pub enum SshSetupError {
    /// There is no `ssh`.
    #[error(
        "The OpenSSH client is not installed on this machine: `ssh` is not in PATH. Install it \
         (Debian and Ubuntu: `apt install openssh-client`)."
    )]
    NoClient,
    /// topo could not start `ssh`.
    #[error("topo could not start `ssh` on this machine: {0}.")]
    Client(std::io::Error),
    /// topo cannot read a file that an option names.
    #[error("topo cannot read the file {path} ({option}): {source}.")]
    File {
        /// The option that names the file.
        option: &'static str,
        /// The path as given.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// topo cannot make the private directory for control sockets.
    #[error("topo cannot make a private directory for ssh's control sockets in {directory}: {source}.")]
    Directory {
        /// The parent directory.
        directory: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// `ssh` does not accept the configuration.
    #[error("ssh does not accept its configuration: {0}. Correct the file and run topo again.")]
    Configuration(String),
}

/// At least one: ssh reads 0 as no limit.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1000).try_into().map_or(u64::MAX, |seconds: u64| seconds.max(1))
}

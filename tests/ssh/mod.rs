//! The SSH transport against real sshd processes on loopback.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod failures;
mod login;
pub(crate) mod sshd;
mod transfer;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use topo::resource::{Endpoint, Name};
use topo::transport::ssh::{Ssh, SshOptions};
use topo::transport::{Shell, Target, TransportError};

use self::sshd::Sshd;

/// How long a condition is waited for. It comes true at once but on a machine that is very busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the tests here cannot run on this machine, if they cannot; said once for each test.
pub(crate) fn skipped() -> bool {
    let reason = if !Path::new("/usr/sbin/sshd").exists() {
        "sshd is not installed (openssh-server)"
    } else if std::fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) != 0) {
        "sshd needs root"
    } else {
        return false;
    };
    eprintln!("skipped: {reason}");
    true
}

/// Runs on a runtime like that of the program: one thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn target(name: &str, port: u16) -> Target {
    let endpoint =
        Endpoint { host: "127.0.0.1".to_owned(), port: Some(port), user: Some("root".to_owned()), sudo: false };
    Target { name: Name::new(name).unwrap(), endpoint }
}

fn options(node: &Sshd) -> SshOptions {
    SshOptions {
        parallelism: 16,
        connect_timeout: Duration::from_secs(10),
        node_timeout: Duration::from_secs(30),
        compress: false,
        ssh_config: Some(node.client_config("")),
        known_hosts: Some(node.known_hosts(&[&format!("[127.0.0.1]:{}", node.port)])),
        reply_limit: 32 << 20,
    }
}

/// Opens, runs one script, closes.
fn run_once(options: SshOptions, at: &Target, script: &str) -> Result<String, TransportError> {
    block_on(async {
        let ssh = Ssh::new(options).unwrap();
        let reply = ssh.run(at, script.as_bytes()).await;
        ssh.close().await;
        reply.map(|reply| String::from_utf8(reply).unwrap())
    })
}

/// The sentence of an error of the kind that says that nothing ran.
fn unreachable(outcome: Result<String, TransportError>) -> String {
    match outcome {
        Err(TransportError::Unreachable(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

/// The sentence of an error of the kind that says that something may have run.
fn interrupted(outcome: Result<String, TransportError>) -> String {
    match outcome {
        Err(TransportError::Interrupted(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

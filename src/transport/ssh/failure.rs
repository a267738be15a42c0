//! Finds out from ssh's output what went wrong, and says it in sentences.

use std::time::Duration;

use super::destination::{Resolved, UnsafeEndpoint};
use super::excerpt::{sanitise, telling_line};
use super::settings::{SshOptions, whole_seconds};
use crate::transport::{Target, TransportError, between};

/// A login that failed.
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// The complete output of ssh.
    pub(super) said: String,
    /// The number of tries.
    pub(super) tried: u32,
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    NoClient,
    Local,
    Configuration,
    HostKeyChanged,
    HostKeyRevoked,
    HostKeyUnknown,
    Denied,
    HostUnknown,
    Refused,
    NoRoute,
    TimedOut,
    /// Closed before authentication: topo tries again.
    Dropped,
    Other,
}

/// What ssh says of each reason. The order matters: the output of one failure can end with the words of another, above
/// all behind jump hosts.
const WORDS: [(FailureKind, &[&str]); 11] = [
    (FailureKind::HostKeyRevoked, &["REVOKED HOST KEY", "marked as revoked"]),
    (FailureKind::HostKeyChanged, &["HOST IDENTIFICATION HAS CHANGED", "has changed and you have requested strict"]),
    (FailureKind::HostKeyUnknown, &["host key is known for", "Host key verification failed"]),
    (
        FailureKind::Denied,
        &["Permission denied (", "Too many authentication failures", "Permission denied, please try"],
    ),
    (FailureKind::Configuration, &["Bad configuration option", "bad configuration option", "Bad owner or permissions"]),
    (FailureKind::HostUnknown, &["Could not resolve hostname"]),
    (FailureKind::Refused, &["Connection refused"]),
    (FailureKind::NoRoute, &["No route to host", "Network is unreachable"]),
    (FailureKind::TimedOut, &["timed out"]),
    (FailureKind::Other, &["open failed: ", "stdio forwarding failed"]),
    (FailureKind::Dropped, &["exchange_identification", "onnection closed by", "onnection reset by", "Broken pipe"]),
];

impl Failure {
    /// Finds the reason in the output of ssh.
    pub(super) fn of(said: String) -> Self {
        let fits = |(_, words): &&(FailureKind, &[&str])| words.iter().any(|word| said.contains(word));
        let kind = WORDS.iter().find(fits).map_or(FailureKind::Other, |(kind, _)| *kind);
        Self { kind, said, tried: 1 }
    }

    /// The host whose key is unknown or has changed, if ssh names it. It may be a jump host.
    pub(super) fn key_of(&self) -> Option<String> {
        let (start, end) = match self.kind {
            FailureKind::HostKeyChanged => ("Host key for ", " has changed"),
            _ => ("host key is known for ", " and you have"),
        };
        between(&self.said, start, end).map(str::to_ascii_lowercase)
    }

    /// There is no `ssh` program.
    pub(super) fn no_client() -> Self {
        Self { kind: FailureKind::NoClient, said: String::new(), tried: 1 }
    }

    /// Something on this machine failed.
    pub(super) fn local(said: String) -> Self {
        Self { kind: FailureKind::Local, said, tried: 1 }
    }

    /// The login took too long.
    pub(super) fn hung(said: &str, limit: Duration) -> Self {
        let said = format!("{said}\nno login within {} s", limit.as_secs());
        Self { kind: FailureKind::TimedOut, said, tried: 1 }
    }
}

/// Writes the sentences about one node. They do not name it, because its name stands before them. So the same cause on many nodes
/// has the same text, and is told once.
pub(super) struct Sentence<'a> {
    at: &'a Target,
}

impl<'a> Sentence<'a> {
    pub(super) fn new(at: &'a Target) -> Self {
        Self { at }
    }

    /// Who logs in, if the topology says it.
    fn user(&self) -> &str {
        self.at.endpoint.user.as_deref().unwrap_or("the user of ssh's configuration")
    }

    /// The `ssh` command for the same login by hand.
    fn by_hand(&self) -> String {
        let user = self.at.endpoint.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("ssh {}{user}ADDRESS", self.port())
    }

    /// The option for the port, if one is given.
    fn port(&self) -> String {
        self.at.endpoint.port.map(|port| format!("-p {port} ")).unwrap_or_default()
    }

    /// The words of ssh, without the host where it is the one of the topology.
    fn words(&self, said: &str) -> String {
        let host = &self.at.endpoint.host;
        let said = telling_line(said);
        let ways = [
            (format!("ssh: connect to host {host} port "), "port "),
            (format!("ssh: Could not resolve hostname {host}: "), ""),
            (format!("{}@{host}: ", self.at.endpoint.user.as_deref().unwrap_or_default()), ""),
        ];
        let shorter = ways.iter().find_map(|(start, instead)| Some(format!("{instead}{}", said.strip_prefix(start)?)));
        shorter.unwrap_or(said)
    }

    pub(super) fn closed() -> TransportError {
        TransportError::Unreachable("topo did not connect, because it is about to end.".to_owned())
    }

    pub(super) fn unsafe_endpoint(found: &UnsafeEndpoint) -> TransportError {
        TransportError::Unreachable(format!(
            "topo did not connect: {found}. Correct it in the topology, or in the state if somebody has edited it."
        ))
    }

    /// For a failed login.
    pub(super) fn no_login(
        &self,
        failure: &Failure,
        resolved: Option<&Resolved>,
        options: &SshOptions,
        said: &str,
    ) -> TransportError {
        let by_hand = self.by_hand();
        let said = self.words(said);
        let address = resolved.map_or_else(|| self.at.endpoint.host.clone(), Resolved::known_as);
        let file = options.known_hosts.as_ref();
        let file = file.map_or_else(|| "known_hosts".to_owned(), |file| sanitise(&file.display().to_string()));
        let of = failure.key_of();
        let jump = of.as_ref().filter(|of| **of != address && *of != self.at.name.as_str());
        let key = jump.map_or_else(
            || "The host key".to_owned(),
            |jump| format!("topo did not log in: the host key of the jump host {}", sanitise(jump)),
        );
        let text = match failure.kind {
            FailureKind::NoClient => {
                "The OpenSSH client is not installed on this machine (`ssh` is not in PATH). Install it (Debian \
                                      and Ubuntu: `apt install openssh-client`)."
                    .to_owned()
            }
            FailureKind::Local => {
                format!(
                    "ssh does not start on this machine ({said}). Check free space, open files and permissions here."
                )
            }
            FailureKind::Configuration => {
                format!("ssh does not accept its configuration: {said}. Correct it and run topo again.")
            }
            FailureKind::HostKeyRevoked => format!(
                "topo did not log in: {file} marks the host key as revoked. Nothing was sent. Find out why the machine still uses \
                 this key."
            ),
            // Each of them needs a look of its own, so the text names the entry.
            FailureKind::HostKeyChanged => {
                let entry = sanitise(of.as_deref().unwrap_or(&address));
                let file_argument = options.known_hosts.as_ref().map(|_| format!(" -f '{file}'")).unwrap_or_default();
                format!(
                    "{key} has changed: it differs from the key in {file}. Nothing was sent. Either somebody reinstalled the \
                     machine, or somebody intercepts the connection. Compare the fingerprint on the machine itself \
                     (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`). Only if it is right, remove the old key \
                     with `ssh-keygen -R '{entry}'{file_argument}` and log in once by hand (`{by_hand}`)."
                )
            }
            FailureKind::HostKeyUnknown => {
                let scan = match jump {
                    Some(_) => String::new(),
                    None => {
                        format!(" Or check the output of `ssh-keyscan {}ADDRESS`, and add it to {file}.", self.port())
                    }
                };
                format!(
                    "{key} is unknown: {file} has no key of this type for the address or the name. Nothing was sent. Log in once \
                     by hand (`{by_hand}`) and compare the fingerprint.{scan}"
                )
            }
            FailureKind::Denied => format!(
                "The login as {} was refused: {said}. Check the user name. Check that the agent has your key (`ssh-add -l`), or \
                 that IdentityFile names a key without a passphrase. `{by_hand}` must log in without a question.",
                self.user()
            ),
            FailureKind::HostUnknown => format!(
                "This machine cannot resolve the host name ({said}). Check the name, or set an address in `ssh.host`."
            ),
            FailureKind::Refused => {
                format!("The connection was refused ({said}). Check that sshd runs there, and check the port.")
            }
            FailureKind::NoRoute if said.contains("No route to host") => format!(
                "Nothing answers at the address ({said}). Check that the machine runs, and check its address. If only other \
                 machines can reach it, set a jump host in ssh's configuration (ProxyJump)."
            ),
            FailureKind::NoRoute => format!(
                "This machine has no route to the address ({said}). Check the network, or set a jump host in ssh's \
                 configuration (ProxyJump)."
            ),
            FailureKind::TimedOut => format!(
                "There was no answer within {} s ({said}). Check that the machine runs and that no firewall blocks the \
                 connection, or raise --connect-timeout.",
                whole_seconds(options.connect_timeout)
            ),
            FailureKind::Dropped => format!(
                "The sshd there, or that of the jump host, closed the connection before the login, {} times ({said}). Lower \
                 --parallelism, or raise MaxStartups in sshd_config there.",
                failure.tried
            ),
            FailureKind::Other => {
                format!("ssh could not log in: {said}. Check that `{by_hand}` logs in without a question.")
            }
        };
        TransportError::Unreachable(text)
    }

    /// The connection works, but opens no session.
    pub(super) fn not_opened(&self, reason: &str, said: &str) -> TransportError {
        TransportError::Unreachable(format!(
            "The connection works, but sshd opened no session: {}. Nothing ran there. Check MaxSessions and the account there. \
             `{}` must work without a question.",
            self.reason_text(reason, said),
            self.by_hand()
        ))
    }

    /// The connection broke after topo had sent the script.
    pub(super) fn broken(&self, reason: &str, said: &str) -> TransportError {
        TransportError::Interrupted(format!(
            "The session broke off: {}. The node may have made some of the changes. Run topo again: it looks at the node first, \
             and continues from there.",
            self.reason_text(reason, said)
        ))
    }

    pub(super) fn timed_out(limit: Duration) -> TransportError {
        TransportError::Interrupted(format!(
            "The node did not finish within {} s, so topo ended the session. It may have made some of the changes, or \
             may still make them. If the machine is slow, raise --node-timeout. Then run topo again.",
            whole_seconds(limit)
        ))
    }

    pub(super) fn too_long(&self, limit: usize) -> TransportError {
        TransportError::Interrupted(format!(
            "The node sent more than {} MiB, so topo ended the session. It may have made some of the changes. Check \
             what a login prints there (`{}`), and run topo again.",
            (limit >> 20).max(1),
            self.by_hand()
        ))
    }

    /// The node opened the session, but the shell for the script never started.
    pub(super) fn no_shell(&self, sudo: bool, stderr: &str, status: Option<i32>) -> TransportError {
        let user = self.user();
        let of_sudo = stderr.lines().map(str::trim).rfind(|line| line.starts_with("sudo: ") || line.contains(" sudo"));
        let ending = status.map_or_else(String::new, |status| format!(" (exit status {status})"));
        let said = match stderr.trim() {
            "" => format!("it said nothing{ending}"),
            text => format!("{}{ending}", sanitise(text)),
        };
        let text = match of_sudo {
            Some(line) if sudo && status == Some(127) => format!(
                "sudo does not start for {user}: {}. Nothing ran there. Install sudo there, or log in as root and remove `sudo` \
                 from the topology.",
                sanitise(line)
            ),
            Some(line) if sudo => format!(
                "sudo -n is refused to {user}: {}. Nothing ran there. Allow sudo without a password there (`NOPASSWD` in a file \
                 in /etc/sudoers.d), or log in as root.",
                sanitise(line)
            ),
            _ => format!(
                "No shell started for {user}: {said}. Nothing ran there. Check that the account has a login shell, that `sh` \
                 exists, and that sshd forces no other command."
            ),
        };
        TransportError::Unreachable(text)
    }

    /// Prefers the words of ssh itself, if there are any.
    fn reason_text(&self, reason: &str, said: &str) -> String {
        if said.trim().is_empty() { sanitise(reason) } else { self.words(said) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, FailureKind, telling_line};

    #[test]
    fn the_reason_is_told_from_its_consequences() {
        let drop = "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n";
        for (said, kind) in [
            ("", FailureKind::Dropped),
            (
                "No ED25519 host key is known for [10.0.0.1]:2222 and you have requested strict checking.\r\n",
                FailureKind::HostKeyUnknown,
            ),
            ("a@b: Permission denied (publickey).\r\n", FailureKind::Denied),
            ("ssh: Could not resolve hostname x: Name or service not known\r\n", FailureKind::HostUnknown),
            ("ssh: connect to host x port 22: Connection refused\r\n", FailureKind::Refused),
            ("ssh: connect to host x port 22: No route to host\r\n", FailureKind::NoRoute),
            ("ssh: connect to host x port 22: Connection timed out\r\n", FailureKind::TimedOut),
            ("channel 0: open failed: connect failed: open failed\r\nstdio forwarding failed\r\n", FailureKind::Other),
        ] {
            let all = format!("{said}{drop}");
            let login = Failure::of(all.clone());
            assert_eq!(login.kind, kind, "{said}");
            let key_of = (kind == FailureKind::HostKeyUnknown).then(|| "[10.0.0.1]:2222".to_owned());
            assert_eq!(login.key_of(), key_of, "{said}");
            assert!(said.is_empty() || said.contains(&telling_line(&all)), "{}", telling_line(&all));
        }
        for said in
            ["kex_exchange_identification: read: Connection reset by peer", "Connection closed by 10.0.0.1 port 22"]
        {
            assert_eq!(Failure::of(said.to_owned()).kind, FailureKind::Dropped);
        }
        assert_eq!(Failure::of("something new".to_owned()).kind, FailureKind::Other);
    }
}

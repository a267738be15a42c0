//! Where a node is: the endpoint as arguments of `ssh`, and what ssh makes of it.

use std::path::PathBuf;

use super::excerpt::sanitise;
use crate::resource::Endpoint;
use crate::transport::Target;

/// ssh's view of a destination, from `ssh -G`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) host: String,
    pub(super) port: u16,
    /// The jump host or proxy command, if there is one.
    pub(super) proxy: Option<String>,
    /// Whether the operator set a `HostKeyAlias`.
    pub(super) has_alias: bool,
    /// The known hosts files in use.
    pub(super) known_hosts: Vec<PathBuf>,
}

impl Resolved {
    /// What `ssh -G` prints.
    pub(super) fn parse(text: &str) -> Self {
        let mut resolved = Self { port: 22, ..Self::default() };
        for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            match key {
                "hostname" => resolved.host = value.to_ascii_lowercase(),
                "port" => resolved.port = value.parse().unwrap_or(22),
                "proxyjump" | "proxycommand" if value != "none" => resolved.proxy = Some(value.to_owned()),
                "hostkeyalias" if value != "none" => resolved.has_alias = true,
                "userknownhostsfile" | "globalknownhostsfile" => resolved
                    .known_hosts
                    .extend(value.split_whitespace().filter(|path| *path != "none").map(expand_home)),
                _ => {}
            }
        }
        resolved
    }

    /// The name that ssh uses to look a host key up.
    pub(super) fn known_as(&self) -> String {
        if self.port == 22 { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) }
    }
}

fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// The arguments that name a node; `--` and the host come last.
pub(super) fn arguments(endpoint: &Endpoint) -> Vec<String> {
    let mut arguments = Vec::new();
    if let Some(port) = endpoint.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = &endpoint.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    arguments.extend(["--".to_owned(), endpoint.host.clone()]);
    arguments
}

/// A part of an endpoint that `ssh` could take for something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnsafeEndpoint {
    /// The host.
    #[error("`{}` is not a safe host name for ssh", sanitise(.0))]
    Host(String),
    /// The user.
    #[error("`{}` is not a safe user name for ssh", sanitise(.0))]
    User(String),
}

/// Refuses a host or user that a shell, `ssh` or its configuration could misread. The topology's reader has checked
/// them, but somebody may have edited a state.
pub(super) fn check(at: &Target) -> Result<(), UnsafeEndpoint> {
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text.len() <= 255
            && !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) || more.contains(&byte))
    };
    let Endpoint { host, user, .. } = &at.endpoint;
    // A colon for IPv6, a percent sign for its zone. A user may come from a directory (`DOMAIN+name`, `name@domain`).
    if !plain(host, b":%") {
        return Err(UnsafeEndpoint::Host(host.clone()));
    }
    match user {
        Some(user) if !plain(user, b"@+") => Err(UnsafeEndpoint::User(user.clone())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{UnsafeEndpoint, check};
    use crate::resource::{Endpoint, Name};
    use crate::transport::Target;

    fn checked(host: &str, user: Option<&str>) -> Result<(), UnsafeEndpoint> {
        let endpoint = Endpoint { host: host.into(), port: None, user: user.map(str::to_owned), sudo: false };
        check(&Target { name: Name::new("node-0").unwrap(), endpoint })
    }

    #[test]
    fn an_endpoint_that_ssh_could_misread_is_refused() {
        assert_eq!(checked("fe80::1%eth0", Some("name@domain")), Ok(()));
        assert_eq!(checked("node-0.example", Some("DOMAIN+name")), Ok(()));
        for host in ["", "-oProxyCommand=x", "a b", "$(x)", "a;b", &"a".repeat(256)] {
            assert_eq!(checked(host, None), Err(UnsafeEndpoint::Host(host.to_owned())));
        }
        for user in ["", "-l", "a b", "a:b", "`x`"] {
            assert_eq!(checked("node-0", Some(user)), Err(UnsafeEndpoint::User(user.to_owned())));
        }
    }
}

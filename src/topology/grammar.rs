//! What hosts, users, patterns, addresses and prefixes may look like. Hosts and users become arguments of ssh and words
//! in its configuration, so that nothing in them may act there.

use std::net::IpAddr;

use crate::network::{Family, Prefix, PrefixError};

use super::diagnostics::Diagnostic;
use super::reader::Located;

/// Longest host name, in bytes (RFC 1035).
const LONGEST_HOST: usize = 255;
/// Longest login name, in bytes.
const LONGEST_USER: usize = 64;

/// Whether a text can be a host for ssh: letters, digits, `.`, `-`, `_`, `:`, and `%` before an IPv6 scope; not a leading `-`.
pub(super) fn is_host(text: &str) -> bool {
    is_word(text, LONGEST_HOST, b".-_:%")
}

/// Whether a text can be a login name for ssh: letters, digits, `_`, `.`, `-`; not a leading `-`.
pub(super) fn is_user(text: &str) -> bool {
    is_word(text, LONGEST_USER, b"_.-")
}

/// Whether a text can be a pattern for names.
pub(super) fn is_pattern(text: &str) -> bool {
    is_word(text, LONGEST_USER, b"_.-*?") && !text.starts_with(['.', '_'])
}

fn is_word(text: &str, longest: usize, others: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// Reads an address that routes can lead to.
pub(super) fn read_address(text: Located<&str>) -> Result<IpAddr, Diagnostic> {
    let error = |message: String| Diagnostic::error(text.span, message);
    let shown = text.value.escape_debug();
    let Ok(address) = text.value.parse::<IpAddr>() else {
        let diagnostic = error(format!("`{shown}` is not an IP address.")).label("not an address");
        return Err(match text.value.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok()) {
            Some(address) => diagnostic.hint(format!("Leave the prefix length out: \"{address}\".")),
            None => diagnostic.hint("It should look like 10.240.0.20 or fd00:240::20."),
        });
    };
    match unusable(Prefix::host(address)) {
        None => Ok(address),
        Some(kind) => Err(error(format!("`{address}` cannot be the next hop of a route: it is {kind}."))
            .label(kind)
            .hint("Give the address that the other nodes reach this one at.")),
    }
}

/// Reads a prefix that routes can lead to.
pub(super) fn read_prefix(text: Located<&str>) -> Result<Prefix, Diagnostic> {
    let error = |message: String| Diagnostic::error(text.span, message);
    let shown = text.value.escape_debug();
    match text.value.parse::<Prefix>() {
        // `10.0.0.0/024` and the like: ipnet takes some, and no other tool would.
        Ok(_) | Err(PrefixError::HostBits { .. })
            if text.value.split_once("/0").is_some_and(|(_, rest)| !rest.is_empty()) =>
        {
            Err(error(format!("The prefix length of `{shown}` starts with a zero.")).label("leading zero"))
        }
        Ok(prefix) => match unusable(prefix) {
            None => Ok(prefix),
            Some(kind) => Err(error(format!("`{prefix}` cannot be routed: it is {kind}.")).label(kind)),
        },
        Err(PrefixError::HostBits { meant, .. }) => {
            Err(error(format!("`{shown}` has host bits set: it is an address inside a prefix, not a prefix."))
                .label("host bits set")
                .hint(format!("The prefix is `{meant}`.")))
        }
        Err(PrefixError::Syntax(_)) => {
            let diagnostic = error(format!("`{shown}` is not a prefix.")).label("not a prefix");
            Err(if text.value.parse::<IpAddr>().is_ok() {
                diagnostic.hint("The prefix length is missing, for example /24.")
            } else {
                diagnostic.hint("It should look like 10.200.1.0/24 or fd00:200:1::/64.")
            })
        }
    }
}

/// Why no route can lead to or through a prefix or address, where that is so.
fn unusable(prefix: Prefix) -> Option<&'static str> {
    // The default route is judged elsewhere: it holds all of these.
    if prefix.is_default() {
        return None;
    }
    let address = prefix.address();
    let within =
        |network: IpAddr, length: u8| Prefix::new(network, length).is_ok_and(|network| network.overlaps(&prefix));
    let v4 = |a: u8, length: u8| within(IpAddr::from([a, 0, 0, 0]), length);
    let v6 = |first: u16, length: u8| within(IpAddr::from([first, 0, 0, 0, 0, 0, 0, 0]), length);
    match Family::of(address) {
        Family::V4 if v4(0, 8) => Some("an unspecified address"),
        Family::V4 if v4(127, 8) => Some("a loopback address"),
        Family::V4 if v4(224, 4) => Some("a multicast address"),
        Family::V4 if v4(240, 4) => Some("a reserved address"),
        Family::V6 if within(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 0]), 128) => Some("an unspecified address"),
        Family::V6 if within(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128) => Some("a loopback address"),
        Family::V6 if within(IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0, 0]), 96) => {
            Some("an IPv4 address written as IPv6")
        }
        Family::V6 if v6(0xff00, 8) => Some("a multicast address"),
        Family::V6 if v6(0xfe80, 10) => Some("a link-local address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::diagnostics::Span;

    #[test]
    fn hosts_and_users_cannot_act_on_a_command_line() {
        for text in ["", "-oProxyCommand=x", "a b", "a\nb", "a;b", "$(x)", "a/b", "ä", "a@b", "\"", "#", "*"] {
            assert!(!is_host(text) && !is_user(text), "{text:?}");
        }
        for text in ["10.0.0.1", "fd00::1", "fe80::1%eth0", "node_0.example-domain.org"] {
            assert!(is_host(text), "{text:?}");
        }
        assert!(is_user("azure.user-1_x") && !is_user("a:b") && !is_user(&"a".repeat(65)));
    }

    #[test]
    fn addresses_that_no_route_can_lead_through_are_refused() {
        let read = |value| read_address(Located { value, span: Span::default() });
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "10.0.0.1/24",
            "010.0.0.1",
            "10.0.0",
            "fe80::1%eth0",
            "",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("10.0.0.1").is_ok() && read("fd00::1").is_ok());
    }

    #[test]
    fn prefixes_are_read_as_other_tools_read_them() {
        let read = |value| read_prefix(Located { value, span: Span::default() });
        for text in [
            "10.0.0.0/024",
            "10.0.0.0/+8",
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "127.0.0.0/8",
            "128.0.0.0/1",
            "fe00::/8",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("10.0.0.0/8").is_ok() && read("fd00::/8").is_ok() && read("0.0.0.0/0").is_ok());
    }
}

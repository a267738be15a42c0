//! The syntax of hosts, users, patterns, addresses and prefixes. Hosts and users become arguments of ssh and words in
//! its configuration, so they must have no special characters.

use std::net::IpAddr;

use crate::network::{Prefix, PrefixError, parse_address};

use super::diagnostics::{Diagnostic, Reporter};
use super::reader::Located;
use crate::resource::Name;

/// What words of a topology can be.
pub(super) struct Form {
    pub(super) is_valid: fn(&str) -> bool,
    /// A few words for the position of another text.
    label: &'static str,
    /// The form, a full sentence.
    pub(super) hint: &'static str,
}

pub(super) const NAME: Form = Form {
    is_valid: Name::is_valid,
    label: "not a name",
    hint: "A name starts with a letter or digit, then has letters, digits, `-`, `_` and `.` (not `..`), at most 63 \
           characters.",
};
pub(super) const PATTERN: Form = Form {
    is_valid: |text| is_word(text, 64, b"_.-*?") && !text.starts_with(['.', '_']),
    label: "not a pattern",
    hint: "A pattern is a name where `*` matches any characters and `?` matches one. It has at most 64 characters.",
};
/// A host for ssh, at most as long as names of hosts are (RFC 1035). `%` stands before an IPv6 scope.
pub(super) const HOST: Form = Form {
    is_valid: |text| is_word(text, 255, b".-_:%"),
    label: "not a host",
    hint: "A host has letters, digits, `.`, `-`, `_`, `:` and `%`, does not start with `-`, and has at most 255 \
           characters.",
};
/// A login name for ssh.
pub(super) const USER: Form = Form {
    is_valid: |text| is_word(text, 64, b"_.-"),
    label: "not a login name",
    hint: "A login name has letters, digits, `_`, `.` and `-`, does not start with `-`, and has at most 64 characters.",
};
/// A network device; its name is shorter than `IFNAMSIZ` (linux/if.h). The kernel accepts more, for example quotes and `$`. No
/// real device has such a name, and the name becomes part of files and commands.
pub(super) const DEVICE: Form = Form {
    is_valid: |text| is_word(text, 15, b"._-") && !text.starts_with('.'),
    label: "not the name of a device",
    hint: "The name of a device starts with a letter, digit or `_`, then has letters, digits, `.`, `_` and `-`, at most \
           15 characters. `ip link` shows it before any `@`.",
};

impl Form {
    /// Whether a text has this form. Reports another one; `what` says what it is not: `a login name`.
    pub(super) fn accepts(&self, text: Located<&str>, what: &str, report: &Reporter) -> bool {
        let valid = (self.is_valid)(text.value);
        if !valid {
            let message = format!("`{}` is not {what}.", text.value.escape_debug());
            Diagnostic::error(text.span, message, self.label).hint(self.hint).report_to(report);
        }
        valid
    }
}

/// Letters, digits and the others, without a leading `-`.
fn is_word(text: &str, longest: usize, others: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// Reads an address that routes can lead to. Reports an invalid one.
pub(super) fn read_address(text: Located<&str>, report: &Reporter) -> Option<Located<IpAddr>> {
    let Ok(address) = parse_address(text.value) else {
        let hint = match text.value.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok()) {
            Some(address) => format!("Remove the prefix length: \"{address}\"."),
            None => "Write an address such as 10.240.0.20 or fd00:240::20.".to_owned(),
        };
        let message = format!("`{}` is not an IP address.", text.value.escape_debug());
        Diagnostic::error(text.span, message, "not an address").hint(hint).report_to(report);
        return None;
    };
    if let Some(kind) = unusable(address, address) {
        let message = format!("`{address}` cannot be the next hop of a route: it is {kind}.");
        let hint = "Set the address at which the other nodes reach this node.";
        Diagnostic::error(text.span, message, kind).hint(hint).report_to(report);
        return None;
    }
    Some(Located { value: address, span: text.span })
}

/// Reads a prefix that routes can lead to. Reports an invalid one. Accepts the default route, which is checked
/// elsewhere.
pub(super) fn read_prefix(text: Located<&str>, report: &Reporter) -> Option<Located<Prefix>> {
    let error = |message: String, label: &str| Diagnostic::error(text.span, message, label);
    let shown = text.value.escape_debug();
    // Search from the end, where the length is.
    let slash = text.value.bytes().rposition(|byte| byte == b'/');
    let leading_zero = slash.is_some_and(|at| matches!(&text.value.as_bytes()[at + 1..], [b'0', _, ..]));
    match text.value.parse::<Prefix>() {
        // ipnet accepts some of these, but other tools do not.
        Ok(_) | Err(PrefixError::HostBits { .. }) if leading_zero => {
            error(format!("The prefix length of `{shown}` starts with a zero."), "leading zero")
        }
        Ok(value) => match unusable(value.address(), value.last_address()) {
            Some(kind) if !value.is_default() => {
                error(format!("No route can lead to `{value}`: it contains {kind}."), kind)
            }
            _ => return Some(Located { value, span: text.span }),
        },
        Err(PrefixError::HostBits { meant, .. }) => {
            error(format!("`{shown}` has host bits set: it is an address in a prefix, not a prefix."), "host bits set")
                .hint(format!("Write `{meant}`."))
        }
        Err(PrefixError::Syntax(_)) => {
            error(format!("`{shown}` is not a prefix."), "not a prefix").hint(if text.value.parse::<IpAddr>().is_ok() {
                "Add the prefix length, for example /24."
            } else {
                "Write a prefix such as 10.200.1.0/24 or fd00:200:1::/64."
            })
        }
    }
    .report_to(report);
    None
}

/// Addresses that no route can lead to or through: first, last, and their kind.
const UNUSABLE_V4: &[(u32, u32, &str)] = &[
    (0x0000_0000, 0x00ff_ffff, "an unspecified address"),
    (0x7f00_0000, 0x7fff_ffff, "a loopback address"),
    (0xe000_0000, 0xefff_ffff, "a multicast address"),
    (0xf000_0000, 0xffff_ffff, "a reserved address"),
];
/// The same for IPv6.
const UNUSABLE_V6: &[(u128, u128, &str)] = &[
    (0, 0, "an unspecified address"),
    (1, 1, "a loopback address"),
    (0xffff_0000_0000, 0xffff_ffff_ffff, "an IPv4 address written as IPv6"),
    (0xfe80 << 112, (0xfec0 << 112) - 1, "a link-local address"),
    (0xff00 << 112, u128::MAX, "a multicast address"),
];

/// The kind of addresses between the first and the last that no route can lead to or through, if there are any.
fn unusable(first: IpAddr, last: IpAddr) -> Option<&'static str> {
    fn find<T: PartialOrd + Copy>(first: T, last: T, ranges: &[(T, T, &'static str)]) -> Option<&'static str> {
        ranges.iter().find(|(from, to, _)| first <= *to && last >= *from).map(|(_, _, what)| *what)
    }
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => find(u32::from(first), u32::from(last), UNUSABLE_V4),
        (IpAddr::V6(first), IpAddr::V6(last)) => find(u128::from(first), u128::from(last), UNUSABLE_V6),
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
            assert!(!(HOST.is_valid)(text) && !(USER.is_valid)(text), "{text:?}");
        }
        for text in ["10.0.0.1", "fd00::1", "fe80::1%eth0", "node_0.example-domain.org"] {
            assert!((HOST.is_valid)(text), "{text:?}");
        }
        assert!((USER.is_valid)("deploy.user-1_x") && !(USER.is_valid)("a:b") && !(USER.is_valid)(&"a".repeat(65)));
    }

    #[test]
    fn devices_are_called_as_the_kernel_allows_and_nothing_that_acts() {
        for text in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a\u{a0}b",
            "a\u{7}b",
            "a:b",
            "a%d",
            "eth0@if2",
            "-a",
            "$(x)",
            "a;b",
            "ä",
            "abcdefghijklmnop",
        ] {
            assert!(!(DEVICE.is_valid)(text), "{text:?}");
        }
        for text in ["a", "eth0.100", "br-0a1b2c3d4e5f", "_x", "7"] {
            assert!((DEVICE.is_valid)(text), "{text:?}");
        }
    }

    #[test]
    fn addresses_that_no_route_can_lead_through_are_refused() {
        let read = |value| read_address(Located { value, span: Span::default() }, &Reporter::default());
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
            assert!(read(text).is_none(), "{text}");
        }
        assert!(read("10.0.0.1").is_some() && read("fd00::1").is_some());
    }

    #[test]
    fn prefixes_are_read_as_other_tools_read_them() {
        let read = |value| read_prefix(Located { value, span: Span::default() }, &Reporter::default());
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
            assert!(read(text).is_none(), "{text}");
        }
        assert!(read("10.0.0.0/8").is_some() && read("fd00::/8").is_some() && read("0.0.0.0/0").is_some());
    }
}

//! Questions to the kernel, as lines for `ip -batch`.

use std::fmt::Write as _;
use std::net::IpAddr;

/// Asks the kernel for its way to each address.
pub(super) fn push_questions(script: &mut String, addresses: &[IpAddr]) {
    for address in addresses {
        let _ = writeln!(script, "route get {address}");
    }
}

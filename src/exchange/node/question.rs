//! Questions to the kernel, as lines for `ip -batch`.

use std::net::IpAddr;

/// Asks the kernel for its way to each address.
pub(super) fn questions(addresses: &[IpAddr]) -> String {
    let questions: Vec<String> = addresses.iter().map(|address| format!("route get {address}")).collect();
    questions.join("\n")
}

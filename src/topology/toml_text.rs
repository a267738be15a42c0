//! Values as TOML text.

use std::net::IpAddr;

/// A name as a TOML key.
pub(crate) fn key(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

/// A string, or a list for dual stack.
pub(super) fn addresses_value(addresses: &[IpAddr]) -> String {
    match addresses {
        [one] => format!("\"{one}\""),
        _ => list(addresses),
    }
}

/// A TOML list of strings.
pub(crate) fn list(values: &[impl std::fmt::Display]) -> String {
    let texts: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    format!("[{}]", texts.join(", "))
}

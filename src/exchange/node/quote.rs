//! Texts and parts of a listing, quoted for a script.

use super::Listing;
use crate::resource::Token;

/// A basic regular expression that matches the rows with topo's mark.
pub(super) fn pattern(listing: &Listing) -> String {
    let numbers: Vec<String> = listing.protocols.iter().map(u8::to_string).collect();
    format!(" proto \\({}\\) ", numbers.join("\\|"))
}

/// A shell function that recognizes the rows with topo's mark without a process.
pub(super) fn marked(listing: &Listing) -> String {
    let patterns: Vec<String> = listing.protocols.iter().map(|number| format!("*' proto {number} '*")).collect();
    format!("marked() {{ case $1 in {}) ;; *) return 1 ;; esac; }}", patterns.join(" | "))
}

/// A part of a token for a script. It comes from a state file, so only a digest may reach the shell.
pub(super) fn digest_word(known: Option<&Token>, part: fn(&Token) -> &str) -> &str {
    let text = known.map(part).unwrap_or_default();
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) { text } else { "damaged" }
}

/// A text as one word of the shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

//! Parts of a listing as they stand in a script.

use super::Listing;
use crate::resource::Token;

/// A basic regular expression that matches the rows with our mark.
pub(super) fn pattern(listing: &Listing) -> String {
    let numbers: Vec<String> = listing.protocols.iter().map(u8::to_string).collect();
    format!(" proto \\({}\\) ", numbers.join("\\|"))
}

/// A shell function that knows the rows with our mark, without a process.
pub(super) fn marked(listing: &Listing) -> String {
    let patterns: Vec<String> = listing.protocols.iter().map(|number| format!("*' proto {number} '*")).collect();
    format!("marked() {{ case $1 in {}) ;; *) return 1 ;; esac; }}\n", patterns.join(" | "))
}

/// A part of a token as it may stand in a script: it comes from a state file, and only a digest reaches the shell.
pub(super) fn digest_word(known: Option<&Token>, part: fn(&Token) -> &str) -> &str {
    let text = known.map(part).unwrap_or_default();
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) { text } else { "damaged" }
}

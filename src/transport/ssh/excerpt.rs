//! Texts from outside, made short and safe for messages.

use crate::transport::one_line;

/// Longest excerpt of a remote's or ssh's text in a message, in characters.
const EXCERPT: usize = 300;

/// Makes a text from outside safe for a message.
pub(super) fn sanitise(text: &str) -> String {
    one_line(text, "; ", EXCERPT)
}

/// The line that says most: the last one that is not only about a consequence.
pub(super) fn telling_line(said: &str) -> String {
    let consequence = ["Connection closed by UNKNOWN", "kex_exchange_identification", "Host key verification failed"];
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("@@@"));
    let best = lines().rfind(|line| !consequence.iter().any(|start| line.starts_with(start)));
    sanitise(best.or_else(|| lines().next_back()).unwrap_or("ssh gave no reason").trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::{EXCERPT, sanitise};

    #[test]
    fn texts_from_outside_are_harmless() {
        assert_eq!(sanitise(" a\r\nb\u{1b}[31m\tc\u{202e}d\u{9b}é\n"), "a; b\\u{1b}[31m c\\u{202e}d\\u{9b}é");
        assert_eq!(sanitise(&"x".repeat(1000)).chars().count(), EXCERPT + 1);
    }
}

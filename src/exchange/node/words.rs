//! The words of a node in messages.

/// A node's words, safe for a message: without control characters, and short.
pub(super) fn clean(text: &str) -> String {
    let mut words: String =
        text.chars().map(|c| if c == '\n' { ' ' } else { c }).filter(|c| !c.is_control()).take(300).collect();
    if words.len() < text.trim().len() {
        words.push('…');
    }
    words.trim().to_owned()
}

//! Words in sentences.

/// A few words in a list, the others counted.
pub(super) fn listed(all: &[String]) -> String {
    const LISTED: usize = 4;
    let (shown, more) = all.split_at(all.len().min(LISTED));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    match shown.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => format!("{last}{more}"),
        Some((_, _)) if !more.is_empty() => format!("{}{more}", shown.join(", ")),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

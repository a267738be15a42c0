//! Names, numbers and line breaks of user texts.

use crate::resource::{NODE, Place};

/// `1 route`, `2 routes`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// So many names are listed; of more, the first and the last stand for all.
const LISTED: usize = 6;

/// A few names of nodes are listed; of more, the first, the last and their number are given.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    named(names, "node")
}

/// The same of places.
pub(super) fn place_names<'a>(places: impl Iterator<Item = &'a Place> + Clone) -> String {
    named(places.clone().map(Place::name), noun(places))
}

/// What places are called: as their kind says, where all are of one kind.
pub(super) fn noun<'a>(mut places: impl Iterator<Item = &'a Place>) -> &'static str {
    let Some(first) = places.next() else { return NODE.noun };
    if places.all(|place| place.kind() == first.kind()) { first.kind().noun } else { "place" }
}

/// The same of what is called otherwise.
pub(super) fn named<'a>(mut names: impl Iterator<Item = &'a str> + Clone, noun: &str) -> String {
    let number = names.clone().count();
    if number <= LISTED {
        return names.collect::<Vec<_>>().join(", ");
    }
    let first = names.next().unwrap_or_default();
    let last = names.last().unwrap_or_default();
    format!("{first} … {last} ({number} {noun}s)")
}

/// Text that came from elsewhere, without what would steer the terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Breaks a text into lines of at most `width` characters where it has spaces. The first line starts with `first`, each
/// other with `next`. What is quoted with `'` is not broken: it is there to be copied.
pub(super) fn wrapped(text: &str, width: usize, first: &str, next: &str) -> String {
    let text = clean(text);
    let mut lines: Vec<String> = Vec::new();
    let mut line = first.to_owned();
    let mut length = first.chars().count();
    let mut is_empty = true;
    for word in words(&text) {
        let word_length = word.chars().count();
        if !is_empty && length + 1 + word_length > width {
            lines.push(std::mem::replace(&mut line, next.to_owned()));
            length = next.chars().count();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word_length;
        is_empty = false;
    }
    lines.push(line);
    lines.join("\n") + "\n"
}

/// Words between spaces; a word that starts with `'` reaches to the one that ends it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let quoted = rest.strip_prefix('\'').and_then(|inner| inner.find('\'')).map_or(0, |at| at + 2);
        let end = rest[quoted..].find(' ').map_or(rest.len(), |at| quoted + at);
        let (word, others) = rest.split_at(end);
        rest = others.trim_start();
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_given_by_their_ends() {
        assert_eq!(names(["a", "b", "c"].into_iter()), "a, b, c");
        assert_eq!(names(["a", "b", "c", "d", "e", "f"].into_iter()), "a, b, c, d, e, f");
        assert_eq!(names(["a", "b", "c", "d", "e", "f", "g"].into_iter()), "a … g (7 nodes)");
    }

    #[test]
    fn lines_break_at_spaces_and_not_inside_of_what_is_to_be_copied() {
        let text = "Make it topo's with --take-over 'kernel_route.node-1[\"10.200.1.0/24\"] x' now.";
        assert_eq!(
            wrapped(text, 30, "- ", "  "),
            "- Make it topo's with\n  --take-over\n  'kernel_route.node-1[\"10.200.1.0/24\"] x'\n  now.\n"
        );
    }

    #[test]
    fn words_of_a_node_do_not_steer_the_terminal() {
        assert_eq!(wrapped("dev \u{1b}[31meth0", 80, "", ""), "dev \u{fffd}[31meth0\n");
    }
}

//! Names, numbers and line breaks in texts for users.

use crate::resource::Place;

/// `1 route`, `2 routes`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Lists of up to so many names are written in full.
const LISTED: usize = 6;
/// So many names of a longer list are written if they do not follow each other.
const NAMED: usize = 3;

/// A few names of nodes in full. For more names: the ends of the range, or the first names and the number of the others.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    named(names, "node")
}

/// The same for places.
pub(super) fn place_names<'a>(places: impl Iterator<Item = &'a Place> + Clone) -> String {
    named(places.clone().map(Place::name), noun(places))
}

/// The word for places, of which not all are nodes.
pub(super) fn noun<'a>(mut places: impl Iterator<Item = &'a Place>) -> &'static str {
    if places.all(Place::is_node) { "node" } else { "place" }
}

/// The same with another word for what has the names.
pub(super) fn named<'a>(mut names: impl Iterator<Item = &'a str> + Clone, noun: &str) -> String {
    let number = names.clone().count();
    if number <= LISTED {
        return names.collect::<Vec<_>>().join(", ");
    }
    if is_run(names.clone()) {
        let first = names.next().unwrap_or_default();
        let last = names.last().unwrap_or_default();
        return format!("{first} … {last} ({number} {noun}s)");
    }
    let some: Vec<&str> = names.take(NAMED).collect();
    format!("{} and {} more ({number} {noun}s)", some.join(", "), number - NAMED)
}

/// Whether names follow each other without a gap: `node-7`, `node-8`, `node-9`.
pub(super) fn is_run<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let mut before: Option<(&str, u64)> = None;
    for name in names {
        let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (word, number) = name.split_at(name.len() - digits);
        let Ok(number) = number.parse::<u64>() else { return false };
        if before.is_some_and(|(other, previous)| other != word || previous.checked_add(1) != Some(number)) {
            return false;
        }
        before = Some((word, number));
    }
    true
}

/// A text from elsewhere without the characters that control a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Breaks a text at spaces into lines of at most `width` characters. The first line starts with `first`, all others with
/// `next`. A text in `'` stays in one line, because users copy it.
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

/// Words between spaces. A text in `'` is one word.
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
        assert_eq!(names(["a", "b", "c", "d", "e", "f", "g"].into_iter()), "a, b, c and 4 more (7 nodes)");
        let nodes: Vec<String> = (8..15).map(|number| format!("node-{number}")).collect();
        assert_eq!(names(nodes.iter().map(String::as_str)), "node-8 … node-14 (7 nodes)");
        let gap = nodes.iter().filter(|name| *name != "node-9").chain([&nodes[0]]);
        assert_eq!(names(gap.map(String::as_str)), "node-8, node-10, node-11 and 4 more (7 nodes)");
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

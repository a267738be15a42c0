//! Patterns for names: `*` matches any characters, `?` matches one.

/// Whether the whole text matches a pattern.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut in_text) = (0, 0);
    // Position of the last `*`, and how much of the text it matched: backtracking needs no other choice.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                in_text = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Calls `found` with the index of each matching name. The names are sorted: a pattern without wildcards needs one
/// look-up; other patterns are compared only with names that have the same start.
pub(super) fn for_each_match(pattern: &str, names: &[impl AsRef<str>], mut found: impl FnMut(usize)) {
    let wildcard = pattern.find(['*', '?']);
    let start = &pattern[..wildcard.unwrap_or(pattern.len())];
    let first = names.partition_point(|name| name.as_ref() < start);
    for (index, name) in names.iter().enumerate().skip(first) {
        let name = name.as_ref();
        if !name.starts_with(start) {
            break;
        }
        if wildcard.map_or(name == pattern, |_| glob_matches(pattern, name)) {
            found(index);
        }
        if wildcard.is_none() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [("*", ""), ("*", "a"), ("node-*", "node-"), ("n?de", "node"), ("*-*-b", "a-b-c-b")] {
            assert!(glob_matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("?", ""), ("node", "node-1"), ("*a", "ab"), ("a*b*c", "acb")] {
            assert!(!glob_matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn matches_in_a_sorted_list_are_those_of_a_plain_search() {
        let names = ["a", "ab", "abc", "b", "node-1", "node-10", "node-2"];
        for pattern in ["a", "ab*", "*b*", "?", "node-?", "node-1", "nod", "z", "*"] {
            let mut found = Vec::new();
            for_each_match(pattern, &names, |index| found.push(index));
            let plain: Vec<usize> = (0..names.len()).filter(|index| glob_matches(pattern, names[*index])).collect();
            assert_eq!(found, plain, "{pattern}");
        }
    }
}

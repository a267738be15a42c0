//! Patterns for paths of settings, as glob(7) reads them: systemd-sysctl gives them to glob(3).

/// Whether a text is a pattern, as systemd-sysctl sees it (`string_is_glob`).
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a pattern stands for a path. No part of a pattern stands for a slash.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| matches_name(one, other))
}

/// After a mismatch, only the last `*` is tried again, so many `*` do not take exponential time.
fn matches_name(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    if name.first() == Some(&'.') && pattern.first() != Some(&'.') {
        return false;
    }
    let (mut at, mut here) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while here < name.len() || at < pattern.len() {
        if pattern.get(at) == Some(&'*') {
            at += 1;
            back = Some((at, here));
            continue;
        }
        let length = name.get(here).and_then(|letter| matches_letter(&pattern[at..], *letter));
        match (length, back) {
            (Some(length), _) => (at, here) = (at + length, here + 1),
            (None, Some((after, start))) if start < name.len() => {
                (at, here) = (after, start + 1);
                back = Some((after, start + 1));
            }
            _ => return false,
        }
    }
    true
}

/// The length of the first part of a pattern, if that stands for a letter.
fn matches_letter(pattern: &[char], letter: char) -> Option<usize> {
    match pattern {
        [] => None,
        ['?', ..] => Some(1),
        ['\\', next, ..] => (*next == letter).then_some(2),
        ['[', rest @ ..] => match in_brackets(rest, letter) {
            Some((length, found)) => found.then_some(length + 1),
            // Without its end, it is a letter like others.
            None => (letter == '[').then_some(1),
        },
        [first, ..] => (*first == letter).then_some(1),
    }
}

/// What stands after an opening bracket: its length with the closing one, and whether it stands for a letter. None if it has no end.
fn in_brackets(inside: &[char], letter: char) -> Option<(usize, bool)> {
    let mut at = 0;
    let is_negated = matches!(inside.first(), Some('!' | '^'));
    if is_negated {
        at += 1;
    }
    let start = at;
    let mut found = false;
    loop {
        match &inside[at.min(inside.len())..] {
            [] => return None,
            [']', ..] if at > start => return Some((at + 1, found != is_negated)),
            ['[', ':', rest @ ..] => {
                let end = rest.windows(2).position(|two| two == [':', ']'])?;
                let class: String = rest[..end].iter().collect();
                found |= in_class(&class, letter);
                at += end + 4;
            }
            [first, '-', last, ..] if *last != ']' => {
                found |= (*first..=*last).contains(&letter);
                at += 3;
            }
            ['\\', next, ..] => {
                found |= *next == letter;
                at += 2;
            }
            [one, ..] => {
                found |= *one == letter;
                at += 1;
            }
        }
    }
}

/// Classes of letters in the locale `C`, which system services have.
fn in_class(class: &str, letter: char) -> bool {
    match class {
        "alnum" => letter.is_ascii_alphanumeric(),
        "alpha" => letter.is_ascii_alphabetic(),
        "digit" => letter.is_ascii_digit(),
        "lower" => letter.is_ascii_lowercase(),
        "punct" => letter.is_ascii_punctuation(),
        "upper" => letter.is_ascii_uppercase(),
        "xdigit" => letter.is_ascii_hexdigit(),
        "graph" | "print" => letter.is_ascii_graphic(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const NAMES: [&str; 12] =
        ["all", "default", "eth0", "eth1", "eth12", "ETH0", "eth0.100", "br-x", "a]b", "a[b", "e", "lo"];
    const PATTERNS: [&str; 32] = [
        "*",
        "eth?",
        "eth*",
        "eth[01]",
        "eth[0-9]",
        "eth[!0]",
        "eth[0-9][0-9]",
        "*[0-9]",
        "[a-e]*",
        "[!a-e]*",
        "[[:upper:]]*",
        "*[[:digit:]]",
        "[[:alpha:]]?",
        "a[]]b",
        "a[[]b",
        "a[!]]b",
        "a\\[b",
        "a[b",
        "*\\*",
        "eth[",
        "eth[0",
        "br[-_]x",
        "br[a-]x",
        "eth0[.]100",
        "*0*",
        "*h*0",
        "**",
        "?*?*?*?",
        "[e]",
        "[l][o]",
        "eth[1-]*",
        "[[:alnum:]_]*",
    ];

    /// The shell reads patterns as glob(3) does.
    #[test]
    fn patterns_stand_for_what_the_shell_finds() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in NAMES {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        for pattern in PATTERNS {
            let script = format!("for name in {pattern}; do [ ! -e \"$name\" ] || echo \"$name\"; done");
            let mut shell = Command::new("sh");
            let output = shell.env_clear().env("LC_ALL", "C").current_dir(folder.path()).args(["-c", &script]).output();
            let text = String::from_utf8(output.expect("a shell").stdout).expect("text");
            let mut found: Vec<&str> = text.lines().collect();
            found.sort_unstable();
            let mut matching: Vec<&str> = NAMES.into_iter().filter(|name| matches(pattern, name)).collect();
            matching.sort_unstable();
            assert_eq!(matching, found, "{pattern}");
        }
    }

    #[test]
    fn a_slash_stands_for_itself() {
        assert!(matches("net/ipv4/conf/*/rp_filter", "net/ipv4/conf/eth0/rp_filter"));
        assert!(matches("net/ipv[4-6]/con?/e*/rp_filter", "net/ipv4/conf/eth0/rp_filter"));
        assert!(!matches("net/ipv4/*/rp_filter", "net/ipv4/conf/eth0/rp_filter"));
        assert!(!matches("net/ipv4[/]conf", "net/ipv4/conf"));
        // Not every shell knows this sign; glob(3) of glibc does.
        assert!(matches("eth[^0]", "eth1") && !matches("eth[^0]", "eth0"));
        assert!(is_pattern("a[b") && is_pattern("a?") && !is_pattern("a]b"));
        assert!(!matches(&"*a".repeat(40), &"a".repeat(60).replace("aaa", "ab")));
    }
}

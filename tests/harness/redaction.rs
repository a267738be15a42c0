//! Replaces what differs between two equal runs.

/// `[ID]` for long hexadecimal words (machine ids, digests) and UUIDs, `[TIME]` for RFC 3339 times, `[SPAN]` for spans
/// of time like `1.2s` or `40 ms`.
pub fn redact(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c: char| !in_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(length);
        if word.is_empty() {
            let next = tail.chars().next().map_or(0, char::len_utf8);
            redacted.push_str(&tail[..next]);
            rest = &tail[next..];
            continue;
        }
        // A full stop after a word belongs to the sentence.
        let core = word.trim_end_matches(['.', ':', '-']);
        let (unit, after_unit) = unit_after(tail);
        rest = tail;
        if is_identifier(core) {
            redacted.push_str("[ID]");
        } else if is_time(core) {
            redacted.push_str("[TIME]");
        } else if is_span(core) || (is_number(core) && core == word && unit) {
            redacted.push_str("[SPAN]");
            if !is_span(core) {
                rest = after_unit;
            }
        } else {
            redacted.push_str(core);
        }
        redacted.push_str(&word[core.len()..]);
    }
    redacted
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '+')
}

fn is_identifier(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_hexdigit).count();
    digits >= 16 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-') && word.chars().any(|c| c.is_ascii_digit())
}

fn is_time(word: &str) -> bool {
    let shape: String = word.chars().take(11).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T"
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.parse::<f64>().is_ok()
}

fn is_span(word: &str) -> bool {
    ["ms", "µs", "s"].iter().any(|unit| word.strip_suffix(unit).is_some_and(is_number))
}

fn unit_after(tail: &str) -> (bool, &str) {
    for unit in [" ms", " s"] {
        if let Some(after) = tail.strip_prefix(unit)
            && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            return (true, after);
        }
    }
    (false, tail)
}

//! Patterns over addresses such as `kernel_route.node-0["10.200.1.0/24"]`.

use std::fmt;
use std::str::FromStr;

/// Selects resources or rows. A pattern is an address with a row, an address without a row (the resource and all its
/// rows), or the name of a place (everything in it). `*` stands for any characters, and `?` for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPattern {
    text: Box<str>,
    /// Where the row's part `["…"]` begins.
    row_at: Option<usize>,
}

/// A text that is not a pattern of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an address; addresses look like kernel_route.node-0[\"10.200.1.0/24\"], kernel_route.node-0 or node-0, \
         with * and ? as wildcards", .0.escape_debug())]
pub struct PatternError(pub String);

impl AddressPattern {
    /// Whether it selects the whole resource of this kind in this place, or only one row of it if `row` is given.
    pub fn matches(&self, kind: &str, place: &str, row: Option<&str>) -> bool {
        let head = &self.text[..self.row_at.unwrap_or(self.text.len())];
        let resource = || format!("{kind}.{place}");
        let whole = glob(head, place) || glob(head, &resource());
        match (self.row_at, row) {
            (None, None) => whole,
            (None, Some(row)) => whole || (head.contains('*') && glob(head, &format!("{kind}.{place}[\"{row}\"]"))),
            (Some(_), None) => false,
            (Some(at), Some(row)) => whole && glob(&self.text[at..], &format!("[\"{row}\"]")),
        }
    }

    /// Whether it selects the resource of this kind in this place, or could select a row of it.
    pub fn may_match_in(&self, kind: &str, place: &str) -> bool {
        self.matches(kind, place, None) || self.may_match_rows(kind, place)
    }

    /// Whether it may select single rows of this resource. Then the caller must ask about each row.
    pub fn may_match_rows(&self, kind: &str, place: &str) -> bool {
        match self.row_at {
            None => self.text.contains('*') && may_start(&self.text, &format!("{kind}.{place}[\"")),
            Some(at) => glob(&self.text[..at], place) || glob(&self.text[..at], &format!("{kind}.{place}")),
        }
    }
}

impl FromStr for AddressPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let wrong = || PatternError(text.to_owned());
        if text.is_empty() || text.contains(|c: char| c.is_control() || c == ' ') {
            return Err(wrong());
        }
        let Some((head, rest)) = text.split_once('[') else {
            return if text.contains(['"', ']']) { Err(wrong()) } else { Ok(Self { text: text.into(), row_at: None }) };
        };
        // A shell removes the quotes if the user does not quote the whole address.
        let row = rest.strip_suffix(']').ok_or_else(wrong)?;
        let row = row.strip_prefix('"').and_then(|row| row.strip_suffix('"')).unwrap_or(row);
        if head.is_empty() || row.is_empty() || row.contains(['"', '[', ']']) {
            return Err(wrong());
        }
        Ok(Self { text: format!("{head}[\"{row}\"]").into(), row_at: Some(head.len()) })
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether the whole text matches a pattern of `*` and `?`. After a mismatch, only the last `*` is tried again, so many
/// `*` do not take exponential time.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut back: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let text_here = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                back = Some((pattern.clone(), text_here.clone()));
                text = text_here;
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => {
                let Some((after_star, mut skipped)) = back.take() else { return false };
                if skipped.next().is_none() {
                    return false;
                }
                pattern = after_star.clone();
                text = skipped.clone();
                back = Some((after_star, skipped));
            }
        }
    }
}

/// Whether some text that starts with `start` matches a pattern that has a `*`: what is before the first one decides.
fn may_start(pattern: &str, start: &str) -> bool {
    let fixed = pattern.chars().take_while(|wanted| *wanted != '*');
    fixed.zip(start.chars()).all(|(wanted, found)| wanted == '?' || wanted == found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> AddressPattern {
        text.parse().expect("pattern")
    }

    #[test]
    fn an_address_selects_itself_and_all_that_is_in_it() {
        let row = Some("10.200.1.0/24");
        for (text, whole, one) in [
            ("node-0", true, true),
            ("node-?", true, true),
            ("kernel_route.node-0", true, true),
            ("kernel_route.*", true, true),
            ("*", true, true),
            ("kernel_route.node-0[\"10.200.1.0/24\"]", false, true),
            ("kernel_route.node-0[10.200.1.0/24]", false, true),
            ("kernel_route.*[\"10.200.*\"]", false, true),
            ("node-0[10.200.1.0/24]", false, true),
            ("*10.200.1.0/24*", false, true),
            ("kernel_route.node-0[\"10.200.2.0/24\"]", false, false),
            ("node-00", false, false),
            ("node-", false, false),
            ("kernel_rule.node-0", false, false),
            ("kernel_rule.*", false, false),
        ] {
            assert_eq!(pattern(text).matches("kernel_route", "node-0", None), whole, "{text}");
            assert_eq!(pattern(text).matches("kernel_route", "node-0", row), one, "{text}");
            assert!(!one || whole || pattern(text).may_match_rows("kernel_route", "node-0"), "{text}");
        }
        assert!(!pattern("node-1*").may_match_rows("kernel_route", "node-0"));
        assert!(!pattern("node-1[10*]").may_match_rows("kernel_route", "node-0"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "a b", "a[", "a]", "a[]", "[x]", "a[\"x\"", "a[\"x\"]y", "a\"", "a[b[c]]", "a\n"] {
            assert!(text.parse::<AddressPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [("*", ""), ("*", "a"), ("node-*", "node-"), ("n?de", "node"), ("*-*-b", "a-b-c-b")] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("?", ""), ("node", "node-1"), ("*a", "ab"), ("a*b*c", "acb")] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        let text = "a".repeat(200);
        assert!(!glob(&format!("{}b", "*a".repeat(60)), &text));
        assert!(glob(&format!("{}*", "*a".repeat(60)), &text));
    }
}

//! Names of topologies, nodes, subnets, groups and backends.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::network::serde_text;

/// A letter or digit, then letters, digits, `-`, `_` and `.`, without `..`. It has at most 63 characters, all of them
/// ASCII. Safe as a file name and in a shell word. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(Arc<str>);

/// A text that is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a name; names are a letter or digit, then letters, digits, `-`, `_` and `.` (not `..`), \
     at most 63 characters",
    .0.escape_debug()
)]
pub struct NameError(pub String);

impl Name {
    /// Checks a text.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if Self::is_valid(text) { Ok(Self(text.into())) } else { Err(NameError(text.to_owned())) }
    }

    /// Whether a text is a name.
    pub fn is_valid(text: &str) -> bool {
        let mut before = b' ';
        // One pass, because a topology has thousands of names.
        text.len() <= 63
            && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
            && text.bytes().all(|byte| {
                let allowed = match byte {
                    b'.' => before != b'.',
                    b'-' | b'_' => true,
                    _ => byte.is_ascii_alphanumeric(),
                };
                before = byte;
                allowed
            })
    }

    /// A name that shares the text. None if the text is not a name.
    pub(super) fn shared(text: &Arc<str>) -> Option<Self> {
        Self::is_valid(text).then(|| Self(Arc::clone(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<Name> for Arc<str> {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

serde_text!(Deserialize Name);

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(64);
        for text in ["", "-x", ".x", "a..b", "a b", "a/b", "a;b", "a\nb", "ä", "$(id)", "a\"b", &long] {
            assert!(Name::new(text).is_err(), "{text:?}");
        }
        for text in ["node-0", "0", "a.b_c-d", &"a".repeat(63)] {
            assert!(Name::new(text).is_ok(), "{text:?}");
        }
    }
}

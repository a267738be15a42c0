//! The tokens that places give.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A proof that a place makes over what it has. It is compared only with tokens of the same place.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token(Box<str>);

impl Token {
    /// A token as the place gave it.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A token from the hash over our rows and the hash over the others'.
    pub fn of(ours: &str, foreign: &str) -> Self {
        Self::new(format!("{ours}.{foreign}"))
    }

    /// The token of a file that its routes belong to: over the routing table and the file.
    pub fn joined(table: &Self, file: &Self) -> Self {
        Self::new(format!("{}.{}", table.as_str(), file.as_str()))
    }

    /// The tokens that [`Token::joined`] put together: of the routing table, if there is one, and of the file.
    pub fn split(&self) -> (Option<Self>, Self) {
        match self.as_str().rsplit_once('.') {
            Some((table, file)) => (Some(Self::new(table)), Self::new(file)),
            None => (None, self.clone()),
        }
    }

    /// The hash over our rows.
    pub fn ours(&self) -> &str {
        self.as_str().split('.').next().unwrap_or_default()
    }

    /// The hash over the others' rows. Empty if it was not kept.
    pub fn foreign(&self) -> &str {
        self.as_str().split('.').nth(1).unwrap_or_default()
    }

    /// The token without the hash over the others' rows. With it, the place always sends these rows, which a warning is
    /// about.
    #[must_use]
    pub fn without_foreign(&self) -> Self {
        Self::new(format!("{}.", self.ours()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.0)
    }
}

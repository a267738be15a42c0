//! Parts of an answer that are left out where nothing has moved.

/// A part of an answer. What is left out is not empty: it is as the known token of the question says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<T> {
    /// Left out: it is as it was when the place gave the token that the question named.
    AsKnown,
    /// Here it is.
    Sent(T),
}

impl<T> Part<T> {
    /// What was sent; none where it is as known.
    pub fn sent(&self) -> Option<&T> {
        match self {
            Self::AsKnown => None,
            Self::Sent(part) => Some(part),
        }
    }

    /// Whether it was left out.
    pub fn is_as_known(&self) -> bool {
        matches!(self, Self::AsKnown)
    }
}

//! What an answer says about one thing: it exists, it does not exist, or nobody knows.

use std::fmt;

/// What topo knows about one live thing. Only decoders of replies make it. [`Evidence::Unknown`] is neither presence nor
/// absence: it never leads to a removal, to a creation, or to the words "no changes".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence<T> {
    /// The answer has it.
    Seen(T),
    /// The answer says that it does not exist.
    Absent,
    /// No answer says whether it exists.
    Unknown(Why),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody asked.
    NotAsked,
    /// The question failed, or topo cannot read the answer. Full sentences say what to do next.
    Failed(String),
}

impl<T> Evidence<T> {
    /// The same, borrowed.
    pub fn as_ref(&self) -> Evidence<&T> {
        match self {
            Self::Seen(value) => Evidence::Seen(value),
            Self::Absent => Evidence::Absent,
            Self::Unknown(why) => Evidence::Unknown(why.clone()),
        }
    }

    /// The same about what `of` makes of the value.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Evidence<U> {
        match self {
            Self::Seen(value) => Evidence::Seen(of(value)),
            Self::Absent => Evidence::Absent,
            Self::Unknown(why) => Evidence::Unknown(why),
        }
    }

    /// The value, or none if it does not exist.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub fn known(self) -> Result<Option<T>, Why> {
        match self {
            Self::Seen(value) => Ok(Some(value)),
            Self::Absent => Ok(None),
            Self::Unknown(why) => Err(why),
        }
    }

    /// Whether there is no answer.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "nobody looked",
            Self::Failed(reason) => reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_never_taken_for_absent() {
        let failed = || Why::Failed("It did not answer.".to_owned());
        assert_eq!(Evidence::Seen(1).as_ref().map(|number| number + 1).known(), Ok(Some(2)));
        assert_eq!(Evidence::<u8>::Absent.as_ref().map(|number| number + 1).known(), Ok(None));
        let unknown = Evidence::<u8>::Unknown(failed());
        assert!(unknown.is_unknown() && !Evidence::<u8>::Absent.is_unknown());
        assert_eq!(unknown.as_ref().map(|number| number + 1).known(), Err(failed()));
        assert_eq!([Why::NotAsked, failed()].map(|why| why.to_string()), ["nobody looked", "It did not answer."]);
    }
}

//! Random identifiers: the lineage of a state and the id of a run.

use std::fmt;
use std::io;
use std::str::FromStr;

use crate::network::serde_text;

/// `N` random bytes, written as lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier<const N: usize>([u8; N]);

/// The line of states that a state belongs to. Random, made with the first state. 128 bits, 32 digits.
pub type Lineage = Identifier<16>;

/// One run of a command that writes. 64 bits, 16 digits.
pub type RunId = Identifier<8>;

impl<const N: usize> Identifier<N> {
    /// A new one, from the operating system's random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes)
            .map_err(|error| io::Error::other(format!("The operating system gave no random numbers: {error}.")))?;
        Ok(Self(bytes))
    }

    /// One with given bytes.
    pub const fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

/// A text that is not an [`Identifier`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an identifier of {digits} hexadecimal digits", text.escape_debug())]
pub struct IdentifierError {
    text: Box<str>,
    digits: usize,
}

impl<const N: usize> FromStr for Identifier<N> {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let refused = || IdentifierError { text: text.into(), digits: 2 * N };
        if text.len() != 2 * N || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(refused());
        }
        let mut bytes = [0; N];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| refused())?;
        }
        Ok(Self(bytes))
    }
}

impl<const N: usize> fmt::Display for Identifier<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

serde_text!(Debug Identifier<N>, N: usize);
serde_text!(Serialize Identifier<N>, N: usize);
serde_text!(Deserialize Identifier<N>, N: usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let lineage = Lineage::random().expect("random");
        assert_eq!(lineage.to_string().len(), 32);
        assert_eq!(lineage.to_string().parse(), Ok(lineage));
        assert_ne!(lineage, Lineage::random().expect("random"));
        for text in ["", "0", "00112233445566778", "0011223344556g77", "0011223344556A77", "é011223344556677"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}

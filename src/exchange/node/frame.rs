//! The frames of a reply, and the tokens in them.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::resource::Token;

/// A reply that is not a valid answer to the exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The node's answer is not valid ({0}). Check whether something on the node, such as a login script, prints text in every session."
)]
pub struct Untrusted(pub(super) &'static str);

/// The frames of a reply, one for each request.
pub(super) struct Frames<'a> {
    rest: &'a str,
    nonce: &'a str,
}

impl<'a> Frames<'a> {
    /// The frames in an output. This random word marks their start and end.
    pub(super) fn new(output: &'a str, nonce: &'a str) -> Self {
        Self { rest: output, nonce }
    }

    /// The kind and the body of the next frame.
    pub(super) fn next(&mut self) -> Result<(&'a str, &'a str), Untrusted> {
        let begin = format!("\n{} begin ", self.nonce);
        let end = format!("\n{} end\n", self.nonce);
        // The text before the frame is noise of the session.
        let at = self.rest.find(&begin).ok_or(Untrusted("a part is missing"))? + begin.len();
        let (kind, body) = self.rest[at..].split_once('\n').ok_or(Untrusted("it ends too early"))?;
        // After an empty body, the end mark follows the line directly.
        let (body, rest) = if let Some(rest) = body.strip_prefix(&end[1..]) {
            ("", rest)
        } else {
            let at = body.find(&end).ok_or(Untrusted("it ends too early"))?;
            (&body[..at], &body[at + end.len()..])
        };
        self.rest = rest;
        Ok((kind, body))
    }

    /// Whether the script ran to its end.
    pub(super) fn finish(&self) -> Result<(), Untrusted> {
        let done = format!("\n{} done", self.nonce);
        let found = self.rest.contains(&done) || self.rest.starts_with(&done[1..]);
        if found { Ok(()) } else { Err(Untrusted("it ends too early")) }
    }
}

/// The two words of a line `token HEX HEX`: the digests over our rows and over those of others.
pub(super) fn token(line: &str) -> Result<Token, Untrusted> {
    let mut words = line.strip_prefix("token ").ok_or(Untrusted("the token is missing"))?.split(' ');
    let mut part = || {
        let word = words.next().unwrap_or_default();
        let digest = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        digest.then_some(word).ok_or(Untrusted("the token is damaged"))
    };
    Ok(Token::of(part()?, part()?))
}

/// The digest that a node takes of rows, each but the last with a newline: the beginning of `sha256sum`.
pub(super) fn digest(rows: &str) -> String {
    let digest = Sha256::new().chain_update(rows).chain_update("\n").finalize();
    digest.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn a_digest_is_that_of_sha256sum() {
        // printf '\n' | sha256sum; printf '1 a\n1 b\n' | sha256sum
        assert_eq!(digest(""), "01ba4719c80b6fe9");
        assert_eq!(digest("1 a\n1 b"), "92f323504354180b");
    }
}

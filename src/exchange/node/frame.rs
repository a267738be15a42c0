//! The frames of a reply, and the tokens in them.

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

/// `token HEX HEX`: the digests over our rows and over those of others.
pub(super) fn token(line: &str) -> Result<Token, Untrusted> {
    let mut words = line.strip_prefix("token ").ok_or(Untrusted("the token is missing"))?.split(' ');
    let mut part = || {
        let word = words.next().unwrap_or_default();
        let digest = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        digest.then_some(word).ok_or(Untrusted("the token is damaged"))
    };
    Ok(Token::of(part()?, part()?))
}

//! The digests of a document and of the lines of a journal. They find damage. They do not stop somebody who wants to deceive
//! topo.

use twox_hash::XxHash3_128;

/// What stands before the digest in a document.
const BEFORE: &str = "{\"version\":2,\n";
/// What comes next: the name of the field.
const NAME: &str = "\"digest\":\"";
/// What follows the digits.
const AFTER: &str = "\",\n";
/// How many hexadecimal digits a digest has.
const DIGITS: usize = 32;

/// What the digest of a document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seal {
    /// It is that of the content.
    Right,
    /// It is another one.
    Wrong,
    /// There is none where topo writes it.
    Missing,
}

/// The XXH3-128 of a text.
pub(super) fn digest(text: &[u8]) -> String {
    digits(XxHash3_128::oneshot(text))
}

/// A number as `xxhsum -H2` prints it.
fn digits(number: u128) -> String {
    format!("{number:032x}")
}

/// The digest of a document, given what comes after the line of the digest: that of the document without this line.
fn digest_of_document(rest: &[u8]) -> String {
    let mut hasher = XxHash3_128::new();
    hasher.write(BEFORE.as_bytes());
    hasher.write(rest);
    digits(hasher.finish_128())
}

/// Compares the digest of a document with its content.
pub(super) fn seal_of(document: &[u8]) -> Seal {
    let Some(rest) = document.strip_prefix(BEFORE.as_bytes()).and_then(|rest| rest.strip_prefix(NAME.as_bytes()))
    else {
        return Seal::Missing;
    };
    let content = rest.split_at_checked(DIGITS).and_then(|(found, rest)| {
        let content = rest.strip_prefix(AFTER.as_bytes())?;
        (found == digest_of_document(content).as_bytes()).then_some(content)
    });
    if content.is_some() { Seal::Right } else { Seal::Wrong }
}

/// The start of a document. [`seal`] puts in the digest once the rest is there.
pub(super) fn start() -> String {
    [BEFORE, NAME, &"0".repeat(DIGITS), AFTER].concat()
}

/// Puts the digest into a document that begins with [`start`].
pub(super) fn seal(document: &mut [u8]) {
    let at = BEFORE.len() + NAME.len();
    let digits = digest_of_document(&document[at + DIGITS + AFTER.len()..]);
    document[at..at + DIGITS].copy_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::wire::VERSION;

    #[test]
    fn digests_are_those_of_other_tools() {
        // `xxhsum -H2` of version 0.8.
        assert_eq!(digest(b""), "99aa06d3014798d86001c324468d497f");
        assert_eq!(BEFORE, format!("{{\"version\":{VERSION},\n"));
    }

    #[test]
    fn a_seal_is_right_until_a_byte_changes() {
        let mut document = (start() + "\"serial\":7}\n").into_bytes();
        assert_eq!(seal_of(&document), Seal::Wrong);
        seal(&mut document);
        assert_eq!(seal_of(&document), Seal::Right);
        for at in 0..document.len() {
            document[at] ^= 1;
            assert_ne!(seal_of(&document), Seal::Right, "byte {at}");
            document[at] ^= 1;
            assert_ne!(seal_of(&document[..at]), Seal::Right, "{at} bytes");
        }
    }
}

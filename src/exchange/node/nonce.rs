//! The word that frames a reply.

/// A random word that frames a reply, so that nobody can confuse output of login scripts with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A new one from the operating system's random numbers.
    pub fn random() -> Self {
        // Without random numbers, use the time: it differs between exchanges, and frames need no secret.
        let number = getrandom::u64().unwrap_or_else(|_| jiff::Timestamp::now().as_microsecond().unsigned_abs());
        Self(format!("topo{number:016x}"))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

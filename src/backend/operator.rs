//! What the operator says about the connection to a kind of place. It decides where secrets go, so it never comes from a
//! topology. The command line reads it, from the configuration file and from variables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::resource::Refusal;

/// A key of the operator's settings for a kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name in the configuration file; in capital letters, the end of the variable's name.
    pub name: &'static str,
    /// An example of its value.
    pub example: &'static str,
    /// Whether its value is a time span, which may be a number in the file: seconds.
    pub is_time: bool,
}

/// A setting, and where it comes from.
#[derive(Clone, Debug)]
pub struct Given {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: String,
    /// The source as a sentence names it.
    pub origin: String,
    /// The folder that relative paths start from; none for the working directory.
    pub folder: Option<PathBuf>,
    /// The operator's home, if known.
    pub home: Option<PathBuf>,
    /// The site as sentences name it.
    pub site: &'static str,
}

/// The operator's settings for the connection to a kind of place.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The settings of the site. Later ones win.
    pub given: Vec<Given>,
    /// The time limit for a connection.
    pub connect_timeout: Duration,
}

impl Given {
    /// The value as a path.
    pub fn path(&self) -> PathBuf {
        match self.value.strip_prefix("~/").zip(self.home.as_deref()) {
            Some((rest, home)) => home.join(rest),
            None => self.folder.as_deref().unwrap_or(Path::new("")).join(&self.value),
        }
    }

    /// The value as a time span longer than zero.
    pub fn time(&self) -> Result<Duration, Refusal> {
        match parse_duration(&self.value) {
            Ok(Duration::ZERO) => Err(self.refuse("is too short")),
            Ok(time) => Ok(time),
            Err(reason) => Err(self.refuse(&format!("is not a time ({reason})"))),
        }
    }

    /// Refuses the value. The reason goes on from `which`.
    pub fn refuse(&self, why: &str) -> Refusal {
        let mut value: String = self.value.chars().take(200).collect();
        // The part before an @ may contain a password.
        if let Some((_, rest)) = value.rsplit_once('@') {
            value = format!("…@{rest}");
        }
        Refusal::new(format!("{} is `{}`, which {why}.", self.origin, value.escape_debug()))
            .hint(format!("Nothing was sent to {}. Write for example {}.", self.site, self.key.example))
    }
}

/// A text that is not a time span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The unit does not exist.
    #[error("`{0}` is not a unit of time; use ms, s, m or h")]
    Unit(Box<str>),
    /// No number.
    #[error("`{0}` is not a time; write for example 30s")]
    Number(Box<str>),
    /// Longer than topo can count.
    #[error("`{0}` is out of range")]
    Range(Box<str>),
}

/// A time span: plain seconds, or a number with `ms`, `s`, `m` or `h`.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(DurationError::Unit(unit.into())),
    };
    let number: f64 = number.parse().map_err(|_| DurationError::Number(text.into()))?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| DurationError::Range(text.into()))
}

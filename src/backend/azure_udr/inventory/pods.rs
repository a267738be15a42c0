//! The tag of a machine that lists its pod subnets.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::network::{Prefix, PrefixError};

use super::unfit::{TagError, TagFault};

/// The spelling of the tag in sentences. topo also accepts `podCidr`, `pod_cidr` and similar.
pub(super) const TAG: &str = "pod-cidr";
/// The letters of all spellings.
const LETTERS: &str = "podcidr";

/// A tag in its own spelling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    key: &'a str,
    value: &'a str,
}

/// The tag of a machine. The error has two spellings that contradict each other, with their values.
pub(super) fn find(machine: &Json) -> Result<Option<Tag<'_>>, [(String, String); 2]> {
    let tags = machine["tags"].as_object().into_iter().flatten();
    let mut tags = tags.filter_map(|(key, value)| {
        let letters = key.chars().filter(|letter| !matches!(letter, '-' | '_'));
        let same = letters.map(|letter| letter.to_ascii_lowercase()).eq(LETTERS.chars());
        same.then_some(Tag { key, value: value.as_str().unwrap_or_default() })
    });
    let Some(first) = tags.next() else { return Ok(None) };
    for other in tags {
        let same = match (first.prefixes(), other.prefixes()) {
            (Ok(one), Ok(two)) => one.into_iter().collect::<BTreeSet<_>>() == two.into_iter().collect(),
            _ => first.value == other.value,
        };
        if !same {
            return Err([first, other].map(|tag| (tag.key.to_owned(), tag.value.to_owned())));
        }
    }
    Ok(Some(first))
}

impl Tag<'_> {
    /// Its prefixes, separated by commas.
    pub(super) fn prefixes(&self) -> Result<Vec<Prefix>, TagError> {
        let mut all: Vec<Prefix> = Vec::new();
        for word in self.value.split(',').map(str::trim) {
            let fault = match word.parse::<Prefix>() {
                Ok(prefix) if prefix.is_default() => TagFault::DefaultRoute(prefix),
                Ok(prefix) if all.contains(&prefix) => TagFault::Twice(prefix),
                Ok(prefix) => {
                    all.push(prefix);
                    continue;
                }
                Err(_) if self.value.trim().is_empty() => TagFault::Empty,
                Err(PrefixError::HostBits { meant, .. }) => TagFault::HostBits { word: word.to_owned(), meant },
                Err(PrefixError::Syntax(_)) => TagFault::Syntax(word.to_owned()),
            };
            return Err(TagError { tag: self.key.to_owned(), fault });
        }
        Ok(all)
    }
}

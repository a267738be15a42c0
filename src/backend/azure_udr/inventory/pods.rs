//! The tag of a machine that lists its pod subnets.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::network::{Prefix, PrefixError};

use super::shown;

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

/// The tag of a machine. If several spellings contradict each other, the error names them.
pub(super) fn find(machine: &Json) -> Result<Option<Tag<'_>>, String> {
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
            let [one, two] = [first, other].map(|tag| format!("`{}` = `{}`", shown(tag.key), shown(tag.value)));
            return Err(format!("has two different tags for its pods: {one} and {two}."));
        }
    }
    Ok(Some(first))
}

impl Tag<'_> {
    /// Its prefixes, separated by commas. The error is a reason that can follow a colon.
    pub(super) fn prefixes(&self) -> Result<Vec<Prefix>, String> {
        let mut all: Vec<Prefix> = Vec::new();
        for word in self.value.split(',').map(str::trim) {
            let reason = match word.parse::<Prefix>() {
                Ok(prefix) if prefix.is_default() => format!("`{word}` is the default route."),
                Ok(prefix) if all.contains(&prefix) => format!("`{word}` occurs twice."),
                Ok(prefix) => {
                    all.push(prefix);
                    continue;
                }
                Err(_) if self.value.trim().is_empty() => "it is empty.".to_owned(),
                Err(PrefixError::HostBits { meant, .. }) => {
                    format!("`{}` has host bits set; the prefix is `{meant}`.", shown(word))
                }
                Err(PrefixError::Syntax(_)) => format!("`{}` should look like 10.200.1.0/24.", shown(word)),
            };
            return Err(format!("its tag `{}` is not a list of prefixes: {reason}", shown(self.key)));
        }
        Ok(all)
    }
}

//! Findings in full sentences. A sentence about many places is written once.

use std::collections::HashMap;

use super::words::place_names;
use crate::plan::Plan;
use crate::plan::findings::{Address, Finding, Remedy, Severity, Text};
use crate::resource::{Place, natural_order};

/// Something that topo found in one or more places.
#[derive(Clone, Debug)]
pub struct Sentence<'a> {
    /// The places, in natural order.
    pub places: Vec<&'a Place>,
    /// The first of the findings. The others differ only in the place.
    pub first: &'a Finding,
}

/// What findings have in common that are one sentence.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    severity: Severity,
    code: &'static str,
    text: &'a Text,
    remedies: &'a [Remedy],
    /// Kind and key, which remedies name.
    what: (Option<&'a str>, Option<&'a str>),
}

/// Everything that a plan found, the most serious last.
pub fn all(plan: &Plan) -> Vec<Sentence<'_>> {
    let mut sentences: Vec<Sentence<'_>> = Vec::new();
    let mut known: HashMap<Key<'_>, usize> = HashMap::new();
    for finding in &plan.findings {
        let Address { place, kind, key } = &finding.address;
        let key = Key {
            severity: finding.severity,
            code: finding.code,
            text: &finding.text,
            remedies: &finding.remedies,
            what: (kind.as_deref(), key.as_deref()),
        };
        let at = *known.entry(key).or_insert_with(|| {
            sentences.push(Sentence { places: Vec::new(), first: finding });
            sentences.len() - 1
        });
        sentences[at].places.push(place);
    }
    for sentence in &mut sentences {
        sentence.places.sort_by(|one, other| natural_order(one.name(), other.name()));
        sentence.places.dedup();
    }
    sentences.sort_by_key(|sentence| sentence.first.severity);
    sentences
}

impl Sentence<'_> {
    /// The address of what it is about, for options of the command.
    pub fn address(&self) -> String {
        let name = if let [only] = self.places[..] { only.name() } else { "*" };
        self.first.address.with_place_name(name)
    }

    /// The whole text: what topo found, and what the user can do.
    pub fn text(&self) -> String {
        let mut text = self.first.text.about(&place_names(self.places.iter().copied()));
        let address = self.address();
        for remedy in &self.first.remedies {
            text.push(' ');
            text.push_str(&remedy.text(&address));
        }
        text
    }
}

//! Findings in full sentences: what holds for many places is said once.

use std::collections::HashMap;

use super::words::place_names;
use crate::plan::Plan;
use crate::plan::findings::{Address, Finding, Remedy, Severity, Text};
use crate::resource::{Place, natural_order};

/// What was found in one or more places.
#[derive(Clone, Debug)]
pub struct Sentence<'a> {
    /// The places, in natural order.
    pub places: Vec<&'a Place>,
    /// The first of the findings: the others differ in the place alone.
    pub first: &'a Finding,
}

/// What findings of several places have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    severity: Severity,
    code: &'static str,
    text: &'a Text,
    remedies: &'a [Remedy],
    /// Kind and key of what remedies name.
    what: (Option<&'a str>, Option<&'a str>),
}

/// All that a plan found, the most serious last.
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
    /// What it is about, as options take it.
    pub fn address(&self) -> String {
        let name = if let [only] = self.places[..] { only.name() } else { "*" };
        self.first.address.with_place_name(name)
    }

    /// The whole text: what was found, and what can be done.
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

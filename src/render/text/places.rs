//! The places of a line in a few words.

use std::collections::HashMap;

use super::super::words::{is_run, names};
use crate::plan::{Change, Summary};

/// Writes lists of places. It remembers for each list whether its names follow each other without a gap.
pub(super) struct Places<'a> {
    summary: &'a Summary,
    runs: HashMap<*const u32, bool>,
}

impl<'a> Places<'a> {
    pub(super) fn new(summary: &'a Summary) -> Self {
        Self { summary, runs: HashMap::new() }
    }

    fn name(&self, number: u32) -> &'a str {
        self.summary.place(number).name()
    }

    /// All places of a list except a few.
    pub(super) fn all_but(&mut self, members: &[u32], without: &[u32]) -> String {
        let count = members.len() - without.len();
        let rest =
            || members.iter().copied().filter(|member| !without.contains(member)).map(|number| self.name(number));
        if count <= 3 {
            return names(rest());
        }
        match without.len() {
            1 | 2 => format!("all but {} ({count} nodes)", names(without.iter().map(|number| self.name(*number)))),
            0 => {
                let known = self.runs.get(&members.as_ptr()).copied();
                let is_run = known.unwrap_or_else(|| is_run(rest()));
                let text = if is_run {
                    let ends = members.first().zip(members.last());
                    let (first, last) = ends.map_or(("", ""), |(one, other)| (self.name(*one), self.name(*other)));
                    format!("{first} … {last} ({count} nodes)")
                } else {
                    names(rest())
                };
                self.runs.insert(members.as_ptr(), is_run);
                text
            }
            _ => names(rest()),
        }
    }

    /// Some places of a change.
    pub(super) fn of(&self, change: &Change, members: &[u32]) -> String {
        let missing = change.members.len().saturating_sub(members.len());
        if members.len() > 3 && (1..=2).contains(&missing) {
            let others = change.members.iter().filter(|member| members.binary_search(member).is_err());
            return format!("all but {} ({} nodes)", names(others.map(|number| self.name(*number))), members.len());
        }
        names(members.iter().map(|number| self.name(*number)))
    }
}

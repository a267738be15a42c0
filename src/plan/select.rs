//! A part of a plan: what the user selected, or one place anew.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Desired;
use super::build::{Inputs, Options, Plan, acts, align};
use super::findings::{Finding, REPLACED, Scope, Severity, UNSEEN};
use super::observed::{Observation, Seen};
use super::operation::Operation;
use crate::network::{Memo, Prefix};
use crate::resource::{AddressPattern, Phase, Place, ResourceId};

impl Plan {
    /// Keeps what the user selected, and the Prepare changes of the receivers of what is selected.
    pub(super) fn select(&mut self, options: &Options, memo: &mut Memo) {
        let chosen = |place: &Place, kind: &str, row: &str| {
            let matches = |patterns: &[AddressPattern]| {
                patterns.iter().any(|pattern| pattern.matches(kind, place.name(), Some(row)))
            };
            (options.targets.is_empty() || matches(&options.targets)) && !matches(&options.excludes)
        };
        // The routes in a file are selected with the file.
        let chosen_row = |place: &Place, id: &ResourceId, destination: &Prefix| match &*id.name {
            "" => chosen(place, &id.kind, &destination.to_string()),
            name => chosen(place, &id.kind, name),
        };
        let mut received: BTreeSet<Prefix> = BTreeSet::new();
        for (place, plan) in &self.places {
            for (id, table) in plan.tables.iter().filter(|(_, table)| table.judged) {
                let reasons = self.reasons(place);
                let selected = table.operations(&reasons, memo);
                let selected = selected.iter().map(|operation| operation.route.destination);
                received.extend(selected.filter(|key| chosen_row(place, id, key)));
            }
        }
        let mut places = std::mem::take(&mut self.places);
        for (place, plan) in &mut places {
            let reasons = self.reasons(place);
            for (id, table) in &mut plan.tables {
                let keep = |operation: &Operation| {
                    let key = &operation.route.destination;
                    chosen_row(place, id, key) || (operation.phase == Phase::Prepare && received.contains(key))
                };
                table.select(&keep, &reasons, memo);
            }
            align(&mut plan.tables);
            for file in &mut plan.files {
                if !chosen(place, &file.id.kind, &file.id.name) {
                    file.is_left = file.change.take().is_some();
                }
            }
            plan.acts = acts(&plan.tables, &plan.files, memo);
        }
        places.retain(|_, plan| plan.acts || plan.renamed_from.is_some());
        let is_kept = |finding: &Finding| {
            let kind = finding.address.kind.as_deref().unwrap_or_default();
            match (&finding.scope, &finding.address.key) {
                (Scope::All, _) => true,
                (Scope::Key, Some(key)) => chosen(finding.place(), kind, key),
                (Scope::Keys(kind, keys), _) => keys.iter().any(|key| chosen(finding.place(), kind, &key.to_string())),
                // What only informs stays.
                _ => !finding.stops() || places.get(finding.place()).is_some_and(|plan| plan.acts),
            }
        };
        self.findings.retain(is_kept);
        self.places = places;
    }

    /// Plans one place anew that could not be looked at before and has answered since. An error says why what was planned
    /// from the record does not hold there.
    pub fn replan(&mut self, place: &Place, inputs: &Inputs<'_>, seen: Seen, memo: &mut Memo) -> Result<(), String> {
        let summary = |plan: &Self, memo: &mut Memo| -> BTreeSet<(ResourceId, Prefix, IpAddr, Phase)> {
            let operations = plan.operations(place, memo).into_iter();
            operations.map(|(id, one)| (id, one.route.destination, one.route.next_hop, one.phase)).collect()
        };
        let before = summary(self, memo);
        let mut desired = Desired { covered: inputs.desired.covered.clone(), ..Desired::default() };
        desired.places.extend(inputs.desired.places.get(place).map(|wanted| (place.clone(), wanted.clone())));
        let mut state = inputs.recorded.clone();
        state.places.retain(|name, _| name == place);
        let observed = [(place.clone(), Observation::Seen(Box::new(seen)))].into();
        let mut fresh = Self::new(inputs.topology, &desired, &state, &observed, inputs.options, memo);
        fresh.people = self.people.clone();
        if let Some(conflict) = fresh.findings.iter().find(|finding| finding.severity == Severity::Conflict) {
            let key = conflict.address.key.as_deref().unwrap_or_default();
            return Err(format!("somebody else has {key} there: {}", conflict.found.as_deref().unwrap_or_default()));
        }
        if let Some(unseen) = fresh.findings.iter().find(|finding| finding.code == UNSEEN) {
            return Err(format!("topo could not look at all of it: {}", unseen.found.as_deref().unwrap_or_default()));
        }
        if fresh.is_stopped() {
            return Err("the checks before writing do not pass there".to_owned());
        }
        if fresh.findings.iter().any(|finding| finding.code == REPLACED) {
            return Err("another machine answers there than the one on record".to_owned());
        }
        if !summary(&fresh, memo).is_subset(&before) {
            return Err("it is not as it was recorded".to_owned());
        }
        if let Some(planned) = fresh.places.remove(place) {
            self.places.insert(place.clone(), planned);
        } else if let Some(planned) = self.places.get_mut(place) {
            planned.tables.clear();
            planned.files.clear();
            planned.unseen = None;
        }
        Ok(())
    }
}

//! Which record belongs to which place: machines are known by their id, not by their name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::build::{Options, Plan};
use super::findings::{Note, Refusal};
use super::observed::Observation;
use super::{Desired, Place};
use crate::state::State;

/// Which record belongs to which place of the topology: machines are known by their id, not by their name.
#[derive(Default)]
pub(super) struct Claims {
    /// Place of the topology → place of the record.
    sources: HashMap<Place, Place>,
    /// Recorded places that another place of the topology has claimed.
    pub(super) moved: BTreeSet<Place>,
    /// Places where another machine answers than the recorded one.
    pub(super) replaced: BTreeSet<Place>,
}

impl Claims {
    /// Compares the machines that answered with the recorded ones.
    pub(super) fn new(
        desired: &Desired,
        recorded: &State,
        observed: &BTreeMap<Place, Observation>,
        options: &Options,
        plan: &mut Plan,
    ) -> Self {
        let mut claims = Self::default();
        let machine = |place: &Place| {
            observed
                .get(place)
                .and_then(Observation::seen)
                .map(|seen| seen.identity.machine_id.as_str())
                .filter(|id| !id.is_empty())
        };
        let known: HashMap<&str, &Place> = recorded
            .places
            .iter()
            .filter(|(place, _)| !place.node().is_some_and(|name| options.forget.contains(name)))
            .filter_map(|(place, record)| Some((record.machine_id.as_deref().filter(|id| !id.is_empty())?, place)))
            .collect();
        let mut answering: HashMap<&str, &Place> = HashMap::new();
        for place in desired.places.keys() {
            if let Some(id) = machine(place)
                && let Some(other) = answering.insert(id, place)
            {
                plan.refusals.push(Refusal::SameMachine(other.clone(), place.clone()));
            }
            let by_name = recorded.places.get(place);
            let by_machine = machine(place).and_then(|id| known.get(id).copied());
            match (by_machine, by_name, machine(place)) {
                (Some(source), _, _) => {
                    if source != place {
                        plan.notes.push(Note::Renamed(source.clone(), place.clone()));
                        claims.moved.insert(source.clone());
                    }
                    claims.sources.insert(place.clone(), source.clone());
                }
                (None, Some(record), Some(_)) if record.machine_id.as_deref().is_some_and(|id| !id.is_empty()) => {
                    plan.notes.push(Note::Replaced(place.clone()));
                    claims.replaced.insert(place.clone());
                    plan.people.begins_anew(place);
                }
                (None, Some(_), _) => {
                    claims.sources.insert(place.clone(), place.clone());
                }
                (None, None, _) => {}
            }
        }
        for place in recorded.places.keys().filter(|place| !desired.places.contains_key(*place)) {
            // A machine that is gone from the topology, and where another answers by now: nothing of ours is there.
            let record = &recorded.places[place];
            match (machine(place), record.machine_id.as_deref().filter(|id| !id.is_empty())) {
                (Some(found), Some(id)) if found != id => {
                    plan.notes.push(Note::Replaced(place.clone()));
                    claims.replaced.insert(place.clone());
                }
                _ => _ = claims.sources.insert(place.clone(), place.clone()),
            }
        }
        claims
    }

    /// Where what is recorded for a place stands in the record.
    pub(super) fn source<'a>(&'a self, place: &'a Place) -> Option<&'a Place> {
        self.sources.get(place)
    }
}

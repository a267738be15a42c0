//! Finds the record of each place. topo knows a machine by its id, not by its name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::findings::{name_taken, renamed, replaced, same_machine};
use super::observed::Observation;
use crate::backend::Desired;
use crate::plan::{DesiredPlace, Options, Plan};
use crate::resource::{Endpoint, Place, Record};
use crate::state::{PlaceRecord, State};

/// The record of each place of the topology. topo knows a machine by its id, not by its name.
#[derive(Default)]
pub(super) struct MachineIdentities {
    /// Place of the topology → place of the record.
    sources: HashMap<Place, Place>,
    /// topo saw no machine, so it finds each record by the name.
    by_name: bool,
    /// Recorded places that another place of the topology has claimed.
    pub(super) moved: BTreeSet<Place>,
    /// Places where another machine answers than the recorded one.
    pub(super) replaced: BTreeSet<Place>,
}

impl MachineIdentities {
    /// Compares the machines that answered with the recorded ones.
    pub(super) fn new(
        desired: &Desired,
        recorded: &State,
        observed: &BTreeMap<Place, Observation>,
        options: &Options,
        plan: &mut Plan,
    ) -> Self {
        let mut identities = Self::default();
        if !observed.values().any(|observation| observation.seen().is_some()) {
            identities.by_name = true;
            return identities;
        }
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
                plan.findings.push(same_machine(other, place));
            }
            let by_name = recorded.places.get(place);
            let by_machine = machine(place).and_then(|id| known.get(id).copied());
            match (by_machine, by_name, machine(place)) {
                (Some(source), _, _) => {
                    if source != place {
                        plan.findings.push(renamed(source, place));
                        identities.moved.insert(source.clone());
                    }
                    identities.sources.insert(place.clone(), source.clone());
                }
                (None, Some(record), Some(_)) if record.machine_id.as_deref().is_some_and(|id| !id.is_empty()) => {
                    plan.findings.push(replaced(place));
                    identities.replaced.insert(place.clone());
                    Arc::make_mut(&mut plan.owners).mark_new(place);
                }
                (None, Some(_), _) => {
                    identities.sources.insert(place.clone(), place.clone());
                }
                (None, None, _) => {}
            }
        }
        // A place that does not answer cannot have the record that went with its machine to another name.
        let silent = |place: &Place| machine(place).is_none();
        identities
            .sources
            .retain(|place, source| place != source || !silent(place) || !identities.moved.contains(place));
        // It gets the record of a machine that had the same host, if another place has the name of that machine now.
        let same_host = |wanted: &DesiredPlace, record: &PlaceRecord| {
            let host = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(|one| (one.host.clone(), one.port));
            wanted.endpoint.is_some() && host(&wanted.endpoint) == host(&record.endpoint)
        };
        let mut found: Vec<(Place, Place)> = Vec::new();
        for (place, record) in &recorded.places {
            let lost = identities.replaced.contains(place)
                || identities.sources.get(place).is_some_and(|source| source != place);
            if !lost || identities.sources.values().any(|source| source == place) {
                continue;
            }
            let mut silent =
                desired.places.iter().filter(|(other, _)| silent(other) && !identities.sources.contains_key(*other));
            let other = silent.find(|(_, wanted)| same_host(wanted, record));
            found.extend(other.map(|(other, _)| (other.clone(), place.clone())));
        }
        for (place, source) in found {
            plan.findings.push(renamed(&source, &place));
            identities.moved.insert(source.clone());
            identities.sources.insert(place, source);
        }
        for (place, source) in &identities.sources {
            // If topo never saw the machine and never confirmed the record, no other machine can have it.
            let confirmed = |record: &PlaceRecord| {
                let is = |record: &Record| !matches!(record, Record::InDoubt { is: None, .. });
                record.machine_id.is_some() || record.resources.values().any(is)
            };
            let displaced = place != source && recorded.places.get(place).is_some_and(confirmed);
            // Another machine answers at its host now.
            let reinstalled = recorded.places.get(place).is_some_and(|record| {
                let mut there = desired.places.iter().filter(|(_, wanted)| same_host(wanted, record));
                there.any(|(other, _)| machine(other).is_some_and(|id| record.machine_id.as_deref() != Some(id)))
            });
            let machine_gone = reinstalled
                || identities.replaced.contains(place)
                || options.forget.iter().any(|name| place.node() == Some(name.as_str()));
            if displaced && !machine_gone && !identities.sources.values().any(|source| source == place) {
                plan.findings.push(name_taken(place, source));
            }
        }
        for place in recorded.places.keys().filter(|place| !desired.places.contains_key(*place)) {
            // The machine is no longer in the topology, and another one answers in its place: nothing of topo's is there.
            let record = &recorded.places[place];
            match (machine(place), record.machine_id.as_deref().filter(|id| !id.is_empty())) {
                (Some(found), Some(id)) if found != id => {
                    plan.findings.push(replaced(place));
                    identities.replaced.insert(place.clone());
                }
                _ => _ = identities.sources.insert(place.clone(), place.clone()),
            }
        }
        identities
    }

    /// The place under which the state has the record of a place.
    pub(super) fn source<'a>(&'a self, place: &'a Place) -> Option<&'a Place> {
        if self.by_name { Some(place) } else { self.sources.get(place) }
    }
}

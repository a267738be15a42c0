//! Finds the record of each place: topo knows a machine by its marker and its id, not by its name alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::findings::{name_taken, new_id, of_another, renamed, replaced, same_id};
use super::machines::{Machine, Machines};
use super::observed::Observation;
use crate::backend::Inputs;
use crate::plan::{DesiredPlace, Plan};
use crate::resource::{Endpoint, Place, Record};
use crate::state::PlaceRecord;

/// The record of each place of the topology.
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
    /// Places where the machine of another node answers, or a clone. Nothing is planned there.
    pub(super) refused: BTreeSet<Place>,
}

impl MachineIdentities {
    /// Compares the machines that answered with the recorded ones.
    pub(super) fn new(inputs: &Inputs<'_>, observed: &BTreeMap<Place, Observation>, plan: &mut Plan) -> Self {
        let Inputs { desired, recorded, options, .. } = *inputs;
        let mut identities = Self::default();
        let seen = |(place, observation)| Some((place, Observation::seen(observation)?));
        if !observed.iter().any(|one| seen(one).is_some()) {
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
        let is_used = |place: &Place| !place.node().is_some_and(|name| options.forget.contains(name));
        let answers = observed.iter().filter_map(seen).map(|(place, seen)| (place, &seen.identity));
        let machines = Machines::new(inputs, answers, is_used);
        for (id, places) in machines.clones() {
            let addresses = |place: &Place| observed.get(place)?.seen().map(|seen| seen.identity.addresses.as_slice());
            let is_one = places.windows(2).all(|pair| addresses(pair[0]) == addresses(pair[1]));
            plan.findings.extend(places.iter().map(|place| same_id(place, id, is_one)));
        }
        for place in desired.places.keys() {
            let itself = |identities: &mut Self| _ = identities.sources.insert(place.clone(), place.clone());
            match machines.of(place) {
                Some(Machine::Same) => itself(&mut identities),
                Some(Machine::NewId) => {
                    plan.findings.push(new_id(place));
                    itself(&mut identities);
                }
                Some(Machine::Renamed(source)) => {
                    plan.findings.push(renamed(source, place));
                    identities.moved.insert(source.clone());
                    identities.sources.insert(place.clone(), source.clone());
                }
                Some(Machine::Replaced) => {
                    plan.findings.push(replaced(place));
                    identities.replaced.insert(place.clone());
                    Arc::make_mut(&mut plan.owners).mark_new(place);
                }
                Some(Machine::Refused(source, why)) => {
                    plan.findings.push(of_another(place, source, why, inputs.topology));
                    identities.refused.insert(place.clone());
                }
                Some(Machine::Clone) => _ = identities.refused.insert(place.clone()),
                None if recorded.places.contains_key(place) => itself(&mut identities),
                Some(Machine::New) | None => {}
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

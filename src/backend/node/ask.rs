//! Which nodes topo asks, and about whose records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::look::{question, read, target};
use super::machines::{Machine, Machines};
use super::nodes::{Look, NodeSite};
use super::observed::Observation;
use super::ways::Ways;
use crate::backend::{Inputs, LOST, Pose, Question};
use crate::exchange::node::Request;
use crate::resource::Place;

/// What is said of a place that nobody can reach.
const NO_ENDPOINT: &str = "Neither the topology nor the record says how to reach it. Add it to the topology, or drop its record with \
                           --forget.";

impl NodeSite {
    /// Every place with wanted or recorded resources is asked about the record of its name, except places that are left out. A
    /// machine that has a new name is asked again about its own record.
    pub(super) fn questions<'a>(self: &Arc<Self>, inputs: &Inputs<'a>) -> Vec<Question<'a>> {
        let left_out = left_out(inputs);
        let Inputs { desired, recorded, .. } = *inputs;
        let looks = self.looks();
        let is_used = |place: &Place| place.is_node() && !left_out.contains(place);
        let mut questions = Vec::new();
        let mut ask = |place: &'a Place, source: Option<&'a Place>| {
            questions.extend(self.question(inputs, place, source));
        };
        if looks.is_empty() {
            let places: BTreeSet<&Place> = desired.places.keys().chain(recorded.places.keys()).collect();
            places.into_iter().filter(|place| is_used(place)).for_each(|place| ask(place, Some(place)));
            return questions;
        }
        let seen =
            looks.iter().filter_map(|(place, look)| Some((place, look.source.as_ref()?, look.observation.seen()?)));
        let answers = seen.map(|(place, source, seen)| (place, source, &seen.identity));
        // Nobody is asked three times.
        let first: BTreeSet<&Place> =
            answers.clone().filter(|(place, source, _)| place == source).map(|(place, ..)| place).collect();
        // What is recorded under a name that is left out is not planned with.
        let machines = Machines::new(inputs, answers.map(|(place, _, identity)| (place, identity)), is_used);
        for place in desired.places.keys().filter(|place| first.contains(place)) {
            match machines.of(place) {
                Some(Machine::Renamed(source)) => ask(place, Some(source)),
                // A token in the record says nothing about the rows of another machine.
                Some(Machine::Replaced) => ask(place, None),
                _ => {}
            }
        }
        drop(looks);
        let asked: BTreeSet<Place> = questions.iter().map(|question| question.place.clone()).collect();
        questions.extend(self.further_questions(inputs, |place| !asked.contains(place)));
        questions
    }

    /// Nodes with rules of their own are asked which ways packets take, in a look of its own: others have nothing to do with it.
    pub(super) fn further_questions<'a>(
        self: &Arc<Self>,
        inputs: &Inputs<'a>,
        is_due: impl Fn(&Place) -> bool,
    ) -> Vec<Question<'a>> {
        let mut questions = Vec::new();
        for (place, look) in self.looks().iter_mut().filter(|(place, look)| !look.has_ways && is_due(place)) {
            let wanted = inputs.desired.places.get(place);
            let record = look.source.as_ref().and_then(|source| inputs.recorded.places.get(source));
            let Some(seen) = look.observation.seen() else { continue };
            let ways = Ways::new(wanted, record, seen);
            look.has_ways = true;
            let mut requests = Vec::new();
            let asked = ways.clone().in_look();
            if !asked.expected.is_empty() {
                requests.push(Request::Ways(asked.packets()));
            }
            let contested = ways.contested();
            if !contested.is_empty() {
                requests.push(Request::Kept(contested));
            }
            let Some(target) = target(place, wanted, record).filter(|_| !requests.is_empty()) else { continue };
            self.ways().insert(place.clone(), ways);
            let (site, at) = (Arc::clone(self), place.clone());
            let pose: Pose<'a> = Box::new(move |_| {
                Box::pin(async move {
                    let replies = site.transport.as_ref()?.exchange(&target, &requests).await;
                    let mut answer = read(replies, &requests);
                    if let Observation::Seen(seen) = &mut answer {
                        let beaten = seen.ways.iter().flat_map(|found| asked.not_in_force(found)).collect();
                        seen.beaten = beaten;
                    }
                    let error = answer.unreachable().map(str::to_owned);
                    if let Some(look) = site.looks().get_mut(&at) {
                        look.observation.add(answer);
                    }
                    error
                })
            });
            questions.push(Question { place: place.clone(), pose });
        }
        questions
    }

    /// A question to a place about the record under a name. None if nothing is wanted there and nothing is recorded, unless topo is
    /// to destroy what a state says that does not exist.
    pub(super) fn question<'a>(
        self: &Arc<Self>,
        inputs: &Inputs<'a>,
        place: &Place,
        source: Option<&Place>,
    ) -> Option<Question<'a>> {
        let wanted = inputs.desired.places.get(place);
        let record = source.and_then(|source| inputs.recorded.places.get(source));
        // Without any state, only the markers say whether there is anything to destroy.
        let asks_for_marker = inputs.recorded.serial == 0 && inputs.desired.cleared.contains(place);
        if record.is_none() && wanted.is_none_or(|wanted| wanted.resources.is_empty()) && !asks_for_marker {
            return None;
        }
        let (site, at, source) = (Arc::clone(self), place.clone(), source.cloned());
        let pose: Pose<'a> = Box::new(move |memo| {
            let asked = question(site.backends, &at, wanted, record, memo);
            let silent = if asked.is_some() { LOST } else { NO_ENDPOINT };
            let silent = Observation::Unreachable(silent.to_owned());
            site.looks().insert(at.clone(), Look { source, observation: silent, has_ways: false });
            Box::pin(async move {
                let Some((target, requests)) = asked else { return Some(NO_ENDPOINT.to_owned()) };
                let replies = site.transport.as_ref()?.exchange(&target, &requests).await;
                let observation = read(replies, &requests);
                let error = observation.unreachable().map(str::to_owned);
                if let Some(look) = site.looks().get_mut(&at) {
                    look.observation = observation;
                }
                error
            })
        });
        Some(Question { place: place.clone(), pose })
    }
}

/// Places that topo need not look at: those to forget, and those whose resources are all excluded as a whole.
fn left_out<'a>(inputs: &Inputs<'a>) -> BTreeSet<&'a Place> {
    let Inputs { desired, recorded, options, .. } = *inputs;
    let wanted = desired.places.iter().flat_map(|(place, wanted)| wanted.resources.keys().map(move |id| (place, id)));
    let resources = wanted.chain(recorded.records().map(|(place, id, _)| (place, id)));
    let mut excluded: BTreeMap<&Place, bool> = BTreeMap::new();
    for (place, id) in resources {
        *excluded.entry(place).or_insert(true) &= options.selection.excludes(&id.kind, place.name(), None);
    }
    let forgotten = |place: &&Place| place.node().is_some_and(|name| options.forget.contains(name));
    let all = desired.places.keys().chain(recorded.places.keys());
    let excluded = excluded.into_iter().filter(|(_, all)| *all).map(|(place, _)| place);
    all.filter(forgotten).chain(excluded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::World;
    use crate::plan::Options;
    use crate::resource::Name;
    use crate::state::State;

    #[test]
    fn a_node_is_left_out_only_if_all_of_it_is_excluded() {
        let mut desired = World::mesh(1, 1).desired();
        let state = State::new(Name::new("mesh").expect("name")).expect("lineage");
        for place in desired.places.values_mut() {
            let shape = place.resources.values().next().expect("routes").clone();
            place.resources.insert("netplan/netplan_file/60-topo.yaml".parse().expect("id"), shape);
        }
        let name = Name::new("mesh").expect("name");
        for (excludes, left) in [("node-0", 1), ("kernel_route.*", 0), ("netplan_file.*", 0), ("*", 1)] {
            let mut options = Options::default();
            options.selection.excludes = vec![excludes.parse().expect("pattern")];
            let inputs = Inputs { topology: &name, desired: &desired, recorded: &state, options: &options };
            assert_eq!(left_out(&inputs).len(), left, "{excludes}");
        }
    }
}

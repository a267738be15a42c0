//! The questions to a node before it is planned, and its answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::observed::{Observation, Seen};
use super::site::NodeSite;
use crate::backend::{self, Inputs, LOST, Pose, Question};
use crate::exchange::node::{Reply, Work};
use crate::network::{Memo, STATIC, View};
use crate::plan::DesiredPlace;
use crate::resource::{Place, Record, ResourceId, Shape};
use crate::state::PlaceRecord;
use crate::transport::{Target, TransportError};

/// What is said of a place that nobody can reach.
const NO_ENDPOINT: &str = "Neither the topology nor the record says how to reach it. Add it to the topology, or drop its record with \
                           --forget.";

/// What topo asked a place, and what it answered.
#[derive(Debug)]
pub(super) struct Look {
    /// The place whose record topo asked about, if any.
    source: Option<Place>,
    pub(super) observation: Observation,
}

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
        // What is recorded under a name that is left out is not planned with.
        let records = recorded.places.iter().filter(|(place, _)| is_used(place));
        let known: HashMap<&str, &Place> =
            records.filter_map(|(place, record)| Some((record.machine_id.as_deref()?, place))).collect();
        for place in desired.places.keys() {
            // Nobody is asked three times.
            let Some(Look { source: Some(asked), observation: Observation::Seen(seen) }) = looks.get(place) else {
                continue;
            };
            if asked != place {
                continue;
            }
            let id = seen.identity.machine_id.as_str();
            let by_name = recorded.places.get(place).and_then(|record| record.machine_id.as_deref());
            match known.get(id).copied() {
                Some(source) if source != place => ask(place, Some(source)),
                // Another machine than the recorded one: a token in the record says nothing about its rows.
                None if by_name.is_some_and(|recorded| recorded != id) => ask(place, None),
                _ => {}
            }
        }
        questions
    }

    /// A question to a place about the record under a name; none if nothing is wanted there and nothing is recorded.
    pub(super) fn question<'a>(
        self: &Arc<Self>,
        inputs: &Inputs<'a>,
        place: &Place,
        source: Option<&Place>,
    ) -> Option<Question<'a>> {
        let wanted = inputs.desired.places.get(place);
        let record = source.and_then(|source| inputs.recorded.places.get(source));
        if record.is_none() && wanted.is_none_or(|wanted| wanted.resources.is_empty()) {
            return None;
        }
        let (site, at, source) = (Arc::clone(self), place.clone(), source.cloned());
        let pose: Pose<'a> = Box::new(move |memo| {
            let asked = question(&at, wanted, record, memo);
            let silent = if asked.is_some() { LOST } else { NO_ENDPOINT };
            let silent = Observation::Unreachable(silent.to_owned());
            site.looks().insert(at.clone(), Look { source, observation: silent });
            Box::pin(async move {
                let Some((target, works)) = asked else { return Some(NO_ENDPOINT.to_owned()) };
                let replies = site.transport.as_ref()?.exchange(&target, &works).await;
                let observation = read(&target, replies, &works);
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

/// How to reach a place, and what to ask it; none if nobody knows how to reach it.
fn question(
    place: &Place,
    wanted: Option<&DesiredPlace>,
    record: Option<&PlaceRecord>,
    memo: &mut Memo,
) -> Option<(Target, Vec<Work>)> {
    let mut ids: BTreeSet<&ResourceId> = wanted.iter().flat_map(|wanted| wanted.resources.keys()).collect();
    ids.extend(record.iter().flat_map(|record| record.resources.keys()));
    let endpoint = wanted
        .and_then(|wanted| wanted.endpoint.clone())
        .or_else(|| record.and_then(|record| record.endpoint.clone()))?;
    let mut works = vec![Work::Identify];
    for id in ids {
        let Some(backend) = backend::of_kind(&id.kind) else { continue };
        let shape = wanted.and_then(|wanted| wanted.resources.get(id));
        works.extend(backend.inquire(&id.name, shape, record.and_then(|record| record.resources.get(id)), memo));
    }
    Some((Target { name: place.node_name()?, endpoint }, joined(works, wanted, record)))
}

/// Several resources of a place may ask for one table: list it once. Rows of any of them are topo's.
fn joined(works: Vec<Work>, wanted: Option<&DesiredPlace>, record: Option<&PlaceRecord>) -> Vec<Work> {
    fn view(shape: &Shape) -> Option<&View> {
        Some(&*shape.routes.as_ref()?.view)
    }
    let wanted: Vec<&View> = wanted.iter().flat_map(|wanted| wanted.resources.values()).filter_map(view).collect();
    let recorded = record.iter().flat_map(|record| record.resources.values()).flat_map(Record::shapes);
    let recorded: Vec<&View> = recorded.filter_map(view).collect();
    let mut joined: Vec<Work> = Vec::with_capacity(works.len());
    for work in works {
        let Work::List(mut listing) = work else {
            joined.push(work);
            continue;
        };
        let known = joined.iter_mut().find_map(|work| match work {
            Work::List(other) if other.table == listing.table => Some(other),
            _ => None,
        });
        if let Some(other) = known {
            // Their tokens come from different times.
            other.known = None;
            continue;
        }
        // With a file of netplan, a row may have either protocol, and a token does not tell which. So look before a
        // change.
        let files = [&wanted, &recorded]
            .map(|views| views.iter().any(|view| view.table == listing.table && view.protocol == STATIC));
        let is_same = listing.known.as_ref().is_some_and(|known| !known.foreign().is_empty());
        if files[0] != files[1] || (files[0] && !is_same) {
            listing.known = None;
        }
        let views = wanted.iter().chain(&recorded).filter(|view| view.table == listing.table);
        listing.protocols.extend(views.map(|view| view.protocol));
        listing.protocols.sort_unstable();
        listing.protocols.dedup();
        joined.push(Work::List(listing));
    }
    joined
}

/// Reads the answers of a place. It was looked at where each question has its answer, else not at all.
fn read(target: &Target, replies: Result<Vec<Reply>, TransportError>, works: &[Work]) -> Observation {
    let replies = match replies {
        Ok(replies) => replies,
        Err(error) => return Observation::Unreachable(error.to_string()),
    };
    let name = target.name.as_str();
    if let [Reply::Lacking(what)] = replies.as_slice() {
        return Observation::Unreachable(lacking(name, what));
    }
    let other = || {
        let reason = format!("{name} did not answer what topo asked. Run topo again, and look at what answers there.");
        Observation::Unreachable(reason)
    };
    if replies.len() != works.len() {
        return other();
    }
    let mut seen = Seen::default();
    for (work, reply) in works.iter().zip(replies) {
        match (work, reply) {
            (_, Reply::Unknown(why)) => return Observation::Unreachable(why),
            (Work::Identify, Reply::Identity(identity)) => seen.identity = identity,
            (Work::List(listing), Reply::Listed(listed)) => seen.tables.push((listing.table, listed)),
            (Work::Inspect(inquiry), Reply::Inspected(inspected)) => {
                seen.files.push((inquiry.name.clone(), inspected));
            }
            (Work::Reach(_), Reply::NotOnLink(found)) => seen.not_on_link.extend(found),
            _ => return other(),
        }
    }
    Observation::Seen(Box::new(seen))
}

/// The sentence about what a node lacks.
pub(super) fn lacking(name: &str, what: &str) -> String {
    let advice = if what.contains("iproute2") || what.split(' ').any(|tool| tool == "ip") {
        "Install iproute2 there (Debian and Ubuntu: `apt install iproute2`). The `ip` of BusyBox is not enough."
    } else {
        "Install coreutils there."
    };
    format!("{name} does not have everything that topo needs on a node: {what}. {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::World;
    use crate::exchange::node::{Identity, Listed, Listing, LiveRoute, Part};
    use crate::plan::Options;
    use crate::resource::{Endpoint, Name, Token};
    use crate::state::State;

    fn target() -> Target {
        let endpoint = Endpoint { host: "10.240.0.20".to_owned(), port: None, user: None, sudo: false };
        Target { name: Name::new("node-0").expect("name"), endpoint }
    }

    fn works() -> Vec<Work> {
        vec![Work::Identify, Work::List(Listing { table: 254, protocols: vec![201], known: None })]
    }

    fn listed() -> Reply {
        let none: Part<Vec<LiveRoute>> = Part::Sent(Vec::new());
        Reply::Listed(Listed { token: Token::of("a", "b"), ours: none.clone(), foreign: none })
    }

    /// Why a place with these replies was not looked at.
    fn unseen(replies: Vec<Reply>) -> Option<String> {
        match read(&target(), Ok(replies), &works()) {
            Observation::Seen(_) => None,
            Observation::Unreachable(why) => Some(why),
            Observation::NotAsked => panic!("it was asked"),
        }
    }

    #[test]
    fn a_place_was_looked_at_where_each_question_has_its_answer() {
        let identity = || Reply::Identity(Identity::default());
        assert_eq!(unseen(vec![identity(), listed()]), None);
        for replies in [vec![], vec![identity()], vec![identity(), listed(), listed()], vec![listed(), identity()]] {
            let why = unseen(replies).expect("an answer is missing");
            assert!(why.starts_with("node-0 did not answer what topo asked."), "{why}");
        }
        let unknown = Reply::Unknown("`ip` failed there.".to_owned());
        assert_eq!(unseen(vec![identity(), unknown]).as_deref(), Some("`ip` failed there."));
        assert!(unseen(vec![Reply::Lacking("ip".to_owned())]).is_some_and(|why| why.contains("iproute2")));
    }

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

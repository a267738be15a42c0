//! Looks at all places, each in one exchange.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

use super::{Event, tell};
use crate::backend;
use crate::exchange::node::{Reply, Work};
use crate::network::{Memo, STATIC, View};
use crate::plan::{Desired, DesiredPlace, Observation, Seen};
use crate::resource::{Name, Place, Record, Shape};
use crate::state::{PlaceRecord, State};
use crate::transport::{Target, Transport, TransportError};

/// Asks every place that is wanted or recorded, but for those that are left out. At most `parallelism`
/// exchanges are under way at once.
pub async fn observe(
    desired: &Desired,
    recorded: &State,
    left_out: &BTreeSet<Name>,
    transport: &Arc<dyn Transport>,
    parallelism: usize,
    events: &mpsc::Sender<Event>,
    memo: &mut Memo,
) -> BTreeMap<Place, Observation> {
    let mut places: BTreeSet<&Place> = desired.places.keys().collect();
    places.extend(recorded.places.keys());
    places.retain(|place| place.node().is_some_and(|name| !left_out.contains(name)));
    // Where nothing is wanted and nothing recorded there is nothing to ask.
    places.retain(|place| {
        recorded.places.contains_key(*place)
            || desired.places.get(*place).is_some_and(|wanted| !wanted.resources.is_empty())
    });
    tell(events, Event::ObserveStarted { places: places.len() });
    let asked: Vec<(&Place, Option<&Place>)> = places.into_iter().map(|place| (place, Some(place))).collect();
    let mut observed = ask(&asked, desired, recorded, transport, parallelism, events, memo).await;
    // A machine that has another name now was asked what that name stands for: it is asked again for what it has on record.
    let known: HashMap<&str, &Place> =
        recorded.places.iter().filter_map(|(place, record)| Some((record.machine_id.as_deref()?, place))).collect();
    let mut again: Vec<(&Place, Option<&Place>)> = Vec::new();
    for place in desired.places.keys() {
        let Some(seen) = observed.get(place).and_then(Observation::seen) else { continue };
        let id = seen.identity.machine_id.as_str();
        let by_name = recorded.places.get(place).and_then(|record| record.machine_id.as_deref());
        match known.get(id).copied() {
            Some(source) if source != place => again.push((place, Some(source))),
            // Another machine than the recorded one: a token of the record says nothing about its rows.
            None if by_name.is_some_and(|recorded| recorded != id) => again.push((place, None)),
            _ => {}
        }
    }
    if !again.is_empty() {
        observed.extend(ask(&again, desired, recorded, transport, parallelism, events, memo).await);
    }
    observed
}

/// Asks places, each for what is recorded under the name beside it, if any.
async fn ask(
    places: &[(&Place, Option<&Place>)],
    desired: &Desired,
    recorded: &State,
    transport: &Arc<dyn Transport>,
    parallelism: usize,
    events: &mpsc::Sender<Event>,
    memo: &mut Memo,
) -> BTreeMap<Place, Observation> {
    let mut observed = BTreeMap::new();
    let mut looks = Looks::default();
    for (place, source) in places.iter().copied() {
        let record = source.and_then(|source| recorded.places.get(source));
        let Some((target, works)) = question(place, desired, record, memo) else { continue };
        while looks.running.len() >= parallelism.max(1) {
            take(looks.next().await, &mut observed, events);
        }
        let transport = Arc::clone(transport);
        looks.spawn(place, async move {
            let replies = transport.exchange(&target, &works).await;
            read(&target, replies, &works)
        });
    }
    while !looks.running.is_empty() {
        take(looks.next().await, &mut observed, events);
    }
    observed
}

/// Looks that are under way, each with its place: a look that panics still says which place it was at.
#[derive(Default)]
struct Looks {
    running: JoinSet<Observation>,
    places: HashMap<Id, Place>,
}

impl Looks {
    fn spawn(&mut self, place: &Place, look: impl Future<Output = Observation> + Send + 'static) {
        let task = self.running.spawn(look);
        self.places.insert(task.id(), place.clone());
    }

    /// The next look that has ended. A place whose look panicked could not be looked at: what is there is not known.
    async fn next(&mut self) -> Option<(Place, Observation)> {
        let ended = self.running.join_next_with_id().await?;
        let place = self.places.remove(&ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id))?;
        let broken = || format!("The look at {} broke off because of a mistake in topo. Run topo again.", place.name());
        let observation = ended.map_or_else(|_| Observation::Unreachable(broken()), |(_, observation)| observation);
        Some((place, observation))
    }
}

fn take(
    ended: Option<(Place, Observation)>,
    observed: &mut BTreeMap<Place, Observation>,
    events: &mpsc::Sender<Event>,
) {
    let Some((place, observation)) = ended else { return };
    let error = match &observation {
        Observation::Unreachable(reason) => Some(reason.clone()),
        _ => None,
    };
    tell(events, Event::Observed { place: place.clone(), error });
    observed.insert(place, observation);
}

/// Where a place is reached, and what it is asked; none for a place that has neither something wanted nor recorded.
pub(super) fn question(
    place: &Place,
    desired: &Desired,
    record: Option<&PlaceRecord>,
    memo: &mut Memo,
) -> Option<(Target, Vec<Work>)> {
    let wanted = desired.places.get(place);
    let mut ids: BTreeSet<_> = wanted.iter().flat_map(|wanted| wanted.resources.keys()).collect();
    ids.extend(record.iter().flat_map(|record| record.resources.keys()));
    if ids.is_empty() && record.is_none() {
        return None;
    }
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

/// Several resources of a place may ask for one table: it is listed once, and what any of them writes is ours.
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
            // What they know of the table is of different times.
            other.known = None;
            continue;
        }
        // Beside a file of netplan a row has either protocol, and a token does not tell which: before a change it is looked at.
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

/// Reads the answers of a place.
pub(super) fn read(target: &Target, replies: Result<Vec<Reply>, TransportError>, works: &[Work]) -> Observation {
    let replies = match replies {
        Ok(replies) => replies,
        Err(error) => return Observation::Unreachable(error.to_string()),
    };
    let mut seen = Seen::default();
    for (work, reply) in works.iter().zip(replies) {
        match (work, reply) {
            (_, Reply::Lacking(what)) => return Observation::Unreachable(lacking(target.name.as_str(), &what)),
            (_, Reply::Identity(identity)) => seen.identity = identity,
            (Work::List(listing), Reply::Listed(listed)) => seen.tables.push((listing.table, listed)),
            (Work::Inspect(inquiry), Reply::Inspected(inspected)) => {
                seen.files.push((inquiry.name.clone(), inspected));
            }
            (_, Reply::NotOnLink(found)) => seen.not_on_link.extend(found),
            _ => {}
        }
    }
    Observation::Seen(Box::new(seen))
}

/// Says what a node lacks.
pub(super) fn lacking(name: &str, what: &str) -> String {
    let advice = if what.contains("iproute2") || what.split(' ').any(|tool| tool == "ip") {
        "Install iproute2 there (Debian and Ubuntu: `apt install iproute2`); the `ip` of BusyBox is not enough."
    } else {
        "Install coreutils there."
    };
    format!("{name} lacks what topo needs on a node: {what}. {advice}")
}

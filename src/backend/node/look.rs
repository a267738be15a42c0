//! The requests of a look at a node, and its answers.

use std::collections::BTreeSet;

use super::observed::{Observation, Seen};
use crate::backend::{OnNodes, of_kind};
use crate::exchange::node::{Reply, Request};
use crate::network::{Memo, STATIC, View};
use crate::plan::DesiredPlace;
use crate::resource::{Place, Record, ResourceId, Shape};
use crate::state::PlaceRecord;
use crate::transport::{Target, TransportError};

/// How to reach a place, and what to ask it; none if nobody knows how to reach it.
pub(super) fn question(
    backends: OnNodes,
    place: &Place,
    wanted: Option<&DesiredPlace>,
    record: Option<&PlaceRecord>,
    memo: &mut Memo,
) -> Option<(Target, Vec<Request>)> {
    let mut ids: BTreeSet<&ResourceId> = wanted.iter().flat_map(|wanted| wanted.resources.keys()).collect();
    ids.extend(record.iter().flat_map(|record| record.resources.keys()));
    let target = target(place, wanted, record)?;
    let mut requests = vec![Request::Identify];
    for id in ids {
        let Some(backend) = of_kind(backends, &id.kind) else { continue };
        let shape = wanted.and_then(|wanted| wanted.resources.get(id));
        requests.extend(backend.questions(&id.name, shape, record.and_then(|record| record.resources.get(id)), memo));
    }
    Some((target, joined(requests, wanted, record)))
}

/// How to reach a place; none if nobody knows.
pub(super) fn target(place: &Place, wanted: Option<&DesiredPlace>, record: Option<&PlaceRecord>) -> Option<Target> {
    let endpoint = wanted
        .and_then(|wanted| wanted.endpoint.clone())
        .or_else(|| record.and_then(|record| record.endpoint.clone()))?;
    Some(Target { name: place.node_name()?, endpoint })
}

/// Several resources of a place may ask for one table: list it once. Rows of any of them are topo's.
fn joined(requests: Vec<Request>, wanted: Option<&DesiredPlace>, record: Option<&PlaceRecord>) -> Vec<Request> {
    fn view(shape: &Shape) -> Option<&View> {
        Some(&*shape.routes.as_ref()?.view)
    }
    let wanted: Vec<&View> = wanted.iter().flat_map(|wanted| wanted.resources.values()).filter_map(view).collect();
    let recorded = record.iter().flat_map(|record| record.resources.values()).flat_map(Record::shapes);
    let recorded: Vec<&View> = recorded.filter_map(view).collect();
    let mut joined: Vec<Request> = Vec::with_capacity(requests.len());
    for request in requests {
        let Request::List(mut listing) = request else {
            joined.push(request);
            continue;
        };
        let known = joined.iter_mut().find_map(|request| match request {
            Request::List(other) if other.table == listing.table => Some(other),
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
        joined.push(Request::List(listing));
    }
    joined
}

/// Reads the answers of a place. It was looked at where each question has its answer, else not at all.
pub(super) fn read(replies: Result<Vec<Reply>, TransportError>, requests: &[Request]) -> Observation {
    let replies = match replies {
        Ok(replies) => replies,
        Err(error) => return Observation::Unreachable(error.to_string()),
    };
    if let [Reply::Lacking(what)] = replies.as_slice() {
        return Observation::Unreachable(lacking(what));
    }
    let other =
        || Observation::Unreachable("The node did not answer what topo asked. Look at what answers there.".to_owned());
    if replies.len() != requests.len() {
        return other();
    }
    let mut seen = Seen::default();
    for (request, reply) in requests.iter().zip(replies) {
        match (request, reply) {
            (_, Reply::Unknown(why)) => return Observation::Unreachable(why),
            (Request::Identify, Reply::Identity(identity)) => seen.identity = identity,
            (Request::List(listing), Reply::Listed(listed)) => seen.tables.push((listing.table, listed)),
            (Request::Inspect(inquiry), Reply::Inspected(inspected)) => {
                seen.files.push((inquiry.name.clone(), inspected));
            }
            (Request::Values(inquiry), Reply::Values(found)) => seen.values.push((inquiry.whole.clone(), found)),
            (Request::Devices(_), Reply::Devices(found)) => seen.devices.extend(found),
            (Request::Reach(_), Reply::Reached { not_on_link, tunnels }) => {
                seen.not_on_link.extend(not_on_link);
                seen.tunnels.extend(tunnels);
            }
            (Request::Ways(_), Reply::Ways(found)) => seen.ways = Some(found),
            (Request::Kept(_), Reply::Kept(found)) => seen.kept = found,
            _ => return other(),
        }
    }
    Observation::Seen(Box::new(seen))
}

/// The sentence about what a node lacks.
pub(super) fn lacking(what: &str) -> String {
    let advice = if what.contains("iproute2") || what.split(' ').any(|tool| tool == "ip") {
        "Install iproute2 there (Debian and Ubuntu: `apt install iproute2`). The `ip` of BusyBox is not enough."
    } else if what.trim() == "grep" {
        "Install grep there."
    } else {
        "Install coreutils there."
    };
    format!("Not everything that topo needs is installed there: {what}. {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::node::{Identity, Listed, Listing, LiveRoute, Part};
    use crate::resource::Token;

    fn requests() -> Vec<Request> {
        vec![Request::Identify, Request::List(Listing { table: 254, protocols: vec![201], known: None })]
    }

    fn listed() -> Reply {
        let none: Part<Vec<LiveRoute>> = Part::Sent(Vec::new());
        Reply::Listed(Listed { token: Token::of("a", "b"), tunnels: Vec::new(), ours: none.clone(), foreign: none })
    }

    /// Why a place with these replies was not looked at.
    fn unseen(replies: Vec<Reply>) -> Option<String> {
        match read(Ok(replies), &requests()) {
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
            assert!(why.starts_with("The node did not answer what topo asked."), "{why}");
        }
        let unknown = Reply::Unknown("`ip` failed there.".to_owned());
        assert_eq!(unseen(vec![identity(), unknown]).as_deref(), Some("`ip` failed there."));
        assert!(unseen(vec![Reply::Lacking("ip".to_owned())]).is_some_and(|why| why.contains("iproute2")));
    }
}

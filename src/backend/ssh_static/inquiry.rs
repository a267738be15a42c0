//! The questions to a node before topo can plan its routes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::exchange::node::{Listing, Work};
use crate::network::{Memo, RouteChange, RouteSet};
use crate::resource::{Record, Shape, Token};

/// A listing of each recorded or wanted table, with the recorded token, so that an unchanged node gives a short answer.
/// For new routes, also whether their next hops are on-link.
pub(in crate::backend) fn inquire(wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Work> {
    let wanted = wanted.and_then(|shape| shape.routes.as_ref());
    let recorded: Vec<&RouteSet> =
        record.into_iter().flat_map(Record::shapes).filter_map(|shape| shape.routes.as_ref()).collect();
    let mut tables: Vec<Listing> = Vec::new();
    for set in wanted.into_iter().chain(recorded.iter().copied()) {
        let table = set.view.table;
        if !tables.iter().any(|listing| listing.table == table) {
            tables.push(Listing { table, protocols: Vec::new(), known: None });
        }
        for listing in tables.iter_mut().filter(|listing| listing.table == table) {
            if !listing.protocols.contains(&set.view.protocol) {
                listing.protocols.push(set.view.protocol);
            }
        }
    }
    if let (Some(Record::Settled { is, token: Some(token) }), [listing]) = (record, tables.as_mut_slice()) {
        listing.known = known(is.routes.as_ref(), wanted, token, memo);
    }
    let mut works: Vec<Work> = tables.into_iter().map(Work::List).collect();
    let next_hops = next_hops(wanted, record, memo);
    if !next_hops.is_empty() {
        works.push(Work::Reach(next_hops.into_iter().collect()));
    }
    works
}

/// A place whose record is as wanted need not send unchanged rows. For a change, topo looks at the rows of others
/// again: they may have the key.
fn known(recorded: Option<&RouteSet>, wanted: Option<&RouteSet>, token: &Token, memo: &mut Memo) -> Option<Token> {
    let (Some(recorded), Some(wanted)) = (recorded, wanted) else { return Some(token.without_foreign()) };
    // A token covers the rows with certain protocols, so it means something else with another mark. And rows with
    // topo's mark that topo does not own may have the keys of another metric.
    if recorded.view.protocol != wanted.view.protocol || !recorded.view.same_key(&wanted.view) {
        return None;
    }
    Some(if recorded.is_same(wanted, memo) { token.clone() } else { token.without_foreign() })
}

/// Next hops of the routes to add or change.
fn next_hops(wanted: Option<&RouteSet>, record: Option<&Record>, memo: &mut Memo) -> BTreeSet<IpAddr> {
    let Some(wanted) = wanted else { return BTreeSet::new() };
    let settled = match record {
        Some(Record::Settled { is, .. }) => is.routes.as_ref().filter(|set| set.view.same_key(&wanted.view)),
        _ => None,
    };
    match settled {
        None => wanted.routes().map(|route| route.next_hop).collect(),
        Some(from) => from
            .changes_to(wanted, memo)
            .into_iter()
            .filter_map(|change| match change {
                RouteChange::Add(route) | RouteChange::Change { to: route, .. } => Some(route.next_hop),
                RouteChange::Remove(_) => None,
            })
            .collect(),
    }
}

//! The questions to a node before topo can plan its routes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::network::{Memo, RouteChange, RouteSet};
use crate::resource::{Record, Token};

/// A place whose record is as wanted need not send unchanged rows. For a change, topo looks at the rows of others
/// again: they may have the key.
pub(super) fn known(
    recorded: Option<&RouteSet>,
    wanted: Option<&RouteSet>,
    token: &Token,
    memo: &mut Memo,
) -> Option<Token> {
    let (Some(recorded), Some(wanted)) = (recorded, wanted) else { return Some(token.without_foreign()) };
    // A token covers the rows with certain protocols, so it means something else with another mark. And rows with
    // topo's mark that topo does not own may have the keys of another metric.
    if recorded.view.protocol != wanted.view.protocol || !recorded.view.same_key(&wanted.view) {
        return None;
    }
    Some(if recorded.is_same(wanted, memo) { token.clone() } else { token.without_foreign() })
}

/// Gateways that answer on a device that the topology does not name.
pub(super) fn gateways(wanted: Option<&RouteSet>, recorded: &[&RouteSet]) -> BTreeSet<IpAddr> {
    let views = wanted.into_iter().chain(recorded.iter().copied()).map(|set| &set.view);
    views.filter(|view| view.device.is_none()).flat_map(|view| view.gateways_on_link()).copied().collect()
}

/// Next hops of the routes to add or change.
pub(super) fn next_hops(wanted: Option<&RouteSet>, record: Option<&Record>, memo: &mut Memo) -> BTreeSet<IpAddr> {
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

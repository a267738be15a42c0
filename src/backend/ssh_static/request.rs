//! Turns operations into commands, and replies into outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::backend::Settled;
use crate::exchange::node::{LiveRoute, RouteCommand, RouteOutcome, RouteVerb};
use crate::network::{Family, Prefix, Route, STATIC};
use crate::plan::{Live, Operation, TablePlan};
use crate::resource::Action;

/// The command for an operation, after those with lower numbers. None if its row does not change.
pub(super) fn command(table: &TablePlan, operation: &Operation) -> Option<(u8, RouteCommand)> {
    let view = &table.view;
    // A removal without a metric removes the first row with any metric. For IPv4 that is the row with metric 0, but not
    // for IPv6.
    let metric = match operation.route.destination.family() {
        Family::V4 => view.metric,
        Family::V6 => Some(view.kernel_metric(Family::V6)),
    };
    let on_link = |next_hop: IpAddr| table.device_of(next_hop).map(Box::from);
    let write = |verb, protocol| {
        let route = operation.route;
        RouteCommand { verb, route, protocol, metric, on_link: on_link(route.next_hop) }
    };
    match (operation.action, operation.before) {
        (Action::Add, _) => Some((0, write(RouteVerb::Add, view.protocol))),
        (Action::Import, Some(before)) if before.protocol == view.protocol => None,
        // systemd-networkd added it for a file of topo, and would add it again.
        (Action::Import, Some(Live { protocol: STATIC, .. })) if table.accepts_static => None,
        (Action::Import | Action::Change, Some(Live { next_hop, protocol })) => {
            let change = RouteVerb::Change { from: next_hop, protocol, on_link: on_link(next_hop) };
            Some((1, write(change, view.protocol)))
        }
        (Action::Remove, Some(before)) => Some((2, write(RouteVerb::Delete, before.protocol))),
        _ => None,
    }
}

/// Compares the table after the step with the intended rows. A missing row counts as failed and an existing one as
/// done, whatever `ip` said.
pub(super) fn settle(operations: &[Operation], written: &RouteOutcome) -> Settled {
    let (token, appeared, vanished, refused, loses) = match written {
        RouteOutcome::Moved => {
            return all_failed(
                operations,
                "the routes there have changed since the plan, so topo wrote nothing",
                false,
            );
        }
        RouteOutcome::PutBack { before, after } => {
            let said = format!(
                "the node's route back to you would have changed from `{before}` to `{after}`, so topo restored the \
                 old routes at once"
            );
            return all_failed(operations, &said, true);
        }
        RouteOutcome::Done { token, appeared, vanished, refused, loses } => (token, appeared, vanished, refused, loses),
    };
    let routes = |rows: &[LiveRoute]| -> BTreeSet<Route> {
        let route = |row: &LiveRoute| Some(Route { destination: row.destination, next_hop: row.next_hop? });
        rows.iter().filter_map(route).collect()
    };
    let appeared = routes(appeared);
    // A row with the same destination and another next hop has replaced the intended one.
    let mut by_destination: BTreeMap<Prefix, Vec<&LiveRoute>> = BTreeMap::new();
    for row in vanished {
        by_destination.entry(row.destination).or_default().push(row);
    }
    let mut settled = Settled { touched: true, token: Some(token.clone()), ..Settled::default() };
    for (index, operation) in operations.iter().enumerate() {
        let needless = operation.action == Action::Import
            && operation.before.is_some_and(|before| before.next_hop == operation.route.next_hop)
            && !appeared.contains(&operation.route)
            && !by_destination.contains_key(&operation.route.destination)
            && refused.is_empty();
        let in_force = match operation.action {
            Action::Add | Action::Change | Action::Import => appeared.contains(&operation.route) || needless,
            // Another row of the key may have the same next hop with another protocol.
            Action::Remove => by_destination.get(&operation.route.destination).into_iter().flatten().any(|row| {
                row.next_hop == Some(operation.route.next_hop)
                    && operation.before.is_none_or(|before| before.protocol == row.protocol)
            }),
            Action::Forget => true,
        };
        if in_force {
            settled.done += 1;
        } else {
            settled.failed.push((index, "the route is not as intended after the write".to_owned()));
        }
    }
    if !settled.failed.is_empty() && !refused.is_empty() {
        let words: BTreeSet<&str> = refused.iter().map(|(_, said)| said.as_str()).collect();
        let mut words = words.into_iter().collect::<Vec<_>>().join("; ");
        if words.contains("Operation not permitted") {
            words.push_str(" (log in as root, or set `sudo = true` under [ssh])");
        }
        settled.failed.iter_mut().for_each(|(_, said)| *said = format!("the kernel says: {words}"));
    }
    let lost =
        loses.iter().map(|line| format!("another route wins over `{line}` there; look at `ip route` and `ip rule`"));
    settled.warnings.extend(lost);
    settled
}

fn all_failed(operations: &[Operation], said: &str, touched: bool) -> Settled {
    Settled {
        failed: (0..operations.len()).map(|index| (index, said.to_owned())).collect(),
        touched,
        ..Settled::default()
    }
}

//! Wanted routes that a write took with it.

use std::collections::HashSet;

use crate::backend::node::progress::Batch;
use crate::exchange::node::{LiveRoute, RouteOutcome};
use crate::network::{Route, RouteSet};
use crate::plan::Operation;

/// The wanted routes that a write removed although no operation says so. `written` has an outcome for each write of the batches.
pub(super) fn taken_along(kept: &[RouteSet], batches: &[Batch], written: &[Option<RouteOutcome>]) -> Vec<Route> {
    let mut all = Vec::new();
    for (at, outcome) in written.iter().enumerate() {
        let Some(RouteOutcome::Done { appeared, vanished, .. }) = outcome else { continue };
        let mine = || batches.iter().filter(|batch| batch.write == Some(at));
        let Some(table) = mine().next().map(|batch| batch.view.table) else { continue };
        // A write of a new mark has all rows in both lists.
        let key = |row: &LiveRoute| (row.destination, row.next_hop, row.metric);
        let appeared: HashSet<_> = appeared.iter().map(key).collect();
        for row in vanished {
            let Some(next_hop) = row.next_hop else { continue };
            let route = Route { destination: row.destination, next_hop };
            let wanted = |set: &RouteSet| {
                set.view.table == table
                    && set.view.kernel_metric(row.family()) == row.metric
                    && set.find(&row.destination) == Some(route)
            };
            let is_meant = |operation: &Operation| {
                let before = operation.before.is_none_or(|before| before.protocol == row.protocol);
                operation.route.destination == row.destination && before
            };
            if kept.iter().any(wanted)
                && !appeared.contains(&key(row))
                && !mine().any(|batch| {
                    batch.view.kernel_metric(row.family()) == row.metric && batch.operations.iter().any(is_meant)
                })
            {
                all.push(route);
            }
        }
    }
    all
}

/// Says which routes a write took with it; none if there are none.
pub(super) fn disappeared(routes: &[Route]) -> Option<String> {
    let shown: Vec<String> =
        routes.iter().take(5).map(|route| format!("{} via {}", route.destination, route.next_hop)).collect();
    let more = match routes.len().saturating_sub(5) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = match routes.len() {
        0 => return None,
        1 => "A route that should stay",
        _ => "Routes that should stay",
    };
    Some(format!("{what} disappeared while topo wrote others: {}{more}.", shown.join(", ")))
}

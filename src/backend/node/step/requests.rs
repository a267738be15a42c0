//! The requests of a step, made when the step starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::backend::netplan;
use crate::backend::node::nodes::NodeSite;
use crate::backend::node::progress::{Batch, File, PendingStep, Progress};
use crate::backend::{Header, Moment, of_kind};
use crate::exchange::node::{Activation, FileWrite, Listing, Marker, Request, RouteVerb, RouteWrite};
use crate::network::{MAIN_TABLE, Memo, Prefix, Route, STATIC};
use crate::plan::{FilePlan, Operation, PlacePlan, ResourcePlan, TablePlan};
use crate::resource::{Action, Phase, Reason, ResourceId};

impl NodeSite {
    /// The requests of a step. They are made when the step starts, so that they leave out rows that lead to a node that
    /// has failed before.
    pub(super) fn requests(&self, moment: &Moment<'_>, memo: &mut Memo) -> (Vec<Request>, PendingStep) {
        let Moment { place, phase, lost, .. } = *moment;
        let mut prepared = PendingStep {
            place: place.clone(),
            topology: moment.inputs.topology.clone(),
            batches: Vec::new(),
            files: Vec::new(),
            others: Vec::new(),
            first_other: 0,
            kept: Vec::new(),
            skipped: BTreeMap::new(),
            ways: None,
        };
        let Some(planned) = moment.planned() else { return (Vec::new(), prepared) };
        let mut all = self.progress();
        let progress = all.entry(place.clone()).or_insert_with(|| {
            let tokens = planned.tables().filter_map(|(_, table)| Some((table.view.table, table.token.clone()?)));
            Progress { tokens: tokens.collect(), ..Progress::default() }
        });
        let reasons = moment.plan.reasons(place);
        let mut writes: Vec<RouteWrite> = Vec::new();
        let mut excluded: Vec<(ResourceId, Prefix)> = Vec::new();
        let mut deferred = false;
        for (id, table) in planned.tables() {
            let file = planned.resources.get(id).and_then(|resource| resource.file.as_ref());
            let now = |operation: &Operation| match file {
                // Rows of a file alone come and go with the file. Rows that lack only the mark get it before.
                Some(file) if operation.only_marks() => {
                    table.owns_live_rows && file.change.is_some() && operation.phase == phase
                }
                Some(file) => table.owns_live_rows && file.writes_in(phase),
                None => operation.phase == phase,
            };
            let mut operations = table.operations(&reasons, memo);
            operations.retain(|operation| {
                let is_now = now(operation) || file.is_some_and(|file| file.writes_in(phase));
                let receiver = operation.receiver.filter(|_| is_now);
                let Some(receiver) = receiver.and_then(|address| moment.plan.owners.name(address)) else {
                    return now(operation);
                };
                if !lost.contains_key(receiver) {
                    return now(operation);
                }
                match operation.action {
                    // Another resource may leave the same row to the file.
                    Action::Import if file.is_some() && table.owns_live_rows => deferred = true,
                    Action::Add | Action::Import => excluded.push((id.clone(), operation.route.destination)),
                    _ => deferred = true,
                }
                // Skip a route only once, even if a file has it, too.
                if file.is_none() || table.owns_live_rows {
                    *prepared.skipped.entry(receiver.clone()).or_default() += 1;
                }
                false
            });
            let token = progress.tokens.get(&table.view.table);
            let request =
                of_kind(self.backends, &id.kind).and_then(|backend| backend.request(table, &operations, token));
            let write = match request {
                Some(Request::Write(write)) => Some(join(&mut writes, write)),
                _ => None,
            };
            if !operations.is_empty() {
                let (id, view) = (id.clone(), Arc::clone(&table.view));
                prepared.batches.push(Batch { id, view, in_file: table.in_file, operations, write });
            }
        }
        progress.deferred |= deferred;
        for (id, destination) in excluded {
            progress.excluded.entry(id).or_default().push(destination);
        }
        // The file, too, keeps a row whose change was postponed.
        let writes_files = !progress.deferred;
        let mut requests = Vec::new();
        for (id, resource) in &planned.resources {
            let listed = resource.listed.as_ref().filter(|listed| listed.phases.contains(&phase));
            let Some(change) = listed.and_then(|listed| listed.changes.first()) else { continue };
            let backend = of_kind(self.backends, &id.kind);
            if let Some(request) = backend.and_then(|backend| backend.resource_request(resource, &header(moment))) {
                prepared.others.push((id.clone(), change.action));
                requests.push(request);
            }
        }
        // Removals come first, so that nobody reads an old file when its successor is installed.
        let mut several: Vec<(&ResourceId, &FilePlan)> = planned.files().filter(|_| writes_files).collect();
        several.sort_by_key(|(_, file)| file.wanted);
        for (id, file) in several {
            let Some(activation) = activation(planned, file, phase) else { continue };
            let tables = planned.resources.get(id).map(|resource| resource.tables.as_slice()).unwrap_or_default();
            requests.push(Request::File(file_write(moment, id, file, tables, progress, activation)));
            let action = file.change.as_ref().map(|change| change.action);
            let table = tables.first().map(|table| table.view.table);
            prepared.files.push(File { id: id.clone(), activation, action, table });
        }
        if !writes.is_empty() {
            prepared.kept = planned.tables().filter_map(|(_, table)| table.to.clone()).collect();
        }
        requests.extend(writes.into_iter().map(Request::Write));
        let does_something = !prepared.batches.is_empty()
            || requests.iter().any(|request| !matches!(request, Request::File(file) if file.only_checks()));
        if does_something && !progress.wrote && !planned.is_marker_current && !planned.ends {
            requests.insert(0, Request::WriteMarker(marker(moment, planned)));
            prepared.first_other = 1;
        }
        // Rules may lead packets past what is written now, and files of others may bring their rows back.
        let is_write = |request: &Request| match request {
            Request::Write(_) => true,
            Request::File(file) => !file.only_checks(),
            _ => false,
        };
        let ways = self.ways().get(place).filter(|_| requests.iter().any(is_write)).cloned();
        // Only what this run writes is judged: a plan warns of routes that have lost before. A file in doubt is written once more.
        let is_in_doubt = |file: &FilePlan| file.change.as_ref().is_some_and(|change| change.reason == Reason::InDoubt);
        let writes_again = moment.is_last && planned.files().any(|(_, file)| file.wanted && is_in_doubt(file));
        let written: BTreeSet<Route> = if moment.is_last
            && ways.as_ref().is_some_and(|ways| !ways.contested.is_empty() || !ways.shared.is_empty())
        {
            let operations = moment.plan.operations(place, memo).into_iter().map(|(_, operation)| operation);
            operations.filter(|operation| operation.action != Action::Remove).map(|operation| operation.route).collect()
        } else {
            BTreeSet::new()
        };
        let is_kept = |route: &Route| {
            let mut tables = planned.tables().filter(|(_, table)| table.view.table == MAIN_TABLE);
            (writes_again || written.contains(route))
                && tables.any(|(_, table)| table.to.as_ref().and_then(|to| to.find(&route.destination)) == Some(*route))
        };
        let ways = ways.map(|ways| ways.after_write(is_kept)).filter(|ways| !ways.expected.is_empty());
        if let Some(ways) = ways {
            requests.push(Request::Ways(ways.packets()));
            prepared.ways = Some((requests.len() - 1, ways));
        }
        let partial = planned.resources.values().any(ResourcePlan::is_partial);
        if planned.ends && moment.is_last && !partial {
            requests.push(Request::RemoveMarker(moment.inputs.topology.to_string()));
        }
        (requests, prepared)
    }
}

/// The write of a file, without the routes that were left out on the way.
fn file_write(
    moment: &Moment<'_>,
    id: &ResourceId,
    file: &FilePlan,
    tables: &[TablePlan],
    progress: &Progress,
    activation: Activation,
) -> FileWrite {
    let mut routes = tables.iter().find_map(|table| table.to.clone()).filter(|_| file.wanted);
    if let Some(routes) = routes.as_mut() {
        let left = progress.excluded.values().flatten();
        let excluded: BTreeSet<Prefix> = routes.excluded.iter().chain(left).copied().collect();
        routes.excluded = Arc::new(excluded);
    }
    let (table, protocols) =
        tables.first().map_or((MAIN_TABLE, Vec::new()), |first| (first.view.table, first.mark_protocols.clone()));
    let listing = Listing { table, protocols, known: None };
    netplan::file_write(id, file, &header(moment), routes.as_ref(), listing, activation)
}

fn header(moment: &Moment<'_>) -> Header {
    Header { topology: moment.inputs.topology.to_string(), lineage: moment.state.lineage.to_string() }
}

fn marker(moment: &Moment<'_>, planned: &PlacePlan) -> Marker {
    // Anybody may have static rows, so a file alone has no protocol number of its own.
    let is_mark = |(_, table): &(&ResourceId, &TablePlan)| table.to.is_some() && table.view.protocol != STATIC;
    Marker {
        topology: moment.inputs.topology.to_string(),
        lineage: moment.state.lineage.to_string(),
        protocol: planned.tables().find(is_mark).map_or(0, |(_, table)| table.view.protocol),
        node: moment.place.node().map(str::to_owned),
        machine_id: planned.machine_id.as_deref().filter(|id| !id.is_empty()).map(str::to_owned),
        serial: Some(moment.state.serial),
    }
}

/// How far a file goes in a phase; none if the phase does nothing with it.
fn activation(planned: &PlacePlan, file: &FilePlan, phase: Phase) -> Option<Activation> {
    if file.writes_in(phase) {
        let is_replaced = !file.wanted && planned.files().any(|(_, other)| other.wanted && other.writes_in(phase));
        Some(if !file.is_loaded || is_replaced { Activation::Defer } else { Activation::Load })
    } else {
        (phase == Phase::Prepare && file.is_checked()).then_some(Activation::Check)
    }
}

/// Joins writes to one table: after the first of two writes, the guard of the second would fail.
fn join(writes: &mut Vec<RouteWrite>, write: RouteWrite) -> usize {
    let same = |other: &RouteWrite| other.listing == write.listing;
    let Some(at) = writes.iter().position(same) else {
        writes.push(write);
        return writes.len() - 1;
    };
    let joined = &mut writes[at];
    joined.guard_foreign |= write.guard_foreign;
    joined.commands.extend(write.commands);
    joined.commands.sort_by_key(|command| match command.verb {
        RouteVerb::Add => 0,
        RouteVerb::Change { .. } => 1,
        RouteVerb::Delete => 2,
    });
    at
}

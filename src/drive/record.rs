//! The state writes of a run. Before the first write anywhere, they mark as in doubt everything that the run will
//! touch.

use crate::backend::netplan::FilePlan;
use crate::plan::{ListedPlan, PlacePlan, Plan, TablePlan};
use crate::resource::{Record, ResourceId, Shape};
use crate::state::{PlaceRecord, Revision, RunId, State, Store, StoreError};

/// Ends an earlier run that was cut off, for a run that finds nothing to do: writes the state, which has the journal folded in,
/// and clears the journal. The state is not written where no run was cut off; true where it was.
pub async fn end_earlier_run(store: &dyn Store, revision: Revision, state: &State) -> Result<bool, StoreError> {
    // Without its document a journal says nothing, but the document may be on its way back from a backup.
    if revision == Revision::Absent {
        return Ok(false);
    }
    let was_cut_off = state.run.is_some();
    if was_cut_off {
        store.swap(revision, &State { run: None, serial: state.serial + 1, ..state.clone() }).await?;
    }
    // A run that is cut off behind its last write leaves a journal that says nothing any more.
    store.clear_journal().await?;
    Ok(was_cut_off)
}

/// The state to write before a run touches anything: every record that the run will touch is `{is, to}`. A record that
/// changes only in the state gets its new value at once.
pub(super) fn begin(state: &State, plan: &Plan, run: RunId) -> State {
    let mut next = state.clone();
    next.run = Some(run);
    for place in &plan.forgotten {
        next.places.remove(place);
    }
    // All moves first, because two nodes may have swapped their names.
    let moved: Vec<_> = plan
        .places
        .iter()
        .filter_map(|(place, planned)| Some((place, state.places.get(planned.renamed_from.as_ref()?)?.clone())))
        .collect();
    for planned in plan.places.values() {
        if let Some(source) = &planned.renamed_from {
            next.places.remove(source);
        }
    }
    for (place, record) in moved {
        next.places.insert(place.clone(), record);
    }
    for (place, planned) in &plan.places {
        let record = next.places.entry(place.clone()).or_default();
        if planned.from_nothing {
            record.resources.clear();
        }
        if planned.endpoint.is_some() {
            record.endpoint.clone_from(&planned.endpoint);
        }
        if let Some(id) = planned.machine_id.as_ref().filter(|id| !id.is_empty()) {
            record.machine_id = Some(id.clone());
        }
        mark(record, planned);
        mark_listed(record, planned);
        if record.resources.is_empty() {
            next.places.remove(place);
        }
    }
    next
}

fn mark_listed(record: &mut PlaceRecord, planned: &PlacePlan) {
    // Nobody looked at the place: this run does nothing there, and its records stay.
    let looked = planned.listed.iter().filter(|_| planned.unseen.is_none());
    for ListedPlan { id, is, to, touched, .. } in looked {
        let after = match (is, to) {
            (None, None) => None,
            (is, to) if *touched => Some(Record::InDoubt { is: is.clone(), to: to.clone(), also: Vec::new() }),
            (_, to) => to.clone().map(|is| Record::Settled { is, token: None }),
        };
        match after {
            Some(after) => _ = record.resources.insert(id.clone(), after),
            None => _ = record.resources.remove(id),
        }
    }
}

fn mark(record: &mut PlaceRecord, planned: &PlacePlan) {
    let mut ids: Vec<&ResourceId> = planned.tables.iter().map(|(id, _)| id).collect();
    ids.dedup();
    for id in ids {
        let tables = || planned.tables.iter().filter(|(table, _)| table == id).map(|(_, table)| table);
        let before = record.resources.remove(id);
        let file = planned.files.iter().find(|file| file.id == *id);
        let after = after(before, &tables, planned, file);
        record.resources.extend(after.map(|after| (id.clone(), after)));
    }
}

fn after<'a, I: Iterator<Item = &'a TablePlan>>(
    before: Option<Record>,
    tables: &dyn Fn() -> I,
    planned: &PlacePlan,
    file: Option<&FilePlan>,
) -> Option<Record> {
    let to = wanted(tables(), file);
    let partial = tables().any(TablePlan::is_partial) || file.is_some_and(|file| file.is_left);
    if !planned.acts && planned.unseen.is_none() && partial {
        return before;
    }
    if !planned.acts && planned.unseen.is_none() {
        let mut live = tables().filter(|table| table.to.is_some());
        let token = live.find_map(|table| table.recordable(table.token.clone()?));
        let token = match file {
            Some(file) => file.token.as_ref().and_then(|given| file.recordable(given, token.as_ref())),
            None => token,
        };
        return to.map(|is| Record::Settled { is, token });
    }
    let (is, also) = match before {
        Some(Record::Settled { is, .. }) => (Some(is), Vec::new()),
        // Nobody looked at it: topo keeps all sides of the doubt, and this run does nothing there.
        Some(doubt @ Record::InDoubt { .. }) if planned.unseen.is_some() => return Some(doubt),
        // A file is either the old or the new one; the next look tells which.
        Some(Record::InDoubt { is, to: meant, also }) if file.is_some() => {
            let mut others: Vec<Shape> = meant.into_iter().chain(also).collect();
            others.retain(|shape| Some(shape) != is.as_ref() && Some(shape) != to.as_ref());
            (is, others)
        }
        // What the look found of each table.
        Some(Record::InDoubt { .. }) => {
            let settled = tables().flat_map(|table| table.settled.iter().cloned());
            let mut settled = settled.filter(|set| set.routes().next().is_some()).map(Shape::of_routes);
            (settled.next(), settled.collect())
        }
        Some(Record::Opaque(raw)) => return Some(Record::Opaque(raw)),
        None => (None, Vec::new()),
    };
    match (&is, &to) {
        (None, None) if also.is_empty() => None,
        _ => Some(Record::InDoubt { is, to, also }),
    }
}

/// What the resource should become.
fn wanted<'a>(mut tables: impl Iterator<Item = &'a TablePlan>, file: Option<&FilePlan>) -> Option<Shape> {
    let routes = tables.find_map(|table| table.to.clone())?;
    Some(match file {
        Some(file) => file.shape(routes),
        None => Shape::of_routes(routes),
    })
}

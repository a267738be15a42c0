//! The state writes of a run. Before the first write anywhere, they mark as in doubt everything that the run will
//! touch.

use crate::plan::Plan;
use crate::state::{Revision, RunId, State, Store, StoreError};

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
        for (id, resource) in &planned.resources {
            let before = record.resources.remove(id);
            record.resources.extend(resource.record_at_start(before, planned).map(|after| (id.clone(), after)));
        }
        if record.resources.is_empty() {
            next.places.remove(place);
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::{World, place};
    use crate::plan::PlacePlan;

    #[test]
    fn the_machine_id_that_was_seen_is_recorded_and_no_empty_one() {
        let state = World::mesh(2, 2).state();
        let known = |id: Option<&str>| {
            let mut state = state.clone();
            state.places.get_mut(&place("node-0")).expect("recorded").machine_id = id.map(Into::into);
            state
        };
        for (before, seen, after) in [
            (None, Some("aa"), Some("aa")),
            (Some("aa"), Some("bb"), Some("bb")),
            (Some("aa"), Some(""), Some("aa")),
            (None, Some(""), None),
            (Some("aa"), None, Some("aa")),
        ] {
            let planned = PlacePlan { machine_id: seen.map(Into::into), ..PlacePlan::default() };
            let plan = Plan { places: [(place("node-0"), planned)].into(), ..Plan::default() };
            let next = begin(&known(before), &plan, RunId::random().expect("random numbers"));
            let record = &next.places[&place("node-0")];
            assert_eq!(record.machine_id.as_deref(), after, "{before:?}, then {seen:?}");
        }
    }
}

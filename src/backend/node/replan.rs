//! Plans one place anew during a run.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::machines::is_of_another;
use super::observed::{Observation, Seen};
use super::plan::plan as make;
use crate::backend::{Desired, Inputs, LateError, OnNodes, check_late, take_late};
use crate::network::{Memo, Prefix};
use crate::plan::findings::REPLACED;
use crate::plan::{PlacePlan, Plan};
use crate::resource::{Action, Phase, Place, ResourceId};

/// Plans a place anew that answers after the plan was made from its record. An error says why that plan does not hold there.
pub fn replan(
    plan: &mut Plan,
    place: &Place,
    inputs: &Inputs<'_>,
    backends: OnNodes,
    seen: Seen,
    memo: &mut Memo,
) -> Result<(), LateError> {
    let summary = |plan: &Plan, memo: &mut Memo| -> BTreeSet<(ResourceId, Prefix, IpAddr, Phase)> {
        let operations = plan.operations(place, memo).into_iter();
        operations.map(|(id, one)| (id, one.route.destination, one.route.next_hop, one.phase)).collect()
    };
    if is_of_another(place, &seen.identity, inputs) {
        return Err(LateError::Replaced);
    }
    let before = summary(plan, memo);
    let mut desired = Desired { covered: inputs.desired.covered.clone(), ..Desired::default() };
    desired.places.extend(inputs.desired.places.get(place).map(|wanted| (place.clone(), wanted.clone())));
    let mut state = inputs.recorded.clone();
    state.places.retain(|name, _| name == place);
    let observed = [(place.clone(), Observation::Seen(Box::new(seen)))].into();
    let inputs = Inputs { desired: &desired, recorded: &state, ..*inputs };
    let mut fresh = make(&inputs, backends, &observed, memo);
    fresh.owners = Arc::clone(&plan.owners);
    check_late(&fresh, place)?;
    if fresh.findings.iter().any(|finding| finding.code == REPLACED) {
        return Err(LateError::Replaced);
    }
    if !summary(&fresh, memo).is_subset(&before) {
        return Err(LateError::Changed);
    }
    if !listed(&fresh, place).is_subset(&listed(plan, place)) {
        return Err(LateError::Changed);
    }
    take_late(fresh, place, plan);
    Ok(())
}

/// The changes of resources without routes.
fn listed(plan: &Plan, place: &Place) -> BTreeSet<(ResourceId, Action)> {
    let resources = plan.places.get(place).into_iter().flat_map(PlacePlan::listed);
    resources.flat_map(|one| one.changes.iter().map(|change| (one.id.clone(), change.action))).collect()
}

//! Plans one place anew during a run.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::observed::{Observation, Seen};
use super::plan::{Inputs, plan as make};
use crate::backend::Desired;
use crate::network::{Memo, Prefix};
use crate::plan::Plan;
use crate::plan::findings::{REPLACED, Severity, UNSEEN};
use crate::resource::{Phase, Place, ResourceId};

/// Plans a place anew that answers after the plan was made from its record. An error says why that plan does not hold there.
pub fn replan(plan: &mut Plan, place: &Place, inputs: &Inputs<'_>, seen: Seen, memo: &mut Memo) -> Result<(), String> {
    let summary = |plan: &Plan, memo: &mut Memo| -> BTreeSet<(ResourceId, Prefix, IpAddr, Phase)> {
        let operations = plan.operations(place, memo).into_iter();
        operations.map(|(id, one)| (id, one.route.destination, one.route.next_hop, one.phase)).collect()
    };
    let before = summary(plan, memo);
    let mut desired = Desired { covered: inputs.desired.covered.clone(), ..Desired::default() };
    desired.places.extend(inputs.desired.places.get(place).map(|wanted| (place.clone(), wanted.clone())));
    let mut state = inputs.recorded.clone();
    state.places.retain(|name, _| name == place);
    let observed = [(place.clone(), Observation::Seen(Box::new(seen)))].into();
    let inputs = Inputs { desired: &desired, recorded: &state, ..*inputs };
    let mut fresh = make(&inputs, &observed, memo);
    fresh.owners = Arc::clone(&plan.owners);
    if let Some(conflict) = fresh.findings.iter().find(|finding| finding.severity == Severity::Conflict) {
        let key = conflict.address.key.as_deref().unwrap_or_default();
        return Err(format!("somebody else has {key} there: {}", conflict.found.as_deref().unwrap_or_default()));
    }
    if let Some(unseen) = fresh.findings.iter().find(|finding| finding.code == UNSEEN) {
        return Err(format!("topo could not look at all of it: {}", unseen.found.as_deref().unwrap_or_default()));
    }
    if fresh.is_stopped() {
        return Err("the checks before writing do not pass there".to_owned());
    }
    if fresh.findings.iter().any(|finding| finding.code == REPLACED) {
        return Err("another machine answers there than the one on record".to_owned());
    }
    if !summary(&fresh, memo).is_subset(&before) {
        return Err("it is not as it was recorded".to_owned());
    }
    if let Some(planned) = fresh.places.remove(place) {
        plan.places.insert(place.clone(), planned);
    } else if let Some(planned) = plan.places.get_mut(place) {
        planned.resources.clear();
        planned.unseen = None;
    }
    Ok(())
}

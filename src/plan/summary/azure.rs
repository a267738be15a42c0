//! What is planned in Azure, together by what is done and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::azure::{AzureChange, AzureWhat};
use super::super::build::PlacePlan;
use super::{Summary, split_reason};
use crate::backend::azure_udr::AZURE_NIC_FORWARDING;
use crate::resource::{Action, Kind, Place, Reason, natural_order};

/// What is done to resources of one kind for one reason: in one place, or for network interfaces wherever they are.
#[derive(Debug)]
pub struct AzureGroup {
    /// The kind of resource.
    pub kind: &'static Kind,
    /// What is done.
    pub action: Action,
    /// Why. A description of what is live is empty here; the lines have it.
    pub reason: Reason,
    /// The changes, those of a place one after the other; there is at least one.
    pub lines: Vec<AzureLine>,
}

/// One change in Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureLine {
    /// The place, as a number for [`Summary::place`].
    pub place: u32,
    /// The name of the route or of the subnet; empty for what stands for the whole place.
    pub key: Arc<str>,
    /// What becomes of it.
    pub what: AzureWhat,
    /// What is live there, where the reason says that.
    pub found: Option<Arc<str>>,
}

impl AzureGroup {
    /// Whether it is a difference between what was recorded and what is live, and not one of the topology.
    pub fn is_drift(&self) -> bool {
        self.reason.is_drift()
    }

    /// The address of one of its lines.
    pub fn address(&self, summary: &Summary, line: &AzureLine) -> String {
        let (kind, place) = (self.kind, summary.place(line.place).name());
        match &*line.key {
            "" => format!("{kind}.{place}"),
            key => format!("{kind}.{place}[\"{key}\"]"),
        }
    }
}

/// The changes of all places in Azure where something is done, by kind, place, action and reason.
pub(super) fn azure_groups(planned: &[(&Place, &PlacePlan)]) -> Vec<AzureGroup> {
    let mut groups: BTreeMap<(u8, Option<u32>, Action, Reason), AzureGroup> = BTreeMap::new();
    let acting = (0_u32..).zip(planned).filter(|(_, (_, plan))| plan.acts);
    let changes = acting.flat_map(|(number, (_, plan))| {
        plan.azure.iter().flat_map(move |azure| azure.changes.iter().map(move |change| (number, change)))
    });
    for (place, AzureChange { kind, key, action, reason, what }) in changes {
        let (reason, found) = split_reason(reason.clone());
        let own = (**kind != AZURE_NIC_FORWARDING).then_some(place);
        let group = groups.entry((kind.order, own, *action, reason.clone())).or_insert_with(|| AzureGroup {
            kind,
            action: *action,
            reason,
            lines: Vec::new(),
        });
        let found = found.filter(|found| !found.is_empty());
        group.lines.push(AzureLine { place, key: Arc::clone(key), what: what.clone(), found });
    }
    let mut groups: Vec<AzureGroup> = groups.into_values().collect();
    // Keys are alike but for numbers in them where they are names; routes come by destination.
    for group in &mut groups {
        if group.lines.iter().all(|line| matches!(line.what, AzureWhat::Association { .. })) {
            group.lines.sort_by(|one, other| natural_order(&one.key, &other.key));
        }
    }
    groups
}

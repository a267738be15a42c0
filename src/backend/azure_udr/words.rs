//! How changes in Azure are told.

use super::name_of;
use super::names::part_of;
use crate::resource::words::{Setting, Told, Words, removed};
use crate::resource::{Action, Reason};

const EDITED: &str = "(changed in the topology)";
const IN_DOUBT: &str = "an earlier run did not finish there";

/// The words for route tables.
#[derive(Clone, Copy, Debug)]
pub struct TableWords;

/// The words for associations of subnets.
#[derive(Clone, Copy, Debug)]
pub struct AssociationWords;

/// The words for network interfaces that forward.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceWords;

impl Words for TableWords {
    fn heading(&self, told: &Told<'_>) -> String {
        let name = told.places;
        match (told.action, told.reason) {
            (Action::Import, _) => format!("{name} is already as wanted; topo records it"),
            (Action::Add, Reason::Missing) => format!("topo makes {name} again: the recorded route table is gone"),
            (Action::Add, Reason::InDoubt) => format!("topo makes {name}: {IN_DOUBT}"),
            (Action::Add, _) => format!("topo makes {name} (new)"),
            (Action::Change, Reason::Altered(_)) => format!("topo puts {name} back: somebody changed it"),
            (Action::Change, Reason::InDoubt) => format!("topo puts {name} right: {IN_DOUBT}"),
            (Action::Change, _) => format!("topo changes {name} {EDITED}"),
            (Action::Remove, reason) => format!("topo removes {name} {}", removed(reason)),
            (Action::Forget, _) => format!("{name} stays, and topo drops its record"),
        }
    }
}

impl Words for AssociationWords {
    fn heading(&self, told: &Told<'_>) -> String {
        let network = told.places;
        let one = told.count == 1;
        let subnets =
            if one { format!("{network}/{}", told.name) } else { format!("{} subnets of {network}", told.count) };
        let (uses, it) = if one { ("uses", "it") } else { ("use", "them") };
        let (the, are) = if one { ("the association", "is") } else { ("the associations", "are") };
        let mut tables: Vec<&str> = told
            .settings
            .iter()
            .filter_map(|one| one.after.as_deref().or(one.before.as_deref()))
            .map(name_of)
            .collect();
        tables.sort_unstable();
        tables.dedup();
        let tables = tables.join(", ");
        let rest = match (told.action, told.reason) {
            (Action::Import, _) => return format!("{subnets} already {uses} {tables} as wanted; topo records {it}"),
            (_, Reason::TakenOver(_)) => " in place of somebody else's route table (taken over as asked)".to_owned(),
            (Action::Remove, reason) => return format!("{subnets} no longer {uses} {tables} {}", removed(reason)),
            (Action::Forget, _) => ", and topo drops the record of that".to_owned(),
            (_, Reason::New | Reason::NewNode) => " (new)".to_owned(),
            (_, Reason::Missing) => format!(" again: {the} on record {are} gone"),
            (_, Reason::Altered(_)) => format!(" again: somebody changed {the}"),
            (_, Reason::InDoubt) => format!(": {IN_DOUBT}"),
            _ => format!(" {EDITED}"),
        };
        format!("{subnets} {uses} {tables}{rest}")
    }

    /// Tables are named by their names; where these are alike, with their resource groups.
    fn setting(&self, action: Action, setting: &Setting) -> String {
        let alike = match (setting.before.as_deref(), setting.after.as_deref()) {
            (Some(one), Some(other)) => {
                name_of(one).eq_ignore_ascii_case(name_of(other)) && !one.eq_ignore_ascii_case(other)
            }
            _ => false,
        };
        let shown = |id: &String| match part_of(id, "resourceGroups").filter(|_| alike) {
            Some(group) => format!("{group}/{}", name_of(id)),
            None => name_of(id).to_owned(),
        };
        let Setting { name, before, after } = setting;
        Setting { name: name.clone(), before: before.as_ref().map(shown), after: after.as_ref().map(shown) }
            .text(action)
    }
}

impl Words for InterfaceWords {
    fn heading(&self, told: &Told<'_>) -> String {
        let (interfaces, one) = (told.places, told.is_one_place);
        let (forwards, forward) = if one { ("forwards", "forward") } else { ("forward", "forward") };
        let off = told.settings.iter().all(|setting| setting.after.as_deref() == Some("off"));
        match told.reason {
            reason if off => format!("{interfaces} no longer {forwards} IP packets {}", removed(reason)),
            Reason::Altered(_) => format!("{interfaces} {forwards} IP packets again: somebody turned that off"),
            Reason::InDoubt => format!("topo makes {interfaces} {forward} IP packets: {IN_DOUBT}"),
            _ => format!("topo makes {interfaces} {forward} IP packets"),
        }
    }
}

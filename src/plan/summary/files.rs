//! Files that come, go or change: those of several places that are alike are one change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Change, What};
use super::split_reason;
use crate::plan::{FileChange, PlacePlan, ResourcePlan};
use crate::resource::{Action, Place, Reason, ResourceId};

/// What tells files apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    action: Action,
    reason: Reason,
    name: Arc<str>,
    path: Arc<str>,
    definition: Arc<str>,
    difference: Option<Arc<str>>,
}

/// The changes of files, in the order of what happens to them.
pub(super) fn file_changes(planned: &[(&Place, &PlacePlan)]) -> Vec<Change> {
    let mut groups: Vec<(Arc<str>, Vec<u32>)> = Vec::new();
    let mut known: BTreeMap<Key, usize> = BTreeMap::new();
    // Neighbours mostly are alike, and comparing them costs less than making keys.
    let mut before: Option<(&ResourceId, &FileChange, usize)> = None;
    for (index, (_, place_plan)) in (0_u32..).zip(planned) {
        for (id, file) in place_plan.files() {
            let Some(change) = &file.change else { continue };
            let at = before.filter(|(other, before, _)| *other == id && *before == change).map(|(.., at)| at);
            let at = at.unwrap_or_else(|| {
                let FileChange { action, reason, path, definition } = change.clone();
                let (reason, difference) = split_reason(reason);
                let key = Key { action, reason, name: Arc::clone(&id.name), path, definition, difference };
                *known.entry(key).or_insert_with(|| {
                    groups.push((Arc::clone(&id.kind), Vec::new()));
                    groups.len() - 1
                })
            });
            groups[at].1.push(index);
            before = Some((id, change, at));
        }
    }
    let change = |(Key { action, reason, name, path, definition, difference }, at): (Key, usize)| {
        let (kind, members) = std::mem::take(&mut groups[at]);
        Change {
            kind,
            name,
            action,
            reason,
            count: members.len(),
            each: (1, 1),
            members: members.into(),
            part_of: None,
            what: What::File { path, definition, difference },
        }
    };
    known.into_iter().map(change).collect()
}

/// Whether the routes of a resource are told: those of a file that is written anew and was not recorded are told by the
/// difference, or are there already.
pub(super) fn shows_routes(resource: &ResourcePlan) -> bool {
    let Some(file) = &resource.file else { return true };
    match &file.change {
        Some(change) => {
            change.action != Action::Import && !matches!(change.reason, Reason::Stale(_) | Reason::TakenOver(_))
        }
        None => false,
    }
}

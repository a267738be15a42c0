//! A plan as a reviewer reads it: changes, each with the places that it applies to, counted without listing the routes
//! of a mesh node by node.

mod change;
mod files;
mod group;
mod line;
mod listed;
mod parts;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use self::change::{Change, Part, What};
use self::files::{file_changes, shows_routes};
use self::group::{Group, restricted};
use self::line::split_reason;
pub use self::line::{Before, Line, SettingLine};
use self::listed::listed_changes;
use self::parts::{ChangeKey, SingleKey, single_parts};
use super::{PlacePlan, Plan};
use crate::network::{Memo, RouteSet, View};
use crate::resource::{Action, NaturalName, Place, ResourceId};

/// The changes of a plan.
#[derive(Debug, Default)]
pub struct Summary {
    /// All changes: first drift, which topo puts back, then what the topology asks for.
    pub changes: Vec<Change>,
    /// How many things are already as wanted, so that topo only records them.
    pub import: usize,
    /// How many things are added.
    pub add: usize,
    /// How many things are changed.
    pub change: usize,
    /// How many things are removed.
    pub destroy: usize,
    /// All places of the plan in natural order: `node-2` before `node-10`.
    places: Vec<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey<'a> {
    /// Row list and view of either side, by identity.
    from: Option<(usize, usize)>,
    to: Option<(usize, usize)>,
    reasons: (bool, bool),
    id: &'a ResourceId,
}

impl Summary {
    /// Groups the operations of a plan.
    pub fn new(plan: &Plan, memo: &mut Memo) -> Self {
        let planned = in_natural_order(plan);
        let mut groups: Vec<Group> = Vec::new();
        let mut known: BTreeMap<GroupKey<'_>, usize> = BTreeMap::new();
        // Neighbours are mostly in the same groups, and share lists and views in memory.
        let mut before: Vec<(GroupKey<'_>, usize)> = Vec::new();
        let mut views = Views::default();
        let mut singles: BTreeMap<ChangeKey, HashMap<SingleKey, Vec<u32>>> = BTreeMap::new();
        for (index, (place, place_plan)) in (0_u32..).zip(planned.iter().copied()) {
            if !place_plan.acts {
                continue;
            }
            let reasons = plan.reasons(place);
            let told = place_plan.resources.iter().filter(|(_, resource)| shows_routes(resource));
            for (id, table) in told.flat_map(|(id, resource)| resource.tables.iter().map(move |table| (id, table))) {
                let shared = |set: &RouteSet| (set.rows.identity(), Arc::as_ptr(&set.view) as usize);
                let (from, to) = (table.from.as_ref(), table.to.as_ref());
                let near = GroupKey { from: from.map(shared), to: to.map(shared), reasons: reasons.distinction(), id };
                let at = before.iter().find(|(other, _)| *other == near).map(|(_, at)| *at);
                let at = at.unwrap_or_else(|| {
                    let mut equal = |set: &RouteSet| (set.rows.identity(), views.identity(&set.view));
                    let key = GroupKey { from: from.map(&mut equal), to: to.map(&mut equal), ..near };
                    let at = *known.entry(key).or_insert_with(|| {
                        groups.push(Group::new(id, place, table, memo));
                        groups.len() - 1
                    });
                    before.retain(|(other, _)| other.id != id);
                    before.push((near, at));
                    at
                });
                let exceptions = groups[at].admit(index, table);
                if exceptions.is_empty() {
                    continue;
                }
                for operation in restricted(table, &exceptions).operations(&reasons, &mut Memo::default()) {
                    let (reason, found) = split_reason(operation.reason);
                    singles
                        .entry((operation.action, reason, Arc::clone(&id.kind), Arc::clone(&id.name)))
                        .or_default()
                        .entry(SingleKey {
                            table: table.view.table,
                            metric: table.view.metric,
                            protocol: table.view.protocol,
                            route: operation.route,
                            before: operation.before,
                            found,
                        })
                        .or_default()
                        .push(index);
                }
            }
        }
        let mut changes: BTreeMap<ChangeKey, Vec<Part>> = BTreeMap::new();
        for mut group in groups {
            group.complete();
            Arc::new(group).parts(plan, memo, &mut changes);
        }
        for (key, lines) in singles {
            changes.entry(key).or_default().extend(single_parts(lines));
        }
        let places: Vec<Place> = planned.iter().map(|(place, _)| (*place).clone()).collect();
        let mut all: Vec<Change> =
            changes.into_iter().map(|(key, parts)| routes_change(key, parts, places.len())).collect();
        all.extend(file_changes(&planned));
        all.extend(listed_changes(&planned));
        // Drift comes first. Otherwise the order stays.
        all.sort_by_key(|change| !change.is_drift());
        let owners: Vec<Option<usize>> = all.iter().map(|change| file_of(change, &all)).collect();
        for (change, owner) in all.iter_mut().zip(owners) {
            change.part_of = owner;
        }
        let mut summary = Self { places, ..Self::default() };
        for change in all.iter().filter(|change| change.part_of.is_none()) {
            summary.count(change.action, change.count);
        }
        summary.changes = all;
        summary
    }

    fn count(&mut self, action: Action, number: usize) {
        match action {
            Action::Import => self.import += number,
            Action::Add => self.add += number,
            Action::Change => self.change += number,
            Action::Remove => self.destroy += number,
            Action::Forget => {}
        }
    }

    /// The place with this number.
    pub fn place(&self, number: u32) -> &Place {
        &self.places[number as usize]
    }

    /// How many places there are.
    pub fn place_count(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// Whether nothing comes, goes or changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// The places of a plan, `node-2` before `node-10`.
fn in_natural_order(plan: &Plan) -> Vec<(&Place, &PlacePlan)> {
    let mut planned: Vec<(NaturalName<'_>, (&Place, &PlacePlan))> = Vec::with_capacity(plan.places.len());
    planned.extend(plan.places.iter().map(|(place, planned)| (place.name().into(), (place, planned))));
    planned
        .sort_unstable_by(|(one, (place, _)), (other, (second, _))| one.order(other).then_with(|| place.cmp(second)));
    planned.into_iter().map(|(_, planned)| planned).collect()
}

/// The change of routes for one reason.
fn routes_change((action, reason, kind, name): ChangeKey, mut parts: Vec<Part>, places: usize) -> Change {
    let mut each = vec![0_usize; places];
    for part in &mut parts {
        for member in part.members.iter() {
            each[*member as usize] += part.len;
        }
        for (member, missing) in std::mem::take(&mut part.missing) {
            each[member as usize] -= missing;
        }
    }
    let members: Arc<[u32]> = (0_u32..).zip(&each).filter(|(_, routes)| **routes > 0).map(|(index, _)| index).collect();
    let some = || each.iter().copied().filter(|routes| *routes > 0);
    Change {
        kind,
        name,
        action,
        reason,
        count: parts.iter().map(|part| part.count).sum(),
        each: (some().min().unwrap_or(0), some().max().unwrap_or(0)),
        members: match &parts[..] {
            [only] if only.members == members => Arc::clone(&only.members),
            _ => members,
        },
        part_of: None,
        what: What::Routes { lines: parts.iter().map(|part| part.len).sum(), parts },
    }
}

/// The change of the file that routes stand in: one on the same places, if there is one.
fn file_of(routes: &Change, all: &[Change]) -> Option<usize> {
    if routes.name.is_empty() || !matches!(routes.what, What::Routes { .. }) {
        return None;
    }
    let is_file = |change: &Change| {
        matches!(change.what, What::File { .. }) && change.kind == routes.kind && change.name == routes.name
    };
    let shares = |change: &Change| routes.members.iter().any(|member| change.members.binary_search(member).is_ok());
    all.iter().position(|change| is_file(change) && shares(change))
}

/// Numbers views by content. It looks at their address first, because most places share a view in memory.
#[derive(Default)]
struct Views {
    by_address: BTreeMap<usize, usize>,
    by_content: BTreeMap<Arc<View>, usize>,
}

impl Views {
    fn identity(&mut self, view: &Arc<View>) -> usize {
        let by_content = &mut self.by_content;
        *self.by_address.entry(Arc::as_ptr(view) as usize).or_insert_with(|| {
            let next = by_content.len();
            *by_content.entry(Arc::clone(view)).or_insert(next)
        })
    }
}

#[cfg(test)]
mod tests;

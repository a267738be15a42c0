//! A plan as a reviewer reads it: changes, each with the places that it applies to, counted without listing the routes
//! of a mesh node by node.

mod azure;
mod group;

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use self::azure::azure_groups;
pub use self::azure::{AzureGroup, AzureLine};
use self::group::{Group, restricted};
use super::build::{PlacePlan, Plan};
use super::operation::Live;
use super::{FileChange, FilePlan};
use crate::network::{Memo, Route, RouteSet, View};
use crate::resource::{Action, Place, Reason, ResourceId, natural_order};

/// Parts with more lines than this keep none of them; they are computed again when asked for. 500 views of a mesh of
/// 5,000 nodes would be five million lines.
const KEPT_LINES: usize = 64;

/// The changes of a plan.
#[derive(Debug, Default)]
pub struct Summary {
    /// What the topology asks for, by action and reason.
    pub changes: Vec<Change>,
    /// What is live otherwise than recorded and is taken back; counted like the rest.
    pub drift: Vec<Change>,
    /// What is as wanted already and is recorded: routes, files and what is in Azure.
    pub import: usize,
    /// What is added.
    pub add: usize,
    /// What is changed.
    pub change: usize,
    /// What is removed.
    pub destroy: usize,
    /// Files that come, go or change; each counts as one.
    pub files: Vec<FileGroup>,
    /// What comes, goes or changes in Azure; each line counts as one.
    pub azure: Vec<AzureGroup>,
    /// All places of the plan in natural order: `node-2` before `node-10`.
    places: Vec<Place>,
}

/// The same file on several places, and what happens to it there.
#[derive(Debug)]
pub struct FileGroup {
    /// The kind of resource.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Where it is.
    pub path: String,
    /// What happens to it, and why; the difference is beside it.
    pub change: FileChange,
    /// What routes are added to, as people say it; empty where nobody has looked.
    pub definition: String,
    /// A unified difference, where somebody has changed it by hand.
    pub difference: Option<Arc<str>>,
    /// The places, as numbers for [`Summary::place`], in natural order.
    pub members: Vec<u32>,
}

/// What is done for one reason, wherever it is done.
#[derive(Debug)]
pub struct Change {
    /// The kind of resource.
    pub kind: Arc<str>,
    /// The name of the file that the routes stand in; empty where they are in the kernel.
    pub name: Arc<str>,
    /// What is done.
    pub action: Action,
    /// Why. A description of what is live is empty here; the lines have it.
    pub reason: Reason,
    /// Number of routes, over all places.
    pub count: usize,
    /// Number of lines.
    pub lines: usize,
    /// The least and the most routes that a place of it has.
    pub each: (usize, usize),
    /// The places, as numbers for [`Summary::place`], in natural order.
    pub members: Arc<[u32]>,
    /// Its lines, by the places that share them.
    pub parts: Vec<Part>,
}

/// Lines of a change that apply to the same places.
#[derive(Debug)]
pub struct Part {
    /// Number of the routing table.
    pub table: u32,
    /// Metric of the routes, where one is given.
    pub metric: Option<u32>,
    /// Route protocol number that is written.
    pub protocol: u8,
    /// The places, as numbers for [`Summary::place`], in natural order.
    pub members: Arc<[u32]>,
    /// Number of routes, over all places.
    pub count: usize,
    /// Number of lines.
    pub len: usize,
    lines: Lines,
    /// Number of lines that a place does not have.
    missing: HashMap<u32, usize>,
}

/// One route of a change, the same on all places of its part but a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The route as it becomes, or for a removal as it is.
    pub route: Route,
    /// The live row that is changed or removed.
    pub before: Option<Live>,
    /// What is live there, where the reason says that.
    pub found: Option<Arc<str>>,
    /// Places of the part that do not have it: the owner of the destination, and those with a story of their own.
    pub without: Vec<u32>,
}

#[derive(Debug)]
enum Lines {
    Listed(Vec<Line>),
    Computed(Arc<Group>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct GroupKey<'a> {
    id: &'a ResourceId,
    /// Row list and view of either side, by identity.
    from: Option<(usize, usize)>,
    to: Option<(usize, usize)>,
    reasons: (bool, bool),
}

impl Hash for GroupKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A plan has a few resources and thousands of places.
        (self.from, self.to, self.reasons).hash(state);
    }
}

/// What tells changes apart: action, reason, kind and name of the resource.
type ChangeKey = (Action, Reason, Arc<str>, Arc<str>);

#[derive(PartialEq, Eq, Hash)]
struct SingleKey {
    table: u32,
    metric: Option<u32>,
    protocol: u8,
    route: Route,
    before: Option<Live>,
    found: Option<Arc<str>>,
}

impl Summary {
    /// Groups the operations of a plan.
    pub fn new(plan: &Plan, memo: &mut Memo) -> Self {
        let mut planned: Vec<(&Place, &PlacePlan)> = plan.places.iter().collect();
        planned.sort_by(|(one, _), (other, _)| natural_order(one.name(), other.name()).then_with(|| one.cmp(other)));
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<GroupKey<'_>, usize> = HashMap::new();
        // Neighbours are mostly in the same groups, and comparing costs less than a look-up.
        let mut before: Vec<(GroupKey<'_>, usize)> = Vec::new();
        let mut views = Views::default();
        let mut singles: BTreeMap<ChangeKey, HashMap<SingleKey, Vec<u32>>> = BTreeMap::new();
        for (index, (place, place_plan)) in (0_u32..).zip(planned.iter().copied()) {
            if !place_plan.acts {
                continue;
            }
            let reasons = plan.reasons(place);
            for (id, table) in place_plan.tables.iter().filter(|(id, _)| tells_routes(place_plan, id)) {
                let mut side =
                    |set: &Option<RouteSet>| set.as_ref().map(|set| (set.rows.identity(), views.identity(&set.view)));
                let key = GroupKey { id, from: side(&table.from), to: side(&table.to), reasons: reasons.distinction() };
                let at = before.iter().find(|(other, _)| *other == key).map(|(_, at)| *at);
                let at = at.unwrap_or_else(|| {
                    let at = *known.entry(key).or_insert_with(|| {
                        groups.push(Group::new(id, place, table, memo));
                        groups.len() - 1
                    });
                    before.retain(|(other, _)| other.id != id);
                    before.push((key, at));
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
        let files = file_groups(&planned);
        let azure = azure_groups(&planned);
        let places = planned.into_iter().map(|(place, _)| place.clone()).collect();
        let mut summary = Self { places, ..Self::default() };
        for file in files {
            summary.count(file.change.action, file.members.len());
            summary.files.push(file);
        }
        for group in azure {
            summary.count(group.action, group.lines.len());
            summary.azure.push(group);
        }
        for (key, parts) in changes {
            summary.push(key, parts);
        }
        summary
    }

    fn push(&mut self, (action, reason, kind, name): ChangeKey, mut parts: Vec<Part>) {
        let mut each = vec![0_usize; self.places.len()];
        for part in &mut parts {
            for member in part.members.iter() {
                each[*member as usize] += part.len;
            }
            for (member, missing) in std::mem::take(&mut part.missing) {
                each[member as usize] -= missing;
            }
        }
        let members: Arc<[u32]> =
            (0_u32..).zip(&each).filter(|(_, routes)| **routes > 0).map(|(index, _)| index).collect();
        let some = || each.iter().copied().filter(|routes| *routes > 0);
        let change = Change {
            kind,
            name,
            action,
            count: parts.iter().map(|part| part.count).sum(),
            lines: parts.iter().map(|part| part.len).sum(),
            each: (some().min().unwrap_or(0), some().max().unwrap_or(0)),
            members: match &parts[..] {
                [only] if only.members == members => Arc::clone(&only.members),
                _ => members,
            },
            parts,
            reason,
        };
        // Routes that stand in a file count with it.
        if change.name.is_empty() {
            self.count(action, change.count);
        }
        if change.reason.is_drift() { self.drift.push(change) } else { self.changes.push(change) }
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

    /// Whether no route, no file and nothing in Azure comes, goes or changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.drift.is_empty() && self.files.is_empty() && self.azure.is_empty()
    }
}

impl Change {
    /// Goes through the lines of all parts, until it is told to stop.
    pub fn for_each(&self, plan: &Plan, mut take: impl FnMut(&Part, Line) -> ControlFlow<()>) {
        for part in &self.parts {
            if part.for_each(plan, self, |line| take(part, line)).is_break() {
                return;
            }
        }
    }
}

impl Part {
    /// Goes through the lines, sorted by destination, until it is told to stop.
    pub fn for_each(
        &self,
        plan: &Plan,
        change: &Change,
        mut take: impl FnMut(Line) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match &self.lines {
            Lines::Listed(lines) => lines.iter().cloned().try_for_each(take),
            Lines::Computed(group) => {
                for operation in group.operations(plan, &mut Memo::default()) {
                    if operation.action != change.action {
                        continue;
                    }
                    let line = group.line(&operation);
                    let (reason, _) = split_reason(operation.reason);
                    if reason == change.reason && line.without.len() < self.members.len() {
                        take(line)?;
                    }
                }
                ControlFlow::Continue(())
            }
        }
    }

    /// The places that have a line.
    pub fn members_of<'a>(&'a self, line: &'a Line) -> impl Iterator<Item = u32> + Clone + 'a {
        self.members.iter().copied().filter(|member| !line.without.contains(member))
    }
}

/// Whether the routes of a resource are told: those of a file that is written anew and was not recorded are told by the
/// difference, or are there already.
fn tells_routes(plan: &PlacePlan, id: &ResourceId) -> bool {
    let Some(file) = plan.files.iter().find(|file| file.id == *id) else { return true };
    match &file.change {
        Some(change) => {
            change.action != Action::Import && !matches!(change.reason, Reason::Stale(_) | Reason::TakenOver(_))
        }
        None => false,
    }
}

/// The files of a plan, those of several places that are alike together.
fn file_groups(planned: &[(&Place, &PlacePlan)]) -> Vec<FileGroup> {
    type Key = (bool, Action, Reason, Arc<str>, String, String, Option<Arc<str>>);
    let mut groups: Vec<FileGroup> = Vec::new();
    let mut known: BTreeMap<Key, usize> = BTreeMap::new();
    // Neighbours mostly are alike, and comparing them costs less than making keys.
    let mut before: Option<(&FilePlan, usize)> = None;
    for (index, (_, place_plan)) in (0_u32..).zip(planned) {
        for file in &place_plan.files {
            let Some(FileChange { action, reason }) = &file.change else { continue };
            let at = before.filter(|(before, _)| before.is_told_as(file)).map(|(_, at)| at);
            let at = at.unwrap_or_else(|| {
                let (reason, difference) = split_reason(reason.clone());
                let (path, definition) = (file.path(), file.definition());
                let name = Arc::clone(&file.id.name);
                let key = (!reason.is_drift(), *action, reason, name, path, definition, difference);
                *known.entry(key).or_insert_with_key(|(_, action, reason, name, path, definition, difference)| {
                    groups.push(FileGroup {
                        kind: Arc::clone(&file.id.kind),
                        name: Arc::clone(name),
                        path: path.clone(),
                        change: FileChange { action: *action, reason: reason.clone() },
                        definition: definition.clone(),
                        difference: difference.clone(),
                        members: Vec::new(),
                    });
                    groups.len() - 1
                })
            });
            groups[at].members.push(index);
            before = Some((file, at));
        }
    }
    let mut groups: Vec<Option<FileGroup>> = groups.into_iter().map(Some).collect();
    known.into_values().filter_map(|at| groups[at].take()).collect()
}

/// Lines that were computed place by place, put together by the places that they apply to.
fn single_parts(lines: HashMap<SingleKey, Vec<u32>>) -> impl Iterator<Item = Part> {
    type Shared = (u32, Option<u32>, u8, Vec<u32>);
    let mut parts: BTreeMap<Shared, Vec<Line>> = BTreeMap::new();
    for (key, members) in lines {
        let line = Line { route: key.route, before: key.before, found: key.found, without: Vec::new() };
        parts.entry((key.table, key.metric, key.protocol, members)).or_default().push(line);
    }
    parts.into_iter().map(|((table, metric, protocol, members), mut lines)| {
        lines.sort_unstable_by_key(|line| (line.route, line.before));
        Part {
            table,
            metric,
            protocol,
            count: members.len() * lines.len(),
            len: lines.len(),
            members: members.into(),
            lines: Lines::Listed(lines),
            missing: HashMap::new(),
        }
    })
}

/// Takes the description of what is live out of a reason, so that changes differ by what happened and not by where.
fn split_reason(reason: Reason) -> (Reason, Option<Arc<str>>) {
    let found = |text: String| Some(Arc::from(text));
    match reason {
        Reason::Altered(text) => (Reason::Altered(String::new()), found(text)),
        Reason::MarkLost(text) => (Reason::MarkLost(String::new()), found(text)),
        Reason::Adopted(text) => (Reason::Adopted(String::new()), found(text)),
        Reason::TakenOver(text) => (Reason::TakenOver(String::new()), found(text)),
        Reason::Stale(text) => (Reason::Stale(String::new()), found(text)),
        other => (other, None),
    }
}

/// Numbers views by content; by address first, for most places share one in memory.
#[derive(Default)]
struct Views {
    by_address: HashMap<usize, usize>,
    by_content: HashMap<Arc<View>, usize>,
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
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

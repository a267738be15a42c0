//! A plan as a reviewer reads it: changes, each with the places that it applies to, counted without listing the routes
//! of a mesh node by node.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::build::Plan;
use super::operation::{Action, Live, Operation, Reason};
use super::table::TablePlan;
use super::{Place, ResourceId};
use crate::network::{Memo, Prefix, Route, RouteSet, View};

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
    /// Routes that are recorded and already there.
    pub import: usize,
    /// Routes that are added.
    pub add: usize,
    /// Routes that get another next hop or our mark back.
    pub change: usize,
    /// Routes that are removed.
    pub destroy: usize,
    /// All places of the plan in natural order: `node-2` before `node-10`.
    places: Vec<Place>,
}

/// What is done for one reason, wherever it is done.
#[derive(Debug)]
pub struct Change {
    /// The kind of resource.
    pub kind: Arc<str>,
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

/// Places whose tables differ in nothing but whose own the rows are.
#[derive(Debug)]
struct Group {
    kind: Arc<str>,
    /// The change of a sender that owns nothing and has no exceptions.
    template: TablePlan,
    /// One of the places; the reasons of all are alike.
    first: Place,
    members: Vec<u32>,
    owners: HashMap<IpAddr, u32>,
    except: HashMap<Prefix, Vec<u32>>,
    /// Destinations that move between two owners, by each of the two.
    moved: HashMap<IpAddr, Vec<Prefix>>,
}

#[derive(PartialEq, Eq, Hash)]
struct GroupKey<'a> {
    id: &'a ResourceId,
    /// Row list and view of either side, by identity.
    from: Option<(usize, usize)>,
    to: Option<(usize, usize)>,
    reasons: (bool, bool),
}

type ChangeKey = (Action, Reason, Arc<str>);

#[derive(PartialEq, Eq, Hash)]
struct SingleKey {
    table: u32,
    metric: Option<u32>,
    route: Route,
    before: Option<Live>,
    found: Option<Arc<str>>,
}

impl Summary {
    /// Groups the operations of a plan.
    pub fn new(plan: &Plan, memo: &mut Memo) -> Self {
        let mut places: Vec<Place> = plan.places.keys().cloned().collect();
        places.sort_by(|one, other| natural_order(one.name(), other.name()).then_with(|| one.cmp(other)));
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<GroupKey<'_>, usize> = HashMap::new();
        let mut views = Views::default();
        let mut singles: BTreeMap<ChangeKey, HashMap<SingleKey, Vec<u32>>> = BTreeMap::new();
        for (index, place) in (0_u32..).zip(&places) {
            let Some(place_plan) = plan.places.get(place).filter(|place_plan| place_plan.acts) else { continue };
            let reasons = plan.reasons(place);
            for (id, table) in &place_plan.tables {
                let mut side =
                    |set: &Option<RouteSet>| set.as_ref().map(|set| (set.rows.identity(), views.identity(&set.view)));
                let key = GroupKey { id, from: side(&table.from), to: side(&table.to), reasons: reasons.distinction() };
                let at = *known.entry(key).or_insert_with(|| {
                    groups.push(Group::new(&id.kind, place, table, memo));
                    groups.len() - 1
                });
                let exceptions = groups[at].admit(index, table);
                if exceptions.is_empty() {
                    continue;
                }
                for operation in restricted(table, &exceptions).operations(&reasons, &mut Memo::default()) {
                    let (reason, found) = split_reason(operation.reason);
                    singles
                        .entry((operation.action, reason, Arc::clone(&id.kind)))
                        .or_default()
                        .entry(SingleKey {
                            table: table.view.table,
                            metric: table.view.metric,
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
        for group in groups {
            Arc::new(group).parts(plan, memo, &mut changes);
        }
        for (key, lines) in singles {
            changes.entry(key).or_default().extend(single_parts(lines));
        }
        let mut summary = Self { places, ..Self::default() };
        for (key, parts) in changes {
            summary.push(key, parts);
        }
        summary
    }

    fn push(&mut self, (action, reason, kind): ChangeKey, mut parts: Vec<Part>) {
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
        match action {
            Action::Import => self.import += change.count,
            Action::Add => self.add += change.count,
            Action::Change => self.change += change.count,
            Action::Remove => self.destroy += change.count,
            Action::Forget => {}
        }
        if change.reason.is_drift() { self.drift.push(change) } else { self.changes.push(change) }
    }

    /// The place with this number.
    pub fn place(&self, number: u32) -> &Place {
        &self.places[number as usize]
    }

    /// Whether no route comes, goes or changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.drift.is_empty()
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
    pub fn members_of(&self, line: &Line) -> impl Iterator<Item = u32> {
        self.members.iter().copied().filter(|member| !line.without.contains(member))
    }
}

impl Group {
    fn new(kind: &Arc<str>, first: &Place, table: &TablePlan, memo: &mut Memo) -> Self {
        let bare = |set: &Option<RouteSet>| {
            set.as_ref().map(|set| RouteSet { own: Arc::from([]), lacks: Arc::default(), ..set.clone() })
        };
        let template = TablePlan {
            from: bare(&table.from),
            to: bare(&table.to),
            special: BTreeMap::new(),
            settled: None,
            ..table.clone()
        };
        let mut moved: HashMap<IpAddr, Vec<Prefix>> = HashMap::new();
        if let (Some(from), Some(to)) = (&table.from, &table.to) {
            for pair in memo.delta(&from.rows, &to.rows).pairs() {
                let (Some(before), Some(after)) = pair else { continue };
                if before.owner != after.owner {
                    moved.entry(before.owner).or_default().push(before.destination);
                    moved.entry(after.owner).or_default().push(after.destination);
                }
            }
        }
        Self {
            kind: Arc::clone(kind),
            template,
            first: first.clone(),
            members: Vec::new(),
            owners: HashMap::new(),
            except: HashMap::new(),
            moved,
        }
    }

    /// Takes a place in; gives back the destinations that are to be computed for it alone.
    fn admit(&mut self, index: u32, table: &TablePlan) -> Vec<Prefix> {
        let own = |set: &Option<RouteSet>| set.as_ref().map(|set| Arc::clone(&set.own));
        let (before, after) = (own(&table.from), own(&table.to));
        let mut exceptions: Vec<Prefix> = table.special.keys().copied().collect();
        for set in table.from.iter().chain(&table.to) {
            exceptions.extend(set.lacks.iter());
        }
        let sides: Vec<&Arc<[IpAddr]>> = before.iter().chain(&after).collect();
        for address in sides.iter().flat_map(|side| side.iter()) {
            if !self.moved.is_empty() {
                exceptions.extend(self.moved.get(address).into_iter().flatten());
            }
            if sides.iter().all(|side| side.contains(address)) {
                self.owners.insert(*address, index);
            } else {
                // An address that the node has on one side only: nothing about its rows is as elsewhere.
                let rows = table.from.iter().chain(&table.to).flat_map(|set| set.rows.as_slice());
                exceptions.extend(rows.filter(|row| row.owner == *address).map(|row| row.destination));
            }
        }
        exceptions.sort_unstable();
        exceptions.dedup();
        self.members.push(index);
        for destination in &exceptions {
            self.except.entry(*destination).or_default().push(index);
        }
        exceptions
    }

    fn operations(&self, plan: &Plan, memo: &mut Memo) -> Vec<Operation> {
        self.template.operations(&plan.reasons(&self.first), memo)
    }

    fn line(&self, operation: &Operation) -> Line {
        let destination = &operation.route.destination;
        let mut without = self.except.get(destination).cloned().unwrap_or_default();
        let set = if operation.action == Action::Remove { &self.template.from } else { &self.template.to };
        let row = set.as_ref().and_then(|set| set.rows.find(destination));
        if let Some(owner) = row.and_then(|row| self.owners.get(&row.owner)) {
            if !without.contains(owner) {
                without.push(*owner);
            }
        }
        let (_, found) = split_reason(operation.reason.clone());
        Line { route: operation.route, before: operation.before, found, without }
    }

    fn parts(self: Arc<Self>, plan: &Plan, memo: &mut Memo, changes: &mut BTreeMap<ChangeKey, Vec<Part>>) {
        let members: Arc<[u32]> = self.members.clone().into();
        let mut parts: BTreeMap<(Action, Reason), Part> = BTreeMap::new();
        for operation in self.operations(plan, memo) {
            let line = self.line(&operation);
            let places = members.len() - line.without.len();
            if places == 0 {
                continue;
            }
            let (reason, _) = split_reason(operation.reason);
            let part = parts.entry((operation.action, reason)).or_insert_with(|| Part {
                table: self.template.view.table,
                metric: self.template.view.metric,
                members: Arc::clone(&members),
                count: 0,
                len: 0,
                lines: Lines::Listed(Vec::new()),
                missing: HashMap::new(),
            });
            part.count += places;
            part.len += 1;
            for member in &line.without {
                *part.missing.entry(*member).or_default() += 1;
            }
            match &mut part.lines {
                Lines::Listed(lines) if lines.len() < KEPT_LINES => lines.push(line),
                Lines::Listed(_) => part.lines = Lines::Computed(Arc::clone(&self)),
                Lines::Computed(_) => {}
            }
        }
        for ((action, reason), part) in parts {
            changes.entry((action, reason, Arc::clone(&self.kind))).or_default().push(part);
        }
    }
}

/// Lines that were computed place by place, put together by the places that they apply to.
fn single_parts(lines: HashMap<SingleKey, Vec<u32>>) -> impl Iterator<Item = Part> {
    let mut parts: BTreeMap<(u32, Option<u32>, Vec<u32>), Vec<Line>> = BTreeMap::new();
    for (key, members) in lines {
        let line = Line { route: key.route, before: key.before, found: key.found, without: Vec::new() };
        parts.entry((key.table, key.metric, members)).or_default().push(line);
    }
    parts.into_iter().map(|((table, metric, members), mut lines)| {
        lines.sort_unstable_by(|one, other| (one.route, one.before).cmp(&(other.route, other.before)));
        Part {
            table,
            metric,
            count: members.len() * lines.len(),
            len: lines.len(),
            members: members.into(),
            lines: Lines::Listed(lines),
            missing: HashMap::new(),
        }
    })
}

/// The plan of a table for a few destinations only.
fn restricted(table: &TablePlan, destinations: &[Prefix]) -> TablePlan {
    let cut = |set: &Option<RouteSet>| {
        set.as_ref().map(|set| RouteSet {
            rows: destinations.iter().filter_map(|key| set.rows.find(key).copied()).collect(),
            ..set.clone()
        })
    };
    TablePlan { from: cut(&table.from), to: cut(&table.to), ..table.clone() }
}

/// Takes the description of what is live out of a reason, so that changes differ by what happened and not by where.
fn split_reason(reason: Reason) -> (Reason, Option<Arc<str>>) {
    let found = |text: String| Some(Arc::from(text));
    match reason {
        Reason::Altered(text) => (Reason::Altered(String::new()), found(text)),
        Reason::MarkLost(text) => (Reason::MarkLost(String::new()), found(text)),
        Reason::Adopted(text) => (Reason::Adopted(String::new()), found(text)),
        Reason::TakenOver(text) => (Reason::TakenOver(String::new()), found(text)),
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

/// Compares names with runs of digits as numbers: `node-2` before `node-10`.
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    loop {
        let (first, second) = (digits(left), digits(right));
        if first > 0 && second > 0 {
            let number = |text: &[u8]| text.iter().position(|byte| *byte != b'0').unwrap_or(text.len());
            let (a, b) = (&left[..first], &right[..second]);
            let (a, b) = (&a[number(a)..], &b[number(b)..]);
            match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
                Ordering::Equal => (left, right) = (&left[first..], &right[second..]),
                unequal => return unequal,
            }
            continue;
        }
        match (left.split_first(), right.split_first()) {
            (Some((a, rest)), Some((b, others))) if a == b => (left, right) = (rest, others),
            (a, b) => return a.map(|(byte, _)| byte).cmp(&b.map(|(byte, _)| byte)).then_with(|| one.cmp(other)),
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

//! The parts of changes: lines that were computed once for many places, and lines that were computed place by place.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::change::{Lines, Part};
use super::group::Group;
use super::line::{Line, line_of, split_reason};
use crate::network::{Memo, Route};
use crate::plan::{Live, Plan};
use crate::resource::{Action, Reason};

/// A part with more lines than this keeps none of them and computes them on demand. 500 views of a mesh of 5,000 nodes would be
/// five million lines.
const KEPT_LINES: usize = 64;

/// Changes differ in at least one of these: action, reason, kind and name of the resource.
pub(super) type ChangeKey = (Action, Reason, Arc<str>, Arc<str>);

/// Operations on routes that differ in none of these are one line.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct SingleKey {
    pub(super) table: u32,
    pub(super) metric: Option<u32>,
    pub(super) protocol: u8,
    pub(super) route: Route,
    pub(super) before: Option<Live>,
    pub(super) found: Option<Arc<str>>,
}

impl Group {
    pub(super) fn parts(self: Arc<Self>, plan: &Plan, memo: &mut Memo, changes: &mut BTreeMap<ChangeKey, Vec<Part>>) {
        let mut parts: BTreeMap<(Action, Reason), Part> = BTreeMap::new();
        if let Some((key, part)) = self.whole_part(plan) {
            parts.insert(key, part);
        } else {
            self.count_lines(plan, memo, &mut parts);
        }
        for ((action, reason), part) in parts {
            changes.entry((action, reason, Arc::clone(&self.kind), Arc::clone(&self.name))).or_default().push(part);
        }
    }

    fn empty_part(&self) -> Part {
        Part {
            table: Some(self.template.view.table),
            metric: self.template.view.metric,
            protocol: Some(self.template.view.protocol),
            members: self.members.as_slice().into(),
            count: 0,
            len: 0,
            lines: Lines::Listed(Vec::new()),
            missing: HashMap::new(),
        }
    }

    /// The part of a whole list that comes or goes for one reason. 500 views of a mesh of 5,000 nodes have five million lines, so
    /// this counts without going through them. None: the lines are few, or differ in their reasons.
    fn whole_part(self: &Arc<Self>, plan: &Plan) -> Option<((Action, Reason), Part)> {
        let (set, reasons) = (self.whole_list()?, plan.reasons(&self.first));
        let (action, reason) = match &self.template.to {
            Some(_) => (Action::Add, reasons.added_all()?),
            None => (Action::Remove, reasons.removed_all()?),
        };
        let mut part = self.empty_part();
        for (family, owners) in self.owners.iter().enumerate() {
            for (at, (number, member)) in owners.iter().enumerate() {
                // Where several members have an address, it counts for the last one.
                let is_last = owners.get(at + 1).is_none_or(|(next, _)| next != number);
                let rows = if is_last { set.count_to(address_of(family, *number)) } else { 0 };
                *part.missing.entry(*member).or_default() += rows;
            }
        }
        part.len = set.count_whole();
        if let [only] = &*part.members {
            // Nobody has its own rows.
            part.len -= part.missing.remove(only).unwrap_or(0);
        }
        part.count = part.len * part.members.len() - part.missing.values().sum::<usize>();
        part.lines = Lines::Computed(Arc::clone(self));
        (part.len > KEPT_LINES).then_some(((action, reason), part))
    }

    fn count_lines(self: &Arc<Self>, plan: &Plan, memo: &mut Memo, parts: &mut BTreeMap<(Action, Reason), Part>) {
        let empty = self.empty_part();
        let members = &empty.members;
        let _ = self.for_each_line(plan, memo, |operation, line| {
            let places = members.len() - line.without.len();
            if places == 0 {
                return ControlFlow::Continue(());
            }
            let (reason, _) = split_reason(operation.reason);
            let part = parts.entry((operation.action, reason)).or_insert_with(|| Part {
                members: Arc::clone(members),
                lines: Lines::Listed(Vec::new()),
                missing: HashMap::new(),
                ..empty
            });
            part.count += places;
            part.len += 1;
            for member in &line.without {
                *part.missing.entry(*member).or_default() += 1;
            }
            match &mut part.lines {
                Lines::Listed(lines) if lines.len() < KEPT_LINES => lines.push(line),
                Lines::Listed(_) => part.lines = Lines::Computed(Arc::clone(self)),
                Lines::Computed(_) => {}
            }
            ControlFlow::Continue(())
        });
    }
}

/// Lines that were computed place by place, put together by the places that they apply to.
pub(super) fn single_parts(lines: HashMap<SingleKey, Vec<u32>>) -> impl Iterator<Item = Part> {
    type Shared = (u32, Option<u32>, u8, Vec<u32>);
    let mut parts: BTreeMap<Shared, Vec<Line>> = BTreeMap::new();
    for (key, members) in lines {
        let line = line_of(key.route, key.before, key.found, Vec::new());
        parts.entry((key.table, key.metric, key.protocol, members)).or_default().push(line);
    }
    parts.into_iter().map(|((table, metric, protocol, members), mut lines)| {
        lines.sort_unstable_by(|one, other| {
            let key = |line: &'_ Line| (line.destination, line.next_hop.clone(), line.before.clone());
            key(one).cmp(&key(other))
        });
        Part {
            table: Some(table),
            metric,
            protocol: Some(protocol),
            count: members.len() * lines.len(),
            len: lines.len(),
            members: members.into(),
            lines: Lines::Listed(lines),
            missing: HashMap::new(),
        }
    })
}

/// The address that a group has as a number.
fn address_of(family: usize, number: u128) -> IpAddr {
    match (family, u32::try_from(number)) {
        (0, Ok(number)) => IpAddr::V4(number.into()),
        _ => IpAddr::V6(number.into()),
    }
}

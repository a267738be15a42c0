//! Places whose changes are computed once for all of them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::line::{Line, line_of, split_reason};
use crate::network::{Memo, Prefix, RouteSet, Row, Rows, number};
use crate::plan::{Operation, Plan, TablePlan};
use crate::resource::{Action, Place, ResourceId};

/// Groups get room for so many members at first.
const EXPECTED: usize = 16;

/// Places whose tables differ in nothing but whose own the rows are.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kind: Arc<str>,
    pub(super) name: Arc<str>,
    /// The change of a sender that owns nothing and has no exceptions.
    pub(super) template: TablePlan,
    /// One of the places; the reasons of all are alike.
    pub(super) first: Place,
    pub(super) members: Vec<u32>,
    /// Addresses of the members, IPv4 and IPv6, sorted when all members are in. Most members come in the order of their
    /// addresses.
    pub(super) owners: [Vec<(u128, u32)>; 2],
    except: HashMap<Prefix, Vec<u32>>,
    /// Destinations that move between two owners, by each of the two.
    moved: HashMap<IpAddr, Vec<Prefix>>,
}

impl Group {
    pub(super) fn new(id: &ResourceId, first: &Place, table: &TablePlan, memo: &mut Memo) -> Self {
        let bare = |set: &Option<RouteSet>| {
            set.as_ref().map(|set| RouteSet { own: Arc::from([]), excluded: Arc::default(), ..set.clone() })
        };
        let template = TablePlan {
            from: bare(&table.from),
            to: bare(&table.to),
            overrides: BTreeMap::new(),
            settled: Vec::new(),
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
            kind: Arc::clone(&id.kind),
            name: Arc::clone(&id.name),
            template,
            first: first.clone(),
            members: Vec::with_capacity(EXPECTED),
            owners: [Vec::with_capacity(EXPECTED), Vec::with_capacity(EXPECTED)],
            except: HashMap::new(),
            moved,
        }
    }

    /// Takes a place in; gives back the destinations that are to be computed for it alone.
    pub(super) fn admit(&mut self, index: u32, table: &TablePlan) -> Vec<Prefix> {
        let mut exceptions: Vec<Prefix> = table.overrides.keys().copied().collect();
        let sides = || table.from.iter().chain(&table.to);
        for set in sides() {
            exceptions.extend(set.excluded.iter());
        }
        let unchanged = match (&table.from, &table.to) {
            (Some(from), Some(to)) => from.own == to.own,
            _ => true,
        };
        for set in [sides().next(), table.to.as_ref().filter(|_| !unchanged)].into_iter().flatten() {
            for address in set.own.iter() {
                if !self.moved.is_empty() {
                    exceptions.extend(self.moved.get(address).into_iter().flatten());
                }
                if unchanged || sides().all(|set| set.own.contains(address)) {
                    let (family, number) = numbered(*address);
                    self.owners[family].push((number, index));
                } else {
                    // An address that the node has on one side only: nothing about its rows is as elsewhere.
                    let rows = sides().flat_map(|set| set.rows.as_slice());
                    exceptions.extend(rows.filter(|row| row.owner == *address).map(|row| row.destination));
                }
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

    /// To be called when all places are in.
    pub(super) fn complete(&mut self) {
        for owners in &mut self.owners {
            owners.sort_unstable();
        }
    }

    /// The member that has an address; the last one, where several have it.
    fn owner(&self, address: IpAddr) -> Option<u32> {
        let (family, number) = numbered(address);
        let owners = &self.owners[family];
        let after = owners.partition_point(|(other, _)| *other <= number);
        let (found, member) = owners.get(after.checked_sub(1)?)?;
        (*found == number).then_some(*member)
    }

    /// The routes, where all of a list comes or goes.
    pub(super) fn whole_list(&self) -> Option<&RouteSet> {
        let is_plain = self.except.is_empty();
        match (&self.template.from, &self.template.to) {
            (None, Some(set)) | (Some(set), None) if is_plain => Some(set),
            _ => None,
        }
    }

    /// Goes through all that is done, sorted by destination, each with its line, until it is told to stop.
    pub(super) fn for_each_line(
        &self,
        plan: &Plan,
        memo: &mut Memo,
        mut take: impl FnMut(Operation, Line) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut from = Cursor(self.template.from.as_ref().map_or(Rows::default(), |set| set.rows.clone()), 0);
        self.template.for_each_operation(&plan.reasons(&self.first), memo, |operation| {
            let owner = match operation.action {
                Action::Remove => from.find(&operation.route.destination).map(|row| row.owner),
                _ => operation.receiver,
            };
            let line = self.line(&operation, owner);
            take(operation, line)
        })
    }

    fn line(&self, operation: &Operation, owner: Option<IpAddr>) -> Line {
        let mut without = self.except.get(&operation.route.destination).cloned().unwrap_or_default();
        let owner = owner.and_then(|owner| self.owner(owner));
        without.extend(owner.filter(|owner| !without.contains(owner)));
        let (_, found) = split_reason(operation.reason.clone());
        line_of(operation.route, operation.before, found, without)
    }
}

/// An address as its family's place in [`Group::owners`], and a number.
fn numbered(address: IpAddr) -> (usize, u128) {
    (usize::from(address.is_ipv6()), number(address))
}

/// Finds rows of a list by destinations in their order.
struct Cursor(Rows, usize);

impl Cursor {
    fn find(&mut self, destination: &Prefix) -> Option<Row> {
        let rows = &self.0.as_slice()[self.1..];
        // Mostly it is the next one.
        let near = rows.iter().take(4).position(|row| row.destination >= *destination);
        self.1 += near.unwrap_or_else(|| rows.partition_point(|row| row.destination < *destination));
        self.0.as_slice().get(self.1).filter(|row| row.destination == *destination).copied()
    }
}

/// The plan of a table for a few destinations only.
pub(super) fn restricted(table: &TablePlan, destinations: &[Prefix]) -> TablePlan {
    let cut = |set: &Option<RouteSet>| {
        set.as_ref().map(|set| RouteSet {
            rows: destinations.iter().filter_map(|key| set.rows.find(key).copied()).collect(),
            ..set.clone()
        })
    };
    TablePlan { from: cut(&table.from), to: cut(&table.to), ..table.clone() }
}

//! Route sets: rows seen through a view. Two sets can be compared without a list of their routes.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Family, Prefix, Row, Rows, View};

/// The routes of one sender: the rows of the topology seen through its view, without the rows that it owns and without
/// those that it leaves out.
#[derive(Clone, Debug)]
pub struct RouteSet {
    /// The rows of the whole topology.
    pub rows: Rows,
    /// How the sender reaches their owners.
    pub view: Arc<View>,
    /// The sender's own addresses. The rows that they own get no route: with a route to its own pods, a node would cut
    /// them off.
    pub own: Arc<[IpAddr]>,
    /// Destinations that other senders have and this one does not: somebody else provides the route, the user skipped
    /// it, or topo dropped its record.
    pub excluded: Arc<BTreeSet<Prefix>>,
}

/// One route. It is computed from a row and a view, and never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Where to.
    pub destination: Prefix,
    /// The address that it leads through, of the destination's family.
    pub next_hop: IpAddr,
}

/// What becomes of one route key between two route sets of one table and metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteChange {
    /// The route is only in the second set.
    Add(Route),
    /// The destination stays and its next hop changes.
    Change {
        /// The route in the first set.
        from: Route,
        /// The route in the second set.
        to: Route,
    },
    /// The route is only in the first set.
    Remove(Route),
}

impl RouteChange {
    /// The destination of the route.
    pub fn destination(&self) -> Prefix {
        match self {
            Self::Add(route) | Self::Remove(route) | Self::Change { to: route, .. } => route.destination,
        }
    }
}

impl PartialEq for RouteSet {
    fn eq(&self, other: &Self) -> bool {
        self.own == other.own && self.view == other.view && self.excluded == other.excluded && self.rows == other.rows
    }
}

impl Eq for RouteSet {}

impl RouteSet {
    /// The route for a row. None if the sender owns the row, lacks it, or has no way to its owner.
    pub fn route(&self, row: &Row) -> Option<Route> {
        if self.own.contains(&row.owner) || (!self.excluded.is_empty() && self.excluded.contains(&row.destination)) {
            return None;
        }
        let next_hop = self.view.next_hop(row.owner)?;
        Some(Route { destination: row.destination, next_hop })
    }

    /// The route to a destination.
    pub fn find(&self, destination: &Prefix) -> Option<Route> {
        self.rows.find(destination).and_then(|row| self.route(row))
    }

    /// All routes, sorted by destination.
    pub fn routes(&self) -> impl Iterator<Item = Route> + '_ {
        self.rows.as_slice().iter().filter_map(|row| self.route(row))
    }

    /// The number of routes of a sender that owns nothing and lacks nothing. Counts without going through the rows.
    pub fn count_whole(&self) -> usize {
        let of_family = |family: Family| {
            if self.view.via.iter().any(|gateway| Family::of(*gateway) == family) {
                return self.rows.of_family(family).len();
            }
            let on_link = || self.view.on_link.iter().filter(|prefix| prefix.family() == family);
            // Of prefixes that cover each other, only the widest counts.
            let widest = on_link().enumerate().filter(|(at, prefix)| {
                let mut others = on_link().enumerate().filter(|(other, _)| other != at);
                !others.any(|(at_other, other)| other.covers(prefix) && (other != *prefix || at_other < *at))
            });
            widest.map(|(_, prefix)| self.rows.count_owned(prefix.address(), prefix.last_address())).sum()
        };
        of_family(Family::V4) + of_family(Family::V6)
    }

    /// The number of routes to the rows of an owner, for the same sender.
    pub fn count_to(&self, owner: IpAddr) -> usize {
        if self.view.next_hop(owner).is_some() { self.rows.count_owned(owner, owner) } else { 0 }
    }

    /// Whether both have the same rows, view and exceptions. For sets that share these, the answer costs nothing.
    pub fn is_same(&self, other: &Self, memo: &mut Memo) -> bool {
        (Arc::ptr_eq(&self.excluded, &other.excluded) || self.excluded == other.excluded)
            && self.is_same_mesh(other, memo)
    }

    /// Whether both have the same rows and view. They may lack different rows.
    pub fn is_same_mesh(&self, other: &Self, memo: &mut Memo) -> bool {
        self.has_same_eyes(other) && memo.delta(&self.rows, &other.rows).is_empty()
    }

    /// Whether both see the rows in the same way.
    fn has_same_eyes(&self, other: &Self) -> bool {
        self.own == other.own && (Arc::ptr_eq(&self.view, &other.view) || self.view == other.view)
    }

    /// The changes that lead from this set to the other. Both must have the same route keys (see [`View::same_key`]). A route
    /// that gets another protocol changes, too. The row lists are compared once for all senders.
    pub fn changes_to(&self, other: &Self, memo: &mut Memo) -> Vec<RouteChange> {
        let mut changes = Vec::new();
        let _ = self.for_each_change(other, memo, |change| {
            changes.push(change);
            ControlFlow::Continue(())
        });
        changes.sort_unstable_by_key(RouteChange::destination);
        changes
    }

    /// Gives the changes of [`RouteSet::changes_to`] one by one, in no particular order, until `take` breaks.
    pub fn for_each_change(
        &self,
        other: &Self,
        memo: &mut Memo,
        mut take: impl FnMut(RouteChange) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // With another mark or device, a route changes although its next hop is the same.
        let rewrites = self.view.protocol != other.view.protocol || self.view.device != other.view.device;
        let mut push = |before: Option<Route>, after: Option<Route>| match (before, after) {
            (None, Some(to)) => take(RouteChange::Add(to)),
            (Some(from), None) => take(RouteChange::Remove(from)),
            (Some(from), Some(to)) if rewrites || from.next_hop != to.next_hop => {
                take(RouteChange::Change { from, to })
            }
            _ => ControlFlow::Continue(()),
        };
        if self.has_same_eyes(other) {
            let delta = memo.delta(&self.rows, &other.rows);
            for (before, after) in delta.pairs() {
                push(before.and_then(|row| self.route(row)), after.and_then(|row| other.route(row)))?;
            }
            if Arc::ptr_eq(&self.excluded, &other.excluded) {
                return ControlFlow::Continue(());
            }
            // Destinations that both lists have, and that only one of the sets lacks.
            for destination in self.excluded.symmetric_difference(&other.excluded) {
                if !delta.has(destination) {
                    push(self.find(destination), other.find(destination))?;
                }
            }
        } else {
            for (before, after) in merge(self.rows.as_slice(), other.rows.as_slice()) {
                push(before.and_then(|row| self.route(row)), after.and_then(|row| other.route(row)))?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// The difference between two row lists: pairs of the row before and the row after, only where they differ.
#[derive(Debug, Default)]
pub struct ListDelta {
    pairs: Vec<(Option<Row>, Option<Row>)>,
}

impl ListDelta {
    /// Rows before and after, sorted by destination. At least one row of a pair exists, and the two are not equal.
    pub fn pairs(&self) -> impl Iterator<Item = (Option<&Row>, Option<&Row>)> {
        self.pairs.iter().map(|(before, after)| (before.as_ref(), after.as_ref()))
    }

    /// Whether the lists are equal.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Whether a destination differs.
    pub fn has(&self, destination: &Prefix) -> bool {
        let of = |(before, after): &(Option<Row>, Option<Row>)| before.or(*after).map(|row| row.destination);
        self.pairs.binary_search_by(|pair| of(pair).cmp(&Some(*destination))).is_ok()
    }
}

/// Remembers the differences between row lists, so that each pair of lists is compared once for all senders.
#[derive(Default)]
pub struct Memo {
    deltas: HashMap<(usize, usize), Arc<ListDelta>>,
    /// The last request, because most places of a topology have the same lists.
    last: Option<((usize, usize), Arc<ListDelta>)>,
    // Keeps the compared lists in memory: a list's identity is its address, and no other list may get that address.
    alive: Vec<Rows>,
}

impl Memo {
    /// The difference between two lists.
    pub fn delta(&mut self, from: &Rows, to: &Rows) -> Arc<ListDelta> {
        let lists = (from.identity(), to.identity());
        if let Some((_, delta)) = self.last.as_ref().filter(|(last, _)| *last == lists) {
            return Arc::clone(delta);
        }
        if let Some(delta) = self.deltas.get(&lists) {
            self.last = Some((lists, Arc::clone(delta)));
            return Arc::clone(delta);
        }
        let pairs = if from.is_same_list(to) {
            Vec::new()
        } else {
            merge(from.as_slice(), to.as_slice())
                .filter(|(before, after)| before != after)
                .map(|(before, after)| (before.copied(), after.copied()))
                .collect()
        };
        let delta = Arc::new(ListDelta { pairs });
        self.alive.extend([from.clone(), to.clone()]);
        self.deltas.insert(lists, Arc::clone(&delta));
        self.last = Some((lists, Arc::clone(&delta)));
        delta
    }
}

/// Walks two sorted lists together, by destination.
fn merge<'a>(from: &'a [Row], to: &'a [Row]) -> impl Iterator<Item = (Option<&'a Row>, Option<&'a Row>)> {
    let (mut left, mut right) = (from.iter().peekable(), to.iter().peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (None, None) => None,
        (Some(_), None) => Some((left.next(), None)),
        (None, Some(_)) => Some((None, right.next())),
        (Some(before), Some(after)) => Some(match before.destination.cmp(&after.destination) {
            std::cmp::Ordering::Less => (left.next(), None),
            std::cmp::Ordering::Greater => (None, right.next()),
            std::cmp::Ordering::Equal => (left.next(), right.next()),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::MAIN_TABLE;

    fn row(destination: &str, owner: &str) -> Row {
        Row { destination: destination.parse().expect("prefix"), owner: owner.parse().expect("address") }
    }

    fn set(rows: &[(&str, &str)], own: &str, via: &[&str]) -> RouteSet {
        RouteSet {
            rows: rows.iter().map(|(destination, owner)| row(destination, owner)).collect(),
            view: Arc::new(View {
                table: MAIN_TABLE,
                metric: None,
                protocol: 201,
                device: None,
                on_link: vec!["10.240.0.0/24".parse().expect("prefix")],
                via: via.iter().map(|text| text.parse().expect("address")).collect(),
                gateway_on_link: false,
            }),
            own: Arc::from([own.parse().expect("address")]),
            excluded: Arc::default(),
        }
    }

    const TWO: &[(&str, &str)] = &[("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21")];

    #[test]
    fn a_node_gets_no_route_to_its_own_pods() {
        let destinations: Vec<String> =
            set(TWO, "10.240.0.20", &[]).routes().map(|route| route.destination.to_string()).collect();
        assert_eq!(destinations, ["10.200.1.0/24"]);
    }

    #[test]
    fn a_subnet_that_moves_is_added_changed_or_removed_as_seen_by_each_sender() {
        let moved = &[("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.20")];
        let describe = |own: &str| {
            let changes = set(TWO, own, &[]).changes_to(&set(moved, own, &[]), &mut Memo::default());
            changes.iter().map(|change| format!("{change:?}")).collect::<Vec<_>>().join(";")
        };
        assert!(describe("10.240.0.10").starts_with("Change"));
        assert!(describe("10.240.0.20").starts_with("Remove"), "the new owner loses its route to them");
        assert!(describe("10.240.0.21").starts_with("Add"), "the old owner gets one");
    }

    #[test]
    fn routes_are_counted_as_they_are_listed() {
        let rows = [
            ("10.200.0.0/24", "10.240.0.20"),
            ("10.200.1.0/24", "10.240.0.20"),
            ("10.200.2.0/24", "10.240.0.130"),
            ("10.200.3.0/24", "10.250.0.1"),
            ("fd00:1::/64", "fd00::1"),
            ("fd00:2::/64", "fd00::2"),
        ];
        let owners = ["10.240.0.20", "10.240.0.130", "10.250.0.1", "10.250.0.2", "fd00::1", "fd00::3"];
        for on_link in
            [&["10.240.0.0/24"][..], &["10.240.0.0/24", "10.240.0.128/25", "10.240.0.0/24"], &[], &["fd00::1/128"]]
        {
            for via in [&[][..], &["10.240.0.1"], &["fd00::ff"], &["10.240.0.1", "fd00::ff"]] {
                let mut set = set(&rows, "192.0.2.1", via);
                let on_link = on_link.iter().map(|text| text.parse().expect("prefix")).collect();
                set.view = Arc::new(View { on_link, ..(*set.view).clone() });
                assert_eq!(set.count_whole(), set.routes().count(), "{:?}", set.view);
                for owner in owners.map(|owner| owner.parse().expect("address")) {
                    let listed = set.rows.as_slice().iter().filter(|row| row.owner == owner);
                    assert_eq!(set.count_to(owner), listed.filter(|row| set.route(row).is_some()).count());
                }
            }
        }
    }

    #[test]
    fn another_owner_behind_the_same_gateway_changes_nothing() {
        let before = set(&[("10.200.1.0/24", "10.250.0.5")], "10.240.0.20", &["10.240.0.1"]);
        let after = set(&[("10.200.1.0/24", "10.250.0.6")], "10.240.0.20", &["10.240.0.1"]);
        assert!(before.changes_to(&after, &mut Memo::default()).is_empty());
    }

    #[test]
    fn another_mark_rewrites_every_route() {
        let before = set(TWO, "10.240.0.10", &[]);
        let mut after = before.clone();
        after.view = Arc::new(View { protocol: 202, ..(*before.view).clone() });
        let changes = before.changes_to(&after, &mut Memo::default());
        assert!(matches!(changes[..], [RouteChange::Change { .. }, RouteChange::Change { .. }]));
    }

    #[test]
    fn what_a_sender_lacks_is_a_difference_to_one_that_has_it() {
        let whole = set(TWO, "10.240.0.10", &[]);
        let mut less = whole.clone();
        less.excluded = Arc::new(["10.200.1.0/24".parse().expect("prefix")].into());
        assert!(matches!(less.changes_to(&whole, &mut Memo::default())[..], [RouteChange::Add(_)]));
        assert!(matches!(whole.changes_to(&less, &mut Memo::default())[..], [RouteChange::Remove(_)]));
    }
}

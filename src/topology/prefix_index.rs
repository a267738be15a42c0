//! Finds which of many prefixes contain an address or a prefix. Two prefixes are either nested or disjoint, so sorted
//! prefixes form a forest: a look-up is a binary search and a walk to the root.

use std::cell::Cell;
use std::net::IpAddr;

use crate::network::{Family, Prefix, number};

/// Sorted prefixes, each with the closest prefix that contains it: a forest for IPv4, and one for IPv6.
#[derive(Default)]
pub(super) struct PrefixIndex([Forest; 2]);

/// A prefix in the index.
pub(super) struct Entry {
    pub(super) prefix: Prefix,
    /// The caller's key.
    pub(super) key: u32,
    // Its first and last address as numbers, because comparing numbers is faster than comparing prefixes.
    first: u128,
    last: u128,
    enclosing: Option<usize>,
}

#[derive(Default)]
struct Forest {
    entries: Vec<Entry>,
    // The end of the last look-up: neighbours in a topology are mostly neighbours in a network.
    last: Cell<usize>,
}

impl PrefixIndex {
    /// Sorts prefixes by address and length. Of equal prefixes, the first by key contains the others.
    pub(super) fn new(prefixes: impl Iterator<Item = (Prefix, u32)>) -> Self {
        let mut index = Self::default();
        for (prefix, key) in prefixes {
            let (first, last) = (number(prefix.address()), number(prefix.last_address()));
            let forest = &mut index.0[position(prefix.family())];
            forest.entries.push(Entry { prefix, key, first, last, enclosing: None });
        }
        index.0.iter_mut().for_each(Forest::link);
        index
    }

    /// All entries: IPv4 first, by address and length.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flat_map(|forest| &forest.entries)
    }

    /// Each entry that lies in another one, with the closest one.
    pub(super) fn nested(&self) -> impl Iterator<Item = (&Entry, &Entry)> {
        self.0.iter().flat_map(|forest| {
            forest.entries.iter().filter_map(|entry| Some((entry, &forest.entries[entry.enclosing?])))
        })
    }

    /// The entries that contain a prefix, the longest first; of more than two equal ones, only two.
    pub(super) fn covering(&self, inner: Prefix) -> impl Iterator<Item = &Entry> {
        self.0[position(inner.family())].covering(number(inner.address()), number(inner.last_address()))
    }

    /// The entries that contain an address, the longest first; of more than two equal ones, only two.
    pub(super) fn holding(&self, address: IpAddr) -> impl Iterator<Item = &Entry> {
        self.0[position(Family::of(address))].covering(number(address), number(address))
    }
}

/// The position of a family's forest.
fn position(family: Family) -> usize {
    usize::from(family == Family::V6)
}

impl Forest {
    fn link(&mut self) {
        let entries = &mut self.entries;
        entries.sort_unstable_by(|one, other| {
            let wider = || other.last.cmp(&one.last).then(one.key.cmp(&other.key));
            one.first.cmp(&other.first).then_with(wider)
        });
        let mut open: Vec<usize> = Vec::new();
        for index in 0..entries.len() {
            while open.last().is_some_and(|open| entries[*open].last < entries[index].first) {
                open.pop();
            }
            entries[index].enclosing = open.last().copied();
            // The first of equal entries contains the others, so a walk is never longer than the number of bits of an
            // address.
            let equal = |open: &usize| {
                (entries[*open].first, entries[*open].last) == (entries[index].first, entries[index].last)
            };
            if !open.last().is_some_and(equal) {
                open.push(index);
            }
        }
    }

    fn covering(&self, first: u128, last: u128) -> impl Iterator<Item = &Entry> {
        // Shorter prefixes with the same first address come before the inner one, the longest last.
        let before = |entry: &Entry| (entry.first, !entry.last) <= (first, !last);
        let hint = self.last.get();
        let same_place = (hint == 0 || self.entries.get(hint - 1).is_some_and(before))
            && self.entries.get(hint).is_none_or(|entry| !before(entry));
        let after = if same_place { hint } else { self.entries.partition_point(before) };
        self.last.set(after);
        std::iter::successors(after.checked_sub(1), |index| self.entries[*index].enclosing)
            .map(|index| &self.entries[index])
            .filter(move |entry| entry.last >= last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn look_ups_agree_with_a_plain_search() {
        let texts = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.2.0/24",
            "10.1.3.0/24",
            "11.0.0.0/8",
            "10.1.2.4/30",
            "fd00::/8",
            "fd00:1::/64",
            "0.0.0.0/0",
            "255.255.255.255/32",
        ];
        let prefixes: Vec<Prefix> = texts.iter().map(|text| text.parse().expect("prefix")).collect();
        let index = PrefixIndex::new(prefixes.iter().copied().zip(0..));
        for text in
            ["10.1.2.5", "10.1.2.9", "10.2.0.1", "11.1.1.1", "12.0.0.1", "fd00:1::1", "fe00::1", "255.255.255.255"]
        {
            let address: IpAddr = text.parse().expect("address");
            let found: BTreeSet<Prefix> = index.holding(address).map(|entry| entry.prefix).collect();
            let plain: BTreeSet<Prefix> = prefixes.iter().copied().filter(|one| one.contains(address)).collect();
            assert_eq!(found, plain, "{text}");
        }
        let nested: Vec<(u32, u32)> = index.nested().map(|(inner, outer)| (inner.key, outer.key)).collect();
        assert!(
            nested.contains(&(3, 2))
                && nested.contains(&(2, 1))
                && nested.contains(&(6, 2))
                && nested.contains(&(8, 7))
        );
    }
}

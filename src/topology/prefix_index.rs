//! Finds which of many prefixes hold an address or a prefix. Two prefixes are either nested or disjoint, so that sorted
//! ones form a forest: a look-up is a binary search and a walk to the root.

use std::net::IpAddr;

use crate::network::Prefix;

/// Sorted prefixes, each with the one that encloses it.
pub(super) struct PrefixIndex {
    entries: Vec<Entry>,
}

/// A prefix in the index.
pub(super) struct Entry {
    pub(super) prefix: Prefix,
    /// What the caller knows it by.
    pub(super) key: u32,
    enclosing: Option<usize>,
}

impl PrefixIndex {
    /// Sorts prefixes by address and length; equal ones keep the order of their keys, and the later lies in the earlier.
    pub(super) fn new(prefixes: impl Iterator<Item = (Prefix, u32)>) -> Self {
        let mut entries: Vec<Entry> = prefixes.map(|(prefix, key)| Entry { prefix, key, enclosing: None }).collect();
        entries.sort_unstable_by_key(|entry| (entry.prefix, entry.key));
        let mut open: Vec<usize> = Vec::new();
        for index in 0..entries.len() {
            while open.last().is_some_and(|last| !entries[*last].prefix.covers(&entries[index].prefix)) {
                open.pop();
            }
            entries[index].enclosing = open.last().copied();
            open.push(index);
        }
        Self { entries }
    }

    /// Each entry that lies in another one, with the closest such.
    pub(super) fn nested(&self) -> impl Iterator<Item = (&Entry, &Entry)> {
        self.entries.iter().filter_map(|entry| Some((entry, &self.entries[entry.enclosing?])))
    }

    /// The entries that hold a prefix, the longest first.
    pub(super) fn covering(&self, inner: Prefix) -> impl Iterator<Item = &Entry> {
        let after = self.entries.partition_point(|entry| entry.prefix <= inner);
        let up = |index: usize| self.entries[index].enclosing;
        std::iter::successors(after.checked_sub(1), move |index| up(*index))
            .map(|index| &self.entries[index])
            .filter(move |entry| entry.prefix.covers(&inner))
    }

    /// The entries that hold an address, the longest first.
    pub(super) fn holding(&self, address: IpAddr) -> impl Iterator<Item = &Entry> {
        self.covering(Prefix::host(address))
    }
}

#[cfg(test)]
mod tests {
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
            let mut found: Vec<u32> = index.holding(address).map(|entry| entry.key).collect();
            found.sort_unstable();
            let plain: Vec<u32> =
                (0..).zip(&prefixes).filter(|(_, one)| one.contains(address)).map(|(key, _)| key).collect();
            assert_eq!(found, plain, "{text}");
        }
        let nested: Vec<(u32, u32)> = index.nested().map(|(inner, outer)| (inner.key, outer.key)).collect();
        assert!(
            nested.contains(&(3, 2))
                && nested.contains(&(2, 1))
                && nested.contains(&(6, 3))
                && nested.contains(&(8, 7))
        );
    }
}

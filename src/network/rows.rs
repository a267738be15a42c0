//! Rows: which destination belongs to which owner.

use std::net::IpAddr;
use std::sync::Arc;

use super::Prefix;

/// A destination and the address of its node. A row names its owner instead of a next hop, so all senders can use the
/// same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// The pod subnet.
    pub destination: Prefix,
    /// An address of the node that has the subnet, of the same family.
    pub owner: IpAddr,
}

/// A sorted list of rows in which no destination occurs twice. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rows(Arc<[Row]>);

impl Rows {
    /// Sorts the rows; of two with one destination the first by owner is kept.
    pub fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.destination);
        Self(rows.into())
    }

    /// Rows that are sorted by destination already, none of them twice.
    pub(crate) fn from_sorted(rows: &[Row]) -> Self {
        debug_assert!(rows.is_sorted_by(|one, next| one.destination < next.destination), "sorted, each once");
        Self(rows.into())
    }

    /// All rows, sorted by destination.
    pub fn as_slice(&self) -> &[Row] {
        &self.0
    }

    /// The row with this destination.
    pub fn find(&self, destination: &Prefix) -> Option<&Row> {
        self.0.binary_search_by(|row| row.destination.cmp(destination)).ok().map(|at| &self.0[at])
    }

    /// Whether both are the very same list in memory.
    pub fn is_same_list(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The address of the list in memory. Clones of one list have the same.
    pub(crate) fn identity(&self) -> usize {
        self.0.as_ptr() as usize
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_list(other) || self.0 == other.0
    }
}

impl Eq for Rows {}

impl Default for Rows {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl FromIterator<Row> for Rows {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        Self::new(rows.into_iter().collect())
    }
}

//! Rows: which destination belongs to which owner.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::{Family, Prefix};

/// A destination and the address of its node. A row names its owner instead of a next hop, so all senders can use the
/// same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The pod subnet.
    pub destination: Prefix,
    /// An address of the node that has the subnet, of the same family.
    pub owner: IpAddr,
}

/// A sorted list of rows in which no destination occurs twice. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rows(Arc<List>);

#[derive(Debug)]
struct List {
    rows: Box<[Row]>,
    /// The owners of all rows, sorted: made when somebody counts.
    owners: OnceLock<Box<[IpAddr]>>,
}

impl Rows {
    /// Sorts the rows. If two have the same destination, it keeps the one with the smaller owner.
    pub fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.destination);
        Self::of(rows.into())
    }

    /// Rows that are sorted by destination already, without duplicates.
    pub(crate) fn from_sorted(rows: impl Into<Box<[Row]>>) -> Self {
        let rows = rows.into();
        debug_assert!(rows.is_sorted_by(|one, next| one.destination < next.destination), "sorted, each once");
        Self::of(rows)
    }

    fn of(rows: Box<[Row]>) -> Self {
        Self(Arc::new(List { rows, owners: OnceLock::new() }))
    }

    /// All rows, sorted by destination.
    pub fn as_slice(&self) -> &[Row] {
        &self.0.rows
    }

    /// The row with this destination.
    pub fn find(&self, destination: &Prefix) -> Option<&Row> {
        let rows = self.as_slice();
        rows.binary_search_by(|row| row.destination.cmp(destination)).ok().map(|at| &rows[at])
    }

    /// The rows of a family.
    pub fn of_family(&self, family: Family) -> &[Row] {
        let (v4, v6) =
            self.as_slice().split_at(self.as_slice().partition_point(|row| row.destination.family() == Family::V4));
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }

    /// The number of rows whose owners are from the first to the last address.
    pub fn count_owned(&self, first: IpAddr, last: IpAddr) -> usize {
        let owners = self.0.owners.get_or_init(|| {
            let mut owners: Vec<IpAddr> = self.as_slice().iter().map(|row| row.owner).collect();
            owners.sort_unstable();
            owners.into()
        });
        let from = owners.partition_point(|owner| *owner < first);
        owners[from..].partition_point(|owner| *owner <= last)
    }

    /// Whether both are the same list in memory.
    pub fn is_same_list(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The address of the list in memory. Clones of one list have the same.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_list(other) || self.as_slice() == other.as_slice()
    }
}

impl Eq for Rows {}

impl Hash for Rows {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self::of(Box::default())
    }
}

impl FromIterator<Row> for Rows {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        Self::new(rows.into_iter().collect())
    }
}

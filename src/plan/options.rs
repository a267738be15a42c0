//! What the user chose.

use std::collections::BTreeSet;

use crate::resource::{AddressPattern, Name};

/// What the user chose beside topology and state.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these addresses; empty is all.
    pub targets: Vec<AddressPattern>,
    /// Not these addresses.
    pub excludes: Vec<AddressPattern>,
    /// Nodes whose record is dropped without a login.
    pub forget: BTreeSet<Name>,
    /// Addresses that are taken over from others.
    pub take_over: Vec<AddressPattern>,
    /// Conflicts are left out instead of stopping the run.
    pub skip_conflicts: bool,
    /// A state that was lost is made anew under another lineage.
    pub new_lineage: bool,
    /// All is to be removed.
    pub destroy: bool,
    /// Forwarding is turned off again where topo turned it on, and where it is no longer needed.
    pub revert_forwarding: bool,
}

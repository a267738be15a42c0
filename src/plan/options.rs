//! What the user chose.

use std::collections::BTreeSet;

use super::Selection;
use crate::resource::{AddressPattern, Name};

/// What the user chose, beside the topology and the state.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The addresses that the run is about.
    pub selection: Selection,
    /// Nodes whose record topo drops without a login.
    pub forget: BTreeSet<Name>,
    /// Addresses that topo takes over from others.
    pub take_over: Vec<AddressPattern>,
    /// Leave conflicts out instead of stopping the run.
    pub skip_conflicts: bool,
    /// Replace a lost state by a new one with another lineage.
    pub new_lineage: bool,
    /// Remove everything.
    pub destroy: bool,
    /// Turn IP forwarding off again where topo turned it on and no route needs it any more.
    pub revert_forwarding: bool,
}

impl Options {
    /// Whether topo takes a resource over: the whole of it, or with `row` that row of it.
    pub fn takes_over(&self, kind: &str, place: &str, row: Option<&str>) -> bool {
        self.take_over.iter().any(|pattern| pattern.matches(kind, place, row))
    }
}

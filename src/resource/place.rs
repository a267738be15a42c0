//! Places and their kinds.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Name;
use crate::network::serde_text;

/// A kind of place. The code that keeps resources in such places describes it once, as a static. No other code depends on
/// the kind.
pub struct PlaceKind {
    /// The part before the colon in the text form of a place.
    pub id: &'static str,
    /// The text form of its places, for messages: `node:NAME`.
    pub form: &'static str,
    /// Its rank among all kinds. It sorts places, in the state too. No two kinds have the same rank.
    pub order: u8,
    /// The name that addresses use for a place of this id.
    pub name: fn(&str) -> &str,
    /// Whether a text can be the id of one of its places.
    pub is_id: fn(&str) -> bool,
}

/// Machines that topo logs in to. Their ids are their names in the topology.
pub static NODE: PlaceKind =
    PlaceKind { id: "node", form: "node:NAME", order: 0, name: |id| id, is_id: Name::is_valid };

/// Where resources are. topo writes to one place one step after the other. Text form `KIND:ID`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    kind: &'static PlaceKind,
    id: Arc<str>,
}

impl Place {
    /// The place of a kind that has this id.
    pub fn new(kind: &'static PlaceKind, id: impl Into<Arc<str>>) -> Self {
        Self { kind, id: id.into() }
    }

    /// Its kind.
    pub fn kind(&self) -> &'static PlaceKind {
        self.kind
    }

    /// Its id among the places of its kind.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name that addresses use.
    pub fn name(&self) -> &str {
        (self.kind.name)(&self.id)
    }

    /// Whether it is a machine that topo logs in to.
    pub fn is_node(&self) -> bool {
        *self.kind == NODE
    }

    /// The node's name as text. None if it is not a node.
    pub fn node(&self) -> Option<&str> {
        self.is_node().then_some(&*self.id)
    }

    /// The node's name. None if it is not a node.
    pub fn node_name(&self) -> Option<Name> {
        if self.is_node() { Name::shared(&self.id) } else { None }
    }
}

/// The node with this name.
impl From<Name> for Place {
    fn from(name: Name) -> Self {
        Self { kind: &NODE, id: name.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.id, self.id)
    }
}

// A place serves as a key of JSON objects.
serde_text!(Debug Place);
serde_text!(Serialize Place);

impl fmt::Debug for PlaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl PartialEq for PlaceKind {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for PlaceKind {}

impl Ord for PlaceKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl PartialOrd for PlaceKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for PlaceKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.order.hash(state);
    }
}

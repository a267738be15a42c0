//! What is done, when, and why.

use super::Name;

/// When something happens in a run. Between two phases stands a gate; a gate orders, it never fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Checks, and removal of routes to what becomes the node's own.
    Prepare,
    /// Adds, then changes.
    Install,
    /// What makes them last.
    Persist,
    /// Removals.
    Retire,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Self; 4] = [Self::Prepare, Self::Install, Self::Persist, Self::Retire];

    /// Its name in text, JSON and the journal.
    pub fn label(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Install => "install",
            Self::Persist => "persist",
            Self::Retire => "retire",
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A live row that is as wanted is recorded, and takes our mark where it has another.
    Import,
    /// A row is added.
    Add,
    /// A row gets another next hop, or our mark back.
    Change,
    /// A row is removed.
    Remove,
    /// A record is dropped; nothing is done on the node.
    Forget,
}

impl Action {
    /// Its name in JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Forget => "forget",
        }
    }

    /// The sign in front of a line of the plan.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Import => "<",
            Self::Add => "+",
            Self::Change => "~",
            Self::Remove => "-",
            Self::Forget => ".",
        }
    }
}

/// Why something is done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is wanted and was not there before.
    New,
    /// The node has no routes of this topology yet.
    NewNode,
    /// The destination belongs to a node that is new in the topology.
    NodeAdded(Name),
    /// The destination belonged to a node that is no longer in the topology.
    NodeRemoved(Name),
    /// The node itself is no longer in the topology, or no longer served by the backend.
    NotWanted,
    /// All is to be removed.
    Destroy,
    /// The topology says otherwise than it did.
    Edited,
    /// The destination becomes the node's own; a route to it would win over its bridge.
    BecomesOwn,
    /// Recorded and not live any more.
    Missing,
    /// Recorded, and changed by somebody; the field says what is live.
    Altered(String),
    /// As recorded but without our mark; the field says what is live.
    MarkLost(String),
    /// A run before did not come to its end there.
    InDoubt,
    /// Live as wanted, not recorded yet; the field says what is live.
    Adopted(String),
    /// Somebody else's, taken over as asked; the field says what is live.
    TakenOver(String),
    /// A file is there as wanted, and systemd-networkd has not read it yet.
    NotLoaded,
    /// The definition that a file adds routes to is another one by now.
    Redefined,
    /// A file of this topology is there that is not recorded and not as wanted; the field is the difference.
    Stale(String),
}

impl Reason {
    /// Its name in JSON.
    pub fn label(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::NewNode => "new_node",
            Self::NodeAdded(_) => "node_added",
            Self::NodeRemoved(_) => "node_removed",
            Self::NotWanted => "not_wanted",
            Self::Destroy => "destroy",
            Self::Edited => "edited",
            Self::BecomesOwn => "becomes_own",
            Self::Missing => "missing",
            Self::Altered(_) => "altered",
            Self::MarkLost(_) => "mark_lost",
            Self::InDoubt => "in_doubt",
            Self::Adopted(_) => "adopted",
            Self::TakenOver(_) => "taken_over",
            Self::NotLoaded => "not_loaded",
            Self::Redefined => "redefined",
            Self::Stale(_) => "stale",
        }
    }

    /// Whether it is a difference between what was recorded and what is live, and not one of the topology.
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::Missing | Self::Altered(_) | Self::MarkLost(_) | Self::NotLoaded | Self::Redefined)
    }
}

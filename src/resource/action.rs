//! What is done, when, and why.

use serde::{Deserialize, Serialize};

use super::Name;

/// When something happens in a run. A phase begins when the phase before it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Checks, and the removal of routes to subnets that become the node's own.
    Prepare,
    /// Adds, then changes.
    Install,
    /// Writes that keep the routes across reboots.
    Persist,
    /// Removals.
    Retire,
}

impl Phase {
    /// All of them, in their order.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// topo records a live row that is as wanted, and gives it topo's mark if it has another.
    Import,
    /// topo adds a row.
    Add,
    /// topo gives a row another next hop, or its mark back.
    Change,
    /// topo removes a row.
    Remove,
    /// topo drops a record, and does nothing on the node.
    Forget,
}

impl Action {
    /// What a change of a plan can do.
    pub const OF_CHANGES: [Self; 4] = [Self::Import, Self::Add, Self::Change, Self::Remove];

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
    /// It is wanted, and was not before.
    New,
    /// The node has no routes of this topology yet.
    NewNode,
    /// The destination belongs to a node that is new in the topology.
    NodeAdded(Name),
    /// The destination belonged to a node that is no longer in the topology.
    NodeRemoved(Name),
    /// The node itself is no longer in the topology, or the backend no longer serves it.
    NotWanted,
    /// The user asked topo to remove everything.
    Destroy,
    /// The topology has changed.
    Edited,
    /// The destination becomes the node's own. A route to it would take precedence over the node's bridge.
    BecomesOwn,
    /// It is recorded, but no longer live.
    Missing,
    /// It is recorded, and somebody changed it. The field says what is live.
    Altered(String),
    /// It is as recorded, but without topo's mark. The field says what is live.
    MarkLost(String),
    /// An earlier run did not finish there.
    InDoubt,
    /// It is live as wanted, but not recorded yet. The field says what is live.
    Adopted(String),
    /// It is somebody else's, and the user asked topo to take it over. The field says what is live.
    TakenOver(String),
    /// A file is as wanted, but the node has not loaded it yet.
    NotLoaded,
    /// The file must add its routes to another definition than before.
    Redefined,
    /// The place has a file of this topology that is neither recorded nor as wanted. The field is the difference.
    Stale(String),
}

impl Reason {
    /// The names of all of them in JSON.
    pub const LABELS: [&str; 17] = [
        "new",
        "new_node",
        "node_added",
        "node_removed",
        "not_wanted",
        "destroy",
        "edited",
        "becomes_own",
        "missing",
        "altered",
        "mark_lost",
        "in_doubt",
        "adopted",
        "taken_over",
        "not_loaded",
        "redefined",
        "stale",
    ];

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

    /// Whether what is live differs from the record, although the topology has not changed.
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::Missing | Self::Altered(_) | Self::MarkLost(_) | Self::NotLoaded | Self::Redefined)
    }
}

//! Changes, as events say them: one shape for all kinds of resources. A mesh is never listed node by node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::network::{NextHop, Prefix, Row};
use crate::resource::Action;

/// What topo does for one reason, in all places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// A digest of what is done, why and where: the same for the same change of another plan. Of many items, only the first
    /// are in it.
    pub id: Arc<str>,
    /// The kind of resource.
    pub kind: Arc<str>,
    /// The addresses of the resources. The names of many places are folded: `node-[0-997]`.
    pub addresses: Vec<String>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Arc<str>,
    /// The node whose coming or going is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_node: Option<Arc<str>>,
    /// Whether what is live differs from the record, although the topology has not changed.
    pub drift: bool,
    /// The names of the places, folded likewise.
    pub places: Vec<String>,
    /// Number of routes or of things, over all places.
    pub count: usize,
    /// The id of the change that this is a part of: routes that stand in a file change with the file, and count with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<Arc<str>>,
    /// The rows of a list that places get or lose as a whole, written once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
    /// What changes.
    pub items: Vec<Item>,
}

/// One route or one thing of a change, before and after, or all rows of the change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its address, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where a route leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Prefix>,
    /// The path of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Arc<str>>,
    /// How places get or lose all rows of the change, except their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_rows: Option<AllRows>,
    /// The places that it applies to, where these are not all places of the change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// The places among them that it does not apply to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_on: Vec<String>,
    /// Number of the routing table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// Metric of the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// How it was, where topo knows it. None for what topo adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Values>,
    /// How it becomes; none if it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Values>,
    /// What is live there, where the reason says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Arc<str>>,
    /// A unified difference, where somebody changed a file by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Arc<str>>,
}

/// How places reach the owners of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllRows {
    /// Number of routes, over all places.
    pub count: usize,
    /// An owner in these prefixes is itself the next hop.
    pub on_link: Vec<Prefix>,
    /// The gateway of their family leads to all other owners.
    pub gateways: Vec<IpAddr>,
}

/// How something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// A route.
    Route(RouteValues),
    /// The settings of a thing by name; null for what is not set.
    Settings(BTreeMap<Arc<str>, Option<Arc<str>>>),
}

/// How a route is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteValues {
    /// The next hop.
    pub next_hop: NextHop,
    /// Route protocol number, where routes have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
}

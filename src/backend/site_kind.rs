//! A kind of place other than nodes, as a registry takes it.

use std::net::IpAddr;
use std::sync::Arc;

use super::operator::{Key, Operator};
use super::{Desired, Site};
use crate::report::Finding;
use crate::resource::{Kind, Name, PlaceKind, Refusal};
use crate::topology::TableFormat;
use crate::topology::machines::Machine;
use crate::transport::BoxFuture;

/// A kind of place other than nodes, and the backends that keep resources there.
pub struct SiteKind {
    /// The site as sentences name it: `in …`, `to …`.
    pub name: &'static str,
    /// Its places.
    pub place: &'static PlaceKind,
    /// The formats of its backends' tables in a topology, also if this build does not have these backends.
    pub formats: &'static [&'static dyn TableFormat],
    /// The kinds of resources that this build can read.
    pub kinds: &'static [&'static Kind],
    /// Kinds and names of the places of what a topology wants, as far as these are known without a look.
    pub wanted: fn(&Desired) -> Vec<(&'static str, String)>,
    /// The name of its table in the operator's configuration.
    pub table: &'static str,
    /// The keys of that table; none if this build cannot connect.
    pub keys: &'static [Key],
    /// The end of the help text of commands that talk to it; empty for nothing.
    pub help: &'static str,
    /// Connects, and sends nothing yet. Without the operator's settings, nobody looks, and topo plans from the record.
    pub connect: Connect,
    /// Where `topo init` can read nodes.
    pub source: Option<NodeSource>,
}

/// Makes a site with its connection.
pub type Connect = fn(Option<&Operator>) -> Result<Arc<dyn Site>, Refusal>;

/// Reads the nodes of a source.
pub type ReadNodes =
    for<'a> fn(&'a str, &'a Name, &'a Operator, &'a mut Vec<Finding>) -> BoxFuture<'a, Result<SourceNodes, Refusal>>;

/// Whether a node, by its name and addresses, may exist although the source does not list it.
pub type IsSilentOn = Box<dyn Fn(&str, &[IpAddr]) -> bool + Send>;

/// A source of nodes for `topo init --from`.
pub struct NodeSource {
    /// What its addresses begin with: `cloud://`.
    pub scheme: &'static str,
    /// The form of an address, and in brackets what is read there.
    pub help: &'static str,
    /// Reads an address. The name is that of the new topology. Findings are for the user, also if it fails.
    pub read: ReadNodes,
}

/// The nodes of a source.
pub struct SourceNodes {
    /// The machines.
    pub machines: Vec<Machine>,
    /// A topology of the machines, as text.
    pub topology: String,
    /// Whether a node, by its name and addresses, may exist although the source does not list it.
    pub is_silent_on: IsSilentOn,
}

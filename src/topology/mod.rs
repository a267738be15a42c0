//! The topology: what is desired, read from TOML and checked. Pure: text in, [`Topology`] and diagnostics out.

mod name;

pub use name::{Name, NameError};

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::network::Prefix;

/// A checked topology.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Names the state, and what topo creates.
    pub name: Name,
    /// Machines that are gone for good: their records are dropped without a login.
    pub decommissioned: BTreeSet<Name>,
    /// The networks that node addresses live in. Empty: all nodes share one link, and the nodes themselves decide.
    pub subnets: BTreeMap<Name, Subnet>,
    /// The machines.
    pub nodes: BTreeMap<Name, Node>,
    /// The backends that are on, by the name of their table (`ssh-static`, or any name with `type = …`).
    pub backends: BTreeMap<Name, BackendTable>,
}

/// A network that node addresses live in: one link, or one subnet of a virtual network.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Its prefixes, one or more of each family.
    pub cidr: Vec<Prefix>,
    /// How its nodes reach nodes in other subnets, at most one of each family.
    pub gateway: Vec<IpAddr>,
    /// The routers behind the gateway are said to know the pod prefixes, so that no warning is due.
    pub routed: bool,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its addresses, at most one of each family; they are the next hops towards its pods.
    pub addresses: Vec<IpAddr>,
    /// The pod subnets behind it.
    pub pods: Vec<Prefix>,
    /// How to log in.
    pub ssh: NodeSsh,
}

/// How to log in to a node; what is not given is left to ssh's own configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSsh {
    /// Host name or address to connect to; none is the node's first address.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Login name.
    pub user: Option<String>,
    /// Whether commands run through `sudo -n`.
    pub sudo: bool,
}

/// A backend that is on.
#[derive(Clone, Debug)]
pub struct BackendTable {
    /// Which backend: `ssh-static`, …
    pub backend: &'static str,
    /// The nodes that it serves.
    pub nodes: BTreeSet<Name>,
    /// Its settings as the backend itself checked and normalised them.
    pub settings: serde_json::Value,
}

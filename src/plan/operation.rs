//! What is done to single routes.

use std::net::IpAddr;

use crate::network::Route;
use crate::resource::{Action, Phase, Reason};

/// What is done to one route of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// When.
    pub phase: Phase,
    /// The new route, or for a removal the present one.
    pub route: Route,
    /// Next hop and protocol of the live row that is changed or removed.
    pub before: Option<Live>,
    /// The address of the node that the route leads to.
    pub receiver: Option<IpAddr>,
}

/// Next hop and route protocol of a row that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Live {
    /// The next hop.
    pub next_hop: IpAddr,
    /// The route protocol number.
    pub protocol: u8,
}

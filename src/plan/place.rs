//! What the topology asks for in one place.

use std::net::IpAddr;
use std::sync::Arc;

use crate::resource::{Endpoint, Resources, Shape};

/// What is wanted in one place.
#[derive(Clone, Debug, Default)]
pub struct DesiredPlace {
    /// How it is reached; none where it is not a machine.
    pub endpoint: Option<Endpoint>,
    /// The addresses that the topology says it has. Empty where it is not a machine.
    pub addresses: Arc<[IpAddr]>,
    /// Whether these addresses are translated on the way, so that the machine itself has others.
    pub is_translated: bool,
    /// The resources that are wanted there.
    pub resources: Resources<Shape>,
}

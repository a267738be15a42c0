//! The questions to a place, and its answers: plain data, without a connection. Backends make requests and read
//! replies; transports carry them.

pub mod arm;
pub mod node;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How many requests topo has sent to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// The name of the service, as people know it.
    pub service: Cow<'static, str>,
    /// Requests that change nothing.
    pub reads: u64,
    /// Requests that may change something.
    pub writes: u64,
}

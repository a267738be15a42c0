//! The settings of `[backends.sysctl]`.

use serde::{Deserialize, Serialize};

/// The name of this backend in a topology.
pub const BACKEND: &str = "sysctl";

/// The settings of a table. The list is closed: a topology comes from pull requests, and other kernel settings run programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Whether nodes forward packets.
    #[serde(default)]
    pub(super) ip_forward: bool,
    /// How nodes check source addresses; none leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rp_filter: Option<Filter>,
}

/// How a node checks the source addresses of packets (Documentation/networking/ip-sysctl.rst).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Filter {
    /// Not at all.
    Off,
    /// The route back has to lead through the same device.
    Strict,
    /// There has to be a route back.
    Loose,
}

impl Filter {
    /// The value of the kernel.
    pub(super) fn value(self) -> &'static str {
        match self {
            Self::Off => "0",
            Self::Strict => "1",
            Self::Loose => "2",
        }
    }
}

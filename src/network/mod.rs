//! Addresses, prefixes, rows, views and route sets. They say which routes exist without a list for each node.

mod next_hop;
mod prefix;
mod protocol;
mod route_set;
mod rows;
mod serde_text;
mod text;
mod view;

pub use next_hop::NextHop;
pub use prefix::{Prefix, PrefixError};
pub use protocol::{BOOT, KERNEL, STATIC, protocol_owner};
pub use route_set::{Memo, Route, RouteChange, RouteSet};
pub use rows::{Row, Rows};
pub(crate) use serde_text::serde_text;
pub use text::{address_text, number, parse_address};
pub use view::{MAIN_TABLE, View};

use std::net::IpAddr;

/// An address family, IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Internet protocol version 4.
    V4,
    /// Internet protocol version 6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The name that people and the kernel's tools use: `IPv4` or `IPv6`.
    pub fn label(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

//! The next hop of a route.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use super::serde_text::serde_text;

/// The next hop of a route: an address, or something in the place that routes. Its order is that of its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// The next hop has this address.
    Address(IpAddr),
    /// The place has these words for the next hop, for example `VirtualNetworkGateway` or `None`.
    Target(Arc<str>),
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Target(words) => f.write_str(words),
        }
    }
}

impl FromStr for NextHop {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Target(text.into()), Self::Address))
    }
}

impl serde::Serialize for NextHop {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Address(address) => address.serialize(serializer),
            Self::Target(words) => serializer.serialize_str(words),
        }
    }
}

serde_text!(Deserialize NextHop);

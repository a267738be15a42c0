//! A network prefix without host bits.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Family;

/// A network prefix such as `10.200.1.0/24`. Host bits are never set: the kernel rejects them for IPv4 and masks them
/// silently for IPv6, so topo refuses both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(IpNet);

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The text is not of the form ADDRESS/LENGTH.
    #[error("`{0}` is not a prefix; it should look like 10.200.1.0/24 or fd00:1::/64")]
    Syntax(String),
    /// The address has bits set beyond the prefix length; the field is the prefix that was probably meant.
    #[error("`{given}` has host bits set; the prefix is `{meant}`")]
    HostBits {
        /// What was written.
        given: String,
        /// The prefix with its host bits cleared.
        meant: Prefix,
    },
}

impl Prefix {
    /// A prefix from its network address and length in bits; host bits are an error.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let text = || format!("{address}/{length}");
        let net = IpNet::new(address, length).map_err(|_| PrefixError::Syntax(text()))?;
        if net.trunc() == net {
            Ok(Self(net))
        } else {
            Err(PrefixError::HostBits { given: text(), meant: Self(net.trunc()) })
        }
    }

    /// The prefix that holds exactly one address.
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }

    /// The network address, the first of the prefix.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// The last address of the prefix.
    pub fn last_address(&self) -> IpAddr {
        self.0.broadcast()
    }

    /// The length in bits, 0 to 32 or 0 to 128.
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The address family.
    pub fn family(&self) -> Family {
        match self.0 {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }

    /// Whether this is `0.0.0.0/0` or `::/0`.
    pub fn is_default(&self) -> bool {
        self.length() == 0
    }

    /// Whether the address lies in this prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether the other prefix lies in this one, or is the same.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let net: IpNet = text.parse().map_err(|_| PrefixError::Syntax(text.to_owned()))?;
        if net.trunc() == net {
            Ok(Self(net))
        } else {
            Err(PrefixError::HostBits { given: text.to_owned(), meant: Self(net.trunc()) })
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_refused_with_the_prefix_that_was_meant() {
        let error = "10.200.1.7/24".parse::<Prefix>().expect_err("host bits");
        assert_eq!(error.to_string(), "`10.200.1.7/24` has host bits set; the prefix is `10.200.1.0/24`");
        assert!("10.200.1.0".parse::<Prefix>().is_err());
        assert!("10.200.1.0/33".parse::<Prefix>().is_err());
    }

    #[test]
    fn families_never_cover_each_other() {
        let v4: Prefix = "0.0.0.0/0".parse().expect("prefix");
        let v6: Prefix = "fd00::/64".parse().expect("prefix");
        assert!(!v4.overlaps(&v6));
        assert!(v4.is_default());
    }
}

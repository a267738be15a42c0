//! A network prefix without host bits.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::Family;
use super::serde_text::serde_text;
use super::text::parse_net;

/// A network prefix such as `10.200.1.0/24`. Host bits are never set: the kernel rejects them for IPv4 and masks them
/// silently for IPv6, so topo refuses both.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(IpNet);

/// The most bytes that the text of a prefix has: eight groups of four digits, and a length of three.
const LONGEST: usize = 43;

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The text is not of the form ADDRESS/LENGTH.
    #[error("`{0}` is not a prefix; it should look like 10.200.1.0/24 or fd00:1::/64")]
    Syntax(String),
    /// The address has bits set beyond the prefix length.
    #[error("`{given}` has host bits set; the prefix is `{meant}`")]
    HostBits {
        /// The text.
        given: String,
        /// The prefix with its host bits cleared.
        meant: Prefix,
    },
}

impl Prefix {
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

    /// An address in it that stands for all of them when the kernel is asked for its way there: the second one, because the first
    /// often belongs to a bridge.
    pub fn probe(&self) -> IpAddr {
        match self.address() {
            IpAddr::V4(address) if self.length() < 31 => IpAddr::V4((u32::from(address) + 2).into()),
            IpAddr::V6(address) if self.length() < 127 => IpAddr::V6((u128::from(address) + 2).into()),
            address => address,
        }
    }

    /// Whether this is `0.0.0.0/0` or `::/0`.
    pub fn is_default(&self) -> bool {
        self.length() == 0
    }

    /// Whether the address lies in this prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.covers(&Self::host(address))
    }

    /// Whether the other prefix lies in this one or is equal to it.
    pub fn covers(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (IpNet::V4(outer), IpNet::V4(inner)) => {
                let differ = u32::from(outer.addr()) ^ u32::from(inner.addr());
                outer.prefix_len() <= inner.prefix_len() && differ.leading_zeros() >= u32::from(outer.prefix_len())
            }
            (IpNet::V6(outer), IpNet::V6(inner)) => {
                let differ = u128::from(outer.addr()) ^ u128::from(inner.addr());
                outer.prefix_len() <= inner.prefix_len() && differ.leading_zeros() >= u32::from(outer.prefix_len())
            }
            _ => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let net = parse_net(text).map_err(|_| PrefixError::Syntax(text.to_owned()))?;
        if has_host_bits(net) {
            return Err(PrefixError::HostBits { given: text.to_owned(), meant: Self(net.trunc()) });
        }
        Ok(Self(net))
    }
}

/// By family, address and length. A prefix comes before the prefixes in it.
impl Ord for Prefix {
    fn cmp(&self, other: &Self) -> Ordering {
        // Numbers are fast to compare, and this sorts whole topologies.
        let key = |prefix: &Self| match prefix.0 {
            IpNet::V4(net) => (Family::V4, u128::from(u32::from(net.addr())), net.prefix_len()),
            IpNet::V6(net) => (Family::V6, u128::from(net.addr()), net.prefix_len()),
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether bits are set beyond the prefix length.
fn has_host_bits(net: IpNet) -> bool {
    // None for a host prefix: no bits are beyond it.
    match net {
        IpNet::V4(net) => u32::from(net.addr()).checked_shl(net.prefix_len().into()).is_some_and(|rest| rest != 0),
        IpNet::V6(net) => u128::from(net.addr()).checked_shl(net.prefix_len().into()).is_some_and(|rest| rest != 0),
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_text!(Debug Prefix);

impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Large plans and states consist of prefixes. One whole text is written quicker than its parts.
        let mut text = String::with_capacity(LONGEST);
        let _ = write!(text, "{self}");
        serializer.serialize_str(&text)
    }
}
serde_text!(Deserialize Prefix);

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
    fn covering_order_and_host_bits_are_told_as_ipnet_tells_them() {
        let addresses =
            ["0.0.0.0", "10.0.0.0", "10.0.0.1", "10.128.0.0", "255.255.255.255", "::", "fd00::", "fd00::1", "8000::"];
        let mut nets: Vec<IpNet> = Vec::new();
        for address in addresses.map(|text| text.parse::<IpAddr>().expect("address")) {
            let width = if address.is_ipv4() { 32 } else { 128 };
            nets.extend((0..=width).map(|length| IpNet::new(address, length).expect("net")));
        }
        for net in &nets {
            assert_eq!(has_host_bits(*net), net.trunc() != *net, "{net}");
        }
        let prefixes: Vec<Prefix> = nets.into_iter().filter(|net| !has_host_bits(*net)).map(Prefix).collect();
        for one in &prefixes {
            for other in &prefixes {
                assert_eq!(one.covers(other), one.0.contains(&other.0), "{one} {other}");
                assert_eq!(one.cmp(other), one.0.cmp(&other.0), "{one} {other}");
            }
        }
    }

    #[test]
    fn families_never_cover_each_other() {
        let v4: Prefix = "0.0.0.0/0".parse().expect("prefix");
        let v6: Prefix = "fd00::/64".parse().expect("prefix");
        assert!(!v4.covers(&v6) && !v6.covers(&v4));
        assert!(v4.is_default());
    }
}

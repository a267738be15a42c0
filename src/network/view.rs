//! A view: how a group of senders reaches an owner.

use std::net::IpAddr;

use super::{Family, Prefix};

/// The number of the kernel's main routing table (`RT_TABLE_MAIN`, linux/rtnetlink.h).
pub const MAIN_TABLE: u32 = 254;

/// How a group of senders reaches an owner, and the attributes of the routes. If the owner's address is on-link, the
/// next hop is the owner, else it is the sender's gateway. All nodes of one link share a view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// Number of the routing table.
    pub table: u32,
    /// Metric of the routes. None means the kernel's default: 0 for IPv4, 1024 for IPv6.
    pub metric: Option<u32>,
    /// Route protocol number: topo's mark.
    pub protocol: u8,
    /// Device of the routes. None lets the kernel choose the device by the next hop.
    pub device: Option<Box<str>>,
    /// Prefixes whose addresses need no gateway.
    pub on_link: Vec<Prefix>,
    /// The gateways, at most one of each family.
    pub via: Vec<IpAddr>,
    /// Whether the gateways answer on the device itself, whatever prefixes are connected there (`RTNH_F_ONLINK`, linux/rtnetlink.h).
    pub gateway_on_link: bool,
}

impl View {
    /// The next hop towards an owner. None if the owner is not on-link and no gateway has its address family.
    pub fn next_hop(&self, owner: IpAddr) -> Option<IpAddr> {
        if self.on_link.iter().any(|prefix| prefix.contains(owner)) {
            return Some(owner);
        }
        self.via.iter().copied().find(|gateway| Family::of(*gateway) == Family::of(owner))
    }

    /// The gateways that routes name together with a device, as the kernel has no prefix that contains them.
    pub fn gateways_on_link(&self) -> &[IpAddr] {
        if self.gateway_on_link { &self.via } else { &[] }
    }

    /// The metric as the kernel lists it. Its defaults are 0 for IPv4 and 1024 for IPv6 (`IP6_RT_PRIO_USER`).
    pub fn kernel_metric(&self, family: Family) -> u32 {
        match (self.metric, family) {
            (Some(0) | None, Family::V6) => 1024,
            (Some(metric), _) => metric,
            (None, Family::V4) => 0,
        }
    }

    /// Whether routes of both views to one destination have the same key in the kernel: table and metric.
    pub fn same_key(&self, other: &Self) -> bool {
        self.table == other.table
            && [Family::V4, Family::V6].iter().all(|family| self.kernel_metric(*family) == other.kernel_metric(*family))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_off_the_link_is_reached_through_the_gateway_of_its_family() {
        let view = View {
            table: MAIN_TABLE,
            metric: None,
            protocol: 201,
            device: None,
            on_link: vec!["10.240.0.0/24".parse().expect("prefix")],
            via: vec!["10.240.0.1".parse().expect("address")],
            gateway_on_link: false,
        };
        let next_hop = |owner: &str| view.next_hop(owner.parse().expect("address")).map(|hop| hop.to_string());
        assert_eq!(next_hop("10.240.0.21").as_deref(), Some("10.240.0.21"));
        assert_eq!(next_hop("10.250.0.9").as_deref(), Some("10.240.0.1"));
        assert_eq!(next_hop("fd00::9"), None);
    }
}

//! The settings of `[backends.ssh-static]`.

use serde::{Deserialize, Serialize};

use crate::network::MAIN_TABLE;

/// The name of this backend in a topology.
pub const BACKEND: &str = "ssh-static";

/// How topo writes the kernel routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Number of the routing table.
    pub table: u32,
    /// Metric of the routes; none is the kernel's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// Route protocol number: topo's mark.
    pub protocol: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { table: MAIN_TABLE, metric: None, protocol: 201 }
    }
}

impl Settings {
    /// Whether routes of both have the same kernel key for the same destination on the same node, so that one backend
    /// would overwrite the other.
    pub fn same_key(&self, other: &Self) -> bool {
        // The kernel replaces a missing metric, or 0, with `IP6_RT_PRIO_USER` for IPv6.
        let as_v4 = |settings: &Self| settings.metric.unwrap_or(0);
        let as_v6 = |settings: &Self| settings.metric.filter(|metric| *metric != 0).unwrap_or(1024);
        self.table == other.table && (as_v4(self) == as_v4(other) || as_v6(self) == as_v6(other))
    }
}

/// Route protocol numbers that belong to others: first and last of a range, and the owner (linux/rtnetlink.h,
/// `/etc/iproute2/rt_protos`, and the sources of the programs named).
const TAKEN: &[(u8, u8, &str)] = &[
    (0, 4, "the kernel and the boot scripts"),
    (8, 8, "GateD"),
    (9, 9, "router advertisements"),
    (10, 10, "MRT"),
    (11, 11, "Zebra"),
    (12, 12, "BIRD"),
    (13, 13, "DECnet"),
    (14, 14, "XORP"),
    (15, 15, "netsukuku"),
    (16, 16, "DHCP clients"),
    (17, 17, "mrouted"),
    (18, 18, "keepalived"),
    (42, 42, "babeld"),
    (66, 66, "the guest agent of Google Compute Engine"),
    (80, 80, "Calico"),
    (84, 84, "OVN"),
    (99, 99, "Open/R"),
    (186, 198, "FRR"),
    (255, 255, "the kernel"),
];

pub(super) fn protocol_owner(protocol: u8) -> Option<&'static str> {
    TAKEN.iter().find(|(first, last, _)| (*first..=*last).contains(&protocol)).map(|(_, _, owner)| *owner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_survive_json_and_leave_out_what_is_not_given() {
        let settings = Settings::default();
        assert_eq!(json!(settings), json!({ "table": 254, "protocol": 201 }));
        for settings in [settings, Settings { table: 100, metric: Some(0), protocol: 202 }] {
            assert_eq!(Settings::deserialize(&json!(settings)).expect("settings"), settings);
        }
        assert!(Settings::deserialize(&json!({ "table": 254, "protocol": 201, "colour": 1 })).is_err());
    }
}

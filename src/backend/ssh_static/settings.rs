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

//! The settings of `[backends.azure-udr]`.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The name of this backend in a topology.
pub const BACKEND: &str = "azure-udr";

/// What the table holds for nodes outside the virtual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// Nothing.
    Skip,
    /// A route by the virtual network's gateway (VPN or `ExpressRoute`), for their pods.
    VirtualNetworkGateway,
}

/// What is done about IP forwarding on the network interface of a next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpForwarding {
    /// It is looked at; where it is off, nothing is written.
    #[default]
    Check,
    /// It is turned on where it is off.
    Enable,
}

/// A subnet of a virtual network: `NETWORK/SUBNET`, or `RESOURCE_GROUP/NETWORK/SUBNET` where the network is in another group than
/// the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetName {
    /// The resource group of the network.
    pub resource_group: String,
    /// The virtual network.
    pub network: String,
    /// The subnet.
    pub subnet: String,
}

/// One route table, and the subnets that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group of the table.
    pub resource_group: String,
    /// The region, as `az` writes it: `eastus2`.
    pub location: String,
    /// The name of the table; left out, the resource group's with `-routes`.
    pub route_table: String,
    /// What the names of routes that topo makes begin with; the prefix follows: `kubernetes-route-` and `10-200-0-0-24`. Left out,
    /// the table's name without the last `s` where it ends with `-routes`, else the whole of it, and `-`.
    pub route_name_prefix: String,
    /// The subnets that are associated with the table.
    pub subnets: Vec<SubnetName>,
    /// What is done for nodes outside the virtual network; none: they are an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
    /// What is done about IP forwarding.
    #[serde(default)]
    pub ip_forwarding: IpForwarding,
    /// Whether topo makes, changes and removes the table itself. Where not, somebody else does, and topo keeps its routes in it.
    pub manage_table: bool,
    /// Whether routes learned by BGP get into the subnets; none leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp_route_propagation: Option<bool>,
}

impl Settings {
    /// The settings as they are kept in the topology.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The settings from what [`Settings::to_json`] gave.
    pub fn from_json(json: &Json) -> Result<Self, serde_json::Error> {
        Self::deserialize(json)
    }

    /// The id of the route table in Azure Resource Manager.
    pub fn table_id(&self) -> String {
        let Self { subscription, resource_group, route_table, .. } = self;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Network/routeTables/{route_table}"
        )
    }

    /// The id of the virtual network of a subnet.
    pub fn network_id(&self, subnet: &SubnetName) -> String {
        let SubnetName { resource_group, network, .. } = subnet;
        format!(
            "/subscriptions/{}/resourceGroups/{resource_group}/providers/Microsoft.Network/virtualNetworks/{network}",
            self.subscription
        )
    }
}

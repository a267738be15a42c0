//! The JSON schema of `[backends.azure-udr]`.

use serde_json::json;

use super::names;
use crate::topology::TableSchema;

/// The properties of the table; which keys are required, which exclude each other, and that the table needs a name of
/// its own if the default name would be invalid.
pub(super) fn schema() -> TableSchema {
    let whole = |pattern: &str| format!("^{pattern}$");
    let name = |title: &str, description: &str, pattern: &str, longest: usize| {
        json!({
            "title": title, "description": description,
            "type": "string", "maxLength": longest, "pattern": whole(pattern)
        })
    };
    let subnet = json!({
        "type": "string",
        "pattern": whole(&format!("({}/)?{}/{}", names::RESOURCE_GROUP, names::NETWORK, names::NAME))
    });
    let properties = json!({
        "subscription": name("Subscription", "The subscription's id.", names::SUBSCRIPTION, 36),
        "resource_group": name("Resource group", "The resource group of the route \
         table.", names::RESOURCE_GROUP, 90),
        "location": name(
            "Region", "The region of the table and of the virtual network, such as eastus2.",
            names::LOCATION, names::LONGEST_LOCATION
        ),
        "route_table": name(
            "Route table", "The name of the table. Default: the name of the resource group and `-routes`.",
            names::NAME, names::LONGEST_NAME
        ),
        "route_name_prefix": name(
            "Start of route names",
            "The start of the names of routes; the prefix follows, such as 10-200-0-0-24. Default: the table's \
             name: `kubernetes-route-` for `kubernetes-routes`.",
            names::PREFIX, names::LONGEST_PREFIX
        ),
        "subnets": {
            "title": "Subnets",
            "description": "The subnets that use the table, as NETWORK/SUBNET or RESOURCE_GROUP/NETWORK/SUBNET. \
             Default: none.",
            "anyOf": [subnet, { "type": "array", "items": subnet }]
        },
        "outside": {
            "title": "Nodes outside the virtual network",
            "description": "`skip`: the table has no routes to their pods. `virtual-network-gateway`: it routes \
                            them to the gateway (VPN or ExpressRoute). Default: such a node is an error.",
            "enum": ["skip", "virtual-network-gateway"]
        },
        "ip_forwarding": {
            "title": "IP forwarding",
            "description": "`check`: it must be on at the network interface of each next hop. `enable`: topo turns \
             it on.",
            "enum": ["check", "enable"], "default": "check"
        },
        "manage_table": {
            "title": "Manage the table",
            "description": "`false`: somebody else creates and deletes the table, and topo only keeps its routes \
             in it.",
            "type": "boolean", "default": true
        },
        "bgp_route_propagation": {
            "title": "BGP route propagation",
            "description": "Whether the subnets get routes that Azure learns by BGP. Default: topo does not change \
             this.",
            "type": "boolean"
        }
    });
    let condition = json!({
        "required": ["subscription", "resource_group", "location"],
        "not": {
            "properties": { "manage_table": { "const": false } },
            "required": ["manage_table", "bgp_route_propagation"]
        },
        "anyOf": [
            { "required": ["route_table"] },
            { "properties": { "resource_group": {
                "pattern": format!("^{}$", names::PREFIX), "maxLength": names::LONGEST_NAME - names::TABLE_ENDING.len()
            } } }
        ]
    });
    TableSchema {
        description: "Routes in a route table of Azure that subnets of a virtual network use.",
        nodes: "The nodes whose pods get routes in the table. Default: all.",
        properties,
        condition,
    }
}

//! What the JSON schema says of `[backends.azure-udr]`.

use serde_json::{Value as Json, json};

use super::{Settings, names};

impl Settings {
    /// The JSON schema of its keys: the properties of its table.
    pub fn schema_properties() -> Json {
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
        json!({
            "subscription": name("Subscription", "The subscription's id.", names::SUBSCRIPTION, 36),
            "resource_group": name("Resource group", "The resource group of the route table.", names::RESOURCE_GROUP, 90),
            "location": name(
                "Region", "The region of the table and of the virtual network, such as eastus2.",
                names::LOCATION, names::LONGEST_LOCATION
            ),
            "route_table": name(
                "Route table", "The name of the table; left out, that of the resource group and `-routes`.",
                names::NAME, names::LONGEST_NAME
            ),
            "route_name_prefix": name(
                "Beginning of route names",
                "What the names of routes begin with; the prefix follows, as 10-200-0-0-24. Left out, the table's name: \
                 `kubernetes-route-` for `kubernetes-routes`.",
                names::PREFIX, names::LONGEST_PREFIX
            ),
            "subnets": {
                "title": "Subnets",
                "description": "The subnets that go by the table, as NETWORK/SUBNET or RESOURCE_GROUP/NETWORK/SUBNET; left out, none.",
                "anyOf": [subnet, { "type": "array", "items": subnet }]
            },
            "outside": {
                "title": "Nodes outside the virtual network",
                "description": "`skip`: the table holds nothing for their pods. `virtual-network-gateway`: it sends them to the \
                                gateway (VPN or ExpressRoute). Left out, such a node is an error.",
                "enum": ["skip", "virtual-network-gateway"]
            },
            "ip_forwarding": {
                "title": "IP forwarding",
                "description": "`check`: the network interface of each next hop must have it on. `enable`: topo turns it on.",
                "enum": ["check", "enable"], "default": "check"
            },
            "manage_table": {
                "title": "Manage the table",
                "description": "`false`: somebody else makes and removes the table, and topo keeps its routes in it.",
                "type": "boolean", "default": true
            },
            "bgp_route_propagation": {
                "title": "BGP route propagation",
                "description": "Whether routes learned by BGP get into the subnets; left out, it is left as it is.",
                "type": "boolean"
            }
        })
    }

    /// What the JSON schema says of its keys together: which have to be there, which do not go together, and that the table has a
    /// name of its own where it cannot be called after the resource group.
    pub fn schema_condition() -> Json {
        json!({
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
        })
    }
}

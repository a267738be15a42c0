//! A route of a route table.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::network::{NextHop, Prefix};

/// Where a route leads: the type of its next hop in Azure's words (`VirtualAppliance`, `VirtualNetworkGateway`, `VnetLocal`,
/// `Internet`, `None`), and its address where the type has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// The type.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// The address of a virtual appliance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// A route as topo writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Its name; Azure compares names without case.
    pub name: Box<str>,
    /// Where it leads.
    #[serde(flatten)]
    pub hop: Hop,
}

impl Hop {
    /// By a machine that forwards.
    pub fn appliance(address: IpAddr) -> Self {
        Self { kind: "VirtualAppliance".into(), address: Some(address) }
    }

    /// By the virtual network's gateway.
    pub fn gateway() -> Self {
        Self { kind: "VirtualNetworkGateway".into(), address: None }
    }

    /// The next hop in the properties of a route.
    pub fn of(properties: &Value) -> Self {
        let kind = properties["nextHopType"].as_str().unwrap_or_default().into();
        let address = properties["nextHopIpAddress"].as_str().and_then(|text| text.parse().ok());
        Self { kind, address }
    }

    /// Whether both lead to the same; Azure compares its words without case.
    pub fn is(&self, other: &Self) -> bool {
        self.kind.eq_ignore_ascii_case(&other.kind) && self.address == other.address
    }
}

impl From<&Hop> for NextHop {
    fn from(hop: &Hop) -> Self {
        match hop.address {
            Some(address) if hop.kind.eq_ignore_ascii_case("VirtualAppliance") => Self::Address(address),
            Some(_) => Self::Target(hop.to_string().into()),
            None => Self::Target(hop.kind.as_ref().into()),
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        self.address.iter().try_for_each(|address| write!(f, " {address}"))
    }
}

impl Route {
    /// Whether both are the same route, to the letter of what Azure compares.
    pub fn is(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name) && self.hop.is(&other.hop)
    }

    /// A new route of a table's body.
    pub(super) fn value(&self, destination: &Prefix) -> Value {
        let mut value = json!({ "name": self.name });
        self.write(destination, &mut value);
        value
    }

    /// Puts it into a route of a table's body, which may be one that was read: what topo does not know of it stays.
    pub(super) fn write(&self, destination: &Prefix, into: &mut Value) {
        if !into.is_object() {
            *into = json!({ "name": self.name });
        }
        let properties = &mut into["properties"];
        if !properties.is_object() {
            *properties = json!({});
        }
        properties["addressPrefix"] = destination.to_string().into();
        properties["nextHopType"] = (*self.hop.kind).into();
        match self.hop.address {
            Some(address) => properties["nextHopIpAddress"] = address.to_string().into(),
            None => _ = properties.as_object_mut().and_then(|fields| fields.remove("nextHopIpAddress")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_route_stays() {
        let mut route =
            json!({ "name": "a", "etag": "x", "properties": { "later": 1, "nextHopIpAddress": "10.0.0.1" } });
        let destination: Prefix = "10.1.0.0/24".parse().expect("prefix");
        Route { name: "a".into(), hop: Hop::gateway() }.write(&destination, &mut route);
        assert_eq!(
            route,
            json!({ "name": "a", "etag": "x", "properties": {
                "later": 1, "addressPrefix": "10.1.0.0/24", "nextHopType": "VirtualNetworkGateway",
            } })
        );
    }
}

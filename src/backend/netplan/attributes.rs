//! The record of a file, except its routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::node::FileForm;
use crate::resource::Shape;

/// The properties of a file, except its routes. The record leaves out default values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Whether it is a drop-in of systemd-networkd instead of a file of netplan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub networkd: bool,
    /// Whether systemd-networkd loads it only at the next boot or restart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
    /// Whether it was written but not loaded yet at the last look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
    /// Whether no other backend puts the routes into the kernel, so that they belong to the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// The device that the topology names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Box<str>>,
    /// The definitions that get the routes; empty if nobody has looked yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// A definition in the node's network configuration that gets routes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// The network device.
    pub device: Box<str>,
    /// The definition's ID for netplan; the name of its `.network` file for systemd-networkd.
    pub id: Box<str>,
    /// The definition's kind in netplan (`ethernets`, `bonds`, …); empty for systemd-networkd.
    #[serde(default = "ethernets", skip_serializing_if = "is_ethernets")]
    pub kind: Box<str>,
    /// The next hops behind it; empty: all next hops that no other definition has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<IpAddr>,
}

fn ethernets() -> Box<str> {
    "ethernets".into()
}

fn is_ethernets(kind: &str) -> bool {
    kind == "ethernets"
}

impl Attributes {
    /// The attributes of a shape, with defaults for missing ones.
    pub fn of(shape: &Shape) -> Self {
        Self::read(&shape.attributes)
    }

    /// The attributes of a record, with defaults for missing ones.
    pub fn read(attributes: &Value) -> Self {
        Self::deserialize(attributes).unwrap_or_default()
    }

    /// Whether the routes of a shape belong to the file. Does not read the other attributes.
    pub fn are_alone(shape: &Shape) -> bool {
        shape.attributes.get("alone").and_then(Value::as_bool).unwrap_or_default()
    }

    /// The form in a shape.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The reader of the file.
    pub fn form(&self) -> FileForm {
        if self.networkd { FileForm::Networkd } else { FileForm::Netplan }
    }

    /// Whether the record is as wanted, as far as the topology decides it: the definitions come from the node.
    pub fn fits(wanted: &Value, recorded: &Value) -> bool {
        // These come from the node, not from the topology.
        let is_found = |key: &String| matches!(key.as_str(), "links" | "waiting");
        let [wanted, recorded] =
            [wanted, recorded].map(|it| it.as_object().into_iter().flatten().filter(|(key, _)| !is_found(key)));
        wanted.eq(recorded)
    }

    /// Whether both are the same except for their definitions.
    pub fn same_settings(&self, other: &Self) -> bool {
        let Self { networkd, deferred, waiting: _, alone, interface, links: _ } = self;
        (*networkd, *deferred, *alone, interface) == (other.networkd, other.deferred, other.alone, &other.interface)
    }

    /// The definition for a next hop; none if nobody has looked yet.
    pub fn link_of(&self, next_hop: IpAddr) -> Option<&Link> {
        let named = self.links.iter().find(|link| link.hops.contains(&next_hop));
        named.or_else(|| self.links.iter().find(|link| link.hops.is_empty()))
    }
}

/// Assigns next hops to definitions. The definition with most next hops also takes all that no other definition has.
pub(super) fn gather(found: impl IntoIterator<Item = (IpAddr, Link)>) -> Vec<Link> {
    let mut links: BTreeMap<Link, BTreeSet<IpAddr>> = BTreeMap::new();
    for (next_hop, link) in found {
        links.entry(Link { hops: Vec::new(), ..link }).or_default().insert(next_hop);
    }
    // Of several with as many next hops, the first one.
    let most = links.iter().rev().max_by_key(|(_, hops)| hops.len()).map(|(link, _)| link.clone());
    links.retain(|link, _| Some(link) != most.as_ref());
    let others = links.into_iter().map(|(link, hops)| Link { hops: hops.into_iter().collect(), ..link });
    most.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn link(device: &str, hops: &[&str]) -> Link {
        let hops = hops.iter().map(|hop| hop.parse().expect("address")).collect();
        Link { device: device.into(), id: device.into(), kind: "ethernets".into(), hops }
    }

    #[test]
    fn the_usual_is_not_written_and_comes_back() {
        let attributes = Attributes { links: vec![link("eth0", &[])], ..Attributes::default() };
        assert_eq!(attributes.to_value(), json!({"links": [{"device": "eth0", "id": "eth0"}]}));
        let shape = Shape { routes: None, attributes: attributes.to_value().into() };
        assert_eq!(Attributes::of(&shape), attributes);
    }

    #[test]
    fn the_definitions_are_not_what_the_topology_says() {
        let recorded = json!({"links": [{"device": "eth0", "id": "id0"}]});
        assert!(Attributes::fits(&json!({}), &recorded));
        assert!(!Attributes::fits(&json!({"deferred": true}), &recorded));
        assert!(!Attributes::fits(&json!({}), &json!({"deferred": true})));
    }

    #[test]
    fn most_next_hops_need_not_be_named() {
        let hop = |text: &str| text.parse::<IpAddr>().expect("address");
        let found = [("10.0.0.1", "eth0"), ("10.0.0.2", "eth0"), ("10.1.0.1", "eth1")];
        let links = gather(found.map(|(at, device)| (hop(at), link(device, &[]))));
        assert_eq!(links, [link("eth0", &[]), link("eth1", &["10.1.0.1"])]);
        let attributes = Attributes { links, ..Attributes::default() };
        assert_eq!(attributes.link_of(hop("10.1.0.1")).map(|link| &*link.device), Some("eth1"));
        assert_eq!(attributes.link_of(hop("10.9.0.1")).map(|link| &*link.device), Some("eth0"));
    }
}

//! The name of a subnet, as a topology and as an id of Azure have it.

use serde::{Deserialize, Serialize};

use super::names;

/// A subnet of a virtual network: `NETWORK/SUBNET`, or `RESOURCE_GROUP/NETWORK/SUBNET` if the network is in another
/// group than the table.
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

impl SubnetName {
    /// The id of the virtual network.
    pub fn network_id(&self, subscription: &str) -> String {
        let Self { resource_group, network, .. } = self;
        format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Network/virtualNetworks/{network}"
        )
    }

    /// The id of the subnet.
    pub fn id(&self, subscription: &str) -> String {
        format!("{}/subnets/{}", self.network_id(subscription), self.subnet)
    }

    /// The subscription and the name in the id of a subnet. Ignores case in the fixed words of the id.
    pub fn of_id(id: &str) -> Option<(&str, Self)> {
        let parts: Vec<&str> = id.split('/').collect();
        let &["", _, subscription, _, group, _, _, _, network, _, subnet] = parts.as_slice() else { return None };
        let [resource_group, network, subnet] = [group, network, subnet].map(str::to_owned);
        let name = Self { resource_group, network, subnet };
        (name.id(subscription).eq_ignore_ascii_case(id) && !id.contains("//") && !id.ends_with('/'))
            .then_some((subscription, name))
    }

    /// Reads `NETWORK/SUBNET` (in this resource group) or `RESOURCE_GROUP/NETWORK/SUBNET`.
    pub(super) fn parse(text: &str, group: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let (group, network, subnet) = match parts[..] {
            [network, subnet] => (group, network, subnet),
            [group, network, subnet] if names::is_resource_group(group) => (group, network, subnet),
            _ => return None,
        };
        (names::is_network(network) && names::is_name(subnet)).then(|| Self {
            resource_group: group.to_owned(),
            network: network.to_owned(),
            subnet: subnet.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_have_two_parts_or_three() {
        let name = |resource_group: &str, network: &str, subnet: &str| {
            let text = str::to_owned;
            Some(SubnetName { resource_group: text(resource_group), network: text(network), subnet: text(subnet) })
        };
        assert_eq!(SubnetName::parse("vn/s", "g"), name("g", "vn", "s"));
        assert_eq!(SubnetName::parse("(other)/vn/s", "g"), name("(other)", "vn", "s"));
        for text in ["", "s", "v/s", "vn/", "/vn/s", "a./vn/s", "a/b/vn/s", "vn/..", "vn/s/", "vn//s", "../vn/s"] {
            assert_eq!(SubnetName::parse(text, "g"), None, "{text}");
        }
        let id = "/subscriptions/x/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/vn/subnets/s";
        let of = |id: &str| SubnetName::of_id(id).map(|(subscription, name)| (subscription.to_owned(), name));
        let found = Some("x".to_owned()).zip(name("g", "vn", "s"));
        assert_eq!((of(id), of(&id.replace("subnets", "SUBNETS"))), (found.clone(), found));
        for other in [&id.replace("subnets", "taps"), &id.replace("/x/", "//"), &id[1..], &id[..id.len() - 1]] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}

//! Network interfaces, those of scale sets too.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value, json};

use super::entity::{Entity, Kind, default, object, sent, wire};
use super::networks::prefixes;
use super::path;
use super::reply::{Handled, Reply};
use super::tables::{bad_body, check_name};
use super::world::{Request, World};

impl World {
    /// `…/networkInterfaces/NAME`.
    pub(super) fn interface(&mut self, request: &Request) -> Handled {
        match request.method.as_str() {
            "GET" => self.get(request),
            "PUT" => self.put_interface(request),
            "PATCH" => self.patch_tags(request),
            "DELETE" => {
                let key = path::key(&request.id(8));
                let Some(interface) = self.entities.get(&key).cloned() else { return Ok(Reply::empty(204)) };
                if interface.property("virtualMachine").is_some() {
                    let message = format!("Network interface {} is attached to a virtual machine.", interface.id);
                    return Err(Reply::error(400, "NicInUse", &message));
                }
                Ok(self.delete_whole(request, &key, interface))
            }
            _ => Err(super::world::unknown(request)),
        }
    }

    fn put_interface(&mut self, request: &Request) -> Handled {
        let (id, name) = (request.id(8), request.parts[7].clone());
        let key = path::key(&id);
        let body = self.whole_body(request, &key)?;
        check_name(&name)?;
        let there = self.entities.get(&key).cloned();
        self.check_version(request, &key, there.is_some())?;
        let document = self.interface_document(request, body, there.as_ref(), &id)?;
        Ok(self.write(request, &key, there, Kind::NetworkInterface, (id, name), document, Vec::new()))
    }

    /// What is kept of an interface: as it was sent, with what Azure adds. The machine is read-only: only somebody else's doing
    /// sets it.
    pub(super) fn interface_document(
        &self,
        request: &Request,
        body: Map<String, Value>,
        there: Option<&Entity>,
        id: &str,
    ) -> Result<Map<String, Value>, Reply> {
        let read_only = ["virtualMachine", "macAddress", "primary", "nicType", "allowPort25Out", "hostedWorkloads"];
        let (own, fields): (&[&str], &[&str]) = if request.behind { (&[], &[]) } else { (&read_only, &["kind"]) };
        let mut document = sent(body, fields, own);
        let mut properties = object(&document, "properties");
        for field in own {
            if let Some(value) = there.and_then(|there| there.property(field)) {
                properties.insert((*field).to_owned(), value.clone());
            }
        }
        let mut configurations = properties
            .get("ipConfigurations")
            .and_then(Value::as_array)
            .cloned()
            .filter(|list| !list.is_empty())
            .ok_or_else(|| bad_body("Required property 'ipConfigurations' not found in JSON."))?;
        for (at, configuration) in configurations.iter_mut().enumerate() {
            let name = configuration.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let Some(configuration) = configuration.as_object_mut() else {
                return Err(bad_body("IP configurations are objects"));
            };
            self.complete_configuration(configuration, there, &format!("{id}/ipConfigurations/{name}"), at == 0)?;
        }
        properties.insert("ipConfigurations".into(), Value::Array(configurations));
        for (field, value) in [
            (
                "dnsSettings",
                json!({ "dnsServers": [], "appliedDnsServers": [], "internalDomainNameSuffix": "topo.bx.internal.cloudapp.net" }),
            ),
            ("enableAcceleratedNetworking", json!(false)),
            ("vnetEncryptionSupported", json!(false)),
            ("enableIPForwarding", json!(false)),
            ("disableTcpStateTracking", json!(false)),
            ("hostedWorkloads", json!([])),
            ("tapConfigurations", json!([])),
            ("nicType", json!("Standard")),
            ("allowPort25Out", json!(true)),
        ] {
            default(&mut properties, field, value);
        }
        document.insert("properties".into(), Value::Object(properties));
        default(&mut document, "kind", json!("Regular"));
        Ok(document)
    }

    fn complete_configuration(
        &self,
        configuration: &mut Map<String, Value>,
        there: Option<&Entity>,
        id: &str,
        first: bool,
    ) -> Result<(), Reply> {
        let mut properties = object(configuration, "properties");
        let subnet = properties.get("subnet").and_then(|subnet| subnet.get("id")).and_then(Value::as_str);
        let Some((network, position)) = subnet.and_then(|subnet| self.find_subnet(subnet)) else {
            let message = format!(
                "Resource {} referenced by resource {id} was not found. Please make sure that the referenced resource exists, and \
                 that both resources are in the same region.",
                subnet.unwrap_or("(no subnet)")
            );
            return Err(Reply::error(400, "InvalidResourceReference", &message));
        };
        let subnet = &network.parts[position];
        if properties.get("privateIPAddress").and_then(Value::as_str).is_none_or(str::is_empty) {
            let old = there.and_then(|there| {
                let list = there.property("ipConfigurations")?.as_array()?;
                let same = list.iter().find(|old| old["id"].as_str().is_some_and(|old| path::same(old, id)))?;
                same["properties"].get("privateIPAddress").cloned()
            });
            let ranges = prefixes(&object(&subnet.document, "properties"));
            let address = old.unwrap_or_else(|| json!(self.free_address(ranges.first())));
            properties.insert("privateIPAddress".into(), address);
        }
        properties.insert("subnet".into(), json!({ "id": network.part_id(&subnet.name) }));
        default(&mut properties, "privateIPAllocationMethod", json!("Dynamic"));
        default(&mut properties, "privateIPAddressVersion", json!("IPv4"));
        default(&mut properties, "primary", json!(first));
        properties.insert("provisioningState".into(), json!("Succeeded"));
        configuration.insert("properties".into(), Value::Object(properties));
        configuration.insert("id".into(), json!(id));
        configuration.insert("type".into(), json!("Microsoft.Network/networkInterfaces/ipConfigurations"));
        Ok(())
    }

    /// A subnet by its identifier.
    pub(super) fn find_subnet(&self, id: &str) -> Option<(&Entity, usize)> {
        let parts = path::parts(id);
        let network = self.entities.get(&format!("/{}", parts.get(..8)?.join("/").to_ascii_lowercase()))?;
        Some((network, network.position(parts.get(9)?)?))
    }

    /// The first address that Azure would give: the first four of a subnet are its own.
    fn free_address(&self, range: Option<&String>) -> Option<String> {
        let taken: Vec<String> = self.configurations().filter_map(|(_, _, address)| address).collect();
        match range?.parse::<ipnet::IpNet>().ok()?.network() {
            IpAddr::V4(first) => (4..250)
                .map(|offset| Ipv4Addr::from(u32::from(first) + offset).to_string())
                .find(|address| !taken.contains(address)),
            IpAddr::V6(first) => Some(first.to_string()),
        }
    }

    /// All IP configurations: identifier, subnet, address.
    fn configurations(&self) -> impl Iterator<Item = (String, String, Option<String>)> {
        self.entities.values().filter_map(|entity| entity.property("ipConfigurations")?.as_array()).flatten().map(
            |configuration| {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let properties = &configuration["properties"];
                let subnet = text(&properties["subnet"]["id"]).unwrap_or_default();
                (text(&configuration["id"]).unwrap_or_default(), subnet, text(&properties["privateIPAddress"]))
            },
        )
    }

    /// The identifiers of the IP configurations in a subnet.
    pub(super) fn configurations_in(&self, subnet: &str) -> Vec<String> {
        let wanted = path::key(subnet);
        self.configurations().filter(|(_, subnet, _)| path::key(subnet) == wanted).map(|(id, ..)| id).collect()
    }
}

/// An interface; its IP configurations have its version.
pub fn render_interface(entity: &Entity) -> Value {
    let mut properties = object(&entity.document, "properties");
    if let Some(Value::Array(configurations)) = properties.get_mut("ipConfigurations") {
        for configuration in configurations {
            configuration["etag"] = json!(entity.etag);
        }
    }
    let mut value = wire(entity, properties);
    if entity.kind == Kind::ScaleSetInterface {
        value.as_object_mut().map(|fields| fields.remove("kind"));
    }
    value
}

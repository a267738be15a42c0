//! Virtual networks and their subnets.

use serde_json::{Map, Value, json};

use super::entity::{Entity, Kind, Part, State, default, object, sent, wire};
use super::path;
use super::reply::{Handled, Reply, retryable};
use super::tables::{bad_body, check_name, check_prefix};
use super::world::{Request, World};

impl World {
    /// `…/virtualNetworks/NAME`.
    pub(super) fn network(&mut self, request: &Request) -> Handled {
        match request.method.as_str() {
            "GET" => self.get(request),
            "PUT" => self.put_network(request),
            "PATCH" => self.patch_tags(request),
            "DELETE" => {
                let key = path::key(&request.id(8));
                let Some(network) = self.entities.get(&key).cloned() else { return Ok(Reply::empty(204)) };
                self.check_version(request, &key, true)?;
                self.not_busy(request, &key, &network.id)?;
                for subnet in &network.parts {
                    self.unused(&network.part_id(&subnet.name), &subnet.name)?;
                }
                Ok(self.delete_whole(request, &key, network))
            }
            _ => Err(super::world::unknown(request)),
        }
    }

    fn put_network(&mut self, request: &Request) -> Handled {
        let (id, name) = (request.id(8), request.parts[7].clone());
        let key = path::key(&id);
        let body = self.whole_body(request, &key)?;
        check_name(&name)?;
        let there = self.entities.get(&key).cloned();
        self.check_version(request, &key, there.is_some())?;
        self.not_busy(request, &key, &id)?;
        let location = body.get("location").and_then(Value::as_str).unwrap_or_default().to_owned();
        let space = prefixes(&object(&object(&body, "properties"), "addressSpace"));
        let mut subnets: Vec<Part> = Vec::new();
        let sent_subnets = body.get("properties").and_then(|properties| properties.get("subnets"));
        for subnet in sent_subnets.and_then(Value::as_array).into_iter().flatten() {
            let Some(document) = subnet.as_object() else { return Err(bad_body("subnets are objects")) };
            let Some(name) = document.get("name").and_then(Value::as_str) else {
                return Err(bad_body("Required property 'name' not found in JSON. Path 'properties.subnets[].name'"));
            };
            subnets.push(self.subnet_part(request, name, document, &format!("{id}/subnets/{name}"), &location)?);
        }
        check_ranges(&subnets, &space, &name)?;
        // A network is replaced as a whole: a subnet that is left out is gone, or refused where it is in use.
        for subnet in there.iter().flat_map(|there| &there.parts) {
            if !subnets.iter().any(|kept| path::same(&kept.name, &subnet.name)) {
                self.unused(&format!("{id}/subnets/{}", subnet.name), &subnet.name)?;
            }
        }
        self.touch_tables(&there.iter().flat_map(|there| there.parts.clone()).collect::<Vec<_>>(), &subnets);
        let mut document = sent(body, &[], &["subnets"]);
        let mut properties = object(&document, "properties");
        default(&mut properties, "virtualNetworkPeerings", json!([]));
        default(&mut properties, "enableDdosProtection", json!(false));
        document.insert("properties".into(), Value::Object(properties));
        Ok(self.write(request, &key, there, Kind::VirtualNetwork, (id, name), document, subnets))
    }

    /// `…/virtualNetworks/NAME/subnets/NAME`.
    pub(super) fn subnet(&mut self, request: &Request) -> Handled {
        match request.method.as_str() {
            "GET" => self.get_part(request),
            "PUT" => self.put_subnet(request),
            "DELETE" => {
                let network = self.entities.get(&path::key(&request.id(8)));
                let there = network.and_then(|network| Some((network, network.position(&request.parts[9])?)));
                let Some((network, position)) = there else { return self.delete_part(request) };
                let subnet = network.parts[position].clone();
                self.unused(&network.part_id(&subnet.name), &subnet.name)?;
                let reply = self.delete_part(request)?;
                self.touch_tables(&[subnet], &[]);
                Ok(reply)
            }
            _ => Err(super::world::unknown(request)),
        }
    }

    /// A subnet is replaced as a whole: what the body leaves out is gone.
    fn put_subnet(&mut self, request: &Request) -> Handled {
        let network = self.parent(request, "write")?.clone();
        let (key, name) = (path::key(&network.id), request.parts[9].clone());
        check_name(&name)?;
        let Some(Value::Object(body)) = &request.body else { return Err(bad_body("a subnet is an object")) };
        let position = network.position(&name);
        self.check_version(request, &key, position.is_some())?;
        self.not_busy(request, &key, &network.part_id(&name))?;
        let mut part = self.subnet_part(request, &name, body, &network.part_id(&name), network.location())?;
        let mut subnets = network.parts.clone();
        let before: Vec<Part> = position.iter().map(|position| subnets[*position].clone()).collect();
        match position {
            Some(position) => {
                part.name.clone_from(&subnets[position].name);
                subnets[position] = part.clone();
            }
            None => subnets.push(part.clone()),
        }
        let space = prefixes(&object(&object(&network.document, "properties"), "addressSpace"));
        check_ranges(&subnets, &space, &network.name)?;
        self.touch_tables(&before, &[part]);
        Ok(self.write_part(request, &key, network, subnets, position))
    }

    /// A subnet as it was sent, its route table checked and spelled as at that table's creation.
    fn subnet_part(
        &self,
        request: &Request,
        name: &str,
        document: &Map<String, Value>,
        id: &str,
        location: &str,
    ) -> Result<Part, Reply> {
        let mut document = sent(document.clone(), &[], &["ipConfigurations"]);
        let mut properties = object(&document, "properties");
        let ranges = prefixes(&properties);
        if ranges.is_empty() {
            return Err(bad_body("Required property 'addressPrefix' not found in JSON."));
        }
        for range in &ranges {
            check_prefix(range, id)?;
        }
        // Azure takes "disabled" and answers "Disabled" (tape).
        for (field, value) in
            [("privateEndpointNetworkPolicies", "Disabled"), ("privateLinkServiceNetworkPolicies", "Enabled")]
        {
            let sent = properties.get(field).and_then(Value::as_str).unwrap_or(value);
            let known = ["Enabled", "Disabled", "NetworkSecurityGroupEnabled", "RouteTableEnabled"];
            let spelled = known.iter().find(|known| path::same(known, sent)).copied().unwrap_or(value);
            properties.insert(field.into(), json!(spelled));
        }
        default(&mut properties, "delegations", json!([]));
        // Whoever gives back what was read may leave out what is read-only (example SubnetCreateServiceEndpoint.json).
        for endpoint in properties.get_mut("serviceEndpoints").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(endpoint) = endpoint.as_object_mut() {
                endpoint.insert("provisioningState".into(), json!("Succeeded"));
                default(endpoint, "locations", json!([location]));
            }
        }
        if let Some(table) = table_of(&properties) {
            let there = self.entities.get(&path::key(&table)).filter(|entity| entity.kind == Kind::RouteTable);
            match there {
                Some(there) if path::same(there.location(), location) => {
                    // The table of the subnet as it stands may be changing; one that is to be used may not.
                    if let (Some((_, operation)), false) = (&there.busy, request.behind) {
                        return Err(retryable(&there.id, id, operation));
                    }
                    properties.insert("routeTable".into(), json!({ "id": there.id }));
                }
                _ => {
                    let message = format!(
                        "Resource {table} referenced by resource {id} was not found. Please make sure that the referenced resource \
                         exists, and that both resources are in the same region."
                    );
                    return Err(Reply::error(400, "InvalidResourceReference", &message));
                }
            }
        }
        properties.retain(|_, value| !value.is_null());
        document.insert("properties".into(), Value::Object(properties));
        Ok(Part { name: name.to_owned(), document, state: State::Updating })
    }

    /// A table gets another version where a subnet takes it or leaves it. No tape shows it: the stricter guess, hand-made.
    fn touch_tables(&mut self, before: &[Part], after: &[Part]) {
        let tables = |parts: &[Part]| -> Vec<String> {
            parts
                .iter()
                .filter_map(|part| table_of(&object(&part.document, "properties")))
                .map(|id| path::key(&id))
                .collect()
        };
        let (before, after) = (tables(before), tables(after));
        for key in before.iter().chain(&after) {
            if before.contains(key) != after.contains(key) {
                let etag = self.etag();
                if let Some(table) = self.entities.get_mut(key) {
                    table.etag = etag;
                }
            }
        }
    }

    /// A subnet with interfaces in it stays.
    fn unused(&self, id: &str, name: &str) -> Result<(), Reply> {
        let users = self.configurations_in(id);
        let Some(user) = users.first() else { return Ok(()) };
        let message = format!(
            "Subnet {name} is in use by {user} and cannot be deleted. In order to delete the subnet, delete all the resources \
             within the subnet. See aka.ms/deletesubnet."
        );
        Err(Reply::error(400, "InUseSubnetCannotBeDeleted", &message))
    }

    /// The identifiers of the subnets that use a table.
    pub(super) fn subnets_of(&self, table: &str) -> Vec<String> {
        self.entities
            .values()
            .filter(|entity| entity.kind == Kind::VirtualNetwork)
            .flat_map(|network| network.parts.iter().map(move |part| (network, part)))
            .filter(|(_, part)| {
                table_of(&object(&part.document, "properties")).is_some_and(|id| path::key(&id) == path::key(table))
            })
            .map(|(network, part)| network.part_id(&part.name))
            .collect()
    }

    /// What the server adds to a subnet.
    pub(super) fn complete_subnet(&self, properties: &mut Map<String, Value>, id: &str) {
        let configurations = self.configurations_in(id);
        if !configurations.is_empty() {
            let list = configurations.iter().map(|id| json!({ "id": id })).collect();
            properties.insert("ipConfigurations".into(), list);
        }
    }

    /// A network with its subnets.
    pub(super) fn render_network(&self, entity: &Entity) -> Value {
        let mut properties = object(&entity.document, "properties");
        let subnets = entity.parts.iter().map(|part| self.render_part(entity, part)).collect();
        properties.insert("subnets".into(), Value::Array(subnets));
        wire(entity, properties)
    }
}

/// The route table of a subnet.
pub fn table_of(properties: &Map<String, Value>) -> Option<String> {
    properties.get("routeTable")?.get("id")?.as_str().map(str::to_owned)
}

/// The prefixes of a subnet (`addressPrefix` or `addressPrefixes`), or of an address space.
pub fn prefixes(properties: &Map<String, Value>) -> Vec<String> {
    let many = properties.get("addressPrefixes").and_then(Value::as_array).into_iter().flatten();
    let one = properties.get("addressPrefix").into_iter();
    many.chain(one).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn check_ranges(subnets: &[Part], space: &[String], network: &str) -> Result<(), Reply> {
    let parse = |text: &String| text.parse::<ipnet::IpNet>().ok();
    let space: Vec<_> = space.iter().filter_map(parse).collect();
    let ranges: Vec<(&str, ipnet::IpNet)> = subnets
        .iter()
        .flat_map(|part| {
            prefixes(&object(&part.document, "properties")).into_iter().map(move |range| (part.name.as_str(), range))
        })
        .filter_map(|(name, range)| Some((name, parse(&range)?)))
        .collect();
    for (at, (name, range)) in ranges.iter().enumerate() {
        if !space.iter().any(|space| space.contains(range)) {
            let message = format!(
                "Subnet '{name}' is not valid because its IP address range is outside the IP address range of virtual network \
                 '{network}'."
            );
            return Err(Reply::error(400, "NetcfgSubnetRangeOutsideVnet", &message));
        }
        let other = ranges[..at].iter().find(|(_, other)| other.contains(range) || range.contains(other));
        if let Some((other, _)) = other {
            let message = format!(
                "Subnet '{name}' is not valid because its IP address range overlaps with that of an existing subnet in virtual \
                 network '{network}' ({other})."
            );
            return Err(Reply::error(400, "NetcfgSubnetRangesOverlap", &message));
        }
    }
    Ok(())
}

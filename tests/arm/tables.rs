//! Route tables and their routes.

use serde_json::{Map, Value, json};
use std::net::IpAddr;

use super::entity::{Entity, Kind, Part, State, default, object, sent, wire, wire_part};
use super::operations::Work;
use super::path;
use super::reply::{Handled, Reply, not_found, part_not_found, retryable};
use super::world::{Request, World};

impl World {
    /// `…/routeTables/NAME`.
    pub(super) fn table(&mut self, request: &Request) -> Handled {
        match request.method.as_str() {
            "GET" => self.get(request),
            "PUT" => self.put_table(request),
            "PATCH" => self.patch_tags(request),
            "DELETE" => self.delete_table(request),
            _ => Err(super::world::unknown(request)),
        }
    }

    /// GET of a whole resource; the version is a header too.
    pub(super) fn get(&self, request: &Request) -> Handled {
        let entity = self.whole(request)?;
        Ok(Reply::json(200, self.render(entity, request)).header("etag", entity.etag.clone()))
    }

    /// The resource that the first eight parts of the path name.
    pub(super) fn whole(&self, request: &Request) -> Result<&Entity, Reply> {
        let parts = &request.parts;
        self.entities
            .get(&path::key(&request.id(8)))
            .ok_or_else(|| not_found(&format!("{}/{}", parts[5], parts[6]), &parts[7], &parts[3]))
    }

    fn put_table(&mut self, request: &Request) -> Handled {
        let (id, name) = (request.id(8), request.parts[7].clone());
        let key = path::key(&id);
        let body = self.whole_body(request, &key)?;
        check_name(&name)?;
        let there = self.entities.get(&key).cloned();
        self.check_version(request, &key, there.is_some())?;
        self.not_busy(request, &key, &id)?;
        if there.is_none() {
            let count = self.entities.values().filter(|entity| entity.kind == Kind::RouteTable).count();
            if count >= self.settings.tables {
                // Code and message are hand-made after those for virtual networks.
                let message = format!(
                    "Cannot create more than {} route tables for this subscription in this region.",
                    self.settings.tables
                );
                return Err(Reply::error(400, "RouteTableCountLimitReached", &message));
            }
        }
        let mut routes: Vec<Part> = Vec::new();
        let sent_routes = body.get("properties").and_then(|properties| properties.get("routes"));
        for route in sent_routes.and_then(Value::as_array).into_iter().flatten() {
            let Some(route) = route.as_object() else { return Err(bad_body("routes are objects")) };
            let Some(name) = route.get("name").and_then(Value::as_str) else {
                return Err(bad_body("Required property 'name' not found in JSON. Path 'properties.routes[].name'"));
            };
            let part = route_part(name, route, &format!("{id}/routes/{name}"))?;
            if routes.iter().any(|other| path::same(&other.name, name)) {
                let message = format!("Cannot parse the request. Two routes have the name {name}.");
                return Err(Reply::error(400, "InvalidRequestFormat", &message));
            }
            routes.push(part);
        }
        self.check_routes(&routes, &id)?;
        let mut document = sent(body, &[], &["routes", "subnets"]);
        let mut properties = object(&document, "properties");
        default(&mut properties, "disableBgpRoutePropagation", json!(false));
        document.insert("properties".into(), Value::Object(properties));
        Ok(self.write(request, &key, there, Kind::RouteTable, (id, name), document, routes))
    }

    /// Writes a whole resource and begins the operation: 201 for a new one, 200 for one that was there.
    #[expect(clippy::too_many_arguments, reason = "all that a write is about")]
    pub(super) fn write(
        &mut self,
        request: &Request,
        key: &str,
        there: Option<Entity>,
        kind: Kind,
        (id, name): (String, String),
        document: Map<String, Value>,
        parts: Vec<Part>,
    ) -> Reply {
        // Identifiers keep the spelling of their creation.
        let (id, name, guid) = match &there {
            Some(there) => (there.id.clone(), there.name.clone(), there.guid.clone()),
            None => (id, name, self.uuid()),
        };
        let state = if kind == Kind::NetworkInterface { State::Succeeded } else { State::Updating };
        let etag = self.etag();
        let entity = Entity { id, name, kind, document, parts, etag, guid, state, busy: None };
        self.entities.insert(key.to_owned(), entity);
        let status = if there.is_some() { 200 } else { 201 };
        let operation = self.begin(request, key, Work::Put, there);
        let body = self.entities.get(key).map(|entity| self.render(entity, request)).unwrap_or_default();
        self.accepted(request, Reply::json(status, body), &operation, kind, false)
    }

    /// PATCH replaces the tags; it is done when it is answered (tape).
    pub(super) fn patch_tags(&mut self, request: &Request) -> Handled {
        let key = path::key(&self.whole(request)?.id);
        self.check_version(request, &key, true)?;
        self.not_busy(request, &key, &request.id(8))?;
        let etag = self.etag();
        let tags = request.body.as_ref().and_then(|body| body.get("tags")).cloned().unwrap_or(json!({}));
        if let Some(entity) = self.entities.get_mut(&key) {
            entity.document.insert("tags".into(), tags);
            entity.etag = etag;
        }
        let entity = self.whole(request)?;
        Ok(Reply::json(200, self.render(entity, request)).header("azure-asyncnotification", "Enabled"))
    }

    fn delete_table(&mut self, request: &Request) -> Handled {
        let key = path::key(&request.id(8));
        let Some(table) = self.entities.get(&key).cloned() else { return Ok(Reply::empty(204)) };
        self.check_version(request, &key, true)?;
        self.not_busy(request, &key, &table.id)?;
        if !self.subnets_of(&table.id).is_empty() {
            let message = format!("Route table {} is in use and cannot be deleted.", table.name);
            return Err(Reply::error(400, "InUseRouteTableCannotBeDeleted", &message));
        }
        Ok(self.delete_whole(request, &key, table))
    }

    /// Begins to delete a whole resource.
    pub(super) fn delete_whole(&mut self, request: &Request, key: &str, before: Entity) -> Reply {
        let kind = before.kind;
        if let Some(entity) = self.entities.get_mut(key) {
            entity.state = State::Deleting;
        }
        let operation = self.begin(request, key, Work::Delete, Some(before));
        self.accepted(request, Reply::empty(202), &operation, kind, true)
    }

    /// `…/routeTables/NAME/routes/NAME`.
    pub(super) fn route(&mut self, request: &Request) -> Handled {
        match request.method.as_str() {
            "GET" => self.get_part(request),
            "PUT" => self.put_route(request),
            "DELETE" => self.delete_part(request),
            _ => Err(super::world::unknown(request)),
        }
    }

    /// GET of a route or a subnet; the version is that of the whole.
    pub(super) fn get_part(&self, request: &Request) -> Handled {
        let entity = self.parent(request, "read")?;
        let part = entity
            .position(&request.parts[9])
            .ok_or_else(|| part_not_found(&format!("/{}", request.parts.join("/"))))?;
        let body = self.render_part(entity, &entity.parts[part]);
        Ok(Reply::json(200, body).header("etag", entity.etag.clone()))
    }

    /// The table or the network of a part; it must be there.
    pub(super) fn parent(&self, request: &Request, verb: &str) -> Result<&Entity, Reply> {
        let (parts, id) = (&request.parts, request.id(8));
        self.entities.get(&path::key(&id)).ok_or_else(|| {
            if verb == "read" {
                return not_found(&format!("{}/{}", parts[5], parts[6]), &parts[7], &parts[3]);
            }
            let message = format!(
                "Failed to perform '{verb}' on resource(s) of type '{}/{}', because the parent resource '{id}' could not be \
                 found.",
                parts[6], parts[8]
            );
            Reply::gateway_error(404, "ParentResourceNotFound", &message)
        })
    }

    /// The routes of a table, or the subnets of a network.
    pub(super) fn list_parts(&self, request: &Request) -> Handled {
        let entity = self.parent(request, "read")?;
        let values = entity.parts.iter().map(|part| self.render_part(entity, part)).collect();
        Ok(self.page(request, values))
    }

    fn put_route(&mut self, request: &Request) -> Handled {
        let table = self.parent(request, "write")?.clone();
        let (key, name) = (path::key(&table.id), &request.parts[9]);
        check_name(name)?;
        let Some(Value::Object(body)) = &request.body else { return Err(bad_body("a route is an object")) };
        let mut part = route_part(name, body, &table.part_id(name))?;
        let position = table.position(name);
        self.check_version(request, &key, position.is_some())?;
        self.not_busy(request, &key, &table.part_id(name))?;
        let mut routes = table.parts.clone();
        match position {
            Some(position) => {
                part.name.clone_from(&routes[position].name);
                routes[position] = part;
            }
            None => routes.push(part),
        }
        self.check_routes(&routes, &table.id)?;
        Ok(self.write_part(request, &key, table, routes, position))
    }

    /// Writes the parts of a whole, one of which is new or changed.
    pub(super) fn write_part(
        &mut self,
        request: &Request,
        key: &str,
        before: Entity,
        parts: Vec<Part>,
        position: Option<usize>,
    ) -> Reply {
        let (kind, at) = (before.kind, position.unwrap_or(parts.len() - 1));
        let etag = self.etag();
        if let Some(entity) = self.entities.get_mut(key) {
            entity.parts = parts;
            entity.etag = etag;
            entity.state = State::Updating;
        }
        let operation = self.begin(request, key, Work::Put, Some(before));
        let body = self.entities.get(key).map(|entity| self.render_part(entity, &entity.parts[at]));
        let status = if position.is_some() { 200 } else { 201 };
        self.accepted(request, Reply::json(status, body.unwrap_or_default()), &operation, kind, false)
    }

    /// DELETE of a route or a subnet: 204 where it is not there.
    pub(super) fn delete_part(&mut self, request: &Request) -> Handled {
        let key = path::key(&request.id(8));
        let Some(before) = self.entities.get(&key).cloned() else { return Ok(Reply::empty(204)) };
        let Some(position) = before.position(&request.parts[9]) else { return Ok(Reply::empty(204)) };
        self.check_version(request, &key, true)?;
        let name = before.parts[position].name.clone();
        self.not_busy(request, &key, &before.part_id(&name))?;
        let (kind, etag) = (before.kind, self.etag());
        if let Some(entity) = self.entities.get_mut(&key) {
            entity.parts[position].state = State::Deleting;
            entity.state = State::Updating;
            entity.etag = etag;
        }
        let operation = self.begin(request, &key, Work::DeletePart(name), Some(before));
        Ok(self.accepted(request, Reply::empty(202), &operation, kind, true))
    }

    /// Two writes at once: 429 on a table, 409 on a network.
    pub(super) fn not_busy(&self, request: &Request, key: &str, by: &str) -> Result<(), Reply> {
        match self.entities.get(key) {
            Some(Entity { busy: Some((operation, name)), id, kind, .. }) if !request.behind => match kind {
                Kind::VirtualNetwork => Err(super::reply::another_operation(operation)),
                _ => Err(retryable(id, by, name)),
            },
            _ => Ok(()),
        }
    }

    /// The limit of a table, and its key: the prefix.
    fn check_routes(&self, routes: &[Part], id: &str) -> Result<(), Reply> {
        if routes.len() > self.settings.routes {
            // Code and message are hand-made: no thread that was found shows them.
            let message = format!("Cannot have more than {} routes in route table {id}.", self.settings.routes);
            return Err(Reply::error(400, "RouteTableRoutesLimitReached", &message));
        }
        let prefix = |part: &Part| object(&part.document, "properties").get("addressPrefix").cloned();
        let mut seen: std::collections::HashMap<String, &str> = std::collections::HashMap::new();
        for route in routes {
            let key = prefix(route).map(|prefix| prefix.to_string().to_ascii_lowercase()).unwrap_or_default();
            if let Some(other) = seen.insert(key, &route.name) {
                let message = format!(
                    "Route: {} conflicts with Route: {other}. Routes cannot have the same AddressPrefix.",
                    route.name
                );
                return Err(Reply::error(400, "RouteConflict", &message));
            }
        }
        Ok(())
    }

    /// A table with its routes, and with the subnets that use it.
    pub(super) fn render_table(&self, entity: &Entity) -> Value {
        let mut properties = object(&entity.document, "properties");
        let routes = entity.parts.iter().map(|part| self.render_part(entity, part)).collect();
        properties.insert("routes".into(), Value::Array(routes));
        let subnets = self.subnets_of(&entity.id);
        if !subnets.is_empty() {
            properties.insert("subnets".into(), subnets.iter().map(|id| json!({ "id": id })).collect());
        }
        wire(entity, properties)
    }

    /// A route or a subnet.
    pub(super) fn render_part(&self, entity: &Entity, part: &Part) -> Value {
        let mut properties = object(&part.document, "properties");
        if entity.kind == Kind::RouteTable {
            properties.insert("hasBgpOverride".into(), json!(false));
        } else {
            self.complete_subnet(&mut properties, &entity.part_id(&part.name));
        }
        wire_part(entity, part, properties)
    }
}

/// A route as it was sent, checked.
fn route_part(name: &str, document: &Map<String, Value>, id: &str) -> Result<Part, Reply> {
    let document = sent(document.clone(), &[], &["hasBgpOverride"]);
    let properties = object(&document, "properties");
    let text = |field: &str| properties.get(field).and_then(Value::as_str);
    let Some(prefix) = text("addressPrefix") else {
        return Err(bad_body("Required property 'addressPrefix' not found in JSON."));
    };
    // A service tag has no slash.
    if prefix.contains('/') {
        check_prefix(prefix, id)?;
    }
    let known = ["VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None"];
    let Some(hop_type) = text("nextHopType").filter(|it| known.iter().any(|known| path::same(known, it))) else {
        return Err(bad_body("Error converting value to type 'RouteNextHopType'. Path 'properties.nextHopType'."));
    };
    let address = text("nextHopIpAddress").filter(|address| !address.is_empty());
    let usable = address.is_some_and(|address| address.parse::<IpAddr>().is_ok());
    // Codes and messages of these two are hand-made.
    match (path::same(hop_type, "VirtualAppliance"), address, usable) {
        (true, _, false) => Err(Reply::error(
            400,
            "InvalidNextHopIpAddress",
            &format!("Route {id} has the next hop type VirtualAppliance and needs a valid next hop IP address."),
        )),
        (false, Some(_), _) => Err(Reply::error(
            400,
            "NextHopIpAddressNotAllowed",
            &format!("Route {id} has the next hop type {hop_type}, which takes no next hop IP address."),
        )),
        _ => Ok(Part { name: name.to_owned(), document, state: State::Updating }),
    }
}

/// A prefix must be one, without host bits.
pub fn check_prefix(prefix: &str, id: &str) -> Result<(), Reply> {
    let Ok(network) = prefix.parse::<ipnet::IpNet>() else {
        let message = format!(
            "Address prefix {prefix} of resource {id} is not formatted correctly. It should follow CIDR notation, for example \
             10.0.0.0/24."
        );
        return Err(Reply::error(400, "InvalidAddressPrefixFormat", &message));
    };
    if network.trunc() == network {
        return Ok(());
    }
    let message = format!(
        "The address prefix {prefix} in resource {id} has an invalid CIDR notation. For the given prefix length, the address \
         prefix should be {}.",
        network.trunc()
    );
    Err(Reply::error(400, "InvalidCIDRNotation", &message))
}

/// A name that Azure takes.
pub fn check_name(name: &str) -> Result<(), Reply> {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let inside = |character: char| word(character) || character == '.' || character == '-';
    if name.len() <= 80 && name.starts_with(word) && name.ends_with(word) && name.chars().all(inside) {
        return Ok(());
    }
    let message = format!(
        "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin with a word character, and it \
         must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'."
    );
    Err(Reply::error(400, "InvalidResourceName", &message))
}

/// A body that does not fit.
pub fn bad_body(reason: &str) -> Reply {
    Reply::detailed(400, "InvalidRequestFormat", "Cannot parse the request.", &[("InvalidJson", reason)])
}

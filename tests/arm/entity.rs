//! What Azure keeps: a resource with its version, its state and its parts.

use serde_json::{Map, Value, json};

/// The kinds of resources that the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Microsoft.Network/routeTables`, with routes as parts.
    RouteTable,
    /// `Microsoft.Network/virtualNetworks`, with subnets as parts.
    VirtualNetwork,
    /// `Microsoft.Network/networkInterfaces`.
    NetworkInterface,
    /// `Microsoft.Compute/virtualMachines`.
    VirtualMachine,
    /// A network interface of an instance of a scale set.
    ScaleSetInterface,
}

impl Kind {
    /// The type as Azure spells it.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::RouteTable => "Microsoft.Network/routeTables",
            Self::VirtualNetwork => "Microsoft.Network/virtualNetworks",
            Self::NetworkInterface => "Microsoft.Network/networkInterfaces",
            Self::VirtualMachine => "Microsoft.Compute/virtualMachines",
            Self::ScaleSetInterface => "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces",
        }
    }

    /// The name of the list of parts in `properties`, and in paths.
    pub fn parts(self) -> Option<&'static str> {
        match self {
            Self::RouteTable => Some("routes"),
            Self::VirtualNetwork => Some("subnets"),
            _ => None,
        }
    }

    /// What an operation on it is called in messages.
    pub fn operation(self, deletes: bool) -> &'static str {
        match (self, deletes) {
            (Self::RouteTable, false) => "PutRouteTableOperation",
            (Self::RouteTable, true) => "DeleteRouteTableOperation",
            (Self::VirtualNetwork, false) => "PutVirtualNetworkOperation",
            (Self::VirtualNetwork, true) => "DeleteVirtualNetworkOperation",
            (_, false) => "PutNicOperation",
            (_, true) => "DeleteNicOperation",
        }
    }
}

/// The provisioning state of a resource or a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The last write ended well.
    Succeeded,
    /// A write is running.
    Updating,
    /// A deletion is running.
    Deleting,
    /// The last write ended badly.
    Failed,
}

impl State {
    /// As Azure spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
            Self::Failed => "Failed",
        }
    }
}

/// A route of a table, or a subnet of a network. Its version is that of the whole.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What was sent: `properties` and what else there was.
    pub document: Map<String, Value>,
    /// Its state.
    pub state: State,
}

/// A resource.
#[derive(Clone, Debug)]
pub struct Entity {
    /// The identifier, spelled as at its creation.
    pub id: String,
    /// Its name, likewise.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What was sent, without what the server makes itself. Unknown fields are kept.
    pub document: Map<String, Value>,
    /// Routes or subnets, in the order in which they were sent.
    pub parts: Vec<Part>,
    /// The version, with `W/` and quotes.
    pub etag: String,
    /// `resourceGuid`, or `vmId`.
    pub guid: String,
    /// Its state.
    pub state: State,
    /// The operation that runs on it, and what that is called.
    pub busy: Option<(String, &'static str)>,
}

impl Entity {
    /// Its region.
    pub fn location(&self) -> &str {
        self.document.get("location").and_then(Value::as_str).unwrap_or_default()
    }

    /// A property that was sent.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.document.get("properties")?.get(name)
    }

    /// Where a part of this name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| part.name.eq_ignore_ascii_case(name))
    }

    /// The identifier of a part.
    pub fn part_id(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.id, self.kind.parts().unwrap_or_default())
    }

    /// The resource group, as spelled in the identifier.
    pub fn group(&self) -> &str {
        self.id.split('/').nth(4).unwrap_or_default()
    }
}

/// The object in a field; an empty one where there is none.
pub fn object(document: &Map<String, Value>, field: &str) -> Map<String, Value> {
    document.get(field).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The fields that the server makes itself, taken out of what a client sent.
pub fn sent(mut document: Map<String, Value>, own: &[&str], own_properties: &[&str]) -> Map<String, Value> {
    for field in ["name", "id", "etag", "type"].iter().chain(own) {
        document.remove(*field);
    }
    if let Some(Value::Object(properties)) = document.get_mut("properties") {
        for field in ["provisioningState", "resourceGuid"].iter().chain(own_properties) {
            properties.remove(*field);
        }
    }
    document
}

/// Puts a default where nothing was sent.
pub fn default(properties: &mut Map<String, Value>, field: &str, value: Value) {
    properties.entry(field).or_insert(value);
}

/// A resource as it goes on the wire; `properties` is what belongs there beside its state.
pub fn wire(entity: &Entity, mut properties: Map<String, Value>) -> Value {
    let mut document = entity.document.clone();
    properties.insert("provisioningState".into(), json!(entity.state.word()));
    document.insert("name".into(), json!(entity.name));
    document.insert("id".into(), json!(entity.id));
    document.insert("type".into(), json!(entity.kind.resource_type()));
    if entity.kind != Kind::VirtualMachine {
        properties.insert("resourceGuid".into(), json!(entity.guid));
        document.insert("etag".into(), json!(entity.etag));
    }
    document.insert("properties".into(), Value::Object(properties));
    Value::Object(document)
}

/// A part as it goes on the wire.
pub fn wire_part(entity: &Entity, part: &Part, mut properties: Map<String, Value>) -> Value {
    let mut document = part.document.clone();
    properties.insert("provisioningState".into(), json!(part.state.word()));
    document.insert("name".into(), json!(part.name));
    document.insert("id".into(), json!(entity.part_id(&part.name)));
    document.insert("etag".into(), json!(entity.etag));
    let collection = entity.kind.parts().unwrap_or_default();
    document.insert("type".into(), json!(format!("{}/{collection}", entity.kind.resource_type())));
    document.insert("properties".into(), Value::Object(properties));
    Value::Object(document)
}

//! Virtual machines with tags and power states, and the interfaces of scale sets. Only somebody else's doing changes them.

use serde_json::{Value, json};

use super::entity::{Entity, Kind, State, object, wire};
use super::path;
use super::reply::{Handled, Reply, not_found};
use super::world::{Request, World, unknown};

impl World {
    /// `…/virtualMachines/NAME`.
    pub(super) fn machine(&mut self, request: &Request) -> Handled {
        match request.method.as_str() {
            "GET" => Ok(Reply::json(200, self.render(self.whole(request)?, request))),
            "PUT" if request.behind => {
                let Some(Value::Object(document)) = request.body.clone() else { return Err(unknown(request)) };
                self.keep(request, Kind::VirtualMachine, document);
                Ok(Reply::empty(200))
            }
            "DELETE" if request.behind => {
                self.entities.remove(&path::key(&request.path));
                Ok(Reply::empty(204))
            }
            _ => Err(unknown(request)),
        }
    }

    /// Keeps a resource as it is, done.
    fn keep(&mut self, request: &Request, kind: Kind, document: serde_json::Map<String, Value>) {
        let id = format!("/{}", request.parts.join("/"));
        let (etag, guid) = (self.etag(), self.uuid());
        let name = request.parts.last().cloned().unwrap_or_default();
        let document = super::entity::sent(document, &[], &["vmId"]);
        let state = State::Succeeded;
        let entity = Entity { id: id.clone(), name, kind, document, parts: Vec::new(), etag, guid, state, busy: None };
        self.entities.insert(path::key(&id), entity);
    }

    /// `…/virtualMachines/NAME/instanceView`.
    pub(super) fn instance_view(&self, request: &Request) -> Handled {
        let view = self.whole(request)?.property("instanceView").cloned();
        Ok(Reply::json(200, view.unwrap_or_else(|| json!({ "statuses": [] }))))
    }

    /// Whether the machine of an interface runs.
    pub(super) fn runs(&self, interface: &Entity) -> bool {
        let machine = interface.property("virtualMachine").and_then(|machine| machine["id"].as_str());
        let view = machine
            .and_then(|id| self.entities.get(&path::key(id)))
            .and_then(|machine| machine.property("instanceView"))
            .and_then(|view| view["statuses"].as_array());
        view.is_some_and(|statuses| statuses.iter().any(|status| status["code"] == "PowerState/running"))
    }

    /// `…/virtualMachineScaleSets/…`: the interfaces of all instances, of one, or one of them.
    pub(super) fn scale_set(&mut self, request: &Request, rest: &[&str]) -> Handled {
        let prefix = match (request.method.as_str(), rest) {
            ("GET", [_, "networkinterfaces"]) => request.id(8) + "/virtualMachines/",
            ("GET", [_, "virtualmachines", _, "networkinterfaces"]) => format!("/{}/", request.parts.join("/")),
            ("GET", [_, "virtualmachines", _, "networkinterfaces", _]) => {
                let entity = self.entities.get(&path::key(&format!("/{}", request.parts.join("/"))));
                let entity = entity.ok_or_else(|| super::reply::part_not_found(&request.path))?;
                return Ok(Reply::json(200, self.render(entity, request)));
            }
            ("PUT", [_, "virtualmachines", _, "networkinterfaces", _]) if request.behind => {
                let Some(Value::Object(body)) = request.body.clone() else { return Err(unknown(request)) };
                let id = format!("/{}", request.parts.join("/"));
                let document = self.interface_document(request, body, None, &id)?;
                self.keep(request, Kind::ScaleSetInterface, document);
                return Ok(Reply::empty(200));
            }
            ("DELETE", [_, "virtualmachines", _, "networkinterfaces", _]) if request.behind => {
                self.entities.remove(&path::key(&request.path));
                return Ok(Reply::empty(204));
            }
            _ => return Err(unknown(request)),
        };
        let prefix = prefix.to_ascii_lowercase();
        let found = self.entities.iter().filter(|(key, _)| key.starts_with(&prefix));
        let values: Vec<Value> = found.map(|(_, entity)| self.render(entity, request)).collect();
        // Scale sets are known by their interfaces alone here: one without any is not there.
        if values.is_empty() {
            return Err(not_found("Microsoft.Compute/virtualMachineScaleSets", &request.parts[7], &request.parts[3]));
        }
        Ok(self.page(request, values))
    }
}

/// A machine; what it does right now only where it is asked for.
pub fn render_machine(entity: &Entity, request: &Request) -> Value {
    let mut properties = object(&entity.document, "properties");
    let asked = path::parameter(&request.query, "$expand").is_some_and(|it| path::same(&it, "instanceView"))
        || path::parameter(&request.query, "statusOnly").is_some_and(|it| path::same(&it, "true"));
    if !asked {
        properties.remove("instanceView");
    }
    properties.insert("vmId".into(), json!(entity.guid));
    wire(entity, properties)
}

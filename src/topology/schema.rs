//! The JSON schema of a topology, for editors. It checks each value alone. The parser checks what needs the whole
//! document (overlaps, duplicates, next hops).

use serde_json::{Value as Json, json};

use super::format::{Formats, TableFormat, TableSchema};

/// The schema file's text, with a line end: draft 2020-12. The tables of backends are of these formats.
pub fn text(formats: Formats) -> String {
    let mut text = serde_json::to_string_pretty(&schema(formats)).unwrap_or_default();
    text.push('\n');
    text
}

/// The same grammar as [`crate::resource::Name`].
const NAME: &str = r"^[A-Za-z0-9](\.?[A-Za-z0-9_-])*\.?$";
const HOST: &str = r"^[A-Za-z0-9._:%][A-Za-z0-9._:%-]*$";
const USER: &str = r"^[A-Za-z0-9_.][A-Za-z0-9_.-]*$";
const INTERFACE: &str = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$";
const PATTERN: &str = r"^[A-Za-z0-9*?][A-Za-z0-9*?._-]*$";
const OCTET: &str = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const V6: &str = r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*";

fn schema(formats: Formats) -> Json {
    let v4 = format!(r"{OCTET}(\.{OCTET}){{3}}");
    let tables: serde_json::Map<String, Json> = formats
        .iter()
        .map(|format| {
            let own = format.id();
            let others = formats.iter().map(|other| other.id()).filter(|other| *other != own).map(typed_backend);
            (own.to_owned(), json!({ "anyOf": std::iter::once(backend(own)).chain(others).collect::<Json>() }))
        })
        .collect();
    let typed: Json = formats.iter().map(|format| typed_backend(format.id())).collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://topo.invalid/topology.schema.json",
        "title": "topo topology",
        "description": "The nodes, their addresses, and the pod subnets behind each node.",
        "type": "object",
        "required": ["topology"],
        "additionalProperties": false,
        "properties": {
            "topology": {
                "title": "Topology",
                "type": "object",
                "required": ["name"],
                "additionalProperties": false,
                "properties": {
                    "name": { "$ref": "#/$defs/name", "title": "Name", "description": "The name for the state and for \
                     what topo creates." },
                    "decommissioned": { "$ref": "#/$defs/decommissioned" }
                }
            },
            "decommissioned": { "$ref": "#/$defs/decommissioned" },
            "subnets": {
                "title": "Subnets",
                "description": "The networks of the node addresses. Default: topo assumes that all nodes share one \
                 link.",
                "type": "object",
                "propertyNames": { "$ref": "#/$defs/name" },
                "additionalProperties": { "$ref": "#/$defs/subnet" }
            },
            "nodes": {
                "title": "Nodes",
                "description": "The machines, by name.",
                "type": "object",
                "propertyNames": { "$ref": "#/$defs/name" },
                "additionalProperties": { "$ref": "#/$defs/node" }
            },
            "groups": {
                "title": "Groups",
                "description": "Settings for many nodes. A node's own settings win.",
                "type": "object",
                "propertyNames": { "$ref": "#/$defs/name" },
                "additionalProperties": { "$ref": "#/$defs/group" }
            },
            "ssh": {
                "title": "SSH",
                "description": "The login on all nodes. Everything else comes from ssh's own configuration.",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "user": { "$ref": "#/$defs/user" },
                    "port": { "$ref": "#/$defs/port" },
                    "sudo": { "$ref": "#/$defs/sudo" }
                }
            },
            "backends": {
                "title": "Backends",
                "description": "The backends put the routes in place. A backend is active if it has a table.",
                "type": "object",
                "propertyNames": { "$ref": "#/$defs/name" },
                "properties": tables,
                "additionalProperties": { "anyOf": typed }
            }
        },
        "$defs": {
            "name": {
                "description": "A name starts with a letter or digit, then has letters, digits, `-`, `_` and `.` (not \
                 `..`), at most 63 characters.",
                "type": "string", "maxLength": 63, "pattern": NAME
            },
            "address": {
                "description": "An IP address.",
                "type": "string",
                "anyOf": [{ "pattern": format!("^{v4}$") }, { "pattern": format!("^{V6}$") }]
            },
            "addresses": one_or_list("address", json!({ "minItems": 1, "maxItems": 2 })),
            "prefix": {
                "description": "A network prefix without host bits.",
                "type": "string",
                "anyOf": [
                    { "pattern": format!("^{v4}/(3[0-2]|[12]?[0-9])$") },
                    { "pattern": format!("^{V6}/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$") }
                ]
            },
            "patterns": one_or_list("pattern", json!({ "minItems": 1 })),
            "pattern": {
                "description": "A name where `*` matches any characters and `?` matches one.",
                "type": "string", "maxLength": 64, "pattern": PATTERN
            },
            "decommissioned": merged(one_or_list("name", json!({})), json!({
                "title": "Decommissioned nodes",
                "description": "Machines that no longer exist: topo drops their records without a login."
            })),
            "host": {
                "title": "Host", "description": "Host name or address to connect to. Default: the node's first \
                 address.",
                "type": "string", "maxLength": 255, "pattern": HOST
            },
            "user": { "title": "User", "description": "Login name.", "type": "string", "maxLength": 64, "pattern": USER },
            "interface": {
                "title": "Interface",
                "description": "The network device for the routes. Default: the device that the kernel uses.",
                "type": "string", "maxLength": 15, "pattern": INTERFACE
            },
            "port": { "title": "Port", "description": "TCP port.", "type": "integer", "minimum": 1, "maximum": 65535 },
            "sudo": { "title": "Sudo", "description": "Run commands through `sudo -n`.", "type": "boolean", "default": false },
            "login": {
                "title": "SSH",
                "description": "How to log in.",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "host": { "$ref": "#/$defs/host" },
                    "port": { "$ref": "#/$defs/port" },
                    "user": { "$ref": "#/$defs/user" },
                    "sudo": { "$ref": "#/$defs/sudo" }
                }
            },
            "subnet": {
                "title": "Subnet",
                "description": "One link, or one subnet of a virtual network.",
                "type": "object",
                "required": ["cidr"],
                "additionalProperties": false,
                "properties": {
                    "cidr": merged(one_or_list("prefix", json!({ "minItems": 1 })), json!({
                        "title": "Prefix", "description": "Its prefix; a list for dual stack."
                    })),
                    "gateway": merged(one_or_list("address", json!({ "maxItems": 2 })), json!({
                        "title": "Gateway",
                        "description": "The addresses through which its nodes reach nodes in other subnets, at most \
                         one of each family. Default: they cannot reach them."
                    })),
                    "routed": {
                        "title": "Routed",
                        "description": "The routers behind the gateway know the pod subnets, so topo does not warn.",
                        "type": "boolean", "default": false
                    }
                }
            },
            "node": {
                "title": "Node",
                "type": "object",
                "required": ["address"],
                "additionalProperties": false,
                "properties": {
                    "address": {
                        "$ref": "#/$defs/addresses",
                        "title": "Address", "description": "The next hop towards its pods; a list for dual stack, at \
                         most one of each family."
                    },
                    "pods": merged(one_or_list("prefix", json!({})), json!({
                        "title": "Pod subnets", "description": "The pod subnets behind this node, as a list.", "default": []
                    })),
                    "ssh": { "$ref": "#/$defs/login" },
                    "interface": { "$ref": "#/$defs/interface" }
                }
            },
            "group": {
                "title": "Group",
                "type": "object",
                "required": ["nodes"],
                "additionalProperties": false,
                "properties": {
                    "nodes": { "$ref": "#/$defs/patterns", "title": "Nodes", "description": "The nodes in the group, \
                     as patterns." },
                    "ssh": { "$ref": "#/$defs/login" },
                    "interface": { "$ref": "#/$defs/interface" }
                }
            }
        }
    });
    for format in formats {
        schema["$defs"][format.id()] = table(*format);
    }
    schema
}

/// The table of a backend.
fn table(format: &dyn TableFormat) -> Json {
    let TableSchema { description, nodes, properties, condition } = format.schema();
    let common = json!({
        "type": {
            "title": "Backend",
            "description": "The backend; required if the table has another name.",
            "const": format.id()
        },
        "nodes": { "$ref": "#/$defs/patterns", "description": nodes }
    });
    let table = json!({
        "title": format.id(),
        "description": description,
        "type": "object",
        "additionalProperties": false,
        "properties": merged(common, properties)
    });
    merged(table, condition)
}

fn backend(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// A backend in a table with another name.
fn typed_backend(name: &str) -> Json {
    merged(backend(name), json!({ "required": ["type"] }))
}

/// A string, or a list of strings with length limits.
fn one_or_list(definition: &str, bounds: Json) -> Json {
    let item = json!({ "$ref": format!("#/$defs/{definition}") });
    json!({ "anyOf": [item, merged(json!({ "type": "array", "items": item }), bounds)] })
}

fn merged(mut left: Json, right: Json) -> Json {
    if let (Json::Object(left), Json::Object(right)) = (&mut left, right) {
        left.extend(right);
    }
    left
}

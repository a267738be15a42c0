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
    let tables: serde_json::Map<String, Json> = formats
        .iter()
        .map(|format| {
            let own = format.id();
            let others = formats.iter().map(|other| other.id()).filter(|other| *other != own).map(typed_backend);
            (own.to_owned(), json!({ "anyOf": std::iter::once(reference(own)).chain(others).collect::<Json>() }))
        })
        .collect();
    let typed: Json = formats.iter().map(|format| typed_backend(format.id())).collect();
    let topology = json!({
        "name": merged(reference("name"), json!({
            "title": "Name", "description": "The name for the state and for what topo creates."
        })),
        "decommissioned": reference("decommissioned")
    });
    let root = json!({
        "topology": titled("Topology", table(&["name"], topology)),
        "decommissioned": reference("decommissioned"),
        "subnets": described(
            "Subnets", "The networks of the node addresses. Default: topo assumes that all nodes share one link.",
            tables_of("subnet")
        ),
        "nodes": described("Nodes", "The machines, by name.", tables_of("node")),
        "groups": described("Groups", "Settings for many nodes. A node's own settings win.", tables_of("group")),
        "ssh": described(
            "SSH", "The login on all nodes. Everything else comes from ssh's own configuration.",
            table(&[], references(&["user", "port", "sudo"]))
        ),
        "backends": {
            "title": "Backends",
            "description": "The backends put the routes in place. A backend is active if it has a table.",
            "type": "object",
            "propertyNames": reference("name"),
            "properties": tables,
            "additionalProperties": { "anyOf": typed }
        }
    });
    let description = "The nodes, their addresses, and the pod subnets behind each node.";
    let mut schema = described("topo topology", description, table(&["topology"], root));
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["$id"] = json!("https://topo.invalid/topology.schema.json");
    schema["$defs"] = definitions();
    for format in formats {
        schema["$defs"][format.id()] = backend_table(*format);
    }
    schema
}

/// What the tables are made of.
fn definitions() -> Json {
    let v4 = format!(r"{OCTET}(\.{OCTET}){{3}}");
    let subnet = json!({
        "cidr": described("Prefix", "Its prefix; a list for dual stack.", one_or_list("prefix", json!({ "minItems": 1 }))),
        "gateway": described(
            "Gateway",
            "The addresses through which its nodes reach nodes in other subnets, at most one of each family. Default: \
             they cannot reach them.",
            one_or_list("address", json!({ "maxItems": 2 }))
        ),
        "routed": described(
            "Routed", "The routers behind the gateway know the pod subnets, so topo does not warn.",
            json!({ "type": "boolean", "default": false })
        )
    });
    let pods = merged(one_or_list("prefix", json!({})), json!({ "default": [] }));
    let node = json!({
        "address": described(
            "Address", "The next hop towards its pods; a list for dual stack, at most one of each family.",
            reference("addresses")
        ),
        "pods": described("Pod subnets", "The pod subnets behind this node, as a list.", pods),
        "ssh": reference("login"),
        "interface": reference("interface")
    });
    let group = json!({
        "nodes": described("Nodes", "The nodes in the group, as patterns.", reference("patterns")),
        "ssh": reference("login"),
        "interface": reference("interface")
    });
    json!({
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
        "decommissioned": described(
            "Decommissioned nodes", "Machines that no longer exist: topo drops their records without a login.",
            one_or_list("name", json!({}))
        ),
        "host": described(
            "Host", "Host name or address to connect to. Default: the node's first address.",
            json!({ "type": "string", "maxLength": 255, "pattern": HOST })
        ),
        "user": described("User", "Login name.", json!({ "type": "string", "maxLength": 64, "pattern": USER })),
        "interface": described(
            "Interface", "The network device for the routes. Default: the device that the kernel uses.",
            json!({ "type": "string", "maxLength": 15, "pattern": INTERFACE })
        ),
        "port": described("Port", "TCP port.", json!({ "type": "integer", "minimum": 1, "maximum": 65535 })),
        "sudo": described("Sudo", "Run commands through `sudo -n`.", json!({ "type": "boolean", "default": false })),
        "login": described("SSH", "How to log in.", table(&[], references(&["host", "port", "user", "sudo"]))),
        "subnet": described("Subnet", "One link, or one subnet of a virtual network.", table(&["cidr"], subnet)),
        "node": titled("Node", table(&["address"], node)),
        "group": titled("Group", table(&["nodes"], group))
    })
}

/// The table of a backend.
fn backend_table(format: &dyn TableFormat) -> Json {
    let TableSchema { description, nodes, properties, condition } = format.schema();
    let common = json!({
        "type": {
            "title": "Backend",
            "description": "The backend; required if the table has another name.",
            "const": format.id()
        },
        "nodes": merged(reference("patterns"), json!({ "description": nodes }))
    });
    merged(described(format.id(), description, table(&[], merged(common, properties))), condition)
}

/// A backend in a table with another name.
fn typed_backend(name: &str) -> Json {
    merged(reference(name), json!({ "required": ["type"] }))
}

fn reference(definition: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

/// Keys that have the names of their definitions.
fn references(keys: &[&str]) -> Json {
    Json::Object(keys.iter().map(|key| ((*key).to_owned(), reference(key))).collect())
}

fn titled(title: &str, schema: Json) -> Json {
    merged(schema, json!({ "title": title }))
}

fn described(title: &str, description: &str, schema: Json) -> Json {
    merged(schema, json!({ "title": title, "description": description }))
}

/// A table with these keys alone.
fn table(required: &[&str], properties: Json) -> Json {
    let mut table = json!({ "type": "object", "additionalProperties": false });
    table["properties"] = properties;
    if required.is_empty() { table } else { merged(table, json!({ "required": required })) }
}

/// Tables by name.
fn tables_of(definition: &str) -> Json {
    json!({ "type": "object", "propertyNames": reference("name"), "additionalProperties": reference(definition) })
}

/// A string, or a list of strings with length limits.
fn one_or_list(definition: &str, bounds: Json) -> Json {
    let item = reference(definition);
    json!({ "anyOf": [item, merged(json!({ "type": "array", "items": item }), bounds)] })
}

fn merged(mut left: Json, right: Json) -> Json {
    if let (Json::Object(left), Json::Object(right)) = (&mut left, right) {
        left.extend(right);
    }
    left
}

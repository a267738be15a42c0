//! `effectiveRouteTable`: what a running machine's interface goes by.

use serde_json::{Value, json};

use super::entity::object;
use super::networks::{prefixes, table_of};
use super::operations::Work;
use super::path;
use super::reply::{Handled, Reply};
use super::world::{Request, World};

impl World {
    pub(super) fn effective_routes(&mut self, request: &Request) -> Handled {
        let interface = self.whole(request)?;
        if !self.runs(interface) {
            // Status, code and message are hand-made: Azure refuses too, no tape says how.
            let message = format!("Network interface {} must be attached to a running virtual machine.", interface.id);
            return Err(Reply::error(400, "NetworkInterfaceNotAttachedToRunningVirtualMachine", &message));
        }
        let key = path::key(&interface.id);
        let configuration = interface.property("ipConfigurations").and_then(|list| list.get(0));
        let subnet = configuration.and_then(|it| it["properties"]["subnet"]["id"].as_str());
        let mut rows = Vec::new();
        if let Some((network, position)) = subnet.and_then(|subnet| self.find_subnet(subnet)) {
            let space = prefixes(&object(&object(&network.document, "properties"), "addressSpace"));
            let table = table_of(&object(&network.parts[position].document, "properties"));
            let table = table.and_then(|table| self.entities.get(&path::key(&table)));
            let no_bgp = table.and_then(|table| table.property("disableBgpRoutePropagation")).cloned();
            let no_bgp = no_bgp.unwrap_or(json!(false));
            let routes: Vec<_> = table.iter().flat_map(|table| &table.parts).collect();
            let sent: Vec<_> = routes.iter().map(|route| object(&route.document, "properties")).collect();
            let taken = |prefix: &str| sent.iter().any(|route| route.get("addressPrefix") == Some(&json!(prefix)));
            let mut row =
                |source: &str, prefix: &str, hop: &Value, address: &Value, name: Option<&str>, active: bool| {
                    let address: Vec<&Value> = address.as_str().map(|_| address).into_iter().collect();
                    let mut row = json!({
                        "disableBgpRoutePropagation": no_bgp, "source": source,
                        "state": if active { "Active" } else { "Invalid" }, "hasBgpOverride": false,
                        "addressPrefix": [prefix], "nextHopType": hop, "nextHopIpAddress": address,
                        "destinationServiceTags": [], "tagMap": {},
                    });
                    if let Some(name) = name {
                        row["name"] = json!(name);
                    }
                    rows.push(row);
                };
            for prefix in &space {
                row("Default", prefix, &json!("VnetLocal"), &Value::Null, None, !taken(prefix));
            }
            row("Default", "0.0.0.0/0", &json!("Internet"), &Value::Null, None, !taken("0.0.0.0/0"));
            for prefix in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] {
                row("Default", prefix, &json!("None"), &Value::Null, None, !taken(prefix));
            }
            for (route, sent) in routes.iter().zip(&sent) {
                let prefix = sent.get("addressPrefix").and_then(Value::as_str).unwrap_or_default();
                let address = sent.get("nextHopIpAddress").unwrap_or(&Value::Null);
                row("User", prefix, &sent["nextHopType"], address, Some(&route.name), true);
            }
        }
        let operation = self.begin(request, &key, Work::Ask(json!({ "value": rows })), None);
        Ok(self.asked(request, &operation))
    }
}

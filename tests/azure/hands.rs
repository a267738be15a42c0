//! What hands do in Azure beside topo, and what they find there.

use std::path::Path;

use super::*;

/// A topology of these nodes: name, keys; and what is to stand in its backend besides.
pub(super) fn topology_of(name: &str, nodes: &[(&str, &str)], backend: &str) -> String {
    let nodes: Vec<String> = nodes.iter().map(|(node, keys)| format!("{node} = {{ {keys} }}\n")).collect();
    let nodes = nodes.concat();
    format!(
        "[topology]\nname = \"{name}\"\n[nodes]\n{nodes}{}{backend}\n",
        backend_table("azure-udr", TABLE, &format!("{NETWORK}/{SUBNET}"))
    )
}

/// The beginning of a backend's table.
pub(super) fn backend_table(name: &str, table: &str, subnets: &str) -> String {
    let subnets = if subnets.is_empty() { String::new() } else { format!("\"{subnets}\"") };
    format!(
        "[backends.{name}]\ntype = \"azure-udr\"\nsubscription = \"{SUBSCRIPTION}\"\nresource_group = \"{GROUP}\"\n\
         location = \"{LOCATION}\"\nroute_table = \"{table}\"\nsubnets = [{subnets}]\n"
    )
}

/// A route as it is sent: without what the server adds.
pub(super) fn plain(route: &Value) -> Value {
    let mut route = route.clone();
    for field in ["etag", "id", "type"] {
        route.as_object_mut().unwrap().remove(field);
    }
    for field in ["provisioningState", "hasBgpOverride"] {
        route["properties"].as_object_mut().unwrap().remove(field);
    }
    route
}

impl Cloud {
    /// Somebody makes the table.
    pub(super) fn make_table(&self, routes: &[Value], tags: &Value) {
        self.make(
            "routeTables",
            TABLE,
            json!({ "location": LOCATION, "tags": tags, "properties": { "routes": routes } }),
        );
    }

    /// Somebody makes something of Microsoft.Network.
    pub(super) fn make(&self, collection: &str, name: &str, body: Value) {
        self.server.command(Command::Put { path: network_path(&format!("{collection}/{name}")), body });
    }

    /// Somebody changes something.
    pub(super) fn merge(&self, path: String, body: Value) {
        self.server.command(Command::Merge { path, body });
    }

    /// Somebody gives the subnet this table, or none.
    pub(super) fn associate(&self, table: Option<&str>) {
        let table = table.map(|name| json!({ "id": network_path(&format!("routeTables/{name}")) }));
        self.merge(subnet(), json!({ "properties": { "routeTable": table } }));
    }

    /// The routes with all of their fields that were sent.
    pub(super) fn plain_routes(&self) -> Vec<Value> {
        self.table().unwrap()["properties"]["routes"].as_array().unwrap().iter().map(plain).collect()
    }

    /// Names of the routes.
    pub(super) fn names(&self) -> Vec<String> {
        self.plain_routes().iter().map(|route| route["name"].as_str().unwrap().to_owned()).collect()
    }

    /// What was written: method and last part of the path.
    pub(super) fn written(&self) -> Vec<String> {
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        self.server.writes().iter().map(|write| format!("{} {}", write.method, last(&write.path))).collect()
    }

    /// Something differs: the plan says so, apply mends it with this, and nothing is left.
    #[track_caller]
    pub(super) fn mends(&self, written: &[&str]) {
        self.topo(&["plan", "--detailed-exitcode"]).exits(2);
        assert!(self.server.writes().is_empty());
        self.apply();
        assert_eq!(self.written(), written);
        self.settled();
    }

    /// The program in another folder, before the same server.
    pub(super) fn topo_in(&self, folder: &Path, arguments: &[&str]) -> Said {
        self.server.command(Command::ClearLog);
        Said::new(&self.process(arguments).current_dir(folder).output().unwrap())
    }

    /// The state's only entry of a kind: what it settled on.
    pub(super) fn record(&self, kind: &str) -> Option<Value> {
        let state = self.state();
        let places = state["places"].as_object().unwrap();
        let all = places.values().flat_map(|place| place["resources"].as_object().into_iter().flatten());
        let mut found = all.filter(|(id, _)| id.split('/').nth(1) == Some(kind)).map(|(_, record)| record.clone());
        let one = found.next();
        assert!(found.next().is_none(), "several records of {kind}");
        one
    }
}

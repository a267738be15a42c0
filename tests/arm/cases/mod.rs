//! Tests of the server itself.

mod networks;
mod semantics;
mod tapes;
mod trouble;

use serde_json::{Value, json};

use super::seed::{network_path, nic};
use super::{ArmServer, Client, LOCATION, NETWORK, SUBNET, TABLE};

/// The path of the table.
fn table() -> String {
    network_path(&format!("routeTables/{TABLE}"))
}

/// The path of a route of the table.
fn route(name: &str) -> String {
    format!("{}/routes/{name}", table())
}

/// The path of the subnet.
fn subnet() -> String {
    network_path(&format!("virtualNetworks/{NETWORK}/subnets/{SUBNET}"))
}

/// The properties of a route to the pods of a worker.
fn to_worker(number: u8) -> Value {
    json!({
        "addressPrefix": format!("10.200.{number}.0/24"), "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": format!("10.240.0.{}", 20 + number),
    })
}

/// A table with routes to these workers.
fn table_with(workers: &[u8]) -> Value {
    let routes: Vec<Value> = workers
        .iter()
        .map(|number| json!({ "name": format!("worker-{number}"), "properties": to_worker(*number) }))
        .collect();
    json!({ "location": LOCATION, "properties": { "routes": routes } })
}

/// The names of the routes of a table.
fn names(table: &Value) -> Vec<&str> {
    table["properties"]["routes"].as_array().into_iter().flatten().filter_map(|route| route["name"].as_str()).collect()
}

/// A server with a table that has routes to two workers, and a client.
fn with_table() -> (ArmServer, Client) {
    let server = ArmServer::start(2);
    let client = server.client();
    client.put_done(&table(), &table_with(&[0, 1]));
    (server, client)
}

/// The body of the subnet with the table in it.
fn associated(client: &Client) -> Value {
    let mut body = client.get(&subnet()).body;
    body["properties"]["routeTable"] = json!({ "id": table() });
    body
}

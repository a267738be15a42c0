//! The client of Azure Resource Manager against the test server.

#![allow(clippy::unwrap_used)]

mod lists;
mod origins;
mod player;
mod sign_in;
mod tapes;
mod trouble;
mod writes;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use topo::transport::BoxFuture;
use topo::transport::arm::{Arm, ArmError, ArmErrorKind, ArmSettings, SignInError, Token, TokenSource};
use topo::transport::azure::ResourceType;

use crate::arm::{ArmServer, Command, GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE, network_path};

/// Tokens of a test server, a new one after each that was forgotten.
struct Tokens {
    server: Arc<ArmServer>,
    held: Mutex<Option<String>>,
}

impl TokenSource for Tokens {
    fn token<'a>(&'a self, scope: &'a str) -> BoxFuture<'a, Result<Token, SignInError>> {
        assert_eq!(scope, "https://management.azure.com/.default");
        let token = self.held.lock().unwrap().get_or_insert_with(|| self.server.token()).clone();
        Box::pin(async { Ok(Token::new(token, u64::MAX)) })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        *self.held.lock().unwrap() = None;
        Box::pin(async {})
    }
}

/// The settings for a server.
fn settings(server: &ArmServer) -> ArmSettings {
    ArmSettings {
        endpoint: server.endpoint(),
        certificate_authorities: Some(server.authority_file()),
        operation_timeout: Duration::from_secs(30),
        ..ArmSettings::default()
    }
}

/// A server with this many workers that asks for no waiting, and a client.
fn start(workers: u8) -> (Arc<ArmServer>, Arm) {
    start_with(workers, |_| {})
}

/// The same with other settings.
fn start_with(workers: u8, change: impl FnOnce(&mut ArmSettings)) -> (Arc<ArmServer>, Arm) {
    let server = Arc::new(ArmServer::start(workers));
    server.command(Command::RetryAfter { percent: Some(0) });
    let mut settings = settings(&server);
    change(&mut settings);
    let tokens = Tokens { server: Arc::clone(&server), held: Mutex::new(None) };
    let arm = Arm::with_tokens(&settings, Arc::new(tokens)).unwrap();
    (server, arm)
}

/// Runs on a runtime like that of the program: one thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn table() -> String {
    network_path(&format!("routeTables/{TABLE}"))
}

fn network() -> String {
    network_path(&format!("virtualNetworks/{NETWORK}"))
}

fn subnet() -> String {
    format!("{}/subnets/{SUBNET}", network())
}

fn interface(worker: u8) -> String {
    network_path(&format!("networkInterfaces/worker-{worker}-nic"))
}

/// A table with routes to these workers.
fn table_with(workers: &[u8]) -> Value {
    let route = |number: &u8| {
        json!({ "name": format!("worker-{number}"), "properties": {
            "addressPrefix": format!("10.200.{number}.0/24"), "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": format!("10.240.0.{}", 20 + number),
        } })
    };
    json!({ "location": LOCATION, "properties": { "routes": workers.iter().map(route).collect::<Vec<_>>() } })
}

/// The names of the routes of a table, as the server has it.
fn routes(server: &ArmServer) -> Vec<String> {
    let table = server.look(&table()).unwrap();
    let routes = table["properties"]["routes"].as_array().unwrap();
    routes.iter().map(|route| route["name"].as_str().unwrap().to_owned()).collect()
}

/// An error must be a sentence that somebody can act on.
fn check_sentence(error: &ArmError) -> String {
    let text = error.to_string();
    assert!(text.ends_with('.') && (text.starts_with(['T', '`']) || text.starts_with("topo ")), "{text}");
    assert!(!text.ends_with("..") && !text.contains("  ") && !text.contains("Bearer"), "{text}");
    text
}

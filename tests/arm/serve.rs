//! The server for scripts: `tests/judges/serve`, which is
//! `TOPO_ARM_SERVE=FOLDER cargo test --test all -- --ignored --exact arm::serve::serve`.
//!
//! It writes FOLDER/server.json (endpoints, the file of the authority, the identity header) once it answers, and FOLDER/log.json
//! when it ends: upon `POST /control` with `{"command": "stop"}`. `TOPO_ARM_WORKERS` says how many workers there are (3).

use std::path::PathBuf;

use serde_json::json;

use super::server::ArmServer;

#[test]
#[ignore = "a server for scripts, see tests/judges/serve"]
fn serve() {
    let Some(folder) = std::env::var_os("TOPO_ARM_SERVE").map(PathBuf::from) else { return };
    let workers = std::env::var("TOPO_ARM_WORKERS").ok().and_then(|it| it.parse().ok()).unwrap_or(3);
    let mut server = ArmServer::start(workers);
    let authority = folder.join("ca.pem");
    std::fs::copy(server.authority_file(), &authority).expect("ca.pem");
    let [(_, identity), (_, header)] = server.identity_environment();
    let about = json!({
        "endpoint": server.endpoint(), "control": format!("{}/control", server.plain_endpoint()), "authority": authority,
        "identity_endpoint": identity, "identity_header": header, "subscription": super::SUBSCRIPTION, "tenant": super::TENANT,
    });
    // In two steps, so that whoever waits for the file finds all of it.
    std::fs::write(folder.join("server.json.new"), about.to_string()).expect("server.json");
    std::fs::rename(folder.join("server.json.new"), folder.join("server.json")).expect("server.json");
    server.wait();
    server.write_log(&folder.join("log.json"));
}

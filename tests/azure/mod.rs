//! The backend `azure-udr`: the real program against the test server of Azure Resource Manager.

#![allow(clippy::unwrap_used)]

mod adopted;
mod checks;
mod contradictions;
mod drift;
mod failures;
mod forwarding;
mod golden;
mod hands;
mod interrupted;
mod life;
mod owners;
mod partly;
mod reviewed;
mod shapes;
mod together;
mod unseen;

use std::process::{Child, Command as Process, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::arm::{ArmServer, Command, Effect, GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE, network_path};

/// A server, a topology beside it, and the program.
struct Cloud {
    server: ArmServer,
    folder: tempfile::TempDir,
}

/// What the program said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        // Lines are wrapped where they are long.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat(&format!("{} {}", self.out, self.err)).contains(&flat(words)),
            "no `{words}` in:\n{}\n{}",
            self.out,
            self.err
        );
        self
    }

    #[track_caller]
    fn not(self, words: &str) -> Self {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            !flat(&format!("{} {}", self.out, self.err)).contains(&flat(words)),
            "`{words}` in:\n{}\n{}",
            self.out,
            self.err
        );
        self
    }
}

/// The tutorial's cluster with this many workers, and what is to stand in its backend besides.
fn topology(workers: u8, backend: &str) -> String {
    let nodes: Vec<String> = (0..workers)
        .map(|number| {
            format!(
                "worker-{number} = {{ address = \"10.240.0.{}\", pods = [\"10.200.{number}.0/24\"] }}\n",
                20 + number
            )
        })
        .collect();
    format!(
        "[topology]\nname = \"kthw\"\n[nodes]\n{}[backends.azure-udr]\nsubscription = \"{SUBSCRIPTION}\"\nresource_group = \"{GROUP}\"\n\
         location = \"{LOCATION}\"\nroute_table = \"{TABLE}\"\nsubnets = [\"{NETWORK}/{SUBNET}\"]\n{backend}\n",
        nodes.concat()
    )
}

fn await_that(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(Duration::from_secs(60), condition), "waited in vain: {what}");
}

/// Whether a condition comes true in time.
fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let patience = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

impl Cloud {
    /// With this many workers, whose network interfaces forward, and the topology of them all.
    fn start(workers: u8) -> Self {
        let server = ArmServer::start(workers);
        server.command(Command::RetryAfter { percent: Some(0) });
        let cloud = Self { server, folder: tempfile::tempdir().unwrap() };
        for worker in 0..workers {
            cloud.forward(worker, true);
        }
        cloud.write(&topology(workers, ""));
        cloud
    }

    fn write(&self, topology: &str) {
        std::fs::write(self.folder.path().join("topo.toml"), topology).unwrap();
    }

    /// Somebody turns the forwarding of a worker's network interface on or off.
    fn forward(&self, worker: u8, on: bool) {
        let body = json!({ "properties": { "enableIPForwarding": on } });
        self.server.command(Command::Merge { path: interface(worker), body });
    }

    fn process(&self, arguments: &[&str]) -> Process {
        let mut process = Process::new(env!("CARGO_BIN_EXE_topo"));
        process.args(arguments).current_dir(self.folder.path()).env_clear();
        process.envs(self.server.identity_environment());
        process.env("TOPO_AZURE_ENDPOINT", self.server.endpoint());
        process.env("TOPO_AZURE_CERTIFICATE_AUTHORITIES", self.server.authority_file());
        process.env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        process
    }

    fn topo(&self, arguments: &[&str]) -> Said {
        self.server.command(Command::ClearLog);
        Said::new(&self.process(arguments).output().unwrap())
    }

    /// Starts the program and does not wait.
    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut process = self.process(arguments);
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
        process.spawn().unwrap()
    }

    /// Waits until so many requests of this method have arrived whose path contains this.
    fn await_request(&self, method: &str, path: &str, times: usize) {
        await_that(&format!("{times} times {method} {path}"), || self.server.count(method, path) >= times);
    }

    /// Runs the program; somebody acts while one of its requests has arrived and is held: the one of this method and path that
    /// comes after `skip` such ones.
    fn topo_while_held(&self, arguments: &[&str], held: (&str, &str, u32), somebody: impl FnOnce()) -> Said {
        let (method, path, skip) = held;
        self.server.command(Command::ClearLog);
        self.server.command(Effect::Hold.nth(method, path, skip));
        let child = self.spawn(arguments);
        self.await_request(method, path, skip as usize + 1);
        somebody();
        self.server.command(Command::Release);
        Said::new(&child.wait_with_output().unwrap())
    }

    #[track_caller]
    fn apply(&self) -> Said {
        self.topo(&["apply", "-y"]).exits(0)
    }

    /// Nothing is left to do, and that takes so many reads.
    #[track_caller]
    fn settled(&self) {
        let said = self.topo(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(said.out.contains("No changes. Your infrastructure matches the configuration."), "{}", said.out);
        assert!(self.server.writes().is_empty());
    }

    /// Requests that went to Azure Resource Manager since the program started last: reads and writes.
    fn requests(&self) -> (usize, usize) {
        let log = self.server.log();
        let writes = log.iter().filter(|it| it.is_write()).count();
        let polls = |it: &&crate::arm::Exchange| it.concerns("/operations/") || it.concerns("/operationResults/");
        (log.iter().filter(|it| it.service == "arm" && !it.is_write() && !polls(it)).count(), writes)
    }

    fn table(&self) -> Option<Value> {
        self.server.look(&table())
    }

    /// Name, destination, type and address of each route, as the server has them.
    fn routes(&self) -> Vec<String> {
        let table = self.table().unwrap();
        let routes = table["properties"]["routes"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        routes
            .iter()
            .map(|route| {
                let of = &route["properties"];
                format!(
                    "{} {} {} {}",
                    text(&route["name"]),
                    text(&of["addressPrefix"]),
                    text(&of["nextHopType"]),
                    text(&of["nextHopIpAddress"])
                )
            })
            .collect()
    }

    /// The id of the subnet's route table.
    fn association(&self) -> Option<String> {
        self.subnet()["properties"]["routeTable"]["id"].as_str().map(str::to_owned)
    }

    fn subnet(&self) -> Value {
        self.server.look(&subnet()).unwrap()
    }

    /// Somebody changes the table by hand: the list of routes as it is to be.
    fn set_routes(&self, change: impl FnOnce(&mut Vec<Value>)) {
        let mut routes = self.table().unwrap()["properties"]["routes"].as_array().unwrap().clone();
        change(&mut routes);
        self.server.command(Command::Merge { path: table(), body: json!({ "properties": { "routes": routes } }) });
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join("state/kthw.json")).unwrap()).unwrap()
    }
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

/// A route as somebody makes it by hand.
fn route(name: &str, destination: &str, address: &str) -> Value {
    json!({ "name": name, "properties": {
        "addressPrefix": destination, "nextHopType": "VirtualAppliance", "nextHopIpAddress": address,
    } })
}

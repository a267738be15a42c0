//! `topo init --from azure://…` as users run it, against the test server of Azure Resource Manager.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use assert_cmd::Command as Program;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::arm::{
    ArmServer, Command, Effect, GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, compute_path, network_path, nic,
};

/// A server, and a folder `kthw` with nothing in it.
struct Bench {
    server: ArmServer,
    holder: TempDir,
}

impl Bench {
    fn new(workers: u8) -> Self {
        let holder = TempDir::new().unwrap();
        fs::create_dir(holder.path().join("kthw")).unwrap();
        let server = ArmServer::start(workers);
        server.command(Command::RetryAfter { percent: Some(0) });
        Self { server, holder }
    }

    fn file(&self) -> PathBuf {
        self.holder.path().join("kthw/topo.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Runs topo with nothing in its environment but these and a sign-in: standard output, standard error, exit code.
    fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> (String, String, i32) {
        let output = Program::cargo_bin("topo")
            .unwrap()
            .current_dir(self.holder.path().join("kthw"))
            .env_clear()
            .env("HOME", self.holder.path())
            .env("PATH", "/nonexistent")
            .envs(self.server.identity_environment())
            .envs(variables.iter().copied())
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> (String, String, i32) {
        let authorities = self.server.authority_file();
        let variables = [
            // `ssh` has to be there.
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("TOPO_AZURE_ENDPOINT", self.server.endpoint()),
            ("TOPO_AZURE_CERTIFICATE_AUTHORITIES", authorities.to_str().unwrap().to_owned()),
        ];
        self.run_with(&variables.each_ref().map(|(name, value)| (*name, value.as_str())), arguments)
    }

    fn init(&self, more: &[&str]) -> (String, String, i32) {
        let from = from();
        self.run(&[&["init", "--from", &from], more].concat())
    }

    fn put(&self, path: String, body: Value) {
        self.server.command(Command::Put { path, body });
    }

    fn merge(&self, path: String, body: Value) {
        self.server.command(Command::Merge { path, body });
    }

    /// A machine with an interface of this body, and these tags.
    fn machine(&self, name: &str, tags: &Value, interface: Option<Value>) {
        let id = network_path(&format!("networkInterfaces/{name}-nic"));
        let interfaces = if interface.is_some() { json!([{ "id": id }]) } else { json!([]) };
        if let Some(body) = interface {
            self.put(id, body);
        }
        let body = json!({
            "location": LOCATION, "tags": tags, "properties": { "networkProfile": { "networkInterfaces": interfaces } },
        });
        self.put(compute_path(&format!("virtualMachines/{name}")), body);
    }
}

fn from() -> String {
    format!("azure://{SUBSCRIPTION}/{GROUP}")
}

const EXPECTED: &str = r#"
[topology]
name = "kthw"

# The subnets of the virtual network that contain nodes.
[subnets.kubernetes-subnet]
cidr = "10.240.0.0/24"

[nodes]
server   = { address = "10.240.0.10" }
worker-0 = { address = "10.240.0.20", pods = ["10.200.0.0/24"] }
worker-1 = { address = "10.240.0.21", pods = ["10.200.1.0/24"] }

# A route table for these subnets, with a route to the pods of each node.
[backends.azure-udr]
subscription   = "00000000-0000-0000-0000-000000000000"
resource_group = "kubernetes"
location       = "eastus2"
route_table    = "kubernetes-routes"
subnets        = ["kubernetes-vnet/kubernetes-subnet"]
# Turns IP forwarding on if it is off. Without this line, a next hop without IP forwarding is an error.
ip_forwarding  = "enable"

"#;

#[test]
fn a_topology_is_written_of_machines_addresses_and_tags() {
    let bench = Bench::new(2);
    bench.server.command(Command::PageSize { size: 1 });
    bench.machine("server", &json!({ "role": "server" }), Some(nic(10, None)));
    let (out, err, code) = bench.init(&[]);
    assert_eq!(
        (code, err.as_str()),
        (0, "Note: `server` has no tag pod-cidr, and became a node without pods.\n"),
        "{out}"
    );
    assert!(out.starts_with("Wrote topo.toml: 3 nodes, 2 pod subnets. Next: "), "{out}");
    let text = bench.text();
    assert!(text.contains(EXPECTED), "{text}");
    assert!(text.lines().all(|line| line.len() <= 130), "{text}");
    // Machines and interfaces page by page, then one network.
    assert_eq!((bench.server.count("GET", "/subscriptions/"), bench.server.count("GET", "/virtualNetworks/")), (7, 1));
    assert!(bench.server.writes().is_empty());

    let (_, err, code) = bench.init(&[]);
    assert!(code == 1 && err.contains("topo.toml exists already"), "{err}");
    assert!(err.contains(&format!("`topo init --from {} --update`", from())), "{err}");
    assert_eq!(bench.server.count("GET", "/subscriptions/"), 7, "nothing is asked for a file that cannot be written");
}

/// Another network, with a subnet of the same name and a machine in it.
fn add_network(bench: &Bench) {
    let network = network_path("virtualNetworks/other");
    let body = json!({ "location": "westeurope", "properties": {
        "addressSpace": { "addressPrefixes": ["10.250.0.0/16"] },
        "subnets": [{ "name": SUBNET, "properties": { "addressPrefix": "10.250.0.0/24" } }],
    } });
    bench.put(network.clone(), body);
    let subnet = json!({ "id": format!("{network}/subnets/{SUBNET}") });
    let interface = json!({ "location": "westeurope", "properties": { "ipConfigurations": [
        { "name": "c", "properties": { "privateIPAddress": "10.250.0.20", "subnet": subnet } },
    ] } });
    bench.machine("far", &json!({ "pod-cidr": "10.200.50.0/24" }), Some(interface));
}

#[test]
fn what_is_written_is_valid() {
    for (several, backends) in [(false, "backend azure-udr"), (true, "backends azure-kubernetes-vnet, azure-other")] {
        let bench = Bench::new(2);
        if several {
            add_network(&bench);
        }
        assert_eq!(bench.init(&[]).2, 0);
        let (out, err, code) = bench.run(&["validate"]);
        assert_eq!((code, err.as_str()), (0, ""), "{out}{}", bench.text());
        assert!(out.ends_with(&format!(" pod subnets, {backends}.\n")), "{out}");
        // And without what turns IP forwarding on.
        let text = bench.text();
        let enable = "ip_forwarding  = \"enable\"\n";
        assert_eq!(text.matches(enable).count(), if several { 2 } else { 1 }, "{text}");
        fs::write(bench.file(), text.replace(enable, "")).unwrap();
        let (out, err, code) = bench.run(&["validate"]);
        assert_eq!((code, err.as_str()), (0, ""), "{out}{}", bench.text());
    }
}

/// Peers the two networks of [`add_network`], both sides connected.
fn peer(bench: &Bench) {
    for (name, remote, space) in [(NETWORK, "other", "10.250.0.0/16"), ("other", NETWORK, "10.240.0.0/16")] {
        let properties = json!({
            "peeringState": "Connected", "allowVirtualNetworkAccess": true, "allowForwardedTraffic": true,
            "remoteVirtualNetwork": { "id": network_path(&format!("virtualNetworks/{remote}")) },
            "remoteAddressSpace": { "addressPrefixes": [space] },
        });
        let peerings = json!([{ "name": format!("to-{remote}"), "properties": properties }]);
        let body = json!({ "properties": { "virtualNetworkPeerings": peerings } });
        bench.merge(network_path(&format!("virtualNetworks/{name}")), body);
    }
}

#[test]
fn what_is_written_for_peered_networks_works() {
    let bench = Bench::new(2);
    add_network(&bench);
    let running = json!({ "properties": { "instanceView": { "statuses": [{ "code": "PowerState/running" }] } } });
    let far = compute_path("virtualMachines/far");
    bench.merge(far.clone(), running);
    let interface = network_path("networkInterfaces/far-nic");
    bench.merge(interface, json!({ "properties": { "virtualMachine": { "id": far } } }));
    peer(&bench);
    let (out, err, code) = bench.init(&[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let (out, err, code) = bench.run(&["validate"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}{}", bench.text());
    let (out, err, code) = bench.run(&["apply", "-y"]);
    assert_eq!(code, 0, "{out}{err}");
    for confirmed in [
        "kubernetes-subnet: 3 routes are in force (effective routes of worker-0-nic).",
        "kubernetes-subnet: 3 routes are in force (effective routes of far-nic).",
    ] {
        assert!(out.contains(confirmed), "{out}{err}");
    }
    // Each table leads to the pods of both networks.
    for (table, network) in [("kubernetes-vnet-routes", NETWORK), ("other-routes", "other")] {
        let table = network_path(&format!("routeTables/{table}"));
        let live = bench.server.look(&table).unwrap();
        let routes = live["properties"]["routes"].as_array().unwrap().iter();
        let hops: Vec<_> = routes
            .map(|route| (&route["properties"]["addressPrefix"], &route["properties"]["nextHopIpAddress"]))
            .collect();
        let wanted =
            [("10.200.0.0/24", "10.240.0.20"), ("10.200.1.0/24", "10.240.0.21"), ("10.200.50.0/24", "10.250.0.20")];
        assert_eq!(json!(hops), json!(wanted), "{live}");
        let subnet = network_path(&format!("virtualNetworks/{network}/subnets/{SUBNET}"));
        assert_eq!(bench.server.look(&subnet).unwrap()["properties"]["routeTable"]["id"], json!(table));
    }
    let (out, err, code) = bench.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn what_was_left_out_is_named() {
    let bench = Bench::new(1);
    bench.machine("no-nic", &json!({ "pod-cidr": "10.200.9.0/24" }), None);
    bench.machine("bad-tag", &json!({ "podCidr": "10.200.8.1/24" }), Some(nic(8, None)));
    bench.machine("odd name", &json!({ "podCidr": "10.200.7.0/24" }), None);
    let scale_set = compute_path("virtualMachineScaleSets/pool/virtualMachines/0/networkInterfaces/nic");
    bench.put(scale_set, nic(40, None));
    let (out, err, code) = bench.init(&[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        err,
        "\
Warning: Skipped the machine `bad-tag`: its tag `podCidr` is not a list of prefixes: `10.200.8.1/24` has host bits set; the prefix is `10.200.8.0/24`.
Warning: Skipped the machine `no-nic`: it has no network interface.
Warning: Skipped the machine `odd name`: its name is not a valid name of a node. A name starts with a letter or digit, then has letters, digits, `-`, `_` and `.`, at most 63 characters.
Note: topo did not read 1 network interface of the scale set `pool` in the subnet `kubernetes-vnet/kubernetes-subnet`. If it is a node, add it by hand.
"
    );
    assert!(out.starts_with("Wrote topo.toml: 1 node, 1 pod subnet."), "{out}");

    fs::remove_file(bench.file()).unwrap();
    let (out, _, _) = bench.init(&["--json"]);
    let events = crate::events::checked(&out);
    let codes: Vec<_> = events.iter().filter_map(|event| event["code"].as_str()).collect();
    assert_eq!(codes, ["machine_skipped", "machine_skipped", "machine_skipped", "interfaces_not_read"]);
    assert_eq!(events[1]["places"], json!(["bad-tag"]));
}

#[test]
fn two_spellings_that_differ_are_an_error() {
    let bench = Bench::new(2);
    bench.merge(compute_path("virtualMachines/worker-1"), json!({ "tags": { "podCidr": "10.200.7.0/24" } }));
    let (out, err, code) = bench.init(&[]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains("The machine `worker-1` has two different tags for its pods") && err.contains("Hint:"),
        "{err}"
    );
    assert!(!bench.file().exists());
}

#[test]
fn machines_that_contradict_each_other_are_shown() {
    let bench = Bench::new(2);
    bench.merge(compute_path("virtualMachines/worker-1"), json!({ "tags": { "pod-cidr": "10.200.0.0/24" } }));
    let (_, err, code) = bench.init(&[]);
    assert_eq!(code, 1);
    assert!(err.contains("Nodes `worker-0` and `worker-1` have the same pod subnet 10.200.0.0/24."), "{err}");
    assert!(err.contains("topo did not write topo.toml"), "{err}");
    assert!(!bench.file().exists());
}

#[test]
fn both_families_and_several_subnets_are_read() {
    let bench = Bench::new(1);
    let subnet = json!({ "id": network_path(&format!("virtualNetworks/{NETWORK}/subnets/dual")) });
    bench.merge(
        network_path(&format!("virtualNetworks/{NETWORK}")),
        json!({ "properties": { "addressSpace": { "addressPrefixes": ["10.240.0.0/16", "fd00:240::/48"] } } }),
    );
    bench.put(
        network_path(&format!("virtualNetworks/{NETWORK}/subnets/dual")),
        json!({ "properties": { "addressPrefixes": ["10.240.5.0/24", "fd00:240:0:5::/64"] } }),
    );
    let interface = json!({ "location": LOCATION, "properties": { "enableIPForwarding": true, "ipConfigurations": [
        { "name": "v4", "properties": { "privateIPAddress": "10.240.5.20", "primary": true, "subnet": subnet } },
        { "name": "v6", "properties": {
            "privateIPAddress": "fd00:240:0:5::20", "privateIPAddressVersion": "IPv6", "primary": false, "subnet": subnet,
        } },
    ] } });
    bench.machine("dual", &json!({ "pod_cidr": "10.200.5.0/24, fd00:200:5::/64" }), Some(interface));
    let (_, err, code) = bench.init(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (out, err, code) = bench.run(&["validate"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let text = bench.text();
    for part in [
        "[subnets.dual]\ncidr = [\"10.240.5.0/24\", \"fd00:240:0:5::/64\"]\n",
        "dual     = { address = [\"10.240.5.20\", \"fd00:240:0:5::20\"], pods = [\"10.200.5.0/24\", \"fd00:200:5::/64\"] }\n",
        &format!("subnets        = [\"{NETWORK}/{SUBNET}\", \"{NETWORK}/dual\"]\n"),
        "ip_forwarding  = \"enable\"\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn update_rewrites_the_nodes_of_azure_and_keeps_others() {
    let bench = Bench::new(2);
    let before = "\
[topology]
name = \"k\" # kept

[nodes]
outside  = { address = \"192.168.0.7\", pods = [\"10.201.0.0/24\"] }
gone     = { address = \"10.240.0.98\" }
bad-tag  = { address = \"10.240.0.8\", pods = [\"10.200.8.0/24\"] }
worker-0 = { address = \"10.240.0.99\", interface = \"eth0\" }
[backends.ssh-static]
";
    fs::write(bench.file(), before).unwrap();
    bench.machine("bad-tag", &json!({ "podCidr": "x" }), Some(nic(8, None)));
    let (out, err, code) = bench.init(&["--update"]);
    assert_eq!(code, 0, "{err}{out}");
    assert!(err.contains("Note: Kept `outside`, `bad-tag`: the source does not say anything about them."), "{err}");
    assert!(err.contains("Warning: Skipped the machine `bad-tag`"), "{err}");
    let expected = before
        .replace("gone     = { address = \"10.240.0.98\" }\n", "")
        .replace(
            "10.240.0.99\", interface = \"eth0\" }",
            "10.240.0.20\", interface = \"eth0\" , pods = [\"10.200.0.0/24\"] }",
        )
        .replace("[backends", "worker-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }\n[backends");
    assert_eq!(bench.text(), expected);
    assert!(out.ends_with("Rewrote [nodes] of topo.toml: 1 added, 1 changed, 1 removed.\n"), "{out}");
    let (out, _, code) = bench.init(&["--update"]);
    assert_eq!((code, out.as_str()), (0, "topo.toml has these nodes already. topo did not change it.\n"));
}

#[test]
fn the_operators_file_says_where_azure_is() {
    let bench = Bench::new(1);
    let folder = bench.holder.path().join(".config/topo");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(bench.server.authority_file(), folder.join("ca.pem")).unwrap();
    let file = folder.join("config.toml");
    let text = format!("[azure]\nendpoint = \"{}\"\ncertificate_authorities = \"ca.pem\"\n", bench.server.endpoint());
    fs::write(&file, &text).unwrap();
    let from = from();
    let init = ["init", "--from", from.as_str()];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let (_, err, code) = bench.run_with(&[], &init);
    assert!(code == 1 && err.contains("can write to the configuration") && err.contains("config.toml"), "{err}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (_, err, code) = bench.run_with(&[("TOPO_AZURE_CLOUD", "moon")], &init);
    assert!(code == 1 && err.contains("TOPO_AZURE_CLOUD is `moon`"), "{err}");
    assert!(bench.server.log().is_empty());
    let (out, err, code) = bench.run_with(&[], &init);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

#[test]
fn what_azure_refuses_is_told() {
    let bench = Bench::new(1);
    bench.server.command(Effect::Forbid.next("GET", "/virtualNetworks/"));
    let (_, err, code) = bench.init(&[]);
    assert!(code == 1 && err.contains("Microsoft.Network/virtualNetworks/read"), "{err}");
    let nowhere = format!("azure://{SUBSCRIPTION}/nowhere");
    let (_, err, code) = bench.run(&["init", "--from", &nowhere]);
    assert!(code == 1 && err.contains("resource group nowhere"), "{err}");
    let (_, err, code) = bench.run(&["init", "--from", "azure://my-subscription/x"]);
    assert!(code == 1 && err.contains("az account show"), "{err}");
    let empty = Bench::new(0);
    let (_, err, code) = empty.init(&[]);
    assert!(code == 1 && err.contains("No virtual machine of the resource group kubernetes can be a node"), "{err}");
    assert!(!bench.file().exists() && !empty.file().exists());
}

#[test]
fn the_help_says_where_azure_comes_from() {
    let bench = Bench::new(0);
    for arguments in [["plan", "--help"], ["apply", "--help"], ["init", "--help"], ["man", "plan"]] {
        let (out, _, code) = bench.run(&arguments);
        assert!(code == 0 && out.contains("~/.config/topo/config.toml") && out.contains("TOPO_CONFIG"), "{out}");
    }
}

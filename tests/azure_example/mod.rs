//! `examples/azure`: its topology, and its role against what the real program asks of Azure.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

use serde_json::{Value, json};

use crate::arm::{
    ArmServer, Command, Effect, Exchange, Fault, GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE, compute_path,
    network_path, nic,
};

/// The action that Azure asks for, by method and resource type. Types are those of *Azure permissions for Networking* and
/// *… for Compute*; a list and a single resource have the same action.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("GET", "Microsoft.Network/routeTables", "Microsoft.Network/routeTables/read"),
    ("PUT", "Microsoft.Network/routeTables", "Microsoft.Network/routeTables/write"),
    ("DELETE", "Microsoft.Network/routeTables", "Microsoft.Network/routeTables/delete"),
    ("GET", "Microsoft.Network/virtualNetworks", "Microsoft.Network/virtualNetworks/read"),
    ("GET", "Microsoft.Network/virtualNetworks/subnets", "Microsoft.Network/virtualNetworks/subnets/read"),
    ("PUT", "Microsoft.Network/virtualNetworks/subnets", "Microsoft.Network/virtualNetworks/subnets/write"),
    ("GET", "Microsoft.Network/networkInterfaces", "Microsoft.Network/networkInterfaces/read"),
    ("PUT", "Microsoft.Network/networkInterfaces", "Microsoft.Network/networkInterfaces/write"),
    (
        "POST",
        "Microsoft.Network/networkInterfaces/effectiveRouteTable",
        "Microsoft.Network/networkInterfaces/effectiveRouteTable/action",
    ),
    ("GET", "Microsoft.Network/locations/usages", "Microsoft.Network/locations/usages/read"),
    ("GET", "Microsoft.Network/locations/operations", "Microsoft.Network/locations/operations/read"),
    ("GET", "Microsoft.Network/locations/operationResults", "Microsoft.Network/locations/operationResults/read"),
    ("GET", "Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachines/read"),
    (
        "GET",
        "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces",
        "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
    ),
];

/// The action that Azure asks for on what the body of a PUT refers to ("linked" access), by the type that is written and the field.
/// None: Azure sets the field itself, and ignores it in a body.
const LINKS: &[(&str, &str, Option<&str>)] = &[
    ("Microsoft.Network/virtualNetworks/subnets", "routeTable", Some("Microsoft.Network/routeTables/join/action")),
    (
        "Microsoft.Network/virtualNetworks/subnets",
        "networkSecurityGroup",
        Some("Microsoft.Network/networkSecurityGroups/join/action"),
    ),
    ("Microsoft.Network/virtualNetworks/subnets", "ipConfigurations", None),
    ("Microsoft.Network/networkInterfaces", "subnet", Some("Microsoft.Network/virtualNetworks/subnets/join/action")),
    ("Microsoft.Network/networkInterfaces", "virtualMachine", None),
    ("Microsoft.Network/networkInterfaces", "ipConfigurations", None),
    ("Microsoft.Network/routeTables", "routes", None),
    ("Microsoft.Network/routeTables", "subnets", None),
];

/// The resource type that a path is about: what stands after the last `providers`, without names.
fn resource_type(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let start = parts.iter().rposition(|part| part.eq_ignore_ascii_case("providers"))? + 1;
    let (provider, rest) = parts.get(start..)?.split_first()?;
    Some([*provider].into_iter().chain(rest.iter().copied().step_by(2)).collect::<Vec<_>>().join("/"))
}

/// The fields of a body whose values name another resource, with that resource's id. A list's values belong to the list's field.
fn links<'a>(field: &'a str, value: &'a Value, all: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| links(field, value, all)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "id") {
                    Some(id) => all.push((field, id)),
                    None => links(name, value, all),
                }
            }
        }
        _ => {}
    }
}

/// The actions that a request needs.
fn actions_of(exchange: &Exchange) -> Vec<&'static str> {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let (method, path) = (exchange.method.as_str(), exchange.path.as_str());
    let kind = resource_type(path).unwrap_or_else(|| panic!("{method} {path} is about nothing that is known"));
    let action = ACTIONS.iter().find(|(of, about, _)| same(of, method) && same(about, &kind));
    let action =
        action.unwrap_or_else(|| panic!("{method} {kind} is a new kind of request: which action does it need?"));
    let mut all = vec![action.2];
    let mut linked = Vec::new();
    let body = exchange.request_body.clone().unwrap_or_default();
    links("", &body, &mut linked);
    for (field, id) in linked {
        // Itself.
        if same(id, path) {
            continue;
        }
        let link = LINKS.iter().find(|(of, name, _)| same(of, &kind) && *name == field);
        let link =
            link.unwrap_or_else(|| panic!("{method} {kind} refers to {id} in `{field}`: which action does that need?"));
        all.extend(link.2);
    }
    all
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/azure").join(name)
}

fn role() -> Value {
    serde_json::from_slice(&fs::read(example("role.json")).unwrap()).unwrap()
}

fn role_actions() -> BTreeSet<String> {
    role()["Actions"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// The example's topology without its backends on machines, and the test server, with a scale set in the subnet.
struct Bench {
    server: ArmServer,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let server = ArmServer::start(2);
        server.command(Command::RetryAfter { percent: Some(0) });
        let set = compute_path("virtualMachineScaleSets/others/virtualMachines/0/networkInterfaces/others-nic");
        server.command(Command::Put { path: set, body: nic(50, None) });
        let folder = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(example("topo.toml")).unwrap();
        let azure = text.split("[backends.ssh-static]").next().unwrap();
        assert!(azure.contains("[backends.azure-udr]") && azure.len() < text.len());
        fs::write(folder.path().join("topo.toml"), azure).unwrap();
        Self { server, folder }
    }

    /// Writes another line in place of the one that sets this key, or none.
    fn edit(&self, key: &str, line: Option<&str>) {
        let path = self.folder.path().join("topo.toml");
        let text = fs::read_to_string(&path).unwrap();
        let sets = |it: &&str| it.split('=').next().unwrap().trim() == key;
        assert_eq!(text.lines().filter(sets).count(), 1, "{key}");
        let lines = text.lines().filter_map(|it| if sets(&it) { line } else { Some(it) });
        fs::write(path, lines.flat_map(|it| [it, "\n"]).collect::<String>()).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut process = Process::new(env!("CARGO_BIN_EXE_topo"));
        process.args(arguments).current_dir(self.folder.path()).env_clear().envs(self.server.identity_environment());
        process.env("TOPO_AZURE_ENDPOINT", self.server.endpoint());
        process.env("TOPO_AZURE_CERTIFICATE_AUTHORITIES", self.server.authority_file());
        process.env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        process.output().unwrap()
    }

    /// Its standard output.
    #[track_caller]
    fn topo(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "topo {}\n{out}\n{err}", arguments.join(" "));
        out.into_owned()
    }

    /// From now on the login may not do this.
    fn forbid(&self, method: &str, path: &str) {
        let (method, path) = (Some(method.to_owned()), Some(path.to_owned()));
        self.server.command(Command::Fault(Fault { method, path, skip: 0, times: u32::MAX, effect: Effect::Forbid }));
    }

    fn table(&self) -> Option<Value> {
        self.server.look(&network_path(&format!("routeTables/{TABLE}")))
    }

    #[track_caller]
    fn has_all_routes(&self) {
        let table = self.table().unwrap();
        let routes = table["properties"]["routes"].as_array().unwrap().iter();
        let hops: BTreeMap<&str, (&str, &str)> = routes
            .map(|route| {
                let of = |field: &str| route["properties"][field].as_str().unwrap_or_default();
                (of("addressPrefix"), (of("nextHopType"), of("nextHopIpAddress")))
            })
            .collect();
        let wanted = [
            ("10.200.0.0/24", ("VirtualAppliance", "10.240.0.20")),
            ("10.200.1.0/24", ("VirtualAppliance", "10.240.0.21")),
            ("10.200.9.0/24", ("VirtualNetworkGateway", "")),
        ];
        assert_eq!(hops, wanted.into());
    }
}

#[test]
fn the_topology_is_valid_without_a_warning() {
    let mut process = Process::new(env!("CARGO_BIN_EXE_topo"));
    let output = process.env_clear().arg("validate").arg(example("topo.toml")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("backends azure-udr, netplan, ssh-static"), "{said}");
}

#[test]
fn the_role_is_one_that_az_takes_and_the_readme_explains_all_of_it() {
    let role = role();
    let keys: BTreeSet<&str> = role.as_object().unwrap().keys().map(String::as_str).collect();
    let known = [
        "Actions",
        "AssignableScopes",
        "DataActions",
        "Description",
        "IsCustom",
        "Name",
        "NotActions",
        "NotDataActions",
    ];
    assert_eq!(keys, known.into());
    assert_eq!(role["IsCustom"], true);
    assert_eq!(role["AssignableScopes"], json!([format!("/subscriptions/{SUBSCRIPTION}")]));
    assert_eq!(role["Actions"].as_array().unwrap().len(), role_actions().len(), "one of the actions is there twice");
    let readme = fs::read_to_string(example("README.md")).unwrap();
    for action in role_actions() {
        assert!(!action.contains('*'), "{action}");
        let provider = action.split_once('/').unwrap().1;
        assert!(readme.contains(&format!("`{provider}`")), "the README does not say what {action} is for");
    }
}

#[test]
fn the_role_has_the_actions_that_the_program_needs_and_no_others() {
    let bench = Bench::new();
    bench.topo(0, &["init", "--from", &format!("azure://{SUBSCRIPTION}/{GROUP}"), "--update"]);
    bench.topo(0, &["plan"]);
    bench.topo(0, &["apply", "-y"]);
    bench.has_all_routes();
    let route = network_path(&format!("routeTables/{TABLE}/routes/kubernetes-route-10-200-1-0-24"));
    bench.server.command(Command::Delete { path: route });
    bench.topo(2, &["plan", "--detailed-exitcode"]);
    bench.topo(0, &["apply", "-y"]);
    let subnet = network_path(&format!("virtualNetworks/{NETWORK}/subnets/{SUBNET}"));
    bench.server.command(Command::Merge { path: subnet, body: json!({ "properties": { "routeTable": null } }) });
    bench.topo(0, &["apply", "-y"]);
    bench.topo(0, &["destroy", "-y", "--revert-forwarding"]);

    let mut needed: BTreeMap<&str, String> = BTreeMap::new();
    let log = bench.server.log();
    for exchange in log.iter().filter(|exchange| exchange.service == "arm") {
        for action in actions_of(exchange) {
            needed.entry(action).or_insert_with(|| format!("{} {}", exchange.method, exchange.path));
        }
    }
    let given = role_actions();
    let missing: Vec<_> = needed.iter().filter(|(action, _)| !given.contains(**action)).collect();
    assert!(missing.is_empty(), "not in role.json: {missing:#?}");
    let idle: Vec<_> = given.iter().filter(|action| !needed.contains_key(action.as_str())).collect();
    assert!(idle.is_empty(), "in role.json, and not needed: {idle:#?}");
}

#[test]
fn what_the_readme_says_can_be_left_out_can() {
    let bench = Bench::new();
    for worker in 0..2 {
        let path = network_path(&format!("networkInterfaces/worker-{worker}-nic"));
        bench.server.command(Command::Merge { path, body: json!({ "properties": { "enableIPForwarding": true } }) });
    }
    bench.edit("ip_forwarding", None);
    for (method, path) in [
        ("POST", "/effectiveRouteTable"),
        ("GET", "/usages"),
        ("GET", "/networkInterfaces"),
        ("PUT", "/networkInterfaces"),
        ("GET", "/virtualMachines"),
        ("GET", "/virtualMachineScaleSets"),
    ] {
        bench.forbid(method, path);
    }
    let said = bench.topo(0, &["apply", "-y"]);
    assert!(said.contains("cannot be verified"), "{said}");
    bench.has_all_routes();
    bench.topo(0, &["plan", "--detailed-exitcode"]);
    bench.topo(0, &["destroy", "-y"]);
    assert!(bench.table().is_none());
}

#[test]
fn a_table_that_terraform_makes_and_associates_needs_the_right_to_read_and_write_it() {
    let bench = Bench::new();
    let route = json!({ "name": "to-firewall", "properties": {
        "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.240.0.4",
    } });
    bench.server.command(Command::Put {
        path: network_path(&format!("routeTables/{TABLE}")),
        body: json!({ "location": LOCATION, "tags": { "by": "terraform" }, "properties": { "routes": [route] } }),
    });
    bench.edit("route_table", Some("route_table = \"kubernetes-routes\"\nmanage_table = false"));
    bench.edit("subnets", Some("nodes = [\"worker-*\"]"));
    for (method, path) in [("DELETE", "/routeTables"), ("GET", "/virtualNetworks"), ("PUT", "/virtualNetworks")] {
        bench.forbid(method, path);
    }
    bench.topo(0, &["apply", "-y"]);
    let table = bench.table().unwrap();
    assert_eq!(table["properties"]["routes"].as_array().unwrap().len(), 3, "{table}");
    assert_eq!(table["tags"], json!({ "by": "terraform" }));
    bench.topo(0, &["plan", "--detailed-exitcode"]);
    bench.topo(0, &["destroy", "-y"]);
    let table = bench.table().unwrap();
    assert_eq!(table["properties"]["routes"][0]["name"], "to-firewall", "{table}");
    assert_eq!(table["properties"]["routes"].as_array().unwrap().len(), 1, "{table}");
}

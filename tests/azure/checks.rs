//! What is checked before anything is written.

use super::hands::{backend_table, topology_of};
use super::*;
use crate::arm::{Fault, compute_path};

const OFFICE: (&str, &str) = ("office", "address = \"192.168.1.5\", pods = [\"10.201.0.0/24\"]");
pub(super) const WORKER: (&str, &str) = ("worker-0", "address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"]");

pub(super) fn forbid(path: &str) -> Command {
    Command::Fault(Fault {
        method: Some("GET".to_owned()),
        path: Some(path.to_owned()),
        skip: 0,
        times: 1000,
        effect: Effect::Forbid,
    })
}

/// Plan and apply refuse, both with these words, and nothing is written.
#[track_caller]
pub(super) fn refused(cloud: &Cloud, words: &[&str]) {
    for command in [&["plan"][..], &["apply", "-y"]] {
        let said = cloud.topo(command).exits(1);
        words.iter().fold(said, |said, words| said.says(words));
        assert_eq!(cloud.written(), [""; 0]);
    }
}

/// Nodes that are outside of no network, one pod subnet each.
fn many(number: u16) -> String {
    let nodes: Vec<(String, String)> = (0..number)
        .map(|at| {
            let (high, low) = (at / 200, at % 200);
            (
                format!("node-{at}"),
                format!("address = \"10.240.{}.{}\", pods = [\"10.{}.{low}.0/24\"]", 1 + high, 10 + low, 100 + high),
            )
        })
        .collect();
    let nodes: Vec<(&str, &str)> = nodes.iter().map(|(name, keys)| (name.as_str(), keys.as_str())).collect();
    topology_of("kthw", &nodes, "")
}

#[test]
fn more_routes_than_azure_allows_are_refused() {
    let cloud = Cloud::start(3);
    cloud.server.command(Command::Limits { routes: Some(2), tables: None });
    refused(&cloud, &["would have 3 routes, but it can hold only 2 (Azure's limit"]);
    cloud.write(&topology(2, ""));
    cloud.apply();
    // Those of others count.
    cloud.server.command(Command::Limits { routes: Some(3), tables: None });
    cloud.set_routes(|routes| routes.push(route("theirs", "10.9.0.0/24", "10.240.0.99")));
    cloud.write(&topology(3, ""));
    refused(&cloud, &["would have 4 routes, but it can hold only 3"]);
    // Fewer than before are never too many.
    cloud.server.command(Command::Limits { routes: Some(1), tables: None });
    cloud.write(&topology(1, ""));
    cloud.server.command(Command::Limits { routes: Some(400), tables: None });
    cloud.apply();
}

#[test]
fn where_the_limit_cannot_be_read_it_is_the_usual_one() {
    let cloud = Cloud::start(1);
    cloud.server.command(forbid("/usages"));
    cloud.write(&many(401));
    refused(&cloud, &["would have 401 routes, but it can hold only 400", "could not be read"]);
    cloud.write(&many(400));
    cloud.apply();
    // A table that grew beyond it while the limit was known is still made smaller, and kept.
    cloud.server.command(Command::Limits { routes: Some(1000), tables: None });
    cloud.server.command(Command::ClearFaults);
    cloud.write(&many(403));
    cloud.apply();
    cloud.server.command(forbid("/usages"));
    cloud.write(&many(402));
    cloud.apply();
    assert_eq!(cloud.routes().len(), 402);
    cloud.set_routes(|routes| routes[7]["properties"]["nextHopIpAddress"] = json!("10.240.0.99"));
    cloud.mends(&[&format!("PUT {TABLE}")]);
    cloud.write(&many(403));
    refused(&cloud, &["would have 403 routes, but it can hold only 400"]);
}

#[test]
fn a_table_elsewhere_is_refused() {
    let cloud = Cloud::start(1);
    cloud.make("routeTables", TABLE, json!({ "location": "westus", "properties": {} }));
    refused(&cloud, &["The route table kubernetes-routes is in westus", "location = \"eastus2\""]);
}

#[test]
fn regions_are_compared_as_azure_spells_them() {
    let cloud = Cloud::start(1);
    cloud.merge(network(), json!({ "location": "East US 2" }));
    cloud.make("routeTables", TABLE, json!({ "location": "East US 2", "properties": {} }));
    cloud.apply();
    cloud.settled();
}

#[test]
fn a_network_in_another_region_is_refused() {
    let cloud = Cloud::start(1);
    let subnets = json!([{ "name": "one", "properties": { "addressPrefix": "10.240.0.0/24" } }]);
    let properties = json!({ "addressSpace": { "addressPrefixes": ["10.240.0.0/16"] }, "subnets": subnets });
    cloud.make("virtualNetworks", "west-vnet", json!({ "location": "westus", "properties": properties }));
    cloud.write(&format!(
        "[topology]\nname = \"kthw\"\n[nodes]\n{} = {{ {} }}\n{}",
        WORKER.0,
        WORKER.1,
        backend_table("azure-udr", TABLE, "west-vnet/one")
    ));
    refused(&cloud, &["The virtual network west-vnet is in westus", "Both must be in one region"]);
}

#[test]
fn a_node_outside_is_refused_unless_the_backend_says_what_to_do() {
    let cloud = Cloud::start(1);
    cloud.write(&topology_of("kthw", &[OFFICE, WORKER], ""));
    refused(&cloud, &["office (192.168.1.5)", "10.240.0.0/16", "outside = \"skip\"", "virtual-network-gateway"]);
    cloud.write(&topology_of("kthw", &[OFFICE, WORKER], "outside = \"skip\""));
    cloud.topo(&["apply", "-y"]).exits(0).says("office (192.168.1.5)");
    assert_eq!(cloud.routes(), ["kubernetes-route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.20"]);
    cloud.settled();
    assert_eq!(cloud.requests(), (2, 0), "what is inside is on record");
    cloud.write(&topology_of("kthw", &[OFFICE, WORKER], "outside = \"virtual-network-gateway\""));
    cloud.mends(&[&format!("PUT {TABLE}")]);
    assert_eq!(
        cloud.routes(),
        [
            "kubernetes-route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.20",
            "kubernetes-route-10-201-0-0-24 10.201.0.0/24 VirtualNetworkGateway -",
        ]
    );
    // Back again.
    cloud.write(&topology_of("kthw", &[OFFICE, WORKER], "outside = \"skip\""));
    cloud.mends(&[&format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes().len(), 1);
    // And an error again, where nothing but that has changed.
    cloud.write(&topology_of("kthw", &[OFFICE, WORKER], ""));
    refused(&cloud, &["office (192.168.1.5)"]);
}

#[test]
fn a_node_that_comes_outside_later_is_refused() {
    let cloud = Cloud::start(1);
    cloud.apply();
    cloud.write(&topology_of("kthw", &[OFFICE, WORKER], ""));
    refused(&cloud, &["office (192.168.1.5)"]);
}

#[test]
fn a_network_that_grew_takes_in_a_node() {
    let cloud = Cloud::start(1);
    cloud.apply();
    cloud.merge(
        network(),
        json!({ "properties": { "addressSpace": { "addressPrefixes": ["10.240.0.0/16", "192.168.0.0/16"] } } }),
    );
    cloud.write(&topology_of("kthw", &[OFFICE, WORKER], ""));
    cloud.mends(&[&format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes().len(), 2);
}

#[test]
fn what_is_not_there_is_named() {
    let cloud = Cloud::start(1);
    let with = |subnets: &str| {
        format!(
            "[topology]\nname = \"kthw\"\n[nodes]\n{} = {{ {} }}\n{}",
            WORKER.0,
            WORKER.1,
            backend_table("azure-udr", TABLE, subnets)
        )
    };
    cloud.write(&with(&format!("{NETWORK}/no-subnet")));
    refused(&cloud, &["There is no subnet kubernetes-vnet/no-subnet"]);
    // A place that answers without the thing is not one that could not be looked at.
    cloud.write(&with("no-vnet/no-subnet"));
    let words = format!(
        "There is no virtual network no-vnet in the resource group {GROUP} of the subscription {SUBSCRIPTION}."
    );
    refused(&cloud, &[&words, "`resource_group`"]);
    cloud.topo(&["plan"]).not("The subnet no-vnet/no-subnet");
    // One of another group.
    cloud.write(&with("net/shared-vnet/one"));
    refused(&cloud, &["There is no virtual network shared-vnet in the resource group net of"]);
    // A group that is not there.
    let text = topology(1, "").replace(&format!("\"{GROUP}\""), "\"nowhere\"");
    cloud.write(&text);
    let said = cloud.topo(&["apply", "-y"]);
    assert_ne!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(cloud.written(), [""; 0]);
}

/// How often something is said.
#[track_caller]
pub(super) fn said_once(said: &Said, words: &str) {
    let text = format!("{} {}", said.out, said.err).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(text.matches(words).count(), 1, "`{words}` in:\n{}\n{}", said.out, said.err);
}

#[test]
fn that_nobody_is_signed_in_is_said_once() {
    let cloud = Cloud::start(2);
    let other = format!("{}/subnets/other", network());
    let body = json!({ "properties": { "addressPrefix": "10.240.7.0/24" } });
    cloud.server.command(Command::Put { path: other, body });
    let subnets = format!("\"{NETWORK}/{SUBNET}\", \"{NETWORK}/other\"");
    cloud.write(&topology(2, "").replace(&format!("\"{NETWORK}/{SUBNET}\""), &subnets));
    // With nothing recorded, and with everything.
    for applied in [false, true] {
        if applied {
            cloud.apply();
        }
        for command in [&["plan"][..], &["apply", "-y"]] {
            let mut process = cloud.process(command);
            process.env_remove("IDENTITY_ENDPOINT").env_remove("IDENTITY_HEADER");
            let said = Said::new(&process.output().unwrap());
            assert!(said.code != 0 || command == ["plan"], "{}\n{}", said.out, said.err);
            said_once(&said, "obody is signed in to Azure");
            said_once(&said, "topo could not look at kubernetes-routes, kubernetes-vnet,");
        }
    }
    assert_eq!(cloud.routes().len(), 2);
}

#[test]
fn a_refused_sign_in_leaves_no_line_of_a_log() {
    let cloud = Cloud::start(1);
    let description = "AADSTS7000222: The provided client secret keys for app 'client' are expired.".to_owned();
    cloud.server.command(Command::RefuseSignIn { error: "invalid_client".to_owned(), description });
    let said = |arguments: &[&str]| {
        let mut process = cloud.process(arguments);
        process.env_remove("IDENTITY_ENDPOINT").env_remove("IDENTITY_HEADER");
        process.env("AZURE_AUTHORITY_HOST", cloud.server.endpoint());
        process.envs([("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "hidden")]);
        Said::new(&process.output().unwrap()).says("AADSTS7000222").not("hidden")
    };
    let levels = [" ERROR ", " WARN ", " INFO ", "DEBUG "];
    let is_of_log = |line: &&str| levels.iter().any(|level| line.contains(level));
    let quiet = said(&["plan"]).err;
    assert_eq!(quiet.lines().find(is_of_log), None, "{quiet}");
    let loud = said(&["-vv", "plan"]).err;
    assert!(loud.lines().any(|line| is_of_log(&line)), "{loud}");
}

#[test]
fn that_the_endpoint_does_not_answer_is_said_once() {
    let cloud = Cloud::start(1);
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for command in [&["plan"][..], &["apply", "-y"]] {
        let mut process = cloud.process(command);
        process.env("TOPO_AZURE_ENDPOINT", format!("https://127.0.0.1:{port}"));
        let said = Said::new(&process.output().unwrap());
        assert!(said.code != 0 || command == ["plan"], "{}\n{}", said.out, said.err);
        said_once(&said, &format!("https://127.0.0.1:{port}"));
    }
}

#[test]
fn an_address_that_nothing_has_is_answered_with_one_of_azure() {
    let cloud = Cloud::start(1);
    let said =
        cloud.topo(&["plan", "--target", "worker-9"]).exits(1).says("--target worker-9: there is no such address.");
    said.says("Addresses look like azure_route.kubernetes-routes, ").says("with [\"ROW\"] at the end for a single row");
}

/// Somebody stops a machine.
fn stop(cloud: &Cloud, worker: u8) {
    let statuses = json!([
        { "code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded" },
        { "code": "PowerState/deallocated", "level": "Info", "displayStatus": "VM deallocated" },
    ]);
    let path = compute_path(&format!("virtualMachines/worker-{worker}"));
    cloud.merge(path, json!({ "properties": { "instanceView": { "statuses": statuses } } }));
}

#[test]
fn effective_routes_are_looked_at_where_a_machine_runs() {
    let cloud = Cloud::start(2);
    cloud.topo(&["apply", "-y"]).exits(0).says("2 routes are in force (effective routes of worker-0-nic)");
    let cloud = Cloud::start(2);
    stop(&cloud, 0);
    cloud.topo(&["apply", "-y"]).exits(0).says("2 routes are in force (effective routes of worker-1-nic)");
    let cloud = Cloud::start(2);
    stop(&cloud, 0);
    stop(&cloud, 1);
    cloud.topo(&["apply", "-y"]).exits(0).says("cannot be verified: VM stopped");
    cloud.settled();
}

#[test]
fn a_scale_set_is_looked_into() {
    let cloud = Cloud::start(1);
    let of_set = compute_path("virtualMachineScaleSets/pool/virtualMachines/0/networkInterfaces/pool-nic");
    let mut body = crate::arm::nic(40, None);
    body["properties"]["enableIPForwarding"] = json!(true);
    cloud.server.command(Command::Put { path: of_set.clone(), body: body.clone() });
    cloud.write(&topology_of(
        "kthw",
        &[WORKER, ("pool", "address = \"10.240.0.40\", pods = [\"10.200.40.0/24\"]")],
        "",
    ));
    cloud.topo(&["plan"]).exits(0).not("cannot be verified");
    for backend in ["", "ip_forwarding = \"enable\""] {
        body["properties"]["enableIPForwarding"] = json!(false);
        cloud.server.command(Command::Put { path: of_set.clone(), body: body.clone() });
        let nodes = [WORKER, ("pool", "address = \"10.240.0.40\", pods = [\"10.200.40.0/24\"]")];
        cloud.write(&topology_of("kthw", &nodes, backend));
        refused(&cloud, &["10.240.0.40", "scale set pool", "az vmss update --ids", "az vmss update-instances"]);
    }
}

#[test]
fn one_list_that_cannot_be_read_hides_no_other() {
    let cloud = Cloud::start(1);
    cloud.forward(0, false);
    let of_set = compute_path("virtualMachineScaleSets/pool/virtualMachines/0/networkInterfaces/pool-nic");
    cloud.server.command(Command::Put { path: of_set, body: crate::arm::nic(40, None) });
    cloud.write(&topology(1, "ip_forwarding = \"enable\""));
    cloud.server.command(forbid("/virtualMachineScaleSets"));
    cloud.apply().says("Plan: 3 to add, 1 to change, 0 to destroy.");
    assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], json!(true));
}

#[test]
fn what_may_not_be_read_is_not_written() {
    let cloud = Cloud::start(1);
    cloud.server.command(forbid("/routeTables"));
    let said = cloud.topo(&["apply", "-y"]);
    assert_ne!(said.code, 0, "{}{}", said.out, said.err);
    said.says("Microsoft.Network/routeTables/read");
    assert_eq!(cloud.association(), None);
    cloud.topo(&["plan", "--detailed-exitcode"]).says("Microsoft.Network/routeTables/read");
    cloud.server.command(Command::ClearFaults);
    cloud.apply();
    cloud.settled();
    cloud.server.command(forbid("/subnets"));
    cloud.topo(&["plan", "--detailed-exitcode"]).exits(5).says("Microsoft.Network/virtualNetworks/subnets/read");
    cloud.server.command(Command::ClearFaults);
    cloud.server.command(forbid("/virtualNetworks/kubernetes-vnet"));
    cloud.write(&topology_of(
        "kthw",
        &[WORKER, ("worker-9", "address = \"10.240.0.29\", pods = [\"10.200.9.0/24\"]")],
        "",
    ));
    let said = cloud.topo(&["apply", "-y"]);
    assert_ne!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(cloud.routes().len(), 1, "nobody knows what is inside");
}

//! Topologies of other shapes and sizes, other names, and parts of a plan.

use std::time::Instant;

use super::hands::{backend_table, topology_of};
use super::*;

fn put_table() -> String {
    format!("PUT {TABLE}")
}

fn put_subnet() -> String {
    format!("PUT {SUBNET}")
}

fn big(number: usize) -> String {
    let nodes: Vec<(String, String)> = (0..number)
        .map(|at| {
            let (high, low) = (at / 200, at % 200);
            let keys =
                format!("address = \"10.240.{}.{}\", pods = [\"10.{}.{low}.0/24\"]", 1 + high, 10 + low, 100 + high);
            (format!("node-{at}"), keys)
        })
        .collect();
    let nodes: Vec<(&str, &str)> = nodes.iter().map(|(name, keys)| (name.as_str(), keys.as_str())).collect();
    topology_of("kthw", &nodes, "")
}

#[test]
#[allow(clippy::print_stdout, reason = "the figures are what it is about")]
fn four_hundred_routes_take_three_writes_at_most_and_no_change_three_reads() {
    let cloud = Cloud::start(1);
    cloud.write(&big(400));
    let began = Instant::now();
    cloud.apply();
    let applied = began.elapsed();
    let (reads, writes) = cloud.requests();
    assert_eq!(cloud.routes().len(), 400);
    assert_eq!(cloud.association(), Some(table()));
    let began = Instant::now();
    cloud.settled();
    let (again, none) = cloud.requests();
    println!(
        "400 routes, from nothing to associated: {writes} writes, {reads} reads, {applied:.1?}; a plan without changes: {again} reads, \
         {none} writes, {:.1?}",
        began.elapsed()
    );
    assert!(writes <= 3 && again <= 3 && none == 0);
    cloud.topo(&["destroy", "-y"]).exits(0);
    let (_, writes) = cloud.requests();
    println!("400 routes, from associated to nothing: {writes} writes");
    assert!(writes <= 3 && cloud.table().is_none());
}

#[test]
#[allow(clippy::print_stdout, reason = "the figures are what it is about")]
fn a_table_of_a_thousand_routes() {
    let cloud = Cloud::start(1);
    cloud.server.command(Command::Limits { routes: Some(1000), tables: None });
    cloud.write(&big(1000));
    let began = Instant::now();
    cloud.apply();
    let applied = began.elapsed();
    assert_eq!(cloud.routes().len(), 1000);
    let began = Instant::now();
    cloud.settled();
    let planned = began.elapsed();
    let began = Instant::now();
    cloud.write(&big(999));
    cloud.mends(&[&put_table()]);
    println!(
        "1,000 routes: applied in {applied:.1?}, planned in {planned:.1?}, one removed in {:.1?}",
        began.elapsed()
    );
    assert_eq!(cloud.routes().len(), 999);
}

#[test]
fn a_table_without_routes_is_legal() {
    let cloud = Cloud::start(1);
    cloud.write(&topology_of("kthw", &[("worker-0", "address = \"10.240.0.20\"")], ""));
    cloud.apply();
    assert_eq!(cloud.written(), [put_table(), put_subnet()]);
    assert_eq!(cloud.routes(), [""; 0]);
    assert_eq!(cloud.association(), Some(table()));
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
}

#[test]
fn a_table_without_subnets_is_legal() {
    let cloud = Cloud::start(1);
    let nodes =
        "[topology]\nname = \"kthw\"\n[nodes]\nworker-0 = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }\n";
    cloud.write(&format!("{nodes}{}", backend_table("azure-udr", TABLE, "")));
    cloud.apply();
    assert_eq!(cloud.written(), [put_table()]);
    assert_eq!(cloud.routes().len(), 1);
    cloud.settled();
    assert_eq!(cloud.requests(), (1, 0));
    // A subnet comes, and goes.
    cloud.write(&topology(1, ""));
    cloud.mends(&[&put_subnet()]);
    cloud.write(&format!("{nodes}{}", backend_table("azure-udr", TABLE, "")));
    cloud.mends(&[&put_subnet()]);
    assert_eq!(cloud.association(), None);
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
}

#[test]
fn both_families_stand_in_one_table() {
    let cloud = Cloud::start(1);
    let space = json!({ "addressPrefixes": ["10.240.0.0/16", "fd00:240::/48"] });
    cloud.merge(network(), json!({ "properties": { "addressSpace": space } }));
    let keys = "address = [\"10.240.0.20\", \"fd00:240::20\"], pods = [\"10.200.0.0/24\", \"fd00:200:0:1::/64\"]";
    cloud.write(&topology_of("kthw", &[("worker-0", keys)], ""));
    cloud.apply();
    assert_eq!(
        cloud.routes(),
        [
            "kubernetes-route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.20",
            "kubernetes-route-fd00-200-0-1---64 fd00:200:0:1::/64 VirtualAppliance fd00:240::20",
        ]
    );
    cloud.settled();
    // The same in other words.
    cloud.set_routes(|routes| {
        routes[1]["properties"]["addressPrefix"] = json!("FD00:0200:0000:0001:0000::/64");
        routes[1]["properties"]["nextHopIpAddress"] = json!("fd00:0240:0:0::0020");
        routes[1]["properties"]["nextHopType"] = json!("virtualappliance");
    });
    cloud.settled();
    // And an address that is not inside.
    let keys = keys.replace("fd00:240::20", "fd00:999::20");
    cloud.write(&topology_of("kthw", &[("worker-0", &keys)], ""));
    cloud.topo(&["apply", "-y"]).exits(1).says("worker-0 (fd00:999::20)");
}

/// Two tables, for two subnets.
fn two(one: (&str, &str), other: (&str, &str)) -> String {
    format!(
        "[topology]\nname = \"kthw\"\n[nodes]\nworker-0 = {{ address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }}\n{}{}",
        backend_table("azure-udr", one.0, one.1),
        backend_table("other", other.0, other.1)
    )
}

#[test]
fn two_tables_serve_two_subnets_of_one_network() {
    let cloud = Cloud::start(1);
    let other = format!("{}/subnets/other", network());
    cloud.server.command(Command::Put {
        path: other.clone(),
        body: json!({ "properties": { "addressPrefix": "10.240.7.0/24" } }),
    });
    cloud.write(&two((TABLE, &format!("{NETWORK}/{SUBNET}")), ("second-routes", &format!("{NETWORK}/other"))));
    cloud.apply();
    assert_eq!(cloud.requests().1, 4);
    let second = network_path("routeTables/second-routes");
    assert_eq!(cloud.association(), Some(table()));
    assert_eq!(cloud.server.look(&other).unwrap()["properties"]["routeTable"]["id"], second);
    assert_eq!(cloud.server.look(&second).unwrap()["properties"]["routes"][0]["name"], "second-route-10-200-0-0-24");
    cloud.settled();
    assert_eq!(cloud.requests(), (4, 0));
    // They change places.
    cloud.write(&two((TABLE, &format!("{NETWORK}/other")), ("second-routes", &format!("{NETWORK}/{SUBNET}"))));
    cloud.mends(&["PUT other", &put_subnet()]);
    assert_eq!(cloud.association(), Some(second.clone()));
    // One goes.
    cloud.write(&topology(1, ""));
    cloud.apply();
    assert!(cloud.server.look(&second).is_none());
    assert_eq!(cloud.association(), Some(table()));
    assert_eq!(cloud.server.look(&other).unwrap()["properties"]["routeTable"], Value::Null);
    cloud.settled();
}

#[test]
fn two_tables_serve_two_networks() {
    let cloud = Cloud::start(1);
    let subnets = json!([{ "name": "one", "properties": { "addressPrefix": "10.240.0.0/24" } }]);
    let properties = json!({ "addressSpace": { "addressPrefixes": ["10.240.0.0/16"] }, "subnets": subnets });
    cloud.make("virtualNetworks", "west-vnet", json!({ "location": "westus", "properties": properties }));
    let text = two((TABLE, &format!("{NETWORK}/{SUBNET}")), ("west-routes", "west-vnet/one"));
    let (first, second) = text.split_at(text.find("[backends.other]").unwrap());
    cloud.write(&format!("{first}{}", second.replace(LOCATION, "westus")));
    cloud.apply();
    cloud.settled();
    let west = cloud.server.look(&network_path("routeTables/west-routes")).unwrap();
    assert_eq!(west["location"], "westus");
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none() && cloud.server.look(&network_path("routeTables/west-routes")).is_none());
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_backend_with_another_name_keeps_its_records() {
    let cloud = Cloud::start(1);
    cloud.forward(0, false);
    cloud.write(&topology(1, "ip_forwarding = \"enable\""));
    cloud.apply();
    assert!(cloud.record("azure_nic_forwarding").is_some());
    let text = topology(1, "ip_forwarding = \"enable\"");
    cloud.write(&text.replace("[backends.azure-udr]\n", "[backends.east]\ntype = \"azure-udr\"\n"));
    cloud.apply();
    assert_eq!(cloud.written(), [""; 0]);
    let state = cloud.state().to_string();
    assert!(state.contains("east/azure_route") && !state.contains("azure-udr/"), "{state}");
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none(), "it is still known who made it");
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_table_with_another_name_takes_the_place_of_the_old_one() {
    let cloud = Cloud::start(1);
    cloud.apply();
    let text = topology(1, "").replace(TABLE, "new-routes");
    cloud.write(&text);
    cloud.mends(&["PUT new-routes", &put_subnet(), &format!("DELETE {TABLE}")]);
    assert_eq!(cloud.association(), Some(network_path("routeTables/new-routes")));
    // One that holds others' routes stays.
    let new = network_path("routeTables/new-routes");
    let mut routes = cloud.server.look(&new).unwrap()["properties"]["routes"].clone();
    routes.as_array_mut().unwrap().push(route("theirs", "10.9.0.0/24", "10.240.0.99"));
    cloud.merge(new.clone(), json!({ "properties": { "routes": routes } }));
    cloud.write(&topology(1, ""));
    cloud.mends(&[&put_table(), &put_subnet(), "PUT new-routes"]);
    assert_eq!(cloud.server.look(&new).unwrap()["properties"]["routes"][0]["name"], "theirs");
}

#[test]
fn the_old_table_keeps_its_routes_while_a_subnet_goes_by_it() {
    let cloud = Cloud::start(1);
    // Made by hand, so that topo would empty it and not delete it.
    cloud.make_table(&[], &Value::Null);
    cloud.apply();
    cloud.write(&topology(1, "").replace(TABLE, "new-routes"));
    cloud.server.command(Effect::answer(400, "Locked").next("PUT", "/subnets/"));
    cloud.topo(&["apply", "-y"]).exits(3).says("Locked");
    assert_eq!(cloud.written(), ["PUT new-routes".to_owned(), put_subnet()]);
    assert_eq!((cloud.association(), cloud.routes().len()), (Some(table()), 1), "pods are still reached");
    cloud.mends(&[&put_subnet(), &put_table()]);
    assert_eq!(cloud.association(), Some(network_path("routeTables/new-routes")));
    assert_eq!(cloud.routes(), [""; 0]);
}

#[test]
fn a_network_can_be_in_another_resource_group() {
    let cloud = Cloud::start(1);
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/net");
    cloud.server.command(Command::Put { path: group.clone(), body: json!({ "location": LOCATION }) });
    let path = format!("{group}/providers/Microsoft.Network/virtualNetworks/shared-vnet");
    let subnets = json!([{ "name": "one", "properties": { "addressPrefix": "10.240.0.0/24" } }]);
    let properties = json!({ "addressSpace": { "addressPrefixes": ["10.240.0.0/16"] }, "subnets": subnets });
    cloud
        .server
        .command(Command::Put { path: path.clone(), body: json!({ "location": LOCATION, "properties": properties }) });
    cloud.write(&format!(
        "[topology]\nname = \"kthw\"\n[nodes]\nworker-0 = {{ address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }}\n{}",
        backend_table("azure-udr", TABLE, "net/shared-vnet/one")
    ));
    cloud.apply();
    let subnet = format!("{path}/subnets/one");
    assert_eq!(cloud.server.look(&subnet).unwrap()["properties"]["routeTable"]["id"], table());
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.server.look(&subnet).unwrap()["properties"]["routeTable"], Value::Null);
}

#[test]
fn routes_that_are_to_be_called_otherwise_keep_their_names() {
    let cloud = Cloud::start(1);
    cloud.apply();
    cloud.write(&topology(1, "route_name_prefix = \"pods-\""));
    cloud.settled();
    cloud.set_routes(Vec::clear);
    cloud.mends(&[&put_table()]);
    assert_eq!(cloud.names(), ["kubernetes-route-10-200-0-0-24"]);
    cloud.write(&topology(2, "route_name_prefix = \"pods-\""));
    cloud.topo(&["apply", "-y"]).exits(0).says("10.240.0.21");
    assert_eq!(cloud.names(), ["kubernetes-route-10-200-0-0-24", "pods-10-200-1-0-24"]);
}

#[test]
fn names_are_compared_without_case() {
    let cloud = Cloud::start(1);
    cloud.apply();
    let loud = topology(1, "")
        .replace(&format!("\"{GROUP}\""), "\"KUBERNETES\"")
        .replace(&format!("\"{TABLE}\""), "\"Kubernetes-Routes\"")
        .replace(&format!("\"{NETWORK}/{SUBNET}\""), "\"Kubernetes-VNet/Kubernetes-SUBNET\"");
    assert!(loud.contains("Kubernetes-SUBNET") && loud.contains("Kubernetes-Routes"));
    cloud.write(&loud);
    cloud.settled();
    cloud.topo(&["apply", "-y"]).exits(0);
    assert_eq!(cloud.written(), [""; 0]);
    cloud.associate(None);
    cloud.set_routes(Vec::clear);
    cloud.topo(&["apply", "-y"]).exits(0);
    assert_eq!(cloud.requests().1, 2);
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_subnet_comes_back_with_all_that_it_has() {
    let cloud = Cloud::start(1);
    cloud.merge(
        subnet(),
        json!({ "later": { "deep": [1, { "x": null }] }, "properties": {
            "delegations": [{ "name": "d", "properties": { "serviceName": "Microsoft.Web/serverFarms", "later": 7 } }],
            "natGateway": { "id": network_path("natGateways/nat") },
            "privateEndpointNetworkPolicies": "RouteTableEnabled",
            "defaultOutboundAccess": false,
            "unknown": [{ "a": 1 }, "b"],
            "serviceEndpointPolicies": [],
        } }),
    );
    let bare = |mut value: Value| {
        value["etag"] = Value::Null;
        value["properties"].as_object_mut().unwrap().remove("routeTable");
        value
    };
    let before = cloud.subnet();
    assert!(before["properties"]["networkSecurityGroup"]["id"].is_string());
    cloud.apply();
    assert_eq!(cloud.association(), Some(table()));
    assert_eq!(bare(cloud.subnet()), bare(before.clone()));
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(bare(cloud.subnet()), bare(before.clone()));
    assert_eq!(cloud.association(), None);
    // The other subnets of the network, too.
    assert_eq!(cloud.server.look(&network()).unwrap()["properties"]["subnets"].as_array().unwrap().len(), 1);
}

#[test]
fn parts_of_a_plan_can_be_selected() {
    let cloud = Cloud::start(2);
    let names = |cloud: &Cloud| {
        cloud.names().iter().map(|name| name.replace("kubernetes-route-10-200-", "")).collect::<Vec<_>>()
    };
    // One route: the table comes with it, the association does not.
    cloud
        .topo(&["apply", "-y", "--target", "azure_route.kubernetes-routes[\"kubernetes-route-10-200-1-0-24\"]"])
        .exits(0);
    assert_eq!(cloud.written(), [put_table()]);
    assert_eq!(names(&cloud), ["1-0-24"]);
    // All but the association.
    cloud.topo(&["apply", "-y", "--exclude", "azure_subnet_association.*"]).exits(0);
    assert_eq!(cloud.written(), [put_table()]);
    assert_eq!(names(&cloud), ["1-0-24", "0-0-24"]);
    // The association alone.
    let address = "azure_subnet_association.kubernetes-vnet[\"kubernetes-subnet\"]";
    cloud.set_routes(Vec::clear);
    cloud.topo(&["apply", "-y", "--target", address]).exits(0);
    assert_eq!(cloud.written(), [put_subnet()]);
    // Without one route.
    cloud.topo(&["apply", "-y", "--exclude", "azure_route.*[\"kubernetes-route-10-200-1-0-24\"]"]).exits(0);
    assert_eq!(names(&cloud), ["0-0-24"]);
    cloud.mends(&[&put_table()]);
    // Out again: without the association first, then the rest.
    cloud
        .topo(&["destroy", "-y", "--exclude", "azure_route_table.*", "--exclude", "azure_subnet_association.*"])
        .exits(0);
    assert_eq!(cloud.written(), [put_table()]);
    assert_eq!((cloud.routes().len(), cloud.association()), (0, Some(table())));
    cloud.topo(&["destroy", "-y", "--target", address]).exits(0);
    assert_eq!(cloud.written(), [put_subnet()]);
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.written(), [format!("DELETE {TABLE}")]);
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_table_in_use_is_not_deleted_though_selected() {
    let cloud = Cloud::start(1);
    cloud.apply();
    let said = cloud.topo(&["destroy", "-y", "--exclude", "azure_subnet_association.*"]).exits(0);
    drop(said);
    assert_eq!(cloud.association(), Some(table()));
    assert_eq!(cloud.written(), [put_table()], "its routes alone");
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.association(), None);
    assert!(cloud.table().is_none(), "topo knows that it made it");
}

#[test]
fn a_plan_without_a_look_asks_nothing() {
    let cloud = Cloud::start(2);
    cloud.topo(&["plan", "--no-refresh", "--detailed-exitcode"]).exits(2);
    assert_eq!(cloud.server.log().len(), 0);
    cloud.apply();
    cloud.topo(&["plan", "--no-refresh", "--detailed-exitcode"]).exits(0);
    cloud.associate(None);
    cloud.topo(&["plan", "--no-refresh", "--detailed-exitcode"]).exits(0);
    cloud.write(&topology(1, ""));
    cloud.topo(&["plan", "--no-refresh", "--detailed-exitcode"]).exits(2);
    cloud.write(&topology(2, "bgp_route_propagation = false"));
    cloud.topo(&["plan", "--no-refresh", "--detailed-exitcode"]).exits(2);
    assert_eq!(cloud.server.log().len(), 0);
}

#[test]
fn a_plan_without_a_look_knows_adopted_and_unmanaged_tables() {
    for backend in ["", "manage_table = false"] {
        let cloud = Cloud::start(1);
        cloud.write(&topology(1, backend));
        cloud.make_table(&[], &Value::Null);
        cloud.apply();
        cloud.topo(&["plan", "--no-refresh", "--detailed-exitcode"]).exits(0);
        assert_eq!(cloud.server.log().len(), 0);
    }
}

#[test]
fn all_is_destroyed_without_the_topology() {
    let cloud = Cloud::start(2);
    cloud.apply();
    std::fs::remove_file(cloud.folder.path().join("topo.toml")).unwrap();
    cloud.topo(&["destroy", "-y", "--state", "state/kthw.json"]).exits(0);
    assert_eq!(cloud.written(), [put_subnet(), format!("DELETE {TABLE}")]);
    assert!(cloud.table().is_none());
    assert_eq!(cloud.association(), None);
    assert_eq!(cloud.state()["places"], json!({}));
}

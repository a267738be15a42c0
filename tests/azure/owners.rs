//! Who owns what is live: what topo changes, and what it leaves to others.

use super::hands::{plain, topology_of};
use super::*;

const FIRST: &str = "kubernetes-route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.20";
const SECOND: &str = "kubernetes-route-10-200-1-0-24 10.200.1.0/24 VirtualAppliance 10.240.0.21";

fn others() -> Vec<Value> {
    let mut odd = route("Zebra", "192.168.0.0/16", "10.240.0.99");
    odd["properties"]["later"] = json!({ "deep": [1, null, "x"] });
    vec![
        odd,
        json!({ "name": "storage", "properties": { "addressPrefix": "Storage.EastUS2", "nextHopType": "Internet" } }),
        json!({ "name": "a-hole", "properties": { "addressPrefix": "10.9.0.0/16", "nextHopType": "None" } }),
    ]
}

#[test]
fn foreign_routes_stay_as_and_where_they_are() {
    let cloud = Cloud::start(2);
    cloud.make_table(&others(), &json!({ "owner": "somebody" }));
    let of_others = |cloud: &Cloud| {
        let mut routes = cloud.plain_routes();
        routes.retain(|route| !route["name"].as_str().unwrap().starts_with("kubernetes-"));
        routes
    };
    let before = of_others(&cloud);
    assert_eq!(before, others().iter().map(plain_sent).collect::<Vec<_>>());
    cloud.apply();
    assert_eq!(cloud.written(), [format!("PUT {TABLE}"), format!("PUT {SUBNET}")]);
    assert_eq!(cloud.plain_routes()[..3], before[..], "first, and in their order");
    assert_eq!(cloud.routes()[3..], [FIRST, SECOND]);
    // One goes, one changes, one comes.
    let pods = |number: u8| format!("pods = [\"10.200.{number}.0/24\"]");
    let nodes = [("worker-1", "10.240.0.41", 1), ("worker-2", "10.240.0.22", 2)]
        .map(|(name, address, number)| (name, format!("address = \"{address}\", {}", pods(number))));
    let nodes: Vec<(&str, &str)> = nodes.iter().map(|(name, keys)| (*name, keys.as_str())).collect();
    cloud.write(&topology_of("kthw", &nodes, ""));
    cloud.apply();
    assert_eq!(cloud.written(), [format!("PUT {TABLE}")]);
    assert_eq!(of_others(&cloud), before);
    assert_eq!(
        cloud.names(),
        ["Zebra", "storage", "a-hole", "kubernetes-route-10-200-1-0-24", "kubernetes-route-10-200-2-0-24"]
    );
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "owner": "somebody" }));
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.plain_routes(), before);
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "owner": "somebody" }));
}

fn plain_sent(route: &Value) -> Value {
    plain(route)
}

#[test]
fn a_table_made_by_hand_is_adopted_as_it_is() {
    let cloud = Cloud::start(2);
    let routes = [
        route("kubernetes-route-10-200-0-0-24", "10.200.0.0/24", "10.240.0.20"),
        route("kubernetes-route-10-200-1-0-24", "10.200.1.0/24", "10.240.0.21"),
    ];
    cloud.make_table(&routes, &Value::Null);
    let plan = cloud.topo(&["plan", "--detailed-exitcode"]).exits(2);
    plan.says("Plan: 3 to import, 1 to add, 0 to change, 0 to destroy.");
    cloud.apply();
    assert_eq!(cloud.written(), [format!("PUT {SUBNET}")], "the table is as it should be");
    assert!(cloud.table().unwrap()["tags"].as_object().is_none_or(serde_json::Map::is_empty));
    cloud.settled();
    let said = cloud.topo(&["destroy", "-y"]).exits(0).says("topo did not make it");
    said.says("Plan: 0 to add, 0 to change, 3 to destroy.");
    assert_eq!(cloud.written(), [format!("PUT {SUBNET}"), format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes(), [""; 0]);
    assert_eq!(cloud.association(), None);
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn what_is_all_there_is_adopted_without_a_write() {
    let cloud = Cloud::start(1);
    cloud.make_table(&[route("by-hand", "10.200.0.0/24", "10.240.0.20")], &Value::Null);
    cloud.associate(Some(TABLE));
    cloud.apply();
    assert_eq!(cloud.written(), [""; 0]);
    cloud.settled();
    assert_eq!(cloud.routes(), ["by-hand 10.200.0.0/24 VirtualAppliance 10.240.0.20"]);
    // Its name stays also where its next hop changes.
    cloud.write(&topology_of("kthw", &[("worker-0", "address = \"10.240.0.30\", pods = [\"10.200.0.0/24\"]")], ""));
    cloud.mends(&[&format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes(), ["by-hand 10.200.0.0/24 VirtualAppliance 10.240.0.30"]);
}

#[test]
fn a_route_to_our_pods_by_another_next_hop_is_a_conflict() {
    let cloud = Cloud::start(2);
    let theirs = route("theirs", "10.200.0.0/24", "10.240.0.99");
    cloud.make_table(std::slice::from_ref(&theirs), &Value::Null);
    for command in [&["plan"][..], &["apply", "-y"]] {
        cloud.topo(command).exits(1).says("theirs").says("10.240.0.99").says("--take-over");
        assert_eq!(cloud.written(), [""; 0]);
    }
    assert!(!cloud.folder.path().join("state/kthw.json").exists(), "nothing is recorded");
    cloud.topo(&["apply", "-y", "--skip-conflicts"]).exits(3);
    assert_eq!(cloud.routes(), ["theirs 10.200.0.0/24 VirtualAppliance 10.240.0.99", SECOND]);
    let address = "azure_route.kubernetes-routes[\"theirs\"]";
    cloud.topo(&["apply", "-y", "--take-over", address]).exits(0);
    assert_eq!(cloud.written(), [format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes(), ["theirs 10.200.0.0/24 VirtualAppliance 10.240.0.20", SECOND]);
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.routes(), [""; 0]);
}

#[test]
fn a_route_of_another_type_to_our_pods_is_a_conflict() {
    let cloud = Cloud::start(1);
    let hole = json!({ "name": "hole", "properties": { "addressPrefix": "10.200.0.0/24", "nextHopType": "None" } });
    cloud.make_table(&[hole], &Value::Null);
    cloud.topo(&["apply", "-y"]).exits(1).says("hole");
    assert_eq!(cloud.written(), [""; 0]);
    cloud.topo(&["apply", "-y", "--take-over", "azure_route.*"]).exits(0);
    assert_eq!(cloud.routes(), ["hole 10.200.0.0/24 VirtualAppliance 10.240.0.20"]);
}

#[test]
fn a_name_that_is_taken_is_a_conflict() {
    let cloud = Cloud::start(2);
    let theirs = route("Kubernetes-Route-10-200-0-0-24", "10.9.0.0/24", "10.240.0.99");
    cloud.make_table(&[theirs], &Value::Null);
    cloud.topo(&["apply", "-y"]).exits(1).says("kubernetes-route-10-200-0-0-24").says("10.9.0.0/24");
    assert_eq!(cloud.written(), [""; 0]);
    let kept = "Kubernetes-Route-10-200-0-0-24 10.9.0.0/24 VirtualAppliance 10.240.0.99";
    cloud.topo(&["apply", "-y", "--skip-conflicts"]).exits(3);
    assert_eq!(cloud.routes(), [kept, SECOND]);
    // Whoever takes it over makes it a route to ours.
    cloud
        .topo(&["apply", "-y", "--take-over", "azure_route.kubernetes-routes[\"kubernetes-route-10-200-0-0-24\"]"])
        .exits(0);
    assert_eq!(cloud.routes(), ["Kubernetes-Route-10-200-0-0-24 10.200.0.0/24 VirtualAppliance 10.240.0.20", SECOND]);
    cloud.settled();
}

#[test]
fn a_name_that_a_service_tag_has_is_a_conflict() {
    let cloud = Cloud::start(2);
    let tag = json!({ "addressPrefix": "Storage.EastUS2", "nextHopType": "Internet" });
    cloud.make_table(&[json!({ "name": "kubernetes-Route-10-200-0-0-24", "properties": tag })], &Value::Null);
    let before = cloud.plain_routes();
    cloud.topo(&["apply", "-y"]).exits(1).says("it leads Storage.EastUS2 to Internet");
    assert_eq!(cloud.written(), [""; 0]);
    cloud.topo(&["apply", "-y", "--skip-conflicts"]).exits(3);
    assert_eq!(cloud.plain_routes()[..1], before[..]);
    assert_eq!(cloud.routes()[1..], [SECOND]);
}

#[test]
fn names_that_stand_at_each_others_routes_are_no_conflict() {
    let cloud = Cloud::start(2);
    // Made by hand, and the wrong way round: each name stands at the other's destination, or at one of ours alone.
    cloud.make_table(&[route("kubernetes-route-10-200-1-0-24", "10.200.0.0/24", "10.240.0.20")], &Value::Null);
    cloud.apply();
    let routes = cloud.plain_routes();
    let leads = |destination: &str, address: &str| {
        routes.iter().any(|route| {
            route["properties"]["addressPrefix"] == destination && route["properties"]["nextHopIpAddress"] == address
        })
    };
    assert!(leads("10.200.0.0/24", "10.240.0.20") && leads("10.200.1.0/24", "10.240.0.21"), "{routes:?}");
    assert_eq!(routes.len(), 2);
    assert_eq!(cloud.names()[0], "kubernetes-route-10-200-1-0-24");
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.routes(), [""; 0]);
}

#[test]
fn a_subnet_that_has_another_table_is_a_conflict() {
    let cloud = Cloud::start(1);
    cloud.make("routeTables", "firewall", json!({ "location": LOCATION, "properties": {} }));
    cloud.associate(Some("firewall"));
    let theirs = network_path("routeTables/firewall");
    for command in [&["plan"][..], &["apply", "-y"]] {
        cloud.topo(command).exits(1).says("kubernetes-subnet").says("routeTables/firewall").says("--take-over");
        assert_eq!(cloud.written(), [""; 0]);
    }
    let said = cloud.topo(&["apply", "-y", "--skip-conflicts"]).exits(3);
    said.says("topo leaves it out, as --skip-conflicts asks").not("the route to");
    assert_eq!(cloud.written(), [format!("PUT {TABLE}")]);
    assert_eq!(cloud.association(), Some(theirs));
    let address = "azure_subnet_association.kubernetes-vnet[\"kubernetes-subnet\"]";
    cloud.topo(&["apply", "-y", "--take-over", address]).exits(0);
    assert_eq!(cloud.written(), [format!("PUT {SUBNET}")]);
    assert_eq!(cloud.association(), Some(table()));
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.association(), None);
    assert!(cloud.server.look(&network_path("routeTables/firewall")).is_some());
}

#[test]
fn a_table_that_holds_routes_of_others_is_not_deleted() {
    let cloud = Cloud::start(1);
    cloud.apply();
    cloud.set_routes(|routes| routes.insert(0, route("theirs", "10.9.0.0/24", "10.240.0.99")));
    cloud.merge(table(), json!({ "tags": { "owner": "somebody" } }));
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0).says("a route of somebody else is in it");
    assert_eq!(cloud.written(), [format!("PUT {SUBNET}"), format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes(), ["theirs 10.9.0.0/24 VirtualAppliance 10.240.0.99"]);
    assert_eq!(cloud.table().unwrap()["tags"]["owner"], "somebody");
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_table_that_other_subnets_go_by_is_not_deleted() {
    let cloud = Cloud::start(1);
    cloud.apply();
    let other = format!("{}/subnets/other", network());
    let body = json!({ "properties": { "addressPrefix": "10.240.7.0/24", "routeTable": { "id": table() } } });
    cloud.server.command(Command::Put { path: other.clone(), body });
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0).says("other subnets go by it: other");
    assert_eq!(cloud.routes(), [""; 0]);
    assert_eq!(cloud.association(), None);
    assert_eq!(cloud.server.look(&other).unwrap()["properties"]["routeTable"]["id"], table());
}

#[test]
fn tags_of_others_stay_on_every_write() {
    let cloud = Cloud::start(1);
    cloud.apply();
    cloud.merge(table(), json!({ "tags": { "owner": "somebody", "cost-center": "7" } }));
    cloud.settled();
    cloud.forward(0, true);
    cloud.write(&topology_of("kthw", &[("worker-0", "address = \"10.240.0.20\", pods = [\"10.200.9.0/24\"]")], ""));
    cloud.apply();
    assert_eq!(
        cloud.table().unwrap()["tags"],
        json!({ "managed-by": "topo", "topology": "kthw", "owner": "somebody", "cost-center": "7" })
    );
}

#[test]
fn a_table_that_topo_does_not_manage_has_to_be_there() {
    let cloud = Cloud::start(1);
    cloud.write(&topology(1, "manage_table = false"));
    for command in [&["plan"][..], &["apply", "-y"]] {
        cloud.topo(command).exits(1).says("manage_table = false").says("kubernetes-routes");
        assert_eq!(cloud.written(), [""; 0]);
    }
}

#[test]
fn of_a_table_that_topo_does_not_manage_only_routes_are_written() {
    let cloud = Cloud::start(1);
    cloud.write(&topology(1, "manage_table = false"));
    cloud.make_table(&[], &json!({ "made-by": "terraform" }));
    cloud.merge(table(), json!({ "properties": { "disableBgpRoutePropagation": true } }));
    cloud.apply();
    assert_eq!(cloud.written(), [format!("PUT {TABLE}"), format!("PUT {SUBNET}")]);
    assert_eq!(cloud.routes(), [FIRST]);
    cloud.settled();
    // What the others do to their table is theirs.
    cloud.merge(
        table(),
        json!({ "tags": { "made-by": "bicep" }, "properties": { "disableBgpRoutePropagation": false } }),
    );
    cloud.settled();
    cloud.set_routes(Vec::clear);
    cloud.mends(&[&format!("PUT {TABLE}")]);
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "made-by": "bicep" }));
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.written(), [format!("PUT {SUBNET}"), format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes(), [""; 0]);
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "made-by": "bicep" }));
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_table_that_topo_made_can_be_handed_to_others() {
    let cloud = Cloud::start(1);
    cloud.apply();
    cloud.write(&topology(1, "manage_table = false"));
    cloud.apply();
    assert_eq!(cloud.written(), [""; 0]);
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.routes(), [""; 0], "the table is there");
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn two_topologies_share_a_table() {
    let cloud = Cloud::start(2);
    let worker = |number: u8| {
        let name = format!("worker-{number}");
        let keys = format!("address = \"10.240.0.{}\", pods = [\"10.200.{number}.0/24\"]", 20 + number);
        (name, keys)
    };
    let (one, two) = (worker(0), worker(1));
    cloud.write(&topology_of("kthw", &[(&one.0, &one.1)], ""));
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("topo.toml"), topology_of("other", &[(&two.0, &two.1)], "")).unwrap();
    cloud.apply();
    cloud.topo_in(other.path(), &["apply", "-y"]).exits(0);
    assert_eq!(cloud.written(), [format!("PUT {TABLE}")], "the association is there already");
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
    cloud.settled();
    cloud.topo_in(other.path(), &["plan", "--detailed-exitcode"]).exits(0);
    // Who made it leaves it to who is still there.
    cloud.topo(&["destroy", "-y"]).exits(0).says("a route of somebody else is in it");
    assert_eq!(cloud.routes(), [SECOND]);
    cloud.topo_in(other.path(), &["apply", "-y"]).exits(0);
    assert_eq!(cloud.association(), Some(table()));
    cloud.topo_in(other.path(), &["destroy", "-y"]).exits(0).says("topo did not make it");
    assert_eq!(cloud.routes(), [""; 0]);
}

#[test]
fn what_stood_in_a_lost_state_is_adopted() {
    let cloud = Cloud::start(2);
    cloud.apply();
    std::fs::remove_file(cloud.folder.path().join("state/kthw.json")).unwrap();
    let plan = cloud.topo(&["plan", "--detailed-exitcode"]).exits(2);
    plan.says("Plan: 4 to import, 0 to add, 0 to change, 0 to destroy.");
    cloud.apply();
    assert_eq!(cloud.written(), [""; 0]);
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!((cloud.table(), cloud.association()), (None, None), "its tags tell who made it");
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_subnet_that_went_by_the_table_before_goes_on_to() {
    let cloud = Cloud::start(1);
    cloud
        .server
        .command(Command::Put { path: table(), body: json!({ "location": LOCATION, "properties": { "routes": [] } }) });
    cloud.set_routes(|routes| routes.push(route("default", "0.0.0.0/0", "10.240.0.4")));
    let body = json!({ "properties": { "routeTable": { "id": table() } } });
    cloud.server.command(Command::Merge { path: subnet(), body });
    cloud.apply();
    cloud.topo(&["destroy", "-y"]).exits(0).says("which it used before topo came");
    assert_eq!(cloud.association(), Some(table()), "its default route is somebody else's");
    assert_eq!(cloud.routes(), ["default 0.0.0.0/0 VirtualAppliance 10.240.0.4"]);
    // One that somebody took off and topo put on again is of topo.
    cloud.apply();
    cloud.server.command(Command::Merge { path: subnet(), body: json!({ "properties": { "routeTable": null } }) });
    cloud.apply();
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.association(), None);
}

#[test]
fn a_route_of_ours_under_another_name_is_still_ours() {
    let cloud = Cloud::start(2);
    cloud.apply();
    // Made anew in the portal: the same, but for its name.
    cloud.set_routes(|routes| routes[0] = route("renamed", "10.200.0.0/24", "10.240.0.20"));
    cloud.topo(&["plan", "--detailed-exitcode"]).exits(0);
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert!(cloud.table().is_none());
}

#[test]
fn a_route_of_somebody_else_in_place_of_ours_is_a_conflict() {
    let cloud = Cloud::start(2);
    cloud.apply();
    cloud.set_routes(|routes| routes[0] = route("theirs", "10.200.0.0/24", "10.240.0.99"));
    cloud.topo(&["apply", "-y"]).exits(1).says("theirs");
    assert_eq!(cloud.written(), [""; 0]);
    // Where it is not wanted any more, it is left to them.
    cloud.topo(&["destroy", "-y"]).exits(0).says("theirs");
    assert_eq!(cloud.routes(), ["theirs 10.200.0.0/24 VirtualAppliance 10.240.0.99"]);
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_longer_foreign_prefix_is_told_of() {
    let cloud = Cloud::start(1);
    cloud.make_table(&[route("longer", "10.200.0.128/25", "10.240.0.99")], &Value::Null);
    cloud.topo(&["plan"]).exits(0).says("longer leads 10.200.0.128/25 to VirtualAppliance 10.240.0.99");
    cloud.apply();
    cloud.topo(&["plan"]).exits(0).says("longer leads 10.200.0.128/25");
}

#[test]
fn a_route_that_another_topology_has_is_a_conflict_though_it_is_as_wanted() {
    let cloud = Cloud::start(2);
    cloud.write(&topology(1, ""));
    cloud.apply();
    let folder = tempfile::tempdir().unwrap();
    let other = |arguments: &[&str]| cloud.topo_in(folder.path(), arguments);
    std::fs::write(folder.path().join("topo.toml"), topology(2, "").replace("\"kthw\"", "\"other\"")).unwrap();
    let address = "azure_route.kubernetes-routes[\"kubernetes-route-10-200-0-0-24\"]";
    for command in [&["plan"][..], &["apply", "-y"]] {
        let said = other(command).exits(1).says("in a table of the topology `kthw`");
        said.says(&format!("--take-over '{address}'"));
        assert_eq!(cloud.written(), [""; 0]);
    }
    // Nothing of it is the other's, so nothing of it goes with the other's.
    other(&["destroy", "-y"]).exits(0).says("has no records");
    assert_eq!(cloud.written(), [""; 0]);
    other(&["apply", "-y", "--skip-conflicts"]).exits(3).says("in a table of the topology `kthw`");
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
    other(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.routes(), [FIRST]);
    assert_eq!(cloud.association(), Some(table()));
    cloud.settled();
    // Taken over, it is the other's, too; the tags stay those of who made the table.
    other(&["apply", "-y", "--take-over", address]).exits(0);
    assert_eq!(cloud.routes(), [FIRST, SECOND]);
    assert_eq!(cloud.table().unwrap()["tags"]["topology"], "kthw");
    other(&["plan", "--detailed-exitcode"]).exits(0);
    cloud.settled();
    other(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.routes(), [""; 0]);
    cloud.mends(&[&format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes(), [FIRST]);
}

#[test]
fn a_tag_of_another_topology_counts_only_where_topo_made_the_table() {
    let routes = [route("kubernetes-route-10-200-0-0-24", "10.200.0.0/24", "10.240.0.20")];
    for tags in
        [json!({ "topology": "other" }), json!({ "managed-by": "topo" }), json!({ "managed-by": "x", "topology": "y" })]
    {
        let cloud = Cloud::start(1);
        cloud.make_table(&routes, &tags);
        cloud.apply();
        assert_eq!(cloud.written(), [format!("PUT {SUBNET}")], "{tags}");
    }
    let cloud = Cloud::start(1);
    cloud.make_table(&routes, &json!({ "managed-by": "topo", "topology": "other" }));
    cloud.topo(&["apply", "-y"]).exits(1).says("in a table of the topology `other`");
}

//! What was there before topo came, or before its state was lost.

use super::*;

#[test]
fn a_destroy_names_the_routes_that_were_adopted() {
    let cloud = Cloud::start(2);
    cloud.make_table(&[route("to-worker-0", "10.200.0.0/24", "10.240.0.20")], &Value::Null);
    cloud.apply();
    let said = cloud.topo(&["destroy", "-y"]).exits(0);
    said.says("topo removes this route, which somebody else had made: to-worker-0.")
        .says("topo did not make it. topo removes only the routes that it made or adopted")
        .not("kubernetes-route-10-200-1-0-24,");
    assert_eq!(cloud.routes(), [""; 0]);
}

#[test]
fn a_route_that_topo_made_again_is_not_called_adopted() {
    let cloud = Cloud::start(1);
    cloud.make_table(&[route("to-worker-0", "10.200.0.0/24", "10.240.0.20")], &Value::Null);
    cloud.apply();
    cloud.set_routes(Vec::clear);
    cloud.apply();
    cloud.topo(&["destroy", "-y"]).exits(0).not("which somebody else had made");
    assert_eq!(cloud.routes(), [""; 0]);
}

#[test]
fn a_table_with_topos_tags_is_topos_own_although_the_state_was_lost() {
    let cloud = Cloud::start(2);
    cloud.apply();
    std::fs::remove_file(cloud.folder.path().join("state/kthw.json")).unwrap();
    cloud.apply().says("tag managed-by: topo").says("Plan: 4 to import");
    assert_eq!(cloud.written(), [""; 0]);
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0).not("topo did not make it").not("which somebody else had made");
    assert_eq!((cloud.table(), cloud.association()), (None, None));
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_table_with_the_tags_of_another_topology_is_not_topos_own() {
    let cloud = Cloud::start(2);
    cloud.make_table(&[], &json!({ "managed-by": "topo", "topology": "other" }));
    cloud.apply().not("tag managed-by: topo");
    cloud.topo(&["destroy", "-y"]).exits(0).says("topo did not make it");
    assert_eq!(cloud.routes(), [""; 0]);
}

#[test]
fn the_table_that_a_subnet_had_before_is_kept_and_shown() {
    let cloud = Cloud::start(1);
    cloud.make("routeTables", "firewall", json!({ "location": LOCATION, "properties": {} }));
    cloud.associate(Some("firewall"));
    cloud.topo(&["apply", "-y", "--take-over", "azure_subnet_association.*"]).exits(0);
    let theirs = network_path("routeTables/firewall");
    let address = "azure_subnet_association.kubernetes-vnet[\"kubernetes-subnet\"]";
    cloud.topo(&["state", "show", address]).exits(0).says("in place of firewall").says(&theirs);
    let said = cloud.topo(&["destroy", "-y"]).exits(0);
    said.says(&format!("used the route table {theirs} before topo took it over. topo does not put that back."))
        .says(&format!("az network vnet subnet update --ids {} --route-table {theirs}", subnet()));
    assert_eq!(cloud.association(), None);
}

#[test]
fn a_link_in_an_error_has_no_query() {
    let cloud = Cloud::start(1);
    cloud.server.command(Command::LinksOrigin { origin: Some("https://127.0.0.1:1".into()) });
    let said = cloud.topo(&["apply", "-y"]);
    assert_ne!(said.code, 0);
    said.says("leads to https://127.0.0.1:1/").not("api-version");
}

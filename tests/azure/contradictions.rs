//! Answers of Azure that contradict each other, and tables that somebody makes at the same time as topo.

use super::*;
use crate::arm::Fault;

fn somebodys(cloud: &Cloud) {
    cloud.make_table(&[route("theirs", "192.168.0.0/16", "10.240.0.99")], &json!({ "owner": "somebody" }));
}

const THEIRS: &str = "theirs 192.168.0.0/16 VirtualAppliance 10.240.0.99";

/// All reads of this path say that there is nothing.
fn absent(cloud: &Cloud, path: &str) {
    let (method, path) = (Some("GET".to_owned()), Some(path.to_owned()));
    let effect = Effect::answer(404, "ResourceNotFound");
    cloud.server.command(Command::Fault(Fault { method, path, skip: 0, times: 100, effect }));
}

#[test]
fn a_table_that_somebody_makes_between_look_and_write_stays() {
    let cloud = Cloud::start(2);
    let said = cloud.topo_while_held(&["apply", "-y"], ("PUT", &table(), 0), || somebodys(&cloud));
    said.exits(1).says("It has changed since the plan");
    assert_eq!((cloud.routes(), cloud.association()), (vec![THEIRS.to_owned()], None));
    assert_eq!(cloud.table().unwrap()["tags"], json!({ "owner": "somebody" }));
    cloud.apply();
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0).says("topo did not make it");
    assert_eq!(cloud.routes(), [THEIRS]);
}

#[test]
fn a_table_that_azure_replaced_is_told_and_not_taken_for_topos_own() {
    let cloud = Cloud::start(2);
    cloud.server.command(Command::IgnoreNew { on: true });
    let said = cloud.topo_while_held(&["apply", "-y"], ("PUT", &table(), 0), || somebodys(&cloud));
    said.exits(3).says("Somebody else made this table after topo had looked").not("Apply complete");
    let records = &cloud.state()["places"][format!("arm:{}", table())];
    assert!(records.to_string().contains("\"made\":false"), "{}", cloud.state());
    cloud.apply();
    cloud.settled();
    cloud.topo(&["destroy", "-y"]).exits(0).says("topo did not make it");
    assert_eq!((cloud.routes(), cloud.association()), (Vec::<String>::new(), None));
}

#[test]
fn a_table_that_its_subnet_names_is_not_made_anew() {
    let cloud = Cloud::start(2);
    cloud.apply();
    cloud.set_routes(|routes| routes.push(route("theirs", "192.168.0.0/16", "10.240.0.99")));
    absent(&cloud, &table());
    let said = cloud.topo(&["plan", "--detailed-exitcode"]).exits(5);
    said.says(
        "Azure's answers contradict each other: the route table kubernetes-routes does not exist, but the subnet",
    );
    cloud.topo(&["apply", "-y"]).exits(3).says("contradict each other").not("matches the configuration");
    assert_eq!(cloud.written(), [""; 0]);
    // Without a record, too.
    std::fs::remove_file(cloud.folder.path().join("state/kthw.json")).unwrap();
    cloud.topo(&["apply", "-y"]).exits(3).says("contradict each other");
    assert_eq!((cloud.written(), cloud.routes().len()), (Vec::new(), 3));
}

#[test]
fn a_destroy_drops_no_record_of_a_table_that_its_subnet_names() {
    let cloud = Cloud::start(2);
    cloud.apply();
    cloud.set_routes(|routes| routes.push(route("theirs", "192.168.0.0/16", "10.240.0.99")));
    absent(&cloud, &table());
    cloud.topo(&["destroy", "-y"]).exits(3).says("contradict each other").not("Destroy complete");
    assert!(cloud.state().to_string().contains("azure_route_table"), "{}", cloud.state());
    cloud.server.command(Command::ClearFaults);
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!((cloud.routes(), cloud.association()), (vec![THEIRS.to_owned()], None));
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn a_destroy_drops_no_record_of_a_subnet_that_its_table_names() {
    let cloud = Cloud::start(2);
    cloud.apply();
    absent(&cloud, &subnet());
    cloud.topo(&["destroy", "-y"]).exits(3).says("contradict each other").not("Destroy complete");
    assert_eq!(cloud.association(), Some(table()));
    cloud.server.command(Command::ClearFaults);
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!((cloud.table(), cloud.association()), (None, None));
    assert_eq!(cloud.state()["places"], json!({}));
}

/// All reads of the subnet show it as it was before topo gave it the table.
fn older(cloud: &Cloud) {
    let (method, path) = (Some("GET".to_owned()), Some(subnet()));
    cloud.server.command(Command::Fault(Fault { method, path, skip: 0, times: 100, effect: Effect::Older }));
}

#[test]
fn a_subnet_that_its_table_names_is_not_without_a_table() {
    let cloud = Cloud::start(2);
    cloud.apply();
    older(&cloud);
    let said = "uses no route table, but the route table kubernetes-routes says that the subnet uses it";
    cloud.topo(&["plan", "--detailed-exitcode"]).exits(5).says(said).not("1 to add");
    cloud.topo(&["destroy", "-y"]).exits(3).says(said).not("Destroy complete");
    assert_eq!(cloud.association(), Some(table()));
    cloud.server.command(Command::ClearFaults);
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!((cloud.table(), cloud.association()), (None, None));
    assert_eq!(cloud.state()["places"], json!({}));
}

//! What could not be looked at: it is neither there nor not there, so nothing is done about it.

use super::*;

/// Two subnets of one network go by one table.
fn two_subnets() -> (Cloud, String) {
    let cloud = Cloud::start(2);
    let other = format!("{}/subnets/other", network());
    let body = json!({ "properties": { "addressPrefix": "10.240.1.0/24" } });
    cloud.server.command(Command::Put { path: other.clone(), body });
    let one = format!("\"{NETWORK}/{SUBNET}\"");
    cloud.write(&topology(2, "").replace(&one, &format!("{one}, \"{NETWORK}/other\"")));
    (cloud, other)
}

#[test]
fn a_subnet_that_could_not_be_read_gets_no_table() {
    let (cloud, other) = two_subnets();
    let association = || cloud.server.look(&other).unwrap()["properties"]["routeTable"]["id"].clone();
    // Only the plan's own look at it fails.
    cloud.server.command(Effect::Forbid.next("GET", &other));
    let said = cloud.topo(&["apply", "-y"]).exits(3).says("virtualNetworks/subnets/read");
    said.not("Apply complete")
        .says("Left to do:\n  kubernetes-vnet: topo could not look there. The warning above says why.");
    assert_eq!((cloud.association(), association()), (Some(table()), Value::Null));
    assert!(!cloud.state().to_string().contains("other"), "{}", cloud.state());
    cloud.apply();
    assert_eq!(association(), json!(table()));
    cloud.settled();
}

#[test]
fn a_subnet_that_could_not_be_read_keeps_its_table_and_its_record() {
    let (cloud, other) = two_subnets();
    cloud.apply();
    cloud.server.command(Effect::Forbid.next("GET", &other));
    cloud.topo(&["destroy", "-y"]).exits(3).says("virtualNetworks/subnets/read");
    let left = cloud.server.look(&other).unwrap()["properties"]["routeTable"]["id"].clone();
    assert_eq!((cloud.association(), left, cloud.routes().len()), (None, json!(table()), 2));
    assert!(cloud.state().to_string().contains("other"), "{}", cloud.state());
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!((cloud.table(), &cloud.state()["places"]), (None, &json!({})));
}

#[test]
fn a_run_that_could_not_look_everywhere_is_not_complete() {
    let cloud = Cloud::start(2);
    cloud.apply();
    cloud.server.command(Effect::Forbid.next("GET", &subnet()));
    let said = cloud.topo(&["apply", "-y"]).exits(3).says("virtualNetworks/subnets/read");
    said.not("matches the configuration");
    cloud.server.command(Effect::Forbid.next("GET", &table()));
    cloud.topo(&["apply", "-y"]).exits(3).says("routeTables/read").not("matches the configuration");
    // What was not selected does not matter.
    let of_table = format!("azure_route.{TABLE}");
    for (target, code) in [(of_table.as_str(), 0), ("azure_subnet_association.*", 3)] {
        cloud.server.command(Effect::Forbid.next("GET", &subnet()));
        cloud.topo(&["apply", "-y", "--target", target]).exits(code).says("virtualNetworks/subnets/read");
    }
    assert!(cloud.server.writes().is_empty());
    cloud.settled();
}

//! Nothing is written that was not reviewed, and one thing that fails holds back nothing else.

use super::hands::{backend_table, topology_of};
use super::*;
use crate::arm::Fault;

const OFFICE: (&str, &str) = ("office", "address = \"192.168.1.5\", pods = [\"10.201.0.0/24\"]");
const WORKER: (&str, &str) = ("worker-0", "address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"]");

fn always(effect: Effect, method: &str, path: &str) -> Command {
    let (method, path) = (Some(method.to_owned()), Some(path.to_owned()));
    Command::Fault(Fault { method, path, skip: 0, times: 100_000, effect })
}

impl Cloud {
    /// Runs the program, and lets somebody act between its plan and its write: before the second look at the table is answered.
    fn topo_meanwhile(&self, arguments: &[&str], somebody: impl FnOnce()) -> Said {
        self.topo_while_held(arguments, ("GET", &table(), 1), somebody)
    }

    /// Another subnet of the network.
    fn other_subnet(&self) -> String {
        let other = format!("{}/subnets/other", network());
        let body = json!({ "properties": { "addressPrefix": "10.240.7.0/24" } });
        self.server.command(Command::Put { path: other.clone(), body });
        other
    }

    /// Somebody changes the route to a destination.
    fn change_route(&self, destination: &str, to: &str, by: &str) {
        self.set_routes(|routes| {
            let at = routes.iter().position(|it| it["properties"]["addressPrefix"] == destination).unwrap();
            routes[at]["properties"]["nextHopIpAddress"] = json!(by);
            routes[at]["properties"]["addressPrefix"] = json!(to);
        });
    }
}

#[test]
fn what_somebody_changed_after_the_plan_is_neither_overwritten_nor_removed() {
    const THIRD: &str = "10.200.2.0/24";
    let moved = topology(3, "").replace("10.240.0.22", "10.240.0.32");
    for (what, after, to) in [
        ("a removal", topology(2, ""), THIRD),
        ("a removal, its name used for another destination", topology(2, ""), "192.168.0.0/16"),
        ("a change", moved, THIRD),
        ("destroy", topology(3, ""), "192.168.0.0/16"),
    ] {
        let cloud = Cloud::start(0);
        cloud.write(&topology(3, ""));
        cloud.apply();
        cloud.write(&after);
        let command = if what == "destroy" { "destroy" } else { "apply" };
        let said = cloud.topo_meanwhile(&[command, "-y"], || cloud.change_route(THIRD, to, "10.240.0.99"));
        assert_eq!(said.code, if command == "destroy" { 3 } else { 1 }, "{what}:\n{}\n{}", said.out, said.err);
        said.says("It has changed since the plan");
        let theirs = format!("kubernetes-route-10-200-2-0-24 {to} VirtualAppliance 10.240.0.99");
        assert!(cloud.routes().contains(&theirs), "{what}: {:?}", cloud.routes());
    }
}

#[test]
fn a_conflict_that_comes_up_after_the_plan_is_not_skipped_unseen() {
    let cloud = Cloud::start(0);
    cloud.write(&topology(3, ""));
    cloud.apply();
    cloud.write(&topology(4, ""));
    let said = cloud.topo_meanwhile(&["apply", "-y", "--skip-conflicts"], || {
        cloud.set_routes(|routes| routes.push(route("theirs", "10.200.3.0/24", "10.240.0.99")));
    });
    said.exits(1).says("It has changed since the plan");
    cloud.topo(&["apply", "-y", "--skip-conflicts"]).exits(3);
}

#[test]
fn an_interface_with_another_address_forwards_on() {
    for extra in [&["apply", "-y"][..], &["apply", "-y", "--revert-forwarding"]] {
        let cloud = Cloud::start(2);
        cloud.forward(0, false);
        cloud.write(&topology(2, "ip_forwarding = \"enable\""));
        cloud.apply();
        let live = cloud.server.look(&interface(0)).unwrap();
        let mut configurations = live["properties"]["ipConfigurations"].clone();
        configurations[0]["properties"]["privateIPAddress"] = json!("10.240.0.30");
        let body = json!({ "properties": { "ipConfigurations": configurations } });
        cloud.server.command(Command::Merge { path: interface(0), body });
        cloud.write(&topology(2, "ip_forwarding = \"enable\"").replace("10.240.0.20", "10.240.0.30"));
        cloud.topo(extra).exits(0).not("stays on");
        let live = cloud.server.look(&interface(0)).unwrap();
        assert_eq!(live["properties"]["enableIPForwarding"], json!(true), "{extra:?}");
        let state = cloud.state().to_string();
        assert!(state.contains("azure_nic_forwarding") && state.contains("\"10.240.0.30\""), "{state}");
        cloud.settled();
        cloud.topo(&["destroy", "-y", "--revert-forwarding"]).exits(0);
        assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], json!(false));
    }
}

#[test]
fn no_address_of_an_interface_that_does_not_forward_gets_a_route() {
    let cloud = Cloud::start(1);
    let space = json!({ "addressPrefixes": ["10.240.0.0/16", "fd00:240::/48"] });
    cloud.server.command(Command::Merge { path: network(), body: json!({ "properties": { "addressSpace": space } }) });
    let mut configurations = cloud.server.look(&interface(0)).unwrap()["properties"]["ipConfigurations"].clone();
    let mut second = configurations[0].clone();
    second["name"] = json!("six");
    second["id"] = json!(format!("{}/ipConfigurations/six", interface(0)));
    second["properties"]["privateIPAddress"] = json!("fd00:240::20");
    second["properties"]["privateIPAddressVersion"] = json!("IPv6");
    second["properties"]["primary"] = json!(false);
    configurations.as_array_mut().unwrap().push(second);
    let body = json!({ "properties": { "ipConfigurations": configurations, "enableIPForwarding": false } });
    cloud.server.command(Command::Merge { path: interface(0), body });
    let keys = "address = [\"10.240.0.20\", \"fd00:240::20\"], pods = [\"10.200.0.0/24\", \"fd00:200:0:1::/64\"]";
    cloud.write(&topology_of("kthw", &[("worker-0", keys)], "ip_forwarding = \"enable\""));
    cloud.server.command(always(Effect::Forbid, "PUT", &interface(0)));
    cloud.topo(&["apply", "-y"]).exits(3);
    assert_eq!(cloud.routes(), [""; 0], "of neither family");
    cloud.server.command(Command::ClearFaults);
    cloud.apply();
    assert_eq!(cloud.routes().len(), 2);
    cloud.settled();
}

#[test]
fn one_subnet_that_cannot_be_read_holds_back_no_other() {
    let cloud = Cloud::start(1);
    let other = cloud.other_subnet();
    let second = backend_table("second", "second-routes", &format!("{NETWORK}/other"));
    cloud.write(&format!("{}{second}", topology(1, "")));
    cloud.apply();
    cloud.server.command(Command::Merge { path: subnet(), body: json!({ "properties": { "routeTable": null } }) });
    cloud.server.command(always(Effect::Forbid, "GET", &other));
    cloud.topo(&["apply", "-y"]).says("topo could not look at kubernetes-vnet");
    assert_eq!(cloud.association(), Some(table()));
    cloud.server.command(Command::ClearFaults);
    cloud.settled();
}

#[test]
fn an_old_table_goes_though_another_network_fails() {
    let cloud = Cloud::start(1);
    let subnets = json!([{ "name": "one", "properties": { "addressPrefix": "10.240.0.0/24" } }]);
    let properties = json!({ "addressSpace": { "addressPrefixes": ["10.240.0.0/16"] }, "subnets": subnets });
    let body = json!({ "location": "westus", "properties": properties });
    cloud.server.command(Command::Put { path: network_path("virtualNetworks/west-vnet"), body });
    cloud.apply();
    let text = format!(
        "[topology]\nname = \"kthw\"\n[nodes]\nworker-0 = {{ address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }}\n{}",
        backend_table("other", "west-routes", "west-vnet/one").replace(LOCATION, "westus")
    );
    cloud.write(&text);
    cloud.server.command(always(Effect::Forbid, "PUT", "west-vnet/subnets"));
    cloud.topo(&["apply", "-y"]).exits(3);
    assert_eq!(cloud.association(), None);
    assert!(cloud.table().is_none(), "nothing goes by it");
}

#[test]
fn without_subnets_no_network_of_before_counts() {
    let cloud = Cloud::start(1);
    cloud.apply();
    let text = topology_of("kthw", &[OFFICE, WORKER], "");
    cloud.write(&text.replace(&format!("subnets = [\"{NETWORK}/{SUBNET}\"]"), "subnets = []"));
    cloud.topo(&["plan"]).exits(0).not("Outside of the virtual network");
}

#[test]
fn one_network_is_one_place_however_it_is_written() {
    let cloud = Cloud::start(1);
    cloud.other_subnet();
    let (one, both) =
        (format!("[\"{NETWORK}/{SUBNET}\"]"), format!("[\"{NETWORK}/{SUBNET}\", \"KUBERNETES-vnet/other\"]"));
    cloud.write(&topology(1, "").replace(&one, &both));
    cloud.apply();
    cloud.settled();
    assert_eq!(cloud.state()["places"].as_object().unwrap().len(), 2, "the table, the network");
    cloud.topo(&["destroy", "-y"]).exits(0);
    assert_eq!(cloud.state()["places"], json!({}));
}

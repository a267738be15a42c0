//! IP forwarding of the network interfaces that routes lead to.

use super::checks::{WORKER, forbid, refused, said_once};
use super::hands::topology_of;
use super::*;

#[test]
fn a_next_hop_that_does_not_forward_is_refused() {
    let cloud = Cloud::start(2);
    cloud.forward(1, false);
    refused(
        &cloud,
        &[
            "is off at the network interfaces of these next hops: worker-1 (10.240.0.21).",
            &format!("az network nic update --ip-forwarding true --ids {}", interface(1)),
            "ip_forwarding = \"enable\"",
        ],
    );
    cloud.forward(1, true);
    cloud.apply();
}

#[test]
fn all_next_hops_that_do_not_forward_are_refused_in_one_sentence() {
    let cloud = Cloud::start(4);
    cloud.forward(1, false);
    cloud.forward(3, false);
    for command in [&["plan"][..], &["apply", "-y"]] {
        let said = cloud.topo(command).exits(1);
        said_once(
            &said,
            "is off at the network interfaces of these next hops: worker-1 (10.240.0.21), worker-3 (10.240.0.23).",
        );
        said_once(&said, &format!("--ip-forwarding true --ids {} {}`", interface(1), interface(3)));
        said_once(&said, "ip_forwarding = \"enable\"");
        assert_eq!(cloud.written(), [""; 0]);
    }
}

#[test]
fn forwarding_is_turned_on_where_that_is_asked_for() {
    let cloud = Cloud::start(2);
    cloud.forward(0, false);
    cloud.merge(interface(0), json!({ "properties": { "later": { "deep": [1] } } }));
    cloud.write(&topology(2, "ip_forwarding = \"enable\""));
    let before = cloud.server.look(&interface(0)).unwrap();
    cloud
        .topo(&["plan", "--detailed-exitcode"])
        .exits(2)
        .says("Plan: 4 to add, 1 to change, 0 to destroy.")
        .says("worker-0-nic");
    assert_eq!(cloud.written(), [""; 0]);
    cloud.apply();
    assert_eq!(cloud.written(), ["PUT worker-0-nic".to_owned(), format!("PUT {TABLE}"), format!("PUT {SUBNET}")]);
    let mut after = cloud.server.look(&interface(0)).unwrap();
    assert_eq!(after["properties"]["enableIPForwarding"], true);
    after["properties"]["enableIPForwarding"] = json!(false);
    let bare = |value: &Value| {
        let mut value = value.clone();
        value["etag"] = Value::Null;
        value["properties"]["ipConfigurations"][0]["etag"] = Value::Null;
        value
    };
    assert_eq!(bare(&after), bare(&before), "nothing else of it");
    assert!(cloud.record("azure_nic_forwarding").is_some(), "the one that topo turned on");
    cloud.settled();
    assert_eq!(cloud.requests(), (2, 0));
    cloud.topo(&["destroy", "-y"]).exits(0).says("stays on").says("--revert-forwarding");
    assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], true);
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn forwarding_is_turned_off_again_where_that_is_asked_for() {
    let cloud = Cloud::start(2);
    cloud.forward(0, false);
    cloud.write(&topology(2, "ip_forwarding = \"enable\""));
    cloud.apply();
    cloud.topo(&["destroy", "-y", "--revert-forwarding"]).exits(0);
    assert_eq!(cloud.written(), [format!("PUT {SUBNET}"), format!("DELETE {TABLE}"), "PUT worker-0-nic".to_owned()]);
    assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], false);
    assert_eq!(cloud.server.look(&interface(1)).unwrap()["properties"]["enableIPForwarding"], true, "it was on before");
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn forwarding_stays_on_while_routes_may_lead_there() {
    let cloud = Cloud::start(2);
    cloud.forward(0, false);
    cloud.write(&topology(2, "ip_forwarding = \"enable\""));
    cloud.apply();
    cloud.server.command(Effect::answer(400, "Locked").next("DELETE", "/routeTables/"));
    cloud.topo(&["destroy", "-y", "--revert-forwarding"]).exits(3).says("Locked");
    assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], true);
    assert!(cloud.record("azure_nic_forwarding").is_some());
    cloud.topo(&["destroy", "-y", "--revert-forwarding"]).exits(0);
    assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], false);
    assert_eq!(cloud.state()["places"], json!({}));
}

#[test]
fn forwarding_that_topo_is_not_to_turn_on_any_more_stays_on() {
    for revert in [&["apply", "-y"][..], &["apply", "-y", "--revert-forwarding"]] {
        let cloud = Cloud::start(2);
        cloud.forward(0, false);
        cloud.write(&topology(2, "ip_forwarding = \"enable\""));
        cloud.apply();
        // Whoever asks for it: routes still lead there.
        cloud.topo(&["apply", "-y", "--revert-forwarding"]).exits(0);
        assert_eq!(cloud.written(), [""; 0]);
        assert!(cloud.record("azure_nic_forwarding").is_some());
        cloud.write(&topology(2, ""));
        cloud.topo(revert).exits(0).says("worker-0-nic");
        assert_eq!(cloud.written(), [""; 0]);
        assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], true);
        assert!(cloud.record("azure_nic_forwarding").is_none());
        cloud.settled();
    }
}

#[test]
fn forwarding_that_is_not_selected_is_refused() {
    let cloud = Cloud::start(2);
    cloud.forward(0, false);
    cloud.write(&topology(2, "ip_forwarding = \"enable\""));
    cloud.topo(&["apply", "-y", "--exclude", "azure_nic_forwarding.*"]).exits(1).says("worker-0-nic").says("is off");
    assert_eq!(cloud.written(), [""; 0]);
}

#[test]
fn forwarding_in_doubt_is_settled_by_the_next_look() {
    for live in [true, false] {
        let cloud = Cloud::start(1);
        cloud.forward(0, false);
        cloud.write(&topology(1, "ip_forwarding = \"enable\""));
        cloud.apply();
        let mut state = cloud.state();
        let record = state["places"].as_object_mut().unwrap().values_mut().find_map(|place| {
            let resources = place["resources"].as_object_mut().unwrap();
            resources.iter_mut().find(|(id, _)| id.ends_with("azure_nic_forwarding")).map(|(_, record)| record)
        });
        let record = record.unwrap();
        *record = json!({ "is": null, "to": record["is"] });
        // Version 1 has no digest.
        state["version"] = json!(1);
        state.as_object_mut().unwrap().remove("digest");
        std::fs::write(cloud.folder.path().join("state/kthw.json"), state.to_string()).unwrap();
        cloud.forward(0, live);
        cloud.apply();
        assert_eq!(cloud.server.look(&interface(0)).unwrap()["properties"]["enableIPForwarding"], true);
        assert_eq!(cloud.written().len(), usize::from(!live));
        let record = cloud.record("azure_nic_forwarding").unwrap();
        assert!(record["is"].is_object() && record.get("to").is_none(), "{record}");
        cloud.settled();
        assert_eq!(cloud.requests(), (2, 0));
    }
}

#[test]
fn forwarding_of_a_node_that_goes_is_forgotten() {
    let cloud = Cloud::start(2);
    cloud.forward(1, false);
    cloud.write(&topology(2, "ip_forwarding = \"enable\""));
    cloud.apply();
    cloud.write(&topology(1, "ip_forwarding = \"enable\""));
    cloud.topo(&["apply", "-y"]).exits(0).says("worker-1-nic");
    assert!(cloud.record("azure_nic_forwarding").is_none());
    assert_eq!(cloud.server.look(&interface(1)).unwrap()["properties"]["enableIPForwarding"], true);
    cloud.settled();
}

#[test]
fn a_route_that_is_selected_gets_the_forwarding_that_it_needs() {
    let cloud = Cloud::start(2);
    cloud.forward(0, false);
    cloud.forward(1, false);
    cloud.write(&topology(2, "ip_forwarding = \"enable\""));
    cloud.topo(&["apply", "-y", "--target", "azure_route.*[\"kubernetes-route-10-200-1-0-24\"]"]).exits(0);
    assert_eq!(cloud.written(), ["PUT worker-1-nic".to_owned(), format!("PUT {TABLE}")]);
    assert_eq!(cloud.routes().len(), 1);
    // What is not selected is not judged.
    let cloud = Cloud::start(2);
    cloud.forward(0, false);
    cloud.topo(&["apply", "-y", "--target", "azure_route.*[\"kubernetes-route-10-200-1-0-24\"]"]).exits(0);
    assert_eq!(cloud.routes().len(), 1);
}

#[test]
fn where_no_interface_is_found_forwarding_cannot_be_verified() {
    let cloud = Cloud::start(1);
    cloud.write(&topology_of(
        "kthw",
        &[WORKER, ("ghost", "address = \"10.240.0.77\", pods = [\"10.200.77.0/24\"]")],
        "",
    ));
    cloud.topo(&["apply", "-y"]).exits(0).says("topo cannot verify").says("ghost (10.240.0.77)").not("10.240.0.20,");
    assert_eq!(cloud.routes().len(), 2);
}

#[test]
fn where_interfaces_may_not_be_listed_forwarding_cannot_be_verified() {
    let cloud = Cloud::start(1);
    cloud.server.command(forbid("/networkInterfaces"));
    cloud.topo(&["apply", "-y"]).exits(0).says("topo cannot verify").says("Microsoft.Network/networkInterfaces/read");
    assert_eq!(cloud.routes().len(), 1);
    assert_eq!(cloud.association(), Some(table()));
    // Nor can it be turned on.
    let cloud = Cloud::start(1);
    cloud.server.command(forbid("/networkInterfaces"));
    cloud.write(&topology(1, "ip_forwarding = \"enable\""));
    refused(&cloud, &["topo cannot see whether", "Microsoft.Network/networkInterfaces/read"]);
}

//! Lists, page by page.

use super::*;
use crate::arm::{Effect, compute_path, nic};

#[test]
fn all_pages_are_read() {
    let (server, arm) = start(5);
    server.command(Command::PageSize { size: 2 });
    block_on(async {
        let interfaces = arm.list_interfaces(SUBSCRIPTION, GROUP).await.unwrap();
        let address = |it: &topo::exchange::arm::Document| {
            it.body["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"].as_str().unwrap().to_owned()
        };
        let addresses: Vec<_> = interfaces.iter().map(address).collect();
        assert_eq!(addresses, ["10.240.0.20", "10.240.0.21", "10.240.0.22", "10.240.0.23", "10.240.0.24"]);
        assert!(interfaces.iter().all(|it| it.etag.is_some()));
        let machines = arm.list_machines(SUBSCRIPTION, GROUP).await.unwrap();
        let tags: Vec<_> = machines.iter().map(|it| it.body["tags"]["pod-cidr"].as_str().unwrap()).collect();
        assert_eq!(tags, ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24", "10.200.3.0/24", "10.200.4.0/24"]);
        let seen = arm.get(ResourceType::Interface, &interface(3)).await.unwrap().unwrap();
        let machine =
            machines.iter().find(|it| it.body["id"] == seen.body["properties"]["virtualMachine"]["id"]).unwrap();
        assert_eq!(machine.body["name"], "worker-3");
    });
    assert_eq!(server.count("GET", "/networkInterfaces"), 3 + 1);
}

#[test]
fn interfaces_of_a_scale_set_are_read() {
    let (server, arm) = start(1);
    let set = compute_path("virtualMachineScaleSets/pool");
    for instance in 0..5 {
        let path = format!("{set}/virtualMachines/{instance}/networkInterfaces/nic");
        server.command(Command::Put { path, body: nic(40 + instance, None) });
    }
    let other = compute_path("virtualMachineScaleSets/pool-2/virtualMachines/0/networkInterfaces/nic");
    server.command(Command::Put { path: other, body: nic(50, None) });
    server.command(Command::PageSize { size: 2 });
    let interfaces = block_on(arm.list_scale_set_interfaces(&set)).unwrap();
    let addresses: Vec<_> = interfaces
        .iter()
        .map(|it| it.body["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"].as_str().unwrap())
        .collect();
    assert_eq!(addresses, ["10.240.0.40", "10.240.0.41", "10.240.0.42", "10.240.0.43", "10.240.0.44"]);
    assert!(interfaces.iter().all(|it| it.etag.is_some()));
    assert_eq!(server.count("GET", "/virtualMachineScaleSets/pool/networkInterfaces"), 3);

    // From the network to the address: its subnets name all that is in them, and the identifier says what it belongs to.
    let seen = block_on(arm.get(ResourceType::Network, &network())).unwrap().unwrap();
    let named = seen.body["properties"]["subnets"][0]["properties"]["ipConfigurations"].as_array().unwrap().clone();
    for interface in &interfaces {
        let id = &interface.body["properties"]["ipConfigurations"][0]["id"];
        assert!(id.as_str().unwrap().starts_with(&format!("{set}/virtualMachines/")), "{id}");
        assert!(named.contains(&json!({ "id": id })), "{id} {named:?}");
    }
    assert_eq!(named.len(), 1 + 5 + 1);
}

#[test]
fn a_scale_set_that_cannot_be_read_is_told() {
    let (server, arm) = start(0);
    let set = compute_path("virtualMachineScaleSets/no such?");
    let error = block_on(arm.list_scale_set_interfaces(&set)).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::NotFound, "{error}");
    let told = "The list of network interfaces of the virtual machine scale set no such? (resource group kubernetes) was not read";
    assert!(check_sentence(&error).starts_with(told), "{error}");
    assert!(server.log()[0].path.ends_with("/virtualMachineScaleSets/no%20such%3F/networkInterfaces"));

    server.command(Effect::Forbid.next("GET", "/networkInterfaces"));
    let error = block_on(arm.list_scale_set_interfaces(&set)).unwrap_err();
    // As the crate spells it in the path.
    let wanted = "microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read";
    assert_eq!(error.kind, ArmErrorKind::Denied);
    let text = check_sentence(&error);
    assert!(text.contains(&format!("`{wanted}`")) && text.contains("--role 'Reader'"), "{text}");

    let before = server.log().len();
    for odd in
        [format!("{set}/virtualMachines/0"), set.replace("Compute", "Network"), compute_path("virtualMachines/a")]
    {
        let error = block_on(arm.list_scale_set_interfaces(&odd)).unwrap_err();
        assert!(check_sentence(&error).contains("Nothing was sent"), "{error}");
    }
    assert_eq!(server.log().len(), before);
}

#[test]
fn limits_are_read() {
    let (_server, arm) = start(0);
    let usages = block_on(arm.usages(SUBSCRIPTION, LOCATION)).unwrap();
    let limit = usages.iter().find(|it| it["name"]["value"] == "RoutesPerRouteTable").unwrap();
    assert_eq!(limit["limit"], 400);
}

#[test]
fn a_list_of_nothing_there_is_told() {
    let (_server, arm) = start(0);
    let error = block_on(arm.list_interfaces(SUBSCRIPTION, "no such")).unwrap_err();
    assert_eq!(error.kind, ArmErrorKind::NotFound, "{error}");
    assert!(
        check_sentence(&error).starts_with("The list of network interfaces (resource group no such) was not read"),
        "{error}"
    );
}

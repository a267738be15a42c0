//! Lists, page by page.

use super::*;

#[test]
fn all_pages_are_read() {
    let (server, arm) = start(5);
    server.command(Command::PageSize { size: 2 });
    block_on(async {
        let whole = Scope { resource_group: None, ..group() };
        for scope in [group(), whole] {
            let interfaces = arm.list_interfaces(&scope).await.unwrap();
            let address = |it: &topo::transport::arm::Document| {
                it.body["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            let addresses: Vec<_> = interfaces.iter().map(address).collect();
            assert_eq!(addresses, ["10.240.0.20", "10.240.0.21", "10.240.0.22", "10.240.0.23", "10.240.0.24"]);
            assert!(interfaces.iter().all(|it| it.etag.is_some()));
            let machines = arm.list_machines(&scope).await.unwrap();
            let tags: Vec<_> = machines.iter().map(|it| it.body["tags"]["pod-cidr"].as_str().unwrap()).collect();
            assert_eq!(tags, ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24", "10.200.3.0/24", "10.200.4.0/24"]);
        }
        let seen = arm.get_interface(&interface(3)).await.unwrap().unwrap();
        let machine = seen.body["properties"]["virtualMachine"]["id"].as_str().unwrap();
        let machine = arm.get_machine(machine).await.unwrap().unwrap();
        assert_eq!(machine.body["name"], "worker-3");
    });
    assert_eq!(server.count("GET", "/networkInterfaces"), 3 + 3 + 1);
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
    let scope = Scope { resource_group: Some("no such".to_owned()), ..group() };
    let error = block_on(arm.list_interfaces(&scope)).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(
        check_sentence(&error).starts_with("The list of network interfaces (resource group no such) was not read"),
        "{error}"
    );
}

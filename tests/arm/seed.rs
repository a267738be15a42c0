//! What stands in the subscription before a test begins: the cluster of *Kubernetes the hard way* on Azure.

use serde_json::{Value, json};

use super::command::Command;

/// The subscription.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
/// The tenant.
pub const TENANT: &str = "22222222-2222-2222-2222-222222222222";
/// The resource group.
pub const GROUP: &str = "kubernetes";
/// The region.
pub const LOCATION: &str = "eastus2";
/// The network.
pub const NETWORK: &str = "kubernetes-vnet";
/// The subnet.
pub const SUBNET: &str = "kubernetes-subnet";
/// The table that the tutorial makes; it is not there at the start.
pub const TABLE: &str = "kubernetes-routes";

/// The path of something of Microsoft.Network in the resource group.
pub fn network_path(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/{rest}")
}

/// The path of something of Microsoft.Compute in the resource group.
pub fn compute_path(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/{rest}")
}

/// A resource group and a network whose subnet has more to lose than a route table.
pub fn network() -> Vec<Command> {
    vec![
        Command::Put {
            path: format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"),
            body: json!({ "location": LOCATION }),
        },
        Command::Put {
            path: network_path(&format!("virtualNetworks/{NETWORK}")),
            body: json!({
                "location": LOCATION,
                "properties": {
                    "addressSpace": { "addressPrefixes": ["10.240.0.0/16"] },
                    "subnets": [{
                        "name": SUBNET,
                        "properties": {
                            "addressPrefix": "10.240.0.0/24",
                            "networkSecurityGroup": { "id": network_path("networkSecurityGroups/kubernetes-nsg") },
                            "serviceEndpoints": [{
                                "provisioningState": "Succeeded", "service": "Microsoft.Storage", "locations": [LOCATION],
                            }],
                        },
                    }],
                },
            }),
        },
    ]
}

/// A worker: a NIC `worker-N-nic` at 10.240.0.(20 + N), and a running machine `worker-N` with the tag `pod-cidr`.
pub fn worker(number: u8) -> Vec<Command> {
    let interface = network_path(&format!("networkInterfaces/worker-{number}-nic"));
    let machine = compute_path(&format!("virtualMachines/worker-{number}"));
    vec![
        Command::Put { path: interface.clone(), body: nic(20 + number, Some(&machine)) },
        Command::Put {
            path: machine,
            body: json!({
                "location": LOCATION,
                "tags": { "pod-cidr": format!("10.200.{number}.0/24") },
                "properties": {
                    "hardwareProfile": { "vmSize": "Standard_DS1_v2" },
                    "networkProfile": { "networkInterfaces": [{ "id": interface, "properties": { "primary": true } }] },
                    "instanceView": { "statuses": [
                        { "code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded" },
                        { "code": "PowerState/running", "level": "Info", "displayStatus": "VM running" },
                    ] },
                },
            }),
        },
    ]
}

/// The body of a NIC at 10.240.0.`last`, of a machine or of none.
pub fn nic(last: u8, machine: Option<&str>) -> Value {
    let mut body = json!({
        "location": LOCATION,
        "properties": {
            "enableIPForwarding": false,
            "ipConfigurations": [{
                "name": "ipconfig1",
                "properties": {
                    "privateIPAddress": format!("10.240.0.{last}"), "privateIPAllocationMethod": "Static",
                    "subnet": { "id": network_path(&format!("virtualNetworks/{NETWORK}/subnets/{SUBNET}")) },
                },
            }],
        },
    });
    if let Some(machine) = machine {
        body["properties"]["virtualMachine"] = json!({ "id": machine });
    }
    body
}

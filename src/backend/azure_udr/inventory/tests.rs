#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use serde_json::{Value as Json, json};

use super::*;

const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";

fn id(group: &str, rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{rest}")
}

fn subnet_id(network: &str, subnet: &str) -> String {
    id("g", &format!("Microsoft.Network/virtualNetworks/{network}/subnets/{subnet}"))
}

#[allow(clippy::needless_pass_by_value)]
fn machine(name: &str, tags: Json) -> Json {
    // Azure spells ids in many ways.
    let interface = id("G", &format!("Microsoft.Network/networkInterfaces/{}-NIC", name.to_uppercase()));
    json!({
        "name": name, "id": id("G", &format!("Microsoft.Compute/virtualMachines/{name}")), "tags": tags,
        "properties": { "networkProfile": { "networkInterfaces": [{ "id": interface }] } },
    })
}

fn interface(name: &str, address: &str) -> Json {
    let subnet = subnet_id("v", "s");
    json!({
        "name": format!("{name}-nic"), "id": id("g", &format!("Microsoft.Network/networkInterfaces/{name}-nic")),
        "properties": { "enableIPForwarding": true, "ipConfigurations": [
            { "properties": { "privateIPAddress": address, "primary": true, "subnet": { "id": subnet } } },
        ] },
    })
}

fn network(name: &str, space: &[&str], subnets: &[(&str, &[&str])]) -> Json {
    let subnets: Vec<Json> = subnets
        .iter()
        .map(|(name, prefixes)| match prefixes {
            [one] => json!({ "name": name, "properties": { "addressPrefix": one } }),
            _ => json!({ "name": name, "properties": { "addressPrefixes": prefixes } }),
        })
        .collect();
    json!({
        "name": name, "id": id("g", &format!("Microsoft.Network/virtualNetworks/{name}")), "location": "eastus2",
        "properties": { "addressSpace": { "addressPrefixes": space }, "subnets": subnets },
    })
}

fn plain_network() -> Json {
    network("v", &["10.0.0.0/16"], &[("s", &["10.0.0.0/24"])])
}

/// Reads one machine `a` at 10.0.0.4 with these tags and this change.
fn one(tags: Json, change: impl FnOnce(&mut Json, &mut Json)) -> Result<Inventory, Vec<Contradiction>> {
    let (mut machine, mut interface) = (machine("a", tags), interface("a", "10.0.0.4"));
    change(&mut machine, &mut interface);
    read(&[machine], &[interface], &[plain_network()])
}

fn nothing(_: &mut Json, _: &mut Json) {}

/// Why the one machine was left out.
fn skipped(tags: Json, change: impl FnOnce(&mut Json, &mut Json)) -> String {
    let inventory = one(tags, change).unwrap();
    assert!(inventory.machines.is_empty() && inventory.networks.is_empty(), "{inventory:?}");
    let [Note { kind: NoteKind::Skipped, text, .. }] = &inventory.notes[..] else { panic!("{:?}", inventory.notes) };
    assert!(text.ends_with('.') && !text.chars().any(char::is_control), "{text}");
    text.strip_prefix("Skipped the machine `a`: ").unwrap_or(text).to_owned()
}

fn pods(inventory: &Inventory) -> Vec<String> {
    inventory.machines[0].pods.iter().map(ToString::to_string).collect()
}

#[test]
fn all_spellings_of_the_tag_are_one() {
    for tag in ["pod-cidr", "podCidr", "PodCIDR", "pod_cidr", "POD-CIDR", "podcidr"] {
        let inventory = one(json!({ tag: "10.200.0.0/24", "role": "worker" }), nothing).unwrap();
        assert_eq!((pods(&inventory), inventory.notes), (vec!["10.200.0.0/24".to_owned()], vec![]), "{tag}");
    }
    for tag in ["pod-cidrs", "cidr", "pod.cidr", "pod cidr"] {
        let inventory = one(json!({ tag: "10.200.0.0/24" }), nothing).unwrap();
        assert!(pods(&inventory).is_empty());
        assert_eq!(inventory.notes[0].text, "`a` has no tag pod-cidr, and became a node without pods.");
    }
    for tags in [json!(null), json!({}), json!("x"), json!([1])] {
        assert_eq!(one(tags, nothing).unwrap().notes[0].kind, NoteKind::WithoutPods);
    }
}

#[test]
fn two_spellings_may_not_differ() {
    let same = json!({ "pod-cidr": "10.200.0.0/24,10.200.9.0/24", "podCidr": "10.200.9.0/24, 10.200.0.0/24" });
    assert_eq!(one(same, nothing).unwrap().machines.len(), 1);
    let sentences = one(json!({ "pod-cidr": "10.200.0.0/24", "podCidr": "10.200.1.0/24" }), nothing).unwrap_err();
    assert_eq!(
        sentences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["The machine `a` has two different tags for its pods: `pod-cidr` = `10.200.0.0/24` and `podCidr` = \
             `10.200.1.0/24`."]
    );
    assert!(one(json!({ "pod-cidr": "", "podCidr": "10.200.1.0/24" }), nothing).is_err());
    assert!(skipped(json!({ "pod-cidr": "x", "podCidr": "x" }), nothing).contains("not a list of prefixes"));
}

#[test]
fn a_tag_that_is_no_list_of_prefixes_leaves_the_machine_out() {
    for (tag, reason) in [
        ("10.200.0.1/24", "`10.200.0.1/24` has host bits set; the prefix is `10.200.0.0/24`."),
        ("10.200.0.0", "`10.200.0.0` should look like 10.200.1.0/24."),
        ("", "it is empty."),
        ("10.200.0.0/24,", "`` should look like 10.200.1.0/24."),
        ("0.0.0.0/0", "`0.0.0.0/0` is the default route."),
        ("10.200.0.0/24,10.200.0.0/24", "`10.200.0.0/24` occurs twice."),
        ("\u{1b}[2J\u{202e}", "`\\u{1b}[2J\\u{202e}` should look like 10.200.1.0/24."),
    ] {
        assert_eq!(
            skipped(json!({ "pod-cidr": tag }), nothing),
            format!("its tag `pod-cidr` is not a list of prefixes: {reason}")
        );
    }
    assert!(skipped(json!({ "pod-cidr": "x".repeat(5000) }), nothing).len() < 300);
    assert!(skipped(json!({ "pod-cidr": 7 }), nothing).contains("it is empty"));
    assert_eq!(
        skipped(json!({ "pod-cidr": "fd00:1::/64" }), nothing),
        "its tag has the IPv6 prefix fd00:1::/64, but it has no private IPv6 address."
    );
}

#[test]
fn a_machine_that_cannot_be_a_node_is_left_out() {
    let tags = || json!({ "pod-cidr": "10.200.0.0/24" });
    assert!(
        skipped(tags(), |it, _| it["name"] = json!("a b\u{1b}"))
            .contains("`a b\\u{1b}`: its name is not a valid name of a node")
    );
    assert!(skipped(tags(), |it, _| it["name"] = json!(null)).contains("not a valid name"));
    for profile in [json!(null), json!({}), json!({ "networkInterfaces": [] }), json!({ "networkInterfaces": [{}] })] {
        let reason = skipped(tags(), |it, _| it["properties"]["networkProfile"] = profile);
        assert_eq!(reason, "it has no network interface.");
    }
    assert_eq!(skipped(tags(), |_, it| it["id"] = json!("other")), "its network interface `A-NIC` does not exist.");
    for configurations in [json!(null), json!([]), json!([{}]), json!([{ "properties": { "privateIPAddress": "x" } }])]
    {
        let reason = skipped(tags(), |_, it| it["properties"]["ipConfigurations"] = configurations);
        assert_eq!(reason, "its network interface has no private address.");
    }
    for (subnet, wanted) in [
        (json!(null), "its network interface is in no subnet."),
        (json!("/subscriptions/a"), "its network interface is in no subnet."),
        (json!(subnet_id("w", "s")), "its virtual network `w` does not exist."),
        (json!(subnet_id("v", "t")), "its subnet `v/t` does not exist."),
    ] {
        let reason = skipped(tags(), |_, it| {
            it["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"] = subnet;
        });
        assert_eq!(reason, wanted);
    }
    let inventory = read(
        &[machine("a", tags())],
        &[interface("a", "10.0.0.4")],
        &[network("v", &["10.0.0.0/16"], &[("s", &["x"])])],
    );
    assert!(inventory.unwrap().notes[0].text.ends_with("its subnet `v/s` has no address prefix."));
}

#[test]
fn the_primary_interface_counts_with_one_address_of_each_family() {
    let inventory = one(json!({ "pod-cidr": "10.200.0.0/24, fd00:200::/64" }), |machine, interface| {
        let own = machine["properties"]["networkProfile"]["networkInterfaces"][0]["id"].clone();
        machine["properties"]["networkProfile"]["networkInterfaces"] =
            json!([{ "id": "other", "properties": { "primary": false } }, { "id": own, "properties": { "primary": true } }]);
        let subnet = json!({ "id": subnet_id("V", "S") });
        let of = |address: &str, primary: bool| json!({ "properties": { "privateIPAddress": address, "primary": primary, "subnet": subnet } });
        interface["properties"]["ipConfigurations"] = json!([
            of("10.0.0.9", false), of("fd00::9", false), of("10.0.0.4", true), of("fd00::8", false), { "properties": {} },
        ]);
    })
    .unwrap();
    let addresses: Vec<IpAddr> = vec!["10.0.0.4".parse().unwrap(), "fd00::9".parse().unwrap()];
    assert_eq!(inventory.machines[0].addresses, addresses);
    assert_eq!(pods(&inventory), ["10.200.0.0/24", "fd00:200::/64"]);
    assert_eq!(inventory.networks[0].name, "V", "as the interface spells it");
}

#[test]
fn interfaces_of_other_groups_and_networks_are_asked_for() {
    let machines = [machine("a", json!({})), machine("b", json!({}))];
    let interfaces = [interface("a", "10.0.0.4"), interface("unattached", "10.0.0.7")];
    let elsewhere: Vec<String> = interfaces_elsewhere(&machines, &interfaces).into_iter().collect();
    assert_eq!(elsewhere, [id("G", "Microsoft.Network/networkInterfaces/B-NIC")]);
    let networks: Vec<String> = networks_of(&machines, &interfaces).into_iter().collect();
    assert_eq!(networks, [id("g", "Microsoft.Network/virtualNetworks/v")]);
    assert!(networks_of(&machines[1..], &interfaces).is_empty());
}

/// Two networks of which each has a subnet `default`.
fn two_networks() -> Inventory {
    let mut far = interface("c", "10.1.0.4");
    far["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"] = json!(subnet_id("w", "default"));
    far["properties"]["enableIPForwarding"] = json!(false);
    let mut near = interface("b", "10.0.0.10");
    near["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"] = json!(subnet_id("v", "default"));
    let networks = [
        network(
            "v",
            &["10.0.0.0/16"],
            &[("s", &["10.0.1.0/24"]), ("default", &["10.0.0.0/24"]), ("empty", &["10.0.9.0/24"])],
        ),
        network("w", &["10.1.0.0/16", "fd00:1::/48"], &[("default", &["10.1.0.0/24", "fd00:1::/64"])]),
    ];
    let tags = |number: u8| json!({ "pod-cidr": format!("10.200.{number}.0/24") });
    let machines = [machine("c", tags(3)), machine("b", tags(2)), machine("a", tags(1))];
    read(&machines, &[far, near, interface("a", "10.0.1.4")], &networks).unwrap()
}

#[test]
fn subnets_and_networks_are_told_apart() {
    let inventory = two_networks();
    let names: Vec<_> = inventory.machines.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c"], "by address");
    let subnets: Vec<_> = inventory.subnets.iter().map(|it| format!("{} {:?}", it.name, it.cidr)).collect();
    assert_eq!(subnets, ["v-default [10.0.0.0/24]", "s [10.0.1.0/24]", "w-default [10.1.0.0/24, fd00:1::/64]"]);
    let text = inventory.to_topology(&Name::new("k").unwrap(), SUBSCRIPTION, "g");
    let (_, backends) = text.split_once("\n[backends.azure-v]\n").unwrap();
    assert_eq!(
        backends.split("\n# For machines").next().unwrap(),
        "\
type = \"azure-udr\"
nodes = [\"b\", \"a\"]
subscription   = \"00000000-0000-0000-0000-000000000001\"
resource_group = \"g\"
location       = \"eastus2\"
route_table    = \"v-routes\"
subnets        = [\"v/default\", \"v/s\"]

[backends.azure-w]
type = \"azure-udr\"
nodes = [\"c\"]
subscription   = \"00000000-0000-0000-0000-000000000001\"
resource_group = \"g\"
location       = \"eastus2\"
route_table    = \"w-routes\"
subnets        = [\"w/default\"]
# Turns IP forwarding on if it is off. Without this line, a next hop without IP forwarding is an error.
ip_forwarding  = \"enable\"
"
    );
}

#[test]
fn a_network_of_another_group_is_named_with_it() {
    let inventory = one(json!({ "pod-cidr": "10.200.0.0/24" }), nothing).unwrap();
    let name = Name::new("k").unwrap();
    let text = inventory.to_topology(&name, &SUBSCRIPTION.to_uppercase(), "Other");
    assert!(text.contains("resource_group = \"Other\"\n") && text.contains("subnets        = [\"g/v/s\"]\n"), "{text}");
    assert!(text.contains("route_table    = \"Other-routes\"\n"), "{text}");
    let text = inventory.to_topology(&name, "another subscription", "Other");
    assert!(text.contains("resource_group = \"g\"\n") && text.contains("subnets        = [\"v/s\"]\n"), "{text}");
}

#[test]
fn texts_of_azure_cannot_act_in_the_file() {
    let mut inventory = one(json!({ "pod-cidr": "10.200.0.0/24" }), nothing).unwrap();
    let hostile = "e\"\\\n[x]\u{202e}\u{1b}ü";
    inventory.networks[0].location = hostile.to_owned();
    inventory.networks[0].name = hostile.to_owned();
    let text = inventory.to_topology(&Name::new("k").unwrap(), SUBSCRIPTION, hostile);
    assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}') && text.contains('ü'), "{text}");
    let document: toml_edit::DocumentMut = text.parse().unwrap();
    let table = &document["backends"]["azure-udr"];
    assert_eq!(table["location"].as_str(), Some(hostile));
    assert_eq!(table["resource_group"].as_str(), Some(hostile));
    assert_eq!(document.len(), 4, "topology, subnets, nodes, backends");
}

#[test]
fn names_that_are_none_get_a_number() {
    let mut taken = BTreeSet::new();
    let mut label = |parts: &[&str]| network::label(parts, "subnet", &mut taken).to_string();
    let long = "a".repeat(63);
    assert_eq!(label(&["default"]), "default");
    assert_eq!(label(&["v", "default"]), "v-default");
    assert_eq!(label(&["default"]), "default-2");
    assert_eq!(label(&["a b"]), "subnet-1");
    assert_eq!(label(&[&long]), "subnet-2");
}

#[test]
fn interfaces_of_scale_sets_and_of_other_groups_are_said_to_be_unread() {
    let mut network = plain_network();
    let nic =
        |group: &str, name: &str| id(group, &format!("Microsoft.Network/networkInterfaces/{name}/ipConfigurations/c"));
    let scale_set = |number: u8| {
        id(
            "g",
            &format!(
                "Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/{number}/networkInterfaces/n/ipConfigurations/c"
            ),
        )
    };
    let balancer = id("g", "Microsoft.Network/loadBalancers/l/frontendIPConfigurations/c");
    let all = [nic("G", "a-nic"), scale_set(0), scale_set(1), nic("other", "x"), balancer];
    network["properties"]["subnets"][0]["properties"]["ipConfigurations"] =
        all.iter().map(|id| json!({ "id": id })).collect();
    let inventory =
        read(&[machine("a", json!({ "podCidr": "10.200.0.0/24" }))], &[interface("a", "10.0.0.4")], &[network])
            .unwrap();
    let texts: Vec<_> = inventory.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "topo did not read 1 network interface in the resource group `other` in the subnet `v/s`. If it is a node, \
             add it by hand.",
            "topo did not read 2 network interfaces of the scale set `pool` in the subnet `v/s`. If they are nodes, \
             add them by hand.",
        ]
    );
    let address = |text: &str| vec![text.parse::<IpAddr>().unwrap()];
    assert!(inventory.is_silent_on("x", &address("10.0.0.7")), "it may be one of those");
    assert!(!inventory.is_silent_on("x", &address("10.0.1.7")));
    assert!(inventory.is_silent_on("x", &address("192.168.0.7")), "outside the network");
    assert!(inventory.is_silent_on("x", &[]));
}

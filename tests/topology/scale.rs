//! Large topologies.

use std::fmt::Write;
use std::time::Instant;

use topo::backend::REGISTRY;
use topo::topology::{Source, parse};

/// 5,000 nodes in 500 subnets, dual stack, with pods of both families.
fn large() -> String {
    let mut text = String::from(
        "[topology]\nname = \"large\"\n\n[backends.ssh-static]\n\n[groups.all]\nnodes = [\"node-*\"]\nssh = { user = \"x\" }\n\n",
    );
    for subnet in 0..500 {
        let (high, low) = (subnet / 250, subnet % 250);
        let v4 = format!("10.{high}.{low}");
        let v6 = format!("fd00:{subnet:x}:");
        writeln!(text, "[subnets.s{subnet}]\ncidr = [\"{v4}.0/24\", \"{v6}:/64\"]\ngateway = [\"{v4}.1\", \"{v6}:1\"]\nrouted = true").expect("text");
    }
    text.push_str("[nodes]\n");
    for node in 0..5000 {
        let (subnet, host) = (node / 10, node % 10 + 10);
        let (high, low) = (subnet / 250, subnet % 250);
        writeln!(
            text,
            "node-{node} = {{ address = [\"10.{high}.{low}.{host}\", \"fd00:{subnet:x}::{host:x}\"], \
             pods = [\"10.{}.{}.0/24\", \"fd01:{node:x}::/64\"] }}",
            100 + node / 250,
            node % 250
        )
        .expect("text");
    }
    text
}

#[test]
fn a_large_topology_is_valid() {
    let (topology, findings) = parse(&[Source { name: "topo.toml".to_owned(), text: large() }], REGISTRY.formats());
    assert!(findings.is_empty(), "{:?}", findings.iter().next());
    let topology = topology.expect("topology");
    assert_eq!((topology.nodes.len(), topology.subnets.len()), (5000, 500));
    assert!(topology.nodes.values().all(|node| node.ssh.user.as_deref() == Some("x")));
}

#[cfg(feature = "azure")]
#[test]
fn routers_that_azure_stands_for_need_not_know_anything() {
    let azure =
        "type = \"azure-udr\"\nsubscription = \"00000000-0000-0000-0000-000000000000\"\nlocation = \"eastus2\"\n";
    let table = |name: &str, nodes: &str| {
        format!(
            "[backends.{name}]\n{azure}resource_group = \"{name}\"\nnodes = [{nodes}]\nsubnets = [\"{name}/nodes\"]\n"
        )
    };
    let warnings = |tables: &[String]| {
        let text = large().replace("\nrouted = true", "") + &tables.concat();
        let (topology, findings) = parse(&[Source { name: "topo.toml".to_owned(), text }], REGISTRY.formats());
        assert!(topology.is_some(), "{:?}", findings.iter().next());
        findings.iter().count()
    };
    assert_eq!(warnings(&[]), 1000, "one for each subnet and family");
    assert_eq!(warnings(&[table("all", "\"*\"")]), 0);
    assert_eq!(
        warnings(&[table("some", "\"node-??\", \"node-?\"")]),
        1000,
        "each has others that Azure does not route to"
    );
    // Each node is in one table or another, and all are in one.
    let many: Vec<String> =
        (0..40).map(|number| table(&format!("t{number}"), &format!("\"node-*{number}\""))).collect();
    assert_eq!(warnings(&[many, vec![table("all", "\"*\"")]].concat()), 0);
}

/// Prints what parsing alone and all of it take: `cargo test --release large_times -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and judges nothing"]
#[allow(clippy::print_stderr)]
fn large_times() {
    let sources = [Source { name: "topo.toml".to_owned(), text: large() }];
    let least = |work: &dyn Fn()| {
        let times = (0..60).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        });
        times.min().expect("times")
    };
    let bare = least(&|| drop(toml::de::DeTable::parse_recoverable(&sources[0].text)));
    let whole = least(&|| drop(parse(&sources, REGISTRY.formats())));
    eprintln!("{} KB: {bare:?} to parse, {whole:?} with all checks", sources[0].text.len() / 1024);
}

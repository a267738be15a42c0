//! The content of topo's files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::json;

use super::attributes::{Attributes, Link};
use crate::backend::Header;
use crate::exchange::node::FileForm;
use crate::network::{Family, MAIN_TABLE, Prefix, Route, RouteSet, View};

/// Path and content of each file that keeps the routes. Leaves out routes whose definition nobody has looked up.
pub fn render(header: &Header, name: &str, routes: &RouteSet, attributes: &Attributes) -> Vec<(String, String)> {
    let mut sections: BTreeMap<&Link, Vec<Route>> = BTreeMap::new();
    for route in routes.routes() {
        if let Some(link) = attributes.link_of(route.next_hop) {
            sections.entry(link).or_default().push(route);
        }
    }
    match attributes.form() {
        FileForm::Netplan if sections.is_empty() => Vec::new(),
        FileForm::Netplan => {
            vec![(format!("/etc/netplan/{name}"), netplan(header, &sections, &routes.view))]
        }
        FileForm::Networkd => sections
            .into_iter()
            .map(|(link, routes_of)| {
                (format!("/etc/systemd/network/{}.d/{name}", link.id), networkd(header, &routes_of, &routes.view))
            })
            .collect(),
    }
}

/// One line per route, so that a diff shows routes.
fn netplan(header: &Header, sections: &BTreeMap<&Link, Vec<Route>>, view: &View) -> String {
    let mut text = header.line();
    text.push_str("network:\n  version: 2\n");
    let mut kinds: BTreeMap<&str, Vec<(&Link, &Vec<Route>)>> = BTreeMap::new();
    for (link, routes) in sections {
        kinds.entry(&link.kind).or_default().push((link, routes));
    }
    for (kind, links) in kinds {
        let _ = writeln!(text, "  {kind}:");
        for (link, routes) in links {
            let _ = writeln!(text, "    {}:\n      routes:", quoted(&link.id));
            for route in routes {
                let _ = write!(text, "      - {{to: \"{}\", via: \"{}\"", route.destination, route.next_hop);
                if view.gateways_on_link().contains(&route.next_hop) {
                    text.push_str(", on-link: true");
                }
                if view.table != MAIN_TABLE {
                    let _ = write!(text, ", table: {}", view.table);
                }
                if let Some(metric) = written_metric(view, &route.destination) {
                    let _ = write!(text, ", metric: {metric}");
                }
                text.push_str("}\n");
            }
        }
    }
    text
}

fn networkd(header: &Header, routes: &[Route], view: &View) -> String {
    let mut text = header.line();
    for route in routes {
        let _ = write!(
            text,
            "\n[Route]\nDestination={}\nGateway={}\nProtocol={}\n",
            route.destination, route.next_hop, view.protocol
        );
        if view.gateways_on_link().contains(&route.next_hop) {
            text.push_str("GatewayOnLink=yes\n");
        }
        if view.table != MAIN_TABLE {
            let _ = writeln!(text, "Table={}", view.table);
        }
        if let Some(metric) = written_metric(view, &route.destination) {
            let _ = writeln!(text, "Metric={metric}");
        }
    }
    text
}

/// The metric, if there is one. 0 is the kernel's default for IPv4. For IPv6, networkd reads 0 as 1024, like the
/// kernel.
fn written_metric(view: &View, destination: &Prefix) -> Option<u32> {
    let metric = view.metric?;
    (metric != 0 || destination.family() == Family::V4).then_some(metric)
}

/// A definition's ID as a key of YAML.
fn quoted(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.bytes().all(plain) && id.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()) {
        return id.to_owned();
    }
    // A string of JSON is one of YAML.
    json!(id).to_string()
}

/// The routes of a file that this or an older topo wrote: destination and next hop.
pub fn routes_in(text: &str) -> BTreeMap<Prefix, IpAddr> {
    let mut routes = BTreeMap::new();
    let mut destination: Option<Prefix> = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(flow) = line.strip_prefix("- {to: ") {
            let mut words = flow.split(['"', ',', '}', ' ']).filter(|word| !word.is_empty());
            let to: Option<Prefix> = words.next().and_then(|word| word.parse().ok());
            let via: Option<IpAddr> =
                words.skip_while(|word| *word != "via:").nth(1).and_then(|word| word.parse().ok());
            routes.extend(to.zip(via));
        } else if let Some(to) = line.strip_prefix("Destination=") {
            destination = to.parse().ok();
        } else if let Some(via) = line.strip_prefix("Gateway=") {
            routes.extend(destination.take().zip(via.parse().ok()));
        }
    }
    routes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::network::Row;

    fn set(metric: Option<u32>, table: u32) -> RouteSet {
        let row = |destination: &str, owner: &str| Row {
            destination: destination.parse().expect("prefix"),
            owner: owner.parse().expect("address"),
        };
        let view = View {
            table,
            metric,
            protocol: 201,
            device: None,
            on_link: vec!["0.0.0.0/0".parse().expect("prefix"), "::/0".parse().expect("prefix")],
            via: Vec::new(),
            gateway_on_link: false,
        };
        RouteSet {
            rows: [row("10.200.1.0/24", "10.240.0.21"), row("fd00:200:1::/64", "fd00:240::21")].into_iter().collect(),
            view: Arc::new(view),
            own: Arc::from([]),
            excluded: Arc::default(),
        }
    }

    fn header() -> Header {
        Header { topology: "kthw".into(), lineage: "ab12".into() }
    }

    fn attributes(networkd: bool) -> Attributes {
        let link = |device: &str, id: &str, kind: &str, hops: &[&str]| Link {
            device: device.into(),
            id: id.into(),
            kind: kind.into(),
            hops: hops.iter().map(|hop| hop.parse().expect("address")).collect(),
        };
        let links =
            vec![link("eth0", "id0", "ethernets", &[]), link("bond0", "bond \"0\"", "bonds", &["fd00:240::21"])];
        Attributes { networkd, links, ..Attributes::default() }
    }

    #[test]
    fn a_netplan_file_adds_routes_to_definitions_of_others() {
        let files = render(&header(), "60-topo.yaml", &set(None, 254), &attributes(false));
        let [(path, text)] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!(path, "/etc/netplan/60-topo.yaml");
        insta::assert_snapshot!(text, @r#"
        # Written by topo for topology kthw, lineage ab12. What is changed here by hand, topo changes back.
        network:
          version: 2
          bonds:
            "bond \"0\"":
              routes:
              - {to: "fd00:200:1::/64", via: "fd00:240::21"}
          ethernets:
            id0:
              routes:
              - {to: "10.200.1.0/24", via: "10.240.0.21"}
        "#);
        assert_eq!(Header::read(text), Some(header()));
        assert_eq!(routes_in(text).len(), 2);
        assert_eq!(routes_in(text)[&"10.200.1.0/24".parse().expect("prefix")].to_string(), "10.240.0.21");
        let other = &render(&header(), "60-topo.yaml", &set(Some(5), 100), &attributes(false))[0].1;
        assert!(other.contains("via: \"10.240.0.21\", table: 100, metric: 5}"), "{other}");
        assert_eq!(routes_in(other), routes_in(text));
    }

    #[test]
    fn drop_ins_carry_the_mark_one_for_each_network_file() {
        let files = render(&header(), "60-topo.conf", &set(Some(0), 254), &attributes(true));
        let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            ["/etc/systemd/network/bond \"0\".d/60-topo.conf", "/etc/systemd/network/id0.d/60-topo.conf"]
        );
        insta::assert_snapshot!(files[1].1, @r"
        # Written by topo for topology kthw, lineage ab12. What is changed here by hand, topo changes back.

        [Route]
        Destination=10.200.1.0/24
        Gateway=10.240.0.21
        Protocol=201
        Metric=0
        ");
        assert_eq!(routes_in(&files[1].1).len(), 1);
    }

    #[test]
    fn what_topo_did_not_write_has_no_header() {
        for text in ["", "network:\n", "# Written by topo", "# Written by topo for topology x\n", "\u{feff}# x"] {
            assert_eq!(Header::read(text), None, "{text}");
        }
    }
}

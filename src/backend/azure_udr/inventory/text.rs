//! The topology made from the result.

use std::fmt::Write;

use crate::resource::Name;
use crate::topology::machines::{key, list, node_lines};

use super::super::names;
use super::super::settings::BACKEND;
use super::{Inventory, Network};

impl Inventory {
    /// The text up to the backends: name, subnets, nodes.
    fn nodes_text(&self, name: &Name) -> String {
        let mut subnets = String::new();
        for subnet in &self.subnets {
            let cidr = match &subnet.cidr[..] {
                [one] => format!("\"{one}\""),
                several => list(several),
            };
            let _ = writeln!(subnets, "[subnets.{}]\ncidr = {cidr}\n", key(subnet.name.as_str()));
        }
        format!(
            "\
# A topology made from machines in Azure. `topo validate` checks it. `topo init --from azure://… --update` updates \
[nodes].

[topology]
name = \"{name}\"

# The subnets of the virtual network that contain nodes.
{subnets}[nodes]
{}",
            node_lines(&self.machines)
        )
    }

    /// The whole text. `subscription` and `resource_group` say where the machines are: topo creates tables there.
    pub fn to_topology(&self, name: &Name, subscription: &str, resource_group: &str) -> String {
        let mut text = self.nodes_text(name);
        let single = self.networks.len() == 1;
        text.push_str(if single {
            "\n# A route table for these subnets, with a route to the pods of each node.\n"
        } else {
            "
# A route table for each virtual network, with routes to the pods of its own nodes. The tables have no routes to pods in
# other
# networks, because these work only between peered networks.
"
        });
        for network in &self.networks {
            // A table must be in the subscription of its network, which may be another one.
            let here = network.subscription.eq_ignore_ascii_case(subscription);
            let group = if here { resource_group } else { &network.resource_group };
            if single {
                let _ = writeln!(text, "[backends.{BACKEND}]");
            } else {
                let _ =
                    writeln!(text, "[backends.{}]\ntype = \"{BACKEND}\"", key_of(&format!("azure-{}", network.label)));
                let _ = writeln!(text, "nodes = {}", list(&network.nodes));
            }
            // A resource group may have a name that is not valid as the start of a table's name.
            let usual = format!("{group}{}", names::TABLE_ENDING);
            let named = single && names::is_name(&usual);
            let table = if named { usual } else { format!("{}{}", network.label, names::TABLE_ENDING) };
            text.push_str(&settings(network, group, &table));
            if !single {
                text.push('\n');
            }
        }
        text.push_str(if single { "\n" } else { "" });
        text.push_str(
            "\
# For machines outside of Azure: a [subnets] table for their network, and kernel routes over SSH.
# [backends.ssh-static]
# nodes = [\"edge-*\"]
",
        );
        text
    }
}

fn settings(network: &Network, group: &str, table: &str) -> String {
    let elsewhere = !network.resource_group.eq_ignore_ascii_case(group);
    let subnets: Vec<String> = network
        .subnets
        .iter()
        .map(|subnet| {
            let path = format!("{}/{subnet}", network.name);
            quoted(&if elsewhere { format!("{}/{path}", network.resource_group) } else { path })
        })
        .collect();
    let mut text = String::new();
    for (key, value) in [
        ("subscription", quoted(&network.subscription)),
        ("resource_group", quoted(group)),
        ("location", quoted(&network.location)),
        ("route_table", quoted(table)),
        ("subnets", format!("[{}]", subnets.join(", "))),
    ] {
        let _ = writeln!(text, "{key:14} = {value}");
    }
    if !network.not_forwarding.is_empty() {
        let _ = writeln!(
            text,
            "# Turns IP forwarding on if it is off. Without this line, a next hop without IP forwarding is an error."
        );
        let _ = writeln!(text, "{:14} = \"enable\"", "ip_forwarding");
    }
    text
}

/// A name made from another one, as a TOML key.
fn key_of(text: &str) -> String {
    Name::new(text).map_or_else(|_| quoted(text), |name| key(name.as_str()))
}

/// A TOML string. Escapes everything that could affect an editor or a terminal.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            // Visible letters stay; all others become numbers.
            _ if letter.is_alphanumeric() || (letter.is_ascii() && !letter.is_ascii_control()) => quoted.push(letter),
            _ => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(letter));
            }
        }
    }
    quoted.push('"');
    quoted
}

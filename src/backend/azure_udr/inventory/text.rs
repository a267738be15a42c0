//! The topology made from the result.

use std::fmt::Write;

use crate::resource::Name;
use crate::topology::machines::node_lines;
use crate::topology::toml_text::{key, list};

use super::super::names;
use super::super::settings::BACKEND;
use super::{Inventory, Network, Subnet};

impl Inventory {
    /// A topology of the nodes, as text. `subscription` and `resource_group` say where the machines are: topo creates
    /// tables there.
    pub fn to_topology(&self, name: &Name, subscription: &str, resource_group: &str) -> String {
        let mut text = format!(include_str!("head.toml"), name = name);
        for Subnet { name, cidr } in &self.subnets {
            let cidr = match &cidr[..] {
                [one] => format!("\"{one}\""),
                several => list(several),
            };
            let _ = writeln!(text, "[subnets.{}]\ncidr = {cidr}\n", key(name.as_str()));
        }
        let _ = writeln!(text, "[nodes]\n{}", node_lines(&self.machines));
        let single = self.networks.len() == 1;
        text.push_str(if single {
            "# A route table for these subnets, with a route to the pods of each node.\n"
        } else {
            "\
# A route table for each virtual network, with routes to the pods of its own nodes. The tables have no routes to pods in
# other networks, because these work only between peered networks.
"
        });
        for network in &self.networks {
            // A table must be in the subscription of its network, which may be another one.
            let here = network.subscription.eq_ignore_ascii_case(subscription);
            let group = if here { resource_group } else { &network.resource_group };
            if single {
                let _ = writeln!(text, "[backends.{BACKEND}]");
            } else {
                let (name, nodes) = (key(&format!("azure-{}", network.label)), list(&network.nodes));
                let _ = writeln!(text, "[backends.{name}]\ntype = \"{BACKEND}\"\nnodes = {nodes}");
            }
            // A resource group may have a name that is not valid as the start of a table's name.
            let usual = format!("{group}{}", names::TABLE_ENDING);
            let named = single && names::is_name(&usual);
            let table = if named { usual } else { format!("{}{}", network.label, names::TABLE_ENDING) };
            text.push_str(&settings(network, group, &table));
            text.push('\n');
        }
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
    let path = if elsewhere { format!("{}/{}", network.resource_group, network.name) } else { network.name.clone() };
    let subnets: Vec<String> = network.subnets.iter().map(|subnet| quoted(&format!("{path}/{subnet}"))).collect();
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
        text.push_str(
            "\
# Turns IP forwarding on if it is off. Without this line, a next hop without IP forwarding is an error.
ip_forwarding  = \"enable\"
",
        );
    }
    text
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

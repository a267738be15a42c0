//! The topology that is written of what was read.

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
            let _ = writeln!(subnets, "[subnets.{}]\ncidr = {cidr}\n", key(&subnet.name));
        }
        format!(
            "\
# A topology made from machines in Azure. `topo validate` checks it; `topo init --from azure://… --update` reads [nodes] anew.

[topology]
name = \"{name}\"

# The subnets of the virtual network that nodes are in.
{subnets}[nodes]
{}",
            node_lines(&self.machines)
        )
    }

    /// The whole text. `subscription` and `resource_group` are where the machines were read: tables are made there.
    pub fn to_topology(&self, name: &Name, subscription: &str, resource_group: &str) -> String {
        let mut text = self.nodes_text(name);
        let single = self.networks.len() == 1;
        text.push_str(if single {
            "\n# A route table with a route to the pods of each node, for these subnets.\n"
        } else {
            "
# A route table for each virtual network, for the pods of its own nodes. A table has no routes to the pods of the nodes in the other
# networks unless these are peered; without peering nothing gets there.
"
        });
        for network in &self.networks {
            // A table is in the subscription of its network, which may be shared from elsewhere.
            let here = network.subscription.eq_ignore_ascii_case(subscription);
            let group = if here { resource_group } else { &network.resource_group };
            if single {
                let _ = writeln!(text, "[backends.{BACKEND}]");
            } else {
                let _ =
                    writeln!(text, "[backends.{}]\ntype = \"{BACKEND}\"", key_of(&format!("azure-{}", network.label)));
                let _ = writeln!(text, "nodes = {}", list(&network.nodes));
            }
            // A resource group may have a name that a table cannot begin with.
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
        let _ = writeln!(text, "# Turns IP forwarding on where it is off; without this, such a next hop is an error.");
        let _ = writeln!(text, "{:14} = \"enable\"", "ip_forwarding");
    }
    text
}

/// A name that was made of another, as a TOML key.
fn key_of(text: &str) -> String {
    Name::new(text).map_or_else(|_| quoted(text), |name| key(&name))
}

/// A TOML string. Whatever could act in an editor or a terminal is escaped, too.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            // Letters that are seen as they are; all others by their number.
            _ if letter.is_alphanumeric() || (letter.is_ascii() && !letter.is_ascii_control()) => quoted.push(letter),
            _ => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(letter));
            }
        }
    }
    quoted.push('"');
    quoted
}

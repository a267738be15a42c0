//! Rewrites the nodes in a topology's text from a list of machines. Everything else stays.

use std::collections::BTreeMap;
use std::net::IpAddr;

use toml_edit::{DocumentMut, Item, Key, TableLike, Value};

use crate::network::Prefix;

use super::machines::{Machine, node_value};
use super::toml_text::{addresses_value, key, list};

/// The changes of a rewrite, each with the node's name and a few words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New nodes.
    pub added: Vec<(String, String)>,
    /// Nodes with another address or other pod subnets.
    pub changed: Vec<(String, String)>,
    /// Nodes that were removed.
    pub removed: Vec<(String, String)>,
    /// Nodes that stay although they are not in the list: their names in their own spelling.
    pub kept: Vec<String>,
}

impl Changes {
    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// The text with only the nodes of the list. Addresses and pod subnets come from the list; other keys of a node stay. A
/// node that is not in the list stays if `stays` says so, for its name and its readable addresses. None if the text is not
/// a TOML document with a table of nodes.
pub fn update(text: &str, machines: &[Machine], stays: &dyn Fn(&str, &[IpAddr]) -> bool) -> Option<(String, Changes)> {
    let mut document: DocumentMut = text.parse().ok()?;
    let mut changes = Changes::default();
    let root = document.as_table_mut();
    if !root.contains_key("nodes") {
        root.insert("nodes", toml_edit::table());
    }
    let nodes = root.get_mut("nodes")?.as_table_like_mut()?;
    let wanted: BTreeMap<&str, &Machine> = machines.iter().map(|machine| (machine.name.as_str(), machine)).collect();

    let names: Vec<String> = nodes.iter().map(|(name, _)| name.to_owned()).collect();
    let mut comment = String::new();
    for name in &names {
        let listed = wanted.contains_key(name.as_str());
        let addresses = || {
            let node = nodes.get(name).and_then(Item::as_table_like);
            node.and_then(|node| parsed(node.get("address"))).unwrap_or_default()
        };
        if !listed && stays(name, &addresses()) {
            changes.kept.push(name.escape_debug().to_string());
        } else if !listed {
            comment.push_str(&leading_comment(nodes, name));
            nodes.remove(name);
            changes.removed.push((name.clone(), String::new()));
        } else if !comment.is_empty() && give_comment(nodes, name, &comment) {
            comment.clear();
        }
    }
    for machine in machines {
        let name = machine.name.as_str();
        if let Some(item) = nodes.get_mut(name) {
            let node = item.as_table_like_mut()?;
            let mut what = Vec::new();
            let given: Option<Vec<IpAddr>> = parsed(node.get("address"));
            if given.as_deref().is_none_or(|given| !same(given, &machine.addresses)) {
                what.push(format!("address {}", addresses_value(&machine.addresses)));
                put(node, "address", &addresses_value(&machine.addresses))?;
            }
            let given: Option<Vec<Prefix>> =
                parsed(node.get("pods")).or_else(|| (!node.contains_key("pods")).then(Vec::new));
            if given.as_deref().is_none_or(|given| !same(given, &machine.pods)) {
                what.push(format!("pods {}", list(&machine.pods)));
                if machine.pods.is_empty() {
                    node.remove("pods");
                } else {
                    put(node, "pods", &list(&machine.pods))?;
                }
            }
            if !what.is_empty() {
                changes.changed.push((name.to_owned(), what.join(", ")));
            }
        } else {
            let value: Value = node_value(machine).parse().ok()?;
            let mut new = Key::new(name);
            if !comment.is_empty() {
                new.leaf_decor_mut().set_prefix(std::mem::take(&mut comment));
            }
            nodes.entry_format(&new).or_insert(Item::Value(value));
            changes.added.push((key(name), node_value(machine)));
        }
    }
    Some((document.to_string(), changes))
}

fn same<T: PartialEq>(left: &[T], right: &[T]) -> bool {
    left.len() == right.len() && left.iter().all(|value| right.contains(value))
}

/// The values of a string or a list of strings, if all are readable.
fn parsed<T: std::str::FromStr>(item: Option<&Item>) -> Option<Vec<T>> {
    let item = item?;
    match item.as_array() {
        Some(array) => array.iter().map(|value| value.as_str()?.parse().ok()).collect(),
        None => Some(vec![item.as_str()?.parse().ok()?]),
    }
}

/// Replaces a value and keeps the space and comments around it.
fn put(node: &mut dyn TableLike, key: &str, text: &str) -> Option<()> {
    let mut value: Value = text.parse().ok()?;
    match node.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            node.insert(key, Item::Value(value));
        }
    }
    Some(())
}

/// The comment lines above a removed node. They stay, because they are often about the following nodes.
fn leading_comment(nodes: &dyn TableLike, name: &str) -> String {
    let prefix = match nodes.get(name) {
        Some(Item::Table(table)) => table.decor().prefix(),
        _ => nodes.key(name).and_then(|key| key.leaf_decor().prefix()),
    };
    let text = prefix.and_then(|prefix| prefix.as_str()).unwrap_or_default();
    if text.contains('#') { text.to_owned() } else { String::new() }
}

/// Puts comment lines above a node.
fn give_comment(nodes: &mut dyn TableLike, name: &str, comment: &str) -> bool {
    if let Some(Item::Table(table)) = nodes.get_mut(name) {
        let before = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
        table.decor_mut().set_prefix(format!("{comment}{before}"));
        return true;
    }
    let Some(mut key) = nodes.key_mut(name) else { return false };
    let before = key.leaf_decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
    key.leaf_decor_mut().set_prefix(format!("{comment}{before}"));
    true
}

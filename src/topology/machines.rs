//! The `machines.txt` of *Kubernetes the hard way*: one line `IP FQDN HOSTNAME [POD_SUBNET]` per machine.

use std::fmt::Write;
use std::net::IpAddr;

use crate::network::Prefix;

use super::LARGEST_FILE;
use super::check;
use super::diagnostics::{Diagnostic, Diagnostics, Reporter, Source, Span};
use super::document::{read_addresses, read_prefixes};
use super::draft::Draft;
use super::format::Formats;
use super::grammar;
use super::node_draft::{NodeDraft, OfNode, SettingsDraft};
use super::reader::{Located, Subject};
use super::toml_text::{addresses_value, key, list};
use crate::resource::Name;

/// A machine in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its host name (the third word).
    pub name: Name,
    /// Its addresses, at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// The pod subnets behind it.
    pub pods: Vec<Prefix>,
}

/// Reads the file's text, and returns the machines in the same order. Blank lines and `#` comments are allowed, and
/// several addresses or pod subnets separated by commas. If a finding is an error, there are no machines.
pub fn parse(source: &Source) -> (Vec<Machine>, Diagnostics) {
    let report = Reporter::default();
    if source.text.len() > LARGEST_FILE {
        Diagnostic::error(Span::default(), "The file is larger than 4 MiB, so topo did not read it.", "")
            .report_to(&report);
        return (Vec::new(), report.finish());
    }
    let mut draft = Draft::default();
    let mut order = Vec::new();
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let content = line.split('#').next().unwrap_or_default();
        if let Some(name) = read_line(&mut draft, content, start, &report) {
            order.push(name);
        }
        start += line.len();
    }
    if order.is_empty() && report.is_empty() {
        Diagnostic::error(Span::default(), "The file has no machines.", "")
            .hint("Write one line per machine: IP FQDN HOSTNAME [POD_SUBNET].")
            .report_to(&report);
    }
    let mut by_name: Vec<&NodeDraft<'_>> = draft.nodes.iter().collect();
    by_name.sort_by_key(|node| (node.name.value, node.name.span));
    for pair in by_name.windows(2) {
        let (first, again) = (pair[0].name, pair[1].name);
        if first.value == again.value {
            Diagnostic::error(again.span, format!("The machine `{}` occurs twice.", again.value), "again")
                .second(first.span, "first here")
                .report_to(&report);
        }
    }
    let in_order = check::file_order(&draft);
    check::check_addresses(&draft, &in_order, &report);
    check::check_pods(&draft, &in_order, &report);
    let diagnostics = report.finish();
    let mut machines = Vec::new();
    if !diagnostics.has_errors() {
        machines.extend(draft.nodes.iter().zip(order).map(|(node, name)| Machine {
            name,
            addresses: draft.addresses_of(node).collect(),
            pods: draft.pods_of(node).collect(),
        }));
    }
    (machines, diagnostics)
}

fn read_line<'a>(draft: &mut Draft<'a>, content: &'a str, start: usize, report: &Reporter) -> Option<Name> {
    let located = |word: &'a str| {
        let at = start + (word.as_ptr() as usize - content.as_ptr() as usize);
        Located { value: word, span: Span::new(0, at..at + word.len()) }
    };
    let listed = |word: &'a str| word.split(',').filter(|word| !word.is_empty()).map(located);
    let mut words = content.split_whitespace();
    let first = words.next()?;
    let (Some(host), Some(name)) = (words.next().map(located), words.next().map(located)) else {
        let line = located(content.trim());
        Diagnostic::error(line.span, "This line does not describe a machine.", "fewer than three words")
            .hint(
                "Write IP FQDN HOSTNAME [POD_SUBNET], for example 10.240.0.20 node-0.kubernetes.local node-0 \
                 10.200.0.0/24.",
            )
            .report_to(report);
        return None;
    };
    let node = u32::try_from(draft.nodes.len()).unwrap_or(u32::MAX);
    let (first_address, first_pod) = (draft.addresses.len(), draft.pods.len());
    let found = |address| draft.addresses.push(OfNode::new(address, node));
    let whole = read_addresses(listed(first), Subject::Named("machine", name.value), "address", report, found);
    if !(grammar::HOST.is_valid)(host.value) {
        let message = format!("`{}` is not a fully qualified host name.", host.value.escape_debug());
        Diagnostic::error(host.span, message, "the second word")
            .hint("Write IP FQDN HOSTNAME [POD_SUBNET].")
            .report_to(report);
    }
    read_prefixes(words.flat_map(listed), report, |pod| draft.pods.push(OfNode::new(pod, node)));
    grammar::NAME.accepts(name, "a valid name of a node", report);
    draft.nodes.push(NodeDraft {
        name,
        addresses: first_address..draft.addresses.len(),
        pods: first_pod..draft.pods.len(),
        settings: SettingsDraft::default(),
        damaged: !whole || draft.addresses.len() == first_address,
    });
    // After an invalid name there will be no machines. This name only keeps the order.
    Name::new(name.value).or_else(|_| Name::new("invalid")).ok()
}

/// A topology for the machines, as text.
pub fn to_topology(name: &Name, machines: &[Machine], formats: Formats) -> String {
    let nodes = node_lines(machines);
    let backends = examples(formats);
    format!(include_str!("new.toml"), name = name, nodes = nodes, backends = backends.trim_end())
}

/// The lines that activate backends in a new topology.
pub fn examples(formats: Formats) -> String {
    formats.iter().filter_map(|format| format.example()).collect::<Vec<_>>().join("\n")
}

/// The lines below `[nodes]`, one per machine.
pub(crate) fn node_lines(machines: &[Machine]) -> String {
    let mut lines = String::new();
    let width = machines.iter().map(|machine| key(machine.name.as_str()).len()).max().unwrap_or(0);
    for machine in machines {
        let _ = writeln!(lines, "{:width$} = {}", key(machine.name.as_str()), node_value(machine));
    }
    lines
}

/// The value in a node's line.
pub(super) fn node_value(machine: &Machine) -> String {
    let address = addresses_value(&machine.addresses);
    let pods = if machine.pods.is_empty() { String::new() } else { format!(", pods = {}", list(&machine.pods)) };
    format!("{{ address = {address}{pods} }}")
}

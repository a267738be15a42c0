//! Reads the tables of the document into a draft, and makes the checks that need only one value or table.

use std::net::IpAddr;

use crate::network::{Family, Prefix};

use super::backends;
use super::diagnostics::{Diagnostic, Reporter, Span};
use super::draft::{Draft, GroupDraft, SubnetDraft};
use super::format::Formats;
use super::grammar;
use super::node_draft::{NodeDraft, OfNode, SettingsDraft};
use super::patterns::read_patterns;
use super::reader::{Entry, Located, Subject, TableReader};
use super::suggest::did_you_mean;
use super::toml_text;
use crate::resource::Name;

/// Keys that make sense only for a single node.
const KEYS_OF_ONE_NODE: &[&str] = &["address", "pods", "prefixes"];

/// Reads the whole document.
pub(super) fn read(mut root: TableReader<'_>, formats: Formats) -> Draft<'_> {
    let mut draft = Draft::default();
    match root.section("topology") {
        Some(header) => read_header(header, &mut draft),
        None if root.report.broken || root.has("topology") => {}
        None => Diagnostic::error(root.span, "The topology has no name.", "`[topology]` is missing")
            .hint(
                "Add a line [topology], and below it for example name = \"kthw\". topo uses this name for the \
                 state and for what it creates.",
            )
            .report_to(root.report),
    }
    read_decommissioned(&mut root, &mut draft);
    let subnets = named(&mut root, "subnets", "subnet");
    draft.subnets = subnets.filter_map(|(entry, reader)| Some(read_subnet(&entry, reader?))).collect();
    let nodes = named(&mut root, "nodes", "node");
    draft.nodes.reserve(nodes.len());
    draft.addresses.reserve(2 * nodes.len());
    draft.pods.reserve(2 * nodes.len());
    nodes.for_each(|(entry, reader)| read_node(&mut draft, &entry, reader));
    let groups = named(&mut root, "groups", "group");
    draft.groups = groups.filter_map(|(entry, reader)| Some(read_group(&entry, reader?))).collect();
    if let Some(mut reader) = root.section("ssh") {
        draft.ssh = read_ssh(&mut reader);
        if let Some(host) = draft.ssh.host.take() {
            let message = "`host` in `[ssh]` would send the logins of all nodes to one host.";
            Diagnostic::error(host.span, message, "not for all nodes")
                .hint("Set it in a node's entry: ssh = { host = \"…\" }.")
                .report_to(reader.report);
        }
        reader.finish();
    }
    let tables = named(&mut root, "backends", "backend");
    draft.has_backends = tables.len() > 0;
    draft.backends = tables.filter_map(|(entry, reader)| backends::read(&entry, reader?, formats)).collect();
    root.finish();
    draft
}

/// The tables inside a table at the document's root, sorted by name. Reports an invalid name, but reads its table all the
/// same. None if the value is not a table.
fn named<'a>(
    root: &mut TableReader<'a>,
    key: &'static str,
    kind: &'static str,
) -> impl ExactSizeIterator<Item = (Entry<'a>, Option<TableReader<'a>>)> + use<'a> {
    let report = root.report;
    let entries = root.section(key).map(|mut section| section.entries()).unwrap_or_default();
    entries.into_iter().map(move |entry| {
        grammar::NAME.accepts(entry.name(), &format!("a valid name of a {kind}"), report);
        let reader = match entry.as_str() {
            Some(text) if kind == "node" => {
                let shown = text.escape_debug();
                Diagnostic::error(entry.span, format!("Node `{}` must be a table.", entry.key), "this is a string")
                    .hint(format!("Write {} = {{ address = \"{shown}\" }}.", toml_text::key(entry.key)))
                    .report_to(report);
                None
            }
            _ => entry.table(report, Subject::Named(kind, entry.key)),
        };
        (entry, reader)
    })
}

fn read_header<'a>(mut header: TableReader<'a>, draft: &mut Draft<'a>) {
    match header.string("name") {
        Some(name) => {
            grammar::NAME.accepts(name, "a valid name of a topology", header.report);
            draft.name = Name::new(name.value).ok();
        }
        None if header.report.broken || header.has_near("name") => {}
        None => Diagnostic::error(header.span, "The topology has no name.", "`name` is missing")
            .hint("Add for example name = \"kthw\". topo uses this name for the state and for what it creates.")
            .report_to(header.report),
    }
    read_decommissioned(&mut header, draft);
    header.finish();
}

fn read_decommissioned<'a>(reader: &mut TableReader<'a>, draft: &mut Draft<'a>) {
    let names = reader.strings("decommissioned").into_iter().flatten();
    let report = reader.report;
    draft.decommissioned.extend(names.filter(|name| grammar::NAME.accepts(*name, "a valid name of a node", report)));
}

/// Reads prefixes. Returns whether all were readable.
pub(super) fn read_prefixes<'t>(
    texts: impl Iterator<Item = Located<&'t str>>,
    report: &Reporter,
    mut found: impl FnMut(Located<Prefix>),
) -> bool {
    let mut whole = true;
    for text in texts {
        match grammar::read_prefix(text, report) {
            Some(prefix) => found(prefix),
            None => whole = false,
        }
    }
    whole
}

/// Reads addresses, at most one of each family. Returns whether all were readable.
pub(super) fn read_addresses<'t>(
    texts: impl Iterator<Item = Located<&'t str>>,
    subject: Subject<'_>,
    what: &str,
    report: &Reporter,
    mut found: impl FnMut(Located<IpAddr>),
) -> bool {
    let mut seen: [Option<Span>; 2] = [None, None];
    let mut whole = true;
    for text in texts {
        let Some(address) = grammar::read_address(text, report) else {
            whole = false;
            continue;
        };
        let family = Family::of(address.value);
        let slot = &mut seen[usize::from(family == Family::V6)];
        if let Some(first) = slot {
            let message = format!("{} has more than one {} {what}.", subject.at_start(), family.label());
            Diagnostic::error(text.span, message, "one too many")
                .hint("Use at most one of each family.")
                .second(*first, "the first")
                .report_to(report);
        } else {
            *slot = Some(text.span);
            found(address);
        }
    }
    whole
}

fn read_subnet<'a>(entry: &Entry<'a>, mut reader: TableReader<'a>) -> SubnetDraft<'a> {
    let (subject, report) = (reader.subject, reader.report);
    let damaged = report.broken;
    let mut subnet = SubnetDraft {
        name: entry.name(),
        cidr: Vec::new(),
        gateway: Vec::new(),
        routed: false,
        on_link: None,
        damaged,
    };
    if let Some(texts) = reader.strings("cidr") {
        texts.refuse_empty(|| format!("Subnet `{}` has no prefix.", entry.key), None);
        subnet.damaged |= !read_prefixes(texts, report, |prefix| subnet.cidr.push(prefix));
    } else {
        reader.report_missing("cidr", "\"10.240.0.0/24\"");
    }
    if let Some(default) = subnet.cidr.iter().find(|prefix| prefix.value.is_default()) {
        let message = format!("Subnet `{}` contains all addresses.", entry.key);
        Diagnostic::error(default.span, message, "the default route").report_to(report);
    }
    subnet.damaged |= subnet.cidr.is_empty();
    if let Some(texts) = reader.strings("gateway") {
        subnet.damaged |= !read_addresses(texts, subject, "gateway", report, |gateway| subnet.gateway.push(gateway));
    }
    subnet.routed = reader.boolean("routed").is_some_and(|routed| routed.value);
    subnet.on_link = reader.boolean("on_link").filter(|on_link| on_link.value).map(|on_link| on_link.span);
    reader.finish();
    subnet
}

fn read_node<'a>(draft: &mut Draft<'a>, entry: &Entry<'a>, reader: Option<TableReader<'a>>) {
    let index = u32::try_from(draft.nodes.len()).unwrap_or(u32::MAX);
    let (first_address, first_pod) = (draft.addresses.len(), draft.pods.len());
    let mut settings = SettingsDraft::default();
    let mut damaged = false;
    if let Some(mut reader) = reader {
        let report = reader.report;
        let addresses = reader.strings("address");
        let absent = addresses.is_none();
        if let Some(texts) = addresses {
            texts.refuse_empty(|| format!("Node `{}` has no address.", entry.key), None);
            let found = |address| draft.addresses.push(OfNode::new(address, index));
            damaged |= !read_addresses(texts, reader.subject, "address", report, found);
        }
        let (pods, prefixes) = (reader.strings("pods"), reader.strings("prefixes"));
        if let (Some(pods), Some(prefixes)) = (&pods, &prefixes) {
            let message = format!("Node `{}` has both `pods` and `prefixes`. They are names of one key.", entry.key);
            Diagnostic::error(prefixes.span, message, "again here")
                .second(pods.span, "first here")
                .hint("Put all prefixes behind the node into one of them.")
                .report_to(report);
        }
        if let Some(texts) = pods.or(prefixes) {
            read_prefixes(texts, report, |prefix| draft.pods.push(OfNode::new(prefix, index)));
        }
        settings = read_settings(&mut reader, "node", entry.key);
        // A name with a dot and without quotes makes a table inside the node.
        let is_nested = |inner: &Entry<'_>| inner.is_table() && did_you_mean(inner.key, &["ssh"]).is_none();
        let has_nested = reader.unknown().iter().any(is_nested);
        damaged |= has_nested || report.broken;
        if absent && !has_nested {
            reader.report_missing("address", "\"10.240.0.20\"");
        }
        reader.finish_with(|inner| {
            let full = format!("{}.{}", entry.key, inner.key);
            let hint = || format!("If `{full}` is the name of a node, put it in quotes: [nodes.\"{full}\"].");
            is_nested(inner).then(hint)
        });
    }
    damaged |= draft.addresses.len() == first_address;
    draft.nodes.push(NodeDraft {
        name: entry.name(),
        addresses: first_address..draft.addresses.len(),
        pods: first_pod..draft.pods.len(),
        settings,
        damaged,
    });
}

fn read_group<'a>(entry: &Entry<'a>, mut reader: TableReader<'a>) -> GroupDraft<'a> {
    let patterns = read_patterns(&mut reader);
    if patterns.is_none() {
        reader.report_missing("nodes", "[\"node-*\"]");
    }
    let settings = read_settings(&mut reader, "group", entry.key);
    for key in KEYS_OF_ONE_NODE {
        if let Some(found) = reader.entry(key) {
            let message = format!("A group cannot have `{key}`: each node needs its own.");
            Diagnostic::error(found.key_span, message, "not for a group")
                .hint("Move it to the node's own entry.")
                .report_to(reader.report);
        }
    }
    reader.finish();
    GroupDraft { name: entry.name(), patterns: patterns.unwrap_or_default(), settings }
}

/// Reads `ssh`, `interface`, `nat` and `managed` of a node or a group.
fn read_settings<'a>(reader: &mut TableReader<'a>, kind: &'static str, name: &'a str) -> SettingsDraft<'a> {
    let mut settings = SettingsDraft::default();
    if let Some(mut ssh) = reader.table("ssh", Subject::SshOf(kind, name)) {
        settings = read_ssh(&mut ssh);
        ssh.finish();
    }
    let interface = reader.string("interface");
    settings.interface =
        interface.filter(|text| grammar::DEVICE.accepts(*text, "the name of a network device", reader.report));
    settings.nat = reader.boolean("nat");
    settings.managed = reader.boolean("managed");
    settings
}

fn read_ssh<'a>(reader: &mut TableReader<'a>) -> SettingsDraft<'a> {
    let (host, user) = (reader.string("host"), reader.string("user"));
    let report = reader.report;
    let host = host.filter(|host| grammar::HOST.accepts(*host, "a host name or address", report));
    let user = user.filter(|user| grammar::USER.accepts(*user, "a login name", report));
    let (port, sudo) = (reader.integer("port", 1..=65535), reader.boolean("sudo"));
    SettingsDraft { host, port, user, sudo, ..SettingsDraft::default() }
}

//! Reads the tables of the document into a draft, and makes the checks that need only one value or table.

use std::net::IpAddr;
use std::ops::Range;

use crate::network::{Family, Prefix};

use super::backends::{self, BackendDraft};
use super::diagnostics::{Diagnostic, Span};
use super::format::Formats;
use super::grammar;
use super::reader::{Entry, Located, Strings, Subject, TableReader, unknown_key};
use super::suggest::did_you_mean;
use crate::resource::Name;

/// Keys that make sense only for a single node.
const KEYS_OF_ONE_NODE: &[&str] = &["address", "pods"];

/// The readable part of the document. Addresses and pod subnets are flat lists, so that checks can sort them.
#[derive(Default)]
pub(super) struct Draft<'a> {
    pub(super) name: Option<Name>,
    pub(super) decommissioned: Vec<Located<&'a str>>,
    pub(super) subnets: Vec<SubnetDraft<'a>>,
    /// Sorted by name.
    pub(super) nodes: Vec<NodeDraft<'a>>,
    pub(super) addresses: Vec<OfNode<IpAddr>>,
    pub(super) pods: Vec<OfNode<Prefix>>,
    pub(super) groups: Vec<GroupDraft<'a>>,
    /// The settings for all nodes: how to log in.
    pub(super) ssh: SettingsDraft<'a>,
    pub(super) backends: Vec<BackendDraft<'a>>,
    /// Whether there is a table of a backend, valid or not.
    pub(super) has_backends: bool,
}

/// A value of a node.
pub(super) struct OfNode<T> {
    pub(super) value: T,
    /// Index of the node.
    pub(super) node: u32,
    pub(super) span: Span,
}

pub(super) struct SubnetDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) cidr: Vec<Located<Prefix>>,
    pub(super) gateway: Vec<Located<IpAddr>>,
    pub(super) routed: bool,
    /// Whether a part of it was unreadable, so that a missing value proves nothing.
    pub(super) damaged: bool,
}

pub(super) struct NodeDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) addresses: Range<usize>,
    pub(super) pods: Range<usize>,
    pub(super) settings: SettingsDraft<'a>,
    /// Whether some of its addresses were unreadable, so that a missing address proves nothing.
    pub(super) damaged: bool,
}

impl AsRef<str> for NodeDraft<'_> {
    fn as_ref(&self) -> &str {
        self.name.value
    }
}

pub(super) struct GroupDraft<'a> {
    pub(super) name: Located<&'a str>,
    pub(super) patterns: Vec<Located<&'a str>>,
    pub(super) settings: SettingsDraft<'a>,
}

/// The settings of a node or a group.
#[derive(Clone, Copy, Default)]
pub(super) struct SettingsDraft<'a> {
    pub(super) host: Option<Located<&'a str>>,
    pub(super) port: Option<Located<u16>>,
    pub(super) user: Option<Located<&'a str>>,
    pub(super) sudo: Option<Located<bool>>,
    pub(super) interface: Option<Located<&'a str>>,
}

/// Reads the whole document. With `broken`, a part of it was not TOML, so that a missing value proves nothing.
pub(super) fn read(mut root: TableReader<'_>, formats: Formats, broken: bool) -> Draft<'_> {
    let mut draft = Draft::default();
    match root.section("topology") {
        Some(header) => read_header(header, &mut draft, broken),
        None if broken || root.has("topology") => {}
        None => Diagnostic::error(root.span, "The topology has no name.", "`[topology]` is missing")
            .hint(
                "Add a line [topology], and below it for example name = \"kthw\". topo uses this name for the \
                 state and for what it creates.",
            )
            .report_to(root.report),
    }
    read_decommissioned(&mut root, &mut draft);
    read_named(&mut root, "subnets", "subnet", |entry, reader| {
        draft.subnets.extend(reader.map(|reader| read_subnet(entry, reader, broken)));
    });
    let nodes = root.size_of("nodes");
    draft.nodes.reserve(nodes);
    draft.addresses.reserve(2 * nodes);
    draft.pods.reserve(2 * nodes);
    read_named(&mut root, "nodes", "node", |entry, reader| read_node(&mut draft, entry, reader, broken));
    read_named(&mut root, "groups", "group", |entry, reader| {
        draft.groups.extend(reader.map(|reader| read_group(entry, reader, broken)));
    });
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
    read_named(&mut root, "backends", "backend", |entry, reader| {
        draft.has_backends = true;
        draft.backends.extend(reader.and_then(|reader| backends::read(entry, reader, formats, broken)));
    });
    root.finish();
    draft
}

/// Reads the tables inside a table at the document's root, sorted by name. Reports an invalid name, but reads its table
/// all the same. None if the value is not a table.
fn read_named<'a>(
    root: &mut TableReader<'a>,
    key: &'static str,
    kind: &'static str,
    mut take: impl FnMut(&Entry<'a>, Option<TableReader<'a>>),
) {
    let Some(mut section) = root.section(key) else { return };
    let report = section.report;
    for entry in section.entries() {
        grammar::NAME.accepts(entry.name(), &format!("a valid name of a {kind}"), report);
        let reader = match entry.as_str() {
            Some(text) if kind == "node" => {
                let shown = text.escape_debug();
                Diagnostic::error(entry.span, format!("Node `{}` must be a table.", entry.key), "this is a string")
                    .hint(format!("Write {} = {{ address = \"{shown}\" }}.", quoted(entry.key)))
                    .report_to(report);
                None
            }
            _ => entry.table(report, Subject::Named(kind, entry.key)),
        };
        take(&entry, reader);
    }
}

/// A name as a TOML key.
fn quoted(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

fn read_header<'a>(mut header: TableReader<'a>, draft: &mut Draft<'a>, broken: bool) {
    match header.string("name") {
        Some(name) => {
            if grammar::NAME.accepts(name, "a valid name of a topology", header.report) {
                draft.name = Name::new(name.value).ok();
            }
        }
        None if broken || header.has_near("name") => {}
        None => {
            Diagnostic::error(header.span, "The topology has no name.", "`name` is missing")
                .hint(
                    "Add for example name = \"kthw\". topo uses this name for the \
                 state and for what it creates.",
                )
                .report_to(header.report);
        }
    }
    read_decommissioned(&mut header, draft);
    header.finish();
}

fn read_decommissioned<'a>(reader: &mut TableReader<'a>, draft: &mut Draft<'a>) {
    let names = reader.strings("decommissioned").into_iter().flatten();
    let report = reader.report;
    draft.decommissioned.extend(names.filter(|name| grammar::NAME.accepts(*name, "a valid name of a node", report)));
}

/// Reads prefixes. The second value says whether all were readable.
fn read_prefixes(reader: &TableReader<'_>, texts: Strings<'_>, mut found: impl FnMut(Located<Prefix>)) -> bool {
    let mut whole = true;
    for text in texts {
        match grammar::read_prefix(text, reader.report) {
            Some(value) => found(Located { value, span: text.span }),
            None => whole = false,
        }
    }
    whole
}

/// Reads addresses, at most one of each family. Returns whether all were readable.
fn read_addresses(
    reader: &TableReader<'_>,
    what: &str,
    texts: Strings<'_>,
    mut found: impl FnMut(Located<IpAddr>),
) -> bool {
    let mut seen: [Option<Span>; 2] = [None, None];
    let mut whole = true;
    for text in texts {
        let Some(value) = grammar::read_address(text, reader.report) else {
            whole = false;
            continue;
        };
        let family = Family::of(value);
        let slot = &mut seen[usize::from(family == Family::V6)];
        if let Some(first) = slot {
            let message = format!("{} has more than one {} {what}.", reader.subject.at_start(), family.label());
            Diagnostic::error(text.span, message, "one too many")
                .hint("Use at most one of each family.")
                .second(*first, "the first")
                .report_to(reader.report);
        } else {
            *slot = Some(text.span);
            found(Located { value, span: text.span });
        }
    }
    whole
}

fn read_subnet<'a>(entry: &Entry<'a>, mut reader: TableReader<'a>, broken: bool) -> SubnetDraft<'a> {
    let mut subnet =
        SubnetDraft { name: entry.name(), cidr: Vec::new(), gateway: Vec::new(), routed: false, damaged: broken };
    match reader.strings("cidr") {
        Some(texts) => {
            let (empty, span) = (texts.is_empty_list(), texts.span);
            subnet.damaged |= !read_prefixes(&reader, texts, |prefix| subnet.cidr.push(prefix));
            if let Some(default) = subnet.cidr.iter().find(|prefix| prefix.value.is_default()) {
                let message = format!("Subnet `{}` contains all addresses.", entry.key);
                Diagnostic::error(default.span, message, "the default route").report_to(reader.report);
            }
            if empty {
                Diagnostic::error(span, format!("Subnet `{}` has no prefix.", entry.key), "this list is empty")
                    .report_to(reader.report);
            }
            subnet.damaged |= subnet.cidr.is_empty();
        }
        None if broken => {}
        None => {
            subnet.damaged = true;
            reader.report_missing("cidr", "\"10.240.0.0/24\"");
        }
    }
    if let Some(texts) = reader.strings("gateway") {
        subnet.damaged |= !read_addresses(&reader, "gateway", texts, |gateway| subnet.gateway.push(gateway));
    }
    subnet.routed = reader.boolean("routed").is_some_and(|routed| routed.value);
    reader.finish();
    subnet
}

fn read_node<'a>(draft: &mut Draft<'a>, entry: &Entry<'a>, reader: Option<TableReader<'a>>, broken: bool) {
    let index = u32::try_from(draft.nodes.len()).unwrap_or(u32::MAX);
    let (first_address, first_pod) = (draft.addresses.len(), draft.pods.len());
    let mut damaged = broken || reader.is_none();
    let mut settings = SettingsDraft::default();
    if let Some(mut reader) = reader {
        let addresses = reader.strings("address");
        let absent = addresses.is_none();
        if let Some(texts) = addresses {
            let (empty, span) = (texts.is_empty_list(), texts.span);
            damaged |= !read_addresses(&reader, "address", texts, |address| {
                draft.addresses.push(OfNode { value: address.value, node: index, span: address.span });
            });
            if empty {
                let message = format!("Node `{}` has no address.", entry.key);
                Diagnostic::error(span, message, "this list is empty").report_to(reader.report);
            }
            damaged |= draft.addresses.len() == first_address;
        }
        if let Some(texts) = reader.strings("pods") {
            read_prefixes(&reader, texts, |prefix| {
                draft.pods.push(OfNode { value: prefix.value, node: index, span: prefix.span });
            });
        }
        settings = read_settings(&mut reader, "node", entry.key);
        // A name with a dot and without quotes.
        let unknown = reader.unknown();
        let mut nested =
            unknown.iter().filter(|key| key.is_table() && did_you_mean(key.key, &["ssh"]).is_none()).peekable();
        if nested.peek().is_some() {
            for inner in nested {
                let full = format!("{}.{}", entry.key, inner.key);
                let span = inner.key_span;
                let message = format!("There is no key `{}` in node `{}`.", inner.key, entry.key);
                Diagnostic::error(span, message, "a table inside the node")
                    .hint(format!("If `{full}` is the name of a node, put it in quotes: [nodes.\"{full}\"]."))
                    .report_to(reader.report);
            }
            damaged = true;
            for key in unknown.iter().filter(|key| !key.is_table()) {
                unknown_key(key, reader.subject, &["address", "pods", "ssh", "interface"]).report_to(reader.report);
            }
        } else {
            if absent {
                damaged = true;
                if !broken {
                    reader.report_missing("address", "\"10.240.0.20\"");
                }
            }
            reader.finish();
        }
    }
    draft.nodes.push(NodeDraft {
        name: entry.name(),
        addresses: first_address..draft.addresses.len(),
        pods: first_pod..draft.pods.len(),
        settings,
        damaged,
    });
}

fn read_group<'a>(entry: &Entry<'a>, mut reader: TableReader<'a>, broken: bool) -> GroupDraft<'a> {
    let patterns = read_patterns(&mut reader);
    if patterns.is_none() && !broken {
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

/// Reads `nodes`, a list of patterns.
pub(super) fn read_patterns<'a>(reader: &mut TableReader<'a>) -> Option<Vec<Located<&'a str>>> {
    let texts = reader.strings("nodes")?;
    if texts.is_empty_list() {
        let message = format!("`nodes` of {} is empty.", reader.subject);
        Diagnostic::error(texts.span, message, "this list is empty")
            .hint("For all nodes, write [\"*\"].")
            .report_to(reader.report);
    }
    let report = reader.report;
    Some(texts.filter(|text| grammar::PATTERN.accepts(*text, "a valid pattern for names of nodes", report)).collect())
}

/// Reads `ssh` and `interface` of a node or a group.
fn read_settings<'a>(reader: &mut TableReader<'a>, kind: &'static str, name: &'a str) -> SettingsDraft<'a> {
    let mut settings = SettingsDraft::default();
    if let Some(mut ssh) = reader.table("ssh", Subject::SshOf(kind, name)) {
        settings = read_ssh(&mut ssh);
        ssh.finish();
    }
    let interface = reader.string("interface");
    settings.interface =
        interface.filter(|text| grammar::DEVICE.accepts(*text, "the name of a network device", reader.report));
    settings
}

fn read_ssh<'a>(reader: &mut TableReader<'a>) -> SettingsDraft<'a> {
    let (host, user) = (reader.string("host"), reader.string("user"));
    let report = reader.report;
    let host = host.filter(|host| grammar::HOST.accepts(*host, "a host name or address", report));
    let user = user.filter(|user| grammar::USER.accepts(*user, "a login name", report));
    SettingsDraft { host, port: reader.integer("port", 1..=65535), user, sudo: reader.boolean("sudo"), interface: None }
}

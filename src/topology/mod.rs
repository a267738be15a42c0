//! The topology: the wanted network, read from TOML and checked. Pure: text in, [`Topology`] and diagnostics out.

mod backends;
mod check;
mod diagnostics;
mod document;
mod draft;
mod format;
mod glob;
mod grammar;
mod links;
pub mod load;
pub mod machines;
mod node_draft;
mod patterns;
mod prefix_index;
pub mod reader;
pub mod schema;
mod suggest;
pub(crate) mod toml_text;
mod tree;
pub mod update;

pub use diagnostics::{Diagnostic, Diagnostics, LineIndex, Reporter, Severity, Source, Span};
pub use format::{Formats, RoutesOf, Table, TableFormat, TableRead, Tables};

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use toml::de::DeTable;

use crate::network::{Prefix, Rows};
use crate::resource::Name;

use reader::{Subject, TableReader};
use tree::Tree;

/// The largest number of TOML errors to report for one file: a file may be no TOML at all.
const MOST_SYNTAX_ERRORS: usize = 500;

/// The largest text that is parsed, in bytes: a parsed document takes about 35 times its size.
pub const LARGEST_FILE: usize = 4 * 1024 * 1024;

/// A checked topology.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The name for the state and for what topo creates.
    pub name: Name,
    /// Machines that no longer exist: topo drops their records without a login.
    pub decommissioned: BTreeSet<Name>,
    /// The networks of the node addresses. Empty: all nodes share one link, and the nodes themselves decide.
    pub subnets: BTreeMap<Name, Subnet>,
    /// The machines.
    pub nodes: BTreeMap<Name, Node>,
    /// The active backends, by the names of their tables: a backend's own name, or any name with `type = …`.
    pub backends: BTreeMap<Name, BackendTable>,
    /// The pod subnets of all nodes, each with the address of its family that its node has.
    pub rows: Rows,
}

/// A network of node addresses: one link, or one subnet of a virtual network.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Its prefixes, one or more of each family.
    pub cidr: Vec<Prefix>,
    /// The addresses through which its nodes reach nodes in other subnets, at most one of each family.
    pub gateway: Vec<IpAddr>,
    /// Whether the gateway is on the link although no prefix of a node contains it, and everything goes through it.
    pub on_link: bool,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its addresses, at most one of each family; they are the next hops towards its pods.
    pub addresses: Arc<[IpAddr]>,
    /// The pod subnets behind it.
    pub pods: Vec<Prefix>,
    /// How to log in.
    pub ssh: NodeSsh,
    /// The device for its routes; none means the device that the kernel uses.
    pub interface: Option<Box<str>>,
    /// Whether its addresses are translated on the way, so that the machine itself has others.
    pub nat: bool,
    /// Whether topo logs in to it. If not, routes lead to it, and topo writes nothing there.
    pub managed: bool,
}

/// How to log in to a node. ssh's own configuration decides what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSsh {
    /// Host name or address to connect to; none means the node's first address.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Login name.
    pub user: Option<String>,
    /// Whether commands run through `sudo -n`.
    pub sudo: bool,
}

/// An active backend.
#[derive(Clone, Debug)]
pub struct BackendTable {
    /// The backend, as its table says.
    pub backend: &'static str,
    /// The nodes that it serves: those that get its routes, or those whose pods its routes lead to.
    pub nodes: BTreeSet<Name>,
    /// Its settings, checked and normalised by the backend itself.
    pub settings: serde_json::Value,
}

/// Parses and checks one document, which may consist of several files. Reports all findings at once. If one of them is
/// an error, there is no topology. The tables of backends have these formats.
pub fn parse(sources: &[Source], formats: Formats) -> (Option<Topology>, Diagnostics) {
    let mut report = Reporter::default();
    let mut broken_lines: BTreeSet<(u32, usize)> = BTreeSet::new();
    let mut documents = Vec::with_capacity(sources.len());
    let mut indexes: BTreeMap<usize, LineIndex> = BTreeMap::new();
    for (file, source) in sources.iter().enumerate() {
        if source.text.len() > LARGEST_FILE {
            Diagnostic::error(Span::new(file, 0..0), "The file is larger than 4 MiB, so topo did not read it.", "")
                .hint("Split it: a topology can be a directory of .toml files.")
                .report_to(&report);
            report.broken = true;
            continue;
        }
        let number = u32::try_from(file).unwrap_or(u32::MAX);
        if let Some(tree) = Tree::read(&source.text) {
            documents.push((number, tree));
            continue;
        }
        let (document, mut errors) = DeTable::parse_recoverable(&source.text);
        errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
        errors.truncate(MOST_SYNTAX_ERRORS);
        if errors.is_empty() {
            documents.push((number, Tree::recovered(document.into_inner())));
            continue;
        }
        let lines = LineIndex::new(&source.text);
        let mut last: Option<(usize, bool)> = None;
        for error in errors {
            let span = Span::new(file, error.span().unwrap_or(0..0));
            if error.message() == "duplicate key" {
                duplicate_key(source, document.get_ref(), span).report_to(&report);
                continue;
            }
            report.broken = true;
            let line = lines.line_of(span.start as usize);
            broken_lines.insert((span.file, line));
            // After one error, the parser often reports more on the same line, and inside brackets on the following
            // lines.
            let inside = ["comma", "array", "inline table"].iter().any(|word| error.message().contains(word));
            let stumbled = last.is_some_and(|(before, inside)| line == before || inside && line == before + 1);
            last = Some((line, inside || stumbled && last.is_some_and(|(_, inside)| inside)));
            if !stumbled {
                syntax_error(source, error.message(), span).report_to(&report);
            }
        }
        indexes.insert(file, lines);
        documents.push((number, Tree::recovered(document.into_inner())));
    }
    let topology = documents.split_first().and_then(|((file, first), rest)| {
        let start = Span { file: *file, ..Span::default() };
        let mut root = TableReader::new(&report, Subject::Document, start, *file, first.root());
        for (file, document) in rest {
            root.extend(*file, document.root());
        }
        let draft = document::read(root, formats);
        check::check(&draft, formats, &report)
    });
    let mut diagnostics = report.finish();
    if !broken_lines.is_empty() {
        // The parser only guesses the meaning of a broken line, so one finding about it is enough.
        diagnostics.retain(|diagnostic| {
            let file = diagnostic.span.file;
            let line =
                || indexes.get(&(file as usize)).map_or(0, |lines| lines.line_of(diagnostic.span.start as usize));
            diagnostic.message.starts_with(NOT_TOML) || !broken_lines.contains(&(file, line()))
        });
    }
    let usable = !diagnostics.has_errors();
    (topology.filter(|_| usable), diagnostics)
}

/// The start of each message about text that is not TOML.
const NOT_TOML: &str = "This is not valid TOML";

fn syntax_error(source: &Source, message: &str, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(span, format!("{NOT_TOML}: {message}."), "here");
    let written = source.text.get(span.start as usize..span.end as usize).unwrap_or_default();
    if message.contains("must be quoted") && written.len() <= 64 && !written.contains(['"', '\\', '\n']) {
        return diagnostic.hint(format!("Put it in quotes: \"{written}\"."));
    }
    diagnostic
}

/// An error about a key that occurred before in the same file, with the first position if known.
fn duplicate_key(source: &Source, document: &DeTable<'_>, span: Span) -> Diagnostic {
    fn collect(table: &DeTable<'_>, key: &str, before: usize, found: &mut Vec<std::ops::Range<usize>>) {
        for (name, value) in table {
            if name.get_ref() == key && name.span().start < before {
                found.push(name.span());
            }
            if let toml::de::DeValue::Table(inner) = value.get_ref() {
                collect(inner, key, before, found);
            }
        }
    }
    let written = source.text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let key = written.trim_matches(['"', '\'']);
    let diagnostic = Diagnostic::error(span, format!("The key `{}` occurs twice.", key.escape_debug()), "again here")
        .hint("Remove one of the two.");
    let mut found = Vec::new();
    collect(document, key, span.start as usize, &mut found);
    match found.as_slice() {
        [first] => diagnostic.second(Span::new(span.file as usize, first.clone()), "first here"),
        _ => diagnostic,
    }
}

//! A pure model of systemd-networkd and netplan on a fake node: files, what networkd has read of them, and the rows that come of
//! that.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use topo::exchange::node::{
    Activation, Definition, FileForm, FileInquiry, FileOutcome, FileWrite, FoundFile, FoundLink, Inspected,
    NetworkConfiguration, Part,
};
use topo::network::{Family, KERNEL, MAIN_TABLE, Prefix, STATIC};
use topo::resource::Token;

use super::kernel::{Command, Node, Owner, TableRow, Verb, Way, kernel_metric};

/// Where netplan generates what networkd uses for the only device.
const NETWORK_FILE: &str = "/run/systemd/network/10-netplan-eth0.network";
/// Where drop-ins beside it are.
const DROP_INS: &str = "/etc/systemd/network/10-netplan-eth0.network.d/";

/// Who has written a file. The node does not know; the tests do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    Topo,
    /// Topo, on a machine that it has given up.
    Forgotten,
    Stranger,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) text: String,
    pub(crate) mode: u32,
    pub(crate) author: Author,
}

/// The network configuration of a node, as far as it is in files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    /// Every write is refused, though the check before it has passed.
    pub(crate) refuses: bool,
    pub(crate) files: BTreeMap<String, File>,
    /// Names of files that were put there, or taken away, without networkd having read its configuration since.
    pub(crate) pending: BTreeSet<String>,
    /// What networkd has read.
    loaded: BTreeMap<String, String>,
}

/// A route in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileRoute {
    pub(crate) table: u32,
    pub(crate) destination: Prefix,
    /// As the kernel has it.
    pub(crate) metric: u32,
    pub(crate) next_hop: IpAddr,
    pub(crate) protocol: u8,
}

/// The routes in a text, as netplan and networkd read it.
pub(crate) fn routes(text: &str) -> Vec<FileRoute> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some(flow) = line.trim().strip_prefix("- {").and_then(|flow| flow.strip_suffix('}')) else { continue };
        found.extend(route(flow.split(", "), ": ", ["to", "via", "table", "metric", "protocol"]));
    }
    for section in text.split("[Route]\n").skip(1) {
        found.extend(route(section.lines(), "=", ["Destination", "Gateway", "Table", "Metric", "Protocol"]));
    }
    found
}

fn route<'a>(pairs: impl Iterator<Item = &'a str>, between: &str, names: [&str; 5]) -> Option<FileRoute> {
    let pairs: BTreeMap<&str, &str> = pairs.filter_map(|pair| pair.split_once(between)).collect();
    let value = |at: usize| pairs.get(names[at]).map(|value| value.trim_matches('"'));
    let number = |at: usize| value(at).map(|value| value.parse::<u32>().expect("a number"));
    let destination: Prefix = value(0)?.parse().ok()?;
    Some(FileRoute {
        table: number(2).unwrap_or(MAIN_TABLE),
        destination,
        metric: kernel_metric(destination.family(), number(3)),
        next_hop: value(1)?.parse().ok()?,
        protocol: number(4).map_or(STATIC, |protocol| u8::try_from(protocol).expect("a protocol")),
    })
}

/// Where a file of this name is put.
pub(crate) fn path(form: FileForm, name: &str) -> String {
    match form {
        FileForm::Netplan => format!("/etc/netplan/{name}"),
        FileForm::Networkd => format!("{DROP_INS}{name}"),
    }
}

impl Configuration {
    /// The files of one name.
    fn named(&self, form: FileForm, name: &str) -> Vec<(&String, &File)> {
        let folder = match form {
            FileForm::Netplan => "/etc/netplan/",
            FileForm::Networkd => "/etc/systemd/network/",
        };
        let is_it = |path: &str| path.starts_with(folder) && path.rsplit('/').next() == Some(name);
        self.files.iter().filter(|(path, _)| is_it(path)).collect()
    }

    fn token(&self, form: FileForm, name: &str) -> Token {
        let mut hasher = DefaultHasher::new();
        for (path, file) in self.named(form, name) {
            (path, file.mode, &file.text).hash(&mut hasher);
        }
        (NETWORK_FILE, self.pending.contains(name)).hash(&mut hasher);
        Token::new(format!("{:016x}", hasher.finish()))
    }

    /// Files that are topo's.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&String, &File)> {
        self.files.iter().filter(|(_, file)| file.author == Author::Topo)
    }

    /// What is there is not topo's any more.
    pub(crate) fn forget(&mut self) {
        for file in self.files.values_mut().filter(|file| file.author == Author::Topo) {
            file.author = Author::Forgotten;
        }
    }
}

impl Node {
    pub(crate) fn inspect(&self, inquiry: &FileInquiry) -> Inspected {
        let configuration = &self.configuration;
        let token = configuration.token(inquiry.form, &inquiry.name);
        if inquiry.known.as_ref() == Some(&token) {
            return Inspected { token, found: Part::AsKnown };
        }
        let files = configuration.named(inquiry.form, &inquiry.name).into_iter();
        let found = NetworkConfiguration {
            netplan: Some("0.106-2".to_owned()),
            networkd: true,
            pending: configuration.pending.contains(&inquiry.name),
            files: files
                .map(|(path, file)| FoundFile { path: path.clone(), mode: file.mode, text: file.text.clone() })
                .collect(),
            links: vec![FoundLink { device: "eth0".to_owned(), network_file: Some(NETWORK_FILE.to_owned()) }],
            devices: inquiry.next_hops.iter().map(|hop| (*hop, "eth0".to_owned())).collect(),
            managers: Vec::new(),
            definitions: vec![Definition { kind: "ethernets".to_owned(), id: "eth0".to_owned(), renderer: None }],
        };
        Inspected { token, found: Part::Sent(found) }
    }

    pub(crate) fn write_file(&mut self, write: &FileWrite) -> FileOutcome {
        if write.known.as_ref().is_some_and(|known| *known != self.configuration.token(write.form, &write.name)) {
            return FileOutcome::Moved;
        }
        if self.configuration.refuses && !write.only_checks() {
            return FileOutcome::Refused("topo cannot write the file.".to_owned());
        }
        if !write.only_checks() {
            self.writes += 1;
            self.install(write);
            self.configuration.pending.insert(write.name.clone());
        }
        if write.activation == Activation::Load {
            self.load();
            for route in write.files.iter().flat_map(|(_, text)| routes(text)) {
                self.supersede(&route, &write.listing.protocols);
            }
        }
        FileOutcome::Done {
            token: self.configuration.token(write.form, &write.name),
            table: self.parts(&write.listing).2,
            restored: Vec::new(),
        }
    }

    fn install(&mut self, write: &FileWrite) {
        let before: Vec<(String, File)> = self
            .configuration
            .named(write.form, &write.name)
            .into_iter()
            .map(|(path, file)| (path.clone(), file.clone()))
            .collect();
        for (path, file) in before {
            if file.author == Author::Stranger {
                self.trespasses.push(format!("{path} was somebody's: {}", file.text));
            }
            self.configuration.files.remove(&path);
        }
        for (path, text) in &write.files {
            assert_eq!(*path, self::path(write.form, &write.name));
            let mode = if write.form == FileForm::Netplan { 0o600 } else { 0o644 };
            let file = File { text: text.clone(), mode, author: Author::Topo };
            self.configuration.files.insert(path.clone(), file);
        }
    }

    /// networkd reads its configuration. What was live stays; the node's script keeps that.
    fn load(&mut self) {
        self.configuration.pending.clear();
        self.configuration.loaded =
            self.configuration.files.iter().map(|(path, file)| (path.clone(), file.text.clone())).collect();
        self.configure();
    }

    /// networkd adds the routes of what it has read, beside rows of the same key.
    fn configure(&mut self) {
        for (path, text) in self.configuration.loaded.clone() {
            let current = self.configuration.files.get(&path).filter(|file| file.author == Author::Topo);
            let current = current.map(|file| routes(&file.text)).unwrap_or_default();
            for route in routes(&text) {
                let same_key = |other: &FileRoute| {
                    (other.table, other.destination, other.metric) == (route.table, route.destination, route.metric)
                };
                let command = Command {
                    verb: Verb::Append,
                    table: route.table,
                    destination: route.destination,
                    metric: Some(route.metric),
                    way: Way::Via(route.next_hop),
                    protocol: Some(route.protocol),
                };
                // `File exists` is fine with networkd.
                let owner = if current.iter().any(same_key) { Owner::Us } else { Owner::Other };
                let _ = self.route(&command, owner);
            }
        }
    }

    /// What the node's script does with a row of ours that differs from one of the file by the mark alone. Of such IPv6 rows the
    /// kernel keeps the first, so it is changed.
    fn supersede(&mut self, route: &FileRoute, marks: &[u8]) {
        let is_it = |row: &TableRow| {
            row.table == route.table
                && row.destination == route.destination
                && row.metric == route.metric
                && row.way == Way::Via(route.next_hop)
        };
        let twin = |row: &TableRow| {
            is_it(row) && row.protocol != route.protocol && row.protocol != STATIC && marks.contains(&row.protocol)
        };
        let v6 = route.destination.family() == Family::V6;
        if v6 {
            self.rows.iter_mut().filter(|row| twin(row)).for_each(|row| row.protocol = route.protocol);
        } else {
            let taken: Vec<TableRow> = self.rows.extract_if(.., |row| twin(row)).collect();
            let of_others = taken.iter().filter(|row| row.owner == Owner::Other);
            self.trespasses.extend(of_others.map(|row| format!("a file took {row:?}")));
        }
    }

    /// All rows but those of the link go, and those of the files come. Daemons and files of others may bring theirs back.
    pub(crate) fn restart(&mut self, with_others: bool) {
        self.rows.retain(|row| row.protocol == KERNEL || (with_others && row.owner == Owner::Other));
        self.load();
    }

    /// What networkd does when the link comes up.
    pub(crate) fn carrier(&mut self) {
        self.configure();
    }
}

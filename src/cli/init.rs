//! `topo init`.

#[cfg(feature = "azure")]
mod azure;

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::backend::FORMATS;
use crate::plan::Severity;
use crate::render::json;
use crate::resource::Name;
use crate::topology::update::{self, Changes};
use crate::topology::{self, Source, load, machines};
use crate::ui::Printer;

use super::validate::{count, invalid, load_sources, report};
use super::{CommandError, GlobalArguments};
use crate::exit::Exit;

/// Write a topology to start from: topo.toml in this directory.
///
/// A file that is there is never overwritten.
#[derive(Debug, clap::Args)]
#[cfg_attr(feature = "azure", command(after_help = super::operator::HELP))]
pub(super) struct Arguments {
    #[allow(clippy::doc_markdown)] // The words of the file, as it is printed.
    /// Make it from a machines.txt of "Kubernetes the hard way" (a line IP FQDN HOSTNAME [POD_SUBNET] for each machine;
    /// - is standard input), or from azure://SUBSCRIPTION/RESOURCE_GROUP: its virtual machines and their pod-cidr tags.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Rewrite [nodes] of the topo.toml that is there from the file, and keep comments and everything else; from Azure,
    /// also nodes that are elsewhere.
    #[arg(long, requires = "from")]
    update: bool,
}

const FILE: &str = "topo.toml";
/// What a source in Azure begins with.
const SCHEME: &str = "azure://";

/// Where nodes come from.
enum Nodes {
    /// A machines.txt: all nodes that there are.
    Machines(Vec<machines::Machine>),
    /// Azure: its own ones.
    #[cfg(feature = "azure")]
    Azure(azure::Source),
}

impl Nodes {
    fn read(from: &Path, global: &GlobalArguments, printer: Printer) -> Result<Self, CommandError> {
        match from.to_str().filter(|text| text.starts_with(SCHEME)) {
            None => Ok(Self::Machines(read_machines(from, printer)?)),
            #[cfg(feature = "azure")]
            Some(address) => Ok(Self::Azure(azure::Source::read(address, global, printer)?)),
            #[cfg(not(feature = "azure"))]
            Some(_) => {
                let _ = global;
                Err(CommandError::new("This topo was built without Azure, so machines there cannot be read.")
                    .hint("Use one that was built with the feature `azure`, or give it a machines.txt."))
            }
        }
    }

    fn machines(&self) -> &[machines::Machine] {
        match self {
            Self::Machines(machines) => machines,
            #[cfg(feature = "azure")]
            Self::Azure(source) => source.machines(),
        }
    }

    /// A topology of the machines. Machines that contradict each other make none.
    fn to_topology(&self, name: &Name, printer: Printer) -> Result<String, CommandError> {
        let text = match self {
            Self::Machines(machines) => machines::to_topology(name, machines, FORMATS),
            #[cfg(feature = "azure")]
            Self::Azure(source) => source.to_topology(name),
        };
        let sources = [Source { name: format!("{FILE} as it would be"), text }];
        let (_, diagnostics) = topology::parse(&sources, FORMATS);
        if diagnostics.has_errors() {
            report(&diagnostics, &sources, printer);
            let error = CommandError::new(format!("These machines make no valid topology; {FILE} was not written."));
            return Err(error.hint("Correct them where they come from, their tags or addresses, then run it again."));
        }
        let [source] = sources;
        Ok(source.text)
    }

    /// Whether a node that is not among the machines may be there all the same.
    fn is_silent_on(&self, name: &str, addresses: &[IpAddr]) -> bool {
        match self {
            Self::Machines(_) => {
                let _ = (name, addresses);
                false
            }
            #[cfg(feature = "azure")]
            Self::Azure(source) => source.is_silent_on(name, addresses),
        }
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    r#type: &'static str,
    command: &'static str,
    file: &'static str,
    written: bool,
    nodes: usize,
    added: Vec<&'a str>,
    changed: Vec<&'a str>,
    removed: Vec<&'a str>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, global: &GlobalArguments, printer: Printer) -> Result<Exit, CommandError> {
    let path = Path::new(FILE);
    if !arguments.update && fs::symlink_metadata(path).is_ok() {
        let error = CommandError::new(format!("{FILE} is there already; it was left as it is."));
        let from = arguments.from.as_deref().map_or("machines.txt".into(), |from| from.display().to_string());
        return Err(
            error.hint(format!("`topo init --from {from} --update` rewrites its [nodes] and keeps everything else."))
        );
    }
    let from = arguments.from.as_deref().map(|from| Nodes::read(from, global, printer)).transpose()?;
    match from {
        Some(from) if arguments.update => rewrite(path, &from, printer),
        from => {
            let name = name_of(std::env::current_dir().ok().as_deref());
            let text = match &from {
                None => starter(&name),
                Some(from) => from.to_topology(&name, printer)?,
            };
            write(path, &text, false)?;
            let nodes = from.as_ref().map(Nodes::machines).unwrap_or_default();
            printer.event(&summary(true, nodes.len(), &Changes::default()));
            let next = "Next: edit it, then run `topo validate` and `topo plan`.";
            printer.result(&match &from {
                None => format!("Wrote {FILE}, a commented example. {next}\n"),
                Some(_) => format!(
                    "Wrote {FILE}: {}, {}. {next}\n",
                    count(nodes.len(), "node"),
                    count(nodes.iter().map(|machine| machine.pods.len()).sum(), "pod subnet")
                ),
            });
            Ok(Exit::Done)
        }
    }
}

fn summary(written: bool, nodes: usize, changes: &Changes) -> Summary<'_> {
    fn names(list: &[(String, String)]) -> Vec<&str> {
        list.iter().map(|(name, _)| name.as_str()).collect()
    }
    Summary {
        r#type: "summary",
        command: "init",
        file: FILE,
        written,
        nodes,
        added: names(&changes.added),
        changed: names(&changes.changed),
        removed: names(&changes.removed),
    }
}

fn read_machines(from: &Path, printer: Printer) -> Result<Vec<machines::Machine>, CommandError> {
    if from.is_dir() {
        return Err(
            CommandError::new(format!("`{}` is a directory.", from.display())).hint("Name the machines.txt itself.")
        );
    }
    let sources = load::load(from).map_err(|error| CommandError::new(error.to_string()))?;
    let (machines, diagnostics) = sources.first().map(machines::parse).unwrap_or_default();
    report(&diagnostics, &sources, printer);
    if diagnostics.has_errors() {
        return Err(invalid(from, diagnostics.counts().0));
    }
    Ok(machines)
}

fn rewrite(path: &Path, from: &Nodes, printer: Printer) -> Result<Exit, CommandError> {
    let sources = load_sources(path)?;
    let (before, machines) = (&sources[0].text, from.machines());
    let stays = |name: &str, addresses: &[IpAddr]| from.is_silent_on(name, addresses);
    let Some((text, changes)) = update::update_some(before, machines, &stays) else {
        let (_, diagnostics) = topology::parse(&sources, FORMATS);
        report(&diagnostics, &sources, printer);
        return Err(invalid(path, diagnostics.counts().0).hint("Correct it first; it was left as it is."));
    };
    let after = [Source { name: format!("{FILE} as it would be"), text }];
    let (_, diagnostics) = topology::parse(&after, FORMATS);
    if diagnostics.has_errors() {
        report(&diagnostics, &after, printer);
        let error = CommandError::new(format!("With these nodes {FILE} would not be valid; it was left as it is."));
        return Err(error.hint("Correct the file, or what it was made from."));
    }
    let written = after[0].text != *before;
    if written {
        write(path, &after[0].text, true)?;
    }
    printer.event(&summary(written, machines.len(), &changes));
    let mut text = String::new();
    for (sign, list) in [('+', &changes.added), ('~', &changes.changed), ('-', &changes.removed)] {
        for (name, what) in list {
            text.push_str(format!("  {sign} {name} {what}").trim_end());
            text.push('\n');
        }
    }
    printer.result(&text);
    if !changes.kept.is_empty() {
        let listed: Vec<String> = changes.kept.iter().map(|name| format!("`{name}`")).collect();
        let them = if listed.len() == 1 { "it" } else { "them" };
        let message = format!("{} stayed: nothing is known of {them} there.", listed.join(", "));
        let nodes = changes.kept.iter().map(String::as_str).collect();
        printer.event(&json::found(Severity::Note, "nodes_kept", nodes, &message));
        printer.note(&format!("Note: {message}"));
    }
    printer.result(&if changes.is_empty() {
        format!("{FILE} has these nodes already; it was left as it is.\n")
    } else {
        let [added, other, removed] = [&changes.added, &changes.changed, &changes.removed].map(Vec::len);
        format!("Rewrote [nodes] of {FILE}: {added} added, {other} changed, {removed} removed.\n")
    });
    Ok(Exit::Done)
}

/// Writes the file at once or not at all.
fn write(path: &Path, text: &str, replace: bool) -> Result<(), CommandError> {
    let failed = |error: &io::Error| {
        let error = CommandError::new(format!("{FILE} cannot be written: {error}."));
        error.hint("Nothing was changed. Look whether this directory can be written to.")
    };
    // A link stays a link: what it points to is replaced.
    let path = if replace { fs::canonicalize(path).map_err(|error| failed(&error))? } else { path.to_owned() };
    let permissions = match fs::metadata(&path) {
        Ok(metadata) if replace => metadata.permissions(),
        _ => fs::Permissions::from_mode(0o666),
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let save = || -> io::Result<()> {
        let mut file =
            tempfile::Builder::new().prefix(".topo-").permissions(permissions.clone()).tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        if replace {
            file.as_file().set_permissions(permissions.clone())?;
        }
        file.as_file().sync_all()?;
        if replace {
            file.persist(&path)?;
        } else {
            file.persist_noclobber(&path)?;
        }
        Ok(())
    };
    save().map_err(|error| failed(&error))
}

/// A name from that of a directory: what cannot be in a name becomes `-`.
fn name_of(directory: Option<&Path>) -> Name {
    let text = directory.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut name = String::new();
    for character in text.chars() {
        let character = match character {
            '_' => '_',
            '.' if !name.ends_with('.') => '.',
            _ if character.is_ascii_alphanumeric() => character,
            _ if name.ends_with('-') => continue,
            _ => '-',
        };
        if character.is_ascii_alphanumeric() || !name.is_empty() {
            name.push(character);
        }
    }
    name.truncate(63);
    let name = name.trim_end_matches(['-', '.', '_']);
    Name::new(name).or_else(|_| Name::new("topo")).unwrap_or_else(|_| unreachable!("`topo` is a name"))
}

fn starter(name: &Name) -> String {
    format!(
        "\
# A topology: which nodes there are, where they live, and which pod subnets stand behind each.
# `topo validate` checks it, `topo plan` shows what would change, `topo apply` carries it out.

[topology]
name = \"{name}\"                             # names the state and what topo creates

# The networks that node addresses live in: one link each. Without any, all nodes are taken to share one link.
[subnets.example]
cidr = \"192.0.2.0/24\"                       # a list for dual stack: [\"192.0.2.0/24\", \"2001:db8::/64\"]
# gateway = \"192.0.2.1\"                     # how its nodes reach nodes in other subnets

# The machines. `pods` are the pod subnets behind a node; the others get routes to them.
[nodes]
server = {{ address = \"192.0.2.10\" }}
node-0 = {{ address = \"192.0.2.20\", pods = [\"10.200.0.0/24\"] }}
node-1 = {{ address = \"192.0.2.21\", pods = [\"10.200.1.0/24\"] }}

# Settings for many nodes; a node's own win.
# [groups.edge]
# nodes = [\"edge-*\"]
# ssh = {{ user = \"azureuser\", sudo = true, port = 2222 }}

# How to log in to all of them; everything else comes from ssh's own configuration.
[ssh]
user = \"root\"

# Kernel routes on the nodes, over SSH. For some nodes only: nodes = [\"node-*\"].
[backends.ssh-static]

# Uncomment for routes that survive reboots as well, in /etc/netplan/60-topo.yaml of each node.
# [backends.netplan]
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_give_valid_names() {
        for (directory, name) in [
            ("/a/kthw", "kthw"),
            ("/a/My Net (2)", "My-Net-2"),
            ("/a/..x", "x"),
            ("/", "topo"),
            ("/a/äöü", "topo"),
            ("/a/a...b", "a.-.b"),
        ] {
            assert_eq!(name_of(Some(Path::new(directory))).as_str(), name, "{directory}");
        }
        assert_eq!(name_of(Some(Path::new(&format!("/{}", "a".repeat(99))))).as_str().len(), 63);
    }

    #[test]
    fn the_starter_is_valid_and_draws_no_warning() {
        let name = Name::new("starter").expect("name");
        let source = Source { name: FILE.to_owned(), text: starter(&name) };
        let (topology, diagnostics) = topology::parse(&[source], FORMATS);
        assert!(topology.is_some() && diagnostics.is_empty(), "{diagnostics:?}");
    }
}

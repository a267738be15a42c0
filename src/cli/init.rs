//! `topo init`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::backend::{Registry, SourceNodes};
use crate::plan::Severity;
use crate::report::{CommandResult, Event, Finding, NODES_KEPT};
use crate::resource::Name;
use crate::topology::machines;
use crate::topology::update::{self, Changes};
use crate::topology::{self, Source, load};
use crate::ui::Printer;

use super::validate::{count, invalid, load_sources, report};
use super::{CommandError, GlobalArguments, configuration, context};
use crate::exit::Exit;

/// Write a first topology: topo.toml in this directory.
///
/// topo never overwrites a file that exists.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[allow(clippy::doc_markdown)] // The text is shown as it is written here.
    /// Read the machines from FILE: a machines.txt of "Kubernetes the hard way" (one line IP FQDN HOSTNAME
    /// [POD_SUBNET] for each machine; - is standard input).
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Rewrite [nodes] of the existing topo.toml from FILE. Comments and everything else stay. Nodes that FILE
    /// cannot know stay too.
    #[arg(long, requires = "from")]
    update: bool,
}

const FILE: &str = "topo.toml";

/// Reads the nodes of a source, and says what the user should know about them.
fn read(
    from: &Path,
    name: &Name,
    registry: &'static Registry,
    global: &GlobalArguments,
    printer: Printer,
) -> Result<SourceNodes, CommandError> {
    let address = from.to_str().unwrap_or_default();
    let mut sources = registry.sites().iter().filter_map(|site| Some((site, site.source.as_ref()?)));
    let Some((site, source)) = sources.find(|(_, source)| address.starts_with(source.scheme)) else {
        return read_machines(from, name, registry, printer);
    };
    let operator = configuration::read(site, registry, global)?;
    let mut notes = Vec::new();
    let read = context::block_on(async { Ok((source.read)(address, name, &operator, &mut notes).await) })?;
    for finding in notes {
        printer.note(&format!("{}: {}", finding.severity.label(), finding.text));
        printer.event(Event::Finding(finding));
    }
    Ok(read?)
}

/// Checks a new text of the file. Fails with this sentence and hint if it is not valid.
fn check(
    text: String,
    wrong: &str,
    hint: &str,
    registry: &'static Registry,
    printer: Printer,
) -> Result<String, CommandError> {
    let sources = [Source { name: format!("the new {FILE}"), text }];
    let (_, diagnostics) = topology::parse(&sources, registry.formats());
    if diagnostics.has_errors() {
        report(&diagnostics, &sources, printer);
        return Err(CommandError::new(wrong).hint(hint));
    }
    let [source] = sources;
    Ok(source.text)
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    registry: &'static Registry,
    global: &GlobalArguments,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let path = Path::new(FILE);
    if !arguments.update && fs::symlink_metadata(path).is_ok() {
        let error = CommandError::new(format!("{FILE} exists already. topo did not change it."));
        let from = arguments.from.as_deref().map_or("machines.txt".into(), |from| from.display().to_string());
        return Err(error.hint(format!("`topo init --from {from} --update` rewrites only its [nodes].")));
    }
    let name = name_of(std::env::current_dir().ok().as_deref());
    let next = "Next: edit the file, then run `topo validate` and `topo plan`.";
    let Some(from) = &arguments.from else {
        write(path, &starter(&name, registry), false)?;
        printer.event(result(true, 0, &Changes::default()));
        printer.result(&format!("Wrote {FILE}, a commented example. {next}\n"));
        return Ok(Exit::Done);
    };
    let nodes = read(from, &name, registry, global, printer)?;
    if arguments.update {
        return rewrite(path, &nodes, registry, printer);
    }
    let wrong = format!("These machines do not make a valid topology. topo did not write {FILE}.");
    let hint = "Correct the tags or addresses of the machines at their source, and run topo init again.";
    write(path, &check(nodes.topology, &wrong, hint, registry, printer)?, false)?;
    let machines = &nodes.machines;
    printer.event(result(true, machines.len(), &Changes::default()));
    let (nodes, pods) = (machines.len(), machines.iter().map(|machine| machine.pods.len()).sum());
    printer.result(&format!("Wrote {FILE}: {}, {}. {next}\n", count(nodes, "node"), count(pods, "pod subnet")));
    Ok(Exit::Done)
}

fn result(written: bool, nodes: usize, changes: &Changes) -> Event {
    let names = |list: &[(String, String)]| list.iter().map(|(name, _)| name.clone()).collect();
    Event::Result(CommandResult::Init {
        file: FILE.to_owned(),
        written,
        nodes,
        nodes_added: names(&changes.added),
        nodes_changed: names(&changes.changed),
        nodes_removed: names(&changes.removed),
    })
}

fn read_machines(
    from: &Path,
    name: &Name,
    registry: &'static Registry,
    printer: Printer,
) -> Result<SourceNodes, CommandError> {
    if from.is_dir() {
        return Err(CommandError::new(format!("`{}` is a directory.", from.display()))
            .hint("Give the path of the machines.txt in it."));
    }
    let sources = load::load(from).map_err(|error| CommandError::new(error.to_string()))?;
    let (machines, diagnostics) = sources.first().map(machines::parse).unwrap_or_default();
    report(&diagnostics, &sources, printer);
    if diagnostics.has_errors() {
        return Err(invalid(from, diagnostics.counts().0));
    }
    let topology = machines::to_topology(name, &machines, registry.formats());
    Ok(SourceNodes { machines, topology, is_silent_on: Box::new(|_, _| false) })
}

fn rewrite(
    path: &Path,
    from: &SourceNodes,
    registry: &'static Registry,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let sources = load_sources(path)?;
    let (before, machines) = (&sources[0].text, &from.machines);
    let Some((text, changes)) = update::update(before, machines, &*from.is_silent_on) else {
        let (_, diagnostics) = topology::parse(&sources, registry.formats());
        report(&diagnostics, &sources, printer);
        return Err(invalid(path, diagnostics.counts().0).hint("topo did not change it. Correct it first."));
    };
    let wrong = format!("{FILE} would not be valid with these nodes. topo did not change it.");
    let after = check(text, &wrong, &format!("Correct {FILE}, or the source of the nodes."), registry, printer)?;
    let written = after != *before;
    if written {
        write(path, &after, true)?;
    }
    printer.event(result(written, machines.len(), &changes));
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
        let message = format!("Kept {}: the source does not say anything about {them}.", listed.join(", "));
        let finding = Finding::new(Severity::Note, NODES_KEPT, message.as_str());
        printer.event(Event::Finding(finding.about(changes.kept.iter().map(String::as_str))));
        printer.note(&format!("Note: {message}"));
    }
    printer.result(&if changes.is_empty() {
        format!("{FILE} has these nodes already. topo did not change it.\n")
    } else {
        let [added, other, removed] = [&changes.added, &changes.changed, &changes.removed].map(Vec::len);
        format!("Rewrote [nodes] of {FILE}: {added} added, {other} changed, {removed} removed.\n")
    });
    Ok(Exit::Done)
}

/// Writes the whole file in one step: after a failure the old file is complete.
fn write(path: &Path, text: &str, replace: bool) -> Result<(), CommandError> {
    let failed = |error: &io::Error| {
        let error = CommandError::new(format!("topo cannot write {FILE}: {error}."));
        error.hint("Nothing was changed. Check whether you may write to this directory.")
    };
    // If the path is a link, it stays a link: topo replaces the file that it points to.
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

/// A name made of a directory's name: characters that a name cannot have become `-`.
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

fn starter(name: &Name, registry: &'static Registry) -> String {
    let backends = machines::examples(registry.formats());
    format!(
        "\
# A topology: the nodes, their addresses, and the pod subnets behind each node.
# `topo validate` checks it, `topo plan` shows what would change, `topo apply` makes the changes.

[topology]
name = \"{name}\"                             # the name of the state, also used in what topo creates

# The networks of the node addresses: each is one link. Without [subnets], topo assumes that all nodes share one link.
[subnets.example]
cidr = \"192.0.2.0/24\"                       # a list for dual stack: [\"192.0.2.0/24\", \"2001:db8::/64\"]
# gateway = \"192.0.2.1\"                     # its nodes reach nodes in other subnets through this address

# The machines. `pods` are the pod subnets behind a node. All other nodes get routes to them.
[nodes]
server = {{ address = \"192.0.2.10\" }}
node-0 = {{ address = \"192.0.2.20\", pods = [\"10.200.0.0/24\"] }}
node-1 = {{ address = \"192.0.2.21\", pods = [\"10.200.1.0/24\"] }}

# Settings for many nodes. A node's own settings win.
# [groups.edge]
# nodes = [\"edge-*\"]
# ssh = {{ user = \"admin\", sudo = true, port = 2222 }}

# The login on all nodes. Everything else comes from ssh's own configuration.
[ssh]
user = \"root\"

{backends}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::REGISTRY;

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
        let source = Source { name: FILE.to_owned(), text: starter(&name, &REGISTRY) };
        let (topology, diagnostics) = topology::parse(&[source], REGISTRY.formats());
        assert!(topology.is_some() && diagnostics.is_empty(), "{diagnostics:?}");
    }
}

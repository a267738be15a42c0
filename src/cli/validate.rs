//! `topo validate`.

use std::path::{Path, PathBuf};

use crate::backend::Registry;
use crate::topology::{self, Diagnostics, Source, load};
use crate::ui::{Printer, diagnostics};

use super::CommandError;
use crate::exit::Exit;
use crate::report::{CommandResult, Event};
use crate::resource::Name;

/// Check the topology. Uses neither the state nor the network.
///
/// Shows all errors at once, each with its place. Exit code 0 if the topology is valid (warnings are allowed), else 1.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyFile,
}

/// The argument that names a topology.
#[derive(Debug, clap::Args)]
pub(super) struct TopologyFile {
    /// The topology: a .toml file, a directory (all its .toml files together are one topology), or - for standard
    /// input.
    #[arg(value_name = "FILE", default_value = "topo.toml")]
    pub(super) file: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, registry: &'static Registry, printer: Printer) -> Result<Exit, CommandError> {
    let file = &arguments.topology.file;
    let sources = load_sources(file)?;
    let (topology, diagnostics) = topology::parse(&sources, registry.formats());
    report(&diagnostics, &sources, printer);
    let (errors, warnings) = diagnostics.counts();
    let pods = topology.as_ref().map(|topology| topology.nodes.values().map(|node| node.pods.len()).sum());
    let backends = || topology.iter().flat_map(|topology| topology.backends.keys()).map(Name::as_str);
    printer.event(Event::Result(CommandResult::Validate {
        valid: topology.is_some(),
        errors,
        warnings,
        file: file.display().to_string(),
        topology: topology.as_ref().map(|topology| topology.name.to_string()),
        nodes: topology.as_ref().map(|topology| topology.nodes.len()),
        pod_subnets: pods,
        backends: backends().map(str::to_owned).collect(),
    }));
    let Some(topology) = &topology else { return Err(invalid(file, errors)) };
    let listed: Vec<&str> = backends().collect();
    let backends = match listed.len() {
        0 => "no backend".to_owned(),
        1 => format!("backend {}", listed[0]),
        _ => format!("backends {}", listed.join(", ")),
    };
    printer.result(&format!(
        "{} is valid: {}, {}, {backends}.\n",
        shown(file),
        count(topology.nodes.len(), "node"),
        count(pods.unwrap_or(0), "pod subnet"),
    ));
    Ok(Exit::Done)
}

/// Reads the topology's files.
pub(super) fn load_sources(path: &Path) -> Result<Vec<Source>, CommandError> {
    load::load(path).map_err(|error| {
        let missing = matches!(error, load::LoadError::Missing(_) | load::LoadError::EmptyDirectory(_));
        let error = CommandError::new(error.to_string());
        if missing { error.hint("Give the path of the topology, or create one with `topo init`.") } else { error }
    })
}

/// Writes findings: to standard error as text, or as events in JSON mode.
pub(super) fn report(findings: &Diagnostics, sources: &[Source], printer: Printer) {
    // To find positions costs a walk through all files.
    if findings.is_empty() {
        return;
    }
    for event in diagnostics::events(findings, sources) {
        printer.event(event);
    }
    let text = diagnostics::render(findings, sources, printer.colors_err(), diagnostics::PLAIN_WIDTH);
    if !text.is_empty() {
        printer.note(&text[..text.len() - 1]);
    }
}

/// The error that ends a command after it has written its findings.
pub(super) fn invalid(file: &Path, errors: usize) -> CommandError {
    CommandError::new(format!("{} is not valid: {}.", shown(file), count(errors, "error")))
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "Standard input".to_owned() } else { file.display().to_string() }
}

/// A number with its noun: `1 node`, `2 nodes`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

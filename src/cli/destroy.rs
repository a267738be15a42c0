//! `topo destroy`.

use std::path::{Path, PathBuf};

use super::apply::Job;
use super::session::{self, Selection};
use super::{CommandError, GlobalArguments};
use crate::backend;
use crate::backend::Desired;
use crate::exit::Exit;
use crate::ui::Printer;

/// Remove everything that topo owns, and nothing else.
///
/// The state says how to reach each node, so with --state this works without the topology, too.
#[derive(Debug, clap::Args)]
#[cfg_attr(feature = "azure", command(after_help = super::operator::HELP))]
pub(super) struct Arguments {
    /// The topology: a .toml file, a directory (all its .toml files together are one topology), or - for standard
    /// input.
    #[arg(value_name = "FILE", default_value = "topo.toml")]
    file: PathBuf,
    /// Do not ask for confirmation.
    #[arg(short = 'y', long = "yes")]
    yes: bool,
    #[command(flatten)]
    selection: Selection,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, global: &GlobalArguments, printer: Printer) -> Result<Exit, CommandError> {
    let without_topology = global.state.is_some() && arguments.file != Path::new("-") && !arguments.file.exists();
    if without_topology {
        return without(arguments, global, printer);
    }
    let topology = session::load_topology(&arguments.file, printer)?;
    let path = session::state_path(global, &arguments.file, &topology.name)?;
    let mut desired = backend::desire(&topology);
    for place in desired.places.values_mut() {
        place.resources.clear();
    }
    desired.azure.clear();
    let options = arguments.selection.options(Some(&topology), true);
    Job { what: "destroy", name: &topology.name, desired, options, selection: &arguments.selection, yes: arguments.yes }
        .run(&session::store_at(&path), global, printer)
}

/// The topology does not exist. The state has everything that this needs.
fn without(arguments: &Arguments, global: &GlobalArguments, printer: Printer) -> Result<Exit, CommandError> {
    let path = global.state.as_deref().unwrap_or(Path::new(""));
    let store = session::store_at(path);
    let snapshot = session::block_on(async { Ok(store.read().await?) })?;
    let Some(state) = snapshot.state else {
        return Err(CommandError::new(format!(
            "There is no topology {} and no state {}.",
            arguments.file.display(),
            path.display()
        ))
        .hint("Give the path of the topology, or the path of the state with --state."));
    };
    let options = arguments.selection.options(None, true);
    Job {
        what: "destroy",
        name: &state.topology,
        desired: Desired::default(),
        options,
        selection: &arguments.selection,
        yes: arguments.yes,
    }
    .run(&store, global, printer)
}

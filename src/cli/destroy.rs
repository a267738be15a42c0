//! `topo destroy`.

use std::path::Path;

use super::apply::{ApplyCommand, RunArguments};
use super::context;
use super::{CommandError, GlobalArguments};
use crate::backend::{Desired, Registry};
use crate::exit::Exit;
use crate::ui::Printer;

/// Remove everything that topo owns, and nothing else.
///
/// The state says how to reach each node, so with --state this works without the topology, too.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    registry: &'static Registry,
    global: &GlobalArguments,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let arguments = &arguments.run;
    let file = &arguments.topology.file;
    if let Some(path) = &global.state
        && file != Path::new("-")
        && !file.exists()
    {
        return without(arguments, path, registry, global, printer);
    }
    let topology = context::load_topology(file, registry, printer)?;
    let path = context::state_path(global, file, &topology.name)?;
    let mut desired = registry.desire(&topology);
    desired.clear();
    let options = arguments.selection.options(Some(&topology), true);
    let job = ApplyCommand { what: "destroy", registry, name: &topology.name, desired, options, arguments };
    job.run(&context::store_at(&path, registry), global, printer)
}

/// The topology does not exist. The state has everything that this needs.
fn without(
    arguments: &RunArguments,
    path: &Path,
    registry: &'static Registry,
    global: &GlobalArguments,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let store = context::store_at(path, registry);
    let snapshot = context::block_on(async { Ok(store.read().await?) })?;
    let Some(state) = snapshot.state else {
        return Err(CommandError::new(format!(
            "There is no topology {} and no state {}.",
            arguments.topology.file.display(),
            path.display()
        ))
        .hint("Give the path of the topology, or the path of the state with --state."));
    };
    let options = arguments.selection.options(None, true);
    let job = ApplyCommand {
        what: "destroy",
        registry,
        name: &state.topology,
        desired: Desired::default(),
        options,
        arguments,
    };
    job.run(&store, global, printer)
}

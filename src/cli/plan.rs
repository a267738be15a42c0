//! `topo plan`.

use super::context::{self, Inputs, Selection};
use super::validate::TopologyFile;
use super::{CommandError, GlobalArguments};
use crate::backend::Registry;
use crate::exit::Exit;
use crate::render::json;
use crate::ui::{Printer, review};

/// Show what apply would change. Writes nothing, neither on nodes nor to the state.
///
/// Exit code 0; or 1 if the topology is wrong, a conflict prevents the changes, or topo reached nothing. With
/// --detailed-exitcode also 2 for changes, and 5 if topo could not look at every node and found nothing else.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    topology: TopologyFile,
    /// Compare with the state only, without a look at the nodes. You cannot apply such a plan.
    #[arg(long)]
    no_refresh: bool,
    /// Exit with 2 if there are changes, and with 5 if topo could not look at every node.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    selection: Selection,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    registry: &'static Registry,
    global: &GlobalArguments,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let topology = context::load_topology(&arguments.topology.file, registry, printer)?;
    let path = context::state_path(global, &arguments.topology.file, &topology.name)?;
    context::block_on(async move {
        let recorded = context::read_state(context::store_at(&path, registry), &topology.name).await?;
        let desired = registry.desire(&topology);
        let sites = context::sites(registry, global, &desired, &recorded.state, !arguments.no_refresh)?;
        let inputs = Inputs {
            name: &topology.name,
            desired,
            options: arguments.selection.options(Some(&topology), false),
            state: &recorded.state,
        };
        let stop = review::stop_on_interrupt(printer);
        let planned = context::plan(inputs, registry, &arguments.selection, &sites, global, stop, printer).await?;
        context::close(&sites).await;
        let Some(mut planned) = planned else { return Err(CommandError::new("topo plan was interrupted.")) };
        let requests = context::requests(&sites);
        let has_changes = review::show(&planned.plan, registry.known(), &mut planned.memo, true, printer);
        printer.event(json::plan_result(&planned.plan, &requests));
        review::requests(&requests, printer);
        if arguments.no_refresh {
            printer.note("topo looked at no node: with --no-refresh it compares the topology with the state alone.");
        }
        let exit = context::exit_of(&planned.plan, has_changes, arguments.detailed_exitcode);
        if exit == Exit::NothingChanged && !planned.plan.is_stopped() {
            let error = CommandError::new("No place answered, so topo compared the topology with the state alone.");
            return Err(error.hint("The warnings above say why."));
        }
        // The process ends here. It would only take time to free many thousands of small pieces one by one.
        std::mem::forget((planned, recorded.state, topology));
        Ok(exit)
    })
}

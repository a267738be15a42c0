//! `topo apply`.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::session::{self, Inputs, Recorded, Selection, Ways};
use super::{CommandError, GlobalArguments};
use crate::backend;
use crate::backend::Desired;
use crate::drive::{Event, Run, RunOutcome, end_earlier_run};
use crate::exchange::Requests;
use crate::exit::Exit;
use crate::plan::Options;
use crate::plan::findings::{Finding, LeftOut};
use crate::resource::Name;
use crate::resource::Place;
use crate::state::{LockRequest, Store};
use crate::ui::review::Told;
use crate::ui::{Printer, review};

/// Plan, ask, and make the changes.
///
/// Exit code 0: everything is done. 1: nothing was changed. 3: something was changed, but not everything is done; run
/// topo apply again to continue. 4: another run has locked the state.
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
    let topology = session::load_topology(&arguments.file, printer)?;
    let path = session::state_path(global, &arguments.file, &topology.name)?;
    let desired = backend::desire(&topology);
    let options = arguments.selection.options(Some(&topology), false);
    let job = Job {
        what: "apply",
        name: &topology.name,
        desired,
        options,
        selection: &arguments.selection,
        yes: arguments.yes,
    };
    job.run(&session::store_at(&path), global, printer)
}

/// A run that plans, asks and makes changes: apply or destroy.
pub(super) struct Job<'a> {
    /// The command's name.
    pub(super) what: &'static str,
    /// The topology's name.
    pub(super) name: &'a Name,
    /// What is desired.
    pub(super) desired: Desired,
    /// What the user chose.
    pub(super) options: Options,
    /// What the user chose, as given on the command line.
    pub(super) selection: &'a Selection,
    /// Whether to continue without asking.
    pub(super) yes: bool,
}

impl Job<'_> {
    /// Locks the state, plans, asks, makes the changes, and reports them.
    pub(super) fn run(
        self,
        store: &Arc<dyn Store>,
        global: &GlobalArguments,
        printer: Printer,
    ) -> Result<Exit, CommandError> {
        if !self.yes && !review::can_ask() {
            return Err(CommandError::new(format!(
                "topo {} asks for confirmation, but there is no terminal.",
                self.what
            ))
            .hint("Add -y to continue without confirmation."));
        }
        session::block_on(async {
            let stop = review::stop_on_interrupt(printer);
            let request = LockRequest { what: self.what.to_owned(), manual: false };
            let mut interrupted = stop.clone();
            let locked = tokio::select! {
                locked = store.lock(&request, global.lock_timeout) => locked?,
                _ = interrupted.changed() => {
                    return Err(interrupted_early(self.what));
                }
            };
            if let Some(note) = locked.note {
                printer.note(&note);
            }
            let result = self.locked(store, global, stop, printer).await;
            let released = store.release().await;
            let exit = result?;
            released?;
            Ok(exit)
        })
    }

    async fn locked(
        self,
        store: &Arc<dyn Store>,
        global: &GlobalArguments,
        stop: watch::Receiver<bool>,
        printer: Printer,
    ) -> Result<Exit, CommandError> {
        let recorded = session::read_state(Arc::clone(store), self.name).await?;
        let ways = session::Ways::new(global, &self.desired, &recorded.state)?;
        let result = self.carry_out(recorded, &ways, global, stop, printer).await;
        ways.nodes.close().await;
        review::requests(requests_of(&ways).as_slice(), printer);
        result
    }

    async fn carry_out(
        self,
        recorded: Recorded,
        ways: &Ways,
        global: &GlobalArguments,
        stop: watch::Receiver<bool>,
        printer: Printer,
    ) -> Result<Exit, CommandError> {
        let parallelism = usize::from(global.parallelism);
        let (events, listener) = session::events();
        let progress = review::listen(listener, Told::default(), printer);
        let inputs = Inputs { name: self.name, desired: self.desired, options: self.options, state: &recorded.state };
        inputs.check_selection(self.selection)?;
        if *stop.borrow() {
            return Err(interrupted_early(self.what));
        }
        let mut interrupted = stop.clone();
        let what = self.what;
        let planned = tokio::select! {
            planned = session::make_plan(inputs, Some(ways), parallelism, &events) => Some(planned),
            _ = interrupted.changed() => None,
        };
        drop(events);
        let _ = progress.await;
        let Some(planned) = planned else {
            return Err(interrupted_early(what));
        };
        let session::Planned { plan, azure_work, desired, options, mut memo } = planned;
        if options.destroy && recorded.state.is_empty() {
            printer.note(&format!(
                "Note: the state {} has no records, so topo has nothing to remove. If you lost the state, `topo plan` \
                 shows what is live.",
                recorded.store.location()
            ));
        }
        review::show(&plan, &mut memo, !options.destroy, requests_of(ways).as_slice(), printer);
        if plan.is_stopped() {
            return Err(CommandError::new("Nothing was changed: the plan has errors or conflicts."));
        }
        let unseen = plan.left_unseen(|place| session::concerns(&options, place));
        let text = |one: &Finding| one.found.clone().unwrap_or_default();
        let mut left: Vec<(Place, LeftOut)> =
            unseen.map(|one| (one.place().clone(), LeftOut { routes: 0, text: text(one) })).collect();
        let only_record = plan.places.is_empty() && plan.forgotten.is_empty();
        if only_record {
            if end_earlier_run(&*recorded.store, recorded.revision, &recorded.state).await? {
                printer.note(&format!(
                    "Note: an earlier run was cut off. The state {} now says what it did.",
                    recorded.store.location()
                ));
            }
            if options.skip_conflicts && plan.leaves_out() {
                return Ok(Exit::Partial);
            }
            return Ok(match (plan.reached_nothing(), !left.is_empty()) {
                (true, _) => Exit::NothingChanged,
                (false, true) => Exit::Partial,
                (false, false) => Exit::Done,
            });
        }
        if plan.has_changes() && !self.yes && !review::confirm(options.destroy, stop.clone(), printer).await {
            let how = if *stop.borrow() { "interrupted" } else { "declined" };
            return Err(CommandError::new(format!("topo {} was {how}. Nothing was changed.", self.what)));
        }
        left.extend(plan.findings.iter().filter_map(|one| Some((one.place().clone(), one.left_out.clone()?))));
        let incomplete = !left.is_empty();
        let (events, listener): (mpsc::Sender<Event>, _) = session::events();
        let told = Told::by(&plan);
        let progress = review::listen(listener, told.clone(), printer);
        let run = Run {
            plan,
            desired: &desired,
            state: recorded.state,
            revision: recorded.revision,
            store: recorded.store,
            transport: Arc::clone(&ways.nodes),
            azure: ways.azure.clone(),
            azure_work,
            parallelism,
            topology: self.name.clone(),
            options: &options,
            events,
            stop,
        };
        let outcome = run.carry_out(memo).await;
        let _ = progress.await;
        let outcome = outcome.map_err(|error| {
            CommandError::from(error)
                .exit(Exit::Partial)
                .hint("The journal has the outcomes, and the next run looks for the rest.")
        })?;
        review::outcome(options.destroy, &outcome, &told, &left, requests_of(ways).as_slice(), printer);
        Ok(exit_of(&outcome, incomplete))
    }
}

/// How many requests topo has sent to Azure so far, if it has a connection to Azure.
fn requests_of(ways: &Ways) -> Option<Requests> {
    ways.azure.as_ref().map(|azure| azure.requests())
}

fn interrupted_early(what: &str) -> CommandError {
    CommandError::new(format!("topo {what} was interrupted before anything was changed."))
}

fn exit_of(outcome: &RunOutcome, incomplete: bool) -> Exit {
    if outcome.is_complete() && !incomplete {
        Exit::Done
    } else if outcome.touched || outcome.is_complete() {
        Exit::Partial
    } else {
        Exit::NothingChanged
    }
}

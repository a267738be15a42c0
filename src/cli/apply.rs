//! `topo apply`.

use std::sync::Arc;

use tokio::sync::watch;

use super::context::{self, Inputs, Recorded, Selection, Sites};
use super::validate::TopologyFile;
use super::{CommandError, GlobalArguments};
use crate::backend::{Desired, Registry};
use crate::drive::{Run, RunError, end_earlier_run};
use crate::exit::Exit;
use crate::plan::findings::{Finding, LeftOut};
use crate::plan::{Options, Plan};
use crate::report::RunOutcome;
use crate::resource::{Name, Place};
use crate::state::{LockRequest, State, Store};
use crate::ui::review::ReportedReasons;
use crate::ui::{Printer, review};

/// Plan, ask, and make the changes.
///
/// Exit code 0: everything is done. 1: nothing was changed. 3: something was changed, but not everything is done; run
/// topo apply again to continue. 4: another run has locked the state.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
}

/// The arguments of runs that make changes: apply and destroy.
#[derive(Debug, clap::Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) topology: TopologyFile,
    /// Do not ask for confirmation.
    #[arg(short = 'y', long = "yes")]
    yes: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    registry: &'static Registry,
    global: &GlobalArguments,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let arguments = &arguments.run;
    let topology = context::load_topology(&arguments.topology.file, registry, printer)?;
    let path = context::state_path(global, &arguments.topology.file, &topology.name)?;
    let desired = registry.desire(&topology);
    let options = arguments.selection.options(Some(&topology), false);
    let job = ApplyCommand { what: "apply", registry, name: &topology.name, desired, options, arguments };
    job.run(&context::store_at(&path, registry), global, printer)
}

/// A run that plans, asks and makes changes: apply or destroy.
pub(super) struct ApplyCommand<'a> {
    /// The command's name.
    pub(super) what: &'static str,
    /// The backends.
    pub(super) registry: &'static Registry,
    /// The topology's name.
    pub(super) name: &'a Name,
    /// What is desired.
    pub(super) desired: Desired,
    /// What the user chose.
    pub(super) options: Options,
    /// The command line.
    pub(super) arguments: &'a RunArguments,
}

impl ApplyCommand<'_> {
    /// Locks the state, plans, asks, makes the changes, and reports them.
    pub(super) fn run(
        self,
        store: &Arc<dyn Store>,
        global: &GlobalArguments,
        printer: Printer,
    ) -> Result<Exit, CommandError> {
        if !self.arguments.yes && !review::can_ask() {
            return Err(CommandError::new(format!(
                "topo {} asks for confirmation, but there is no terminal.",
                self.what
            ))
            .hint("Add -y to continue without confirmation."));
        }
        context::block_on(async {
            let stop = review::stop_on_interrupt(printer);
            let request = LockRequest { what: self.what.to_owned(), manual: false };
            let mut interrupted = stop.clone();
            let locked = tokio::select! {
                locked = store.lock(&request, global.lock_timeout) => locked?,
                _ = interrupted.changed() => return Err(interrupted_early(self.what)),
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
        let recorded = context::read_state(Arc::clone(store), self.name).await?;
        let sites = context::sites(self.registry, global, &self.desired, &recorded.state, true)?;
        let result = self.carry_out(recorded, &sites, global, stop, printer).await;
        context::close(&sites).await;
        review::requests(&context::requests(&sites), printer);
        result
    }

    async fn carry_out(
        self,
        recorded: Recorded,
        sites: &Sites,
        global: &GlobalArguments,
        stop: watch::Receiver<bool>,
        printer: Printer,
    ) -> Result<Exit, CommandError> {
        let what = self.what;
        let inputs = Inputs { name: self.name, desired: self.desired, options: self.options, state: &recorded.state };
        let planned =
            context::plan(inputs, self.registry, &self.arguments.selection, sites, global, stop.clone(), printer)
                .await?;
        let Some(planned) = planned else { return Err(interrupted_early(what)) };
        let context::Planned { plan, desired, options, mut memo } = planned;
        if options.destroy && recorded.state.is_empty() {
            printer.note(&format!(
                "Note: the state {} has no records, so topo has nothing to remove. If you lost the state, `topo plan` \
                 shows what is live.",
                recorded.store.location()
            ));
        }
        review::show(&plan, self.registry.known(), &mut memo, !options.destroy, printer);
        if plan.is_stopped() {
            return Err(CommandError::new("Nothing was changed: the plan has errors or conflicts."));
        }
        let unseen = plan.left_unseen(|place| context::concerns(&options, self.registry, place));
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
            let skips = options.skip_conflicts && plan.leaves_out();
            if printer.is_json() {
                if skips {
                    left.extend(left_out(&plan));
                }
                let (nothing, told) = (RunOutcome::default(), ReportedReasons::by(&plan));
                review::outcome(options.destroy, &nothing, &told, &left, &context::requests(sites), printer);
            }
            if skips {
                return Ok(Exit::Partial);
            }
            return Ok(match (plan.reached_nothing(), !left.is_empty()) {
                (true, _) => Exit::NothingChanged,
                (false, true) => Exit::Partial,
                (false, false) => Exit::Done,
            });
        }
        if plan.has_changes() && !self.arguments.yes && !review::confirm(options.destroy, stop.clone(), printer).await {
            let how = if *stop.borrow() { "interrupted" } else { "declined" };
            return Err(CommandError::new(format!("topo {} was {how}. Nothing was changed.", self.what)));
        }
        left.extend(left_out(&plan));
        let incomplete = !left.is_empty();
        let is_open = is_open(&plan, &recorded.state);
        let (events, listener) = context::events();
        let told = ReportedReasons::by(&plan);
        let progress = review::listen(listener, told.clone(), printer);
        let run = Run {
            plan,
            desired: &desired,
            state: recorded.state,
            revision: recorded.revision,
            store: recorded.store,
            sites,
            parallelism: usize::from(global.parallelism),
            topology: self.name.clone(),
            options: &options,
            events,
            stop,
        };
        let outcome = run.carry_out(memo).await;
        let _ = progress.await;
        let outcome = outcome.map_err(|error| match error {
            RunError::NotBegun(error) => CommandError::from(error).hint("Nothing was changed."),
            RunError::Marked(error) => CommandError::from(error).exit(Exit::Partial).hint(
                "Nothing was changed but the state: it marks as in doubt what this run was about to change. The next run looks there.",
            ),
            RunError::Running(error) => CommandError::from(error)
                .exit(Exit::Partial)
                .hint("The journal has the outcomes, and the next run looks for the rest."),
        })?;
        review::outcome(options.destroy, &outcome, &told, &left, &context::requests(sites), printer);
        Ok(exit_of(&outcome, incomplete, is_open))
    }
}

/// What the plan leaves out, by place.
fn left_out(plan: &Plan) -> impl Iterator<Item = (Place, LeftOut)> {
    plan.findings.iter().filter_map(|one| Some((one.place().clone(), one.left_out.clone()?)))
}

fn interrupted_early(what: &str) -> CommandError {
    CommandError::new(format!("topo {what} was interrupted before anything was changed."))
}

/// Whether something is not settled before the run begins: an earlier run left it in doubt, or topo could not look at it. A run that
/// reached nothing at all is something else.
fn is_open(plan: &Plan, state: &State) -> bool {
    let in_doubt = || state.records().any(|(.., record)| record.is_in_doubt());
    !plan.reached_nothing() && (plan.has_unseen() || in_doubt())
}

fn exit_of(outcome: &RunOutcome, incomplete: bool, is_open: bool) -> Exit {
    if outcome.is_complete() && !incomplete {
        Exit::Done
    } else if outcome.touched || outcome.is_complete() || is_open {
        Exit::Partial
    } else {
        Exit::NothingChanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Name, Phase};

    #[test]
    fn only_a_run_that_left_nothing_open_is_done() {
        let place = Place::from(Name::new("node-0").expect("name"));
        let flags = [false, true];
        for (complete, touched) in flags.into_iter().flat_map(|complete| flags.map(|touched| (complete, touched))) {
            let left = if complete { Vec::new() } else { vec![(place.clone(), Phase::Install)] };
            let outcome = RunOutcome { left, touched, ..RunOutcome::default() };
            for (incomplete, is_open) in flags.into_iter().flat_map(|one| flags.map(|other| (one, other))) {
                let expected = match (complete, incomplete, touched, is_open) {
                    // What was in doubt before is settled by a run that did everything.
                    (true, false, ..) => Exit::Done,
                    (true, true, ..) | (false, _, true, _) | (false, _, false, true) => Exit::Partial,
                    (false, _, false, false) => Exit::NothingChanged,
                };
                let case = format!("complete {complete}, incomplete {incomplete}, touched {touched}, open {is_open}");
                assert_eq!(exit_of(&outcome, incomplete, is_open), expected, "{case}");
            }
        }
    }
}

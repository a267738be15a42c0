//! Carries out a plan: parallel steps within a phase, a gate between phases, outcomes into the journal.

mod running;
mod step;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::record::begin;
use crate::backend::{Desired, Site};
use crate::network::Memo;
use crate::plan::{Options, Plan};
use crate::report::{RunOutcome, Timed};
use crate::resource::{Name, Phase, Place};
use crate::state::{Entry, JournalWriter, Revision, RunId, State, Store, StoreError, fold};

/// A run to carry out. The caller holds the lock of the state.
pub struct Run<'a> {
    /// What to do.
    pub plan: Plan,
    /// The inputs of the plan.
    pub desired: &'a Desired,
    /// The state, with the journal applied.
    pub state: State,
    /// The write that the state comes from.
    pub revision: Revision,
    /// The store of the state.
    pub store: Arc<dyn Store>,
    /// The kinds of places, each with its connection.
    pub sites: &'a [Arc<dyn Site>],
    /// Concurrent exchanges.
    pub parallelism: usize,
    /// The topology's name.
    pub topology: Name,
    /// What the user chose.
    pub options: &'a Options,
    /// Who listens.
    pub events: mpsc::Sender<Timed>,
    /// Becomes true when the user asks to stop.
    pub stop: watch::Receiver<bool>,
}

/// Why a run has no outcome: the state could not be written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// Before anything was done. Neither a place nor the state has changed.
    #[error(transparent)]
    NotBegun(StoreError),
    /// The state marks as in doubt what the run was about to touch. No place has changed.
    #[error(transparent)]
    Marked(StoreError),
    /// The run had begun to change places.
    #[error(transparent)]
    Running(#[from] StoreError),
}

struct Executor<'a> {
    run: Run<'a>,
    /// The state before the run: the basis for a new plan when a place answers that topo could not look at before.
    before: State,
    id: RunId,
    base: u64,
    /// The phases of each place.
    phases: BTreeMap<Place, BTreeSet<Phase>>,
    entries: Vec<Entry>,
    journal: JournalWriter,
    outcome: RunOutcome,
    /// Places where a step has failed.
    failed: BTreeSet<Place>,
    /// Nodes that get no more routes from any place, each with the reason.
    lost: BTreeMap<Name, String>,
    /// Places where a step panicked. Their content is unknown, so the run does nothing more there.
    unknown: BTreeSet<Place>,
}

impl Run<'_> {
    /// Carries out the run. An error comes from the state.
    pub async fn carry_out(mut self, mut memo: Memo) -> Result<RunOutcome, RunError> {
        let random = |error: std::io::Error| {
            let message = format!("topo could not get random numbers: {error}.");
            RunError::NotBegun(StoreError::unavailable(message, "Run the command again."))
        };
        let id = RunId::random().map_err(random)?;
        let mut next = begin(&self.state, &self.plan, id);
        next.serial = self.state.serial + 1;
        let acts = self.plan.places.values().any(|planned| planned.acts);
        if !acts {
            next.run = None;
        }
        self.store.swap(self.revision, &next).await.map_err(RunError::NotBegun)?;
        self.store.clear_journal().await.map_err(RunError::Marked)?;
        if !acts {
            return Ok(RunOutcome::default());
        }
        let journal = JournalWriter::start(Arc::clone(&self.store));
        let base = next.serial;
        let before = std::mem::replace(&mut self.state, next);
        let mut executor = Executor {
            run: self,
            before,
            id,
            base,
            phases: BTreeMap::new(),
            entries: Vec::new(),
            journal,
            outcome: RunOutcome::default(),
            failed: BTreeSet::new(),
            lost: BTreeMap::new(),
            unknown: BTreeSet::new(),
        };
        let carried = executor.execute(&mut memo).await;
        let Executor { run, journal, entries, mut outcome, .. } = executor;
        // Finish the journal even after an error, so that nothing known is lost.
        let finished = journal.finish().await;
        carried.and(finished)?;
        outcome.not_persistent = run.sites.iter().flat_map(|site| site.not_persistent(&run.plan)).collect();
        let mut last = fold(run.state.clone(), &entries);
        last.run = None;
        last.serial = base + 1;
        run.store.swap(run.state.revision(), &last).await?;
        run.store.clear_journal().await?;
        run.confirm(&mut outcome).await;
        Ok(outcome)
    }

    /// Asks the network whether the new routes are in force, unless the user asked to stop.
    async fn confirm(&self, outcome: &mut RunOutcome) {
        if outcome.stopped {
            return;
        }
        for check in self.sites.iter().flat_map(|site| site.confirm(&self.plan, outcome)).collect::<Vec<_>>() {
            let mut stop = self.stop.clone();
            let interrupted = async {
                // If the sender is gone, nobody can ask to stop any more.
                if stop.wait_for(|stop| *stop).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let found = tokio::select! {
                found = check.asking => found,
                () = interrupted => check.interrupted,
            };
            outcome.confirmations.push(found);
        }
    }
}

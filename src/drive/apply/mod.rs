//! Carries out a plan: parallel steps within a phase, a gate between phases, outcomes into the journal.

mod azure;
mod azure_step;
mod effective;
mod node_step;
mod running;
mod settle;
mod walk;
mod works;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use tokio::sync::{mpsc, watch};

use self::azure::AzureEnd;
pub use self::effective::{Confirmation, Verdict};

use super::record::begin;
use super::{Event, Skipped};
use crate::backend::Desired;
use crate::backend::azure_udr::Work as AzureWork;
use crate::exchange::node::{Activation, Reply};
use crate::network::{Memo, Prefix, View};
use crate::plan::{Operation, Options, Plan};
use crate::resource::{Action, Name, Phase, Place, ResourceId, Token};
use crate::state::{Entry, JournalWriter, Revision, RunId, State, Store, StoreError, fold};
use crate::transport::azure::Azure;
use crate::transport::{Transport, TransportError};

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
    /// The connection to the nodes.
    pub transport: Arc<dyn Transport>,
    /// The connection to Azure, if anything is there.
    pub azure: Option<Arc<dyn Azure>>,
    /// What to do in Azure, beside the plan.
    pub azure_work: AzureWork,
    /// Concurrent exchanges.
    pub parallelism: usize,
    /// The topology's name.
    pub topology: Name,
    /// What the user chose.
    pub options: &'a Options,
    /// Who listens.
    pub events: mpsc::Sender<Event>,
    /// Becomes true when the user asks to stop.
    pub stop: watch::Receiver<bool>,
}

/// A place where not everything was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub place: Place,
    /// The phase.
    pub phase: Phase,
    /// What happened, in full sentences.
    pub message: String,
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// Number of finished operations, by action.
    pub done: BTreeMap<Action, usize>,
    /// Places where not everything was done.
    pub failures: Vec<Failure>,
    /// Routes that topo skipped.
    pub skipped: Vec<Skipped>,
    /// Steps that did not start because the user asked to stop.
    pub left: Vec<(Place, Phase)>,
    /// What else the user should know.
    pub warnings: Vec<(Place, String)>,
    /// Places with live routes that should survive reboots, but do not yet.
    pub not_persistent: Vec<Place>,
    /// Whether the new routes are in force, where the network says it.
    pub confirmations: Vec<Confirmation>,
    /// Whether the run may have written anything in any place.
    pub touched: bool,
    /// Whether the user asked to stop.
    pub stopped: bool,
}

impl RunOutcome {
    /// Number of finished operations of an action.
    pub fn done(&self, action: Action) -> usize {
        self.done.get(&action).copied().unwrap_or(0)
    }

    /// Whether everything in the plan is done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
            && self.skipped.is_empty()
            && self.left.is_empty()
            && !self.confirmations.iter().any(Confirmation::differs)
    }
}

/// What the run knows about one place so far.
#[derive(Default)]
struct Progress {
    tokens: BTreeMap<u32, Token>,
    /// Files that are as wanted now, with the answer of the place for each.
    filed: BTreeMap<ResourceId, Token>,
    /// Files that may have been written.
    touched_files: BTreeSet<ResourceId>,
    wrote: bool,
    failed: bool,
    /// Destinations that were skipped because their node failed.
    lacks: BTreeMap<ResourceId, Vec<Prefix>>,
    /// Changes that were left out.
    held: bool,
    left: BTreeSet<Phase>,
}

/// One step in progress.
struct Prepared {
    index: NodeIndex,
    place: Place,
    phase: Phase,
    /// The operations that the works carry out.
    batches: Vec<Batch>,
    /// The files that the works write or check, in the same order.
    files: Vec<(ResourceId, Activation)>,
}

/// The operations of one step on the routes of one metric in one table.
struct Batch {
    id: ResourceId,
    view: Arc<View>,
    /// Whether the routes stand in a file, too, and count with it.
    in_file: bool,
    operations: Vec<Operation>,
    /// The write of the exchange that contains them; none if the rows are right already.
    write: Option<usize>,
}

type Replies = Result<Vec<Reply>, TransportError>;

/// A step that has ended.
enum Ended {
    /// An exchange with a node.
    Node(Prepared, Replies),
    /// The work in a place of Azure in a phase.
    Azure(NodeIndex, Place, Phase, AzureEnd),
}

struct Executor<'a> {
    run: Run<'a>,
    /// The state before the run: the basis for a new plan when a place answers that topo could not look at before.
    before: State,
    id: RunId,
    base: u64,
    memo: Memo,
    progress: BTreeMap<Place, Progress>,
    entries: Vec<Entry>,
    journal: JournalWriter,
    outcome: RunOutcome,
    /// Places of Azure where not everything was done.
    azure_failed: BTreeSet<Place>,
    /// Nodes that get no more routes from any place, each with the reason.
    lost: BTreeMap<Name, String>,
    /// Places of Azure where a step panicked. Their content is unknown, so the run does nothing more there.
    unknown: BTreeSet<Place>,
}

impl Run<'_> {
    /// Carries out the run. An error comes from the state. If it comes before the first write, nothing was changed.
    pub async fn carry_out(self, memo: Memo) -> Result<RunOutcome, StoreError> {
        let random = |error: std::io::Error| {
            StoreError::unavailable(format!("topo could not get random numbers: {error}."), "Run the command again.")
        };
        let id = RunId::random().map_err(random)?;
        let mut next = begin(&self.state, &self.plan, id);
        next.serial = self.state.serial + 1;
        let acts = self.plan.places.values().any(|planned| planned.acts);
        if !acts {
            next.run = None;
        }
        self.store.swap(self.revision, &next).await?;
        self.store.clear_journal().await?;
        if !acts {
            return Ok(RunOutcome::default());
        }
        let journal = JournalWriter::start(Arc::clone(&self.store));
        let base = next.serial;
        let mut run = self;
        let before = std::mem::replace(&mut run.state, next);
        let mut executor = Executor {
            run,
            before,
            id,
            base,
            memo,
            progress: BTreeMap::new(),
            entries: Vec::new(),
            journal,
            outcome: RunOutcome::default(),
            azure_failed: BTreeSet::new(),
            lost: BTreeMap::new(),
            unknown: BTreeSet::new(),
        };
        let carried = executor.execute().await;
        executor.tell_what_does_not_last();
        let Executor { run, journal, entries, outcome, .. } = executor;
        // Finish the journal even after an error, so that nothing known is lost.
        let finished = journal.finish().await;
        carried.and(finished)?;
        let mut last = fold(run.state.clone(), &entries);
        last.run = None;
        last.serial = base + 1;
        run.store.swap(run.state.revision(), &last).await?;
        run.store.clear_journal().await?;
        let mut outcome = outcome;
        effective::look(&run, &mut outcome).await;
        Ok(outcome)
    }
}

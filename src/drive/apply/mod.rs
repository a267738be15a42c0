//! Carries out a plan: parallel steps within a phase, a gate between phases, outcomes into the journal.

mod azure;
mod azure_step;
mod effective;
mod running;
mod settle;
mod works;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use tokio::sync::{mpsc, watch};

use self::azure::AzureEnd;
pub use self::effective::{Effective, EffectiveOutcome};
use self::running::{Begun, Running};
use self::settle::{describe, settle_batch};

use super::record::begin;
use super::{Event, observe, tell};
use crate::backend::Desired;
use crate::backend::azure_udr::{AzureTask, Hop, Work as AzureWork};
use crate::backend::netplan::NETPLAN_FILE;
use crate::backend::node::{self, Inputs, Observation};
use crate::exchange::node::{Activation, Filed, Reply, Work, Written};
use crate::network::{Memo, Prefix, View};
use crate::plan::{Operation, Options, Plan, Steps, Vertex, steps};
use crate::resource::{Action, Name, Phase, Place, Record, ResourceId, Token};
use crate::state::{Entry, JournalWriter, Outcome, Revision, RunId, State, Store, StoreError, fold};
use crate::transport::azure::Azure;
use crate::transport::{Target, Transport, TransportError};

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
    /// Routes that were skipped because the node that they lead to failed: place, that node, number.
    pub skipped: Vec<(Place, Place, usize)>,
    /// Steps that did not start because the user asked to stop.
    pub left: Vec<(Place, Phase)>,
    /// What else the user should know.
    pub warnings: Vec<(Place, String)>,
    /// Places with live routes that should survive reboots, but do not yet.
    pub not_persistent: Vec<Place>,
    /// What Azure's network interfaces say about the new routes.
    pub effective: Vec<Effective>,
    /// Whether the run may have written anything in any place.
    pub touched: bool,
    /// Whether the user asked to stop.
    pub stopped: bool,
}

impl RunOutcome {
    /// Whether everything in the plan is done.
    pub fn is_complete(&self) -> bool {
        let differs = |one: &Effective| matches!(one.outcome, EffectiveOutcome::Differs(..));
        self.failures.is_empty()
            && self.skipped.is_empty()
            && self.left.is_empty()
            && !self.effective.iter().any(differs)
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
    /// Next hops whose network interface does not forward, each with the reason.
    failed_hops: BTreeMap<Hop, String>,
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
            failed_hops: BTreeMap::new(),
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

impl Executor<'_> {
    /// Walks the graph: a vertex starts when all vertices before it have ended, whatever their outcome.
    async fn execute(&mut self) -> Result<(), StoreError> {
        let graph = steps(&self.run.plan, &mut self.memo);
        self.begin_progress(&graph);
        let mut waits: BTreeMap<NodeIndex, usize> = graph
            .node_indices()
            .map(|index| (index, graph.neighbors_directed(index, Direction::Incoming).count()))
            .collect();
        let mut ready: VecDeque<NodeIndex> =
            waits.iter().filter(|(_, waits)| **waits == 0).map(|(index, _)| *index).collect();
        let mut running = Running::default();
        let mut waiting: BTreeSet<NodeIndex> = graph.node_indices().collect();
        loop {
            while running.len() < self.run.parallelism.max(1) {
                let Some(index) = ready.pop_front() else { break };
                waiting.remove(&index);
                let ended = match &graph[index] {
                    Vertex::Gate(_) => {
                        self.journal.flush().await?;
                        true
                    }
                    Vertex::Step(place, phase) => {
                        running.turn_to(index, place, *phase);
                        !self.start(index, place, *phase, &mut running).await?
                    }
                };
                if ended {
                    release(&graph, index, &mut waits, &mut ready);
                }
            }
            if running.is_empty() {
                if ready.is_empty() {
                    return self.tell_what_was_not_begun(&graph, &waiting).await;
                }
                continue;
            }
            match running.next().await {
                Some(Ok(Ended::Node(prepared, replies))) => {
                    let index = prepared.index;
                    running.turn_to(index, &prepared.place, prepared.phase);
                    if self.finish(prepared, replies, &mut running).await? {
                        release(&graph, index, &mut waits, &mut ready);
                    }
                }
                Some(Ok(Ended::Azure(index, place, phase, end))) => {
                    self.finish_azure(&place, phase, end).await?;
                    release(&graph, index, &mut waits, &mut ready);
                }
                Some(Err(Some(begun))) => {
                    self.panicked(&begun).await?;
                    release(&graph, begun.index, &mut waits, &mut ready);
                }
                // A step of unknown origin ends here; the end of the run reports every vertex that still waits.
                Some(Err(None)) | None => {}
            }
        }
    }

    /// Handles a step that has panicked: nobody knows how much it had done.
    async fn panicked(&mut self, begun: &Begun) -> Result<(), StoreError> {
        let Begun { place, phase, .. } = begun;
        let message =
            "This step failed because of a bug in topo, and topo does not know how much of it is done. Run topo \
            again: it looks first."
                .to_owned();
        self.touch(place);
        let planned = self.run.plan.places.get(place);
        if place.is_node() {
            let files = planned.into_iter().flat_map(|planned| &planned.files).map(|file| file.id.clone());
            if let Some(progress) = self.progress.get_mut(place) {
                progress.touched_files.extend(files);
            }
            return self.fail(place, *phase, message).await;
        }
        let resources = planned.into_iter().flat_map(|planned| &planned.listed);
        let outcomes = resources.map(|resource| (resource.id.clone(), Outcome::StillInDoubt)).collect();
        // Leave out routes to a next hop that may not forward.
        let failed_hops = match self.run.azure_work.task(place, *phase) {
            Some(AzureTask::Interface(task)) if *phase == Phase::Prepare => {
                task.addresses.iter().map(|address| (Hop::appliance(*address), message.clone())).collect()
            }
            _ => Vec::new(),
        };
        self.unknown.insert(place.clone());
        let end = AzureEnd { failure: Some(message), outcomes, touched: true, failed_hops, ..AzureEnd::default() };
        self.finish_azure(place, *phase, end).await
    }

    /// Reports steps that never started. There should be none; if there are any, the run must not count as complete.
    async fn tell_what_was_not_begun(
        &mut self,
        graph: &Steps,
        waiting: &BTreeSet<NodeIndex>,
    ) -> Result<(), StoreError> {
        for index in waiting {
            let Vertex::Step(place, phase) = &graph[*index] else { continue };
            let message = "This step did not start because of a bug in topo. Run topo again.".to_owned();
            if place.is_node() {
                self.fail(place, *phase, message).await?;
            } else {
                let end = AzureEnd { failure: Some(message), ..AzureEnd::default() };
                self.finish_azure(place, *phase, end).await?;
            }
        }
        Ok(())
    }

    /// Places with live routes that a file should keep across reboots, but does not keep yet.
    fn tell_what_does_not_last(&mut self) {
        for (place, progress) in self.progress.iter().filter(|(_, progress)| progress.wrote) {
            let files = self.run.plan.places.get(place).into_iter().flat_map(|planned| &planned.files);
            let mut left = files.filter(|file| file.wanted && file.change.is_some());
            if left.any(|file| !progress.filed.contains_key(&file.id)) {
                self.outcome.not_persistent.push(place.clone());
            }
        }
    }

    fn begin_progress(&mut self, graph: &Steps) {
        let mut places = BTreeSet::new();
        for vertex in graph.node_weights() {
            if let Vertex::Step(place, phase) = vertex {
                places.insert(place.clone());
                self.progress.entry(place.clone()).or_default().left.insert(*phase);
            }
        }
        for (place, progress) in &mut self.progress {
            let Some(planned) = self.run.plan.places.get(place) else { continue };
            for (_, table) in &planned.tables {
                progress.tokens.extend(table.token.clone().map(|token| (table.view.table, token)));
            }
        }
        let steps = graph.node_weights().filter(|vertex| matches!(vertex, Vertex::Step(..))).count();
        tell(&self.run.events, Event::ApplyStarted { steps, places: places.len() });
    }

    /// Starts a step; false if there is nothing to wait for.
    async fn start(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        if self.unknown.contains(place) {
            return Ok(false);
        }
        if !place.is_node() {
            return self.start_azure(index, place, phase, running).await;
        }
        if self.progress.get(place).is_none_or(|progress| progress.failed) {
            return Ok(false);
        }
        if *self.run.stop.borrow() {
            if !self.outcome.stopped {
                self.outcome.stopped = true;
                tell(&self.run.events, Event::Stopping);
            }
            self.outcome.left.push((place.clone(), phase));
            self.settle_place(place, phase, true).await?;
            return Ok(false);
        }
        let Some(target) = self.target(place) else {
            self.fail(place, phase, "The state does not say how to reach this place.".to_owned()).await?;
            return Ok(false);
        };
        if self.run.plan.places.get(place).is_some_and(|planned| planned.unseen.is_some()) {
            let Some((target, works)) =
                observe::question(place, self.run.desired, self.before.places.get(place), &mut self.memo)
            else {
                return Ok(false);
            };
            spawn(
                running,
                &self.run.transport,
                target,
                works,
                Prepared { index, place: place.clone(), phase, batches: Vec::new(), files: Vec::new() },
            );
            return Ok(true);
        }
        self.send(index, place, phase, target, running).await
    }

    /// Sends the requests of a step; false if there are none.
    async fn send(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        target: Target,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let (works, batches, files) = self.works(place, phase);
        if works.is_empty() {
            self.end_step(place, phase, 0).await?;
            return Ok(false);
        }
        let prepared = Prepared { index, place: place.clone(), phase, batches, files };
        spawn(running, &self.run.transport, target, works, prepared);
        Ok(true)
    }

    fn target(&self, place: &Place) -> Option<Target> {
        let endpoint = self.run.plan.places.get(place)?.endpoint.clone()?;
        Some(Target { name: place.node_name()?, endpoint })
    }

    /// Reads the replies of a step. False if the step continues, because a place has answered that topo could not look
    /// at before.
    async fn finish(
        &mut self,
        prepared: Prepared,
        replies: Replies,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let Prepared { index, place, phase, batches, files } = prepared;
        if self.run.plan.places.get(&place).is_some_and(|planned| planned.unseen.is_some()) {
            return self.answered(index, &place, phase, replies, running).await;
        }
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => {
                if matches!(error, TransportError::Interrupted(_)) {
                    self.touch(&place);
                    self.touch_files(&place, &files);
                }
                self.fail(&place, phase, error.to_string()).await?;
                return Ok(true);
            }
        };
        if let [Reply::Lacking(what)] = replies.as_slice() {
            let message = place.node().map(|name| observe::lacking(name, what)).unwrap_or_default();
            self.fail(&place, phase, message).await?;
            return Ok(true);
        }
        let mut written: Vec<Written> = Vec::new();
        let mut of_files: Vec<Filed> = Vec::new();
        for reply in replies {
            match reply {
                Reply::Written(one) => written.push(one),
                Reply::Filed(one) => of_files.push(one),
                Reply::Marker(Some(said)) => {
                    let message = format!(
                        "topo could not write or remove the marker /etc/topo/{} ({said}). Without it, topo recognizes \
                         this machine only by its id and its routes.",
                        self.run.topology
                    );
                    self.warn(&place, message);
                }
                _ => {}
            }
        }
        let mut done = 0;
        // Read the outcome of routes even if a file failed: routes of other tables were written all the same.
        let file_failed = self.settle_files(&place, &files, of_files);
        done += files.iter().filter(|(_, activation)| *activation != Activation::Check).count();
        let mut failed: Vec<(Operation, String)> = Vec::new();
        for batch in batches {
            let settled = settle_batch(&batch, &written);
            let Batch { id, view, operations, .. } = batch;
            // Routes that are in a file, too, count with the file.
            let counts = *id.kind != NETPLAN_FILE;
            done += settled.done;
            for (at, operation) in operations.iter().enumerate() {
                match settled.failed.iter().find(|(index, _)| *index == at) {
                    Some((_, said)) => failed.push((operation.clone(), said.clone())),
                    None if counts => *self.outcome.done.entry(operation.action).or_default() += 1,
                    None => {}
                }
            }
            if settled.touched {
                self.touch(&place);
            }
            if let Some(progress) = self.progress.get_mut(&place) {
                progress.tokens.extend(settled.token.map(|token| (view.table, token)));
            }
            for warning in settled.warnings {
                self.warn(&place, warning);
            }
        }
        if let Some(message) = file_failed {
            self.fail(&place, phase, message).await?;
        } else if failed.is_empty() {
            self.end_step(&place, phase, done).await?;
        } else {
            self.fail(&place, phase, describe(&failed)).await?;
        }
        Ok(true)
    }

    /// Handles the answer of a place that topo could not look at before.
    async fn answered(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        replies: Replies,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let (Some((target, works)), false) = (
            observe::question(place, self.run.desired, self.before.places.get(place), &mut self.memo),
            *self.run.stop.borrow(),
        ) else {
            return Ok(true);
        };
        let seen = match observe::read(&target, replies, &works) {
            Observation::Seen(seen) => *seen,
            Observation::Unreachable(reason) => {
                self.fail(place, phase, reason).await?;
                return Ok(true);
            }
            Observation::NotAsked => return Ok(true),
        };
        if self.is_in_doubt(place) {
            let message = format!(
                "{} answers again. topo must first look at what an earlier run left there. Run topo apply again.",
                place.name()
            );
            self.fail(place, phase, message).await?;
            return Ok(true);
        }
        let inputs = Inputs {
            topology: &self.run.topology,
            desired: self.run.desired,
            recorded: &self.before,
            options: self.run.options,
        };
        let replanned = node::replan(&mut self.run.plan, place, &inputs, seen, &mut self.memo);
        if let Err(why) = replanned {
            let message = format!("{} answers again, but {why}. Run topo plan to see the details.", place.name());
            self.fail(place, phase, message).await?;
            return Ok(true);
        }
        if let (Some(planned), Some(progress)) = (self.run.plan.places.get(place), self.progress.get_mut(place)) {
            for (_, table) in &planned.tables {
                progress.tokens.extend(table.token.clone().map(|token| (table.view.table, token)));
            }
        }
        Ok(!self.send(index, place, phase, target, running).await?)
    }

    /// Whether an earlier run has left a place in doubt.
    fn is_in_doubt(&self, place: &Place) -> bool {
        let recorded =
            self.run.plan.places.get(place).and_then(|planned| planned.renamed_from.as_ref()).unwrap_or(place);
        self.before.places.get(recorded).is_some_and(|record| record.resources.values().any(Record::is_in_doubt))
    }

    fn touch(&mut self, place: &Place) {
        self.outcome.touched = true;
        if let Some(progress) = self.progress.get_mut(place) {
            progress.wrote = true;
        }
    }

    fn warn(&mut self, place: &Place, message: String) {
        tell(&self.run.events, Event::Warning { place: place.clone(), message: message.clone() });
        self.outcome.warnings.push((place.clone(), message));
    }

    async fn end_step(&mut self, place: &Place, phase: Phase, operations: usize) -> Result<(), StoreError> {
        tell(&self.run.events, Event::StepDone { place: place.clone(), phase, operations });
        self.settle_place(place, phase, false).await
    }

    async fn fail(&mut self, place: &Place, phase: Phase, message: String) -> Result<(), StoreError> {
        tell(&self.run.events, Event::StepFailed { place: place.clone(), phase, message: message.clone() });
        self.outcome.failures.push(Failure { place: place.clone(), phase, message });
        self.settle_place(place, phase, true).await
    }
}

fn spawn(running: &mut Running, transport: &Arc<dyn Transport>, target: Target, works: Vec<Work>, prepared: Prepared) {
    let transport = Arc::clone(transport);
    running.spawn(async move {
        let replies = transport.exchange(&target, &works).await;
        Ended::Node(prepared, replies)
    });
}

/// A vertex has ended: the vertices behind it wait for one less.
fn release(graph: &Steps, index: NodeIndex, waits: &mut BTreeMap<NodeIndex, usize>, ready: &mut VecDeque<NodeIndex>) {
    for next in graph.neighbors_directed(index, Direction::Outgoing) {
        if let Some(count) = waits.get_mut(&next) {
            *count -= 1;
            if *count == 0 {
                ready.push_back(next);
            }
        }
    }
}

//! Carries out a plan: steps in parallel inside a phase, a gate between phases, outcomes into the journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::record::begin;
use super::{Event, observe, tell};
use crate::backend::exchange::{
    Activation, FileWrite, Filed, Listing, Marker, Reply, RouteVerb, RouteWrite, Work, Written,
};
use crate::backend::netplan::{self, Header, NETPLAN_FILE};
use crate::backend::{self, Settled};
use crate::network::{MAIN_TABLE, Memo, Prefix, View};
use crate::plan::{
    Action, Desired, FilePlan, Inputs, Observation, Operation, Options, Phase, Place, PlacePlan, Plan, ResourceId,
    STATIC, Steps, TablePlan, Token, Vertex, steps,
};
use crate::state::{Entry, JournalWriter, Outcome, Record, Revision, RunId, State, Store, StoreError, fold};
use crate::topology::Name;
use crate::transport::{Target, Transport, TransportError};

/// A run that is to be carried out. The state's lock is held by the caller.
pub struct Run<'a> {
    /// What is to be done.
    pub plan: Plan,
    /// What the plan was made from.
    pub desired: &'a Desired,
    /// The recorded state, with the journal folded in.
    pub state: State,
    /// Which write of the state that was.
    pub revision: Revision,
    /// Where the state is kept.
    pub store: Arc<dyn Store>,
    /// The way to the nodes.
    pub transport: Arc<dyn Transport>,
    /// Exchanges at once.
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

/// A place where not all was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub place: Place,
    /// In which phase.
    pub phase: Phase,
    /// What happened, in full sentences.
    pub message: String,
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// Number of operations that were carried out, by action.
    pub done: BTreeMap<Action, usize>,
    /// Places where not all was done.
    pub failures: Vec<Failure>,
    /// Routes that were left out because the node that they lead to has failed: place, that node, number.
    pub skipped: Vec<(Place, Place, usize)>,
    /// Steps that were not begun because the user asked to stop.
    pub left: Vec<(Place, Phase)>,
    /// What should be known besides.
    pub warnings: Vec<(Place, String)>,
    /// Places whose routes are live and not yet kept across reboots, though they were to be.
    pub not_persistent: Vec<Place>,
    /// Whether anything may have been written on any place.
    pub touched: bool,
    /// Whether the user asked to stop.
    pub stopped: bool,
}

impl RunOutcome {
    /// Whether all that was planned is done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.skipped.is_empty() && self.left.is_empty()
    }
}

/// What is known about one place while the run goes on.
#[derive(Default)]
struct Progress {
    tokens: BTreeMap<u32, Token>,
    /// Files that are as wanted by now, with what the place gave for each.
    filed: BTreeMap<ResourceId, Token>,
    wrote: bool,
    failed: bool,
    /// Destinations that were left out because their node has failed.
    lacks: BTreeMap<ResourceId, Vec<Prefix>>,
    /// Changes that were left out.
    held: bool,
    left: BTreeSet<Phase>,
}

/// One step that is under way.
struct Prepared {
    index: NodeIndex,
    place: Place,
    phase: Phase,
    /// What the works carry out.
    batches: Vec<Batch>,
    /// The files that they write or check, in the order of the works.
    files: Vec<(ResourceId, Activation)>,
}

/// The operations of one step on the routes of one metric in one table.
struct Batch {
    id: ResourceId,
    view: Arc<View>,
    operations: Vec<Operation>,
    /// Which of the writes of the exchange they are in; none where the rows are right as they are.
    write: Option<usize>,
}

type Replies = Result<Vec<Reply>, TransportError>;

struct Executor<'a> {
    run: Run<'a>,
    /// The state before the run: what a place that could not be looked at is planned from when it answers.
    before: State,
    id: RunId,
    base: u64,
    memo: Memo,
    progress: BTreeMap<Place, Progress>,
    entries: Vec<Entry>,
    journal: JournalWriter,
    outcome: RunOutcome,
}

impl Run<'_> {
    /// Carries it out. An error is one of the state: where it comes before the first write, nothing was changed.
    pub async fn carry_out(self, memo: Memo) -> Result<RunOutcome, StoreError> {
        let random = |error: std::io::Error| {
            StoreError::unavailable(format!("There are no random numbers: {error}."), "Run the command again.")
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
        };
        let carried = executor.execute().await;
        executor.tell_what_does_not_last();
        let Executor { run, journal, entries, outcome, .. } = executor;
        // The journal is finished also after an error, so that what is known is not lost.
        let finished = journal.finish().await;
        carried.and(finished)?;
        let mut last = fold(run.state.clone(), &entries);
        last.run = None;
        last.serial = base + 1;
        run.store.swap(run.state.revision(), &last).await?;
        run.store.clear_journal().await?;
        Ok(outcome)
    }
}

impl Executor<'_> {
    /// Walks the graph: a vertex is begun when all before it have ended, whatever became of them.
    async fn execute(&mut self) -> Result<(), StoreError> {
        let graph = steps(&self.run.plan, &mut self.memo);
        self.begin_progress(&graph);
        let mut waits: BTreeMap<NodeIndex, usize> = graph
            .node_indices()
            .map(|index| (index, graph.neighbors_directed(index, Direction::Incoming).count()))
            .collect();
        let mut ready: VecDeque<NodeIndex> =
            waits.iter().filter(|(_, waits)| **waits == 0).map(|(index, _)| *index).collect();
        let mut running: JoinSet<(Prepared, Replies)> = JoinSet::new();
        loop {
            while running.len() < self.run.parallelism.max(1) {
                let Some(index) = ready.pop_front() else { break };
                let ended = match &graph[index] {
                    Vertex::Gate(_) => {
                        self.journal.flush().await?;
                        true
                    }
                    Vertex::Step(place, phase) => !self.start(index, place, *phase, &mut running).await?,
                };
                if ended {
                    release(&graph, index, &mut waits, &mut ready);
                }
            }
            if running.is_empty() {
                if ready.is_empty() {
                    return Ok(());
                }
                continue;
            }
            let joined = running.join_next().await;
            if let Some(Ok((prepared, replies))) = joined {
                let index = prepared.index;
                if self.finish(prepared, replies, &mut running).await? {
                    release(&graph, index, &mut waits, &mut ready);
                }
            }
        }
    }

    /// Places whose routes are live by now and not yet kept by the file that was to keep them.
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

    /// Begins a step; false where there is nothing to wait for.
    async fn start(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        running: &mut JoinSet<(Prepared, Replies)>,
    ) -> Result<bool, StoreError> {
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
            self.fail(place, phase, "The record does not say how this place is reached.".to_owned()).await?;
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
        let (works, batches, files) = self.works(place, phase);
        if works.is_empty() {
            self.end_step(place, phase, 0).await?;
            return Ok(false);
        }
        spawn(
            running,
            &self.run.transport,
            target,
            works,
            Prepared { index, place: place.clone(), phase, batches, files },
        );
        Ok(true)
    }

    fn target(&self, place: &Place) -> Option<Target> {
        let endpoint = self.run.plan.places.get(place)?.endpoint.clone()?;
        Some(Target { name: place.node()?.clone(), endpoint })
    }

    /// The works of a step. They are made when the step starts: rows that lead to a node that has failed by then are left out.
    fn works(&mut self, place: &Place, phase: Phase) -> (Vec<Work>, Vec<Batch>, Vec<(ResourceId, Activation)>) {
        let Some(planned) = self.run.plan.places.get(place) else { return Default::default() };
        let reasons = self.run.plan.reasons(place);
        let mut writes: Vec<RouteWrite> = Vec::new();
        let mut batches = Vec::new();
        let mut skipped: BTreeMap<Place, usize> = BTreeMap::new();
        let mut lacks: Vec<(ResourceId, Prefix)> = Vec::new();
        let mut held = false;
        for (id, table) in &planned.tables {
            let file = planned.files.iter().find(|file| file.id == *id);
            let now = |operation: &Operation| match file {
                // What belongs to a file alone comes and goes with it, and what lacks the mark alone has it before.
                Some(file) if netplan::marks(operation) => {
                    table.judged && file.change.is_some() && operation.phase == phase
                }
                Some(file) => table.judged && file.writes_in(phase),
                None => operation.phase == phase,
            };
            let mut operations = table.operations(&reasons, &mut self.memo);
            operations.retain(|operation| {
                let is_now = now(operation) || file.is_some_and(|file| file.writes_in(phase));
                let receiver = operation.receiver.filter(|_| is_now);
                let Some(receiver) = receiver.and_then(|address| self.run.plan.people.name(address)) else {
                    return now(operation);
                };
                let receiver = Place::Node(receiver.clone());
                if !self.progress.get(&receiver).is_some_and(|progress| progress.failed) {
                    return now(operation);
                }
                match operation.action {
                    // The row may be one that another resource leaves to the file.
                    Action::Import if file.is_some() && table.judged => held = true,
                    Action::Add | Action::Import => lacks.push((id.clone(), operation.route.destination)),
                    _ => held = true,
                }
                // A route is skipped once, also where it stands in a file as well.
                if file.is_none() || table.judged {
                    *skipped.entry(receiver).or_default() += 1;
                }
                false
            });
            let token = self.progress.get(place).and_then(|progress| progress.tokens.get(&table.view.table));
            let work = backend::of_kind(&id.kind).and_then(|backend| backend.work(table, &operations, token));
            let write = match work {
                Some(Work::Write(write)) => Some(join(&mut writes, write)),
                _ => None,
            };
            if !operations.is_empty() {
                batches.push(Batch { id: id.clone(), view: Arc::clone(&table.view), operations, write });
            }
        }
        if let Some(progress) = self.progress.get_mut(place) {
            progress.held |= held;
            for (id, destination) in lacks {
                progress.lacks.entry(id).or_default().push(destination);
            }
        }
        let progress = self.progress.get(place);
        // A change that is left for later is left in the file, too.
        let writes_files = !progress.is_some_and(|progress| progress.held);
        let (mut works, mut files) = (Vec::new(), Vec::new());
        // What is taken away is not read any more when another takes its place.
        let mut several: Vec<&FilePlan> = planned.files.iter().filter(|_| writes_files).collect();
        several.sort_by_key(|file| file.wanted);
        for (file, activation) in several.into_iter().filter_map(|file| Some((file, activation(planned, file, phase)?)))
        {
            works.push(Work::File(self.file_write(planned, file, progress, activation)));
            files.push((file.id.clone(), activation));
        }
        works.extend(writes.into_iter().map(Work::Write));
        let wrote = progress.is_some_and(|progress| progress.wrote);
        let does_something =
            !batches.is_empty() || works.iter().any(|work| !matches!(work, Work::File(file) if file.only_checks()));
        if does_something && !wrote && !planned.has_marker && !planned.ends {
            works.insert(0, Work::WriteMarker(self.marker(place)));
        }
        let last = progress.is_some_and(|progress| progress.left.iter().all(|left| *left <= phase));
        let partial =
            planned.tables.iter().any(|(_, table)| table.is_partial()) || planned.files.iter().any(|file| file.is_left);
        if planned.ends && last && !partial {
            works.push(Work::RemoveMarker(self.run.topology.to_string()));
        }
        for (receiver, routes) in skipped {
            tell(&self.run.events, Event::Skipped { place: place.clone(), receiver: receiver.clone(), routes });
            self.outcome.skipped.push((place.clone(), receiver, routes));
        }
        (works, batches, files)
    }

    /// The write of a file, without the routes that were left out on the way.
    fn file_write(
        &self,
        planned: &PlacePlan,
        file: &FilePlan,
        progress: Option<&Progress>,
        activation: Activation,
    ) -> FileWrite {
        let header = Header { topology: self.run.topology.to_string(), lineage: self.run.state.lineage.to_string() };
        let mut tables = planned.tables.iter().filter(|(id, _)| *id == file.id).map(|(_, table)| table);
        let first = tables.clone().next();
        let mut routes = tables.find_map(|table| table.to.clone()).filter(|_| file.wanted);
        if let Some(routes) = routes.as_mut() {
            let left = progress.iter().flat_map(|progress| progress.lacks.values()).flatten();
            let lacks: BTreeSet<Prefix> = routes.lacks.iter().chain(left).copied().collect();
            routes.lacks = Arc::new(lacks);
        }
        let (table, protocols) =
            first.map_or((MAIN_TABLE, Vec::new()), |first| (first.view.table, first.marks.clone()));
        let listing = Listing { table, protocols, known: None };
        netplan::file_write(file, &header, routes.as_ref(), listing, activation)
    }

    fn marker(&self, place: &Place) -> Marker {
        let planned = self.run.plan.places.get(place);
        // Static rows are everybody's: a file alone has no number of its own.
        let is_mark = |(_, table): &&(ResourceId, TablePlan)| table.to.is_some() && table.view.protocol != STATIC;
        let protocol = planned.and_then(|planned| planned.tables.iter().find(is_mark));
        Marker {
            topology: self.run.topology.to_string(),
            lineage: self.run.state.lineage.to_string(),
            protocol: protocol.map_or(0, |(_, table)| table.view.protocol),
        }
    }

    /// Reads the replies of a step. False where the step goes on: a place that could not be looked at before has answered.
    async fn finish(
        &mut self,
        prepared: Prepared,
        replies: Replies,
        running: &mut JoinSet<(Prepared, Replies)>,
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
                        "The marker /etc/topo/{} could not be written or removed ({said}); topo will know this machine by its \
                         id and its routes alone.",
                        self.run.topology
                    );
                    self.warn(&place, message);
                }
                _ => {}
            }
        }
        let mut done = 0;
        if let Some(message) = self.settle_files(&place, &files, of_files) {
            self.fail(&place, phase, message).await?;
            return Ok(true);
        }
        done += files.iter().filter(|(_, activation)| *activation != Activation::Check).count();
        let mut failed: Vec<(Operation, String)> = Vec::new();
        for batch in batches {
            let settled = settle_batch(&batch, &written);
            let Batch { id, view, operations, .. } = batch;
            // Routes that stand in a file count with it.
            let counts = &*id.kind != NETPLAN_FILE;
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
        if failed.is_empty() {
            self.end_step(&place, phase, done).await?;
        } else {
            self.fail(&place, phase, describe(&failed)).await?;
        }
        Ok(true)
    }

    /// Reads what became of files; a sentence where not all is as it should be.
    fn settle_files(
        &mut self,
        place: &Place,
        files: &[(ResourceId, Activation)],
        replies: Vec<Filed>,
    ) -> Option<String> {
        let mut failed = None;
        let mut replies = replies.into_iter();
        for (id, activation) in files {
            let planned = self.run.plan.places.get(place);
            let file = planned.and_then(|planned| planned.files.iter().find(|file| file.id == *id));
            let action = file.and_then(|file| file.change.as_ref()).map(|change| change.action);
            let tables = planned.into_iter().flat_map(|planned| &planned.tables);
            let table = tables.filter(|(other, _)| other == id).map(|(_, table)| table.view.table).next();
            match replies.next() {
                Some(Filed::Done { .. }) if *activation == Activation::Check => {}
                Some(Filed::Done { token, table: rows, restored }) => {
                    self.touch(place);
                    if let Some(progress) = self.progress.get_mut(place) {
                        progress.filed.insert(id.clone(), token);
                        progress.tokens.extend(table.map(|table| (table, rows)));
                    }
                    if let Some(action) = action {
                        *self.outcome.done.entry(action).or_default() += 1;
                    }
                    if !restored.is_empty() {
                        let message = format!(
                            "Loading {} took {} of others away, which were put back at once: {}.",
                            id.name,
                            if restored.len() == 1 {
                                "a route".to_owned()
                            } else {
                                format!("{} routes", restored.len())
                            },
                            restored.join("; ")
                        );
                        self.warn(place, message);
                    }
                }
                Some(Filed::Moved) => {
                    failed.get_or_insert(format!(
                        "{} or the network configuration around it has changed since the plan looked; it was left as it is.",
                        id.name
                    ));
                }
                Some(Filed::Refused(said)) => _ = failed.get_or_insert(said),
                Some(Filed::PutBack(said)) => {
                    self.touch(place);
                    failed.get_or_insert(said);
                }
                None => {
                    if *activation != Activation::Check {
                        self.touch(place);
                    }
                    failed.get_or_insert(format!("The node did not say what became of {}.", id.name));
                }
            }
        }
        failed
    }

    /// A place that could not be looked at before has answered, or not.
    async fn answered(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        replies: Replies,
        running: &mut JoinSet<(Prepared, Replies)>,
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
                "{} answers again; what an earlier run left there has to be looked at first. Run topo apply again.",
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
        let replanned = self.run.plan.replan(place, &inputs, seen, &mut self.memo);
        if let Err(why) = replanned {
            let message = format!("{} answers again, but {why}. Run topo plan to see it.", place.name());
            self.fail(place, phase, message).await?;
            return Ok(true);
        }
        if let (Some(planned), Some(progress)) = (self.run.plan.places.get(place), self.progress.get_mut(place)) {
            for (_, table) in &planned.tables {
                progress.tokens.extend(table.token.clone().map(|token| (table.view.table, token)));
            }
        }
        let (works, batches, files) = self.works(place, phase);
        if works.is_empty() {
            self.end_step(place, phase, 0).await?;
            return Ok(true);
        }
        spawn(
            running,
            &self.run.transport,
            target,
            works,
            Prepared { index, place: place.clone(), phase, batches, files },
        );
        Ok(false)
    }

    /// What a resource turned out to lack since the state of this run was written.
    fn lacks_since(&self, place: &Place, id: &ResourceId, table: &TablePlan) -> Vec<Prefix> {
        let written = match self.run.state.record(place, id) {
            Some(Record::InDoubt { to: Some(to), .. }) => to.routes.as_ref(),
            _ => None,
        };
        let lacks = table.to.iter().flat_map(|to| to.lacks.iter());
        lacks.filter(|key| written.is_some_and(|set| !set.lacks.contains(*key))).copied().collect()
    }

    /// What a file turned out to be since the state of this run was written.
    fn attributes_since(&self, place: &Place, file: &FilePlan) -> Option<serde_json::Value> {
        let now = file.attributes.to_value();
        match self.run.state.record(place, &file.id) {
            Some(Record::InDoubt { to: Some(to), .. }) if to.attributes == now => None,
            _ => Some(now),
        }
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

    /// Journals what became of a place once its last step has ended, or none will follow.
    async fn settle_place(&mut self, place: &Place, phase: Phase, failed: bool) -> Result<(), StoreError> {
        let tables = self.run.plan.places.get(place).into_iter().flat_map(|planned| &planned.tables);
        let mut since: BTreeMap<ResourceId, Vec<Prefix>> =
            tables.map(|(id, table)| (id.clone(), self.lacks_since(place, id, table))).collect();
        let Some(progress) = self.progress.get_mut(place) else { return Ok(()) };
        progress.failed |= failed;
        progress.left.remove(&phase);
        if !progress.failed && !progress.left.is_empty() {
            return Ok(());
        }
        let in_doubt = self.is_in_doubt(place);
        let Some(planned) = self.run.plan.places.get(place) else { return Ok(()) };
        let Some(progress) = self.progress.get(place) else { return Ok(()) };
        let mut outcomes = Vec::new();
        let mut ids: Vec<&ResourceId> = planned.tables.iter().map(|(id, _)| id).collect();
        ids.dedup();
        ids.retain(|id| !planned.files.iter().any(|file| file.id == **id && file.is_others));
        for id in ids {
            let tables = || planned.tables.iter().filter(|(table, _)| table == id).map(|(_, table)| table);
            let is_left = planned.files.iter().any(|file| file.id == *id && file.is_left);
            let outcome = if progress.failed || progress.held || is_left || tables().any(TablePlan::is_partial) {
                if progress.wrote || (in_doubt && planned.unseen.is_some()) {
                    Outcome::StillInDoubt
                } else {
                    Outcome::Untouched
                }
            } else if let Some(table) = tables().find(|table| table.to.is_some()) {
                let token = progress.tokens.get(&table.view.table).cloned();
                let mut lacks = progress.lacks.get(id).cloned().unwrap_or_default();
                let mut token = token.and_then(|token| table.recordable(token));
                let mut attributes = None;
                if let Some(file) = planned.files.iter().find(|file| file.id == *id) {
                    // A file that is written leaves out what was left out of the kernel.
                    if file.change.is_some() {
                        lacks = progress.lacks.values().flatten().copied().collect();
                        lacks.sort_unstable();
                        lacks.dedup();
                    }
                    let given = progress.filed.get(id).or(file.token.as_ref());
                    token = given.and_then(|given| file.recordable(given, token.as_ref()));
                    attributes = self.attributes_since(place, file);
                }
                let token = token.filter(|_| lacks.is_empty());
                lacks.extend(since.remove(id).unwrap_or_default());
                Outcome::Done { lacks, token, attributes }
            } else {
                Outcome::Removed
            };
            outcomes.push((id.clone(), outcome));
        }
        let entry = Entry {
            run: self.id,
            base: self.base,
            seq: 0,
            at: Timestamp::now(),
            place: place.clone(),
            phase: phase.label().into(),
            outcomes,
            machine_id: planned.machine_id.clone().filter(|id| !id.is_empty()),
            forget: false,
        };
        self.entries.push(entry.clone());
        self.journal.append(entry).await
    }
}

/// How far a file goes in a phase; none where nothing is done with it.
fn activation(planned: &PlacePlan, file: &FilePlan, phase: Phase) -> Option<Activation> {
    if file.writes_in(phase) {
        let is_replaced = !file.wanted && planned.files.iter().any(|other| other.wanted && other.writes_in(phase));
        Some(if file.attributes.deferred || is_replaced { Activation::Defer } else { Activation::Load })
    } else if phase == Phase::Prepare && planned.checked_files().any(|other| other.id == file.id) {
        Some(Activation::Check)
    } else {
        None
    }
}

/// Joins writes to one table: after the first of two, the guard of the second could not hold.
fn join(writes: &mut Vec<RouteWrite>, write: RouteWrite) -> usize {
    let same = |other: &RouteWrite| other.listing == write.listing;
    let Some(at) = writes.iter().position(same) else {
        writes.push(write);
        return writes.len() - 1;
    };
    let joined = &mut writes[at];
    joined.guard_foreign |= write.guard_foreign;
    joined.commands.extend(write.commands);
    joined.commands.sort_by_key(|command| match command.verb {
        RouteVerb::Add => 0,
        RouteVerb::Change { .. } => 1,
        RouteVerb::Delete => 2,
    });
    at
}

fn settle_batch(batch: &Batch, written: &[Written]) -> Settled {
    let Batch { id, view, operations, write } = batch;
    let Some(backend) = backend::of_kind(&id.kind) else { return Settled::default() };
    // Rows that are imported as they are need no write.
    let Some(write) = write else { return Settled { done: operations.len(), ..Settled::default() } };
    let Some(mut written) = written.get(*write).cloned() else {
        let failed = (0..operations.len()).map(|index| (index, "the node did not say what became of it".to_owned()));
        return Settled { failed: failed.collect(), touched: true, ..Settled::default() };
    };
    // Rows of other metrics say nothing about these operations.
    if let Written::Done { appeared, vanished, .. } = &mut written {
        for rows in [appeared, vanished] {
            rows.retain(|row| row.metric == view.kernel_metric(row.family()));
        }
    }
    backend.settle(operations, &written)
}

fn spawn(
    running: &mut JoinSet<(Prepared, Replies)>,
    transport: &Arc<dyn Transport>,
    target: Target,
    works: Vec<Work>,
    prepared: Prepared,
) {
    let transport = Arc::clone(transport);
    running.spawn(async move {
        let replies = transport.exchange(&target, &works).await;
        (prepared, replies)
    });
}

/// A vertex has ended: those behind it wait for one less.
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

/// Which routes are not as they should be, and what was said of them.
fn describe(failed: &[(Operation, String)]) -> String {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (operation, said) in failed {
        reasons.entry(said).or_default().push(operation.route.destination.to_string());
    }
    let one = |(said, destinations): (&&str, &Vec<String>)| {
        let shown = destinations.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = destinations.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{shown}{more}: {said}.")
    };
    reasons.iter().map(|(said, destinations)| one((said, destinations))).collect::<Vec<_>>().join(" ")
}

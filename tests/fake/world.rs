//! Nodes, a state that outlives a run, and runs as the commands make them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, mpsc, watch};
use topo::backend::{Desired, Inputs, Site};
use topo::drive::{Run, covered, end_earlier_run, observe};
use topo::exchange::node::{Reply, Request};
use topo::network::Memo;
use topo::plan::{Options, Plan};
use topo::report::RunOutcome;
use topo::resource::{Action, Name, Reason};
use topo::state::{Revision, State, fold};
use topo::transport::azure::Azure;
use topo::transport::{BoxFuture, Target, Transport, TransportError};

use super::books::{Books, Disk};
use super::kernel::{Node, Owner, TableRow, Way};
use super::post::{Form, Mishap, Post};
use crate::events::checked;

/// Counts what a run does to the world, and kills it at one of them: from then on nothing it does has any effect.
#[derive(Default)]
pub(crate) struct Fate {
    count: AtomicUsize,
    /// Dies at this operation, counted from one; 0 never.
    at: AtomicUsize,
    /// 0: before it has its effect, 1: behind, 2: in the middle, where there is one.
    how: AtomicUsize,
    died: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Live,
    Before,
    After,
    Middle,
}

impl Fate {
    fn turn(&self) -> Turn {
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let at = self.at.load(Ordering::SeqCst);
        match count.cmp(&at) {
            _ if at == 0 => Turn::Live,
            std::cmp::Ordering::Less => Turn::Live,
            std::cmp::Ordering::Greater => Turn::Before,
            std::cmp::Ordering::Equal => [Turn::Before, Turn::After, Turn::Middle][self.how.load(Ordering::SeqCst) % 3],
        }
    }

    /// Has an effect, if the run lives to see it. `middle` is what a kill in the middle leaves.
    pub(crate) async fn effect<T>(&self, effect: impl FnOnce() -> T, middle: impl FnOnce()) -> T {
        match self.turn() {
            Turn::Live => return effect(),
            Turn::Before => {}
            Turn::After => _ = effect(),
            Turn::Middle => middle(),
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

/// The machines, found by their addresses.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) nodes: Mutex<Vec<Node>>,
    /// Machines whose exchanges fail, with how: 0 before anything ran, 1 before, said to be after, 2 after all ran; with 3 more it is
    /// the writes alone. 6 and 7: writes panic, before and after all ran; 8: looks panic.
    pub(crate) faults: Mutex<BTreeMap<usize, u8>>,
    /// Counts writes on nodes, in Azure and of the state.
    pub(crate) fate: Arc<Fate>,
    /// Counts messages to nodes and to Azure.
    pub(crate) post: Arc<Post>,
}

impl Network {
    pub(crate) fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().expect("no panic before")
    }
}

pub(crate) struct Wires(pub(crate) Arc<World>);

impl Transport for Wires {
    fn exchange<'a>(
        &'a self,
        at: &'a Target,
        requests: &'a [Request],
    ) -> BoxFuture<'a, Result<Vec<Reply>, TransportError>> {
        let network = &self.0.network;
        Box::pin(async move {
            let writes = !requests.iter().all(Request::is_question);
            let mishap = network.post.send(if writes { Form::Write } else { Form::Look }, at.name.as_str());
            let act = || {
                let host: IpAddr = at.endpoint.host.parse().expect("an address");
                let mut nodes = network.nodes();
                let found = nodes.iter_mut().enumerate().find(|(_, node)| node.answers_at(host));
                let Some((machine, node)) = found else {
                    return Err(TransportError::Unreachable(format!("{host} does not answer.")));
                };
                // Above 2 it is the writes alone that fail.
                let fault = network.faults.lock().expect("no panic before").get(&machine).copied();
                if let (Some(fault @ 6..=7), true) | (Some(fault @ 8), false) = (fault, writes) {
                    if fault == 7 {
                        node.exchange(requests);
                    }
                    drop(nodes);
                    // A panic that is not printed.
                    std::panic::resume_unwind(Box::new("the transport panics"));
                }
                if let Some(mishap) = mishap {
                    return strike(mishap, node, requests);
                }
                match fault.map(|fault| (fault % 3, fault > 2)) {
                    Some((_, true)) if !writes => Ok(node.exchange(requests)),
                    Some((0, _)) => Err(TransportError::Unreachable(format!("{host} is down."))),
                    Some((1, _)) => Err(TransportError::Interrupted(format!("{host} went away."))),
                    Some(_) => {
                        node.exchange(requests);
                        Err(TransportError::Interrupted(format!("{host} went away behind it.")))
                    }
                    None => Ok(node.exchange(requests)),
                }
            };
            if !writes {
                return act();
            }
            let written = network.fate.effect(act, || ()).await;
            if self.0.stops_after.load(Ordering::SeqCst) > 0 && self.0.stops_after.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.0.stop.send_replace(true);
            }
            written
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A message that something goes wrong with.
fn strike(mishap: Mishap, node: &mut Node, requests: &[Request]) -> Result<Vec<Reply>, TransportError> {
    match mishap {
        Mishap::NotSent => return Err(TransportError::Unreachable("The node is down.".to_owned())),
        Mishap::LostBefore => return Err(TransportError::Interrupted("The node went away.".to_owned())),
        Mishap::Refused => return Ok(vec![Reply::Lacking("ip".to_owned())]),
        _ => {}
    }
    let mut replies = node.exchange(requests);
    match mishap {
        Mishap::LostBehind => return Err(TransportError::Interrupted("The node went away behind it.".to_owned())),
        Mishap::Half => _ = replies.pop(),
        _ => replies[0] = Reply::Unknown("The node said something else.".to_owned()),
    }
    Ok(replies)
}

/// All that outlives a run.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) disk: Disk,
    /// Azure, where there is one. Only a `Cloud` counts messages and writes.
    pub(crate) azure: Option<Arc<dyn Azure>>,
    /// The connection to the nodes, where it is not that to the fakes.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    /// The user asks to stop once the next run has sent so many writes to nodes; 0 never.
    pub(crate) stops_after: AtomicUsize,
    /// Whether the user has asked to stop.
    pub(crate) stop: watch::Sender<bool>,
    /// Whether the plan of the last run left out something that no outcome tells.
    pub(crate) left_out: AtomicBool,
    /// Whether something was in doubt or could not be looked at when the last run began.
    pub(crate) is_open: AtomicBool,
}

/// What became of a run.
#[derive(Debug)]
pub(crate) enum Ran {
    /// Conflicts or refusals.
    Refused(Plan),
    Nothing,
    Done(RunOutcome),
    Died,
}

impl World {
    pub(crate) fn state(&self, name: &Name) -> (State, Revision) {
        let snapshot = self.disk.snapshot();
        let revision = snapshot.revision();
        let state = snapshot.state.map(|state| fold(state, &snapshot.entries));
        (state.unwrap_or_else(|| State::new(name.clone()).expect("random numbers")), revision)
    }

    /// Looks and plans, as all commands do. What is desired comes back with where the networks themselves route to.
    pub(crate) fn plan(
        self: &Arc<Self>,
        name: &Name,
        desired: &Desired,
        options: &Options,
    ) -> (Plan, State, Revision, Memo, Desired, Vec<Arc<dyn Site>>) {
        let (state, revision) = self.state(name);
        let (mut memo, mut desired, sites) = (Memo::default(), desired.clone(), self.sites());
        let (events, _listener) = mpsc::channel(1);
        let inputs = Inputs { topology: name, desired: &desired, recorded: &state, options };
        runtime().block_on(observe(&sites, &inputs, 4, &events, &mut memo));
        let covered = covered(&sites, &inputs);
        desired.covered.0.extend(covered.0);
        let inputs = Inputs { topology: name, desired: &desired, recorded: &state, options };
        let plan = topo::drive::plan(&sites, &inputs, &mut memo);
        (plan, state, revision, memo, desired, sites)
    }

    /// Plans and carries out, as apply and destroy do. Dies at operation `at` of the run, where that is not 0.
    pub(crate) fn run(
        self: &Arc<Self>,
        name: &Name,
        desired: &Desired,
        options: &Options,
        at: usize,
        how: usize,
    ) -> Ran {
        let (plan, state, revision, mut memo, desired, sites) = self.plan(name, desired, options);
        if plan.is_stopped() {
            return Ran::Refused(plan);
        }
        let left_out = plan.left_unseen(|_| true).next().is_some() || plan.leaves_out();
        self.left_out.store(left_out, Ordering::SeqCst);
        let in_doubt = state.records().any(|(.., record)| record.is_in_doubt());
        let is_open = !plan.reached_nothing() && (plan.has_unseen() || in_doubt);
        self.is_open.store(is_open, Ordering::SeqCst);
        let is_nothing = plan.places.is_empty() && plan.forgotten.is_empty();
        let adopted = self.adopt(&plan, &mut memo);
        let fate = &self.network.fate;
        // A permit of a run that died before is of no meaning.
        let _ =
            std::pin::pin!(fate.died.notified()).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        fate.count.store(0, Ordering::SeqCst);
        fate.at.store(at, Ordering::SeqCst);
        fate.how.store(how, Ordering::SeqCst);
        if is_nothing {
            let books = Books(Arc::clone(self));
            return runtime().block_on(async {
                tokio::select! {
                    biased;
                    () = fate.died.notified() => Ran::Died,
                    ended = end_earlier_run(&books, revision, &state) => {
                        ended.expect("the store works");
                        Ran::Nothing
                    }
                }
            });
        }
        let (events, mut listener) = mpsc::channel(4096);
        self.stop.send_replace(false);
        let run = Run {
            plan,
            desired: &desired,
            state,
            revision,
            store: Arc::new(Books(Arc::clone(self))),
            sites: &sites,
            parallelism: 4,
            topology: name.clone(),
            options,
            events,
            stop: self.stop.subscribe(),
        };
        let ran = runtime().block_on(async {
            tokio::select! {
                biased;
                () = fate.died.notified() => Ran::Died,
                outcome = run.carry_out(memo) => Ran::Done(outcome.expect("the store works")),
            }
        });
        while let Ok(event) = listener.try_recv() {
            checked(&serde_json::to_string(&event).expect("JSON"));
        }
        fate.at.store(0, Ordering::SeqCst);
        // What is as it was and not recorded was not adopted: the run died before it began, or the owner of the row did not
        // answer.
        for (machine, adopted) in adopted {
            if self.recorded(name, machine, &adopted).1.is_empty() {
                let mut nodes = self.network.nodes();
                nodes[machine].rows.iter_mut().filter(|row| **row == adopted).for_each(|row| row.owner = Owner::Other);
            }
        }
        ran
    }

    /// Rows that the plan adopts or takes over as asked are ours from now on.
    fn adopt(&self, plan: &Plan, memo: &mut Memo) -> Vec<(usize, TableRow)> {
        let mut ours = Vec::new();
        let mut nodes = self.network.nodes();
        for (place, planned) in &plan.places {
            let Some(endpoint) = &planned.endpoint else { continue };
            let host: IpAddr = endpoint.host.parse().expect("address");
            let found = nodes.iter_mut().enumerate().find(|(_, node)| node.answers_at(host));
            let Some((machine, node)) = found else { continue };
            for (_, operation) in plan.operations(place, memo) {
                let adopted = operation.action == Action::Import || matches!(operation.reason, Reason::TakenOver(_));
                let Some(before) = operation.before.filter(|_| adopted) else { continue };
                for (_, table) in planned.tables() {
                    let fits = |row: &&mut TableRow| {
                        row.table == table.view.table
                            && row.destination == operation.route.destination
                            && row.metric == table.view.kernel_metric(row.destination.family())
                            && row.way == Way::Via(before.next_hop)
                            && row.protocol == before.protocol
                    };
                    for row in node.rows.iter_mut().filter(fits).filter(|row| row.owner == Owner::Other) {
                        row.owner = Owner::Us;
                        ours.push((machine, row.clone()));
                    }
                }
            }
        }
        ours
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

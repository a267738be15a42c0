//! Steps in Azure. Each compares again with what is live, and writes under the version that it read.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use petgraph::graph::NodeIndex;
use serde_json::Value;

use super::{Ended, Executor, Failure, Run, RunOutcome, Running};
use crate::backend::azure_udr::{
    Hop, InterfaceTask, LiveSubnet, LiveTable, SubnetTask, TableTask, TableVerdict, name_of,
};
use crate::drive::{Event, tell};
use crate::network::Prefix;
use crate::plan::azure::{AzureChange, AzureRecord, AzureTask, AzureWhat, EffectiveCheck};
use crate::plan::{Action, Phase, Place, ResourceId};
use crate::state::{Entry, Outcome, StoreError};
use crate::transport::azure::{Azure, AzureError, AzureFailure};

/// How often a resource is looked at anew because somebody changed it meanwhile.
const TRIES: u32 = 5;
/// How often a network interface is asked before its routes are said to differ: new ones take a few seconds to arrive.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);
/// How long one question for effective routes may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of a step.
#[derive(Debug, Default)]
pub(super) struct AzureEnd {
    /// Number of changes that are in force, by action.
    done: BTreeMap<Action, usize>,
    outcomes: Vec<(ResourceId, Outcome)>,
    /// Why not all was done, in full sentences.
    failure: Option<String>,
    /// Whether anything may have been written.
    touched: bool,
    /// Routes that were left out, by next hop.
    skipped: BTreeMap<Hop, usize>,
    /// A next hop that does not forward, with the reason.
    failed_hop: Option<(Hop, String)>,
}

/// What a network interface says of the routes of its subnet after a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The table.
    pub table: Place,
    /// The name of the subnet.
    pub subnet: String,
    /// The outcome.
    pub outcome: EffectiveOutcome,
}

/// Whether routes are in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectiveOutcome {
    /// All of them: the network interface that says so, and their number.
    InForce(String, usize),
    /// Not all of them: the network interface, and those that are missing.
    Differs(String, Vec<Prefix>),
    /// Nobody can say; why.
    CannotBeVerified(String),
}

impl Executor<'_> {
    /// Begins a step in Azure; false where there is nothing to wait for.
    pub(super) async fn start_azure(
        &mut self,
        index: NodeIndex,
        place: &Place,
        phase: Phase,
        running: &mut Running,
    ) -> Result<bool, StoreError> {
        let Some(planned) = self.run.plan.places.get(place) else { return Ok(false) };
        let Some(azure_place) = planned.azure.as_deref() else { return Ok(false) };
        let failed = |message: &str, touched: Vec<(ResourceId, Outcome)>| AzureEnd {
            failure: Some(message.to_owned()),
            outcomes: touched,
            ..AzureEnd::default()
        };
        if let Some(reason) = &planned.unseen {
            let end = failed(reason, Vec::new());
            self.finish_azure(place, phase, end).await?;
            return Ok(false);
        }
        let Some(mut task) = azure_place.task(phase).cloned() else { return Ok(false) };
        let untouched = untouched(&task, &azure_place.records);
        if *self.run.stop.borrow() {
            if !self.outcome.stopped {
                self.outcome.stopped = true;
                tell(&self.run.events, Event::Stopping);
            }
            self.outcome.left.push((place.clone(), phase));
            self.azure_failed.insert(place.clone());
            self.journal_azure(place, phase, untouched).await?;
            return Ok(false);
        }
        let Some(azure) = self.run.azure.clone() else {
            let end = failed("There is no way to Azure: this topo was built without the feature `azure`.", untouched);
            self.finish_azure(place, phase, end).await?;
            return Ok(false);
        };
        let reviewed = azure_place.changes.clone();
        let records = azure_place.records.clone();
        match &mut task {
            AzureTask::Table(table) => {
                table.left_out.clone_from(&self.failed_hops);
                let stuck = |place: &&Place| {
                    let planned = self.run.plan.places.get(*place).and_then(|planned| planned.azure.as_ref());
                    let has =
                        |phase| matches!(planned.and_then(|azure| azure.task(phase)), Some(AzureTask::Subnets(_)));
                    has(Phase::Persist) || has(Phase::Retire)
                };
                if phase == Phase::Retire
                    && let Some(network) = self.azure_failed.iter().find(stuck)
                {
                    let message = format!(
                        "It was left as it is, for subnets of {} still go by it. Settle that, and run topo again.",
                        network.name()
                    );
                    let end = failed(&message, untouched);
                    self.finish_azure(place, phase, end).await?;
                    return Ok(false);
                }
            }
            AzureTask::Subnets(subnets) if phase == Phase::Persist => {
                // A subnet is not given a table that is not as planned.
                let broken = |subnet: &&SubnetTask| {
                    let table = subnet.table().unwrap_or_default();
                    self.azure_failed.iter().any(|failed| match failed {
                        Place::Arm(id) => id.eq_ignore_ascii_case(table),
                        Place::Node(_) => false,
                    })
                };
                let left: Vec<String> = subnets.iter().filter(broken).map(|subnet| subnet.name().to_owned()).collect();
                if !left.is_empty() {
                    let message = format!(
                        "The route table of {} was not written as planned, so no subnet was associated. Run topo again once that is \
                         settled.",
                        left.join(", ")
                    );
                    let end = failed(&message, untouched);
                    self.finish_azure(place, phase, end).await?;
                    return Ok(false);
                }
            }
            AzureTask::Interface(_) if phase == Phase::Retire && !self.azure_failed.is_empty() => {
                let message =
                    "It was left as it is, for routes may still lead to it. Settle what failed, and run topo again.";
                let end = failed(message, untouched);
                self.finish_azure(place, phase, end).await?;
                return Ok(false);
            }
            AzureTask::Subnets(_) | AzureTask::Interface(_) => {}
        }
        let place = place.clone();
        running.spawn(async move {
            let work = Step { azure: &*azure, reviewed: &reviewed, records: &records };
            let end = match &task {
                AzureTask::Table(table) => work.table(table).await,
                AzureTask::Subnets(subnets) => work.subnets(subnets).await,
                AzureTask::Interface(interface) => work.interface(interface, phase).await,
            };
            Ended::Azure(index, place, phase, end)
        });
        Ok(true)
    }

    /// Takes in what became of a step in Azure.
    pub(super) async fn finish_azure(&mut self, place: &Place, phase: Phase, end: AzureEnd) -> Result<(), StoreError> {
        let AzureEnd { done, outcomes, failure, touched, skipped, failed_hop } = end;
        self.outcome.touched |= touched;
        let operations = done.values().sum();
        for (action, number) in done {
            *self.outcome.done.entry(action).or_default() += number;
        }
        for (hop, number) in skipped {
            let address = hop.address.map(|address| address.to_string()).unwrap_or_default();
            let receiver = hop.address.and_then(|address| self.run.plan.people.name(address).cloned());
            let receiver = receiver.map_or_else(|| Place::Arm(address.into()), Place::Node);
            tell(&self.run.events, Event::Skipped { place: place.clone(), receiver: receiver.clone(), routes: number });
            self.outcome.skipped.push((place.clone(), receiver, number));
        }
        self.failed_hops.extend(failed_hop);
        match failure {
            None => tell(&self.run.events, Event::StepDone { place: place.clone(), phase, operations }),
            Some(message) => {
                tell(&self.run.events, Event::StepFailed { place: place.clone(), phase, message: message.clone() });
                self.outcome.failures.push(Failure { place: place.clone(), phase, message });
                self.azure_failed.insert(place.clone());
            }
        }
        self.journal_azure(place, phase, outcomes).await
    }

    async fn journal_azure(
        &mut self,
        place: &Place,
        phase: Phase,
        outcomes: Vec<(ResourceId, Outcome)>,
    ) -> Result<(), StoreError> {
        let entry = Entry {
            run: self.id,
            base: self.base,
            seq: 0,
            at: Timestamp::now(),
            place: place.clone(),
            phase: phase.label().into(),
            outcomes,
            machine_id: None,
            forget: false,
        };
        self.entries.push(entry.clone());
        self.journal.append(entry).await
    }
}

/// The records of a task, with nothing done to them.
fn untouched(task: &AzureTask, records: &[AzureRecord]) -> Vec<(ResourceId, Outcome)> {
    let is_of = |record: &&AzureRecord| match task {
        AzureTask::Subnets(subnets) => subnets.iter().any(|subnet| subnet.name().eq_ignore_ascii_case(&record.id.name)),
        AzureTask::Table(_) | AzureTask::Interface(_) => true,
    };
    records.iter().filter(is_of).map(|record| (record.id.clone(), Outcome::Untouched)).collect()
}

/// What became of records that are as they were to become.
fn settled(records: &[AzureRecord]) -> Vec<(ResourceId, Outcome)> {
    let outcome = |record: &AzureRecord| match &record.to {
        Some(to) => Outcome::Done { lacks: Vec::new(), token: None, attributes: Some(to.attributes.clone()) },
        None => Outcome::Removed,
    };
    records.iter().map(|record| (record.id.clone(), outcome(record))).collect()
}

fn in_doubt(records: &[AzureRecord]) -> Vec<(ResourceId, Outcome)> {
    records.iter().map(|record| (record.id.clone(), Outcome::StillInDoubt)).collect()
}

fn writes(change: &AzureChange) -> bool {
    matches!(change.action, Action::Add | Action::Change | Action::Remove)
}

/// One step under way.
struct Step<'a> {
    azure: &'a dyn Azure,
    /// The changes that the user has seen.
    reviewed: &'a [AzureChange],
    records: &'a [AzureRecord],
}

impl Step<'_> {
    /// A change that nobody has reviewed, in words.
    fn surprise(&self, changes: &[AzureChange]) -> Option<String> {
        let reviewed = |change: &AzureChange| {
            self.reviewed.iter().any(|known| {
                let same = known.kind == change.kind && known.key.eq_ignore_ascii_case(&change.key);
                let target = match (&known.what, &change.what) {
                    (AzureWhat::Route { after, .. }, AzureWhat::Route { after: other, .. }) => after == other,
                    (
                        AzureWhat::Association { before, after },
                        AzureWhat::Association { before: was, after: other },
                    ) => after == other && (was.is_none() || before == was),
                    (known_what, what) => known_what == what && known.action == change.action,
                };
                same && target && (!writes(change) || writes(known))
            })
        };
        let other = changes.iter().find(|change| !reviewed(change))?;
        Some(match &other.what {
            AzureWhat::Route { destination, before: Some(before), .. } => {
                format!("{destination} leads to {before} by now")
            }
            AzureWhat::Route { destination, before: None, .. } => format!("the route to {destination} is gone"),
            AzureWhat::Table(_) => "the table itself is not as it was".to_owned(),
            AzureWhat::Association { .. } => "its association is not as it was".to_owned(),
            AzureWhat::Forwarding(_) => "its IP forwarding is not as it was".to_owned(),
        })
    }

    fn stop(&self, why: &str, touched: bool) -> AzureEnd {
        let outcome = |record: &AzureRecord| {
            (record.id.clone(), if touched { Outcome::StillInDoubt } else { Outcome::Untouched })
        };
        AzureEnd {
            failure: Some(format!(
                "It is not as the plan saw it: {why}. Nothing was written over it; run topo again to see it."
            )),
            outcomes: self.records.iter().map(outcome).collect(),
            touched,
            ..AzureEnd::default()
        }
    }

    /// An error of a write; `touched` says whether something may have been written before.
    fn failed(&self, error: &AzureError, touched: bool) -> AzureEnd {
        let unsure = touched || matches!(error.failure, AzureFailure::Unsure | AzureFailure::Overtaken);
        let outcome =
            |record: &AzureRecord| (record.id.clone(), if unsure { Outcome::StillInDoubt } else { Outcome::Untouched });
        AzureEnd {
            failure: Some(error.text.clone()),
            outcomes: self.records.iter().map(outcome).collect(),
            touched: unsure,
            ..AzureEnd::default()
        }
    }

    /// An error with nothing written since; `touched` says whether something may have been before.
    fn unread(&self, error: &AzureError, touched: bool) -> AzureEnd {
        let failure = if touched { AzureFailure::Unsure } else { AzureFailure::Refused };
        self.failed(&AzureError { failure, text: error.text.clone() }, touched)
    }

    async fn table(&self, task: &TableTask) -> AzureEnd {
        let (mut error, mut touched) = (None, false);
        for _ in 0..TRIES {
            let live = match self.azure.table(&task.id).await {
                Ok(document) => document.map(LiveTable::of),
                Err(error) => return self.unread(&error, touched),
            };
            let verdict = task.compare(live.as_ref());
            let surprise = verdict.conflicts.first().map(|conflict| format!("{}: {}", conflict.key, conflict.found));
            // What was left to others as asked was reviewed, too.
            let surprise = surprise.filter(|_| !task.leaves_conflicts());
            if let Some(why) = surprise.or_else(|| self.surprise(&verdict.changes)) {
                return self.stop(&why, touched);
            }
            if !verdict.refusals.is_empty() {
                return self.stop("the checks before writing do not pass any more", touched);
            }
            let etag = live.as_ref().and_then(|live| live.document.etag.as_deref());
            let written = match &verdict.body {
                _ if verdict.deletes => self.azure.delete_table(&task.id, etag).await.map(|()| None),
                Some(body) => {
                    self.azure.put_table(&task.id, body, etag).await.map(|document| Some(LiveTable::of(document)))
                }
                None => Ok(live.clone()),
            };
            match written {
                Ok(seen) => return self.table_end(task, verdict, seen.as_ref()).touching(touched),
                Err(moved) if is_moved(&moved, &mut touched) => error = Some(moved),
                Err(error) => return self.failed(&error, touched),
            }
        }
        self.unread(&error.unwrap_or_else(busy), touched)
    }

    /// Reads back what was written.
    fn table_end(&self, task: &TableTask, verdict: TableVerdict, seen: Option<&LiveTable>) -> AzureEnd {
        let TableVerdict { changes, skipped, records, deletes, body, .. } = verdict;
        let mut end = AzureEnd { touched: deletes || body.is_some(), ..AzureEnd::default() };
        let mut left: Vec<String> = Vec::new();
        if let Some(seen) = seen {
            let after = task.compare(Some(seen));
            let still =
                |change: &AzureChange| after.changes.iter().any(|other| other.key == change.key && writes(other));
            for change in &changes {
                let state = match &change.what {
                    AzureWhat::Route { destination, after: Some(_), .. } => seen.routes.get(destination),
                    _ => None,
                };
                let state = state.map(|live| live.state.as_str()).filter(|state| !matches!(*state, "Succeeded" | ""));
                if still(change) {
                    let what = if change.key.is_empty() { "the table" } else { &change.key };
                    left.push(format!("{what} is not as it was written"));
                } else if let Some(state) = state {
                    left.push(format!("{} is {state}", change.key));
                } else {
                    *end.done.entry(change.action).or_default() += 1;
                }
            }
        } else {
            for change in &changes {
                *end.done.entry(change.action).or_default() += 1;
            }
        }
        for (_, hop) in skipped {
            *end.skipped.entry(hop).or_default() += 1;
        }
        // Ids that have another name now are settled already.
        end.outcomes = if left.is_empty() { settled(&records) } else { in_doubt(&records) };
        if !left.is_empty() {
            let more = left.len().saturating_sub(5);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            left.truncate(5);
            end.failure = Some(format!(
                "Azure took the routes, and read back they are not all there: {}{more}. Run topo again: it looks first.",
                left.join(", ")
            ));
        }
        end
    }

    async fn subnets(&self, tasks: &[SubnetTask]) -> AzureEnd {
        let mut all = AzureEnd::default();
        for task in tasks {
            let own: Vec<AzureRecord> = self
                .records
                .iter()
                .filter(|record| task.name().eq_ignore_ascii_case(&record.id.name))
                .cloned()
                .collect();
            let end = Step { records: &own, ..*self }.subnet(task).await;
            for (action, number) in end.done {
                *all.done.entry(action).or_default() += number;
            }
            all.outcomes.extend(end.outcomes);
            all.touched |= end.touched;
            if let Some(message) = end.failure {
                let before = all.failure.take().map(|before| format!("{before} ")).unwrap_or_default();
                all.failure = Some(format!("{before}{message}"));
            }
        }
        all
    }

    async fn subnet(&self, task: &SubnetTask) -> AzureEnd {
        let (mut error, mut touched) = (None, false);
        for _ in 0..TRIES {
            let live = match self.azure.subnet(&task.id).await {
                Ok(document) => document.map(LiveSubnet::of),
                Err(error) => return self.unread(&error, touched),
            };
            let verdict = task.compare(live.as_ref());
            let change: Vec<AzureChange> = verdict.change.iter().map(|(_, change)| change.clone()).collect();
            let surprise = match (&verdict.conflict, &verdict.refusal) {
                (Some(conflict), _) => Some(format!("{} of the subnet {}", conflict.found, task.name())),
                (None, Some(_)) => Some(format!("the subnet {} is gone", task.name())),
                (None, None) => self.surprise(&change),
            };
            if let Some(why) = surprise {
                return self.stop(&why, touched);
            }
            let etag = live.as_ref().and_then(|live| live.document.etag.as_deref());
            let written = match &verdict.body {
                Some(body) => {
                    self.azure.put_subnet(&task.id, body, etag).await.map(|document| Some(LiveSubnet::of(document)))
                }
                None => Ok(live.clone()),
            };
            match written {
                Ok(seen) => {
                    let touched = touched || verdict.body.is_some();
                    let mut end = AzureEnd { touched, ..AzureEnd::default() };
                    let table = seen.as_ref().and_then(|seen| seen.table.as_deref());
                    let right = match (task.table(), table) {
                        (Some(wanted), Some(table)) => wanted.eq_ignore_ascii_case(table),
                        (None, None) => true,
                        (None, Some(_)) => verdict.body.is_none(),
                        (Some(_), None) => false,
                    };
                    let state = seen.as_ref().map_or("", |seen| seen.state.as_str());
                    if right && matches!(state, "Succeeded" | "") {
                        for change in &change {
                            *end.done.entry(change.action).or_default() += 1;
                        }
                        end.outcomes = settled(&verdict.records);
                    } else {
                        end.outcomes = in_doubt(&verdict.records);
                        end.failure = Some(format!(
                            "Azure took the association of the subnet {}, and read back it is not as written (state {state}). Run topo \
                             again: it looks first.",
                            task.name()
                        ));
                    }
                    return end;
                }
                Err(moved) if is_moved(&moved, &mut touched) => error = Some(moved),
                Err(error) => return self.failed(&error, touched),
            }
        }
        self.unread(&error.unwrap_or_else(busy), touched)
    }

    async fn interface(&self, task: &InterfaceTask, phase: Phase) -> AzureEnd {
        let on = phase == Phase::Prepare;
        let mut end = self.interface_turned(task, on).await;
        if let (Some(message), Some(address), true) = (&end.failure, task.address(), on) {
            end.failed_hop = Some((hop(address), message.clone()));
        }
        end
    }

    async fn interface_turned(&self, task: &InterfaceTask, on: bool) -> AzureEnd {
        let (mut error, mut touched) = (None, false);
        for _ in 0..TRIES {
            let live = match self.azure.interface(&task.id).await {
                Ok(Some(document)) => document,
                Ok(None) => return self.stop("it is gone", touched),
                Err(error) => return self.unread(&error, touched),
            };
            let mut end = AzureEnd { done: [(Action::Change, 1)].into(), touched, ..AzureEnd::default() };
            if InterfaceTask::forwards(&live) == on {
                end.outcomes = settled(self.records);
                return end;
            }
            let body = task.body(&live, on);
            match self.azure.put_interface(&task.id, &body, live.etag.as_deref()).await {
                Ok(seen) if InterfaceTask::forwards(&seen) == on => {
                    end.touched = true;
                    end.outcomes = settled(self.records);
                    return end;
                }
                Ok(_) => {
                    return AzureEnd {
                        failure: Some(
                            "Azure took its IP forwarding, and read back it is as before. Run topo again: it looks first.".to_owned(),
                        ),
                        outcomes: in_doubt(self.records),
                        touched: true,
                        ..AzureEnd::default()
                    };
                }
                Err(moved) if is_moved(&moved, &mut touched) => error = Some(moved),
                Err(error) => return self.failed(&error, touched),
            }
        }
        self.unread(&error.unwrap_or_else(busy), touched)
    }
}

impl AzureEnd {
    fn touching(self, touched: bool) -> Self {
        Self { touched: self.touched || touched, ..self }
    }
}

/// Whether somebody changed it, so that it is looked at anew; notes whether something may have been written.
fn is_moved(error: &AzureError, touched: &mut bool) -> bool {
    *touched |= error.failure == AzureFailure::Overtaken;
    matches!(error.failure, AzureFailure::Moved | AzureFailure::Overtaken)
}

fn hop(address: IpAddr) -> Hop {
    Hop::appliance(address)
}

fn busy() -> AzureError {
    AzureError { failure: AzureFailure::Moved, text: "Others kept changing it. Run topo again.".to_owned() }
}

/// Looks, after a run, whether the routes of tables are in force on network interfaces.
pub(super) async fn look(run: &Run<'_>, outcome: &mut RunOutcome) {
    let Some(azure) = run.azure.clone().filter(|_| !outcome.stopped) else { return };
    for check in &run.plan.checks {
        let planned = run.plan.places.get(&check.table).is_some_and(|planned| planned.acts);
        let network = check.subnet.rsplit_once("/subnets/").map_or("", |(network, _)| network);
        let associated = run.plan.places.iter().any(|(place, planned)| {
            planned.acts && matches!(place, Place::Arm(id) if id.eq_ignore_ascii_case(network))
        });
        let failed = |failure: &Failure| {
            failure.place == check.table || matches!(&failure.place, Place::Arm(id) if id.eq_ignore_ascii_case(network))
        };
        if !(planned || associated) || outcome.failures.iter().any(failed) {
            continue;
        }
        let found = watch(&azure, check, &outcome.skipped).await;
        let subnet = name_of(&check.subnet).to_owned();
        outcome.effective.push(Effective { table: check.table.clone(), subnet, outcome: found });
    }
}

async fn watch(azure: &Arc<dyn Azure>, check: &EffectiveCheck, skipped: &[(Place, Place, usize)]) -> EffectiveOutcome {
    let mut why = match (check.interfaces.is_empty(), check.more) {
        (true, _) => "no network interface of a machine is in the subnet".to_owned(),
        (false, _) => String::new(),
    };
    for id in &check.interfaces {
        let name = name_of(id).to_owned();
        for look in 1..=LOOKS {
            let answer = tokio::time::timeout(PATIENCE, azure.effective_routes(id)).await;
            let routes = match answer {
                Ok(Ok(routes)) => routes,
                Ok(Err(error)) => {
                    let stopped = error.failure == AzureFailure::State;
                    why = if stopped { format!("VM stopped ({name})") } else { error.text };
                    break;
                }
                Err(_) => {
                    why = format!("Azure did not say within {} s by which routes {name} goes", PATIENCE.as_secs());
                    break;
                }
            };
            let missing: Vec<Prefix> =
                check.routes.iter().filter(|(key, hop)| !is_in_force(&routes, key, hop)).map(|(key, _)| *key).collect();
            let left = skipped.iter().filter(|(place, ..)| *place == check.table).map(|(.., number)| number).sum();
            if missing.len() <= left {
                return EffectiveOutcome::InForce(name, check.routes.len() - missing.len());
            }
            if look == LOOKS {
                return EffectiveOutcome::Differs(name, missing);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    EffectiveOutcome::CannotBeVerified(why)
}

/// Whether an effective route says that a destination is reached by a hop of a table.
fn is_in_force(routes: &[Value], destination: &Prefix, hop: &Hop) -> bool {
    let has = |list: &Value, test: &dyn Fn(&str) -> bool| match list {
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(test),
        Value::String(text) => test(text),
        _ => false,
    };
    routes.iter().any(|route| {
        let to = |text: &str| text.parse::<Prefix>().is_ok_and(|prefix| prefix == *destination);
        let by = |text: &str| text.parse::<IpAddr>().ok() == hop.address;
        route["state"].as_str().is_some_and(|state| state.eq_ignore_ascii_case("Active"))
            && route["source"].as_str().is_some_and(|source| source.eq_ignore_ascii_case("User"))
            && has(&route["addressPrefix"], &to)
            && route["nextHopType"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(&hop.kind))
            && (hop.address.is_none() || has(&route["nextHopIpAddress"], &by))
    })
}

//! One step in Azure: it compares with the live resource again, and writes under the version that it read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{
    AzureTask, InterfaceTask, LiveTable, SubnetTask, TableTask, TableVerdict, arm, interface_seen, subnet_seen,
    table_seen,
};
use crate::backend::{Begun, Moment, StepEnd};
use crate::exchange::arm::{AzureError, AzureFailure};
use crate::plan::{Finding, ListedChange, ListedPlan, ListedWhat, PlacePlan, Severity};
use crate::resource::words::Setting;
use crate::resource::{Action, Evidence, Name, Phase, Reason, ResourceId};
use crate::state::Outcome;
use crate::transport::azure::{Azure, ResourceType};

/// How often topo looks again at a resource that somebody changed in the meantime.
const TRIES: u32 = 5;
/// How long topo waits until a table shows that a subnet has left it.
const PAUSE: Duration = Duration::from_secs(1);

/// One step in progress.
#[derive(Clone, Copy)]
struct Step<'a> {
    azure: &'a dyn Azure,
    /// What the user has reviewed, and the records.
    planned: &'a [ListedPlan],
    /// Whether some associations could not be changed as planned.
    subnets_failed: bool,
}

/// Starts a step: what it leaves out because something failed before. `lost` names the nodes that get no routes if the step fails.
pub(super) fn begin(
    azure: Arc<dyn Azure>,
    mut task: AzureTask,
    lost: Vec<(Name, String)>,
    moment: &Moment<'_>,
) -> Begun {
    let Moment { phase, failed, .. } = *moment;
    let is_failed =
        |id: &str| failed.iter().any(|place| arm(place).is_some_and(|other| other.eq_ignore_ascii_case(id)));
    let (mut left_out, mut subnets_failed) = (None, false);
    match &mut task {
        AzureTask::Table(table) => {
            table.left_out = moment.lost.keys().cloned().collect();
            subnets_failed = failed.iter().filter_map(arm).any(|id| table.is_left_by_subnets_of(id));
        }
        AzureTask::Subnets(subnets) if phase == Phase::Persist => {
            // A subnet must not get a table that is not as planned.
            let is_broken = |subnet: &SubnetTask| is_failed(subnet.table().unwrap_or_default());
            let (left, rest): (Vec<SubnetTask>, Vec<SubnetTask>) = subnets.drain(..).partition(is_broken);
            *subnets = rest;
            if !left.is_empty() {
                let names: Vec<&str> = left.iter().map(SubnetTask::name).collect();
                let message = format!(
                    "topo did not write the route table of {} as planned, so it did not associate the table. Correct \
                     that and run topo again.",
                    names.join(", ")
                );
                let outcomes = untouched(&AzureTask::Subnets(left), moment);
                left_out = Some(StepEnd { outcomes, ..StepEnd::failed(message) });
            }
            if subnets.is_empty() {
                return Begun::Ended(left_out.unwrap_or_default());
            }
        }
        AzureTask::Interface(_) if phase == Phase::Retire && !failed.is_empty() => {
            let message =
                "topo did not change it, because routes may still lead to it. Correct what failed, and run topo again.";
            return Begun::Ended(StepEnd { outcomes: untouched(&task, moment), ..StepEnd::failed(message) });
        }
        AzureTask::Subnets(_) | AzureTask::Interface(_) => {}
    }
    let planned: Vec<ListedPlan> = moment.planned().into_iter().flat_map(PlacePlan::listed).cloned().collect();
    Begun::Sent(Box::pin(async move {
        let step = Step { azure: &*azure, planned: &planned, subnets_failed };
        let mut end = match &task {
            AzureTask::Table(table) => step.table(table).await,
            AzureTask::Subnets(subnets) => step.subnets(subnets).await,
            AzureTask::Interface(interface) => step.interface(interface, phase == Phase::Prepare).await,
        };
        if end.failure.is_some() {
            end.lost = lost;
        }
        join(&mut end, left_out.unwrap_or_default());
        end.operations = end.done.values().sum();
        end
    }))
}

/// The nodes that a network interface belongs to, each with what is wrong if the interface does not forward.
pub(super) fn cut_off(task: &AzureTask, moment: &Moment<'_>) -> Vec<(Name, String)> {
    let AzureTask::Interface(task) = task else { return Vec::new() };
    let why = || "its network interface does not forward".to_owned();
    let names = task.addresses.iter().filter_map(|address| moment.plan.owners.name(*address));
    names.filter(|_| moment.phase == Phase::Prepare).map(|name| (name.clone(), why())).collect()
}

/// The outcomes of resources that a task leaves as they were.
pub(super) fn untouched(task: &AzureTask, moment: &Moment<'_>) -> Vec<(ResourceId, Outcome)> {
    let is_of = |resource: &&ListedPlan| match task {
        AzureTask::Subnets(subnets) => subnets.iter().any(|subnet| subnet.is_of(&resource.id)),
        AzureTask::Table(_) | AzureTask::Interface(_) => true,
    };
    // Nobody has looked at what an earlier run left in doubt.
    let is_unseen = moment.planned().is_some_and(|planned| planned.unseen.is_some());
    let outcome = if is_unseen && moment.was_in_doubt() { Outcome::StillInDoubt } else { Outcome::Untouched };
    let planned = moment.planned().into_iter().flat_map(PlacePlan::listed);
    planned.filter(is_of).map(|resource| (resource.id.clone(), outcome.clone())).collect()
}

/// Adds the outcome of another part of the step.
fn join(end: &mut StepEnd, other: StepEnd) {
    for (action, number) in other.done {
        *end.done.entry(action).or_default() += number;
    }
    end.outcomes.extend(other.outcomes);
    end.touched |= other.touched;
    let failures: Vec<String> = end.failure.take().into_iter().chain(other.failure).collect();
    end.failure = (!failures.is_empty()).then(|| failures.join(" "));
}

impl Step<'_> {
    /// A change that nobody has reviewed, in words.
    fn unreviewed_change<'c>(&self, mut changes: impl Iterator<Item = &'c ListedChange>) -> Option<String> {
        let known = || self.planned.iter().flat_map(|resource| &resource.changes);
        let other = changes.find(|change| !known().any(|known| is_reviewed(known, change)))?;
        Some(match &other.what {
            ListedWhat::Route { destination, before: Some(before), .. } => {
                format!("{destination} now leads to {before}")
            }
            ListedWhat::Route { destination, before: None, .. } => {
                format!("the route to {destination} no longer exists")
            }
            ListedWhat::Settings(_) if other.key.is_empty() => "the table itself has changed".to_owned(),
            ListedWhat::Settings(_) => "its association has changed".to_owned(),
        })
    }

    fn stop(&self, why: &str, touched: bool) -> StepEnd {
        let text = format!(
            "It has changed since the plan: {why}. topo did not overwrite it. Run topo again to see the change."
        );
        self.end(text, touched)
    }

    /// Not all was done. `unsure` says whether a write may have changed something.
    fn end(&self, failure: String, unsure: bool) -> StepEnd {
        let outcome = if unsure { Outcome::StillInDoubt } else { Outcome::Untouched };
        let outcomes = self.planned.iter().map(|resource| (resource.id.clone(), outcome.clone())).collect();
        StepEnd { failure: Some(failure), outcomes, touched: unsure, ..StepEnd::default() }
    }

    /// An error of a write. `touched` says whether an earlier write may have changed something.
    fn failed(&self, error: &AzureError, touched: bool) -> StepEnd {
        let unsure = touched || matches!(error.failure, AzureFailure::Unsure | AzureFailure::Overtaken);
        self.end(error.text.clone(), unsure)
    }

    /// It could not be read after the last write, or before the first one; `touched` says which.
    fn unread(&self, why: &dyn fmt::Display, touched: bool) -> StepEnd {
        self.end(why.to_string(), touched)
    }

    async fn table(&self, task: &TableTask) -> StepEnd {
        let (mut error, mut touched) = (None, false);
        for _ in 0..TRIES {
            let live = match table_seen(&task.id, self.azure.get(ResourceType::Table, &task.id).await).known() {
                Ok(live) => live,
                Err(why) => return self.unread(&why, touched),
            };
            let verdict = task.compare(live.as_ref());
            // What the user told topo to leave to others was reviewed, too.
            let key = |conflict: &Finding| conflict.address.key.clone().unwrap_or_default();
            let conflict = verdict.conflicts().find(|conflict| !task.left_to_others.contains(&key(conflict)));
            let found = |conflict: &Finding| conflict.found.clone().unwrap_or_default();
            let unreviewed_change = conflict.map(|conflict| format!("{}: {}", key(conflict), found(conflict)));
            if let Some(subnets) = live.as_ref().and_then(|live| task.still_used(live)) {
                // The table shows a moment later that a subnet has left it.
                error = Some(AzureError {
                    failure: AzureFailure::Moved,
                    text: format!(
                        "topo did not change it, because subnets still use it: {subnets}. Remove their associations, \
                         and run topo again."
                    ),
                });
                if self.subnets_failed {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            if live.as_ref().is_some_and(|live| live.document.etag.is_none()) {
                return self.stop("Azure does not tell its version", touched);
            }
            if let Some(why) = unreviewed_change.or_else(|| self.unreviewed_change(verdict.changes())) {
                return self.stop(&why, touched);
            }
            if verdict.findings.iter().any(|finding| finding.severity == Severity::Error) {
                return self.stop("a check before the write no longer passes", touched);
            }
            let etag = live.as_ref().and_then(|live| live.document.etag.as_deref());
            let written = match &verdict.body {
                _ if verdict.deletes => self.azure.delete_table(&task.id, etag).await.map(|()| None),
                Some(body) => match self.azure.put(ResourceType::Table, &task.id, body, etag).await {
                    Ok(document) => match table_seen(&task.id, Ok(Some(document))).known() {
                        Ok(seen) => Ok(seen),
                        Err(why) => return self.unread(&why, true),
                    },
                    Err(error) => Err(error),
                },
                None => Ok(live.clone()),
            };
            match written {
                Ok(seen) => return Self::table_end(task, &verdict, seen.as_ref(), touched),
                Err(moved) if is_moved(&moved, &mut touched) => error = Some(moved),
                Err(error) => return self.failed(&error, touched),
            }
        }
        self.unread(&error.unwrap_or_else(busy), touched)
    }

    /// Reads back what was written.
    fn table_end(task: &TableTask, verdict: &TableVerdict, seen: Option<&LiveTable>, touched: bool) -> StepEnd {
        let touched = touched || verdict.deletes || verdict.body.is_some();
        let mut end = StepEnd { touched, ..StepEnd::default() };
        let mut left: Vec<String> = Vec::new();
        let after = seen.map(|seen| task.compare(Some(seen)));
        let still = |change: &ListedChange| {
            let mut after = after.iter().flat_map(TableVerdict::changes);
            after.any(|other| other.key == change.key && other.writes())
        };
        for change in verdict.changes() {
            let live = match &change.what {
                ListedWhat::Route { destination, after: Some(_), .. } => {
                    seen.and_then(|seen| seen.routes.get(destination))
                }
                _ => None,
            };
            let state = live.map(|live| live.state.as_str()).filter(|state| !matches!(*state, "Succeeded" | ""));
            match state {
                _ if still(change) => left.push(format!("{} is not as topo wrote it", change.key)),
                Some(state) => left.push(format!("{} is {state}", change.key)),
                None => *end.done.entry(change.action).or_default() += 1,
            }
        }
        for node in &verdict.skipped {
            *end.skipped.entry(node.clone()).or_default() += 1;
        }
        // Ids that have another name now are settled already.
        end.outcomes = if left.is_empty() { settled(&verdict.resources) } else { in_doubt(&verdict.resources) };
        if !left.is_empty() {
            let more = left.len().saturating_sub(5);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            left.truncate(5);
            end.failure = Some(format!(
                "Azure accepted the routes, but does not have all of them: {}{more}. Run topo again: it looks first.",
                left.join(", ")
            ));
        }
        end
    }

    async fn subnets(&self, tasks: &[SubnetTask]) -> StepEnd {
        let mut all = StepEnd::default();
        for task in tasks {
            let is_own = |resource: &&ListedPlan| task.is_of(&resource.id);
            let own: Vec<ListedPlan> = self.planned.iter().filter(is_own).cloned().collect();
            join(&mut all, Step { planned: &own, ..*self }.subnet(task).await);
        }
        all
    }

    async fn subnet(&self, task: &SubnetTask) -> StepEnd {
        let (mut error, mut touched) = (None, false);
        for _ in 0..TRIES {
            let live = match subnet_seen(&task.id, self.azure.get(ResourceType::Subnet, &task.id).await).known() {
                Ok(live) => live,
                Err(why) => return self.unread(&why, touched),
            };
            let verdict = task.compare(live.as_ref());
            let unreviewed_change = match verdict.finding.as_ref().filter(|finding| finding.stops()) {
                Some(Finding { severity: Severity::Conflict, found, .. }) => {
                    let table = found.as_deref().unwrap_or_default();
                    Some(format!("the subnet {} uses the route table {table}", task.name()))
                }
                Some(_) => Some(format!("the subnet {} no longer exists", task.name())),
                None => self.unreviewed_change(verdict.change().into_iter()),
            };
            let unversioned = live.as_ref().is_some_and(|live| live.document.etag.is_none());
            let unreviewed_change = unreviewed_change
                .or_else(|| unversioned.then(|| "Azure does not tell the version of the subnet".to_owned()));
            if let Some(why) = unreviewed_change {
                return self.stop(&why, touched);
            }
            let etag = live.as_ref().and_then(|live| live.document.etag.as_deref());
            let written = match &verdict.body {
                Some(body) => match self.azure.put(ResourceType::Subnet, &task.id, body, etag).await {
                    Ok(document) => match subnet_seen(&task.id, Ok(Some(document))).known() {
                        Ok(seen) => Ok(seen),
                        Err(why) => return self.unread(&why, true),
                    },
                    Err(error) => Err(error),
                },
                None => Ok(live.clone()),
            };
            match written {
                Ok(seen) => {
                    let touched = touched || verdict.body.is_some();
                    let mut end = StepEnd { touched, ..StepEnd::default() };
                    let table = seen.as_ref().and_then(|seen| seen.table.as_deref());
                    let right = match (task.table(), table) {
                        (Some(wanted), Some(table)) => wanted.eq_ignore_ascii_case(table),
                        (None, None) => true,
                        (None, Some(_)) => verdict.body.is_none(),
                        (Some(_), None) => false,
                    };
                    let state = seen.as_ref().map_or("", |seen| seen.state.as_str());
                    if right && matches!(state, "Succeeded" | "") {
                        end.done = verdict.change().map(|change| (change.action, 1)).into_iter().collect();
                        end.outcomes = settled(&verdict.resources);
                    } else {
                        end.outcomes = in_doubt(&verdict.resources);
                        end.failure = Some(format!(
                            "Azure accepted the association of the subnet {}, but it is not as topo wrote it (state \
                             {state}). Run topo again: it looks first.",
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

    async fn interface(&self, task: &InterfaceTask, on: bool) -> StepEnd {
        let (mut error, mut touched) = (None, false);
        for _ in 0..TRIES {
            let (live, document) =
                match interface_seen(&task.id, self.azure.get(ResourceType::Interface, &task.id).await) {
                    Evidence::Seen(live) => live,
                    Evidence::Absent => return self.stop("it is gone", touched),
                    Evidence::Unknown(why) => return self.unread(&why, touched),
                };
            let mut end = StepEnd { done: [(Action::Change, 1)].into(), touched, ..StepEnd::default() };
            if live.forwards == on {
                end.outcomes = settled(self.planned);
                return end;
            }
            if document.etag.is_none() {
                return self.stop("Azure does not tell its version", touched);
            }
            let body = task.body(&document, on);
            let written = self.azure.put(ResourceType::Interface, &task.id, &body, document.etag.as_deref()).await;
            match written.map(|document| interface_seen(&task.id, Ok(Some(document))).known()) {
                Ok(Err(why)) => return self.unread(&why, true),
                Ok(Ok(Some((seen, _)))) if seen.forwards == on => {
                    end.touched = true;
                    end.outcomes = settled(self.planned);
                    return end;
                }
                Ok(Ok(_)) => {
                    let text = "Azure accepted the IP forwarding setting, but it reads back as before. Run topo again: it looks \
                                first.";
                    return self.end(text.to_owned(), true);
                }
                Err(moved) if is_moved(&moved, &mut touched) => error = Some(moved),
                Err(error) => return self.failed(&error, touched),
            }
        }
        self.unread(&error.unwrap_or_else(busy), touched)
    }
}

/// Whether a change is one that the user has reviewed: the live resource is as reviewed or gone, or somebody has already made
/// the same change.
pub(super) fn is_reviewed(known: &ListedChange, change: &ListedChange) -> bool {
    let by_hand = |one: &ListedChange| matches!(one.reason, Reason::Altered(_) | Reason::TakenOver(_));
    let is_same = match (&known.what, &change.what) {
        (
            ListedWhat::Route { destination, before, after },
            ListedWhat::Route { destination: key, before: was, after: other },
        ) => {
            let same = before == was && (known.reason == change.reason || !(by_hand(known) || by_hand(change)));
            destination == key && after == other && (was.is_none() || same)
        }
        (ListedWhat::Settings(settings), ListedWhat::Settings(others)) => {
            let same = |(one, other): (&Setting, &Setting)| {
                one.name == other.name
                    && one.after == other.after
                    && (other.before.is_none() || one.before == other.before)
            };
            settings.len() == others.len() && settings.iter().zip(others).all(same)
        }
        _ => false,
    };
    let is_same_key = known.kind == change.kind && known.key.eq_ignore_ascii_case(&change.key);
    is_same_key && is_same && (!change.writes() || known.writes())
}

/// The outcomes of resources that are as they should become.
fn settled(resources: &[ListedPlan]) -> Vec<(ResourceId, Outcome)> {
    let outcome = |resource: &ListedPlan| match &resource.to {
        Some(to) => Outcome::Done { excluded: Vec::new(), token: None, attributes: Some((*to.attributes).clone()) },
        None => Outcome::Removed,
    };
    resources.iter().map(|resource| (resource.id.clone(), outcome(resource))).collect()
}

fn in_doubt(resources: &[ListedPlan]) -> Vec<(ResourceId, Outcome)> {
    resources.iter().map(|resource| (resource.id.clone(), Outcome::StillInDoubt)).collect()
}

/// Whether somebody changed it, so that topo looks again. Notes whether something may have been written.
fn is_moved(error: &AzureError, touched: &mut bool) -> bool {
    *touched |= error.failure == AzureFailure::Overtaken;
    matches!(error.failure, AzureFailure::Moved | AzureFailure::Overtaken)
}

fn busy() -> AzureError {
    AzureError {
        failure: AzureFailure::Moved,
        text: "Somebody changed it again and again while topo tried to write. Run topo again.".to_owned(),
    }
}

//! The step of a route table.

use std::collections::BTreeMap;

use serde::Deserialize as _;

use super::super::look::get;
use super::super::{AZURE_ROUTE_TABLE, LiveTable, TableRecord, TableTask, TableVerdict, shape_of, table_seen};
use super::{PAUSE, Step, TRIES, busy, in_doubt, is_moved, settled};
use crate::backend::StepEnd;
use crate::exchange::arm::{AzureError, AzureFailure};
use crate::plan::{Finding, ListedChange, ListedWhat, Severity};
use crate::state::Outcome;
use crate::transport::azure::{PutAnswer, ResourceType};

impl Step<'_> {
    /// Writes a table with its routes, or deletes it.
    pub(super) async fn table(&self, task: &TableTask) -> StepEnd {
        let (mut error, mut touched) = (None, false);
        for _ in 0..TRIES {
            let read = get(self.azure, ResourceType::Table, &task.id, task.is_recorded()).await;
            let live = match table_seen(&task.id, read).known() {
                Ok(live) => live,
                Err(why) => return self.unread(&why, touched),
            };
            if live.is_none() && task.was_seen {
                return self.stop("it no longer exists", touched);
            }
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
            // What seems to be done already is written all the same: Azure refuses that if the read was old.
            let is_due = self.plans_writes() && verdict.skipped.is_empty();
            let as_read = live.as_ref().filter(|_| is_due).map(|live| &live.document.body);
            let written = match verdict.body.as_ref().or(as_read) {
                _ if verdict.deletes => self.azure.delete_table(&task.id, etag).await.map(|()| None),
                Some(body) => match self.azure.put(ResourceType::Table, &task.id, body, etag).await {
                    Ok(PutAnswer { document, replaced }) => match table_seen(&task.id, Ok(Some(document))).known() {
                        Ok(seen) if replaced => return Self::replaced(task, &verdict, seen.as_ref()),
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

    /// The write was to create a table, and Azure has replaced one that somebody made in the meantime. The routes are topo's; the table
    /// is not, so that topo never deletes it.
    fn replaced(task: &TableTask, verdict: &TableVerdict, seen: Option<&LiveTable>) -> StepEnd {
        let mut end = Self::table_end(task, verdict, seen, true);
        for (id, outcome) in end.outcomes.iter_mut().filter(|(id, _)| *id.kind == *AZURE_ROUTE_TABLE.id) {
            let known =
                verdict.resources.iter().find(|resource| resource.id == *id).and_then(|resource| resource.to.as_ref());
            let record = known.and_then(|shape| TableRecord::deserialize(&*shape.attributes).ok()).unwrap_or_default();
            let record = TableRecord { made: false, tags: BTreeMap::new(), ..record };
            let attributes = Some((*shape_of(&record).attributes).clone());
            *outcome = Outcome::Done { excluded: Vec::new(), token: None, attributes };
        }
        let text = "Somebody else made this table after topo had looked, and Azure replaced it although topo had asked it not to. \
                    Routes and tags that it had are lost. topo keeps its routes in the table, and counts the table as made by \
                    somebody else. Find out who made it (`az monitor activity-log list`), and put back what was in it.";
        end.failure = Some([text.to_owned()].into_iter().chain(end.failure.take()).collect::<Vec<_>>().join(" "));
        end
    }
}

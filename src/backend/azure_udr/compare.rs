//! Wanted × recorded × seen: what is planned in Azure.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::check_table;
use super::drafts::{Drafts, TableDraft, subnets_of};
use super::forwarding::interfaces_of;
use super::table::Wish;
use super::{
    AZURE_ROUTE, Hop, LiveInterface, LiveTable, Recorded, Route, Seen, SubnetTask, TableVerdict, Wanted, routes_in,
};
use crate::backend::Covered;
use crate::exchange::arm::Document;
use crate::network::Prefix;
use crate::plan::azure::{AzureFindings, AzurePlace, AzureTask, AzureWhat, EffectiveCheck};
use crate::plan::findings::Finding;
use crate::plan::{Options, Severity};
use crate::resource::{Action, Evidence, Phase, Place};

/// How many network interfaces of a subnet are asked for their effective routes, until one answers.
const WATCHED: usize = 5;

/// The destinations that Azure routes, given what is known of the virtual networks: nodes outside of them that are passed over are not
/// among them. A table without subnets routes nothing.
pub fn covers(wanted: &[Wanted], recorded: &Recorded, seen: Option<&Seen>, options: &Options) -> Covered {
    let drafts = Drafts::new(wanted, recorded, options, seen);
    let in_use = |draft: &&TableDraft<'_>| draft.wanted.is_some_and(|wanted| !wanted.settings.subnets.is_empty());
    let wishes = drafts.tables.iter().filter(in_use).filter_map(|draft| draft.task.wish.as_ref());
    let of = |wish: &Wish| (wish.space.clone().unwrap_or_default(), wish.routes.keys().copied().collect());
    Covered(wishes.map(of).collect())
}

/// Makes the plan. Without `seen` nobody has looked, and the record is taken for what is live.
pub fn compare(wanted: &[Wanted], recorded: &Recorded, seen: Option<&Seen>, options: &Options) -> AzureFindings {
    let drafts = Drafts::new(wanted, recorded, options, seen);
    let mut findings = AzureFindings::default();
    findings.findings.extend(drafts.findings.iter().filter(|finding| seen.is_some() || !finding.stops()).cloned());
    for draft in &drafts.tables {
        let mut verdict = draft.verdict(seen);
        let unseen = draft.unseen(seen);
        findings.note_unseen(&draft.task.place, seen, unseen.as_ref());
        if let Some((wanted, seen)) = draft.wanted.zip(seen) {
            check_table(draft, wanted, &verdict, seen, &mut findings);
        }
        let mut task = draft.task.clone();
        if options.skip_conflicts {
            task.left_to_others = verdict.conflicts().filter_map(|conflict| conflict.address.key.clone()).collect();
        }
        findings.findings.append(&mut verdict.findings);
        let only_removes = verdict.changes.iter().all(|change| change.action == Action::Remove);
        let phase = if only_removes { Phase::Retire } else { Phase::Install };
        let mut tasks = Vec::new();
        if !verdict.changes.is_empty() {
            tasks.push((phase, AzureTask::Table(Box::new(task))));
        }
        let place = AzurePlace { changes: verdict.changes, records: verdict.records, tasks };
        findings.places.push((draft.task.place.clone(), place, unseen));
    }
    drafts.compare_subnets(seen, &mut findings);
    drafts.compare_interfaces(recorded, seen, options, &mut findings);
    if let Some(seen) = seen {
        drafts.watch(seen, &mut findings);
    }
    findings
}

impl AzureFindings {
    pub(super) fn note_unseen(&mut self, place: &Place, seen: Option<&Seen>, unseen: Option<&String>) {
        match (seen, unseen) {
            (Some(_), Some(reason)) => self.findings.push(Finding::unseen(place, reason)),
            (Some(_), None) => self.answered += 1,
            (None, _) => {}
        }
    }
}

impl Drafts<'_> {
    fn compare_subnets(&self, seen: Option<&Seen>, findings: &mut AzureFindings) {
        let mut places: BTreeMap<&Place, (AzurePlace, Option<String>)> = BTreeMap::new();
        let was_read = |task: &SubnetTask| !Seen::subnet(seen, &task.id).is_unknown();
        // Where one subnet of a network could be read, the others wait for nobody.
        let read: BTreeSet<&Place> =
            self.subnets.iter().filter(|(task, _)| was_read(task)).map(|(task, _)| &task.place).collect();
        for (task, _) in &self.subnets {
            let verdict = task.verdict(seen);
            let unseen = Seen::subnet(seen, &task.id).known().err().map(|why| why.to_string());
            findings.note_unseen(&task.place, seen, unseen.as_ref());
            // Where the network is missing, another finding says so.
            let network = Seen::network(seen, place_id(&task.id));
            let is_known =
                |finding: &Finding| finding.severity == Severity::Error && matches!(network, Evidence::Absent);
            findings.findings.extend(verdict.finding.filter(|finding| !is_known(finding)));
            let (place, nobody) = places.entry(&task.place).or_insert_with(|| (AzurePlace::default(), None));
            // Nothing is done to a subnet that could not be read, and its record stays as it is.
            if unseen.is_some() && read.contains(&task.place) {
                continue;
            }
            *nobody = nobody.take().or(unseen.filter(|_| !read.contains(&task.place)));
            place.records.extend(verdict.records);
            if let Some((phase, change)) = verdict.change {
                place.changes.push(change);
                match place.tasks.iter_mut().find(|(at, _)| *at == phase) {
                    Some((_, AzureTask::Subnets(tasks))) => tasks.push(task.clone()),
                    _ => place.tasks.push((phase, AzureTask::Subnets(vec![task.clone()]))),
                }
            }
        }
        findings.places.extend(places.into_iter().map(|(place, (planned, unseen))| (place.clone(), planned, unseen)));
    }

    /// Whether a subnet goes by a table after the run.
    fn goes_by(&self, subnet: &str, table: &str, seen: &Seen) -> bool {
        let Some((task, _)) = self.subnets.iter().find(|(task, _)| task.id.eq_ignore_ascii_case(subnet)) else {
            return false;
        };
        let Evidence::Seen(live) = Seen::subnet(Some(seen), subnet) else { return false };
        let after = match task.compare(Some(live)).change.map(|(_, change)| change.what) {
            Some(AzureWhat::Association { after, .. }) => after,
            _ => live.table.clone(),
        };
        after.is_some_and(|after| after.eq_ignore_ascii_case(table))
    }

    /// Which network interfaces show, after the run, that its routes are in force.
    fn watch(&self, seen: &Seen, findings: &mut AzureFindings) {
        for draft in &self.tables {
            let Some(wanted) = draft.wanted else { continue };
            let Some((interfaces, _)) = interfaces_of(wanted, seen) else { continue };
            let routes = draft.routes_afterwards(seen);
            for (_, subnet) in subnets_of(wanted) {
                if routes.is_empty() || !self.goes_by(&subnet, &draft.task.id, seen) {
                    continue;
                }
                let is_in = |one: &LiveInterface| one.subnets.iter().any(|other| other.eq_ignore_ascii_case(&subnet));
                let mut there = interfaces.clone();
                there.retain(|one| is_in(one) && one.attached && one.scale_set.is_none());
                let more = there.len().saturating_sub(WATCHED);
                findings.checks.push(EffectiveCheck {
                    table: draft.task.place.clone(),
                    subnet: subnet.clone(),
                    interfaces: there.iter().take(WATCHED).map(|one| one.id.clone()).collect(),
                    more,
                    routes: routes.clone(),
                });
            }
        }
    }
}

/// The id of the virtual network of a subnet.
fn place_id(subnet: &str) -> &str {
    subnet.rsplit_once("/subnets/").map_or(subnet, |(network, _)| network)
}

impl TableDraft<'_> {
    /// The routes of ours that are there after the run; what drifted and is not selected is not.
    fn routes_afterwards(&self, seen: &Seen) -> Vec<(Prefix, Hop)> {
        // Nothing is written to a table that could not be looked at.
        let Ok(live) = Seen::table(Some(seen), &self.task.id).known() else { return Vec::new() };
        let TableVerdict { body, records, .. } = self.task.compare(live);
        let written = body.map(|body| LiveTable::of(Document { body, etag: None }));
        let Some(after) = written.as_ref().or(live) else { return Vec::new() };
        let recorded = records.iter().find(|record| *record.id.kind == AZURE_ROUTE && record.to.is_some());
        let recorded = recorded.and_then(|record| routes_in(&record.to.as_ref()?.attributes)).unwrap_or_default();
        let is_there =
            |(key, route): &(Prefix, Route)| after.routes.get(key).is_some_and(|live| live.route.hop.is(&route.hop));
        recorded.routes.into_iter().filter(is_there).map(|(key, route)| (key, route.hop)).collect()
    }
}

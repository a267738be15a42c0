//! Wanted × recorded × seen: what is planned in Azure.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::checks::check_table;
use super::drafts::{AllInputs, TableInputs, subnets_of};
use super::forwarding::interfaces_of;
use super::subnet::SubnetVerdict;
use super::table::DesiredTable;
use super::work::{Findings, Work};
use super::{
    AZURE_ROUTE, AzureTask, EffectiveCheck, Hop, LiveInterface, LiveTable, Recorded, Route, Seen, SubnetTask,
    TableVerdict, Wanted, routes_in,
};
use crate::backend::{Covered, Inputs};
use crate::exchange::arm::Document;
use crate::network::Prefix;
use crate::plan::{Finding, Options, Owners, Plan, Severity};
use crate::resource::{Evidence, Place};

/// How many network interfaces of a subnet are asked for their effective routes, until one answers.
const WATCHED: usize = 5;

/// The destinations that Azure routes. Once topo knows the virtual networks, nodes outside of them that are passed over are not
/// among them. A table without subnets routes nothing.
pub(super) fn covers(wanted: &[Wanted], recorded: &Recorded, seen: Option<&Seen>, options: &Options) -> Covered {
    let is_in_use = |wanted: &&Wanted| !wanted.settings.subnets.is_empty();
    if seen.is_none() {
        return wanted.iter().filter(is_in_use).flat_map(|wanted| wanted.rows.keys().copied()).collect();
    }
    let drafts = AllInputs::new(wanted, recorded, options, seen);
    let in_use = drafts.tables.iter().filter(|draft| draft.wanted.as_ref().is_some_and(is_in_use));
    let wishes = in_use.filter_map(|draft| draft.task.desired.as_ref());
    let of =
        |desired: &DesiredTable| (desired.space.clone().unwrap_or_default(), desired.routes.keys().copied().collect());
    Covered(wishes.map(of).collect())
}

/// Plans Azure. Without `seen` nobody has looked, and topo takes the record for what is live.
pub(super) fn plan(inputs: &Inputs<'_>, seen: Option<&Seen>, plan: &mut Plan) -> Work {
    let Inputs { desired, recorded: state, options, .. } = *inputs;
    let (wanted, recorded) = (Wanted::all(desired), Recorded::of(state));
    if plan.owners.is_empty() {
        plan.owners = Owners::new(&desired.places, state, options.destroy).into();
    }
    let rows = wanted.iter().flat_map(|wanted| wanted.rows.values()).map(|(address, name)| (*address, name));
    Arc::make_mut(&mut plan.owners).add_receivers(rows, recorded.receivers(&wanted));
    let Findings { listed, work } = compare(&wanted, &recorded, seen, &plan.owners, options);
    plan.add_listed(listed, state, options);
    work
}

/// Compares all tables, subnets and network interfaces.
fn compare(
    wanted: &[Wanted],
    recorded: &Recorded,
    seen: Option<&Seen>,
    owners: &Arc<Owners>,
    options: &Options,
) -> Findings {
    let mut drafts = AllInputs::new(wanted, recorded, options, seen);
    let mut findings = Findings::default();
    findings.add(drafts.findings.iter().filter(|finding| seen.is_some() || !finding.stops()).cloned());
    for draft in &mut drafts.tables {
        draft.task.owners = Arc::clone(owners);
        let mut verdict = draft.verdict(seen);
        let unseen = draft.unseen(seen);
        if let Some(seen) = seen {
            findings.note_answer(&draft.task.place, unseen.as_deref());
            if let Some(wanted) = draft.wanted {
                check_table(draft, wanted, &verdict, seen, &mut findings);
            }
        }
        let mut task = draft.task.clone();
        if options.skip_conflicts {
            task.left_to_others = verdict.conflicts().filter_map(|conflict| conflict.address.key.clone()).collect();
        }
        findings.add(verdict.findings.drain(..));
        let place = &draft.task.place;
        findings.plan(place, verdict.resources, unseen, AzureTask::Table(Box::new(task)));
    }
    drafts.compare_subnets(seen, &mut findings);
    drafts.compare_interfaces(recorded, seen, options, &mut findings);
    if let Some(seen) = seen {
        drafts.watch(seen, &mut findings);
    }
    findings
}

impl AllInputs<'_> {
    fn compare_subnets(&self, seen: Option<&Seen>, findings: &mut Findings) {
        let was_read = |task: &SubnetTask| !Seen::subnet(seen, &task.id).is_unknown();
        // Where one subnet of a network could be read, the others wait for nobody.
        let read: BTreeSet<&Place> =
            self.subnets.iter().filter(|(task, _)| was_read(task)).map(|(task, _)| &task.place).collect();
        for (task, _) in &self.subnets {
            let SubnetVerdict { resources, finding, .. } = task.verdict(seen);
            let unseen = Seen::subnet(seen, &task.id).known().err().map(|why| why.to_string());
            if seen.is_some() {
                findings.note_answer(&task.place, unseen.as_deref());
            }
            // Where the network is missing, another finding says so.
            let network = Seen::network(seen, place_id(&task.id));
            let is_known =
                |finding: &Finding| finding.severity == Severity::Error && matches!(network, Evidence::Absent);
            findings.add(finding.filter(|finding| !is_known(finding)));
            // topo does nothing to a subnet that it could not read, and keeps its record.
            if unseen.is_none() || !read.contains(&task.place) {
                findings.plan(&task.place, resources, unseen, AzureTask::Subnets(vec![task.clone()]));
            }
        }
    }

    /// Whether a subnet goes by a table after the run.
    fn goes_by(&self, subnet: &str, table: &str, seen: &Seen) -> bool {
        let Some((task, _)) = self.subnets.iter().find(|(task, _)| task.id.eq_ignore_ascii_case(subnet)) else {
            return false;
        };
        let Evidence::Seen(live) = Seen::subnet(Some(seen), subnet) else { return false };
        let verdict = task.compare(Some(live));
        let after = verdict.association().map_or(&live.table, |association| &association.after);
        after.as_ref().is_some_and(|after| after.eq_ignore_ascii_case(table))
    }

    /// Which network interfaces show, after the run, that its routes are in force.
    fn watch(&self, seen: &Seen, findings: &mut Findings) {
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
                findings.work.checks.push(EffectiveCheck {
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

impl TableInputs<'_> {
    /// The routes of ours that are there after the run; what drifted and is not selected is not.
    fn routes_afterwards(&self, seen: &Seen) -> Vec<(Prefix, Hop)> {
        // Nothing is written to a table that could not be looked at.
        let Ok(live) = Seen::table(Some(seen), &self.task.id).known() else { return Vec::new() };
        let TableVerdict { body, resources, .. } = self.task.compare(live);
        let written = body.map(|body| LiveTable::of(Document { body, etag: None }));
        let Some(after) = written.as_ref().or(live) else { return Vec::new() };
        let mut routes = resources.iter().filter(|resource| *resource.id.kind == AZURE_ROUTE);
        let recorded = routes.find_map(|resource| routes_in(&resource.to.as_ref()?.attributes)).unwrap_or_default();
        let is_there =
            |(key, route): &(Prefix, Route)| after.routes.get(key).is_some_and(|live| live.route.hop.is(&route.hop));
        recorded.routes.into_iter().filter(is_there).map(|(key, route)| (key, route.hop)).collect()
    }
}

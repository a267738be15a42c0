//! Desired × recorded × observed → the plan of nodes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::addresses::Addresses;
use super::checks::Uncovered;
use super::findings::{no_device, not_root};
use super::identities::MachineIdentities;
use super::observed::{Observation, Seen};
use super::off_link::OffLink;
use super::place_inputs::{Compared, PlaceInputs, resources_of};
use crate::backend::netplan::{Attributes, FileInput, FileMemo, NETPLAN_FILE, plan_file, routes_found};
use crate::backend::{Header, Inputs, OnNodes, PlannedResource, ResourceInput, of_kind};
use crate::network::{MAIN_TABLE, Memo, Prefix, RouteSet, STATIC};
use crate::plan::findings::{FORGOTTEN, Finding, Severity, Text};
use crate::plan::{
    FilePlan, FiledRoutes, Options, Owners, PlacePlan, Plan, ResourcePlan, TableFindings, TableInput, TablePlan, align,
};
use crate::resource::{Phase, Place, Record, ResourceId, Resources, Shape, merge_join};
use crate::state::PlaceRecord;

/// Makes the plan of the nodes.
pub fn plan(inputs: &Inputs<'_>, backends: OnNodes, observed: &BTreeMap<Place, Observation>, memo: &mut Memo) -> Plan {
    let Inputs { topology, desired, recorded, options } = *inputs;
    let answered = observed.values().filter(|observation| observation.seen().is_some()).count();
    let mut plan = Plan { answered, ..Plan::default() };
    if plan.answered > 0 {
        plan.owners = Owners::new(&desired.places, recorded, options.destroy).into();
    }
    let identities = MachineIdentities::new(inputs, observed, &mut plan);
    let mut uncovered = Uncovered::new(&desired.covered);
    let addresses = Addresses::new(desired, observed);
    let header = Header { topology: topology.to_string(), lineage: recorded.lineage.to_string() };
    let mut files = Files { backends, header, memo: FileMemo::default() };
    let nodes = |(place, ..): &(&Place, _, _)| place.is_node();
    let (mut planned, mut off_link): (Vec<(Place, PlacePlan)>, _) = (Vec::new(), OffLink::default());
    for (place, wanted, record) in merge_join(&desired.places, &recorded.places).filter(nodes) {
        if (wanted.is_none() && identities.moved.contains(place)) || identities.refused.contains(place) {
            continue;
        }
        if place.node().is_some_and(|name| options.forget.contains(name)) {
            if record.is_some() {
                plan.forgotten.insert(place.clone());
                let text =
                    "; what topo has put there is no longer recorded, and stays for as long as the machine lives.";
                plan.findings.push(Finding::note(FORGOTTEN, place, Text::around("Nothing is done on ", text)));
            }
            continue;
        }
        let observation = observed.get(place).unwrap_or(&Observation::NotAsked);
        let source = identities.source(place);
        let record = if source == Some(place) { record } else { source.and_then(|at| recorded.places.get(at)) };
        let both = PlaceInputs { place, wanted, source, record };
        let gap = observation.seen().and_then(|seen| seen.gap(backends, wanted, record)).map(Observation::Unreachable);
        plan.answered -= usize::from(gap.is_some());
        let observation = gap.as_ref().unwrap_or(observation);
        if observation.seen().is_none() && both.is_unchanged(backends, memo) {
            plan.note_unseen(place, observation.unreachable());
            continue;
        }
        plan.check_azure(place, wanted, observation, &mut uncovered);
        addresses.check(place, wanted, observation, &mut plan);
        if let Some(seen) = observation.seen() {
            plan.check_ways(place, wanted, seen);
            plan.check_kept(place, seen);
            plan.check_tunnels(place, wanted, seen);
        }
        if let Some(one) = plan.place(inputs, &both, &mut files, observation, &identities, memo) {
            if let Some(seen) = observation.seen() {
                off_link.add(place, &one, seen);
                let user = seen.identity.user.filter(|_| one.acts);
                plan.findings.extend(user.map(|_| not_root(place)));
            }
            planned.push((place.clone(), one));
        }
    }
    off_link.report(&mut plan);
    plan.places = planned.into_iter().collect();
    // Without a look and without changes, nobody asks for the owner of an address.
    if plan.answered == 0 && !plan.places.is_empty() {
        plan.owners = Owners::new(&desired.places, recorded, options.destroy).into();
    }
    if !options.selection.is_all() {
        plan.select(options, memo);
    }
    plan
}

impl Plan {
    /// Plans one place: a table for each table and metric that is recorded or wanted, and its files. None: nothing is done or
    /// recorded there.
    fn place(
        &mut self,
        inputs: &Inputs<'_>,
        both: &PlaceInputs<'_>,
        files: &mut Files,
        observation: &Observation,
        identities: &MachineIdentities,
        memo: &mut Memo,
    ) -> Option<PlacePlan> {
        let PlaceInputs { place, wanted, source, record } = *both;
        let options = inputs.options;
        let seen = observation.seen();
        let all = resources_of(wanted, record);
        let context = Context::new(*both, seen, &files.header, options);
        let mut resources = Resources::with_capacity(all.len());
        let mut settles = false;
        for (id, shape, entry) in &all {
            settles |= entry.is_some_and(Record::is_in_doubt) && seen.is_some();
            let mut tables = Vec::with_capacity(1);
            context.each_table(id, *shape, *entry, |table, findings| {
                if seen.is_some() && !table.in_file {
                    self.findings.extend(table.gateways_without_device().map(|gateway| no_device(place, gateway)));
                }
                // Without a look there are no findings.
                for finding in seen.map(|_| findings.into_findings(place, id)).into_iter().flatten() {
                    self.add(finding, options);
                }
                tables.push(table);
            });
            if !tables.is_empty() {
                resources.insert(ResourceId::clone(id), ResourcePlan { tables, ..ResourcePlan::default() });
            }
        }
        align(&mut resources);
        for &(id, wanted, record) in all.iter().filter(|(id, ..)| *id.kind == NETPLAN_FILE) {
            let Some(resource) = resources.get_mut(id) else { continue };
            let inspected = seen.and_then(|seen| seen.file(&id.name));
            let is_root = seen.is_none_or(|seen| seen.identity.user.is_none());
            let input = FileInput { place, id, header: &files.header, wanted, record, inspected, is_root, options };
            let planned = plan_file(&input, &resource.tables, memo, &mut files.memo);
            let Some((file, findings)) = planned else {
                resources.remove(id);
                continue;
            };
            resource.file = Some(file);
            // topo neither writes nor records a file of somebody else.
            if findings.iter().any(|finding| finding.severity == Severity::Conflict) {
                resources.remove(id);
            }
            for finding in findings {
                self.add(finding, options);
            }
        }
        settles |= self.plan_others(place, &all, &mut resources, files, seen, options);
        // What a file drops when it is written goes from the kernel at once. A file that replaces another is written together
        // with its removal.
        let is_written = |file: &FilePlan| file.writes_in(Phase::Persist);
        if resources.values().any(|resource| resource.file.as_ref().is_some_and(is_written)) {
            for resource in resources.values_mut() {
                resource.file.iter_mut().for_each(|file| file.phase = Phase::Persist);
                resource.tables.iter_mut().for_each(|table| table.retires = Phase::Persist);
            }
        }
        let marker = seen.and_then(|seen| self.check_markers(inputs, place, seen, &resources));
        let (has_marker, is_marker_current) = (marker.is_some(), marker == Some(true));
        let ends = wanted.is_none_or(|wanted| wanted.resources.is_empty());
        let acts = (ends && has_marker) || resources.values().any(|resource| resource.acts(memo));
        let renamed = source.filter(|source| *source != place).cloned();
        let machine_id = seen.map(|seen| Arc::from(seen.identity.machine_id.as_str()));
        let drops = record.is_some() && ends;
        let replaced = identities.replaced.contains(place);
        if !acts && renamed.is_none() && !settles && !drops && !replaced {
            self.note_unseen(place, observation.unreachable());
            return None;
        }
        if let Some(seen) = seen {
            self.check_lockout(place, &resources, seen);
        }
        self.note_unseen(place, observation.unreachable());
        let endpoint = wanted
            .and_then(|wanted| wanted.endpoint.clone())
            .or_else(|| record.and_then(|record: &PlaceRecord| record.endpoint.clone()));
        let unseen = match observation {
            Observation::NotAsked => Some("nobody looked".to_owned()),
            Observation::Unreachable(reason) => Some(reason.clone()),
            Observation::Seen(_) => None,
        };
        Some(PlacePlan {
            endpoint,
            machine_id,
            renamed_from: renamed,
            from_nothing: replaced,
            unseen,
            has_marker,
            is_marker_current,
            resources,
            ends,
            acts,
        })
    }
}

impl Plan {
    /// Plans the resources without routes. True: a record changes.
    fn plan_others(
        &mut self,
        place: &Place,
        all: &[Compared<'_>],
        resources: &mut Resources<ResourcePlan>,
        files: &Files,
        seen: Option<&Seen>,
        options: &Options,
    ) -> bool {
        let header = &files.header;
        let mut settles = false;
        let of_routes = |shape: Option<&Shape>, record: Option<&Record>| {
            shape.into_iter().chain(record.into_iter().flat_map(Record::shapes)).any(|shape| shape.routes.is_some())
        };
        for &(id, wanted, record) in all.iter().filter(|(_, one, other)| !of_routes(*one, *other)) {
            let input = ResourceInput { place, id, header, wanted, record, seen, options };
            let planned = of_kind(files.backends, &id.kind).and_then(|backend| backend.plan_resource(&input));
            let Some(PlannedResource { plan, guard, findings }) = planned else { continue };
            for finding in findings {
                self.add(finding, options);
            }
            if let Some(plan) = plan {
                settles |= seen.is_some() && !plan.is_recorded(record);
                let planned = ResourcePlan { listed: Some(plan), guard, ..ResourcePlan::default() };
                resources.insert(id.clone(), planned);
            }
        }
        settles
    }
}

/// What the files of all nodes have in common.
struct Files {
    backends: OnNodes,
    header: Header,
    memo: FileMemo,
}

/// What the resources of one place mean for each other.
struct Context<'a> {
    both: PlaceInputs<'a>,
    seen: Option<&'a Seen>,
    options: &'a Options,
    files: FiledRoutes<'a>,
    /// Routing tables with the protocols that rows of ours have there, sorted.
    marks: Vec<(u32, u8)>,
}

impl<'a> Context<'a> {
    fn new(both: PlaceInputs<'a>, seen: Option<&'a Seen>, header: &Header, options: &'a Options) -> Self {
        let mut context = Self { both, seen, options, files: FiledRoutes::default(), marks: Vec::with_capacity(2) };
        let wanted = both.wanted_routes().map(|(id, set)| (id, set, true));
        for (id, set, is_wanted) in wanted.chain(both.recorded_routes().map(|(id, set)| (id, set, false))) {
            let mark = (set.view.table, set.view.protocol);
            if !context.marks.contains(&mark) {
                context.marks.push(mark);
            }
            if set.view.protocol == STATIC && *id.kind == NETPLAN_FILE {
                context.files.wanted |= is_wanted;
                context.files.recorded.extend(Some(set).filter(|_| !is_wanted));
            }
        }
        context.marks.sort_unstable();
        for (_, inspected) in seen.iter().flat_map(|seen| &seen.files) {
            context.files.found.extend(routes_found(Some(inspected), header, options));
        }
        context
    }

    /// Protocols that rows of ours have in a table, whichever backend they are of.
    fn marks(&self, table: u32) -> Vec<u8> {
        self.marks.iter().filter(|(of, _)| *of == table).map(|(_, protocol)| *protocol).collect()
    }

    /// Goes through the tables of one resource, each with what was found there.
    fn each_table(
        &self,
        id: &ResourceId,
        wanted: Option<&Shape>,
        record: Option<&Record>,
        mut take: impl FnMut(TablePlan, TableFindings),
    ) {
        let shape = wanted.or_else(|| record.and_then(|record| record.shapes().next()));
        let in_file = *id.kind == NETPLAN_FILE;
        let owns_live_rows = !in_file || shape.is_some_and(Attributes::are_alone);
        let wanted = wanted.and_then(|shape| shape.routes.as_ref());
        let all: Vec<&RouteSet> =
            record.iter().flat_map(|record| record.shapes()).filter_map(|shape| shape.routes.as_ref()).collect();
        let take_over = |destination: &Prefix| {
            let row = destination.to_string();
            let name = self.both.place.name();
            self.options.takes_over(&id.kind, name, Some(&row))
        };
        let none: fn(&Prefix) -> bool = |_| false;
        let take_over: &dyn Fn(&Prefix) -> bool = if self.options.take_over.is_empty() { &none } else { &take_over };
        let sets = || wanted.into_iter().chain(all.iter().copied());
        for (at, RouteSet { view: key, .. }) in sets().enumerate() {
            if sets().take(at).any(|before| before.view.same_key(key)) {
                continue;
            }
            // Mostly all have the same key.
            let mut recorded = Cow::Borrowed(&*all);
            if !all.iter().all(|set| set.view.same_key(key)) {
                recorded = all.iter().copied().filter(|set| set.view.same_key(key)).collect();
            }
            // Of a doubt that nobody looked at, only what topo once saw counts as live. So the plan names the rest as not done.
            if self.seen.is_none()
                && wanted.is_some_and(|set| set.view.same_key(key))
                && let Some(record) = record.filter(|record| record.is_in_doubt())
            {
                let confirmed = record.confirmed().filter_map(|shape| shape.routes.as_ref());
                recorded = confirmed.filter(|set| set.view.same_key(key)).collect();
            }
            let listed = self.seen.filter(|_| owns_live_rows).and_then(|seen| seen.table(key.table));
            let mut own_protocols: Vec<u8> = Vec::new();
            for set in sets().filter(|set| listed.is_some() && set.view.table == key.table) {
                if !own_protocols.contains(&set.view.protocol) {
                    own_protocols.push(set.view.protocol);
                }
            }
            let in_main = self.seen.filter(|_| key.table == MAIN_TABLE);
            let confirmed = record.iter().filter(|_| listed.is_some()).flat_map(|record| record.confirmed());
            let made = TablePlan::new(TableInput {
                mark_protocols: self.marks(key.table),
                own_protocols,
                recorded: &recorded,
                elsewhere: &all,
                in_doubt: record.is_some_and(Record::is_in_doubt),
                confirmed: confirmed
                    .filter_map(|shape| shape.routes.as_ref())
                    .filter(|set| set.view.same_key(key))
                    .collect(),
                wanted: wanted.filter(|set| set.view.same_key(key)),
                listed,
                take_over,
                owns_live_rows,
                in_file,
                files: &self.files,
                beaten: in_main.map(|seen| seen.beaten.as_slice()),
                networks: in_main.map(|seen| seen.identity.networks.as_slice()).unwrap_or_default(),
                devices: self.seen.map(|seen| seen.devices.as_slice()).unwrap_or_default(),
            });
            let Some((mut plan, findings)) = made else { continue };
            // Whether others provide a route shows in the kernel, where another resource puts the routes.
            if let (Some(to), Some(wanted)) = (&mut plan.to, wanted.filter(|_| self.seen.is_some() && !owns_live_rows))
            {
                to.excluded = Arc::clone(&wanted.excluded);
            }
            take(plan, findings);
        }
    }
}

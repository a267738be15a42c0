//! Desired × recorded × observed → plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::azure::{AzureFindings, AzurePlace, AzureRecord, EffectiveCheck};
use super::checks::Uncovered;
use super::claims::Claims;
use super::file::{FileInput, FilePlan, routes_found};
use super::findings::{FORGOTTEN, Finding, Severity, Text, UNSEEN};
use super::observed::{Observation, Seen};
use super::operation::Operation;
use super::owners::{Owners, PlaceReasons};
use super::table::{FiledRoutes, TableFindings, TableInput, TablePlan};
use super::together::{Both, resources_of, together};
use super::{Desired, DesiredPlace};
use crate::backend::netplan::{Attributes, Header, NETPLAN_FILE};
use crate::network::{Memo, Prefix, RouteSet, STATIC};
use crate::resource::{AddressPattern, Endpoint, Name, Phase, Place, Record, ResourceId, Shape};
use crate::state::{PlaceRecord, State};

/// What the user chose beside topology and state.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these addresses; empty is all.
    pub targets: Vec<AddressPattern>,
    /// Not these addresses.
    pub excludes: Vec<AddressPattern>,
    /// Nodes whose record is dropped without a login.
    pub forget: BTreeSet<Name>,
    /// Addresses that are taken over from others.
    pub take_over: Vec<AddressPattern>,
    /// Conflicts are left out instead of stopping the run.
    pub skip_conflicts: bool,
    /// A state that was lost is made anew under another lineage.
    pub new_lineage: bool,
    /// All is to be removed.
    pub destroy: bool,
    /// Network interfaces in Azure that topo made forward, and that need not any more, are turned back.
    pub revert_forwarding: bool,
}

/// What is planned for one place.
#[derive(Clone, Debug)]
pub struct PlacePlan {
    /// How it is reached.
    pub endpoint: Option<Endpoint>,
    /// The machine's id, where it was seen.
    pub machine_id: Option<Arc<str>>,
    /// The name under which it was recorded, where that is another.
    pub renamed_from: Option<Place>,
    /// Another machine than the recorded one answers: what was recorded is dropped.
    pub from_nothing: bool,
    /// Why it was not looked at, where it was not: the plan is made from the record then.
    pub unseen: Option<String>,
    /// Whether the marker of this topology was there, of this lineage.
    pub has_marker: bool,
    /// Routing tables that change or whose record is to be settled; also the routes that stand in files.
    pub tables: Vec<(ResourceId, TablePlan)>,
    /// Files that keep routes.
    pub files: Vec<FilePlan>,
    /// What is planned there where the place is one in Azure.
    pub azure: Option<Box<AzurePlace>>,
    /// Whether nothing of the topology remains there afterwards.
    pub ends: bool,
    /// Whether something is done on the place; else only the record changes.
    pub acts: bool,
}

impl PlacePlan {
    /// Files that are written after routes, and checked before them.
    pub fn checked_files(&self) -> impl Iterator<Item = &FilePlan> {
        self.files.iter().filter(|file| file.wanted && file.change.is_some() && file.phase == Phase::Persist)
    }
}

/// What a plan is made from, beside what was observed.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The topology's name.
    pub topology: &'a Name,
    /// What the topology asks for.
    pub desired: &'a Desired,
    /// What is recorded.
    pub recorded: &'a State,
    /// What the user chose.
    pub options: &'a Options,
}

/// What is to be done, and all that was found out on the way.
#[derive(Debug, Default)]
pub struct Plan {
    /// Places where something is done or recorded anew.
    pub places: BTreeMap<Place, PlacePlan>,
    /// Places whose record is dropped untouched.
    pub forgotten: BTreeSet<Place>,
    /// What was found besides: what stops the run, and what its reader has to know.
    pub findings: Vec<Finding>,
    /// Number of places that answered.
    pub answered: usize,
    /// To whom addresses belong, and why rows come and go.
    pub people: Owners,
    /// Where it shows after a run whether the routes of Azure's tables are in force.
    pub checks: Vec<EffectiveCheck>,
}

impl Plan {
    /// Makes the plan.
    pub fn new(
        topology: &Name,
        desired: &Desired,
        recorded: &State,
        observed: &BTreeMap<Place, Observation>,
        options: &Options,
        memo: &mut Memo,
    ) -> Self {
        let answered = observed.values().filter(|observation| observation.seen().is_some()).count();
        let mut plan = Self { answered, ..Self::default() };
        if plan.answered > 0 {
            plan.people = Owners::new(desired, recorded, options.destroy);
        }
        let claims = Claims::new(desired, recorded, observed, options, &mut plan);
        let inputs = Inputs { topology, desired, recorded, options };
        let mut uncovered = Uncovered::new(&desired.covered);
        let header = Header { topology: topology.to_string(), lineage: recorded.lineage.to_string() };
        let nodes = |(place, ..): &(&Place, _, _)| place.is_node();
        for (place, wanted, record) in together(&desired.places, &recorded.places).filter(nodes) {
            if wanted.is_none() && claims.moved.contains(place) {
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
            let source = claims.source(place);
            let record = if source == Some(place) { record } else { source.and_then(|at| recorded.places.get(at)) };
            let both = Both { place, wanted, source, record };
            let gap = observation.seen().and_then(|seen| seen.gap(wanted, record)).map(Observation::Unreachable);
            plan.answered -= usize::from(gap.is_some());
            let observation = gap.as_ref().unwrap_or(observation);
            if observation.seen().is_none() && both.is_unchanged(memo) {
                plan.note_unseen(place, observation);
                continue;
            }
            plan.check_azure(place, wanted, observation, &mut uncovered);
            plan.place(&inputs, &both, &header, observation, &claims, memo);
        }
        // Where nobody looked and nothing is done, nobody asks who has which address.
        if plan.answered == 0 && !plan.places.is_empty() {
            plan.people = Owners::new(desired, recorded, options.destroy);
        }
        if !options.targets.is_empty() || !options.excludes.is_empty() {
            plan.select(options, memo);
        }
        plan
    }

    /// The tables of one place: one for each table and metric that is recorded or wanted.
    fn place(
        &mut self,
        inputs: &Inputs<'_>,
        both: &Both<'_>,
        header: &Header,
        observation: &Observation,
        claims: &Claims,
        memo: &mut Memo,
    ) {
        let Both { place, wanted, source, record } = *both;
        let options = inputs.options;
        let seen = observation.seen();
        let resources = resources_of(wanted, record);
        let context = Context::new(wanted, record, seen, header, options);
        // One table each is the rule, and a list that grows by itself begins with room for four.
        let mut tables = Vec::with_capacity(resources.len());
        let mut settles = false;
        for (id, shape, entry) in &resources {
            let (shape, entry) = (*shape, *entry);
            settles |= entry.is_some_and(Record::is_in_doubt) && seen.is_some();
            for (table, findings) in tables_of(place, id, shape, entry, seen, options, &context) {
                for finding in findings.into_findings(place, id) {
                    self.add(finding, options);
                }
                tables.push((ResourceId::clone(id), table));
            }
        }
        align(&mut tables);
        let mut files = Vec::with_capacity(1);
        let mut others: Vec<ResourceId> = Vec::new();
        for (id, wanted, record) in resources.into_iter().filter(|(id, ..)| *id.kind == NETPLAN_FILE) {
            let input = FileInput {
                place,
                id,
                header,
                wanted,
                record,
                inspected: seen.and_then(|seen| seen.file(&id.name)),
                options,
            };
            let of_file: Vec<&TablePlan> =
                tables.iter().filter(|(table, _)| table == id).map(|(_, table)| table).collect();
            if let Some((file, findings)) = FilePlan::new(&input, &of_file, memo) {
                // What is somebody else's is neither written nor recorded.
                if findings.iter().all(|finding| finding.severity != Severity::Conflict) {
                    files.push(file);
                } else {
                    others.push(id.clone());
                }
                for finding in findings {
                    self.add(finding, options);
                }
            }
        }
        tables.retain(|(id, _)| !others.contains(id));
        // What a file drops when it is written, goes from the kernel at once.
        if files.iter().any(|file| file.change.is_some() && file.phase == Phase::Persist) {
            // One that takes the place of another goes together with it.
            for file in &mut files {
                file.phase = Phase::Persist;
            }
            for (_, table) in &mut tables {
                table.retires = Phase::Persist;
            }
        }
        let has_marker = seen.is_some_and(|seen| self.check_markers(inputs, place, seen, &tables));
        let ends = wanted.is_none_or(|wanted| wanted.resources.is_empty());
        let acts = (ends && has_marker) || acts(&tables, &files, memo);
        let renamed = source.filter(|source| *source != place).cloned();
        let machine_id = seen.map(|seen| Arc::from(seen.identity.machine_id.as_str()));
        let drops = record.is_some() && ends;
        let replaced = claims.replaced.contains(place);
        if !acts && renamed.is_none() && !settles && !drops && !replaced {
            self.note_unseen(place, observation);
            return;
        }
        if let Some(seen) = seen {
            self.check_lockout(place, &tables, seen);
        }
        self.note_unseen(place, observation);
        let endpoint = wanted
            .and_then(|wanted| wanted.endpoint.clone())
            .or_else(|| record.and_then(|record: &PlaceRecord| record.endpoint.clone()));
        let unseen = match observation {
            Observation::NotAsked => Some("nobody looked".to_owned()),
            Observation::Unreachable(reason) => Some(reason.clone()),
            Observation::Seen(_) => None,
        };
        let plan = PlacePlan {
            endpoint,
            machine_id,
            renamed_from: renamed,
            from_nothing: replaced,
            unseen,
            has_marker,
            tables,
            files,
            azure: None,
            ends,
            acts,
        };
        self.places.insert(place.clone(), plan);
    }

    fn note_unseen(&mut self, place: &Place, observation: &Observation) {
        if let Observation::Unreachable(reason) = observation {
            self.findings.push(Finding::unseen(place, reason));
        }
    }

    /// Takes a finding in; a conflict that is left to others, as asked, stops nothing.
    fn add(&mut self, finding: Finding, options: &Options) {
        let skips = options.skip_conflicts && finding.severity == Severity::Conflict;
        self.findings.push(if skips { finding.skipped() } else { finding });
    }

    /// Whether nothing may be written anywhere.
    pub fn is_stopped(&self) -> bool {
        self.findings.iter().any(Finding::stops)
    }

    /// Whether something wanted is left out.
    pub fn leaves_out(&self) -> bool {
        self.findings.iter().any(|finding| finding.left_out.is_some())
    }

    /// The places that could not be looked at; several things may have been asked of one.
    pub fn unseen(&self) -> BTreeSet<&Place> {
        self.findings.iter().filter(|finding| finding.code == UNSEEN).map(Finding::place).collect()
    }

    /// Takes in what is planned in Azure.
    pub fn take_azure(&mut self, recorded: &State, findings: AzureFindings, options: &Options) {
        self.answered += findings.answered;
        self.checks = findings.checks;
        for finding in findings.findings {
            self.add(finding, options);
        }
        for (place, azure, unseen) in findings.places {
            let is_kept = |record: &AzureRecord| match (recorded.record(&place, &record.id), &record.to) {
                (None, None) => true,
                (Some(Record::Settled { is, .. }), Some(to)) => is == to,
                _ => false,
            };
            let acts = !azure.tasks.is_empty();
            // Where nobody looked, nothing but what is wanted can be known.
            let settles = unseen.is_none() && !azure.records.iter().all(is_kept);
            if !acts && !settles {
                continue;
            }
            let ends = azure.records.iter().all(|record| record.to.is_none());
            let planned = PlacePlan {
                endpoint: None,
                machine_id: None,
                renamed_from: None,
                from_nothing: false,
                unseen,
                has_marker: false,
                tables: Vec::new(),
                files: Vec::new(),
                azure: Some(Box::new(azure)),
                ends,
                acts,
            };
            self.places.insert(place, planned);
        }
    }

    /// Why the rows of a place come and go.
    pub fn reasons(&self, place: &Place) -> PlaceReasons<'_> {
        self.people.reasons(place)
    }

    /// All operations of one place.
    pub fn operations(&self, place: &Place, memo: &mut Memo) -> Vec<(ResourceId, Operation)> {
        let Some(plan) = self.places.get(place) else { return Vec::new() };
        let reasons = self.reasons(place);
        let of = |(id, table): &(ResourceId, TablePlan), memo: &mut Memo| -> Vec<(ResourceId, Operation)> {
            table.operations(&reasons, memo).into_iter().map(|operation| (id.clone(), operation)).collect()
        };
        plan.tables.iter().flat_map(|table| of(table, memo)).collect()
    }

    /// Whether something is done anywhere.
    pub fn has_changes(&self) -> bool {
        !self.forgotten.is_empty() || self.places.values().any(|plan| plan.acts)
    }

    /// Whether places were asked and none of them answered.
    pub fn reached_nothing(&self) -> bool {
        self.answered == 0 && self.has_unseen()
    }

    /// Whether a place of the plan could not be looked at.
    pub fn has_unseen(&self) -> bool {
        !self.unseen().is_empty()
    }
}

/// What the resources of one place mean for each other.
struct Context<'a> {
    files: FiledRoutes<'a>,
    /// What is wanted or recorded there.
    sets: Vec<&'a RouteSet>,
}

impl<'a> Context<'a> {
    fn new(
        wanted: Option<&'a DesiredPlace>,
        record: Option<&'a PlaceRecord>,
        seen: Option<&Seen>,
        header: &Header,
        options: &Options,
    ) -> Self {
        let mut context = Self { files: FiledRoutes::default(), sets: Vec::new() };
        for (id, shape) in wanted.iter().flat_map(|wanted| &wanted.resources) {
            let Some(set) = &shape.routes else { continue };
            context.sets.push(set);
            context.files.wanted |= *id.kind == NETPLAN_FILE && set.view.protocol == STATIC;
        }
        for (id, entry) in record.iter().flat_map(|record| &record.resources) {
            for set in entry.shapes().filter_map(|shape| shape.routes.as_ref()) {
                context.sets.push(set);
                if *id.kind == NETPLAN_FILE && set.view.protocol == STATIC {
                    context.files.recorded.push(set);
                }
            }
        }
        for (_, inspected) in seen.iter().flat_map(|seen| &seen.files) {
            context.files.found.extend(routes_found(Some(inspected), header, options));
        }
        context
    }

    /// Protocols that rows of ours have in a table, whichever backend they are of.
    fn marks(&self, table: u32) -> Vec<u8> {
        let views = self.sets.iter().map(|set| &set.view).filter(|view| view.table == table);
        let mut marks: Vec<u8> = views.map(|view| view.protocol).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

/// Whether something is done on a place.
pub(super) fn acts(tables: &[(ResourceId, TablePlan)], files: &[FilePlan], memo: &mut Memo) -> bool {
    // The routes in a file change with the file.
    let is_filed = |id: &ResourceId| *id.kind == NETPLAN_FILE;
    files.iter().any(|file| file.change.is_some())
        || tables.iter().any(|(id, table)| !is_filed(id) && !table.is_settled(memo))
}

/// Brings the routes of files and of the kernel on one place together: a file leaves out what others provide, and what goes
/// from one of the two and stays in the other is not removed.
pub(super) fn align(tables: &mut [(ResourceId, TablePlan)]) {
    let is_filed = |id: &ResourceId| *id.kind == NETPLAN_FILE;
    if !tables.iter().any(|(id, _)| is_filed(id)) {
        return;
    }
    let others: Vec<(ResourceId, RouteSet)> = tables
        .iter()
        .filter(|(_, table)| table.judged)
        .filter_map(|(id, table)| Some((id.clone(), table.to.clone()?)))
        .collect();
    for (id, table) in tables.iter_mut() {
        for (other_id, other) in others.iter().filter(|(other, _)| other != id) {
            let lacks = table.to.as_mut().filter(|_| is_filed(id) && !is_filed(other_id) && !other.lacks.is_empty());
            if let Some(to) = lacks {
                to.lacks = Arc::new(to.lacks.union(&other.lacks).copied().collect());
            }
            if table.to.is_none() && table.judged && other.view.same_key(&table.view) {
                table.leave_to(other);
            }
        }
    }
}

/// The tables of one resource, each with what was found there.
fn tables_of(
    place: &Place,
    id: &ResourceId,
    wanted: Option<&Shape>,
    record: Option<&Record>,
    seen: Option<&Seen>,
    options: &Options,
    context: &Context<'_>,
) -> Vec<(TablePlan, TableFindings)> {
    let shape = wanted.or_else(|| record.and_then(|record| record.shapes().next()));
    let judged = *id.kind != NETPLAN_FILE || shape.is_some_and(Attributes::are_alone);
    let wanted = wanted.and_then(|shape| shape.routes.as_ref());
    let recorded: Vec<&RouteSet> =
        record.iter().flat_map(|record| record.shapes()).filter_map(|shape| shape.routes.as_ref()).collect();
    let mut keys: Vec<&RouteSet> = Vec::new();
    for set in wanted.into_iter().chain(recorded.iter().copied()) {
        if !keys.iter().any(|key| key.view.same_key(&set.view)) {
            keys.push(set);
        }
    }
    let take_over = |destination: &Prefix| {
        let row = destination.to_string();
        options.take_over.iter().any(|pattern| pattern.matches(&id.kind, place.name(), Some(&row)))
    };
    let none: fn(&Prefix) -> bool = |_| false;
    let take_over: &dyn Fn(&Prefix) -> bool = if options.take_over.is_empty() { &none } else { &take_over };
    let all = &recorded;
    let mut made = Vec::with_capacity(keys.len());
    made.extend(keys.iter().filter_map(|key| {
        let recorded: Vec<&RouteSet> = recorded.iter().copied().filter(|set| set.view.same_key(&key.view)).collect();
        let mut own_marks: Vec<u8> = Vec::new();
        for set in wanted.into_iter().chain(all.iter().copied()) {
            if set.view.table == key.view.table && !own_marks.contains(&set.view.protocol) {
                own_marks.push(set.view.protocol);
            }
        }
        let (mut plan, findings) = TablePlan::new(&TableInput {
            marks: context.marks(key.view.table),
            own_marks,
            recorded: &recorded,
            in_doubt: record.is_some_and(Record::is_in_doubt),
            firm: record
                .iter()
                .flat_map(|record| record.confirmed())
                .filter_map(|shape| shape.routes.as_ref())
                .filter(|set| set.view.same_key(&key.view))
                .collect(),
            wanted: wanted.filter(|set| set.view.same_key(&key.view)),
            listed: seen.filter(|_| judged).and_then(|seen| seen.table(key.view.table)),
            take_over,
            judged,
            files: &context.files,
        })?;
        // What others provide is seen where the routes are put into the kernel.
        if let (Some(to), Some(wanted)) = (&mut plan.to, wanted.filter(|_| seen.is_some() && !judged)) {
            to.lacks = Arc::clone(&wanted.lacks);
        }
        Some((plan, findings))
    }));
    made
}

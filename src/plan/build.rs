//! Desired × recorded × observed → plan.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::observed::{Observation, Seen};
use super::operation::{Operation, Phase, Reason};
use super::table::{Reasons, TableFindings, TableInput, TablePlan};
use super::{AddressPattern, Desired, Place, ResourceId};
use crate::backend::exchange::LiveRoute;
use crate::network::{Memo, Prefix, RouteSet};
use crate::state::{PlaceRecord, Record, State};
use crate::topology::Name;
use crate::transport::Endpoint;

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
    /// Routing tables that change or whose record is to be settled.
    pub tables: Vec<(ResourceId, TablePlan)>,
    /// Whether nothing of the topology remains there afterwards.
    pub ends: bool,
    /// Whether something is done on the place; else only the record changes.
    pub acts: bool,
}

/// Somebody else has a route key that the topology wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub place: Place,
    /// What kind of resource.
    pub kind: Arc<str>,
    /// The key.
    pub destination: Prefix,
    /// What is there.
    pub found: String,
}

/// What the reader of a plan is to know beside the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A place could not be reached; planned from the record.
    Unseen(Place, String),
    /// Another machine answers under a known name; planned from nothing.
    Replaced(Place),
    /// A machine has another name now.
    Renamed(Place, Place),
    /// The record of a machine is dropped without a login.
    Forgotten(Place),
    /// A wanted route is provided by somebody else and left alone.
    Provided(Place, Prefix, String),
    /// Another row wins over a wanted one.
    Wins(Place, Prefix, String),
    /// The bridge of the old owner still has a subnet that moved; its route is left for later.
    Deferred(Place, Prefix, String),
    /// A recorded row is somebody else's now and not wanted any more; its record is dropped.
    Lost(Place, Prefix, String),
    /// A row carries our mark and is neither recorded nor wanted.
    Stray(Place, Prefix, String),
    /// The machine carries the marker of this topology with another lineage: a state was lost.
    OtherLineage(Place, String),
    /// A conflict that is left out as asked.
    Skipped(Conflict),
}

/// Why nothing may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A next hop is not on-link.
    NotOnLink(Place, IpAddr, String),
    /// A route would capture an address that the node or the operator needs: destination, address, what it is.
    Captures(Place, Prefix, IpAddr, &'static str),
    /// Another topology uses the same protocol number on the machine.
    ProtocolTaken(Place, String, u8),
    /// A state was lost, and `--new-lineage` was not given.
    LineageLost(Place),
    /// Two places of the topology are one machine.
    SameMachine(Place, Place),
    /// A machine (recorded under the second name) has the first name now, under which another one is recorded that does not
    /// answer or has left the topology: its record would be lost. Another name for the machine helps until that one is settled.
    NameTaken(Place, Place),
}

/// What is to be done, and all that was found out on the way.
#[derive(Debug, Default)]
pub struct Plan {
    /// Places where something is done or recorded anew.
    pub places: BTreeMap<Place, PlacePlan>,
    /// Places whose record is dropped untouched.
    pub forgotten: BTreeSet<Place>,
    /// Keys that others have; unless left out, nothing is written.
    pub conflicts: Vec<Conflict>,
    /// Reasons not to write anything.
    pub refusals: Vec<Refusal>,
    /// What else is to be known.
    pub notes: Vec<Note>,
    /// Number of places that answered.
    pub answered: usize,
    /// To whom addresses belong, and why rows come and go.
    pub people: Owners,
}

/// To whom node addresses belong, in the topology and in the record.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    wanted: HashMap<IpAddr, Name>,
    recorded: HashMap<IpAddr, Name>,
    /// Nodes of the topology.
    names: HashSet<Name>,
    /// Nodes of the topology that are not recorded yet.
    new: BTreeSet<Name>,
    /// All is to be removed.
    destroy: bool,
}

/// Why the rows of one place come and go.
pub struct PlaceReasons<'a> {
    owners: &'a Owners,
    is_new: bool,
    is_wanted: bool,
}

impl PlaceReasons<'_> {
    /// All that tells the reasons of one place from those of another: whether it is new, and whether it is wanted.
    pub(super) fn distinction(&self) -> (bool, bool) {
        (self.is_new, self.is_wanted)
    }
}

impl Reasons for PlaceReasons<'_> {
    fn added(&self, owner: Option<IpAddr>) -> Reason {
        if self.is_new {
            return Reason::NewNode;
        }
        match owner.and_then(|address| self.owners.wanted.get(&address)) {
            Some(name) if self.owners.new.contains(name) => Reason::NodeAdded(name.clone()),
            _ => Reason::Edited,
        }
    }

    fn removed(&self, owner: Option<IpAddr>) -> Reason {
        if self.owners.destroy {
            return Reason::Destroy;
        }
        if !self.is_wanted {
            return Reason::NotWanted;
        }
        match owner.and_then(|address| self.owners.recorded.get(&address)) {
            Some(name) if !self.owners.names.contains(name) => Reason::NodeRemoved(name.clone()),
            _ => Reason::Edited,
        }
    }
}

impl Owners {
    fn new(desired: &Desired, recorded: &State, destroy: bool) -> Self {
        let mut owners = Self { destroy, ..Self::default() };
        for (place, wanted) in &desired.places {
            let Place::Node(name) = place else { continue };
            owners.names.insert(name.clone());
            for set in wanted.resources.values().filter_map(|shape| shape.routes.as_ref()) {
                owners.wanted.extend(set.own.iter().map(|address| (*address, name.clone())));
            }
            if !recorded.places.contains_key(place) {
                owners.new.insert(name.clone());
            }
        }
        for (place, _, record) in recorded.records() {
            let Place::Node(name) = place else { continue };
            for set in record.shapes().filter_map(|shape| shape.routes.as_ref()) {
                owners.recorded.extend(set.own.iter().map(|address| (*address, name.clone())));
            }
        }
        owners
    }

    /// The node that an address belongs to.
    pub fn name(&self, address: IpAddr) -> Option<&Name> {
        self.wanted.get(&address).or_else(|| self.recorded.get(&address))
    }
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
        let mut plan = Self { people: Owners::new(desired, recorded, options.destroy), ..Self::default() };
        let claims = Claims::new(desired, recorded, observed, options, &mut plan);
        let mut places: BTreeSet<&Place> = desired.places.keys().collect();
        places.extend(recorded.places.keys());
        plan.answered = observed.values().filter(|observation| observation.seen().is_some()).count();
        for place in places {
            if claims.moved.contains(place) && !desired.places.contains_key(place) {
                continue;
            }
            if place.node().is_some_and(|name| options.forget.contains(name)) {
                if recorded.places.contains_key(place) {
                    plan.forgotten.insert(place.clone());
                    plan.notes.push(Note::Forgotten(place.clone()));
                }
                continue;
            }
            let observation = observed.get(place).unwrap_or(&Observation::NotAsked);
            plan.place(topology, place, desired, recorded, observation, options, &claims, memo);
        }
        if !options.targets.is_empty() || !options.excludes.is_empty() {
            plan.select(options, memo);
        }
        plan
    }

    /// The tables of one place: one for each table and metric that is recorded or wanted.
    fn place(
        &mut self,
        topology: &Name,
        place: &Place,
        desired: &Desired,
        recorded: &State,
        observation: &Observation,
        options: &Options,
        claims: &Claims,
        memo: &mut Memo,
    ) {
        let wanted = desired.places.get(place);
        let source = claims.source(place);
        let record = source.and_then(|source| recorded.places.get(source));
        let seen = observation.seen();
        let mut ids: BTreeSet<&ResourceId> = wanted.iter().flat_map(|wanted| wanted.resources.keys()).collect();
        ids.extend(record.iter().flat_map(|record| record.resources.keys()));
        let mut tables = Vec::new();
        let mut settles = false;
        for id in ids {
            let shape = wanted.and_then(|wanted| wanted.resources.get(id)).and_then(|shape| shape.routes.as_ref());
            let entry = record.and_then(|record| record.resources.get(id));
            settles |= entry.is_some_and(Record::is_in_doubt) && seen.is_some();
            for (table, findings) in self.tables(place, id, shape, entry, seen, options) {
                self.take_findings(place, id, findings, options);
                tables.push((id.clone(), table));
            }
        }
        let has_marker =
            seen.is_some_and(|seen| self.check_identity(topology, place, seen, recorded, &tables, options));
        let ends = wanted.is_none_or(|wanted| wanted.resources.is_empty());
        let acts =
            (ends && has_marker) || tables.iter().any(|(_, table): &(ResourceId, TablePlan)| !table.is_settled(memo));
        let renamed = source.filter(|source| *source != place).cloned();
        let machine_id = seen.map(|seen| Arc::from(seen.identity.machine_id.as_str()));
        let drops = record.is_some() && ends;
        let replaced = claims.replaced.contains(place);
        if !acts && renamed.is_none() && !settles && !drops && !replaced {
            self.note_unseen(place, observation);
            return;
        }
        if let Some(seen) = seen {
            self.check_tables(place, &tables, seen, claims.own_addresses(place, desired));
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
        let from_nothing = replaced;
        let plan = PlacePlan {
            endpoint,
            machine_id,
            renamed_from: renamed,
            from_nothing,
            unseen,
            has_marker,
            tables,
            ends,
            acts,
        };
        self.places.insert(place.clone(), plan);
    }

    fn note_unseen(&mut self, place: &Place, observation: &Observation) {
        if let Observation::Unreachable(reason) = observation {
            self.notes.push(Note::Unseen(place.clone(), reason.clone()));
        }
    }

    fn tables(
        &self,
        place: &Place,
        id: &ResourceId,
        wanted: Option<&RouteSet>,
        record: Option<&Record>,
        seen: Option<&Seen>,
        options: &Options,
    ) -> Vec<(TablePlan, TableFindings)> {
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
        keys.iter()
            .filter_map(|key| {
                let recorded: Vec<&RouteSet> =
                    recorded.iter().copied().filter(|set| set.view.same_key(&key.view)).collect();
                let mut marks: Vec<u8> = Vec::new();
                for set in wanted.into_iter().chain(all.iter().copied()) {
                    if set.view.table == key.view.table && !marks.contains(&set.view.protocol) {
                        marks.push(set.view.protocol);
                    }
                }
                marks.sort_unstable();
                TablePlan::new(&TableInput {
                    marks,
                    recorded: &recorded,
                    in_doubt: record.is_some_and(Record::is_in_doubt),
                    firm: record
                        .iter()
                        .flat_map(|record| record.confirmed())
                        .filter_map(|shape| shape.routes.as_ref())
                        .filter(|set| set.view.same_key(&key.view))
                        .collect(),
                    wanted: wanted.filter(|set| set.view.same_key(&key.view)),
                    listed: seen.and_then(|seen| seen.table(key.view.table)),
                    take_over,
                })
            })
            .collect()
    }

    fn take_findings(&mut self, place: &Place, id: &ResourceId, findings: TableFindings, options: &Options) {
        let held = findings.held.into_iter().map(|(key, found)| (key, format!("{found}, beside ours")));
        for (destination, found) in findings.conflicts.into_iter().map(|(key, found, _)| (key, found)).chain(held) {
            let conflict = Conflict { place: place.clone(), kind: Arc::clone(&id.kind), destination, found };
            if options.skip_conflicts {
                self.notes.push(Note::Skipped(conflict));
            } else {
                self.conflicts.push(conflict);
            }
        }
        let here = || place.clone();
        self.notes.extend(findings.provided.into_iter().map(|(key, found)| Note::Provided(here(), key, found)));
        self.notes.extend(findings.lost.into_iter().map(|(key, found)| Note::Lost(here(), key, found)));
        self.notes.extend(findings.wins.into_iter().map(|(key, found)| Note::Wins(here(), key, found)));
        self.notes.extend(findings.deferred.into_iter().map(|(key, found)| Note::Deferred(here(), key, found)));
        let stray = |row: LiveRoute| Note::Stray(here(), row.destination, row.describe());
        self.notes.extend(findings.stray.into_iter().map(stray));
    }

    /// Checks the markers of a machine; tells whether ours is there.
    fn check_identity(
        &mut self,
        topology: &Name,
        place: &Place,
        seen: &Seen,
        recorded: &State,
        tables: &[(ResourceId, TablePlan)],
        options: &Options,
    ) -> bool {
        let mut ours = false;
        for marker in &seen.identity.markers {
            if marker.topology == topology.as_str() {
                ours = marker.lineage == recorded.lineage.to_string();
                if !ours && !marker.lineage.is_empty() {
                    self.notes.push(Note::OtherLineage(place.clone(), marker.lineage.clone()));
                    if !options.new_lineage {
                        self.refusals.push(Refusal::LineageLost(place.clone()));
                    }
                }
            } else if tables.iter().any(|(_, table)| table.marks.contains(&marker.protocol)) {
                self.refusals.push(Refusal::ProtocolTaken(place.clone(), marker.topology.clone(), marker.protocol));
            }
        }
        ours
    }

    /// Lockout: what a route that is about to be written would take away.
    fn check_tables(&mut self, place: &Place, tables: &[(ResourceId, TablePlan)], seen: &Seen, own: Vec<IpAddr>) {
        let identity = &seen.identity;
        let needed = identity
            .peer
            .iter()
            .map(|address| (*address, "the address that you are logged in from"))
            .chain(own.into_iter().map(|address| (address, "an address of the node")))
            .chain(identity.addresses.iter().map(|address| (*address, "an address of the node")))
            .chain(identity.gateways.iter().map(|address| (*address, "the default gateway")))
            .chain(identity.resolvers.iter().map(|address| (*address, "a DNS server in use")));
        let mut told = BTreeSet::new();
        for (address, what) in needed {
            for (_, table) in tables {
                let Some(to) = &table.to else { continue };
                let rows = to.rows.as_slice();
                let at = rows.partition_point(|row| row.destination <= Prefix::host(address));
                let Some(row) = at.checked_sub(1).and_then(|at| rows.get(at)) else { continue };
                let key = row.destination;
                if key.contains(address) && table.writes(&key) && told.insert((key, address)) {
                    self.refusals.push(Refusal::Captures(place.clone(), key, address, what));
                }
            }
        }
        for (next_hop, found) in &seen.not_on_link {
            self.refusals.push(Refusal::NotOnLink(place.clone(), *next_hop, found.clone()));
        }
    }

    /// Keeps what the user selected, and the Prepare changes of the receivers of what is selected.
    fn select(&mut self, options: &Options, memo: &mut Memo) {
        let chosen = |place: &Place, kind: &str, destination: &Prefix| {
            let row = destination.to_string();
            let matches = |patterns: &[AddressPattern]| {
                patterns.iter().any(|pattern| pattern.matches(kind, place.name(), Some(&row)))
            };
            (options.targets.is_empty() || matches(&options.targets)) && !matches(&options.excludes)
        };
        let mut received: BTreeSet<Prefix> = BTreeSet::new();
        for (place, plan) in &self.places {
            for (id, table) in &plan.tables {
                let reasons = self.reasons(place);
                let selected = table.operations(&reasons, memo);
                let selected = selected.iter().map(|operation| operation.route.destination);
                received.extend(selected.filter(|key| chosen(place, &id.kind, key)));
            }
        }
        let mut places = std::mem::take(&mut self.places);
        for (place, plan) in &mut places {
            let reasons = self.reasons(place);
            for (id, table) in &mut plan.tables {
                let keep = |operation: &Operation| {
                    let key = &operation.route.destination;
                    chosen(place, &id.kind, key) || (operation.phase == Phase::Prepare && received.contains(key))
                };
                table.select(&keep, &reasons, memo);
            }
            plan.acts = plan.tables.iter().any(|(_, table)| !table.is_settled(memo));
        }
        places.retain(|_, plan| plan.acts || plan.renamed_from.is_some());
        self.conflicts.retain(|conflict| chosen(&conflict.place, &conflict.kind, &conflict.destination));
        // Records move to other names whatever is selected.
        let moves = |refusal: &Refusal| matches!(refusal, Refusal::NameTaken(..));
        self.refusals.retain(|refusal| {
            moves(refusal) || refusal.place().is_none_or(|place| places.get(place).is_some_and(|plan| plan.acts))
        });
        self.places = places;
    }

    /// Plans one place anew that could not be looked at before and has answered since. An error says why what was planned
    /// from the record does not hold there.
    pub fn replan(
        &mut self,
        place: &Place,
        topology: &Name,
        wanted: &Desired,
        recorded: &State,
        seen: Seen,
        options: &Options,
        memo: &mut Memo,
    ) -> Result<(), String> {
        let summary = |plan: &Self, memo: &mut Memo| -> BTreeSet<(ResourceId, Prefix, IpAddr, Phase)> {
            let operations = plan.operations(place, memo).into_iter();
            operations.map(|(id, one)| (id, one.route.destination, one.route.next_hop, one.phase)).collect()
        };
        let before = summary(self, memo);
        let mut desired = Desired::default();
        desired.places.extend(wanted.places.get(place).map(|wanted| (place.clone(), wanted.clone())));
        let mut state = recorded.clone();
        state.places.retain(|name, _| name == place);
        let observed = [(place.clone(), Observation::Seen(Box::new(seen)))].into();
        let mut fresh = Self::new(topology, &desired, &state, &observed, options, memo);
        fresh.people = self.people.clone();
        if let Some(conflict) = fresh.conflicts.first() {
            return Err(format!("{} there is somebody else's: {}", conflict.destination, conflict.found));
        }
        if !fresh.refusals.is_empty() {
            return Err("the checks before writing do not pass there".to_owned());
        }
        if fresh.notes.iter().any(|note| matches!(note, Note::Replaced(_))) {
            return Err("another machine answers there than the one on record".to_owned());
        }
        if !summary(&fresh, memo).is_subset(&before) {
            return Err("it is not as it was recorded".to_owned());
        }
        if let Some(planned) = fresh.places.remove(place) {
            self.places.insert(place.clone(), planned);
        } else if let Some(planned) = self.places.get_mut(place) {
            planned.tables.clear();
            planned.unseen = None;
        }
        Ok(())
    }

    /// Why the rows of a place come and go.
    pub fn reasons(&self, place: &Place) -> PlaceReasons<'_> {
        let name = place.node();
        PlaceReasons {
            owners: &self.people,
            is_new: name.is_some_and(|name| self.people.new.contains(name)),
            is_wanted: name.is_none_or(|name| self.people.names.contains(name)),
        }
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
        self.notes.iter().any(|note| matches!(note, Note::Unseen(..)))
    }
}

impl Refusal {
    /// The place that it is about.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::NotOnLink(place, ..)
            | Self::Captures(place, ..)
            | Self::ProtocolTaken(place, ..)
            | Self::LineageLost(place)
            | Self::SameMachine(place, _)
            | Self::NameTaken(place, _) => Some(place),
        }
    }
}

/// Which record belongs to which place of the topology: machines are known by their id, not by their name.
#[derive(Default)]
struct Claims {
    /// Place of the topology → place of the record.
    sources: HashMap<Place, Place>,
    /// Recorded places that another place of the topology has claimed.
    moved: BTreeSet<Place>,
    /// Places where another machine answers than the recorded one.
    replaced: BTreeSet<Place>,
}

impl Claims {
    fn new(
        desired: &Desired,
        recorded: &State,
        observed: &BTreeMap<Place, Observation>,
        options: &Options,
        plan: &mut Plan,
    ) -> Self {
        let mut claims = Self::default();
        let machine = |place: &Place| {
            observed
                .get(place)
                .and_then(Observation::seen)
                .map(|seen| seen.identity.machine_id.as_str())
                .filter(|id| !id.is_empty())
        };
        let known: HashMap<&str, &Place> = recorded
            .places
            .iter()
            .filter(|(place, _)| !place.node().is_some_and(|name| options.forget.contains(name)))
            .filter_map(|(place, record)| Some((record.machine_id.as_deref().filter(|id| !id.is_empty())?, place)))
            .collect();
        let mut answering: HashMap<&str, &Place> = HashMap::new();
        for place in desired.places.keys() {
            if let Some(id) = machine(place) {
                if let Some(other) = answering.insert(id, place) {
                    plan.refusals.push(Refusal::SameMachine(other.clone(), place.clone()));
                }
            }
            let by_name = recorded.places.get(place);
            let by_machine = machine(place).and_then(|id| known.get(id).copied());
            match (by_machine, by_name, machine(place)) {
                (Some(source), _, _) => {
                    if source != place {
                        plan.notes.push(Note::Renamed(source.clone(), place.clone()));
                        claims.moved.insert(source.clone());
                    }
                    claims.sources.insert(place.clone(), source.clone());
                }
                (None, Some(record), Some(_)) if record.machine_id.as_deref().is_some_and(|id| !id.is_empty()) => {
                    plan.notes.push(Note::Replaced(place.clone()));
                    claims.replaced.insert(place.clone());
                    if let Some(name) = place.node() {
                        plan.people.new.insert(name.clone());
                    }
                }
                (None, Some(_), _) => {
                    claims.sources.insert(place.clone(), place.clone());
                }
                (None, None, _) => {}
            }
        }
        // A place that does not answer cannot have the record that went with its machine to another name.
        let silent = |place: &Place| machine(place).is_none();
        claims.sources.retain(|place, source| place != source || !silent(place) || !claims.moved.contains(place));
        // It has the record of a machine that was reached where it is to be reached now, and whose name another has.
        let same_host = |wanted: &super::DesiredPlace, record: &PlaceRecord| {
            let host = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(|one| (one.host.clone(), one.port));
            wanted.endpoint.is_some() && host(&wanted.endpoint) == host(&record.endpoint)
        };
        let mut found: Vec<(Place, Place)> = Vec::new();
        for (place, record) in &recorded.places {
            let lost =
                claims.replaced.contains(place) || claims.sources.get(place).is_some_and(|source| source != place);
            if !lost || claims.sources.values().any(|source| source == place) {
                continue;
            }
            let mut silent =
                desired.places.iter().filter(|(other, _)| silent(other) && !claims.sources.contains_key(*other));
            let other = silent.find(|(_, wanted)| same_host(wanted, record));
            found.extend(other.map(|(other, _)| (other.clone(), place.clone())));
        }
        for (place, source) in found {
            plan.notes.push(Note::Renamed(source.clone(), place.clone()));
            claims.moved.insert(source.clone());
            claims.sources.insert(place, source);
        }
        for (place, source) in &claims.sources {
            // What was never confirmed, on a machine that was never seen, is not another machine's.
            let confirmed = |record: &PlaceRecord| {
                let is = |record: &Record| !matches!(record, Record::InDoubt { is: None, .. });
                record.machine_id.is_some() || record.resources.values().any(is)
            };
            let displaced = place != source && recorded.places.get(place).is_some_and(confirmed);
            // Where it was reached another machine answers by now.
            let reinstalled = recorded.places.get(place).is_some_and(|record| {
                let mut there = desired.places.iter().filter(|(_, wanted)| same_host(wanted, record));
                there.any(|(other, _)| machine(other).is_some_and(|id| record.machine_id.as_deref() != Some(id)))
            });
            let machine_gone = reinstalled
                || claims.replaced.contains(place)
                || options.forget.iter().any(|name| place.node() == Some(name));
            if displaced && !machine_gone && !claims.sources.values().any(|source| source == place) {
                plan.refusals.push(Refusal::NameTaken(place.clone(), source.clone()));
            }
        }
        for place in recorded.places.keys().filter(|place| !desired.places.contains_key(*place)) {
            // A machine that is gone from the topology, and where another answers by now: nothing of ours is there.
            let record = &recorded.places[place];
            match (machine(place), record.machine_id.as_deref().filter(|id| !id.is_empty())) {
                (Some(found), Some(id)) if found != id => {
                    plan.notes.push(Note::Replaced(place.clone()));
                    claims.replaced.insert(place.clone());
                }
                _ => _ = claims.sources.insert(place.clone(), place.clone()),
            }
        }
        claims
    }

    fn source<'a>(&'a self, place: &'a Place) -> Option<&'a Place> {
        self.sources.get(place)
    }

    fn own_addresses(&self, place: &Place, desired: &Desired) -> Vec<IpAddr> {
        let shapes = desired.places.get(place).into_iter().flat_map(|wanted| wanted.resources.values());
        shapes.filter_map(|shape| shape.routes.as_ref()).flat_map(|set| set.own.iter().copied()).collect()
    }
}

//! Wanted × recorded × live: what happens to one zone. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};
use topo::backend::{Desired, Inputs, NetworkTable};
use topo::network::Prefix;
use topo::plan::findings::Text;
use topo::plan::judge::{Claim, Form, Live, Owner, Verdict as Judged, judge};
use topo::plan::{Address, Finding, ListedChange, ListedPlan, ListedWhat, Owners, Remedy};
use topo::resource::words::Setting;
use topo::resource::{Action, Evidence, Kind, Name, Phase, Place, Reason, Record, ResourceId, Shape};

use super::format::BACKEND;
use super::service::Zone;
use super::{FOG, FOG_ROUTE, FOG_ZONE};

/// What one table of the topology wants.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) backend: Name,
    pub(super) zone: String,
    pub(super) label: String,
    /// Where each destination leads to, and the node that has the address.
    pub(super) rows: BTreeMap<Prefix, (IpAddr, Name)>,
}

/// A zone that is wanted or recorded.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) place: Place,
    wish: Option<Wish>,
    /// The ids of the records.
    ids: BTreeMap<&'static str, ResourceId>,
    /// Labels on record, those that were confirmed first.
    labels: Vec<String>,
    /// Next hops on record, those that were confirmed first.
    hops: BTreeMap<Prefix, Vec<IpAddr>>,
    /// Whether something was confirmed once.
    confirmed: bool,
    in_doubt: bool,
    options: topo::plan::Options,
    owners: Owners,
}

/// What is to be done to a zone.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) resources: Vec<ListedPlan>,
    pub(super) findings: Vec<Finding>,
    /// The zone afterwards; none: it goes.
    pub(super) after: Option<Zone>,
    /// The nodes of the routes that were left out, one for each route.
    pub(super) skipped: Vec<Name>,
}

/// The routes of a shape.
pub(super) fn routes_in(shape: &Shape) -> BTreeMap<Prefix, IpAddr> {
    serde_json::from_value(shape.attributes["routes"].clone()).unwrap_or_default()
}

fn shape(attributes: Value) -> Shape {
    Shape { routes: None, attributes: attributes.into() }
}

impl Verdict {
    pub(super) fn changes(&self) -> impl Iterator<Item = &ListedChange> {
        self.resources.iter().flat_map(|resource| &resource.changes)
    }
}

impl Task {
    /// What all tables of the topology want, by zone.
    pub(super) fn wanted(desired: &Desired) -> BTreeMap<String, Wish> {
        let wish = |table: &NetworkTable| {
            let text = |key: &str| table.settings[key].as_str().unwrap_or_default().to_owned();
            let (backend, zone, label) = (table.name.clone(), text("zone"), text("label"));
            (zone.clone(), Wish { backend, zone, label, rows: table.rows.clone() })
        };
        desired.tables.iter().filter(|table| table.backend == BACKEND).map(wish).collect()
    }

    /// All zones that are wanted or recorded, as far as the user may have selected something there.
    pub(super) fn all(inputs: &Inputs<'_>, owners: &Owners) -> Vec<Self> {
        let mut wanted = Self::wanted(inputs.desired);
        let recorded = inputs.recorded.places.keys().filter(|place| *place.kind() == FOG);
        let mut zones: BTreeSet<String> = recorded.map(|place| place.id().to_owned()).collect();
        zones.extend(wanted.keys().cloned());
        let may_choose = |zone: &String| {
            [&FOG_ZONE, &FOG_ROUTE].iter().any(|kind| inputs.options.selection.may_choose_in(kind.id, zone))
        };
        zones.retain(may_choose);
        zones.iter().map(|zone| Self::new(zone, wanted.remove(zone), inputs, owners)).collect()
    }

    fn new(zone: &str, wish: Option<Wish>, inputs: &Inputs<'_>, owners: &Owners) -> Self {
        let place = Place::new(&FOG, zone);
        let mut task = Self {
            wish,
            ids: BTreeMap::new(),
            labels: Vec::new(),
            hops: BTreeMap::new(),
            confirmed: false,
            in_doubt: false,
            options: inputs.options.clone(),
            owners: owners.clone(),
            place,
        };
        let record = inputs.recorded.places.get(&task.place);
        for (id, record) in record.iter().flat_map(|record| &record.resources) {
            task.in_doubt |= record.is_in_doubt();
            task.confirmed |= record.confirmed().next().is_some();
            let meant = match record {
                Record::InDoubt { to: Some(to), .. } => Some(to),
                _ => None,
            };
            let is_zone = *id.kind == FOG_ZONE;
            task.ids.insert(if is_zone { FOG_ZONE.id } else { FOG_ROUTE.id }, id.clone());
            for shape in record.confirmed().chain(meant) {
                if is_zone {
                    task.labels.extend(shape.attributes["label"].as_str().map(str::to_owned));
                }
                for (destination, hop) in routes_in(shape) {
                    task.hops.entry(destination).or_default().push(hop);
                }
            }
        }
        task
    }

    /// The zone as the record has it.
    pub(super) fn believed(&self) -> Option<Zone> {
        let routes = self.hops.iter().map(|(destination, hops)| (*destination, hops[0])).collect();
        let label = self.labels.first().cloned()?;
        self.confirmed.then_some(Zone { version: 0, label, routes })
    }

    fn is_chosen(&self, kind: &Kind, row: Option<&str>) -> bool {
        self.options.selection.chooses(kind.id, self.place.name(), row)
    }

    fn judge<V: PartialEq + Clone>(
        &self,
        kind: &Kind,
        key: Option<&str>,
        wanted: Option<&V>,
        recorded: &[V],
        live: Option<&V>,
    ) -> Judged {
        let owner = if recorded.is_empty() { Owner::Unmarked } else { Owner::Ours { is_current: true } };
        let live: Vec<Live<V>> =
            live.map(|value| Live { value: Some(value.clone()), owner, form: Form::Plain }).into_iter().collect();
        let claim = Claim {
            wanted,
            recorded,
            confirmed: self.confirmed,
            in_doubt: self.in_doubt,
            take_over: self.options.takes_over(kind.id, self.place.name(), key),
            kept_free: false,
            live: Evidence::Seen(&live[..]),
        };
        judge(&claim).verdict
    }

    /// Compares what is wanted and recorded with what is live. Routes to nodes that are left out stay as they are.
    pub(super) fn compare(&self, live: Option<&Zone>, left_out: &BTreeSet<Name>) -> Verdict {
        let mut verdict = Verdict { after: live.cloned(), ..Verdict::default() };
        let (zone_plan, routes_plan) = (self.zone(live, &mut verdict), self.routes(live, left_out, &mut verdict));
        let mut plans = [zone_plan, routes_plan];
        // The whole zone is one write.
        let changes = || plans.iter().flat_map(|plan| &plan.changes);
        let removes = changes().all(|change| change.action == Action::Remove);
        let phase = if removes { Phase::Retire } else { Phase::Install };
        for plan in &mut plans {
            // Records are told in a step, too.
            if !plan.changes.is_empty() {
                plan.phases = vec![phase];
            }
        }
        let known = plans.clone().map(|plan| self.ids.get(kind_of(&plan)).cloned());
        let under =
            plans.into_iter().zip(known).flat_map(|(plan, known)| plan.under(known.as_ref()).collect::<Vec<_>>());
        verdict.resources = under
            .filter(|plan| plan.is.is_some() || plan.to.is_some() || self.ids.values().any(|id| *id == plan.id))
            .collect();
        verdict
    }

    fn id(&self, kind: &Kind) -> ResourceId {
        match (&self.wish, self.ids.get(kind.id)) {
            (None, Some(id)) => id.clone(),
            (Some(wish), _) => ResourceId { backend: wish.backend.clone(), kind: kind.id.into(), name: "".into() },
            (None, None) => ResourceId {
                backend: self.ids.values().next().expect("a record").backend.clone(),
                kind: kind.id.into(),
                name: "".into(),
            },
        }
    }

    fn gone(&self) -> Reason {
        if self.options.destroy { Reason::Destroy } else { Reason::NotWanted }
    }

    /// The zone itself.
    fn zone(&self, live: Option<&Zone>, verdict: &mut Verdict) -> ListedPlan {
        let there = live.map(|zone| &zone.label);
        let wanted = self.wish.as_ref().map(|wish| &wish.label);
        let judged = self.judge(&FOG_ZONE, None, wanted, &self.labels, there);
        let told = || there.cloned().unwrap_or_default();
        let mut to = wanted.cloned();
        // A zone with routes of others stays.
        let is_empty = live.is_none_or(|zone| zone.routes.keys().all(|key| self.hops.contains_key(key)));
        let (action, reason) = match judged {
            Judged::New => (Some(Action::Add), Reason::New),
            Judged::Missing => (Some(Action::Add), Reason::Missing),
            Judged::InDoubt => (Some(Action::Add), Reason::InDoubt),
            Judged::Edited => (Some(Action::Change), Reason::Edited),
            Judged::Adopt => (Some(Action::Import), Reason::Adopted(told())),
            Judged::TakenOver => (Some(Action::Change), Reason::TakenOver(told())),
            Judged::Altered if wanted.is_some() => (Some(Action::Change), Reason::Altered(told())),
            Judged::Remove | Judged::Altered | Judged::MarkLost if is_empty => (Some(Action::Remove), self.gone()),
            Judged::Conflict | Judged::Stray | Judged::Provided => {
                let address = Address { place: self.place.clone(), kind: Some(FOG_ZONE.id.into()), key: None };
                let text = Text::around("Somebody else has the zone ", " with another label.");
                let finding = Finding::conflict(address, text, told()).scope(topo::plan::findings::Scope::Place);
                verdict.findings.extend(Some(finding).filter(|_| self.is_chosen(&FOG_ZONE, None)));
                to = None;
                (None, Reason::New)
            }
            _ => (None, Reason::New),
        };
        let is_chosen = self.is_chosen(&FOG_ZONE, None);
        let action = action.filter(|_| is_chosen);
        // What the user did not select keeps its record.
        if !is_chosen {
            to = self.labels.first().cloned();
        }
        match action {
            Some(Action::Remove) => verdict.after = None,
            Some(Action::Add | Action::Change) => {
                verdict.after.get_or_insert_default().label = wanted.cloned().unwrap_or_default();
            }
            _ => {}
        }
        let what = ListedWhat::Settings(vec![Setting {
            name: "label".into(),
            before: there.cloned(),
            after: wanted.cloned(),
        }]);
        let change = |action| ListedChange { kind: &FOG_ZONE, key: "".into(), action, reason, what };
        let is = there.filter(|_| !self.labels.is_empty()).map(|label| shape(json!({ "label": label })));
        let to = to.filter(|_| action != Some(Action::Remove)).map(|label| shape(json!({ "label": label })));
        ListedPlan {
            id: self.id(&FOG_ZONE),
            changes: action.map(change).into_iter().collect(),
            is,
            to,
            phases: Vec::new(),
        }
    }

    /// Its routes.
    fn routes(&self, live: Option<&Zone>, left_out: &BTreeSet<Name>, verdict: &mut Verdict) -> ListedPlan {
        let (mut changes, mut is, mut to) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let wanted_rows = self.wish.iter().flat_map(|wish| wish.rows.keys());
        let keys: BTreeSet<Prefix> = wanted_rows.chain(self.hops.keys()).copied().collect();
        for key in keys {
            let row = key.to_string();
            let (wanted, node) = match self.wish.as_ref().and_then(|wish| wish.rows.get(&key)) {
                Some((hop, node)) => (Some(*hop), Some(node)),
                None => (None, None),
            };
            let recorded = self.hops.get(&key).map(Vec::as_slice).unwrap_or_default();
            let there = live.and_then(|zone| zone.routes.get(&key)).copied();
            let told = || there.map(|hop| hop.to_string()).unwrap_or_default();
            let judged = self.judge(&FOG_ROUTE, Some(&row), wanted.as_ref(), recorded, there.as_ref());
            is.extend(there.filter(|_| !recorded.is_empty()).map(|hop| (key, hop)));
            let (action, reason) = match judged {
                Judged::New => (Some(Action::Add), node.map_or(Reason::New, |node| self.owners.added(node))),
                Judged::Missing => (Some(Action::Add), Reason::Missing),
                Judged::InDoubt => (Some(Action::Add), Reason::InDoubt),
                Judged::Edited => (Some(Action::Change), Reason::Edited),
                Judged::Adopt => (Some(Action::Import), Reason::Adopted(told())),
                Judged::TakenOver => (Some(Action::Change), Reason::TakenOver(told())),
                Judged::Altered if wanted.is_some() => (Some(Action::Change), Reason::Altered(told())),
                Judged::Remove | Judged::Altered | Judged::MarkLost => (Some(Action::Remove), self.gone()),
                Judged::Conflict | Judged::Stray | Judged::Provided => {
                    let text = Text::around(format!("Somebody else has the route to {row} in "), ".");
                    let finding =
                        Finding::conflict(Address::of_key(&self.place, FOG_ROUTE.id, row.as_str()), text, told());
                    if self.is_chosen(&FOG_ROUTE, Some(&row)) {
                        verdict.findings.push(finding.remedy(Remedy::TakeOver).remedy(Remedy::SKIP));
                    }
                    continue;
                }
                Judged::Same => {
                    to.extend(wanted.map(|hop| (key, hop)));
                    continue;
                }
                Judged::NotKnown | Judged::Gone | Judged::Lost => continue,
            };
            let Some(action) = action.filter(|_| self.is_chosen(&FOG_ROUTE, Some(&row))) else {
                to.extend(recorded.first().map(|hop| (key, *hop)));
                continue;
            };
            if let Some(node) = node.filter(|node| left_out.contains(*node) && action != Action::Import) {
                verdict.skipped.push(node.clone());
                to.extend(there.filter(|_| !recorded.is_empty()).map(|hop| (key, hop)));
                continue;
            }
            to.extend(wanted.map(|hop| (key, hop)));
            if let Some(after) = &mut verdict.after {
                match (action, wanted) {
                    (Action::Remove, _) => _ = after.routes.remove(&key),
                    (Action::Add | Action::Change, Some(hop)) => _ = after.routes.insert(key, hop),
                    _ => {}
                }
            }
            let what =
                ListedWhat::Route { destination: key, before: there.map(Into::into), after: wanted.map(Into::into) };
            changes.push(ListedChange { kind: &FOG_ROUTE, key: row.into(), action, reason, what });
        }
        let shape_of = |routes: &BTreeMap<Prefix, IpAddr>| shape(json!({ "routes": routes }));
        let is = (!is.is_empty()).then(|| shape_of(&is));
        let to = (!to.is_empty()).then(|| shape_of(&to));
        ListedPlan { id: self.id(&FOG_ROUTE), changes, is, to, phases: Vec::new() }
    }
}

fn kind_of(plan: &ListedPlan) -> &'static str {
    if *plan.id.kind == FOG_ZONE { FOG_ZONE.id } else { FOG_ROUTE.id }
}

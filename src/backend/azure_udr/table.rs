//! One route table: what is to be done to it and its routes, and the body of the one write that does it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::resource::words::Setting;

use super::findings::{refusal, table_failed, table_text};
use super::record::{TableClaims, TableRecord, shape_of};
use super::{AZURE_ROUTE, AZURE_ROUTE_TABLE, LiveTable, MADE_FOR, MANAGED_BY, Route, Settings, key, name_of};
use crate::exchange::arm::Document;
use crate::network::Prefix;
use crate::plan::judge::{Claim, Form, Live, Owner, Verdict, judge};
use crate::plan::{Finding, ListedChange, ListedPlan, ListedWhat, Options, Owners, Severity};
use crate::resource::{Action, Evidence, Kind, Name, Phase, Place, Reason, ResourceId, Shape};

/// What is wanted of the table.
#[derive(Clone, Debug)]
pub(super) struct DesiredTable {
    pub(super) topology: Name,
    pub(super) backend: Name,
    pub(super) settings: Settings,
    /// The routes, each with the node that it leads to.
    pub(super) routes: BTreeMap<Prefix, (Route, Name)>,
    /// The address space of the virtual networks, where it is known.
    pub(super) space: Option<Vec<Prefix>>,
}

/// A route table that is wanted or recorded.
#[derive(Clone, Debug)]
pub struct TableTask {
    /// Its place in the record.
    pub place: Place,
    /// Its id.
    pub id: String,
    pub(super) desired: Option<DesiredTable>,
    pub(super) claims: TableClaims,
    pub(super) options: Arc<Options>,
    /// Subnets that leave it in the same run, in small letters: they do not keep it from being deleted.
    pub(super) leaving: BTreeSet<String>,
    /// Whether an association of ours with it is not selected, and so stays.
    pub(super) is_held: bool,
    /// Nodes that get no new routes in this run.
    pub left_out: BTreeSet<Name>,
    /// Whether it was there when the plan was made.
    pub(super) was_seen: bool,
    /// Names of routes that the plan left to others, as asked.
    pub left_to_others: BTreeSet<Box<str>>,
    /// To whom next hops belong.
    pub(super) owners: Arc<Owners>,
}

/// What is to be done to a table as it is live.
#[derive(Clone, Debug, Default)]
pub struct TableVerdict {
    /// What was found besides.
    pub findings: Vec<Finding>,
    /// What is to be written; none: nothing.
    pub body: Option<Value>,
    /// Whether the table is to be deleted instead.
    pub deletes: bool,
    /// What is planned and recorded.
    pub resources: Vec<ListedPlan>,
    /// The nodes of the routes that were left out, one entry for each route.
    pub skipped: Vec<Name>,
    /// How many routes it has afterwards, those of others included.
    pub count: usize,
}

impl TableTask {
    /// The table as the record has it: what it is taken to be where nobody has looked.
    pub fn believed(&self) -> Option<LiveTable> {
        let recorded = |claims: &Vec<super::RecordedRoute>| {
            let claim = claims.iter().find(|claim| claim.confirmed)?;
            Some(claim.route.clone())
        };
        let routes: BTreeMap<Prefix, Route> =
            self.claims.routes.iter().filter_map(|(key, claims)| Some((*key, recorded(claims)?))).collect();
        let table = self.claims.table.iter().find(|(_, confirmed)| *confirmed).map(|(table, _)| table);
        let unmanaged = self.desired.as_ref().is_some_and(|desired| !desired.settings.manage_table);
        if table.is_none() && routes.is_empty() && !unmanaged {
            return None;
        }
        let list: Vec<Value> = routes.iter().map(|(destination, route)| route.value(destination)).collect();
        let location = self.desired.as_ref().map(|desired| desired.settings.location.clone());
        let bgp = table.and_then(|table| table.bgp_route_propagation).unwrap_or(true);
        let body = json!({
            "location": location, "tags": table.map(|table| table.tags.clone()),
            "properties": { "routes": list, "disableBgpRoutePropagation": !bgp },
        });
        Some(LiveTable::of(Document { body, etag: None }))
    }

    /// Whether something of it is recorded.
    pub fn is_recorded(&self) -> bool {
        !self.claims.ids.is_empty()
    }

    /// Whether subnets of a virtual network are to leave it in the same run.
    pub fn is_left_by_subnets_of(&self, network: &str) -> bool {
        let start = format!("{}/subnets/", key(network));
        self.leaving.iter().any(|subnet| subnet.starts_with(&start))
    }

    /// The subnets that were to leave it before and still go by it, where it is not wanted any more.
    pub fn still_used(&self, live: &LiveTable) -> Option<String> {
        let stay = live.subnets.iter().filter(|subnet| self.desired.is_none() && self.leaving.contains(&key(subnet)));
        let names: Vec<&str> = stay.map(|subnet| name_of(subnet)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// The other topology that the table was made for, where it was.
    pub(super) fn made_for_other<'l>(&self, live: &'l LiveTable) -> Option<&'l str> {
        let topology = live.tag(MADE_FOR).filter(|_| live.tag(MANAGED_BY.0) == Some(MANAGED_BY.1))?;
        let desired = self.desired.as_ref()?;
        (topology != desired.topology.as_str()).then_some(topology)
    }

    /// Whether its tags say that topo made it for this topology, and no record is left of that.
    pub(super) fn is_own_by_tags(&self, live: &LiveTable) -> bool {
        let is_of = |desired: &DesiredTable| is_marked(live, &desired.topology);
        self.claims.ids.is_empty() && self.desired.as_ref().is_some_and(is_of)
    }

    /// Whether a last write that Azure gave up on may have been topo's: in a table that topo made, or after a write of unknown end.
    fn may_have_failed_it(&self) -> bool {
        let table = &self.claims.table;
        table.iter().any(|(table, _)| table.made) || (self.claims.in_doubt && !table.is_empty())
    }

    /// The name that addresses have.
    pub(super) fn name(&self) -> &str {
        self.place.name()
    }

    pub(super) fn is_chosen(&self, kind: &str, row: Option<&str>) -> bool {
        self.options.selection.chooses(kind, self.name(), row)
    }

    /// Compares what is wanted and recorded with what is live.
    pub fn compare(&self, live: Option<&LiveTable>) -> TableVerdict {
        let mut verdict = TableVerdict::default();
        match (&self.desired, live) {
            (Some(desired), None) if !desired.settings.manage_table => {
                let text = format!(
                    "There is no route table {} in the resource group {}, and `manage_table = false` says that somebody else makes it.",
                    desired.settings.route_table, desired.settings.resource_group
                );
                let finding = refusal("table_missing", &self.place, text);
                verdict.findings.push(finding.edit("Make the table first, or leave `manage_table` out."));
                return verdict;
            }
            (Some(desired), Some(live))
                if desired.settings.manage_table && live.location != desired.settings.location =>
            {
                let text = format!(
                    "The route table {} is in {}, but the topology says `location = \"{}\"`. Azure cannot move a table.",
                    desired.settings.route_table, live.location, desired.settings.location
                );
                let finding = refusal("table_elsewhere", &self.place, text);
                verdict.findings.push(finding.edit("Correct the location, or give the table another name."));
                return verdict;
            }
            _ => {}
        }
        let mut body = live.map(|live| live.document.body.clone());
        let mut of_table = Vec::new();
        let mut table = self.table(live, &mut body, &mut of_table);
        if self.desired.is_some() && live.is_some_and(|live| live.failed && !self.may_have_failed_it()) {
            verdict.findings.push(table_failed(&self.place));
        }
        let (routes_is, routes_to, of_routes) = self.routes(live, &mut body, &mut verdict);
        let list = body.as_ref().and_then(|body| body["properties"]["routes"].as_array());
        verdict.count = list.map_or(0, Vec::len);
        if self.desired.is_none() && live.is_some() {
            // Of what is ours nothing goes that was not selected; the table is still needed for that.
            let is_needed = self.is_held || routes_to.is_some();
            table = self.end(live, is_needed, table, &mut verdict, &mut of_table);
        }
        let changes = || of_table.iter().chain(&of_routes);
        if !verdict.deletes && changes().any(ListedChange::writes) {
            verdict.body = body;
        }
        let only_removes = changes().all(|change| change.action == Action::Remove);
        let phase = if only_removes { Phase::Retire } else { Phase::Install };
        let phases: Vec<Phase> = changes().next().map(|_| phase).into_iter().collect();
        let mut plan = |kind: &Kind, is: Option<Shape>, to: Option<Shape>, changes: Vec<ListedChange>| {
            let known = self.claims.id(kind.id);
            if known.is_none() && to.is_none() {
                return;
            }
            let wanted = self.desired.as_ref().map(|desired| &desired.backend);
            let Some(backend) = wanted.or_else(|| known.map(|id| &id.backend)) else { return };
            let id = ResourceId { backend: backend.clone(), kind: kind.id.into(), name: "".into() };
            // Table and routes are one write.
            let plan = ListedPlan { id, changes, is, to, phases: phases.clone() };
            verdict.resources.extend(plan.under(known));
        };
        let (table_is, table_to) = table;
        plan(&AZURE_ROUTE_TABLE, table_is.as_ref().map(shape_of), table_to.as_ref().map(shape_of), of_table);
        plan(&AZURE_ROUTE, routes_is.as_ref().map(shape_of), routes_to.as_ref().map(shape_of), of_routes);
        verdict
    }

    /// The table itself: what its record is and becomes.
    fn table(
        &self,
        live: Option<&LiveTable>,
        body: &mut Option<Value>,
        changes: &mut Vec<ListedChange>,
    ) -> (Option<TableRecord>, Option<TableRecord>) {
        let recorded = self.claims.table.iter().find(|(_, confirmed)| *confirmed).map(|(table, _)| table.clone());
        let meant = self.claims.table.first().map(|(table, _)| table.clone());
        let is = match live {
            None => None,
            // A run that set out to make it may have: its mark tells.
            Some(live) => recorded.clone().or_else(|| {
                let made = self.claims.may_have_made() && live.tag(MANAGED_BY.0) == Some(MANAGED_BY.1);
                // Somebody else has made it meanwhile: nothing of it is ours.
                meant.map(|table| if made { TableRecord { made, ..table } } else { TableRecord::default() })
            }),
        };
        let Some(desired) = self.desired.as_ref().filter(|desired| desired.settings.manage_table) else {
            return (is.clone(), None);
        };
        let settings = &desired.settings;
        let mut say = |action: Action, reason: Reason, words: Vec<Setting>| {
            changes.push(change_of_table(action, reason, words));
        };
        let Some(live) = live else {
            let chosen_route = |(route, _): &(Route, Name)| self.is_chosen(AZURE_ROUTE.id, Some(&route.name));
            if !self.is_chosen(AZURE_ROUTE_TABLE.id, None) && !desired.routes.values().any(chosen_route) {
                return (is, recorded);
            }
            let mut new = json!({
                "location": settings.location, "tags": marks(&desired.topology), "properties": { "routes": [] },
            });
            let mut words = vec![
                setting("location", None, Some(&settings.location)),
                setting("resource group", None, Some(&settings.resource_group)),
            ];
            if let Some(bgp) = settings.bgp_route_propagation {
                new["properties"]["disableBgpRoutePropagation"] = (!bgp).into();
                words.push(setting("BGP route propagation", None, Some(on_off(bgp))));
            }
            *body = Some(new);
            let reason = match self.judge(recorded.is_some() || self.claims.in_doubt, recorded.is_some(), false) {
                Verdict::Missing => Reason::Missing,
                Verdict::InDoubt => Reason::InDoubt,
                _ => Reason::New,
            };
            say(Action::Add, reason, words);
            let tags = marks(&desired.topology);
            return (is, Some(TableRecord { made: true, tags, bgp_route_propagation: settings.bgp_route_propagation }));
        };
        let is_own = self.is_own_by_tags(live);
        let own = || TableRecord { made: true, tags: marks(&desired.topology), bgp_route_propagation: None };
        let before = is.clone().unwrap_or_else(|| if is_own { own() } else { TableRecord::default() });
        let mut to = TableRecord { bgp_route_propagation: settings.bgp_route_propagation, ..before.clone() };
        let mut words = Vec::new();
        let mut drift = Vec::new();
        for (name, value) in &before.tags {
            let found = live.tag(name);
            if judge_own(&value.as_str(), Some(&value.as_str()), found.as_ref()) != Verdict::Same {
                words.push(setting(format!("tag {name}"), found, Some(value)));
                drift.push(format!("tag {name}: {}", found.unwrap_or("none")));
            }
        }
        let mut edited = false;
        if let Some(bgp) = &settings.bgp_route_propagation {
            let judged = judge_own(bgp, before.bgp_route_propagation.as_ref(), Some(&live.bgp_route_propagation));
            if !matches!(judged, Verdict::Same | Verdict::Adopt) {
                words.push(setting("BGP route propagation", Some(on_off(!bgp)), Some(on_off(*bgp))));
                edited = judged != Verdict::Altered;
            }
            if judged == Verdict::Altered {
                drift.push(format!("BGP route propagation: {}", on_off(!bgp)));
            }
        }
        // What others left behind like that is no drift of what topo has recorded.
        if live.failed && self.may_have_failed_it() {
            words.push(setting("provisioning state", Some("Failed"), Some("Succeeded")));
            drift.push("provisioning state: Failed".to_owned());
        }
        if !self.is_chosen(AZURE_ROUTE_TABLE.id, None) {
            to = before.clone();
            return (is.clone(), is.map(|_| to));
        }
        if !words.is_empty() {
            let reason = match (edited, self.claims.in_doubt) {
                (true, _) => Reason::Edited,
                (false, true) => Reason::InDoubt,
                (false, false) => Reason::Altered(drift.join(", ")),
            };
            if let Some(body) = body {
                let tags = &mut body["tags"];
                if !tags.is_object() && !before.tags.is_empty() {
                    *tags = json!({});
                }
                for (name, value) in &before.tags {
                    tags[name] = value.clone().into();
                }
                if let Some(bgp) = settings.bgp_route_propagation {
                    body["properties"]["disableBgpRoutePropagation"] = (!bgp).into();
                }
            }
            say(Action::Change, reason, words);
        } else if self.judge(is.is_some(), is.is_some(), true) == Verdict::Adopt {
            let mark = is_own.then(|| setting(format!("tag {}", MANAGED_BY.0), Some(MANAGED_BY.1), Some(MANAGED_BY.1)));
            say(
                Action::Import,
                Reason::Adopted(String::new()),
                iter::once(self.resource_group()).chain(mark).collect(),
            );
        }
        (is, Some(to))
    }

    /// Where the table is, for its line in a plan.
    fn resource_group(&self) -> Setting {
        let group = self.id.split('/').nth(4);
        setting("resource group", group, group)
    }

    /// Judges whether the table is there, given whether it is recorded, and was confirmed once.
    fn judge(&self, is_recorded: bool, confirmed: bool, is_there: bool) -> Verdict {
        let there = [Live { value: Some(()), owner: Owner::Unmarked, form: Form::Plain }];
        judge(&Claim {
            wanted: Some(&()),
            recorded: if is_recorded { &[()] } else { &[] },
            confirmed,
            in_doubt: self.claims.in_doubt && !confirmed,
            take_over: false,
            kept_free: false,
            live: if is_there { Evidence::Seen(&there) } else { Evidence::Absent },
        })
        .verdict
    }

    /// A table that is not wanted any more: deleted where topo made it and nothing of others is in it, else left.
    fn end(
        &self,
        live: Option<&LiveTable>,
        is_needed: bool,
        (is, _): (Option<TableRecord>, Option<TableRecord>),
        verdict: &mut TableVerdict,
        changes: &mut Vec<ListedChange>,
    ) -> (Option<TableRecord>, Option<TableRecord>) {
        let (Some(live), Some(table)) = (live, &is) else { return (is, None) };
        if is_needed || !self.is_chosen(AZURE_ROUTE_TABLE.id, None) {
            return (is.clone(), is);
        }
        let others: Vec<&str> = live
            .subnets
            .iter()
            .filter(|subnet| !self.leaving.contains(&key(subnet)))
            .map(|subnet| name_of(subnet))
            .collect();
        let kept = match (table.made, verdict.count, others.as_slice()) {
            (true, 0, []) => {
                verdict.deletes = true;
                let reason = if self.options.destroy { Reason::Destroy } else { Reason::NotWanted };
                changes.push(change_of_table(Action::Remove, reason, vec![self.resource_group()]));
                return (is, None);
            }
            (false, 0, []) if live.tag(MANAGED_BY.0) == Some(MANAGED_BY.1) => format!(
                "as far as is recorded here, topo did not make it (`az network route-table delete --ids {}` deletes it)",
                self.id
            ),
            (false, ..) => "topo did not make it".to_owned(),
            (true, 0, others) => format!("other subnets go by it: {}", others.join(", ")),
            (true, 1, _) => "a route of somebody else is in it".to_owned(),
            (true, left, _) => format!("{left} routes of others are in it"),
        };
        let text = format!(
            "stays: {kept}. topo removes only the routes that it made or adopted, and drops the record of the table."
        );
        verdict.findings.push(Finding::note("table_stays", &self.place, table_text(&self.place, &text)));
        (is, None)
    }
}

impl TableVerdict {
    /// The changes.
    pub fn changes(&self) -> impl Iterator<Item = &ListedChange> {
        self.resources.iter().flat_map(|resource| &resource.changes)
    }

    /// Routes that others have.
    pub fn conflicts(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Conflict)
    }
}

/// Judges one setting of a table that topo keeps: nobody else has a say in it.
fn judge_own<V: PartialEq + Copy>(wanted: &V, recorded: Option<&V>, live: Option<&V>) -> Verdict {
    let live =
        live.map(|value| Live { value: Some(*value), owner: Owner::Ours { is_current: true }, form: Form::Plain });
    judge(&Claim {
        wanted: Some(wanted),
        recorded: recorded.map(std::slice::from_ref).unwrap_or_default(),
        confirmed: true,
        in_doubt: false,
        take_over: true,
        kept_free: false,
        live: Evidence::Seen(live.as_slice()),
    })
    .verdict
}

/// Whether the tags of a table say that topo made it for a topology.
pub(super) fn is_marked(live: &LiveTable, topology: &Name) -> bool {
    live.tag(MANAGED_BY.0) == Some(MANAGED_BY.1) && live.tag(MADE_FOR) == Some(topology.as_str())
}

/// The tags of a table that topo makes.
fn marks(topology: &Name) -> BTreeMap<String, String> {
    let marks = [MANAGED_BY, (MADE_FOR, topology.as_str())];
    marks.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn change_of_table(action: Action, reason: Reason, words: Vec<Setting>) -> ListedChange {
    ListedChange { kind: &AZURE_ROUTE_TABLE, key: "".into(), action, reason, what: ListedWhat::Settings(words) }
}

pub(super) fn setting(name: impl Into<Cow<'static, str>>, before: Option<&str>, after: Option<&str>) -> Setting {
    Setting { name: name.into(), before: before.map(str::to_owned), after: after.map(str::to_owned) }
}

pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

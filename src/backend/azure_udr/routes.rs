//! The routes of a table: which ones are ours, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::findings;
use super::record::RoutesRecord;
use super::{AZURE_ROUTE, Hop, LiveRoute, LiveTable, Route, TableTask, TableVerdict, live};
use crate::network::{NextHop, Prefix};
use crate::plan::judge::{Claim, Form, Live, Owner, Verdict, judge};
use crate::plan::{ListedChange, ListedWhat};
use crate::resource::{Action, Evidence, Reason};

impl TableTask {
    /// The routes: what their record is and becomes.
    pub(super) fn routes(
        &self,
        live: Option<&LiveTable>,
        body: &mut Option<Value>,
        verdict: &mut TableVerdict,
    ) -> (Option<RoutesRecord>, Option<RoutesRecord>, Vec<ListedChange>) {
        let whole = live;
        let empty = BTreeMap::new();
        let there = live.map_or(&empty, |live| &live.routes);
        let wanted = |key: &Prefix| self.desired.as_ref().and_then(|desired| desired.routes.get(key));
        let keys: BTreeSet<Prefix> = self
            .desired
            .iter()
            .flat_map(|desired| desired.routes.keys())
            .chain(self.claims.routes.keys())
            .copied()
            .collect();
        let mut edits = Edits::default();
        let (mut is, mut to) = (BTreeMap::new(), BTreeMap::new());
        let confirmed = self.claims.routes.values().flatten().filter(|claim| claim.confirmed);
        let own_names: BTreeSet<String> = confirmed.map(|claim| key_of(&claim.route.name)).collect();
        for key in &keys {
            let claims = self.claims.routes.get(key).map(Vec::as_slice).unwrap_or_default();
            let confirmed = claims.iter().find(|claim| claim.confirmed).map(|claim| &claim.route);
            let found = there.get(key);
            // A route of ours whose destination somebody has changed.
            let moved = confirmed.filter(|_| found.is_none()).and_then(|route| {
                let mut others = there.iter().filter(|(other, _)| !keys.contains(other));
                others.find(|(_, live)| live.route.name.eq_ignore_ascii_case(&route.name))
            });
            let has_own_name = found.is_some_and(|live| own_names.contains(&key_of(&live.route.name)));
            let is_claimed = |live: &LiveRoute| claims.iter().any(|claim| claim.route.hop.is(&live.route.hop));
            let ours = found.filter(|live| has_own_name || is_claimed(live));
            let other_topology = whole.filter(|_| ours.is_none()).and_then(|live| self.made_for_other(live));
            let judged = judge(&Claim {
                wanted: wanted(key).map(|(route, _)| Way(&route.hop)).as_ref(),
                recorded: &ways_of(claims),
                confirmed: confirmed.is_some() || has_own_name,
                in_doubt: confirmed.is_none(),
                take_over: found.is_some_and(|live| ours.is_none() && self.takes_over(&live.route.name)),
                kept_free: false,
                live: Evidence::Seen(&live_of(found, has_own_name, other_topology)),
            })
            .verdict;
            let name = found.map(|live| &live.route).or_else(|| wanted(key).map(|(route, _)| route)).or(confirmed);
            let chosen = name.is_some_and(|route| self.is_chosen(AZURE_ROUTE.id, Some(&route.name)));
            let recorded = ours.map(|live| live.route.clone()).or_else(|| confirmed.cloned());
            if let Some(route) = recorded.as_ref().filter(|_| live.is_some() || confirmed.is_some()) {
                is.insert(*key, route.clone());
            }
            if !chosen {
                to.extend(recorded.map(|route| (*key, route)));
                continue;
            }
            let Some((route, node)) = wanted(key) else {
                match (judged, found, moved) {
                    (Verdict::Lost, Some(live), _) => {
                        let found = format!("{} by {}", live.route.name, live.route.hop);
                        verdict.findings.push(findings::lost_route(&self.place, *key, &live.route.name, &found));
                    }
                    (_, Some(live), _) => {
                        let reason = self.removal(confirmed.is_some_and(|route| !route.is(&live.route)), &live.route);
                        edits.push(*key, &live.route.name, Action::Remove, reason, Some(&live.route.hop), None);
                        edits.removed.insert(key_of(&live.route.name));
                    }
                    (_, None, Some((other, live))) => {
                        let reason = Reason::Altered(format!("{other} by {}", live.route.hop));
                        edits.push(*key, &live.route.name, Action::Remove, reason, Some(&live.route.hop), None);
                        edits.removed.insert(key_of(&live.route.name));
                    }
                    (_, None, None) => {}
                }
                continue;
            };
            if self.left_out.contains(node) && found.is_none_or(|live| !live.route.hop.is(&route.hop)) {
                verdict.skipped.push(node.clone());
                to.extend(recorded.map(|route| (*key, route)));
                continue;
            }
            let hop = Some(&route.hop);
            let Some(live) = found else {
                let own_name = confirmed.map_or(&route.name, |confirmed| &confirmed.name);
                let taken = there.iter().find(|(_, other)| other.route.name.eq_ignore_ascii_case(own_name));
                // Under its name there is another one of ours, or one that becomes ours: that one keeps it.
                let own_name = match taken.filter(|(other, _)| keys.contains(other)) {
                    Some(_) => edits.free_name(own_name, there),
                    None => own_name.clone(),
                };
                let taken = taken.filter(|(other, _)| !keys.contains(other));
                if let Some(found) = live.and_then(|live| live.others.get(&key_of(&own_name))) {
                    let found = format!("it leads {found}");
                    verdict.findings.push(findings::name_conflict(&self.place, &own_name, &found));
                    continue;
                }
                let (name, reason, before) = match (moved, judged, taken) {
                    (Some((other, live)), ..) => {
                        edits.renumbered.insert(key_of(&live.route.name), (*key, *other));
                        let reason = Reason::Altered(format!("{other} by {}", live.route.hop));
                        (live.route.name.clone(), reason, Some(&live.route.hop))
                    }
                    (None, _, Some((other, live))) if self.takes_over(&route.name) => {
                        edits.renumbered.insert(key_of(&live.route.name), (*key, *other));
                        let reason = Reason::TakenOver(format!("{other} by {}", live.route.hop));
                        (live.route.name.clone(), reason, Some(&live.route.hop))
                    }
                    (None, _, Some((other, live))) => {
                        let found = format!("it leads {other} to {}", live.route.hop);
                        verdict.findings.push(findings::name_conflict(&self.place, &route.name, &found));
                        continue;
                    }
                    (None, Verdict::Missing, None) => (own_name, Reason::Missing, None),
                    (None, Verdict::InDoubt, None) => (own_name, Reason::InDoubt, None),
                    (None, _, None) if self.claims.ids.is_empty() => (own_name, Reason::New, None),
                    (None, _, None) => (own_name, self.owners.added(node), None),
                };
                let becomes = Route { name, hop: route.hop.clone() };
                let action = if before.is_some() { Action::Change } else { Action::Add };
                edits.push(*key, &becomes.name, action, reason, before, hop);
                edits.written.insert(*key, becomes.clone());
                to.insert(*key, becomes);
                continue;
            };
            // An existing name is kept.
            let becomes = Route { name: live.route.name.clone(), hop: route.hop.clone() };
            let before = Some(&live.route.hop);
            let is_as_wanted = live.route.hop.is(&route.hop);
            let (action, reason) = match judged {
                Verdict::Conflict | Verdict::Provided => {
                    let found = match other_topology.filter(|_| is_as_wanted) {
                        // What another topology may have made is not adopted unasked: its route would go with ours.
                        Some(other) => {
                            format!("{key} by {}, in a table of the topology `{other}`", live.route.hop)
                        }
                        None => format!("{key} by {}", live.route.hop),
                    };
                    verdict.findings.push(findings::route_conflict(&self.place, &live.route.name, &found));
                    continue;
                }
                Verdict::Adopt | Verdict::TakenOver if is_as_wanted && ours.is_none() => {
                    (Action::Import, Reason::Adopted(String::new()))
                }
                Verdict::TakenOver => (Action::Change, Reason::TakenOver(text_of(&live.route.hop))),
                // A route of ours that somebody has given this destination bears our name.
                Verdict::Altered | Verdict::Stray => (Action::Change, Reason::Altered(text_of(&live.route.hop))),
                Verdict::Edited => (Action::Change, Reason::Edited),
                _ => {
                    to.insert(*key, becomes);
                    continue;
                }
            };
            edits.push(*key, &becomes.name, action, reason, before, hop);
            if action == Action::Change {
                edits.written.insert(*key, becomes.clone());
            }
            to.insert(*key, becomes);
        }
        for (other, live) in there.iter().filter(|(other, _)| !keys.contains(other)) {
            let moved = edits.renumbered.contains_key(&key_of(&live.route.name));
            for wanted in self.desired.iter().flat_map(|desired| desired.routes.keys()) {
                if !moved && wanted != other && wanted.covers(other) {
                    let found = format!("{} leads {other} to {}", live.route.name, live.route.hop);
                    verdict.findings.push(findings::wins(&self.place, *wanted, &live.route.name, &found));
                }
            }
        }
        if let Some(body) = body {
            edits.write(body);
        }
        let space =
            self.desired.as_ref().and_then(|desired| desired.space.clone()).or_else(|| self.claims.space.clone());
        let space = space.unwrap_or_default();
        let known = self.claims.id(AZURE_ROUTE.id).is_some();
        let is = (known && live.is_some())
            .then(|| RoutesRecord { space: self.claims.space.clone().unwrap_or_default(), routes: is });
        let keeps = self.desired.is_some() || !to.is_empty();
        (is, keeps.then_some(RoutesRecord { space, routes: to }), edits.changes)
    }

    fn removal(&self, altered: bool, live: &Route) -> Reason {
        match (altered, self.options.destroy) {
            (true, _) => Reason::Altered(text_of(&live.hop)),
            (false, true) => Reason::Destroy,
            // The record of a route has the address of the node, not its name. The name is known only if the node itself is
            // recorded: if another backend keeps something there.
            (false, false) => {
                let address = self.desired.as_ref().and(live.hop.address);
                address.and_then(|address| self.owners.removed(address)).unwrap_or(Reason::NotWanted)
            }
        }
    }

    fn takes_over(&self, name: &str) -> bool {
        self.options.takes_over(AZURE_ROUTE.id, self.name(), Some(name))
    }
}

/// A next hop that is live, as changes tell it.
fn text_of(hop: &Hop) -> String {
    NextHop::from(hop).to_string()
}

/// Where a route leads, compared as Azure does.
#[derive(Clone, Copy, Debug)]
struct Way<'a>(&'a Hop);

impl PartialEq for Way<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(other.0)
    }
}

fn ways_of(claims: &[super::RecordedRoute]) -> Vec<Way<'_>> {
    let (confirmed, others): (Vec<_>, Vec<_>) = claims.iter().partition(|claim| claim.confirmed);
    confirmed.into_iter().chain(others).map(|claim| Way(&claim.route.hop)).collect()
}

/// The live route of a destination, as the ownership table takes it. Azure has no marks: a route bears a name that topo gave it, or
/// leads where the record says, or may stand in a table that another topology made.
fn live_of<'a>(found: Option<&'a LiveRoute>, has_own_name: bool, other_topology: Option<&str>) -> Vec<Live<Way<'a>>> {
    let owner = match (has_own_name, other_topology) {
        (true, _) => Owner::Ours { is_current: true },
        (false, Some(_)) => Owner::Others,
        (false, None) => Owner::Unmarked,
    };
    found.map(|live| Live { value: Some(Way(&live.route.hop)), owner, form: Form::Plain }).into_iter().collect()
}

/// What is done to the list of routes.
#[derive(Default)]
struct Edits {
    changes: Vec<ListedChange>,
    /// Routes as they become, by destination.
    written: BTreeMap<Prefix, Route>,
    /// Names of routes that go, in small letters.
    removed: BTreeSet<String>,
    /// Names of routes that get their own destination again, in small letters; and the one that they have.
    renumbered: BTreeMap<String, (Prefix, Prefix)>,
}

impl Edits {
    /// A name that no route has and none gets, made from one that is taken.
    fn free_name(&self, taken: &str, there: &BTreeMap<Prefix, LiveRoute>) -> Box<str> {
        let names = there.values().map(|live| &live.route).chain(self.written.values());
        let names: BTreeSet<String> = names.map(|route| key_of(&route.name)).collect();
        let mut free = (2..).map(|number| format!("{taken}-{number}")).filter(|name| !names.contains(&key_of(name)));
        free.next().unwrap_or_default().into()
    }

    fn push(
        &mut self,
        destination: Prefix,
        name: &str,
        action: Action,
        reason: Reason,
        before: Option<&Hop>,
        after: Option<&Hop>,
    ) {
        let what = ListedWhat::Route { destination, before: before.map(Into::into), after: after.map(Into::into) };
        self.changes.push(ListedChange { kind: &AZURE_ROUTE, key: name.into(), action, reason, what });
    }

    /// Changes the routes of a body; those of others stay as and where they are.
    fn write(&self, body: &mut Value) {
        let properties = &mut body["properties"];
        if !properties.is_object() {
            *properties = json!({});
        }
        let before = properties["routes"].as_array().cloned().unwrap_or_default();
        let mut list = Vec::with_capacity(before.len() + self.written.len());
        let mut left: BTreeMap<&Prefix, &Route> = self.written.iter().collect();
        for mut value in before {
            let name = key_of(value["name"].as_str().unwrap_or_default());
            if self.removed.contains(&name) {
                continue;
            }
            let there = live::route_of(&value).map(|(destination, _)| destination);
            let destination = self.renumbered.get(&name).map(|(own, _)| *own).or(there);
            if let Some((destination, route)) = destination.and_then(|key| left.remove_entry(&key)) {
                route.write(destination, &mut value);
            }
            list.push(value);
        }
        list.extend(left.into_iter().map(|(destination, route)| route.value(destination)));
        properties["routes"] = list.into();
    }
}

fn key_of(name: &str) -> String {
    name.to_ascii_lowercase()
}

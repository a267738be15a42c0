//! Changes as JSON events, one event for each change of any kind. Routes are computed while they are written. A mesh is never
//! listed node by node.

use std::ops::ControlFlow;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::super::names::folded;
use crate::network::{NextHop, Prefix, RouteSet};
use crate::plan::{Change, Line, Part, Plan, SettingLine, Summary, What};
use crate::resource::Place;

/// The names of more places than this are folded: `node-[0-997]`.
const NAMED: usize = 20;

/// One change of a plan, with its number.
pub struct ChangeEvent<'a> {
    pub(super) plan: &'a Plan,
    pub(super) summary: &'a Summary,
    pub(super) number: usize,
}

impl ChangeEvent<'_> {
    fn change(&self) -> &Change {
        &self.summary.changes[self.number]
    }
}

impl Serialize for ChangeEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let change = self.change();
        let mut event = serializer.serialize_map(None)?;
        event.serialize_entry("id", &self.number)?;
        event.serialize_entry("kind", &*change.kind)?;
        let places = names(self.summary, &change.members);
        let suffix = match &change.what {
            What::File { .. } | What::Routes { .. } if !change.name.is_empty() => format!("[\"{}\"]", change.name),
            _ => String::new(),
        };
        let address = |place: &String| format!("{}.{place}{suffix}", change.kind);
        event.serialize_entry("addresses", &places.iter().map(address).collect::<Vec<_>>())?;
        event.serialize_entry("action", change.action.label())?;
        event.serialize_entry("reason", change.reason.label())?;
        if let Some(node) = change.reason_node() {
            event.serialize_entry("reason_node", node)?;
        }
        event.serialize_entry("drift", &change.is_drift())?;
        event.serialize_entry("places", &places)?;
        event.serialize_entry("count", &change.count)?;
        if let Some(whole) = change.part_of {
            event.serialize_entry("part_of", &whole)?;
        }
        match &change.what {
            What::Routes { parts, .. } => {
                // The rows of a whole list are written once. Each view says how its places reach the owners.
                let whole = parts.iter().filter(|part| parts.len() > 1 && part.whole_list().is_some());
                if let Some(set) = whole.clone().next().and_then(Part::whole_list) {
                    event.serialize_entry("rows", &ListedRows(set))?;
                }
                event.serialize_entry("routes", &Parts(self, parts))?;
            }
            What::Settings(lines) => event.serialize_entry("settings", &Settings(self.summary, change, lines))?,
            What::File { path, definition, difference } => {
                event.serialize_entry("path", path)?;
                event.serialize_entry("definition", definition)?;
                if let Some(difference) = difference {
                    event.serialize_entry("difference", &**difference)?;
                }
            }
        }
        event.end()
    }
}

/// The names of places, folded if there are many.
fn names(summary: &Summary, members: &[u32]) -> Vec<String> {
    let names = members.iter().map(|number| summary.place(*number).name());
    if members.len() > NAMED { folded(names) } else { names.map(str::to_owned).collect() }
}

/// The rows of a whole list: destinations with the addresses of their nodes.
struct ListedRows<'a>(&'a RouteSet);

impl Serialize for ListedRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row {
            destination: Prefix,
            owner: std::net::IpAddr,
        }
        let rows = self.0.rows.as_slice().iter();
        serializer.collect_seq(rows.map(|row| Row { destination: row.destination, owner: row.owner }))
    }
}

/// All routes of a change, part by part.
struct Parts<'a, 'b>(&'b ChangeEvent<'a>, &'b [Part]);

impl Serialize for Parts<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(event, parts) = self;
        let change = event.change();
        let mut list = serializer.serialize_seq(None)?;
        for part in *parts {
            if let Some(set) = part.whole_list().filter(|_| parts.len() > 1) {
                list.serialize_element(&WholeList { event, part, set })?;
                continue;
            }
            let mut outcome = Ok(());
            let _ = part.for_each(event.plan, change, |line| {
                outcome = list.serialize_element(&Route { event, part, line: &line });
                if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            outcome?;
        }
        list.end()
    }
}

/// Places that get or lose routes to all rows except their own.
struct WholeList<'a, 'b> {
    event: &'b ChangeEvent<'a>,
    part: &'b Part,
    set: &'b RouteSet,
}

impl Serialize for WholeList<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, part, set } = self;
        let mut route = serializer.serialize_map(None)?;
        route.serialize_entry("all_rows", &true)?;
        route.serialize_entry("places", &names(event.summary, &part.members))?;
        route.serialize_entry("count", &part.count)?;
        // An owner in these prefixes is itself the next hop. A gateway of their family leads to all others.
        route.serialize_entry("on_link", &set.view.on_link)?;
        route.serialize_entry("gateways", &set.view.via)?;
        writing(&mut route, part)?;
        route.end()
    }
}

/// One route.
struct Route<'a, 'b> {
    event: &'b ChangeEvent<'a>,
    part: &'b Part,
    line: &'b Line,
}

impl Serialize for Route<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Hop<'a> {
            next_hop: &'a NextHop,
            #[serde(skip_serializing_if = "Option::is_none")]
            protocol: Option<u8>,
        }
        let Self { event, part, line } = self;
        let change = event.change();
        let mut route = serializer.serialize_map(None)?;
        route.serialize_entry("destination", &line.destination)?;
        if let Some(name) = &line.name {
            let place = part.members.first().map_or("", |number| event.summary.place(*number).name());
            route.serialize_entry("address", &format!("{}.{place}[\"{name}\"]", change.kind))?;
        }
        if let Some(before) = &line.before {
            route.serialize_entry("before", &Hop { next_hop: &before.next_hop, protocol: before.protocol })?;
        }
        if change.action != crate::resource::Action::Remove {
            route.serialize_entry("after", &Hop { next_hop: &line.next_hop, protocol: part.protocol })?;
        } else if line.before.is_none() {
            route.serialize_entry("before", &Hop { next_hop: &line.next_hop, protocol: part.protocol })?;
        }
        if let Some(found) = line.found.as_ref().filter(|found| !found.is_empty()) {
            route.serialize_entry("found", &**found)?;
        }
        if part.members != change.members {
            route.serialize_entry("places", &names(event.summary, &part.members))?;
        }
        if !line.without.is_empty() {
            route.serialize_entry("not_on", &names(event.summary, &line.without))?;
        }
        writing(&mut route, part)?;
        route.end()
    }
}

/// Table and metric of routes, where they have one.
fn writing<M: SerializeMap>(route: &mut M, part: &Part) -> Result<(), M::Error> {
    if let Some(table) = part.table {
        route.serialize_entry("table", &table)?;
    }
    match part.metric {
        Some(metric) => route.serialize_entry("metric", &metric),
        None => Ok(()),
    }
}

/// The settings of things, one after the other.
struct Settings<'a>(&'a Summary, &'a Change, &'a [SettingLine]);

impl Serialize for Settings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Set<'a> {
            address: String,
            #[serde(skip_serializing_if = "str::is_empty")]
            name: &'a str,
            before: Option<&'a str>,
            after: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            found: Option<&'a str>,
        }
        let Self(summary, change, lines) = self;
        let mut list = serializer.serialize_seq(None)?;
        for line in *lines {
            let place: &Place = summary.place(line.place);
            let address = match &*line.key {
                "" => format!("{}.{}", change.kind, place.name()),
                key => format!("{}.{}[\"{key}\"]", change.kind, place.name()),
            };
            let found = line.found.as_deref();
            if line.settings.is_empty() {
                list.serialize_element(&Set { address: address.clone(), name: "", before: None, after: None, found })?;
            }
            for setting in &line.settings {
                let (before, after) = (setting.before.as_deref(), setting.after.as_deref());
                list.serialize_element(&Set { address: address.clone(), name: &setting.name, before, after, found })?;
            }
        }
        list.end()
    }
}

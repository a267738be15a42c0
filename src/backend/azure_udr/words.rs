//! How changes and records in Azure are told.

use serde::Deserialize;

use super::names::part_of;
use super::{AssociationRecord, ForwardingRecord, RoutesRecord, TableRecord, name_of, routes_in};
use crate::network::Prefix;
use crate::resource::words::{Heading, NamedRow, Recorded, Setting, Words, removed};
use crate::resource::{Action, Reason, Shape};

const EDITED: &str = "(changed in the topology)";
const IN_DOUBT: &str = "an earlier run did not finish there";

/// The words for route tables.
#[derive(Clone, Copy, Debug)]
pub struct TableWords;

/// The words for the routes of a table.
#[derive(Clone, Copy, Debug)]
pub struct RouteWords;

/// The words for associations of subnets.
#[derive(Clone, Copy, Debug)]
pub struct AssociationWords;

/// The words for network interfaces that forward.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceWords;

impl Words for TableWords {
    fn heading(&self, told: &Heading<'_>) -> String {
        let name = told.places;
        match (told.action, told.reason) {
            (Action::Import, _) => format!("{name} is already as wanted; topo records it"),
            (Action::Add, Reason::Missing) => format!("topo makes {name} again: the recorded route table is gone"),
            (Action::Add, Reason::InDoubt) => format!("topo makes {name}: {IN_DOUBT}"),
            (Action::Add, _) => format!("topo makes {name} (new)"),
            (Action::Change, Reason::Altered(_)) => format!("topo puts {name} back: somebody changed it"),
            (Action::Change, Reason::InDoubt) => format!("topo puts {name} right: {IN_DOUBT}"),
            (Action::Change, _) => format!("topo changes {name} {EDITED}"),
            (Action::Remove, reason) => format!("topo removes {name} {}", removed(reason)),
            (Action::Forget, _) => format!("{name} stays, and topo drops its record"),
        }
    }

    fn recorded(&self, shape: &Shape) -> Option<Recorded> {
        let table = TableRecord::deserialize(&*shape.attributes).ok()?;
        let text = if table.made { "created by topo" } else { "created by somebody else; topo never deletes it" };
        let tags: Vec<String> = table.tags.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let bgp = match table.bgp_route_propagation {
            Some(true) => "propagated",
            Some(false) => "not propagated",
            None => "not managed",
        };
        Some(Recorded { text: text.to_owned(), fields: vec![("tags", list(&tags)), ("bgp routes", bgp.to_owned())] })
    }
}

impl Words for RouteWords {
    fn recorded(&self, shape: &Shape) -> Option<Recorded> {
        let RoutesRecord { routes, space } = routes_in(&shape.attributes)?;
        let text = format!("{} route{}", routes.len(), if routes.len() == 1 { "" } else { "s" });
        Some(Recorded {
            text,
            fields: vec![("network", list(&space.iter().map(Prefix::to_string).collect::<Vec<_>>()))],
        })
    }

    fn named_rows(&self, shape: &Shape) -> Option<Vec<NamedRow>> {
        let routes = routes_in(&shape.attributes).map(|record| record.routes).unwrap_or_default();
        let rows = routes.into_iter().map(|(destination, route)| NamedRow {
            destination,
            name: route.name,
            next_hop: route.hop.to_string(),
        });
        Some(rows.collect())
    }

    fn leave_out(&self, shape: &mut Shape, is_left_out: &dyn Fn(&str) -> bool) {
        let attributes = shape.attributes.make_mut();
        if let Some(routes) = attributes.and_then(|attributes| attributes.get_mut("routes")?.as_object_mut()) {
            routes.retain(|_, route| !route["name"].as_str().is_some_and(is_left_out));
        }
    }
}

fn list(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

impl Words for AssociationWords {
    fn heading(&self, told: &Heading<'_>) -> String {
        let network = told.places;
        let one = told.count == 1;
        let subnets =
            if one { format!("{network}/{}", told.name) } else { format!("{} subnets of {network}", told.count) };
        let (uses, it) = if one { ("uses", "it") } else { ("use", "them") };
        let (the, are) = if one { ("the association", "is") } else { ("the associations", "are") };
        let mut tables: Vec<&str> = told
            .settings
            .iter()
            .filter_map(|one| one.after.as_deref().or(one.before.as_deref()))
            .map(name_of)
            .collect();
        tables.sort_unstable();
        tables.dedup();
        let tables = tables.join(", ");
        let rest = match (told.action, told.reason) {
            (Action::Import, _) => return format!("{subnets} already {uses} {tables} as wanted; topo records {it}"),
            (_, Reason::TakenOver(_)) => " in place of somebody else's route table (taken over as asked)".to_owned(),
            (Action::Remove, reason) => return format!("{subnets} no longer {uses} {tables} {}", removed(reason)),
            (Action::Forget, _) => ", and topo drops the record of that".to_owned(),
            (_, Reason::New | Reason::NewNode) => " (new)".to_owned(),
            (_, Reason::Missing) => format!(" again: {the} on record {are} gone"),
            (_, Reason::Altered(_)) => format!(" again: somebody changed {the}"),
            (_, Reason::InDoubt) => format!(": {IN_DOUBT}"),
            _ => format!(" {EDITED}"),
        };
        format!("{subnets} {uses} {tables}{rest}")
    }

    fn recorded(&self, shape: &Shape) -> Option<Recorded> {
        let AssociationRecord { route_table, made } = AssociationRecord::deserialize(&*shape.attributes).ok()?;
        let before = if made { "" } else { ", as before topo" };
        let text = format!("uses {}{before}", name_of(&route_table));
        Some(Recorded { text, fields: vec![("table", route_table)] })
    }

    /// Tables are named by their names; where these are alike, with their resource groups.
    fn setting(&self, action: Action, setting: &Setting) -> String {
        let alike = match (setting.before.as_deref(), setting.after.as_deref()) {
            (Some(one), Some(other)) => {
                name_of(one).eq_ignore_ascii_case(name_of(other)) && !one.eq_ignore_ascii_case(other)
            }
            _ => false,
        };
        let shown = |id: &String| match part_of(id, "resourceGroups").filter(|_| alike) {
            Some(group) => format!("{group}/{}", name_of(id)),
            None => name_of(id).to_owned(),
        };
        let Setting { name, before, after } = setting;
        Setting { name: name.clone(), before: before.as_ref().map(shown), after: after.as_ref().map(shown) }
            .text(action)
    }
}

impl Words for InterfaceWords {
    fn recorded(&self, shape: &Shape) -> Option<Recorded> {
        let record = ForwardingRecord::deserialize(&*shape.attributes).ok()?;
        Some(Recorded { text: "topo turned IP forwarding on".to_owned(), fields: vec![("next hop", record.address)] })
    }

    fn heading(&self, told: &Heading<'_>) -> String {
        let (interfaces, one) = (told.places, told.is_one_place);
        let (forwards, forward) = if one { ("forwards", "forward") } else { ("forward", "forward") };
        let off = told.settings.iter().all(|setting| setting.after.as_deref() == Some("off"));
        match told.reason {
            reason if off => format!("{interfaces} no longer {forwards} IP packets {}", removed(reason)),
            Reason::Altered(_) => format!("{interfaces} {forwards} IP packets again: somebody turned that off"),
            Reason::InDoubt => format!("topo makes {interfaces} {forward} IP packets: {IN_DOUBT}"),
            _ => format!("topo makes {interfaces} {forward} IP packets"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(words: &dyn Words, attributes: Value) -> Option<Vec<String>> {
        let Recorded { text, fields } = words.recorded(&Shape { routes: None, attributes: attributes.into() })?;
        Some([text].into_iter().chain(fields.iter().map(|(name, value)| format!("{name}: {value}"))).collect())
    }

    fn routes(numbers: &[u8]) -> Shape {
        let route = |number: &u8| {
            let route = json!({
                "name": format!("Route-{number}"), "type": "VirtualAppliance", "address": format!("10.240.0.{number}"),
            });
            (format!("10.200.{number}.0/24"), route)
        };
        let routes: serde_json::Map<String, Value> = numbers.iter().map(route).collect();
        Shape { routes: None, attributes: json!({ "space": ["10.240.0.0/16"], "routes": routes }).into() }
    }

    #[test]
    fn what_is_recorded_is_shown_in_words() {
        for (words, attributes, expected) in [
            (
                &TableWords as &dyn Words,
                json!({ "made": true, "tags": { "managed-by": "topo", "topology": "k" } }),
                &["created by topo", "tags: managed-by = topo, topology = k", "bgp routes: not managed"][..],
            ),
            (
                &TableWords,
                json!({ "made": false, "bgp_route_propagation": false }),
                &["created by somebody else; topo never deletes it", "tags: none", "bgp routes: not propagated"],
            ),
            (&RouteWords, (*routes(&[2, 9]).attributes).clone(), &["2 routes", "network: 10.240.0.0/16"]),
            (&AssociationWords, json!({ "route_table": "/x/r", "made": true }), &["uses r", "table: /x/r"]),
            (
                &AssociationWords,
                json!({ "route_table": "/x/r", "made": false }),
                &["uses r, as before topo", "table: /x/r"],
            ),
            (
                &InterfaceWords,
                json!({ "address": "10.240.0.20" }),
                &["topo turned IP forwarding on", "next hop: 10.240.0.20"],
            ),
        ] {
            assert_eq!(shown(words, attributes).as_deref().unwrap_or_default(), expected);
        }
        assert_eq!(shown(&InterfaceWords, json!({ "later": 1 })), None);
    }

    #[test]
    fn routes_have_names() {
        let mut shape = routes(&[2, 9]);
        let rows = RouteWords.named_rows(&shape).expect("rows");
        assert_eq!((&*rows[1].name, rows[1].next_hop.as_str()), ("Route-9", "VirtualAppliance 10.240.0.9"));
        assert_eq!(rows[1].destination.to_string(), "10.200.9.0/24");
        RouteWords.leave_out(&mut shape, &|name| name == "Route-2");
        assert_eq!(shape, routes(&[9]));
    }
}

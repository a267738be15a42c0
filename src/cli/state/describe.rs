//! Records in words.

use serde::Deserialize;

use super::rows::Row;
use crate::backend::azure_udr::{
    AZURE_NIC_FORWARDING, AZURE_ROUTE, AZURE_ROUTE_TABLE, AZURE_SUBNET_ASSOCIATION, AssociationRecord,
    ForwardingRecord, Route, RoutesRecord, TableRecord, name_of, routes_in,
};
use crate::cli::validate::count;
use crate::network::{Prefix, View};
use crate::resource::{Place, Record, ResourceId, Shape};
use crate::state::PlaceRecord;

/// The fields of a resource, by name.
pub(super) fn describe(
    place: &Place,
    recorded: &PlaceRecord,
    resource: &ResourceId,
    record: &Record,
) -> Vec<(&'static str, String)> {
    let words = |shape: &Shape| match (in_azure(resource, shape), &shape.routes) {
        (Some((words, _)), _) => words,
        (None, Some(routes)) => count(routes.routes().count(), "route"),
        (None, None) => "present".to_owned(),
    };
    let optional = |shape: &Option<Shape>| shape.as_ref().map_or_else(|| "absent".to_owned(), words);
    let mut fields = vec![(
        "recorded",
        match record {
            Record::Settled { is, .. } => words(is),
            Record::InDoubt { is, to, .. } => format!("in doubt: was {}, should become {}", optional(is), optional(to)),
            Record::Opaque(_) => "by a backend that this topo does not have".to_owned(),
        },
    )];
    if let Some(routes) = record.shapes().find_map(|shape| shape.routes.as_ref()) {
        fields.extend(describe_view(&routes.view));
    }
    if let Some((_, own)) = record.shapes().find_map(|shape| in_azure(resource, shape)) {
        fields.extend(own);
    } else {
        let attributes = record.shapes().map(|shape| &shape.attributes).find(|attributes| !attributes.is_null());
        fields.extend(attributes.map(|attributes| ("attributes", attributes.to_string())));
    }
    fields.extend(describe_place(place, recorded, resource));
    fields
}

/// The fields of one row of a resource, by name.
pub(super) fn describe_row(
    place: &Place,
    recorded: &PlaceRecord,
    resource: &ResourceId,
    record: &Record,
    row: &Row,
) -> Vec<(&'static str, String)> {
    let mut fields = match row {
        Row::Destination(destination) => describe_route(record, destination),
        Row::Name(name) => describe_named(record, name),
    };
    fields.extend(describe_place(place, recorded, resource));
    fields
}

/// A route of a table in Azure.
fn describe_named(record: &Record, name: &str) -> Vec<(&'static str, String)> {
    let find = |shape: &Shape| -> Option<(Prefix, Route)> {
        let routes = routes_in(&shape.attributes)?.routes;
        routes.into_iter().find(|(_, route)| route.name.eq_ignore_ascii_case(name))
    };
    let prefix = record.shapes().find_map(find).map(|(destination, _)| destination.to_string()).unwrap_or_default();
    let (next_hop, certain) = next_hop_in(record, |shape| Some(find(shape)?.1.hop.to_string()));
    vec![("prefix", prefix), ("next hop", next_hop), ("recorded", certain.to_owned())]
}

fn describe_route(record: &Record, row: &Prefix) -> Vec<(&'static str, String)> {
    let find = |shape: &Shape| Some(shape.routes.as_ref()?.find(row)?.next_hop.to_string());
    let (next_hop, certain) = next_hop_in(record, find);
    let mut fields = vec![("next hop", next_hop)];
    let shape = record.shapes().find(|shape| find(shape).is_some());
    fields.extend(shape.and_then(|shape| shape.routes.as_ref()).into_iter().flat_map(|it| describe_view(&it.view)));
    fields.push(("recorded", certain.to_owned()));
    fields
}

/// The next hop of a route that `find` finds in shapes, and whether it is certain.
fn next_hop_in(record: &Record, find: impl Fn(&Shape) -> Option<String>) -> (String, &'static str) {
    let hop = |shape: Option<&Shape>| shape.and_then(&find).unwrap_or_else(|| "none".to_owned());
    match record {
        Record::InDoubt { is, to, .. } => {
            (format!("{}, should become {}", hop(is.as_ref()), hop(to.as_ref())), "in doubt")
        }
        Record::Settled { is, .. } => (hop(Some(is)), "settled"),
        Record::Opaque(_) => (String::new(), ""),
    }
}

/// A record of a resource in Azure: in words, and its fields. None if it is of another kind or unreadable.
fn in_azure(resource: &ResourceId, shape: &Shape) -> Option<(String, Vec<(&'static str, String)>)> {
    let list = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let (attributes, kind) = (&*shape.attributes, &*resource.kind);
    if *kind == AZURE_ROUTE_TABLE {
        let table = TableRecord::deserialize(attributes).ok()?;
        let words = if table.made { "created by topo" } else { "created by somebody else; topo never deletes it" };
        let tags = table.tags.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let bgp = match table.bgp_route_propagation {
            Some(true) => "propagated",
            Some(false) => "not propagated",
            None => "not managed",
        };
        Some((words.to_owned(), vec![("tags", list(tags)), ("bgp routes", bgp.to_owned())]))
    } else if *kind == AZURE_ROUTE {
        let RoutesRecord { routes, space } = RoutesRecord::deserialize(attributes).ok()?;
        let network = list(space.iter().map(Prefix::to_string).collect());
        Some((count(routes.len(), "route"), vec![("network", network)]))
    } else if *kind == AZURE_SUBNET_ASSOCIATION {
        let AssociationRecord { route_table, made } = AssociationRecord::deserialize(attributes).ok()?;
        let before = if made { "" } else { ", as before topo" };
        Some((format!("uses {}{before}", name_of(&route_table)), vec![("table", route_table)]))
    } else if *kind == AZURE_NIC_FORWARDING {
        let record = ForwardingRecord::deserialize(attributes).ok()?;
        Some(("topo turned IP forwarding on".to_owned(), vec![("next hop", record.address)]))
    } else {
        None
    }
}

fn describe_view(view: &View) -> Vec<(&'static str, String)> {
    let metric = view.metric.map_or_else(|| "default".to_owned(), |metric| metric.to_string());
    let mut fields =
        vec![("table", view.table.to_string()), ("metric", metric), ("protocol", view.protocol.to_string())];
    fields.extend(view.device.as_ref().map(|device| ("device", device.to_string())));
    fields
}

fn describe_place(place: &Place, recorded: &PlaceRecord, resource: &ResourceId) -> Vec<(&'static str, String)> {
    let mut fields = vec![("backend", resource.backend.to_string()), ("place", place.to_string())];
    if let Some(endpoint) = &recorded.endpoint {
        let user = endpoint.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = endpoint.port.map(|port| format!(", port {port}")).unwrap_or_default();
        let sudo = if endpoint.sudo { ", with sudo" } else { "" };
        fields.push(("reached at", format!("{user}{}{port}{sudo}", endpoint.host)));
    }
    fields.extend(recorded.machine_id.as_ref().map(|id| ("machine id", id.to_string())));
    fields
}

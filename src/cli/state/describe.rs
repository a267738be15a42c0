//! Records in words.

use super::rows::{Entry, Row};
use crate::cli::validate::count;
use crate::network::{Prefix, View};
use crate::resource::words::NamedRow;
use crate::resource::{Record, Shape};
use crate::state::PlaceRecord;

/// The fields of a resource, by name.
pub(super) fn describe(entry: &Entry<'_>, recorded: &PlaceRecord) -> Vec<(&'static str, String)> {
    let Entry { record, words: own, .. } = entry;
    let words = |shape: &Shape| match (own.recorded(shape), &shape.routes) {
        (Some(recorded), _) => recorded.text,
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
    if let Some(recorded) = record.shapes().find_map(|shape| own.recorded(shape)) {
        fields.extend(recorded.fields);
    } else {
        let attributes = record.shapes().map(|shape| &shape.attributes).find(|attributes| !attributes.is_null());
        fields.extend(attributes.map(|attributes| ("attributes", attributes.to_string())));
    }
    fields.extend(describe_place(entry, recorded));
    fields
}

/// The fields of one row of a resource, by name.
pub(super) fn describe_row(entry: &Entry<'_>, recorded: &PlaceRecord, row: &Row) -> Vec<(&'static str, String)> {
    let mut fields = match row {
        Row::Destination(destination) => describe_route(entry.record, destination),
        Row::Name(name) => describe_named(entry, name),
    };
    fields.extend(describe_place(entry, recorded));
    fields
}

/// A row with a name.
fn describe_named(entry: &Entry<'_>, name: &str) -> Vec<(&'static str, String)> {
    let find = |shape: &Shape| -> Option<NamedRow> {
        entry.words.named_rows(shape)?.into_iter().find(|row| row.name.eq_ignore_ascii_case(name))
    };
    let prefix = entry.record.shapes().find_map(find).map(|row| row.destination.to_string()).unwrap_or_default();
    let (next_hop, certain) = next_hop_in(entry.record, |shape| Some(find(shape)?.next_hop));
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

fn describe_view(view: &View) -> Vec<(&'static str, String)> {
    let metric = view.metric.map_or_else(|| "default".to_owned(), |metric| metric.to_string());
    let mut fields =
        vec![("table", view.table.to_string()), ("metric", metric), ("protocol", view.protocol.to_string())];
    fields.extend(view.device.as_ref().map(|device| ("device", device.to_string())));
    fields
}

fn describe_place(entry: &Entry<'_>, recorded: &PlaceRecord) -> Vec<(&'static str, String)> {
    let mut fields = vec![("backend", entry.resource.backend.to_string()), ("place", entry.place.to_string())];
    if let Some(endpoint) = &recorded.endpoint {
        let user = endpoint.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = endpoint.port.map(|port| format!(", port {port}")).unwrap_or_default();
        let sudo = if endpoint.sudo { ", with sudo" } else { "" };
        fields.push(("reached at", format!("{user}{}{port}{sudo}", endpoint.host)));
    }
    fields.extend(recorded.machine_id.as_ref().map(|id| ("machine id", id.to_string())));
    fields
}

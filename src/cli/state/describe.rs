//! Records in words.

use crate::network::{Prefix, View};
use crate::plan::{Place, ResourceId};
use crate::state::{PlaceRecord, Record, Shape};

/// What there is to say of a resource, by name.
pub(super) fn describe(
    place: &Place,
    recorded: &PlaceRecord,
    resource: &ResourceId,
    record: &Record,
) -> Vec<(&'static str, String)> {
    let count = |shape: &Shape| match &shape.routes {
        Some(routes) => format!("{} routes", routes.routes().count()),
        None => "there".to_owned(),
    };
    let optional = |shape: &Option<Shape>| shape.as_ref().map_or_else(|| "not there".to_owned(), count);
    let mut fields = vec![(
        "recorded",
        match record {
            Record::Settled { is, .. } => count(is),
            Record::InDoubt { is, to, .. } => format!("in doubt: was {}, was to become {}", optional(is), optional(to)),
            Record::Opaque(_) => "by a backend that this topo does not have".to_owned(),
        },
    )];
    if let Some(routes) = record.shapes().find_map(|shape| shape.routes.as_ref()) {
        fields.extend(describe_view(&routes.view));
    }
    let attributes = record.shapes().map(|shape| &shape.attributes).find(|attributes| !attributes.is_null());
    fields.extend(attributes.map(|attributes| ("attributes", attributes.to_string())));
    fields.extend(describe_place(place, recorded, resource));
    fields
}

/// What there is to say of one of its rows, by name.
pub(super) fn describe_row(
    place: &Place,
    recorded: &PlaceRecord,
    resource: &ResourceId,
    record: &Record,
    row: &Prefix,
) -> Vec<(&'static str, String)> {
    let routes = |shape: Option<&Shape>| shape.and_then(|shape| shape.routes.as_ref()).cloned();
    let hop = |shape: Option<&Shape>| {
        routes(shape)
            .and_then(|routes| routes.find(row))
            .map_or_else(|| "none".to_owned(), |route| route.next_hop.to_string())
    };
    let (next_hop, certain) = match record {
        Record::InDoubt { is, to, .. } => {
            (format!("{}, was to become {}", hop(is.as_ref()), hop(to.as_ref())), "in doubt".to_owned())
        }
        Record::Settled { is, .. } => (hop(Some(is)), "settled".to_owned()),
        Record::Opaque(_) => (String::new(), String::new()),
    };
    let mut fields = vec![("next hop", next_hop)];
    if let Some(routes) =
        record.shapes().filter_map(|shape| shape.routes.as_ref()).find(|routes| routes.find(row).is_some())
    {
        fields.extend(describe_view(&routes.view));
    }
    fields.push(("recorded", certain));
    fields.extend(describe_place(place, recorded, resource));
    fields
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

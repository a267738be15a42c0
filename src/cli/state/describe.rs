//! Records in words.

use serde::Deserialize;

use super::rows::Row;
use crate::backend::azure_udr::{
    AZURE_NIC_FORWARDING, AZURE_ROUTE, AZURE_ROUTE_TABLE, AZURE_SUBNET_ASSOCIATION, AssociationRecord,
    ForwardingRecord, Route, RoutesRecord, TableRecord, name_of, routes_in,
};
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
    let in_azure = |shape: &Shape| InAzure::of(resource, shape);
    let count = |shape: &Shape| match (in_azure(shape), &shape.routes) {
        (Some(record), _) => record.in_words(),
        (None, Some(routes)) => format!("{} routes", routes.routes().count()),
        (None, None) => "present".to_owned(),
    };
    let optional = |shape: &Option<Shape>| shape.as_ref().map_or_else(|| "absent".to_owned(), count);
    let mut fields = vec![(
        "recorded",
        match record {
            Record::Settled { is, .. } => count(is),
            Record::InDoubt { is, to, .. } => format!("in doubt: was {}, should become {}", optional(is), optional(to)),
            Record::Opaque(_) => "by a backend that this topo does not have".to_owned(),
        },
    )];
    if let Some(routes) = record.shapes().find_map(|shape| shape.routes.as_ref()) {
        fields.extend(describe_view(&routes.view));
    }
    if let Some(record) = record.shapes().find_map(in_azure) {
        fields.extend(record.fields());
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
    let hop = |shape: Option<&Shape>| {
        shape.and_then(find).map_or_else(|| "none".to_owned(), |(_, route)| route.hop.to_string())
    };
    let prefix = record.shapes().find_map(find).map(|(destination, _)| destination.to_string()).unwrap_or_default();
    let (next_hop, certain) = match record {
        Record::InDoubt { is, to, .. } => {
            (format!("{}, should become {}", hop(is.as_ref()), hop(to.as_ref())), "in doubt")
        }
        Record::Settled { is, .. } => (hop(Some(is)), "settled"),
        Record::Opaque(_) => (String::new(), ""),
    };
    vec![("prefix", prefix), ("next hop", next_hop), ("recorded", certain.to_owned())]
}

fn describe_route(record: &Record, row: &Prefix) -> Vec<(&'static str, String)> {
    let routes = |shape: Option<&Shape>| shape.and_then(|shape| shape.routes.as_ref()).cloned();
    let hop = |shape: Option<&Shape>| {
        routes(shape)
            .and_then(|routes| routes.find(row))
            .map_or_else(|| "none".to_owned(), |route| route.next_hop.to_string())
    };
    let (next_hop, certain) = match record {
        Record::InDoubt { is, to, .. } => {
            (format!("{}, should become {}", hop(is.as_ref()), hop(to.as_ref())), "in doubt".to_owned())
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
    fields
}

/// A record of a resource in Azure.
enum InAzure {
    Table(TableRecord),
    Routes(RoutesRecord),
    Association(AssociationRecord),
    Forwarding(ForwardingRecord),
}

impl InAzure {
    /// Reads a shape. None if it is of another kind or unreadable.
    fn of(resource: &ResourceId, shape: &Shape) -> Option<Self> {
        let attributes = &*shape.attributes;
        match &*resource.kind {
            kind if *kind == AZURE_ROUTE_TABLE => TableRecord::deserialize(attributes).ok().map(Self::Table),
            kind if *kind == AZURE_ROUTE => RoutesRecord::deserialize(attributes).ok().map(Self::Routes),
            kind if *kind == AZURE_SUBNET_ASSOCIATION => {
                AssociationRecord::deserialize(attributes).ok().map(Self::Association)
            }
            kind if *kind == AZURE_NIC_FORWARDING => {
                ForwardingRecord::deserialize(attributes).ok().map(Self::Forwarding)
            }
            _ => None,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Table(table) if table.made => "created by topo".to_owned(),
            Self::Table(_) => "created by somebody else; topo never deletes it".to_owned(),
            Self::Routes(RoutesRecord { routes, .. }) => {
                let noun = if routes.len() == 1 { "route" } else { "routes" };
                format!("{} {noun}", routes.len())
            }
            Self::Association(AssociationRecord { route_table, made: true }) => {
                format!("uses {}", name_of(route_table))
            }
            Self::Association(AssociationRecord { route_table, made: false }) => {
                format!("uses {}, as before topo", name_of(route_table))
            }
            Self::Forwarding(_) => "topo turned IP forwarding on".to_owned(),
        }
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let list = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        match self {
            Self::Table(table) => {
                let tags = table.tags.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                let bgp = match table.bgp_route_propagation {
                    Some(true) => "propagated",
                    Some(false) => "not propagated",
                    None => "not managed",
                };
                vec![("tags", list(tags)), ("bgp routes", bgp.to_owned())]
            }
            Self::Routes(RoutesRecord { space, .. }) => {
                vec![("network", list(space.iter().map(Prefix::to_string).collect()))]
            }
            Self::Association(record) => vec![("table", record.route_table.clone())],
            Self::Forwarding(record) => vec![("next hop", record.address.clone())],
        }
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

//! Rows of records: the part of an address in brackets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::backend::azure_udr::{AZURE_ROUTE, RoutesRecord, routes_in};
use crate::network::{Prefix, Route, RouteSet};
use crate::resource::{AddressPattern, Place, Record, ResourceId, Shape};

/// A row of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    /// A route, by its destination.
    Destination(Prefix),
    /// A route of a table in Azure, by its name.
    Name(Box<str>),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination(destination) => destination.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The row part of an address, for a resource that has a name of its own.
pub(super) fn own_row(resource: &ResourceId) -> Option<&str> {
    (!resource.name.is_empty()).then_some(&*resource.name)
}

/// Whether a pattern selects the whole resource.
pub(super) fn selects_whole(patterns: &[AddressPattern], place: &Place, resource: &ResourceId) -> bool {
    let row = own_row(resource);
    patterns.iter().any(|pattern| pattern.matches(&resource.kind, place.name(), row))
}

/// Whether a resource is listed row by row.
pub(super) fn has_rows(resource: &ResourceId, record: &Record) -> bool {
    resource.name.is_empty() && (is_named(resource) || record.shapes().any(|shape| shape.routes.is_some()))
}

/// Calls the function once for each selected row that may exist.
pub(super) fn selected_rows(
    patterns: &[AddressPattern],
    whole: bool,
    place: &Place,
    resource: &ResourceId,
    record: &Record,
    mut each: impl FnMut(Row),
) {
    let some = |pattern: &&AddressPattern| pattern.may_match_rows(&resource.kind, place.name());
    let patterns: Vec<&AddressPattern> = patterns.iter().filter(some).collect();
    if !whole && (patterns.is_empty() || !resource.name.is_empty()) {
        return;
    }
    let is_selected = |row: &Row| {
        let matches =
            |text: &str| patterns.iter().any(|pattern| pattern.matches(&resource.kind, place.name(), Some(text)));
        whole || matches(&row.to_string())
    };
    if is_named(resource) {
        named_rows(record).into_iter().map(Row::Name).filter(is_selected).for_each(each);
        return;
    }
    let mut seen: Option<BTreeMap<Prefix, Route>> = record.is_in_doubt().then(BTreeMap::new);
    for route in record.shapes().filter_map(|shape| shape.routes.as_ref()).flat_map(RouteSet::routes) {
        let row = Row::Destination(route.destination);
        if is_selected(&row) {
            match &mut seen {
                Some(seen) => {
                    seen.insert(route.destination, route);
                }
                None => each(row),
            }
        }
    }
    seen.into_iter().flat_map(BTreeMap::into_keys).map(Row::Destination).for_each(each);
}

/// The number of rows in a record.
pub(super) fn number_of_rows(resource: &ResourceId, record: &Record) -> usize {
    if is_named(resource) {
        return named_rows(record).len();
    }
    let routes = record.shapes().filter_map(|shape| shape.routes.as_ref());
    routes.flat_map(RouteSet::routes).map(|route| route.destination).collect::<BTreeSet<Prefix>>().len()
}

/// Drops rows from a record. Its token no longer proves anything then, so it is dropped too.
pub(super) fn leave_out(record: &mut Record, rows: &BTreeSet<Row>) {
    if rows.is_empty() {
        return;
    }
    match record {
        Record::Settled { is, token } => {
            leave_out_of(is, rows);
            *token = None;
        }
        Record::InDoubt { is, to, also } => {
            is.iter_mut().chain(to).chain(also).for_each(|shape| leave_out_of(shape, rows));
        }
        Record::Opaque(_) => {}
    }
}

fn leave_out_of(shape: &mut Shape, rows: &BTreeSet<Row>) {
    shape.leave_out(rows.iter().filter_map(|row| match row {
        Row::Destination(destination) => Some(*destination),
        Row::Name(_) => None,
    }));
    let is_named = |name: &str| rows.iter().any(|row| matches!(row, Row::Name(own) if own.eq_ignore_ascii_case(name)));
    let attributes = shape.attributes.make_mut();
    if let Some(routes) = attributes.and_then(|attributes| attributes.get_mut("routes")?.as_object_mut()) {
        routes.retain(|_, route| !route["name"].as_str().is_some_and(is_named));
    }
}

/// Whether the rows of a resource have names.
fn is_named(resource: &ResourceId) -> bool {
    *resource.kind == AZURE_ROUTE
}

/// Names of routes in Azure, by destination, each once. Azure ignores case in names.
fn named_rows(record: &Record) -> Vec<Box<str>> {
    let mut routes: Vec<(Prefix, Box<str>)> = record
        .shapes()
        .filter_map(|shape| routes_in(&shape.attributes))
        .flat_map(|RoutesRecord { routes, .. }| {
            routes.into_iter().map(|(destination, route)| (destination, route.name))
        })
        .collect();
    routes.sort();
    let mut known = BTreeSet::new();
    routes.retain(|(_, name)| known.insert(name.to_ascii_lowercase()));
    routes.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::describe::{describe, describe_row};
    use super::*;
    use crate::backend::REGISTRY;
    use crate::resource::SharedJson;
    use crate::state::PlaceRecord;

    const TABLE: &str =
        "arm:/subscriptions/0/resourceGroups/k/providers/Microsoft.Network/routeTables/kubernetes-routes";

    fn place(text: &str) -> Place {
        REGISTRY.known().place(text).expect("place")
    }

    fn resource(text: &str) -> ResourceId {
        text.parse().expect("resource")
    }

    fn shape(attributes: impl Into<SharedJson>) -> Shape {
        Shape { routes: None, attributes: attributes.into() }
    }

    fn routes(numbers: &[u8]) -> Shape {
        let route = |number: &u8| {
            let route = json!({
                "name": format!("Route-{number}"), "type": "VirtualAppliance", "address": format!("10.240.0.{number}"),
            });
            (format!("10.200.{number}.0/24"), route)
        };
        let routes: serde_json::Map<String, serde_json::Value> = numbers.iter().map(route).collect();
        shape(json!({ "space": ["10.240.0.0/16"], "routes": routes }))
    }

    fn settled(is: Shape) -> Record {
        Record::Settled { is, token: None }
    }

    fn rows(patterns: &[&str], record: &Record) -> Vec<String> {
        let patterns: Vec<AddressPattern> = patterns.iter().map(|pattern| pattern.parse().expect("pattern")).collect();
        let (place, resource) = (place(TABLE), resource("azure-udr/azure_route"));
        let whole = selects_whole(&patterns, &place, &resource);
        let mut rows = Vec::new();
        selected_rows(&patterns, whole, &place, &resource, record, |row| rows.push(row.to_string()));
        rows
    }

    #[test]
    fn routes_in_azure_are_listed_and_dropped_by_name() {
        let mut record = settled(routes(&[2, 10, 9]));
        let resource = resource("azure-udr/azure_route");
        assert!(has_rows(&resource, &record));
        for all in ["kubernetes-routes", "azure_route.kubernetes-routes", "azure_route.*", "*"] {
            assert_eq!(rows(&[all], &record), ["Route-2", "Route-9", "Route-10"], "{all}");
        }
        assert_eq!(rows(&["azure_route.kubernetes-routes[\"Route-9\"]"], &record), ["Route-9"]);
        assert_eq!(rows(&["azure_route.*[Route-1*]"], &record), ["Route-10"]);
        assert!(rows(&["azure_route.other"], &record).is_empty() && rows(&["kernel_route.*"], &record).is_empty());
        assert_eq!(number_of_rows(&resource, &record), 3);
        leave_out(&mut record, &[Row::Name("route-9".into()), Row::Name("Route-10".into())].into());
        assert_eq!(record, settled(routes(&[2])));
        // A record in doubt has the rows of both sides, and they are dropped from both.
        let mut record = Record::InDoubt { is: Some(routes(&[2, 9])), to: Some(routes(&[9, 10])), also: Vec::new() };
        assert_eq!(rows(&["*"], &record), ["Route-2", "Route-9", "Route-10"]);
        leave_out(&mut record, &[Row::Name("Route-9".into())].into());
        assert_eq!(rows(&["*"], &record), ["Route-2", "Route-10"]);
    }

    #[test]
    fn what_is_recorded_of_azure_is_shown_in_words() {
        let (recorded, table) = (PlaceRecord::default(), place(TABLE));
        let shown = |text: &str, is: serde_json::Value| {
            let fields = describe(&table, &recorded, &resource(text), &settled(shape(is)));
            fields[..fields.len() - 2].iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            shown(
                "azure-udr/azure_route_table",
                json!({ "made": true, "tags": { "managed-by": "topo", "topology": "k" } })
            ),
            ["recorded: created by topo", "tags: managed-by = topo, topology = k", "bgp routes: not managed"]
        );
        assert_eq!(
            shown("azure-udr/azure_route_table", json!({ "made": false, "bgp_route_propagation": false })),
            ["recorded: created by somebody else; topo never deletes it", "tags: none", "bgp routes: not propagated"]
        );
        assert_eq!(
            shown("azure-udr/azure_route", (*routes(&[2, 9]).attributes).clone()),
            ["recorded: 2 routes", "network: 10.240.0.0/16"]
        );
        assert_eq!(
            shown(
                "azure-udr/azure_subnet_association/kubernetes-subnet",
                json!({ "route_table": "/x/routes", "made": true })
            ),
            ["recorded: uses routes", "table: /x/routes"]
        );
        assert_eq!(
            shown("azure-udr/azure_subnet_association/s", json!({ "route_table": "/x/routes", "made": false })),
            ["recorded: uses routes, as before topo", "table: /x/routes"]
        );
        assert_eq!(
            shown("azure-udr/azure_nic_forwarding", json!({ "address": "10.240.0.20" })),
            ["recorded: topo turned IP forwarding on", "next hop: 10.240.0.20"]
        );
        // topo shows a record that it cannot read as it is.
        assert_eq!(
            shown("azure-udr/azure_nic_forwarding", json!({ "later": 1 })),
            ["recorded: present", "attributes: {\"later\":1}"]
        );
        let in_doubt = Record::InDoubt { is: None, to: Some(routes(&[2])), also: Vec::new() };
        let resource = resource("azure-udr/azure_route");
        let fields = describe_row(&table, &recorded, &resource, &in_doubt, &Row::Name("Route-2".into()));
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            fields,
            [
                "prefix: 10.200.2.0/24",
                "next hop: none, should become VirtualAppliance 10.240.0.2",
                "recorded: in doubt",
                "backend: azure-udr",
                &format!("place: {TABLE}"),
            ]
        );
    }
}

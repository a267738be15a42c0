//! The records of Azure's resources, and their form in the state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ARM, AZURE_NIC_FORWARDING, AZURE_ROUTE, AZURE_ROUTE_TABLE, AZURE_SUBNET_ASSOCIATION, Route, Wanted};
use crate::network::Prefix;
use crate::resource::{Name, Place, Record, ResourceId, Shape};
use crate::state::{PlaceRecord, State};

/// The record of a route table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecord {
    /// Whether topo created it. topo deletes only tables that it created.
    pub made: bool,
    /// Tags that topo set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What topo set for routes learned by BGP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp_route_propagation: Option<bool>,
}

/// The record of a table's routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesRecord {
    /// The address space of the virtual networks at the time when topo made the routes.
    pub space: Vec<Prefix>,
    /// The routes.
    pub routes: BTreeMap<Prefix, Route>,
}

/// The record of an association.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssociationRecord {
    /// The id of the table.
    pub route_table: String,
    /// Whether topo made the association. topo removes only associations that it made.
    pub made: bool,
}

/// The record of a network interface where topo turned forwarding on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardingRecord {
    /// The next hop that needs it.
    pub address: String,
}

/// A route that topo may own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRoute {
    /// The route as it is, or as it should become.
    pub route: Route,
    /// Whether topo has once seen it live.
    pub confirmed: bool,
}

/// All records of one route table.
#[derive(Clone, Debug, Default)]
pub struct TableClaims {
    /// The ids of the records, under any name that the backend had.
    pub ids: Vec<ResourceId>,
    /// First the versions of the table that topo has once seen, then those that it should become.
    pub table: Vec<(TableRecord, bool)>,
    /// Routes by destination.
    pub routes: BTreeMap<Prefix, Vec<RecordedRoute>>,
    /// The address space, if known.
    pub space: Option<Vec<Prefix>>,
    /// Whether some of it is in doubt.
    pub in_doubt: bool,
}

/// All records of one subnet's association, or of one network interface.
#[derive(Clone, Debug)]
pub struct Claimed<T> {
    /// The id of the record.
    pub id: ResourceId,
    /// Each shape that may be live, and whether topo has once seen it.
    pub shapes: Vec<(T, bool)>,
    /// Whether it is in doubt.
    pub in_doubt: bool,
}

/// All records of Azure's resources.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Route tables.
    pub tables: BTreeMap<Place, TableClaims>,
    /// Associations by virtual network.
    pub associations: BTreeMap<Place, Vec<Claimed<AssociationRecord>>>,
    /// Network interfaces.
    pub forwardings: BTreeMap<Place, Claimed<ForwardingRecord>>,
}

impl Recorded {
    /// Reads the records from a state.
    pub fn of(state: &State) -> Self {
        let mut recorded = Self::default();
        for (place, record) in state.places.iter().filter(|(place, _)| *place.kind() == ARM) {
            recorded.add(place, record);
        }
        recorded
    }

    /// Nodes to which a recorded route leads: to the address of the node, or to its pods through a gateway.
    pub(super) fn receivers<'w>(&self, wanted: &'w [Wanted]) -> impl Iterator<Item = &'w Name> {
        let (mut addresses, mut destinations) = (BTreeSet::new(), BTreeSet::new());
        for (destination, claim) in self
            .tables
            .values()
            .flat_map(|table| &table.routes)
            .flat_map(|(key, claims)| claims.iter().map(move |claim| (key, claim)))
        {
            match claim.route.hop.address {
                Some(address) => _ = addresses.insert(address),
                None => _ = destinations.insert(*destination),
            }
        }
        let rows = wanted.iter().flat_map(|wanted| &wanted.rows);
        let is_known = move |destination: &Prefix, address: &IpAddr| {
            addresses.contains(address) || destinations.contains(destination)
        };
        rows.filter_map(move |(destination, (address, name))| is_known(destination, address).then_some(name))
    }

    fn claims(&mut self, place: &Place, id: &ResourceId, entry: &Record) -> &mut TableClaims {
        let claims = self.tables.entry(place.clone()).or_default();
        claims.ids.push(id.clone());
        claims.in_doubt |= entry.is_in_doubt();
        claims
    }

    fn add(&mut self, place: &Place, record: &PlaceRecord) {
        for (id, entry) in &record.resources {
            match &*id.kind {
                kind if *kind == AZURE_ROUTE_TABLE => {
                    self.claims(place, id, entry).table.extend(shapes(entry));
                }
                kind if *kind == AZURE_ROUTE => {
                    let claims = self.claims(place, id, entry);
                    for (RoutesRecord { space, routes }, confirmed) in shapes(entry) {
                        claims.space = Some(space);
                        for (destination, route) in routes {
                            let known = claims.routes.entry(destination).or_default();
                            if !known.iter().any(|claim| claim.route == route) {
                                known.push(RecordedRoute { route, confirmed });
                            }
                        }
                    }
                }
                kind if *kind == AZURE_SUBNET_ASSOCIATION => {
                    self.associations.entry(place.clone()).or_default().push(Claimed::of(id, entry));
                }
                kind if *kind == AZURE_NIC_FORWARDING => {
                    self.forwardings.insert(place.clone(), Claimed::of(id, entry));
                }
                _ => {}
            }
        }
    }
}

impl<T: for<'de> Deserialize<'de>> Claimed<T> {
    fn of(id: &ResourceId, entry: &Record) -> Self {
        Self { id: id.clone(), shapes: shapes(entry), in_doubt: entry.is_in_doubt() }
    }
}

impl TableClaims {
    /// The record of this kind for an id.
    pub fn id(&self, kind: &str) -> Option<&ResourceId> {
        self.ids.iter().find(|id| &*id.kind == kind)
    }

    /// Whether a run started to create it and did not end.
    pub fn may_have_made(&self) -> bool {
        self.table.iter().any(|(table, _)| table.made)
    }
}

/// Each readable shape of a record, and whether topo has once seen it live. Those that it has seen come first.
fn shapes<T: for<'de> Deserialize<'de>>(entry: &Record) -> Vec<(T, bool)> {
    let read = |shape: &Shape| T::deserialize(&*shape.attributes).ok();
    let confirmed = entry.confirmed().filter_map(read).map(|shape| (shape, true));
    let meant = match entry {
        Record::InDoubt { to: Some(to), .. } => read(to),
        _ => None,
    };
    confirmed.chain(meant.map(|shape| (shape, false))).collect()
}

/// The form in the state.
pub fn shape_of<T: Serialize>(record: &T) -> Shape {
    Shape { routes: None, attributes: serde_json::to_value(record).unwrap_or_else(|_| json!({})).into() }
}

/// The number of routes in a shape of [`AZURE_ROUTE`], and their names by destination.
pub fn routes_in(attributes: &Value) -> Option<RoutesRecord> {
    RoutesRecord::deserialize(attributes).ok()
}

//! What is recorded of Azure, and how it is written down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{AZURE_NIC_FORWARDING, AZURE_ROUTE, AZURE_ROUTE_TABLE, AZURE_SUBNET_ASSOCIATION, Route};
use crate::network::Prefix;
use crate::resource::{Place, Record, ResourceId, Shape};
use crate::state::{PlaceRecord, State};

/// What is recorded of a route table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecord {
    /// Whether topo made it: only then it is ever deleted.
    pub made: bool,
    /// Tags that topo set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What topo set about routes learned by BGP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bgp_route_propagation: Option<bool>,
}

/// What is recorded of the routes of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesRecord {
    /// The address space of the virtual networks, as it was when the routes were made.
    pub space: Vec<Prefix>,
    /// The routes.
    pub routes: BTreeMap<Prefix, Route>,
}

/// What is recorded of an association.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssociationRecord {
    /// The id of the table.
    pub route_table: String,
    /// Whether topo associated it: only then the subnet ever leaves the table.
    pub made: bool,
}

/// What is recorded of a network interface whose forwarding topo turned on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardingRecord {
    /// The next hop for whose sake.
    pub address: String,
}

/// A route that may be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it is, or was to become.
    pub route: Route,
    /// Whether it was once seen to be there.
    pub confirmed: bool,
}

/// All that is recorded of one route table.
#[derive(Clone, Debug, Default)]
pub struct TableClaims {
    /// The ids of the records, under whatever name the backend had.
    pub ids: Vec<ResourceId>,
    /// What was once seen of the table, and what it was to become; in this order.
    pub table: Vec<(TableRecord, bool)>,
    /// Routes by destination.
    pub routes: BTreeMap<Prefix, Vec<Claim>>,
    /// The address space, where it is known.
    pub space: Option<Vec<Prefix>>,
    /// Whether some of it is in doubt.
    pub in_doubt: bool,
}

/// All that is recorded of one subnet's association, or of one network interface.
#[derive(Clone, Debug)]
pub struct Claimed<T> {
    /// The id of the record.
    pub id: ResourceId,
    /// Each shape that may be there, and whether it was once seen to be.
    pub shapes: Vec<(T, bool)>,
    /// Whether it is in doubt.
    pub in_doubt: bool,
}

/// All that is recorded of Azure.
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
    /// Reads what a state has.
    pub fn of(state: &State) -> Self {
        let mut recorded = Self::default();
        for (place, record) in state.places.iter().filter(|(place, _)| !place.is_node()) {
            recorded.add(place, record);
        }
        recorded
    }

    fn add(&mut self, place: &Place, record: &PlaceRecord) {
        for (id, entry) in &record.resources {
            match &*id.kind {
                kind if *kind == AZURE_ROUTE_TABLE => {
                    let claims = self.tables.entry(place.clone()).or_default();
                    claims.note(id, entry);
                    claims.table.extend(shapes(entry));
                }
                kind if *kind == AZURE_ROUTE => {
                    let claims = self.tables.entry(place.clone()).or_default();
                    claims.note(id, entry);
                    for (RoutesRecord { space, routes }, confirmed) in shapes(entry) {
                        claims.space = Some(space);
                        for (destination, route) in routes {
                            let known = claims.routes.entry(destination).or_default();
                            if !known.iter().any(|claim| claim.route == route) {
                                known.push(Claim { route, confirmed });
                            }
                        }
                    }
                }
                kind if *kind == AZURE_SUBNET_ASSOCIATION => {
                    let claim = Claimed { id: id.clone(), shapes: shapes(entry), in_doubt: entry.is_in_doubt() };
                    self.associations.entry(place.clone()).or_default().push(claim);
                }
                kind if *kind == AZURE_NIC_FORWARDING => {
                    let claim = Claimed { id: id.clone(), shapes: shapes(entry), in_doubt: entry.is_in_doubt() };
                    self.forwardings.insert(place.clone(), claim);
                }
                _ => {}
            }
        }
    }
}

impl TableClaims {
    fn note(&mut self, id: &ResourceId, entry: &Record) {
        self.ids.push(id.clone());
        self.in_doubt |= entry.is_in_doubt();
    }

    /// The record under an id's kind.
    pub fn id(&self, kind: &str) -> Option<&ResourceId> {
        self.ids.iter().find(|id| &*id.kind == kind)
    }

    /// Whether it is recorded that topo made the table, as far as nobody has to look for that.
    pub fn made(&self) -> bool {
        self.table.iter().any(|(table, confirmed)| table.made && *confirmed)
    }

    /// Whether a run set out to make it and did not come to its end.
    pub fn may_have_made(&self) -> bool {
        self.table.iter().any(|(table, _)| table.made)
    }
}

/// Each shape of a record that can be read, and whether it was once seen to be there. Those that were come first.
fn shapes<T: for<'de> Deserialize<'de>>(entry: &Record) -> Vec<(T, bool)> {
    let read = |shape: &Shape| T::deserialize(&shape.attributes).ok();
    let confirmed = entry.confirmed().filter_map(read).map(|shape| (shape, true));
    let meant = match entry {
        Record::InDoubt { to: Some(to), .. } => read(to),
        _ => None,
    };
    confirmed.chain(meant.map(|shape| (shape, false))).collect()
}

/// As the state keeps it.
pub fn shape_of<T: Serialize>(record: &T) -> Shape {
    Shape { routes: None, attributes: serde_json::to_value(record).unwrap_or_else(|_| json!({})) }
}

/// How many routes a shape of [`AZURE_ROUTE`] has, and their names by destination.
pub fn routes_in(attributes: &Value) -> Option<RoutesRecord> {
    RoutesRecord::deserialize(attributes).ok()
}

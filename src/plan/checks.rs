//! Checks before anything is written: whose machine it is, and what a route would take away from it.

use std::collections::BTreeSet;

use super::build::{Inputs, Plan};
use super::findings::{Note, Refusal};
use super::observed::Seen;
use super::table::TablePlan;
use super::{Place, ResourceId};
use crate::network::Prefix;

impl Plan {
    /// Checks the markers of a machine; tells whether ours is there.
    pub(super) fn check_markers(
        &mut self,
        inputs: &Inputs<'_>,
        place: &Place,
        seen: &Seen,
        tables: &[(ResourceId, TablePlan)],
    ) -> bool {
        let mut ours = false;
        for marker in &seen.identity.markers {
            if marker.topology == inputs.topology.as_str() {
                ours = marker.lineage == inputs.recorded.lineage.to_string();
                if !ours && !marker.lineage.is_empty() {
                    self.notes.push(Note::OtherLineage(place.clone(), marker.lineage.clone()));
                    if !inputs.options.new_lineage {
                        self.refusals.push(Refusal::LineageLost(place.clone()));
                    }
                }
            } else if tables.iter().any(|(_, table)| table.marks.contains(&marker.protocol)) {
                self.refusals.push(Refusal::ProtocolTaken(place.clone(), marker.topology.clone(), marker.protocol));
            }
        }
        ours
    }

    /// Lockout: what a route that is about to be written would take away.
    pub(super) fn check_lockout(&mut self, place: &Place, tables: &[(ResourceId, TablePlan)], seen: &Seen) {
        let identity = &seen.identity;
        let own = tables.iter().filter_map(|(_, table)| table.to.as_ref()).flat_map(|to| to.own.iter().copied());
        let needed = identity
            .peer
            .iter()
            .map(|address| (*address, "the address that you are logged in from"))
            .chain(own.map(|address| (address, "an address of the node")))
            .chain(identity.addresses.iter().map(|address| (*address, "an address of the node")))
            .chain(identity.gateways.iter().map(|address| (*address, "the default gateway")))
            .chain(identity.resolvers.iter().map(|address| (*address, "a DNS server in use")));
        let mut told = BTreeSet::new();
        for (address, what) in needed {
            for (_, table) in tables {
                let Some(to) = &table.to else { continue };
                let rows = to.rows.as_slice();
                let at = rows.partition_point(|row| row.destination <= Prefix::host(address));
                let Some(row) = at.checked_sub(1).and_then(|at| rows.get(at)) else { continue };
                let key = row.destination;
                if key.contains(address) && table.writes(&key) && told.insert((key, address)) {
                    self.refusals.push(Refusal::Captures(place.clone(), key, address, what));
                }
            }
        }
        for (next_hop, found) in &seen.not_on_link {
            self.refusals.push(Refusal::NotOnLink(place.clone(), *next_hop, found.clone()));
        }
    }
}

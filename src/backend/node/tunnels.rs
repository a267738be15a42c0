//! Routes whose next hops are behind devices that do not use them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::observed::Seen;
use crate::network::Prefix;
use crate::plan::findings::Text;
use crate::plan::{DesiredPlace, Finding, Plan};
use crate::resource::Place;

impl Plan {
    /// Reports the devices that choose the peer themselves, whatever the next hop of a route is: each device once.
    pub(super) fn check_tunnels(&mut self, place: &Place, wanted: Option<&DesiredPlace>, seen: &Seen) {
        let live = seen.tables.iter().flat_map(|(_, listed)| &listed.tunnels);
        let mut devices: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
        for (hop, device) in live.chain(&seen.tunnels) {
            devices.entry(device).or_default().insert(*hop);
        }
        if devices.is_empty() {
            return;
        }
        // All resources of a node have the same rows.
        let mut sets = wanted.iter().flat_map(|wanted| wanted.resources.values());
        let Some(set) = sets.find_map(|shape| shape.routes.as_ref()) else { return };
        for (device, hops) in devices {
            let behind: Vec<_> = set.routes().filter(|route| hops.contains(&route.next_hop)).collect();
            if let Some(first) = behind.first() {
                self.findings.push(behind_tunnel(place, device, first.destination, behind.len()));
            }
        }
    }
}

/// Tunnels without addresses on the link, such as `WireGuard`, find the peer by the destination of a packet.
fn behind_tunnel(place: &Place, device: &str, first: Prefix, count: usize) -> Finding {
    let (routes, lead) = match count {
        1 => (format!("the route to {first}"), "leads"),
        _ => (format!("{count} routes, the first to {first},"), "lead"),
    };
    let text = format!(
        ", {routes} {lead} into the tunnel {device}. Such a device forwards by its own allowed addresses, not by the next hop."
    );
    Finding::warning("tunnel", place, Text::around("On ", text)).found(device).act(format!(
        "Check that {device} allows these destinations for the right peers (WireGuard: AllowedIPs, `wg show`)."
    ))
}

//! The plan of one routing table of one node: what is recorded, what is wanted, and the keys whose live rows differ from the record.

mod live;
mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::ForeignKey;
use super::classify::KeyVerdict;
use crate::exchange::node::{Listed, LiveRoute};
use crate::network::{Prefix, RouteSet, View};
use crate::resource::{Phase, Token};

/// The changes of one table (and metric) of one node. Routes are computed when they are asked for.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// How the routes are written: table, metric, protocol.
    pub view: Arc<View>,
    /// Route protocols that are topo's mark there: the one that topo writes, and the recorded one if it differs.
    pub mark_protocols: Vec<u8>,
    /// The recorded routes. They are live, except the keys in `overrides`.
    pub from: Option<RouteSet>,
    /// The other recorded routes, if the record is in doubt.
    pub doubts: Vec<RouteSet>,
    /// What is wanted.
    pub to: Option<RouteSet>,
    /// Keys whose live rows differ from the record, each with its verdict.
    pub overrides: BTreeMap<Prefix, KeyVerdict>,
    /// What a look found a record in doubt to be; several sets if the marks differ.
    pub settled: Vec<RouteSet>,
    /// The device of each gateway that is on-link although no prefix contains it.
    pub gateway_devices: Vec<(IpAddr, Box<str>)>,
    /// The token that the place gave for the table.
    pub token: Option<Token>,
    /// Whether rows that look like topo's are not topo's: neither wanted nor recorded, or of others with a wanted key. The token then
    /// does not stand for the record.
    pub has_strays: bool,
    /// Whether rows of others win over wanted ones, or may come back beside them. topo then lists them at each look, because it warns
    /// about them.
    pub has_winners: bool,
    /// Whether topo changes a row without its mark. The guard then includes the rows of others.
    pub guard_foreign: bool,
    /// Whether topo compares this resource with the live rows. It does not if the routes stand in a file and another backend puts
    /// them into the kernel.
    pub owns_live_rows: bool,
    /// Whether the routes stand in a file of the same resource, and come and go with it.
    pub in_file: bool,
    /// Whether the topology wants the routes in a file.
    pub accepts_static: bool,
    /// When topo removes rows: together with the file, if it writes a file first.
    pub retires: Phase,
}

/// What topo found in a table, besides the changes.
#[derive(Debug, Default)]
pub struct TableFindings {
    /// Keys that belong to somebody else, with what is there.
    pub conflicts: Vec<(Prefix, ForeignKey)>,
    /// Routes that somebody else provides.
    pub provided: Vec<(Prefix, String)>,
    /// Recorded keys that are no longer wanted and belong to somebody else now.
    pub lost: Vec<(Prefix, String)>,
    /// Rows with topo's mark that are neither wanted nor recorded.
    pub stray: Vec<LiveRoute>,
    /// Rows that win over a wanted route for some or all of its addresses: the wanted destination, and a description of the row.
    pub wins: Vec<(Prefix, String)>,
    /// Rows beside a wanted one with the same key, where nobody knows which of the two the place uses.
    pub beside: Vec<(Prefix, String)>,
    /// Protocols of rows of others that have the key of a wanted route, and stay beside it or can come back.
    pub contested: BTreeSet<u8>,
    /// Keys of topo's that it cannot change, because somebody else has a row with the same key.
    pub blocked_keys: Vec<(Prefix, String)>,
    /// Rows that lead the node's own pods elsewhere, each with whether `--take-over` can remove the row.
    pub led_away: Vec<(LiveRoute, bool)>,
    /// Rows that lead a part of the node's own pods elsewhere: the pod subnet, and the row.
    pub partly_led_away: Vec<(Prefix, LiveRoute)>,
    /// Networks of the node's own pods to which no row leads, although the node has an address there.
    pub cut_off: Vec<Prefix>,
    /// Keys of subnets that were the node's own. A bridge still has them.
    pub deferred: Vec<(Prefix, String)>,
}

/// What topo judges a table by.
pub struct TableInput<'a> {
    /// Route protocols that are topo's mark in this table, recorded or wanted.
    pub mark_protocols: Vec<u8>,
    /// The marks of this resource alone, if somebody looked.
    pub own_protocols: Vec<u8>,
    /// The recorded routes: one set, or several if the record is in doubt.
    pub recorded: &'a [&'a RouteSet],
    /// The recorded routes of the resource with any table and metric.
    pub elsewhere: &'a [&'a RouteSet],
    /// Whether the record is in doubt.
    pub in_doubt: bool,
    /// The recorded routes that topo once saw live, if somebody looked. The rest of a record in doubt may never have been
    /// written.
    pub confirmed: Vec<&'a RouteSet>,
    /// The wanted routes.
    pub wanted: Option<&'a RouteSet>,
    /// The live rows, if somebody looked.
    pub listed: Option<&'a Listed>,
    /// Whether the user takes a destination over from others.
    pub take_over: &'a dyn Fn(&Prefix) -> bool,
    /// Whether topo compares this resource with the live rows.
    pub owns_live_rows: bool,
    /// Whether the routes stand in a file of the same resource.
    pub in_file: bool,
    /// The routes that files of topo's keep there.
    pub files: &'a FiledRoutes<'a>,
    /// Routes beside which somebody else has a row of the same key that the place uses instead, each with what it says about them. None:
    /// the place cannot be asked about this table.
    pub beaten: Option<&'a [(Prefix, String)]>,
    /// The networks that the place has addresses in. They have rows in the table, unless somebody has removed these. Empty: the table
    /// is none that has such rows.
    pub networks: &'a [Prefix],
    /// The devices that the place named for gateways.
    pub devices: &'a [(IpAddr, Box<str>)],
}

/// The routes that files of topo's keep on a node. Whoever reads the file installs them with the protocol static.
#[derive(Debug, Default)]
pub struct FiledRoutes<'a> {
    /// The recorded routes.
    pub recorded: Vec<&'a RouteSet>,
    /// The routes in files of this topology on the node, recorded or not.
    pub found: BTreeMap<Prefix, IpAddr>,
    /// Whether the topology wants such a file.
    pub wanted: bool,
}

impl FiledRoutes<'_> {
    /// Whether a static row with this destination comes from a file of topo's.
    pub fn has(&self, destination: &Prefix) -> bool {
        self.found.contains_key(destination) || self.recorded.iter().any(|set| set.find(destination).is_some())
    }
}

impl TablePlan {
    /// The device on which a next hop answers although no prefix contains it. None: the kernel finds the device.
    pub fn device_of(&self, next_hop: IpAddr) -> Option<&str> {
        self.gateway_devices.iter().find(|(gateway, _)| *gateway == next_hop).map(|(_, device)| &**device)
    }

    /// The wanted gateways that are on-link, and of which nobody knows the device.
    pub fn gateways_without_device(&self) -> impl Iterator<Item = IpAddr> {
        let gateways = self.to.iter().flat_map(|set| set.view.gateways_on_link()).copied();
        gateways.filter(|gateway| self.device_of(*gateway).is_none())
    }

    /// Judges one table by its recorded and wanted routes and its live rows. There is at least one set of routes.
    pub fn new(mut input: TableInput<'_>) -> Option<(Self, TableFindings)> {
        let view = input.wanted.or(input.recorded.first().copied()).map(|set| Arc::clone(&set.view))?;
        let from = input.recorded.first().map(|set| (*set).clone());
        let mut plan = Self {
            view,
            mark_protocols: std::mem::take(&mut input.mark_protocols),
            from,
            doubts: input.recorded.iter().skip(1).map(|set| (*set).clone()).collect(),
            to: input.wanted.cloned(),
            overrides: BTreeMap::new(),
            settled: Vec::new(),
            gateway_devices: gateway_devices(&input),
            token: input.listed.map(|listed| listed.token.clone()),
            has_strays: false,
            has_winners: false,
            guard_foreign: false,
            owns_live_rows: input.owns_live_rows,
            in_file: input.in_file,
            accepts_static: input.files.wanted,
            retires: Phase::Retire,
        };
        let mut findings = TableFindings::default();
        match input.listed {
            Some(listed) => plan.judge(&input, listed, &mut findings),
            // Nobody looked. Routes that somebody else provided at the last look count as still provided.
            None => {
                if let (Some(from), Some(to)) = (&plan.from, &mut plan.to) {
                    to.excluded = Arc::clone(&from.excluded);
                }
            }
        }
        Some((plan, findings))
    }
}

/// The device of each gateway that is on-link: the one that the topology names, or else the one that the place named.
fn gateway_devices(input: &TableInput<'_>) -> Vec<(IpAddr, Box<str>)> {
    let mut devices: Vec<(IpAddr, Box<str>)> = Vec::new();
    for view in input.wanted.iter().chain(input.recorded).map(|set| &set.view) {
        for gateway in view.gateways_on_link() {
            let named = || input.devices.iter().find(|(of, _)| of == gateway).map(|(_, device)| device.clone());
            let device = view.device.clone().or_else(named);
            if !devices.iter().any(|(of, _)| of == gateway) {
                devices.extend(device.map(|device| (*gateway, device)));
            }
        }
    }
    devices
}

#[cfg(test)]
mod tests;

//! What a node answers to the works of an exchange.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use topo::exchange::node::{
    FileOutcome, FoundWay, Identity, Listed, Listing, LiveRoute, Part, Reply, Request, RouteCommand, RouteOutcome,
    RouteVerb, RouteWrite, ValuesSet,
};
use topo::network::{Family, MAIN_TABLE, Prefix, Route};
use topo::resource::Token;

use super::kernel::{AZURE, Command, Node, Owner, TableRow, Verb, Way, link, text};

impl Node {
    /// The rows of a table as they are listed, each with what tells it from all others.
    fn listed(&self, table: u32) -> Vec<(LiveRoute, String)> {
        let mut listed = Vec::new();
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| row.table == table) {
            let v6 = row.destination.family() == Family::V6;
            let siblings: Vec<usize> = if v6 && matches!(row.way, Way::Via(_)) {
                let key = self.at_key(row).into_iter();
                key.filter(|at| matches!(self.rows[*at].way, Way::Via(_))).collect()
            } else {
                vec![at]
            };
            if siblings[0] != at {
                continue;
            }
            let several = siblings.len() > 1;
            let (next_hop, device, plain) = match &row.way {
                Way::Multi(_) => (None, None, false),
                Way::Via(_) if several => (None, None, false),
                Way::Via(hop) => (Some(*hop), Some("eth0"), true),
                Way::Device => (None, Some("eth0"), true),
                Way::Blackhole => (None, v6.then_some("lo"), false),
            };
            let live = LiveRoute {
                destination: row.destination,
                next_hop,
                device: device.map(str::to_owned),
                protocol: row.protocol,
                metric: row.metric,
                plain,
                attributes: None,
            };
            let ways: Vec<&Way> = siblings.iter().map(|at| &self.rows[*at].way).collect();
            let text = format!("{live:?} {ways:?}");
            listed.push((live, text));
        }
        listed
    }

    pub(crate) fn parts(&self, listing: &Listing) -> (Vec<LiveRoute>, Vec<LiveRoute>, Token) {
        let mut listed = self.listed(listing.table);
        listed.sort_by(|one, other| one.1.cmp(&other.1));
        let (ours, foreign): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|(row, _)| listing.protocols.contains(&row.protocol));
        let digest = |rows: &[(LiveRoute, String)]| {
            let mut hasher = DefaultHasher::new();
            for (_, text) in rows {
                text.hash(&mut hasher);
            }
            format!("{:016x}", hasher.finish())
        };
        let token = Token::of(&digest(&ours), &digest(&foreign));
        let rows = |part: Vec<(LiveRoute, String)>| part.into_iter().map(|(row, _)| row).collect();
        (rows(ours), rows(foreign), token)
    }

    /// Answers all works of an exchange.
    pub(crate) fn exchange(&mut self, requests: &[Request]) -> Vec<Reply> {
        let mut held = false;
        // The rows before a file was written.
        let mut before: Option<(u32, Self)> = None;
        requests
            .iter()
            .map(|work| match work {
                Request::Identify => Reply::Identity(self.identity()),
                Request::List(listing) => Reply::Listed(self.list(listing)),
                // All machines of this world have one device.
                Request::Devices(gateways) => {
                    Reply::Devices(gateways.iter().map(|gateway| (*gateway, "eth0".into())).collect())
                }
                Request::Reach(hops) => Reply::Reached { not_on_link: self.not_on_link(hops), tunnels: Vec::new() },
                // It has no rules of its own, so nobody asks about packets of pods.
                Request::Ways(packets) => Reply::Ways(packets.iter().map(|packet| self.found_way(packet.to)).collect()),
                Request::Kept(_) => Reply::Kept(Vec::new()),
                Request::Inspect(inquiry) => Reply::Inspected(self.inspect(inquiry)),
                Request::Values(inquiry) => Reply::Values(self.values(inquiry)),
                Request::SetValues(write) => {
                    let set = if held { ValuesSet::Moved } else { self.set_values(write) };
                    held |= set != ValuesSet::Done;
                    Reply::ValuesSet(set)
                }
                Request::File(write) => {
                    before = Some((write.listing.table, self.clone()));
                    let filed = self.write_file(write);
                    held |= !matches!(filed, FileOutcome::Done { .. });
                    Reply::FileOutcome(filed)
                }
                Request::WriteMarker(marker) => {
                    self.markers.insert(marker.topology.clone(), marker.clone());
                    Reply::Marker(None)
                }
                Request::RemoveMarker(topology) => {
                    if !held {
                        self.markers.remove(topology);
                    }
                    Reply::Marker(None)
                }
                Request::Write(write) => {
                    let behind = before.as_ref().filter(|(table, _)| *table == write.listing.table);
                    let written = if behind.is_some() && held {
                        Some(RouteOutcome::Moved)
                    } else {
                        self.write(write, behind.map(|(_, before)| before))
                    };
                    held |= !matches!(written, Some(RouteOutcome::Done { .. }));
                    let unknown = || Reply::Unknown("The old routes could not all be put back.".to_owned());
                    written.map_or_else(unknown, Reply::RouteOutcome)
                }
            })
            .collect()
    }

    fn identity(&self) -> Identity {
        let is_there = |(own, _): &&(IpAddr, u8)| !self.down || Family::of(*own) == Family::V4;
        let addresses = self.addresses.iter().filter(is_there);
        let default = |row: &&TableRow| row.table == MAIN_TABLE && row.destination.is_default();
        Identity {
            machine_id: self.machine_id.clone(),
            user: None,
            markers: self.markers.values().cloned().collect(),
            peer: self.peer,
            addresses: addresses.clone().map(|(address, _)| *address).collect(),
            networks: addresses.map(link).collect(),
            resolvers: Vec::new(),
            gateways: self
                .rows
                .iter()
                .filter(default)
                .filter_map(|row| if let Way::Via(hop) = row.way { Some(hop) } else { None })
                .collect(),
            rules: Vec::new(),
            on_devices: Vec::new(),
            in_azure: self.chassis.as_deref().and_then(|tag| tag.lines().next()).map(str::trim) == Some(AZURE),
        }
    }

    fn list(&self, listing: &Listing) -> Listed {
        let (ours, foreign, token) = self.parts(listing);
        let known = listing.known.as_ref();
        Listed {
            ours: if known.map(Token::ours) == Some(token.ours()) { Part::AsKnown } else { Part::Sent(ours) },
            tunnels: Vec::new(),
            foreign: if known == Some(&token) { Part::AsKnown } else { Part::Sent(foreign) },
            token,
        }
    }

    fn found_way(&self, to: IpAddr) -> FoundWay {
        let rows = self.lookup(MAIN_TABLE, to);
        let Some(row) = rows.first().filter(|row| row.way != Way::Blackhole) else {
            return FoundWay::Dropped(self.way_to(to));
        };
        let hops: Vec<IpAddr> = rows
            .iter()
            .flat_map(|row| match &row.way {
                Way::Via(hop) => vec![*hop],
                Way::Multi(hops) => hops.clone(),
                _ => Vec::new(),
            })
            .collect();
        let next_hop = if let [only] = hops[..] { Some(only) } else { None };
        let said = format!("{} {hops:?}", row.destination);
        FoundWay::Route { next_hop, device: Some("eth0".to_owned()), table: MAIN_TABLE, said }
    }

    fn not_on_link(&self, hops: &[IpAddr]) -> Vec<(IpAddr, String)> {
        let said = |hop: &IpAddr| (*hop, self.way_to(*hop));
        hops.iter().map(said).filter(|(hop, way)| *way != format!("{hop} dev eth0")).collect()
    }

    /// `before` is what was there before a file was written in the same exchange.
    /// None: the way back to the operator would have changed, and the rows of before did not all come back.
    fn write(&mut self, write: &RouteWrite, before: Option<&Self>) -> Option<RouteOutcome> {
        let (_, _, token) = before.unwrap_or(self).parts(&write.listing);
        if let Some(known) = &write.listing.known {
            let foreign = write.guard_foreign && known.foreign() != token.foreign();
            if known.ours() != token.ours() || foreign {
                return Some(RouteOutcome::Moved);
            }
        }
        self.writes += 1;
        let before = before.unwrap_or(self).listed(write.listing.table);
        let way_before = self.peer.map(|peer| self.way_to(peer)).unwrap_or_default();
        let mut refused = Vec::new();
        for (index, command) in write.commands.iter().enumerate() {
            if let Err(said) = self.ours(write.listing.table, command) {
                refused.push((index, said));
            }
        }
        if let Some(destination) = self.loses_with_write.take() {
            self.rows.retain(|row| row.destination != destination);
        }
        let way_after = self.peer.map(|peer| self.way_to(peer)).unwrap_or_default();
        if way_before != way_after {
            // In the order of the script.
            let of = |is_it: fn(&RouteVerb) -> bool| write.commands.iter().filter(move |command| is_it(&command.verb));
            let removed = of(|verb| matches!(verb, RouteVerb::Delete));
            let changed = of(|verb| matches!(verb, RouteVerb::Change { .. })).rev();
            let added = of(|verb| matches!(verb, RouteVerb::Add));
            for command in removed.chain(changed).chain(added) {
                let _ = self.ours(write.listing.table, &inverse(command));
            }
            let now = self.listed(write.listing.table);
            let is_same = now.len() == before.len() && now.iter().all(|row| before.contains(row));
            return is_same.then_some(RouteOutcome::PutBack { before: way_before, after: way_after });
        }
        let after = self.listed(write.listing.table);
        let without = |rows: &[(LiveRoute, String)], others: &[(LiveRoute, String)]| -> Vec<LiveRoute> {
            rows.iter()
                .filter(|(_, text)| others.iter().all(|(_, other)| other != text))
                .map(|(row, _)| row.clone())
                .collect()
        };
        Some(RouteOutcome::Done {
            token: self.parts(&write.listing).2,
            appeared: without(&after, &before),
            vanished: without(&before, &after),
            refused,
            loses: self.loses(write),
        })
    }

    /// One command of a batch of topo's own.
    fn ours(&mut self, table: u32, command: &RouteCommand) -> Result<(), String> {
        let verb = match command.verb {
            RouteVerb::Add => Verb::Add,
            RouteVerb::Change { .. } => Verb::Change,
            RouteVerb::Delete => Verb::Delete,
        };
        let displaced = self.route(
            &Command {
                verb,
                table,
                destination: command.route.destination,
                metric: command.metric,
                way: Way::Via(command.route.next_hop),
                protocol: Some(command.protocol),
            },
            Owner::Us,
        )?;
        for row in displaced.into_iter().filter(|row| row.owner == Owner::Other) {
            self.trespasses.push(format!("{command:?} took {row:?}"));
        }
        Ok(())
    }

    fn loses(&self, write: &RouteWrite) -> Vec<String> {
        let wanted: Vec<Route> = write
            .commands
            .iter()
            .filter(|command| command.verb != RouteVerb::Delete && write.listing.table == MAIN_TABLE)
            .map(|command| command.route)
            .collect();
        let answers: Vec<String> = wanted
            .iter()
            .filter_map(|route| match self.lookup(MAIN_TABLE, probe(&route.destination))[..] {
                [TableRow { way: Way::Via(hop), destination, .. }] => Some(line(destination, *hop)),
                _ => None,
            })
            .collect();
        let mut lines: Vec<String> = wanted.iter().map(|route| line(&route.destination, route.next_hop)).collect();
        lines.sort();
        lines.dedup();
        lines.retain(|line| !answers.contains(line));
        lines
    }
}

fn line(destination: &Prefix, hop: IpAddr) -> String {
    format!("{} via {hop}", text(destination))
}

fn probe(destination: &Prefix) -> IpAddr {
    match destination.address() {
        IpAddr::V4(address) if destination.length() < 31 => IpAddr::V4((u32::from(address) + 2).into()),
        IpAddr::V6(address) if destination.length() < 127 => IpAddr::V6((u128::from(address) + 2).into()),
        address => address,
    }
}

fn inverse(command: &RouteCommand) -> RouteCommand {
    match &command.verb {
        RouteVerb::Add => RouteCommand { verb: RouteVerb::Delete, ..command.clone() },
        RouteVerb::Delete => RouteCommand { verb: RouteVerb::Add, ..command.clone() },
        RouteVerb::Change { from, protocol, .. } => RouteCommand {
            verb: RouteVerb::Change { from: command.route.next_hop, protocol: command.protocol, on_link: None },
            route: Route { next_hop: *from, ..command.route },
            protocol: *protocol,
            metric: command.metric,
            on_link: None,
        },
    }
}

//! A pure model of one node: its routing tables as the kernel keeps them, its markers and its addresses. The differential
//! test compares it with the kernel.

use std::collections::BTreeMap;
use std::net::IpAddr;

use topo::exchange::node::Marker;
use topo::network::{BOOT, Family, KERNEL, MAIN_TABLE, Prefix};

use super::network_configuration::Configuration;
use super::settings::Settings;

/// The asset tag of the chassis of every machine in Azure.
pub(crate) const AZURE: &str = "7783-7084-3265-9085-8269-3286-77";

/// Where a row leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Way {
    Via(IpAddr),
    Device,
    Blackhole,
    /// Several next hops in one IPv4 row.
    Multi(Vec<IpAddr>),
}

/// Who put a row there. The kernel does not know; the tests do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Us,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableRow {
    pub(crate) table: u32,
    pub(crate) destination: Prefix,
    pub(crate) metric: u32,
    pub(crate) way: Way,
    pub(crate) protocol: u8,
    pub(crate) owner: Owner,
}

/// What `ip route VERB` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Append,
    Prepend,
    Change,
    Replace,
    Delete,
}

/// One `ip route …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) verb: Verb,
    pub(crate) table: u32,
    pub(crate) destination: Prefix,
    pub(crate) metric: Option<u32>,
    pub(crate) way: Way,
    pub(crate) protocol: Option<u8>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) machine_id: String,
    pub(crate) markers: BTreeMap<String, Marker>,
    /// Addresses with the length of their link's prefix.
    pub(crate) addresses: Vec<(IpAddr, u8)>,
    /// Addresses that it had, under which it can still be logged in to.
    pub(crate) aliases: Vec<IpAddr>,
    /// Whether the link is down.
    pub(crate) down: bool,
    pub(crate) rows: Vec<TableRow>,
    pub(crate) peer: Option<IpAddr>,
    /// The asset tag of its chassis, where it has one.
    pub(crate) chassis: Option<String>,
    /// Rows of others that topo has changed or removed.
    pub(crate) trespasses: Vec<String>,
    /// A destination whose rows go with the next write, whoever has them.
    pub(crate) loses_with_write: Option<Prefix>,
    /// Number of writes that were begun.
    pub(crate) writes: usize,
    pub(crate) configuration: Configuration,
    pub(crate) settings: Settings,
}

pub(crate) fn kernel_metric(family: Family, metric: Option<u32>) -> u32 {
    match (family, metric) {
        (Family::V6, None | Some(0)) => 1024,
        (_, metric) => metric.unwrap_or(0),
    }
}

impl Node {
    /// A node whose link is up.
    pub(crate) fn new(machine_id: &str, addresses: &[(IpAddr, u8)], peer: Option<IpAddr>) -> Self {
        let settings = Settings::new(&["eth0"]);
        let mut node = Self { machine_id: machine_id.to_owned(), peer, settings, ..Self::default() };
        node.address(addresses);
        node
    }

    /// Gives it these addresses, in place of those that it has; rows stay.
    pub(crate) fn address(&mut self, addresses: &[(IpAddr, u8)]) {
        self.rows
            .retain(|row| row.protocol != KERNEL || !self.addresses.iter().any(|own| link(own) == row.destination));
        self.aliases.extend(self.addresses.iter().map(|own| own.0));
        self.addresses = addresses.to_vec();
        self.connect();
    }

    /// Whether a login at this address ends here.
    pub(crate) fn answers_at(&self, host: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.0 == host) || self.aliases.contains(&host)
    }

    fn connect(&mut self) {
        for own in self.addresses.clone() {
            let destination = link(&own);
            let metric = if destination.family() == Family::V6 { 256 } else { 0 };
            let row = TableRow {
                table: MAIN_TABLE,
                destination,
                metric,
                way: Way::Device,
                protocol: KERNEL,
                owner: Owner::Other,
            };
            self.insert(row, true);
        }
    }

    /// The link goes down and takes all rows over it along.
    pub(crate) fn link_down(&mut self) {
        self.down = true;
        self.rows.retain(|row| row.way == Way::Blackhole);
    }

    /// The link comes up; IPv6 addresses that were lost are given again.
    pub(crate) fn link_up(&mut self) {
        if std::mem::take(&mut self.down) {
            self.connect();
            self.carrier();
        }
    }

    /// All is new there, under the same addresses.
    pub(crate) fn reinstall(&mut self, machine_id: &str) {
        let fresh = Self::new(machine_id, &self.addresses, self.peer);
        *self = Self {
            trespasses: std::mem::take(&mut self.trespasses),
            aliases: std::mem::take(&mut self.aliases),
            ..fresh
        };
    }

    /// Carries out `ip route …` as somebody else does it. A row of ours that is changed by hand is still ours.
    pub(crate) fn by_hand(&mut self, command: &Command) -> Result<(), String> {
        self.route(command, Owner::Other).map(|_| ())
    }

    fn insert(&mut self, row: TableRow, last: bool) {
        let same_key = |other: &TableRow| {
            other.table == row.table && other.destination == row.destination && other.metric == row.metric
        };
        let at = if last {
            self.rows.iter().rposition(same_key).map_or(self.rows.len(), |at| at + 1)
        } else {
            self.rows.iter().position(same_key).unwrap_or(self.rows.len())
        };
        self.rows.insert(at, row);
    }

    /// Carries out one command; gives back the rows that it changed or removed.
    pub(crate) fn route(&mut self, command: &Command, owner: Owner) -> Result<Vec<TableRow>, String> {
        if command.verb == Verb::Delete {
            return self.delete(command).map(|row| vec![row]);
        }
        self.check_way(command)?;
        let family = command.destination.family();
        let row = TableRow {
            table: command.table,
            destination: command.destination,
            metric: kernel_metric(family, command.metric),
            way: command.way.clone(),
            protocol: command.protocol.unwrap_or(BOOT),
            owner,
        };
        match family {
            Family::V4 => self.put_v4(command.verb, row),
            Family::V6 => self.put_v6(command.verb, row),
        }
    }

    pub(super) fn at_key(&self, row: &TableRow) -> Vec<usize> {
        let same = |other: &TableRow| {
            other.table == row.table && other.destination == row.destination && other.metric == row.metric
        };
        (0..self.rows.len()).filter(|at| same(&self.rows[*at])).collect()
    }

    /// `fib_table_insert` in `net/ipv4/fib_trie.c`.
    fn put_v4(&mut self, verb: Verb, mut row: TableRow) -> Result<Vec<TableRow>, String> {
        let key = self.at_key(&row);
        let equal = key.iter().position(|at| self.rows[*at].way == row.way && self.rows[*at].protocol == row.protocol);
        match (key.first(), verb) {
            (Some(_), Verb::Add) => Err("File exists".to_owned()),
            (Some(first), Verb::Change | Verb::Replace) => match equal {
                Some(0) => {
                    if row.owner == Owner::Us {
                        self.rows[*first].owner = Owner::Us;
                    }
                    Ok(vec![])
                }
                Some(_) => Err("File exists".to_owned()),
                None => {
                    row.owner = row.owner.min(self.rows[*first].owner);
                    Ok(vec![std::mem::replace(&mut self.rows[*first], row)])
                }
            },
            (Some(_), _) if equal.is_some() => Err("File exists".to_owned()),
            (None, Verb::Change) => Err("No such file or directory".to_owned()),
            (_, verb) => {
                self.insert(row, verb != Verb::Prepend);
                Ok(vec![])
            }
        }
    }

    /// `fib6_add_rt2node` in `net/ipv6/ip6_fib.c`.
    fn put_v6(&mut self, verb: Verb, mut row: TableRow) -> Result<Vec<TableRow>, String> {
        let key = self.at_key(&row);
        let joins = |row: &TableRow| matches!(row.way, Way::Via(_));
        match verb {
            Verb::Add if !key.is_empty() => Err("File exists".to_owned()),
            Verb::Change | Verb::Replace => {
                let found = key.iter().find(|at| joins(&self.rows[**at]) == joins(&row)).or(key.first()).copied();
                let Some(found) = found else {
                    if verb == Verb::Replace {
                        self.insert(row, true);
                        return Ok(vec![]);
                    }
                    let known = |other: &TableRow| other.table == row.table && other.destination == row.destination;
                    let said = if self.rows.iter().any(known) {
                        "No such file or directory"
                    } else {
                        "Can not replace route - no match found."
                    };
                    return Err(said.to_owned());
                };
                row.owner = row.owner.min(self.rows[found].owner);
                let mut displaced = vec![std::mem::replace(&mut self.rows[found], row.clone())];
                // Replacing one of several siblings removes the others.
                if joins(&displaced[0]) {
                    for at in key.iter().rev().filter(|at| **at != found) {
                        if joins(&self.rows[*at]) {
                            displaced.push(self.rows.remove(*at));
                        }
                    }
                }
                let same = displaced.len() == 1 && displaced[0].way == row.way && displaced[0].protocol == row.protocol;
                Ok(if same { vec![] } else { displaced })
            }
            _ if key.iter().any(|at| self.rows[*at].way == row.way) => Err("File exists".to_owned()),
            _ => {
                self.insert(row, true);
                Ok(vec![])
            }
        }
    }

    /// `fib_table_delete` and `ip6_route_del`: the first row that fits, lowest metric first; no metric fits all.
    fn delete(&mut self, command: &Command) -> Result<TableRow, String> {
        let fits = |row: &TableRow| {
            let way = match (&row.way, &command.way) {
                // Only the first next hop is compared.
                (Way::Multi(hops), Way::Via(hop)) => hops.first() == Some(hop),
                (one, other) => one == other,
            };
            row.table == command.table
                && row.destination == command.destination
                && way
                && command.protocol.is_none_or(|protocol| protocol == row.protocol)
                && command.metric.is_none_or(|metric| metric == 0 || metric == row.metric)
        };
        let found = (0..self.rows.len()).filter(|at| fits(&self.rows[*at])).min_by_key(|at| self.rows[*at].metric);
        found.map(|at| self.rows.remove(at)).ok_or_else(|| "No such process".to_owned())
    }

    fn check_way(&self, command: &Command) -> Result<(), String> {
        let family = command.destination.family();
        let hops = match &command.way {
            Way::Via(hop) => std::slice::from_ref(hop),
            Way::Multi(hops) => hops,
            Way::Device if self.down => {
                return Err(match family {
                    Family::V4 => "Device for nexthop is not up.",
                    Family::V6 => "Nexthop device is not up.",
                }
                .to_owned());
            }
            _ => &[],
        };
        for hop in hops {
            let own = self.is_own(*hop);
            if own && family == Family::V6 {
                return Err("Gateway can not be a local address.".to_owned());
            }
            let reached = match family {
                // Rows with a gateway are of too wide a scope to be looked at.
                Family::V4 => self.rows.iter().any(|row| {
                    [command.table, MAIN_TABLE].contains(&row.table)
                        && row.way == Way::Device
                        && row.destination.contains(*hop)
                }),
                Family::V6 => [command.table, MAIN_TABLE]
                    .iter()
                    .any(|table| self.lookup(*table, *hop).first().is_some_and(|row| row.way == Way::Device)),
            };
            if !reached {
                return Err(match family {
                    Family::V4 => "Nexthop has invalid gateway.",
                    Family::V6 => "No route to host",
                }
                .to_owned());
            }
        }
        Ok(())
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|(own, _)| *own == address)
    }

    /// The rows that win for an address: one, or the siblings of an IPv6 route.
    pub(super) fn lookup(&self, table: u32, address: IpAddr) -> Vec<&TableRow> {
        let covering = self.rows.iter().filter(|row| row.table == table && row.destination.contains(address));
        let best = covering.map(|row| (row.destination.length(), std::cmp::Reverse(row.metric))).max();
        let wins = |row: &&TableRow| {
            row.table == table
                && row.destination.contains(address)
                && best == Some((row.destination.length(), std::cmp::Reverse(row.metric)))
        };
        let mut rows: Vec<&TableRow> = self.rows.iter().filter(wins).collect();
        if Family::of(address) == Family::V4 || rows.first().is_some_and(|row| !matches!(row.way, Way::Via(_))) {
            rows.truncate(1);
        } else {
            rows.retain(|row| matches!(row.way, Way::Via(_)));
        }
        rows
    }

    /// What `ip route get` would say of the way to an address.
    pub(super) fn way_to(&self, address: IpAddr) -> String {
        if self.is_own(address) {
            return format!("local {address}");
        }
        match self.lookup(MAIN_TABLE, address).first().map(|row| &row.way) {
            Some(Way::Device) => format!("{address} dev eth0"),
            Some(Way::Via(hop)) => format!("{address} via {hop} dev eth0"),
            Some(Way::Multi(hops)) => format!("{address} via {} dev eth0", hops[0]),
            Some(Way::Blackhole) => "Invalid argument".to_owned(),
            None => "Network is unreachable".to_owned(),
        }
    }
}

/// A destination as `ip route` prints it.
pub(crate) fn text(destination: &Prefix) -> String {
    match (destination.length(), destination.family()) {
        (0, _) => "default".to_owned(),
        (32, Family::V4) | (128, _) => destination.address().to_string(),
        _ => destination.to_string(),
    }
}

pub(super) fn link((address, length): &(IpAddr, u8)) -> Prefix {
    let text = format!("{address}/{length}");
    match text.parse() {
        Ok(prefix) => prefix,
        Err(topo::network::PrefixError::HostBits { meant, .. }) => meant,
        Err(error) => panic!("{error}"),
    }
}

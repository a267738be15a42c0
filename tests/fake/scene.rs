//! Nodes with a topology, and what happens to them between runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use topo::backend::netplan::NETPLAN_FILE;
use topo::exchange::node::FileForm;
use topo::network::Family;
use topo::resource::Name;

use super::draft::{Draft, DraftNode, Edit, Foreign, MACHINES, Sites, pods};
use super::kernel::{Command, Node, Owner, TableRow, Verb, Way};
use super::network_configuration::{self, Author, File};
use super::world::World;

pub(super) struct Scene {
    pub(super) world: Arc<World>,
    pub(super) draft: Draft,
    pub(super) sites: Sites,
    pub(super) name: Name,
    ids: usize,
    /// Whether rows may pass from one resource to another while other things change.
    pub(super) hands_over: bool,
}

impl Scene {
    /// All nodes refuse to write files from now on.
    pub(super) fn refuse_files(&self) {
        self.world.network.nodes().iter_mut().for_each(|node| node.configuration.refuses = true);
    }

    /// Whether a file is on record anywhere.
    pub(super) fn owns_files(&self) -> bool {
        self.world.state(&self.name).0.records().any(|(_, id, _)| &*id.kind == "netplan_file")
    }

    pub(super) fn new(draft: Draft, foreign: &[Foreign]) -> Self {
        let sites = Sites { hosts: (0..MACHINES).map(|machine| 10 + machine).collect(), subnets: draft.subnets };
        let world = Arc::new(World::default());
        for machine in 0..MACHINES {
            let peer = "10.240.0.250".parse().ok();
            world.network.nodes().push(Node::new(&format!("{machine:032x}"), &sites.both(machine), peer));
        }
        let mut scene =
            Self { world, draft, sites, name: Name::new("kthw").expect("name"), ids: MACHINES, hands_over: false };
        for foreign in foreign {
            scene.foreign(foreign, true);
        }
        scene
    }

    /// Somebody else adds a row; whether it is one that could be ours is told by `any`.
    fn foreign(&mut self, (machine, table, number, metric, way, protocol, verb): &Foreign, any: bool) {
        let family = if self.draft.v4 && (!self.draft.v6 || number % 2 == 0) { Family::V4 } else { Family::V6 };
        let table = if *table < 6 { self.draft.table } else { 254 };
        let way = match *way {
            MACHINES => Way::Device,
            machine if machine < MACHINES => Way::Via(self.sites.address(machine, family)),
            _ => Way::Blackhole,
        };
        // A static row with our very next hop, where ours is gone, is what ours becomes when it is changed by hand.
        let protocols: [u8; 8] = match way {
            _ if any => [3, 4, 80, 186, 201, 3, 4, 201],
            Way::Via(_) => [186, 80, 186, 80, 80, 186, 80, 186],
            _ => [4, 80, 186, 4, 80, 4, 80, 4],
        };
        let command = Command {
            // Siblings of IPv6 are one row in a listing: what is in them is not told from ours.
            verb: match verb {
                0 | 1 if family == Family::V4 => Verb::Append,
                2 | 3 if family == Family::V4 => Verb::Prepend,
                _ => Verb::Add,
            },
            table,
            destination: pods(*number, family),
            metric: [self.draft.metric, self.draft.metric, None, Some(20)][usize::from(*metric)],
            way,
            protocol: Some(protocols[usize::from(*protocol)]),
        };
        let _ = self.world.network.nodes()[*machine].by_hand(&command);
    }

    /// A run of topo's left a row to these pods, by way of a machine and with a protocol, beside what is there.
    pub(super) fn leave(&self, machine: usize, number: usize, way: usize, protocol: u8) {
        let mut nodes = self.world.network.nodes();
        let destination = pods(number, Family::V4);
        let row = nodes[machine].rows.iter().find(|row| row.destination == destination).expect("a row").clone();
        let way = Way::Via(self.sites.address(way, Family::V4));
        nodes[machine].rows.push(TableRow { way, protocol, owner: Owner::Us, ..row });
    }

    /// A machine gets a new machine-id, and keeps all else: the repair of a clone.
    pub(super) fn renew_machine_id(&mut self, machine: usize) {
        self.ids += 1;
        self.world.network.nodes()[machine].machine_id = format!("{:032x}", self.ids);
    }

    pub(super) fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Add(machine, count) => {
                let taken: BTreeSet<usize> = self.draft.nodes.values().flat_map(|node| node.pods.clone()).collect();
                let free = (0..2 * MACHINES).filter(|number| !taken.contains(number)).take(*count).collect();
                let used = self.draft.nodes.values().any(|node| node.name == format!("n{machine}"));
                let name = if used { format!("m{machine}") } else { format!("n{machine}") };
                if !self.draft.nodes.values().any(|node| node.name == name) {
                    self.draft.nodes.entry(*machine).or_insert(DraftNode { name, pods: free });
                }
            }
            Edit::Remove(machine) => {
                if self.draft.nodes.len() > 1 {
                    self.draft.nodes.remove(machine);
                }
            }
            Edit::Rename(machine) => {
                self.ids += 1;
                let name = format!("x{}", self.ids);
                if let Some(node) = self.draft.nodes.get_mut(machine) {
                    node.name = name;
                }
            }
            Edit::SwapNames(one, other) => {
                let name = |machine: &usize| self.draft.nodes.get(machine).map(|node| node.name.clone());
                if let (Some(first), Some(second)) = (name(one), name(other)) {
                    self.draft.nodes.get_mut(one).expect("there").name = second;
                    self.draft.nodes.get_mut(other).expect("there").name = first;
                }
            }
            Edit::MovePods(from, to) => {
                let moved = self.draft.nodes.get(from).and_then(|node| node.pods.first().copied());
                if let (Some(number), true) = (moved, self.draft.nodes.contains_key(to)) {
                    self.draft.nodes.get_mut(from).expect("there").pods.remove(&number);
                    self.draft.nodes.get_mut(to).expect("there").pods.insert(number);
                }
            }
            Edit::Readdress(machine) => {
                if self.draft.nodes.contains_key(machine) && self.sites.hosts[*machine] < 200 {
                    self.sites.hosts[*machine] += MACHINES;
                    self.world.network.nodes()[*machine].address(&self.sites.both(*machine));
                }
            }
            Edit::Metric => self.draft.metric = if self.draft.metric.is_some() { None } else { Some(50) },
            Edit::Table => self.draft.table = if self.draft.table == 254 { 100 } else { 254 },
            Edit::Protocol => self.draft.protocol = if self.draft.protocol == 201 { 202 } else { 201 },
            Edit::Fault(machine, fault) => {
                self.world.network.faults.lock().expect("no panic").insert(*machine, *fault);
            }
            Edit::Mend => self.world.network.faults.lock().expect("no panic").clear(),
            Edit::Foreign(foreign) => self.foreign(foreign, false),
            Edit::Drift(at, how) => self.drift(*at, *how),
            Edit::Flap(machine) => {
                self.world.network.nodes()[*machine].link_down();
                self.world.network.nodes()[*machine].link_up();
                // All rows are networkd's now. What it has read before a file was changed is ours where it is still recorded.
                let rows = self.world.network.nodes()[*machine].rows.clone();
                for (at, row) in rows.iter().enumerate().filter(|(_, row)| matches!(row.way, Way::Via(_))) {
                    if self.world.recorded(&self.name, *machine, row).0 {
                        self.world.network.nodes()[*machine].rows[at].owner = Owner::Us;
                    }
                }
            }
            Edit::Reinstall(machine) => {
                self.ids += 1;
                let id = format!("{:032x}", self.ids);
                self.world.network.nodes()[*machine].reinstall(&id);
            }
            Edit::Persistence(persistence) => {
                if self.hands_over || persistence.owner() == self.draft.persistence.owner() {
                    self.draft.persistence = *persistence;
                }
            }
            Edit::Restart(machine, with_others) => self.world.network.nodes()[*machine].restart(*with_others),
            Edit::Stranger(machine, whose) => self.stranger(*machine, *whose),
            Edit::Tamper(machine, how) => self.tamper(*machine, *how),
        }
    }

    /// Only where topo has no file: what a record says is there is topo's, whatever stands in it.
    fn stranger(&mut self, machine: usize, whose: u8) {
        let mut nodes = self.world.network.nodes();
        let (id, files) = (nodes[machine].machine_id.clone(), &mut nodes[machine].configuration.files);
        let (state, _) = self.world.state(&self.name);
        let recorded = state.places.values().any(|record| {
            record.machine_id.as_ref().is_none_or(|machine_id| **machine_id == *id)
                && record.resources.keys().any(|id| *id.kind == NETPLAN_FILE)
        });
        if recorded || !files.is_empty() {
            return;
        }
        let first = match whose {
            0 => "# My own.\n".to_owned(),
            1 => format!("# Written by topo for topology other, lineage {}. Hands off.\n", state.lineage),
            _ => "# Written by topo for topology kthw, lineage 0123456789abcdef. Hands off.\n".to_owned(),
        };
        let names = [(FileForm::Netplan, "yaml"), (FileForm::Networkd, "conf")];
        for (form, ending) in names {
            for name in ["60-topo", "61-other"].map(|name| format!("{name}.{ending}")) {
                let file = File { text: first.clone(), mode: 0o600, author: Author::Stranger };
                files.insert(network_configuration::path(form, &name), file);
            }
        }
    }

    fn tamper(&mut self, machine: usize, how: u8) {
        let nodes = &mut self.world.network.nodes()[machine];
        let Some((path, mut file)) = nodes.configuration.ours().next().map(|(path, file)| (path.clone(), file.clone()))
        else {
            return;
        };
        nodes.configuration.files.remove(&path);
        match how {
            0 | 1 => return,
            2 => file.text.push_str("# by hand\n"),
            3 => file.mode = 0o640,
            4 => file.text = file.text.replacen(".0.1", ".0.2", 1).replacen("::1", "::2", 1),
            _ => {
                let kept = file.text.lines().collect::<Vec<_>>();
                file.text = kept[..kept.len() - 1].join("\n");
            }
        }
        nodes.configuration.files.insert(path, file);
    }

    fn drift(&mut self, at: usize, how: u8) {
        let mut nodes = self.world.network.nodes();
        let ours: Vec<(usize, usize)> = nodes
            .iter()
            .enumerate()
            .flat_map(|(machine, node)| node.rows.iter().enumerate().map(move |(at, row)| (machine, at, row.owner)))
            .filter(|(.., owner)| *owner == Owner::Us)
            .map(|(machine, at, _)| (machine, at))
            .collect();
        let Some((machine, row)) = ours.get(at % ours.len().max(1)).copied() else { return };
        let row = nodes[machine].rows[row].clone();
        let family = row.destination.family();
        // networkd adds ours to such an IPv6 row as a second next hop, and what is in one row is not told apart.
        if family == Family::V6 && self.draft.persistence.file && how > 6 {
            return;
        }
        let other = (machine + 1 + at % (MACHINES - 1)) % MACHINES;
        let (verb, way, protocol) = match how {
            0 | 1 => (Verb::Delete, row.way.clone(), None),
            2 | 3 => (Verb::Change, row.way.clone(), None),
            4 | 5 => (Verb::Change, Way::Via(self.sites.address(other, family)), None),
            6 => (Verb::Change, row.way.clone(), Some(4)),
            7 => (Verb::Change, Way::Via(self.sites.address(other, family)), Some(80)),
            _ => (Verb::Change, Way::Via(self.sites.address(other, family)), Some(4)),
        };
        let (table, destination, metric) = (row.table, row.destination, Some(row.metric));
        let _ = nodes[machine].by_hand(&Command { verb, table, destination, metric, way, protocol });
        drop(nodes);
        let (firm, hops) = self.world.recorded(&self.name, machine, &row);
        let filed = self.world.is_filed(&self.name, machine, &row);
        let ours = |way: &Way, protocol: u8| {
            let still = matches!(way, Way::Via(hop) if hops.contains(hop));
            (protocol == 3 && (firm || still)) || (protocol == 4 && (still || (firm && filed)))
        };
        // What is not ours by the rules is theirs from then on.
        for row in &mut self.world.network.nodes()[machine].rows {
            let changed = row.table == table && row.destination == destination && Some(row.metric) == metric;
            if changed && ![201, 202].contains(&row.protocol) && !ours(&row.way, row.protocol) {
                row.owner = Owner::Other;
            }
        }
    }
}

//! Topologies as properties edit them, the edits, and how any of them are made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use proptest::prelude::*;
use topo::backend::REGISTRY;
use topo::network::{Family, Prefix};
use topo::topology::{self, Source, Topology};

pub(super) const MACHINES: usize = 6;

/// A topology, as it is edited.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) v4: bool,
    pub(super) v6: bool,
    pub(super) subnets: bool,
    pub(super) table: u32,
    pub(super) metric: Option<u32>,
    pub(super) protocol: u8,
    pub(super) persistence: Persistence,
    pub(super) nodes: BTreeMap<usize, DraftNode>,
}

/// Which backends there are, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Persistence {
    /// Whether `ssh-static` is there; it is where no file is.
    pub(super) kernel: bool,
    pub(super) file: bool,
    pub(super) networkd: bool,
    pub(super) deferred: bool,
    /// Whether the file has another name than usual.
    pub(super) named: bool,
}

impl Persistence {
    /// `ssh-static` alone.
    pub(super) const KERNEL: Self = Self { kernel: true, file: false, networkd: false, deferred: false, named: false };
    /// `ssh-static` with a file of netplan.
    pub(super) const BOTH: Self = Self { file: true, ..Self::KERNEL };
    /// A file of netplan alone.
    pub(super) const FILE: Self = Self { kernel: false, ..Self::BOTH };

    /// Which file has the rows for itself; none where `ssh-static` has them.
    pub(super) fn owner(self) -> Option<(bool, bool)> {
        (!self.kernel && self.file).then_some((self.networkd, self.named))
    }
}

#[derive(Clone, Debug)]
pub(super) struct DraftNode {
    pub(super) name: String,
    pub(super) pods: BTreeSet<usize>,
}

/// Where machines are, whether they are in the topology or not.
#[derive(Clone, Debug)]
pub(super) struct Sites {
    pub(super) hosts: Vec<usize>,
    pub(super) subnets: bool,
}

impl Sites {
    fn subnet(&self, machine: usize) -> usize {
        if self.subnets { machine % 2 } else { 0 }
    }

    fn v4(&self, machine: usize) -> IpAddr {
        format!("10.24{}.0.{}", self.subnet(machine), self.hosts[machine]).parse().expect("address")
    }

    fn v6(&self, machine: usize) -> IpAddr {
        format!("fd00:24{}::{}", self.subnet(machine), self.hosts[machine]).parse().expect("address")
    }

    pub(super) fn address(&self, machine: usize, family: Family) -> IpAddr {
        if family == Family::V4 { self.v4(machine) } else { self.v6(machine) }
    }

    pub(super) fn both(&self, machine: usize) -> [(IpAddr, u8); 2] {
        [(self.v4(machine), 24), (self.v6(machine), 64)]
    }
}

pub(super) fn pods(number: usize, family: Family) -> Prefix {
    let text = match family {
        Family::V4 => format!("10.200.{number}.0/24"),
        Family::V6 => format!("fd00:200:{number}::/64"),
    };
    text.parse().expect("prefix")
}

impl Draft {
    fn text(&self, sites: &Sites) -> String {
        let mut text = String::from("[topology]\nname = \"kthw\"\n");
        let list = |v4: String, v6: String| {
            let all: Vec<String> =
                [(self.v4, v4), (self.v6, v6)].into_iter().filter(|one| one.0).map(|one| one.1).collect();
            format!("[{}]", all.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", "))
        };
        if self.subnets {
            for number in 0..2 {
                let cidr = list(format!("10.24{number}.0.0/24"), format!("fd00:24{number}::/64"));
                let gateway = list(format!("10.24{number}.0.1"), format!("fd00:24{number}::1"));
                let _ = write!(text, "[subnets.s{number}]\ncidr = {cidr}\ngateway = {gateway}\nrouted = true\n");
            }
        }
        text.push_str("[nodes]\n");
        for (machine, node) in &self.nodes {
            let address = list(sites.v4(*machine).to_string(), sites.v6(*machine).to_string());
            let pods: Vec<String> = node
                .pods
                .iter()
                .flat_map(|number| [(self.v4, pods(*number, Family::V4)), (self.v6, pods(*number, Family::V6))])
                .filter(|one| one.0)
                .map(|one| format!("\"{}\"", one.1))
                .collect();
            let _ = writeln!(text, "{} = {{ address = {address}, pods = [{}] }}", node.name, pods.join(", "));
        }
        let metric = self.metric.map(|metric| format!("metric = {metric}\n")).unwrap_or_default();
        let Persistence { kernel, file, networkd, deferred, named } = self.persistence;
        if kernel || !file {
            let _ =
                write!(text, "[backends.ssh-static]\ntable = {}\nprotocol = {}\n{metric}", self.table, self.protocol);
        }
        if file {
            text.push_str("[backends.netplan]\n");
            if !kernel {
                let _ = write!(text, "table = {}\n{metric}", self.table);
            }
            if networkd {
                text.push_str("persist = \"networkd\"\n");
            }
            if deferred {
                text.push_str("activate = \"defer\"\n");
            }
            if named {
                let _ = writeln!(text, "file = \"61-other.{}\"", if networkd { "conf" } else { "yaml" });
            }
        }
        text
    }

    pub(super) fn topology(&self, sites: &Sites) -> Topology {
        let text = self.text(sites);
        let source = Source { name: "topo.toml".into(), text: text.clone() };
        let (topology, diagnostics) = topology::parse(std::slice::from_ref(&source), REGISTRY.formats());
        topology
            .unwrap_or_else(|| panic!("{text}\n{:?}", diagnostics.iter().map(|one| &one.message).collect::<Vec<_>>()))
    }
}

/// A draft made by hand.
pub(super) struct DraftBuilder(Draft);

impl DraftBuilder {
    /// Machines with these pods, on one link and in the main table.
    pub(super) fn v4(pods: &[&[usize]]) -> Self {
        let node = |(machine, pods): (usize, &&[usize])| {
            (machine, DraftNode { name: format!("n{machine}"), pods: pods.iter().copied().collect() })
        };
        let nodes = pods.iter().enumerate().map(node).collect();
        let persistence = Persistence::KERNEL;
        Self(Draft { v4: true, v6: false, subnets: false, table: 254, metric: None, protocol: 201, persistence, nodes })
    }

    /// With these backends.
    pub(super) fn with(self, persistence: Persistence) -> Self {
        Self(Draft { persistence, ..self.0 })
    }

    pub(super) fn v6(pods: &[&[usize]]) -> Self {
        let Self(draft) = Self::v4(pods);
        Self(Draft { v4: false, v6: true, ..draft })
    }

    /// Without this machine.
    pub(super) fn drop(&mut self, machine: usize) {
        self.0.nodes.remove(&machine);
    }

    pub(super) fn build(self) -> Draft {
        self.0
    }
}

/// A row of somebody else: machine, table, pods, metric, way, protocol, verb.
pub(super) type Foreign = (usize, u8, usize, u8, usize, u8, u8);

pub(super) fn any_foreign() -> impl Strategy<Value = Foreign> {
    (0..MACHINES, 0..8_u8, 0..8_usize, 0..4_u8, 0..MACHINES + 2, 0..8_u8, 0..8_u8)
}

#[derive(Clone, Debug)]
pub(super) enum Edit {
    Add(usize, usize),
    Remove(usize),
    Rename(usize),
    SwapNames(usize, usize),
    MovePods(usize, usize),
    Readdress(usize),
    Metric,
    Table,
    Protocol,
    Fault(usize, u8),
    Mend,
    Foreign(Foreign),
    /// One of our rows is changed by hand: which, and how.
    Drift(usize, u8),
    Flap(usize),
    Reinstall(usize),
    /// Other backends.
    Persistence(Persistence),
    /// A node starts anew; whether others bring their rows back.
    Restart(usize, bool),
    /// Somebody puts a file where ours would be: whose it seems to be.
    Stranger(usize, u8),
    /// Our file is changed by hand: how.
    Tamper(usize, u8),
}

#[derive(Clone, Debug)]
pub(super) enum How {
    Nothing,
    Apply,
    Target(usize, bool),
    Exclude(usize),
    Destroy,
    Killed(usize, usize),
    KilledDestroy(usize, usize),
}

pub(super) fn any_edit() -> impl Strategy<Value = Edit> {
    let machine = 0..MACHINES;
    prop_oneof![
        2 => (machine.clone(), 0..3_usize).prop_map(|(one, two)| Edit::Add(one, two)),
        2 => machine.clone().prop_map(Edit::Remove),
        1 => machine.clone().prop_map(Edit::Rename),
        1 => (machine.clone(), machine.clone()).prop_map(|(one, two)| Edit::SwapNames(one, two)),
        3 => (machine.clone(), machine.clone()).prop_map(|(one, two)| Edit::MovePods(one, two)),
        1 => machine.clone().prop_map(Edit::Readdress),
        2 => Just(Edit::Metric),
        1 => Just(Edit::Table),
        1 => Just(Edit::Protocol),
        3 => (machine.clone(), 0..6_u8).prop_map(|(one, two)| Edit::Fault(one, two)),
        2 => Just(Edit::Mend),
        2 => any_foreign().prop_map(Edit::Foreign),
        3 => (0..50_usize, 0..9_u8).prop_map(|(one, two)| Edit::Drift(one, two)),
        1 => machine.clone().prop_map(Edit::Flap),
        1 => machine.clone().prop_map(Edit::Reinstall),
        3 => any_persistence().prop_map(Edit::Persistence),
        2 => (machine.clone(), any::<bool>()).prop_map(|(one, two)| Edit::Restart(one, two)),
        1 => (machine.clone(), 0..3_u8).prop_map(|(one, two)| Edit::Stranger(one, two)),
        2 => (machine, 0..6_u8).prop_map(|(one, two)| Edit::Tamper(one, two)),
    ]
}

pub(super) fn any_persistence() -> impl Strategy<Value = Persistence> {
    let usual = prop::bool::weighted(0.25);
    (prop::bool::weighted(0.6), prop::bool::weighted(0.75), any::<bool>(), usual, usual).prop_map(
        |(kernel, file, networkd, deferred, named)| Persistence {
            kernel: kernel || !file,
            file,
            networkd,
            deferred,
            named,
        },
    )
}

pub(super) fn any_how() -> impl Strategy<Value = How> {
    prop_oneof![
        2 => Just(How::Nothing),
        5 => Just(How::Apply),
        2 => (0..MACHINES, any::<bool>()).prop_map(|(one, two)| How::Target(one, two)),
        1 => (0..MACHINES).prop_map(How::Exclude),
        1 => Just(How::Destroy),
        4 => (1..20_usize, 0..3_usize).prop_map(|(one, two)| How::Killed(one, two)),
        1 => (1..12_usize, 0..3_usize).prop_map(|(one, two)| How::KilledDestroy(one, two)),
    ]
}

pub(super) fn any_draft() -> impl Strategy<Value = Draft> {
    let node = prop::option::weighted(0.7, 0..3_usize);
    let persistence = prop_oneof![Just(Persistence::KERNEL), any_persistence(), any_persistence()];
    (0..3_u8, any::<[bool; 3]>(), persistence, prop::collection::vec(node, MACHINES)).prop_map(
        |(family, [subnets, table, metric], persistence, nodes)| {
            let mut draft = Draft {
                v4: family != 1,
                v6: family != 0,
                subnets,
                table: if table { 254 } else { 100 },
                metric: metric.then_some(50),
                protocol: 201,
                persistence,
                nodes: BTreeMap::new(),
            };
            for (machine, count) in nodes.into_iter().enumerate() {
                if let Some(count) = count {
                    let pods = (0..count).map(|number| machine * 2 + number).collect();
                    draft.nodes.insert(machine, DraftNode { name: format!("n{machine}"), pods });
                }
            }
            if draft.nodes.is_empty() {
                draft.nodes.insert(0, DraftNode { name: "n0".into(), pods: [0].into() });
            }
            draft
        },
    )
}

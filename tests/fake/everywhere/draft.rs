//! What the topologies of these tests ask for, worked out without topo.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use topo::backend::{Desired, REGISTRY};
use topo::topology::{self, Source};

use crate::arm::{GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE};

/// The machines: name, address, and the router of their link. The first three workers have network interfaces in Azure.
pub(super) const MACHINES: [(&str, &str, &str); 5] = [
    ("server", "10.240.0.10", "10.240.0.1"),
    ("node-0", "10.240.0.20", "10.240.0.1"),
    ("node-1", "10.240.0.21", "10.240.0.1"),
    ("node-2", "10.240.0.22", "10.240.0.1"),
    ("office", "192.168.1.10", "192.168.1.1"),
];
/// The position of the machine that is not in Azure.
pub(super) const OFFICE: usize = 4;
/// Number of machines with a network interface in Azure.
pub(super) const WORKERS: u8 = 3;

/// A topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// Machines, each with its pod subnets.
    pub(super) nodes: Vec<(usize, Vec<String>)>,
    /// The tables of backends on nodes.
    pub(super) on_nodes: &'static str,
}

pub(super) const KERNEL: &str = "[backends.ssh-static]\n";
pub(super) const KERNEL_AND_FILES: &str = "[backends.ssh-static]\n[backends.netplan]\n";
pub(super) const FILES: &str = "[backends.netplan]\n";

const SERVER: (usize, &[&str]) = (0, &[]);

/// One worker.
pub(super) fn small(on_nodes: &'static str) -> Draft {
    Draft::new(on_nodes, &[SERVER, (1, &["10.200.0.0/24"])])
}

/// Two workers.
pub(super) fn grown(on_nodes: &'static str) -> Draft {
    Draft::new(on_nodes, &[SERVER, (1, &["10.200.0.0/24"]), (2, &["10.200.1.0/24"])])
}

/// The same, but one pod subnet is elsewhere, one is gone and one has come.
pub(super) fn changed(on_nodes: &'static str) -> Draft {
    Draft::new(on_nodes, &[SERVER, (1, &["10.200.1.0/24"]), (2, &["10.200.2.0/24"])])
}

impl Draft {
    pub(super) fn new(on_nodes: &'static str, nodes: &[(usize, &[&str])]) -> Self {
        let own = |pods: &[&str]| pods.iter().map(|pods| (*pods).to_owned()).collect();
        Self { nodes: nodes.iter().map(|(machine, pods)| (*machine, own(pods))).collect(), on_nodes }
    }

    pub(super) fn has_files(&self) -> bool {
        self.on_nodes.contains("netplan")
    }

    fn has_office(&self) -> bool {
        self.nodes.iter().any(|(machine, _)| *machine == OFFICE)
    }

    pub(super) fn desired(&self) -> Desired {
        let mut text = "[topology]\nname = \"kthw\"\n[subnets.kubernetes]\ncidr = \"10.240.0.0/24\"\n\
                        gateway = \"10.240.0.1\"\nrouted = true\n"
            .to_owned();
        if self.has_office() {
            text += "[subnets.office]\ncidr = \"192.168.1.0/24\"\ngateway = \"192.168.1.1\"\nrouted = true\n";
        }
        text += "[nodes]\n";
        for (machine, pods) in &self.nodes {
            let (name, host, _) = MACHINES[*machine];
            let _ = writeln!(text, "{name} = {{ address = \"{host}\", pods = {pods:?} }}");
        }
        text += self.on_nodes;
        let _ = write!(
            text,
            "[backends.azure-udr]\nsubscription = \"{SUBSCRIPTION}\"\nresource_group = \"{GROUP}\"\nlocation = \"{LOCATION}\"\n\
             route_table = \"{TABLE}\"\nsubnets = [\"{NETWORK}/{SUBNET}\"]\nip_forwarding = \"enable\"\n"
        );
        if self.has_office() {
            text += "outside = \"virtual-network-gateway\"\n";
        }
        let (topology, diagnostics) = topology::parse(&[Source { name: "topo.toml".into(), text }], REGISTRY.formats());
        let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
        REGISTRY.desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
    }

    fn all_pods(&self) -> impl Iterator<Item = (usize, &String)> {
        self.nodes.iter().flat_map(|(machine, pods)| pods.iter().map(move |pods| (*machine, pods)))
    }

    /// The routes of all nodes: `node-0: 10.200.1.0/24 via 10.240.0.21`.
    pub(super) fn rows(&self) -> BTreeSet<String> {
        let row = |machine: usize, to: usize, pods: &str| {
            let ((name, _, router), (_, host, other)) = (MACHINES[machine], MACHINES[to]);
            let hop = if router == other { host } else { router };
            format!("{name}: {pods} via {hop}")
        };
        let of = |machine: usize| {
            let others = self.all_pods().filter(move |(to, _)| *to != machine);
            others.map(move |(to, pods)| row(machine, to, pods))
        };
        self.nodes.iter().flat_map(|(machine, _)| of(*machine)).collect()
    }

    /// The routes of the table: `10.200.1.0/24 by 10.240.0.21`.
    pub(super) fn table(&self) -> BTreeSet<String> {
        let hop = |machine: usize| if machine == OFFICE { "VirtualNetworkGateway" } else { MACHINES[machine].1 };
        self.all_pods().map(|(machine, pods)| format!("{pods} by {}", hop(machine))).collect()
    }

    /// The machines whose network interfaces have to forward.
    pub(super) fn forwarding(&self) -> BTreeSet<usize> {
        self.all_pods().map(|(machine, _)| machine).filter(|machine| *machine != OFFICE).collect()
    }
}

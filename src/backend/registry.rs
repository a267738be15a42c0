//! All that a binary knows about backends, as data: a binary of its own can have others.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::mesh::Mesh;
use super::{Desired, NetworkTable, OnNodes, SiteKind, azure_udr, netplan, node, ssh_static, sysctl};
use crate::network::address_text;
use crate::plan::{DesiredPlace, findings};
use crate::report;
use crate::resource::{Endpoint, Known, NODE, Place, Resources};
use crate::topology::{Formats, TableFormat, Topology};

/// The backends of a binary, and the kinds of places where they keep resources.
pub struct Registry {
    /// Backends that keep resources on nodes, in the order for users. The first one is best for a new topology.
    pub on_nodes: OnNodes,
    /// Kinds of places other than nodes.
    sites: &'static [&'static SiteKind],
    formats: OnceLock<Vec<&'static dyn TableFormat>>,
    known: OnceLock<Known>,
}

/// The backends of topo.
pub static REGISTRY: Registry =
    Registry::new(&[&ssh_static::SshStatic, &netplan::Netplan, &sysctl::Sysctl], &[&azure_udr::SITE]);

impl Registry {
    /// A registry of backends on nodes, and of other kinds of places.
    pub const fn new(on_nodes: OnNodes, sites: &'static [&'static SiteKind]) -> Self {
        Self { on_nodes, sites, formats: OnceLock::new(), known: OnceLock::new() }
    }

    /// The formats of all backends' tables.
    pub fn formats(&'static self) -> Formats {
        self.formats.get_or_init(|| {
            let on_nodes = self.on_nodes.iter().map(|backend| *backend as &dyn TableFormat);
            on_nodes.chain(self.sites.iter().flat_map(|site| site.formats).copied()).collect()
        })
    }

    /// The kinds of places and resources that the binary can read. It keeps places and records of other kinds unchanged.
    pub fn known(&self) -> &Known {
        self.known.get_or_init(|| Known {
            places: [&NODE].into_iter().chain(self.sites.iter().map(|site| site.place)).collect(),
            kinds: {
                let on_nodes = self.on_nodes.iter().map(|backend| backend.kind());
                on_nodes.chain(self.sites.iter().flat_map(|site| site.kinds).copied()).collect()
            },
        })
    }

    /// The names of the kinds of resources that the binary can read.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        self.known().kinds.iter().map(|kind| kind.id).collect()
    }

    /// The codes of all findings.
    pub fn codes(&'static self) -> BTreeSet<&'static str> {
        let of_backends = self.formats().iter().flat_map(|format| format.codes());
        [findings::CODES, report::CODES, node::CODES].into_iter().flatten().chain(of_backends).copied().collect()
    }

    /// Kinds of places other than nodes.
    pub fn sites(&self) -> &'static [&'static SiteKind] {
        self.sites
    }

    /// Everything that a topology wants.
    pub fn desire(&self, topology: &Topology) -> Desired {
        let mut places = Vec::with_capacity(topology.nodes.len());
        places.extend(topology.nodes.iter().filter(|(_, node)| node.managed).map(|(name, node)| {
            let host = node.ssh.host.clone().or_else(|| node.addresses.first().copied().map(address_text));
            let endpoint = host.map(|host| Endpoint {
                host,
                port: node.ssh.port,
                user: node.ssh.user.clone(),
                sudo: node.ssh.sudo,
            });
            let resources = Resources::with_capacity(topology.backends.len());
            let (addresses, is_translated) = (Arc::clone(&node.addresses), node.nat);
            (Place::from(name.clone()), DesiredPlace { endpoint, addresses, is_translated, resources })
        }));
        let mut desired = Desired { places: places.into_iter().collect(), ..Desired::default() };
        let mesh = Mesh::new(topology);
        for (name, table) in &topology.backends {
            if let Some(backend) = self.on_nodes.iter().find(|backend| backend.id() == table.backend) {
                backend.desire(topology, &mesh, name, table, &mut desired);
            } else {
                desired.tables.push(NetworkTable::of(topology, name, table));
            }
        }
        desired
    }
}

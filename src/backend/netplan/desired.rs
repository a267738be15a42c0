//! The file that each node should have.

use super::{Attributes, NETPLAN_FILE, Persist, Settings};
use crate::backend::Desired;
use crate::backend::mesh::{Mesh, Writing, served};
use crate::backend::netplan::settings::Activate;
use crate::backend::ssh_static;
use crate::network::{MAIN_TABLE, STATIC};
use crate::resource::{Name, ResourceId, Shape, SharedJson};
use crate::topology::{BackendTable, Topology};

/// The file of a node keeps the routes that `ssh-static` puts into the kernel there. If `ssh-static` does not serve the
/// node, the same routes belong to the file.
pub(super) fn desire(topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
    let settings: Settings = serde_json::from_value(table.settings.clone()).unwrap_or_default();
    let kernel: Vec<(&BackendTable, ssh_static::Settings)> = topology
        .backends
        .values()
        .filter(|other| other.backend == ssh_static::BACKEND)
        .map(|other| (other, serde_json::from_value(other.settings.clone()).unwrap_or_default()))
        .collect();
    let id = ResourceId { backend: name.clone(), kind: NETPLAN_FILE.id.into(), name: settings.file.as_str().into() };
    // Most nodes have the same attributes.
    let mut last: Option<(Attributes, SharedJson)> = None;
    let networkd = settings.persist == Persist::Networkd;
    for (node_name, node, place) in served(topology, table, desired) {
        let served = kernel
            .iter()
            .find(|(other, _)| other.nodes.len() == topology.nodes.len() || other.nodes.contains(node_name))
            .map(|(_, settings)| settings);
        let mark = served.map_or_else(|| ssh_static::Settings::default().protocol, |settings| settings.protocol);
        let writing = Writing {
            table: served.map(|settings| settings.table).or(settings.table).unwrap_or(MAIN_TABLE),
            metric: served.map_or(settings.metric, |settings| settings.metric),
            // netplan cannot set a protocol, and networkd then uses static.
            protocol: if networkd { mark } else { STATIC },
        };
        let Some(set) = mesh.routes(node, writing) else { continue };
        let attributes = Attributes {
            networkd,
            deferred: settings.activate == Activate::Defer,
            alone: served.is_none(),
            interface: node.interface.clone(),
            waiting: false,
            links: Vec::new(),
        };
        let shared = match &last {
            Some((same, shared)) if *same == attributes => shared.clone(),
            _ => SharedJson::from(attributes.to_value()),
        };
        last = Some((attributes, shared.clone()));
        let shape = Shape { routes: Some(set), attributes: shared };
        place.resources.insert(id.clone(), shape);
    }
}

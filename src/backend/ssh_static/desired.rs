//! The routes that each node should have.

use super::{KERNEL_ROUTE, Settings};
use crate::backend::Desired;
use crate::backend::mesh::{Mesh, Writing, served};
use crate::resource::{Name, ResourceId, Shape};
use crate::topology::{BackendTable, Topology};

/// Every node that the backend serves gets a route to every other node's pod subnets of its address families.
pub(super) fn desire(topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
    let id = ResourceId { backend: name.clone(), kind: KERNEL_ROUTE.id.into(), name: "".into() };
    let Settings { table: number, metric, protocol } =
        serde_json::from_value(table.settings.clone()).unwrap_or_default();
    let writing = Writing { table: number, metric, protocol };
    for (_, node, place) in served(topology, table, desired) {
        if let Some(set) = mesh.routes(node, writing) {
            place.resources.insert(id.clone(), Shape::of_routes(set));
        }
    }
}

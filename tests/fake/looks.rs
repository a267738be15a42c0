//! The sites of a world: its machines, and Azure where it has one.

use std::sync::Arc;

use topo::backend::azure_udr::AzureSite;
use topo::backend::node::NodeSite;
use topo::backend::{REGISTRY, Site};

use super::world::{Wires, World};

impl World {
    /// All kinds of places, each with its connection; as the commands make them.
    pub(super) fn sites(self: &Arc<Self>) -> Vec<Arc<dyn Site>> {
        let transport = self.transport.clone().unwrap_or_else(|| Arc::new(Wires(Arc::clone(self))));
        let nodes = NodeSite::new(REGISTRY.on_nodes, Some(transport));
        let mut sites: Vec<Arc<dyn Site>> = vec![Arc::new(nodes)];
        if let Some(azure) = &self.azure {
            sites.push(Arc::new(AzureSite::new(Some(Arc::clone(azure)))));
        }
        sites
    }
}

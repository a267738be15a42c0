//! What one command knows about all nodes, and the connection to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::observed::Observation;
use super::progress::Progress;
use super::ways::Ways;
use crate::backend::OnNodes;
use crate::resource::Place;
use crate::transport::Transport;

/// What topo asked a place, and what it answered.
#[derive(Debug)]
pub(super) struct Look {
    /// The place whose record topo asked about, if any.
    pub(super) source: Option<Place>,
    pub(super) observation: Observation,
    /// Whether topo has asked for the ways of packets, where there is a reason to.
    pub(super) has_ways: bool,
}

/// All nodes. What backends keep on one node shares one exchange in each phase.
pub struct NodeSite {
    /// None: nobody looks, and nothing is written.
    pub(super) transport: Option<Arc<dyn Transport>>,
    /// What keeps resources there.
    pub(super) backends: OnNodes,
    looks: Mutex<BTreeMap<Place, Look>>,
    progress: Mutex<BTreeMap<Place, Progress>>,
    /// The questions about the ways of packets, for nodes with rules of their own.
    ways: Mutex<BTreeMap<Place, Ways>>,
}

impl NodeSite {
    /// Nodes with these backends and this connection. Without one, topo plans from the record alone.
    pub fn new(backends: OnNodes, transport: Option<Arc<dyn Transport>>) -> Self {
        Self { transport, backends, looks: Mutex::default(), progress: Mutex::default(), ways: Mutex::default() }
    }

    // A step that panics elsewhere does not make the answers of other nodes wrong.
    pub(super) fn looks(&self) -> MutexGuard<'_, BTreeMap<Place, Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ways(&self) -> MutexGuard<'_, BTreeMap<Place, Ways>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, BTreeMap<Place, Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

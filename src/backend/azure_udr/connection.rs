//! What one command knows about Azure, and the connection to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Seen;
use super::work::Work;
use crate::transport::azure::Azure;

/// Resources of Azure Resource Manager.
pub struct AzureSite {
    /// None: nobody looks, and nothing is written.
    pub(super) azure: Option<Arc<dyn Azure>>,
    /// None: nobody has looked.
    seen: Mutex<Option<Seen>>,
    work: Mutex<Work>,
}

impl AzureSite {
    /// Azure with this connection. Without one, topo plans from the record alone.
    pub fn new(azure: Option<Arc<dyn Azure>>) -> Self {
        Self { azure, seen: Mutex::default(), work: Mutex::default() }
    }

    // A step that panics elsewhere does not make other answers wrong.
    pub(super) fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen. An absence that another answer contradicts is unknown.
    pub(super) fn weighed(&self) -> MutexGuard<'_, Option<Seen>> {
        let mut seen = self.seen();
        if let Some(seen) = seen.as_mut() {
            seen.doubt_contradictions();
        }
        seen
    }

    pub(super) fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

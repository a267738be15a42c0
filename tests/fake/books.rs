//! Where the runs of a world keep their state and their journal.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use topo::backend::REGISTRY;
use topo::state::{
    Entry, LockError, LockInfo, LockRequest, Locked, Recovered, Revision, Snapshot, State, Store, StoreError,
    from_lines, to_lines,
};
use topo::transport::BoxFuture;

use super::world::World;

/// A state and a journal with the semantics of the local store, in memory.
#[derive(Default)]
pub(crate) struct Disk {
    state: Mutex<Option<Vec<u8>>>,
    journal: Mutex<Vec<u8>>,
}

impl Disk {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state.lock().expect("no panic before");
        let state = state.as_ref().map(|text| State::from_json(text, REGISTRY.known()).expect("a whole state"));
        let entries = from_lines(&self.journal.lock().expect("no panic before"), REGISTRY.known())
            .expect("a journal, its end torn at most");
        Snapshot { state, entries }
    }

    /// The document and the journal as they are.
    pub(crate) fn files(&self) -> (Vec<u8>, Vec<u8>) {
        let document = self.state.lock().expect("no panic before").clone().unwrap_or_default();
        (document, self.journal.lock().expect("no panic before").clone())
    }

    /// The same state and journal for another world.
    pub(crate) fn copy(&self) -> Self {
        let (state, journal) = (&self.state, &self.journal);
        Self {
            state: Mutex::new(state.lock().expect("no panic before").clone()),
            journal: Mutex::new(journal.lock().expect("no panic before").clone()),
        }
    }

    /// Whether no run is under way, or was cut off: the document says so, and there is no journal.
    pub(crate) fn is_at_rest(&self) -> bool {
        let snapshot = self.snapshot();
        snapshot.state.is_none_or(|state| state.run.is_none())
            && self.journal.lock().expect("no panic before").is_empty()
    }
}

pub(crate) struct Books(pub(crate) Arc<World>);

impl Store for Books {
    fn read(&self) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        Box::pin(std::future::ready(Ok(self.0.disk.snapshot())))
    }

    fn swap<'a>(&'a self, expect: Revision, next: &'a State) -> BoxFuture<'a, Result<(), StoreError>> {
        let document = next.to_json();
        let disk = &self.0.disk;
        Box::pin(async move {
            let act = || {
                let found = disk.snapshot().revision();
                if found != expect {
                    return Err(StoreError::moved("memory", expect, found));
                }
                *disk.state.lock().expect("no panic before") = Some(document);
                Ok(())
            };
            self.0.network.fate.effect(act, || ()).await
        })
    }

    fn append<'a>(&'a self, bundle: &'a [Entry]) -> BoxFuture<'a, Result<(), StoreError>> {
        let lines = to_lines(bundle);
        let journal = &self.0.disk.journal;
        Box::pin(async move {
            let keep = |length: usize| {
                let mut journal = journal.lock().expect("no panic before");
                let whole = journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                journal.truncate(whole);
                journal.extend(&lines[..length]);
            };
            self.0.network.fate.effect(|| keep(lines.len()), || keep(lines.len() * 2 / 3)).await;
            Ok(())
        })
    }

    fn clear_journal(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let act = || self.0.disk.journal.lock().expect("no panic before").clear();
            self.0.network.fate.effect(act, || ()).await;
            Ok(())
        })
    }

    fn recover(&self) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        unreachable!("nothing is damaged")
    }

    fn lock<'a>(&'a self, _: &'a LockRequest, _: Duration) -> BoxFuture<'a, Result<Locked, LockError>> {
        unreachable!("runs are made one after the other")
    }

    fn release(&self) -> BoxFuture<'_, Result<(), LockError>> {
        unreachable!("no lock is taken")
    }

    fn unlock<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<LockInfo>, LockError>> {
        unreachable!("no lock is taken")
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

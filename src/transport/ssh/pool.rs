//! The pool of masters. It limits their number, and the number of concurrent logins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::destination::Resolved;
use super::master::Master;
use crate::resource::{Endpoint, Name};
use crate::transport::Target;

/// Concurrent logins through one jump host or to one address: below 10, where sshd starts to drop them.
const LOGINS_PER_HOP: usize = 8;
/// How many masters the pool holds for each concurrent exchange.
const MASTERS_PER_EXCHANGE: usize = 4;
/// The time limit for asking all masters to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

type Key = (Name, String, Option<u16>, Option<String>);

/// One node's place in the pool. Whoever talks to the node holds a share, so a slot that only the pool holds is idle.
#[derive(Default)]
pub(super) struct Slot {
    /// The master, if there is one. Locked during the connection.
    pub(super) master: tokio::sync::Mutex<Option<Arc<Master>>>,
    last_used: AtomicU64,
}

impl Slot {
    /// Notes that somebody just used the slot.
    pub(super) fn used(&self) {
        static CLOCK: AtomicU64 = AtomicU64::new(1);
        self.last_used.store(CLOCK.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// The machine that ssh connects to first for a login: a jump host, or the node itself.
pub(super) struct Hop {
    /// Limits concurrent logins.
    pub(super) logins: Semaphore,
    /// A login that was dropped holds this when it tries again, so that such logins go one by one.
    pub(super) again: tokio::sync::Mutex<()>,
}

/// What topo has learnt about a node. Outlives the node's master.
#[derive(Clone, Default)]
pub(super) struct Learned {
    /// The result of ssh's configuration for it.
    pub(super) resolved: Option<Arc<Resolved>>,
    /// Whether its host key is known only by the node's name.
    pub(super) by_name: bool,
}

/// All masters.
pub(super) struct Pool {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    learned: Mutex<HashMap<Key, Learned>>,
    hops: Mutex<HashMap<String, Arc<Hop>>>,
    masters: Arc<Semaphore>,
}

fn key(at: &Target) -> Key {
    let Endpoint { host, port, user, sudo: _ } = &at.endpoint;
    (at.name.clone(), host.clone(), *port, user.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub(super) fn new(parallelism: usize) -> Self {
        Self {
            slots: Mutex::default(),
            learned: Mutex::default(),
            hops: Mutex::default(),
            masters: Arc::new(Semaphore::new(parallelism * MASTERS_PER_EXCHANGE)),
        }
    }

    /// The node's slot; it is in use while somebody holds it.
    pub(super) fn slot(&self, at: &Target) -> Arc<Slot> {
        Arc::clone(lock(&self.slots).entry(key(at)).or_default())
    }

    /// What topo has learnt about the node so far.
    pub(super) fn learned(&self, at: &Target) -> Learned {
        lock(&self.learned).get(&key(at)).cloned().unwrap_or_default()
    }

    /// Keeps what topo has learnt.
    pub(super) fn learn(&self, at: &Target, learned: Learned) {
        lock(&self.learned).insert(key(at), learned);
    }

    /// The hop of that name.
    pub(super) fn hop(&self, name: String) -> Arc<Hop> {
        let mut hops = lock(&self.hops);
        let hop = hops.entry(name).or_insert_with(|| {
            Arc::new(Hop { logins: Semaphore::new(LOGINS_PER_HOP), again: tokio::sync::Mutex::new(()) })
        });
        Arc::clone(hop)
    }

    /// Makes room for one more master. If there is none, ends the master that was idle longest.
    pub(super) async fn room(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.masters).try_acquire_owned() {
                return permit;
            }
            match self.take_idle() {
                Some(master) => master.end().await,
                // All masters are in use, or somebody else is ending them: room comes soon.
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    fn take_idle(&self) -> Option<Arc<Master>> {
        let mut slots = lock(&self.slots);
        // Nobody can take a new share of a slot while the map is locked, so a count of one stays one.
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.master.try_lock().is_ok_and(|held| held.is_some()));
        let idle = slots.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
        let oldest = idle.min_by_key(|(_, slot)| slot.last_used.load(Ordering::Relaxed)).map(|(key, _)| key.clone())?;
        Arc::into_inner(slots.remove(&oldest)?)?.master.into_inner()
    }

    /// Ends a master that no longer works. The next exchange makes a new connection.
    pub(super) async fn discard(&self, slot: &Slot, master: &Arc<Master>) {
        {
            let mut held = slot.master.lock().await;
            if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, master)) {
                *held = None;
            }
        }
        master.end().await;
    }

    /// Whether masters may exist.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.slots).is_empty()
    }

    /// Ends all masters at the same time, within [`CLOSE_LIMIT`].
    pub(super) async fn close(&self) {
        let slots: Vec<_> = lock(&self.slots).drain().map(|(_, slot)| slot).collect();
        let mut ends = JoinSet::new();
        for slot in slots {
            ends.spawn(async move {
                if let Some(master) = slot.master.lock().await.take() {
                    master.end().await;
                }
            });
        }
        // A master that does not answer in time ends by itself after some idle time.
        let _ = tokio::time::timeout(CLOSE_LIMIT, ends.join_all()).await;
    }
}

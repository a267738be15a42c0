//! The journal: torn and damaged lines, folding, and group commit.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use topo::backend::REGISTRY;
use topo::resource::{Record, Token};
use topo::state::{
    Entry, JournalWriter, LockError, LockInfo, LockRequest, Locked, Outcome, Revision, RunId, Snapshot, State, Store,
    StoreError, fold, from_lines, to_lines,
};
use topo::transport::BoxFuture;

use super::{kernel_route, mesh, node, pods};

pub(crate) const RUN: RunId = RunId::from_bytes([1; 8]);

pub(crate) fn entry(number: usize, outcome: Outcome) -> Entry {
    Entry {
        run: RUN,
        base: 4,
        seq: 0,
        at: "2026-11-21T10:00:00Z".parse().expect("time"),
        place: node(number),
        phase: "install".into(),
        outcomes: vec![(kernel_route(), outcome)],
        machine_id: None,
        forget: false,
    }
}

/// A run has begun: node 0 is to be made, node 1 to go, the others to lack a row.
pub(crate) fn begun(count: usize) -> State {
    let mut state = mesh(count);
    (state.run, state.serial) = (Some(RUN), 4);
    for (number, (_, recorded)) in state.places.iter_mut().enumerate() {
        let Some(record @ Record::Settled { .. }) = recorded.resources.get_mut(&kernel_route()) else { continue };
        let Record::Settled { is, .. } = &*record else { continue };
        let mut to = is.clone();
        to.leave_out([pods(count - 1)]);
        *record = match number {
            0 => Record::InDoubt { is: None, to: Some(to), also: vec![] },
            1 => Record::InDoubt { is: Some(is.clone()), to: None, also: vec![] },
            _ => Record::InDoubt { is: Some(is.clone()), to: Some(to), also: vec![] },
        };
    }
    state
}

fn done(excluded: &[usize]) -> Outcome {
    Outcome::Done {
        excluded: excluded.iter().map(|node| pods(*node)).collect(),
        token: Some(Token::new("t")),
        attributes: None,
    }
}

#[test]
fn lines_round_trip() {
    let mut entries = vec![
        entry(0, done(&[2, 3])),
        entry(1, Outcome::Removed),
        entry(2, Outcome::Untouched),
        entry(3, Outcome::StillInDoubt),
    ];
    entries[3].machine_id = Some("0123".into());
    entries[2].forget = true;
    let lines = to_lines(&entries);
    assert_eq!(lines.split_inclusive(|byte| *byte == b'\n').count(), 4);
    assert_eq!(from_lines(&lines, REGISTRY.known()).as_ref(), Ok(&entries));
    assert_eq!(from_lines(b"", REGISTRY.known()), Ok(vec![]));
}

#[test]
fn a_last_line_that_is_torn_anywhere_is_normal() {
    let whole = to_lines(&[entry(0, done(&[])), entry(1, Outcome::Removed)]);
    let first = to_lines(&[entry(0, done(&[]))]).len();
    for length in first..whole.len() {
        assert_eq!(
            from_lines(&whole[..length], REGISTRY.known()).map(|entries| entries.len()),
            Ok(1),
            "cut at {length}"
        );
        // What a file system may leave of a sector that was not written.
        for filler in [b"\0".as_slice(), b"\0\n", b"xx\n"] {
            let mut torn = whole[..length].to_vec();
            torn.extend_from_slice(filler);
            assert_eq!(
                from_lines(&torn, REGISTRY.known()).map(|entries| entries.len()),
                Ok(1),
                "{filler:?} at {length}"
            );
        }
    }
}

#[test]
fn each_changed_byte_before_the_last_line_is_damage() {
    let whole = to_lines(&[entry(0, done(&[])), entry(1, Outcome::Removed), entry(2, Outcome::Removed)]);
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    for at in 0..ends[1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        let line = if at > ends[0] { 2 } else { 1 };
        let damage = from_lines(&damaged, REGISTRY.known()).expect_err("damage");
        assert_eq!(damage.line, line, "byte {at}: {damage}");
    }
    let mut empty_line = whole.clone();
    empty_line.insert(ends[0], b'\n');
    let damage = from_lines(&empty_line, REGISTRY.known()).expect_err("damage");
    assert_eq!(damage.line, 2, "{damage}");
}

#[test]
fn outcomes_settle_what_was_in_doubt() {
    let entries = [
        entry(0, done(&[5])),
        entry(1, done(&[])),
        entry(2, Outcome::Untouched),
        entry(3, Outcome::StillInDoubt),
        entry(4, Outcome::Removed),
        Entry { forget: true, outcomes: vec![], ..entry(5, Outcome::Untouched) },
        Entry { machine_id: Some("new".into()), outcomes: vec![], ..entry(6, Outcome::Untouched) },
        entry(99, done(&[])),
        // Told twice, and differently: what is settled stays.
        entry(2, Outcome::Removed),
    ];
    let before = begun(8);
    let state = fold(before.clone(), &entries);
    let record = |number| state.record(&node(number), &kernel_route());
    let Some(Record::Settled { is, token }) = record(0) else { panic!("settled") };
    assert_eq!(token, &Some(Token::new("t")));
    assert_eq!(*is.routes.as_ref().expect("routes").excluded, BTreeSet::from([pods(5), pods(7)]));
    assert!(!state.places.contains_key(&node(1)), "done, and it was to go");
    let Some(Record::Settled { is, token: None }) = record(2) else { panic!("settled") };
    assert!(is.routes.as_ref().expect("routes").excluded.is_empty(), "as it was before");
    assert_eq!(record(3), before.record(&node(3), &kernel_route()));
    assert!(record(3).is_some_and(Record::is_in_doubt));
    assert!(!state.places.contains_key(&node(4)) && !state.places.contains_key(&node(5)));
    assert_eq!(state.places[&node(6)].machine_id.as_deref(), Some("new"));
    assert!(record(7).is_some_and(Record::is_in_doubt));
}

#[test]
fn entries_of_another_run_are_stale() {
    let before = begun(4);
    let another_run = Entry { run: RunId::from_bytes([2; 8]), ..entry(2, Outcome::Removed) };
    let another_base = Entry { base: 3, ..entry(2, Outcome::Removed) };
    assert_eq!(fold(before.clone(), &[another_run, another_base]), before);
    let mut ended = before.clone();
    ended.run = None;
    assert_eq!(fold(ended.clone(), &[entry(2, Outcome::Removed)]), ended);
    assert_ne!(fold(before.clone(), &[entry(2, Outcome::Removed)]), before);
}

/// Keeps bundles in memory, and fails when told to.
#[derive(Default)]
struct Memory {
    bundles: Mutex<Vec<Vec<Entry>>>,
    attempts: AtomicUsize,
    full: AtomicBool,
}

impl Store for Memory {
    fn append<'a>(&'a self, bundle: &'a [Entry]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.attempts.fetch_add(1, Ordering::SeqCst);
            if self.full.load(Ordering::SeqCst) {
                return Err(StoreError::unavailable("The disk is full.", "Make room."));
            }
            self.bundles.lock().expect("bundles").push(bundle.to_vec());
            Ok(())
        })
    }

    fn read(&self) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        unimplemented!()
    }
    fn swap<'a>(&'a self, _: Revision, _: &'a State) -> BoxFuture<'a, Result<(), StoreError>> {
        unimplemented!()
    }
    fn clear_journal(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        unimplemented!()
    }
    fn lock<'a>(&'a self, _: &'a LockRequest, _: Duration) -> BoxFuture<'a, Result<Locked, LockError>> {
        unimplemented!()
    }
    fn release(&self) -> BoxFuture<'_, Result<(), LockError>> {
        unimplemented!()
    }
    fn unlock<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<LockInfo>, LockError>> {
        unimplemented!()
    }
    fn location(&self) -> String {
        "memory".to_owned()
    }
}

fn on_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(test);
}

#[test]
fn entries_are_written_in_bundles_in_order() {
    on_runtime(async {
        let store = Arc::new(Memory::default());
        let writer = JournalWriter::start(store.clone());
        for number in 0..300 {
            writer.append(entry(number, Outcome::Removed)).await.expect("appended");
        }
        writer.flush().await.expect("flushed");
        assert_eq!(store.bundles.lock().expect("bundles").len(), 1, "one bundle for all");
        writer.append(entry(300, Outcome::Removed)).await.expect("appended");
        writer.finish().await.expect("finished");
        let written: Vec<Entry> = store.bundles.lock().expect("bundles").concat();
        assert!(written.iter().map(|entry| entry.seq).eq(0..301));
        assert_eq!(written[300].place, node(300));
    });
}

#[test]
fn an_entry_does_not_wait_for_long_without_a_flush() {
    on_runtime(async {
        let store = Arc::new(Memory::default());
        let writer = JournalWriter::start(store.clone());
        writer.append(entry(0, Outcome::Removed)).await.expect("appended");
        let written = async {
            while store.bundles.lock().expect("bundles").is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), written).await.expect("written by itself");
        drop(writer);
    });
}

#[test]
fn a_failed_write_is_told_and_nothing_is_written_after_it() {
    on_runtime(async {
        let store = Arc::new(Memory::default());
        let writer = JournalWriter::start(store.clone());
        store.full.store(true, Ordering::SeqCst);
        writer.append(entry(0, Outcome::Removed)).await.expect("queued");
        // The second one is queued before anybody knows.
        let (flushed, queued) = tokio::join!(writer.flush(), writer.append(entry(1, Outcome::Removed)));
        assert_eq!(flushed.expect_err("full").message, "The disk is full.");
        queued.expect("queued");
        store.full.store(false, Ordering::SeqCst);
        assert!(writer.append(entry(2, Outcome::Removed)).await.is_err(), "the run must stop");
        assert!(writer.flush().await.is_err());
        assert!(writer.finish().await.is_err());
        assert_eq!(store.attempts.load(Ordering::SeqCst), 1);
    });
}

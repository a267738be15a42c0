//! The local store: what it leaves on disk, what it refuses, and what a kill at any point costs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use topo::backend::REGISTRY;
use topo::resource::{Place, Record};
use topo::state::{
    Entry, LocalStore, LockError, LockInfo, LockRequest, Locked, Outcome, Recovered, Revision, Snapshot, State, Store,
    StoreError, to_lines,
};
use topo::transport::BoxFuture;

use super::journal::{begun, entry};
use super::{kernel_route, mesh, node};

struct Folder {
    folder: TempDir,
    store: LocalStore,
}

impl Folder {
    fn new() -> Self {
        let folder = TempDir::new().expect("folder");
        let store = LocalStore::new(&folder.path().join("state/kthw.json"), REGISTRY.known());
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(""))
            .expect("folder")
            .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
}

fn written(store: &LocalStore, state: &State) {
    wait(store.swap(Revision::Absent, state)).expect("written");
}

#[test]
fn a_state_is_written_whole_and_private_and_read_back() {
    let at = Folder::new();
    assert!(wait(at.store.read()).expect("read").state.is_none());
    assert!(!at.path("").exists(), "reading makes nothing");
    let mut state = mesh(3);
    written(&at.store, &state);
    assert_eq!(at.files(), ["kthw.json", "kthw.json.backup"]);
    for file in at.files() {
        assert_eq!(fs::metadata(at.path(&file)).expect("file").permissions().mode() & 0o777, 0o600, "{file}");
    }
    let snapshot = wait(at.store.read()).expect("read");
    assert_eq!(snapshot.state.as_ref(), Some(&state));
    state.serial += 1;
    wait(at.store.swap(snapshot.revision(), &state)).expect("written");
    assert_eq!(wait(at.store.read()).expect("read").state, Some(state));
}

#[test]
fn a_state_that_somebody_else_wrote_is_not_written_over() {
    let at = Folder::new();
    let state = mesh(2);
    written(&at.store, &state);
    let before = fs::read(at.path("kthw.json")).expect("file");
    let other = Revision::Written { lineage: state.lineage, serial: state.serial + 1 };
    for expect in [Revision::Absent, other] {
        let error = wait(at.store.swap(expect, &state)).expect_err("moved");
        assert!(error.message.contains("has changed the state"), "{error}");
    }
    assert_eq!(fs::read(at.path("kthw.json")).expect("file"), before);
}

#[test]
fn a_damaged_state_is_refused_and_not_written_over() {
    let at = Folder::new();
    fs::create_dir(at.path("")).expect("folder");
    for content in ["", "{", "{\"version\":9}"] {
        fs::write(at.path("kthw.json"), content).expect("file");
        let error = wait(at.store.read()).expect_err("refused");
        assert!(error.message.contains("kthw.json") && error.hint.ends_with('.'), "{error:?}");
        for expect in [Revision::Absent, mesh(1).revision()] {
            assert!(wait(at.store.swap(expect, &mesh(1))).is_err());
        }
        assert_eq!(fs::read_to_string(at.path("kthw.json")).expect("file"), content);
    }
}

#[test]
fn recovery_puts_the_copy_of_the_last_write_back_and_keeps_what_was_damaged() {
    let at = Folder::new();
    written(&at.store, &mesh(2));
    let recovered = wait(at.store.recover()).expect("nothing is damaged");
    assert!(recovered.serial.is_none() && recovered.kept.is_empty() && at.files().len() == 2);
    fs::write(at.path("kthw.json"), "{").expect("file");
    let recovered = wait(at.store.recover()).expect("recovered");
    assert_eq!((recovered.serial, recovered.kept.len()), (Some(mesh(2).serial), 1));
    assert_eq!(fs::read_to_string(&recovered.kept[0]).expect("the damaged file"), "{");
    assert_eq!(wait(at.store.read()).expect("read").state, Some(mesh(2)));
}

#[test]
fn a_link_is_written_through() {
    let at = Folder::new();
    let link = at.folder.path().join("link.json");
    symlink("state/kthw.json", &link).expect("link");
    let through = LocalStore::new(&link, REGISTRY.known());
    written(&through, &mesh(1));
    assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
    assert_eq!(at.files(), ["kthw.json", "kthw.json.backup"]);
    assert_eq!(through.lock_path(), at.store.lock_path(), "one lock for both ways");
    assert_eq!(wait(at.store.read()).expect("read").state, Some(mesh(1)));
}

#[test]
fn what_is_no_file_is_refused() {
    let at = Folder::new();
    fs::create_dir_all(at.path("kthw.json")).expect("folder");
    assert!(wait(at.store.read()).expect_err("folder").message.contains("it is a folder and not a file"));
    let nowhere = LocalStore::new(std::path::Path::new("/proc/topo/kthw.json"), REGISTRY.known());
    let error = wait(nowhere.swap(Revision::Absent, &mesh(1))).expect_err("nowhere");
    assert!(error.message.starts_with("topo could not write the state /proc/topo/kthw.json: "), "{error}");
    let device = LocalStore::new(std::path::Path::new("/dev/null"), REGISTRY.known());
    assert!(wait(device.read()).expect_err("device").message.contains("not a regular file"));
}

#[test]
fn the_journal_goes_on_after_a_torn_line() {
    let at = Folder::new();
    written(&at.store, &begun(4));
    wait(at.store.append(&[entry(0, Outcome::Removed)])).expect("appended");
    let mut torn = fs::read(at.store.journal_path()).expect("journal");
    let whole = torn.len();
    torn.extend_from_slice(&to_lines(&[entry(1, Outcome::Removed)])[..70]);
    torn.extend_from_slice(&[0; 9000]);
    fs::write(at.store.journal_path(), &torn).expect("journal");
    assert_eq!(wait(at.store.read()).expect("read").entries.len(), 1);
    assert_eq!(fs::read(at.store.journal_path()).expect("journal"), torn, "readers never write");
    wait(at.store.append(&[entry(2, Outcome::Removed), entry(3, Outcome::Untouched)])).expect("appended");
    assert_eq!(wait(at.store.read()).expect("read").entries.len(), 3);
    assert_eq!(fs::read(at.store.journal_path()).expect("journal").last(), Some(&b'\n'), "nothing of it is left");

    let mut damaged = fs::read(at.store.journal_path()).expect("journal");
    damaged[whole - 5] ^= 1;
    fs::write(at.store.journal_path(), &damaged).expect("journal");
    let error = wait(at.store.read()).expect_err("damage");
    assert!(error.message.contains("The journal ") && error.message.contains("line 1 is damaged"), "{error}");
    wait(at.store.clear_journal()).expect("cleared");
    wait(at.store.clear_journal()).expect("nothing to clear");
    assert_eq!(at.files(), ["kthw.json", "kthw.json.backup"]);
}

#[test]
fn what_a_kill_in_the_middle_of_a_write_leaves_is_harmless_and_goes() {
    let at = Folder::new();
    let state = mesh(3);
    written(&at.store, &state);
    let next = State { serial: 4, ..state.clone() };
    let document = next.to_json();
    for length in [0, 1, document.len() / 2, document.len()] {
        fs::write(at.path("kthw.json.00112233aabbccdd.new"), &document[..length]).expect("left behind");
        assert_eq!(wait(at.store.read()).expect("read").state.as_ref(), Some(&state));
    }
    fs::write(at.path("kthw.json.mine.new"), "").expect("somebody's");
    wait(at.store.swap(state.revision(), &next)).expect("written");
    assert_eq!(at.files(), ["kthw.json", "kthw.json.backup", "kthw.json.mine.new"]);
}

/// A local store that dies at one of its operations: before it, or just after it.
struct Dying {
    store: LocalStore,
    left: AtomicUsize,
    after: bool,
}

impl Dying {
    async fn pass<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let dead = || StoreError::unavailable("Killed.", "");
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(1) if self.after => work.await.and(Err(dead())),
            Ok(1) | Err(_) => Err(dead()),
            Ok(_) => work.await,
        }
    }
}

impl Store for Dying {
    fn read(&self) -> BoxFuture<'_, Result<Snapshot, StoreError>> {
        Box::pin(self.pass(self.store.read()))
    }
    fn swap<'a>(&'a self, expect: Revision, next: &'a State) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.pass(self.store.swap(expect, next)))
    }
    fn append<'a>(&'a self, bundle: &'a [Entry]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.pass(self.store.append(bundle)))
    }
    fn clear_journal(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.pass(self.store.clear_journal()))
    }
    fn recover(&self) -> BoxFuture<'_, Result<Recovered, StoreError>> {
        Box::pin(self.pass(self.store.recover()))
    }
    fn lock<'a>(&'a self, request: &'a LockRequest, wait: Duration) -> BoxFuture<'a, Result<Locked, LockError>> {
        self.store.lock(request, wait)
    }
    fn release(&self) -> BoxFuture<'_, Result<(), LockError>> {
        self.store.release()
    }
    fn unlock<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<LockInfo>, LockError>> {
        self.store.unlock(id)
    }
    fn location(&self) -> String {
        self.store.location()
    }
}

const NODES: usize = 6;

/// A whole run over all nodes: what a node was told to be is noted the moment before its outcome is.
async fn run(store: &dyn Store, touched: &Mutex<Vec<Place>>) -> Result<(), StoreError> {
    let snapshot = store.read().await?;
    let begun = begun(NODES);
    store.swap(snapshot.revision(), &begun).await?;
    store.clear_journal().await?;
    let mut entries = Vec::new();
    for number in 0..NODES {
        touched.lock().expect("touched").push(node(number));
        let done = entry(number, Outcome::Done { excluded: vec![], token: None, attributes: None });
        store.append(std::slice::from_ref(&done)).await?;
        entries.push(done);
    }
    let mut ended = topo::state::fold(begun.clone(), &entries);
    (ended.run, ended.serial) = (None, ended.serial + 1);
    store.swap(begun.revision(), &ended).await?;
    store.clear_journal().await
}

#[test]
fn a_kill_at_any_operation_costs_an_observation_and_never_ownership() {
    let original = mesh(NODES);
    let goal = begun(NODES);
    let mut ends = 0;
    for after in [false, true] {
        for left in 1..100 {
            let at = Folder::new();
            written(&at.store, &original);
            // A killed run before this one left its journal.
            let older = Entry { base: 2, ..entry(3, Outcome::Removed) };
            wait(at.store.append(&[older])).expect("appended");
            let touched = Mutex::new(Vec::new());
            let dying = Dying { store: at.store.clone(), left: AtomicUsize::new(left), after };
            let outcome = wait(run(&dying, &touched));
            let folded = wait(at.store.read()).expect("readable after a kill").folded().expect("state");
            for number in 0..NODES {
                let Some(Record::InDoubt { to, .. }) = goal.record(&node(number), &kernel_route()) else { panic!() };
                let was_touched = touched.lock().expect("touched").contains(&node(number));
                let fits = match (folded.record(&node(number), &kernel_route()), to) {
                    (Some(Record::Settled { is, .. }), Some(to)) if is == to => true,
                    (Some(Record::InDoubt { .. }), _) | (None, None) => true,
                    (found, _) => !was_touched && found == original.record(&node(number), &kernel_route()),
                };
                assert!(fits, "killed at {left}, node {number}: {:?}", folded.record(&node(number), &kernel_route()));
            }
            if outcome.is_ok() {
                assert!(folded.run.is_none() && !folded.records().any(|(_, _, record)| record.is_in_doubt()));
                ends += 1;
                break;
            }
        }
    }
    assert_eq!(ends, 2, "both ways were led to their end");
}

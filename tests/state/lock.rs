//! The lock between processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use topo::backend::REGISTRY;
use topo::state::{LocalStore, LockError, LockInfo, LockRequest, Store};

use super::store::wait;

fn request() -> LockRequest {
    LockRequest { what: "apply".to_owned(), manual: false }
}

fn by_hand() -> LockRequest {
    LockRequest { manual: true, ..request() }
}

fn store() -> (TempDir, LocalStore) {
    let folder = TempDir::new().expect("folder");
    let store = LocalStore::new(&folder.path().join("kthw.json"), REGISTRY.known());
    (folder, store)
}

/// Another process that holds the flock until it is killed.
struct Holder(Child);

impl Holder {
    fn of(path: &std::path::Path) -> Self {
        let mut child = Command::new("flock")
            .arg("--no-fork")
            .arg(path)
            .args(["sh", "-c", "echo held; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("flock");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("output")).read_line(&mut line).expect("held");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn info(manual: bool) -> LockInfo {
    LockInfo { who: "alice@station".to_owned(), ..LockInfo::of_this_process("apply", manual).expect("info") }
}

fn left_behind(store: &LocalStore, info: &LockInfo) {
    fs::write(store.lock_path(), serde_json::to_vec(info).expect("json")).expect("lock file");
}

#[test]
fn a_lock_is_held_once_and_leaves_nothing() {
    let (_folder, first) = store();
    let second = LocalStore::new(&first.lock_path().with_extension(""), REGISTRY.known());
    let mine = wait(first.lock(&request(), Duration::ZERO)).expect("locked").info;
    let Err(LockError::Held(holder)) = wait(second.lock(&request(), Duration::ZERO)) else { panic!("held") };
    assert_eq!(*holder, mine);
    assert!(matches!(wait(second.unlock(&mine.id)), Err(LockError::Running(_))), "its process runs");
    wait(first.release()).expect("released");
    assert!(!first.lock_path().exists());
    wait(second.lock(&request(), Duration::ZERO)).expect("locked");
    drop(second);
    assert!(!first.lock_path().exists(), "dropping the store gives the lock back");
}

#[test]
fn a_running_holder_is_named_and_cannot_be_unlocked() {
    let (_folder, store) = store();
    left_behind(&store, &info(false));
    let holder = Holder::of(&store.lock_path());
    let before = std::time::Instant::now();
    let error = wait(store.lock(&request(), Duration::from_millis(300))).expect_err("held");
    assert!(before.elapsed() >= Duration::from_millis(300));
    let text = error.to_string();
    assert!(text.starts_with("The state is locked by alice@station (apply) since 20"), "{text}");
    let LockError::Held(found) = &error else { panic!("held") };
    assert!(error.hint().contains(&format!("`topo state unlock {}`", found.id)));
    assert!(matches!(wait(store.unlock(&found.id)), Err(LockError::Running(_))));
    drop(holder);
    let locked = wait(store.lock(&request(), Duration::ZERO)).expect("its holder is dead");
    assert!(locked.note.expect("note").starts_with("Took over the lock of alice@station (apply)"));
}

#[test]
fn a_holder_that_has_not_said_who_it_is_is_waited_for() {
    let (_folder, store) = store();
    let holder = Holder::of(&store.lock_path());
    let Err(LockError::Held(found)) = wait(store.lock(&request(), Duration::ZERO)) else { panic!("held") };
    assert!(!found.is_known());
    let release = std::thread::spawn(move || drop(holder));
    wait(store.lock(&request(), Duration::from_secs(60))).expect("locked once it is gone");
    release.join().expect("released");
}

#[test]
fn a_lock_that_cannot_be_judged_from_here_is_held_until_it_is_removed() {
    let elsewhere = LockInfo { host: "elsewhere".to_owned(), boot: "another".to_owned(), ..info(false) };
    for info in [elsewhere, info(true)] {
        let (_folder, store) = store();
        left_behind(&store, &info);
        for _ in 0..2 {
            let error = wait(store.lock(&request(), Duration::ZERO)).expect_err("held");
            let hint = error.hint();
            assert!(hint.contains(&format!("`topo state unlock {}`", info.id)), "{hint}");
            assert_eq!(hint.contains("Wait until the lock is free"), !info.manual, "nobody waits for a person: {hint}");
            let LockError::Held(found) = error else { panic!("held") };
            assert_eq!(*found, info);
        }
        assert!(matches!(wait(store.unlock("0011")), Err(LockError::OtherId { .. })));
        assert!(store.lock_path().exists());
        assert_eq!(wait(store.unlock(&info.id)).expect("removed"), Some(info));
        assert!(!store.lock_path().exists());
        assert_eq!(wait(store.unlock("0011")), Ok(None), "nothing is locked");
        wait(store.lock(&request(), Duration::ZERO)).expect("locked");
    }
}

#[test]
fn a_lock_by_hand_outlives_its_process() {
    let (_folder, store) = store();
    let mine = wait(store.lock(&by_hand(), Duration::ZERO)).expect("locked").info;
    drop(store.clone());
    let Err(LockError::Held(found)) = wait(store.lock(&request(), Duration::ZERO)) else { panic!("held") };
    assert!(found.manual && *found == mine);
    assert!(matches!(wait(store.lock(&by_hand(), Duration::ZERO)), Err(LockError::Held(_))));
}

#[test]
fn a_lock_file_that_says_nonsense_is_no_lock() {
    for content in ["", "{\"id\":", "\0\0", "[]", "{\"id\":\"\u{1b}\"}"] {
        let (_folder, store) = store();
        fs::write(store.lock_path(), content).expect("lock file");
        assert_eq!(wait(store.unlock("0011")), Ok(None));
        fs::write(store.lock_path(), content).expect("lock file");
        assert!(wait(store.lock(&request(), Duration::ZERO)).expect("locked").note.is_none());
    }
}

#[test]
fn two_are_never_inside_though_the_file_comes_and_goes() {
    const TURNS: usize = 300;
    let (_folder, store) = store();
    let path = store.lock_path().with_extension("");
    let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let store = LocalStore::new(&path, REGISTRY.known());
                while turns.load(Ordering::SeqCst) < TURNS {
                    if wait(store.lock(&request(), Duration::ZERO)).is_ok() {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "alone");
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        turns.fetch_add(1, Ordering::SeqCst);
                        wait(store.release()).expect("released");
                    }
                }
            });
        }
    });
}

//! Damage: whatever happens to the bytes of a document or a journal, topo refuses it and says the way out, or nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use topo::backend::REGISTRY;
use topo::state::{LocalStore, Recovered, Revision, State, Store};

use super::mesh;
use super::store::wait;
use crate::events::checked;

/// Where the random numbers start. The test prints it.
const SEED: u64 = 20_261_127;
/// How often documents and journals are damaged.
const DAMAGES: usize = 2000;
/// Golden states of version 2 that are damaged. All have a journal, which says something about the document.
const STATES: [&str; 6] = [
    "nodes-journal-done",
    "nodes-journal-lacks",
    "nodes-journal-still-in-doubt",
    "nodes-destroyed-but-recorded",
    "netplan-journal-attributes",
    "unknown-field-in-doubt",
];

/// A generator of numbers that are as good as random (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).expect("64 bits")).expect("less than the bound")
    }

    /// A part of a text, up to 300 bytes long.
    fn part<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let start = self.below(text.len());
        let length = self.below(300.min(text.len() - start) + 1);
        &text[start..start + length]
    }
}

/// Changes a text: a bit flips, the end is lost, or a part is lost, comes twice, or is one of another text.
fn damage(text: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut text = text.to_vec();
    let at = numbers.below(text.len());
    match numbers.below(6) {
        0 | 1 => text[at] ^= 1 << numbers.below(8),
        2 => text.truncate(at),
        3 => {
            let length = numbers.part(&text[at..]).len();
            text.drain(at..at + length);
        }
        4 => {
            let part = numbers.part(&text).to_vec();
            text.splice(at..at, part);
        }
        _ => {
            let part = numbers.part(other);
            let end = (at + part.len()).min(text.len());
            text.splice(at..end, part.iter().copied());
        }
    }
    text
}

struct Files {
    document: Vec<u8>,
    journal: Vec<u8>,
}

impl Files {
    fn golden(name: &str) -> Self {
        let folder = Path::new("state/golden/version-2").join(name);
        let read = |name: &str| fs::read(folder.join(name)).expect("a golden state");
        Self { document: read("state.json"), journal: read("state.json.journal") }
    }

    fn document(&self) -> State {
        State::from_json(&self.document, REGISTRY.known()).expect("whole")
    }

    /// A folder with these files, and with the copy of the document.
    fn put(&self, folder: &Path, copy: &[u8]) -> LocalStore {
        let path = folder.join("state.json");
        fs::write(&path, &self.document).expect("written");
        fs::write(folder.join("state.json.backup"), copy).expect("written");
        fs::write(folder.join("state.json.journal"), &self.journal).expect("written");
        LocalStore::new(&path, REGISTRY.known())
    }
}

/// Whether each record is as it should be, or is as in doubt as it was before the journal told how it ended.
fn loses_nothing(found: &State, whole: &State, before: &State) -> bool {
    let same = |one: &State, other: &State| {
        (one.lineage, one.serial, &one.topology, one.run) == (other.lineage, other.serial, &other.topology, other.run)
    };
    let fits = |(place, id, record): (&_, &_, &_)| {
        whole.record(place, id) == Some(record) || before.record(place, id) == Some(record)
    };
    let is_there = |(place, id, _): (&_, &_, &_)| found.record(place, id).is_some();
    same(found, whole) && found.kept == whole.kept && found.records().all(fits) && whole.records().all(is_there)
}

#[test]
#[allow(clippy::print_stdout, reason = "the seed and the counts are for people")]
fn damage_is_refused_with_a_way_out_or_without_effect() {
    println!("{DAMAGES} damages, seed {SEED}");
    let mut numbers = Numbers(SEED);
    let (mut refused, mut in_doubt, mut without_effect) = ([0; 2], 0, 0);
    let states = STATES.map(Files::golden);
    for round in 0..DAMAGES {
        let at = numbers.below(states.len());
        let (original, other) = (&states[at], &states[(at + 1 + numbers.below(states.len() - 1)) % states.len()]);
        let (before, in_journal) = (original.document(), numbers.below(2) == 1);
        let mut damaged = Files { document: original.document.clone(), journal: original.journal.clone() };
        if in_journal {
            damaged.journal = damage(&original.journal, &other.journal, &mut numbers);
        } else {
            damaged.document = damage(&original.document, &other.document, &mut numbers);
        }
        let folder = TempDir::new().expect("folder");
        let name = |what: &str| format!("round {round}, seed {SEED}, {}, {what}", STATES[at]);
        let whole = wait(original.put(folder.path(), &original.document).read()).expect("whole").folded();
        let whole = whole.expect("a state");
        let store = damaged.put(folder.path(), &original.document);
        match wait(store.read()) {
            Ok(snapshot) => {
                let found = snapshot.folded().expect("a state");
                let is_equal = found == whole;
                assert!(is_equal || in_journal, "{}", name("the damaged document is read"));
                assert!(is_equal || damaged.document == original.document);
                assert!(loses_nothing(&found, &whole, &before), "{}", name("a record is lost"));
                if is_equal { without_effect += 1 } else { in_doubt += 1 }
            }
            Err(error) => {
                refused[usize::from(in_journal)] += 1;
                assert!(error.hint.contains("`topo state recover`"), "{}: {error:?}", name("no way out"));
                // Recovery waits for the disk, so only some are put back.
                if round % 8 > 0 {
                    continue;
                }
                let Recovered { serial, lost_lines, kept, .. } = wait(store.recover()).expect("recovered");
                assert_eq!(serial.is_some(), !in_journal, "{}", name("the wrong file was put back"));
                assert_eq!((lost_lines > 0, kept.len()), (in_journal, 1), "{}", name("kept"));
                let lost = if in_journal { &damaged.journal } else { &damaged.document };
                assert_eq!(&fs::read(&kept[0]).expect("kept"), lost, "{}", name("the damaged file is lost"));
                let found = wait(store.read()).expect("whole again").folded().expect("a state");
                assert!(loses_nothing(&found, &whole, &before), "{}", name("a record is lost"));
                assert!(in_journal || found == whole, "{}", name("the copy is another one"));
            }
        }
    }
    let [documents, journals] = refused;
    println!(
        "refused: {documents} documents and {journals} journals; in doubt again: {in_doubt}; no effect: {without_effect}"
    );
    assert_eq!(documents + journals + in_doubt + without_effect, DAMAGES);
    assert!(documents > 900 && journals > 300 && in_doubt > 50, "the damage is too small");
}

struct Folder(TempDir);

impl Folder {
    fn with(state: &State) -> Self {
        let at = Self(TempDir::new().expect("folder"));
        wait(at.store().swap(Revision::Absent, state)).expect("written");
        at
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.0.path().join(format!("kthw.json{ending}"))
    }

    fn store(&self) -> LocalStore {
        LocalStore::new(&self.path(""), REGISTRY.known())
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.0.path()).expect("folder").map(|entry| entry.expect("entry"));
        let read = |entry: fs::DirEntry| {
            (entry.file_name().into_string().expect("text"), fs::read(entry.path()).expect("file"))
        };
        let mut files: Vec<_> = entries.map(read).collect();
        files.sort();
        files
    }

    fn topo(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topo"));
        command.args(["--state", "kthw.json"]).args(arguments).current_dir(self.0.path()).env_clear();
        let Output { status, stdout, stderr } = command.output().expect("topo");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code(), text(stdout), text(stderr))
    }
}

#[test]
fn a_damaged_state_is_put_back_and_kept() {
    let at = Folder::with(&mesh(3));
    let whole = fs::read(at.path("")).expect("document");
    let (code, out, _) = at.topo(&["state", "recover"]);
    assert_eq!((code, &*out), (Some(0), "The state kthw.json and its journal are whole. topo changed nothing.\n"));
    assert_eq!(at.files().len(), 2);

    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 4;
    fs::write(at.path(""), &damaged).expect("damaged");
    let before = at.files();
    let (code, _, error) = at.topo(&["state", "list"]);
    assert!(
        code == Some(1) && error.contains("kthw.json is damaged") && error.contains("`topo state recover`"),
        "{error}"
    );
    assert_eq!(at.files(), before, "a refused state was written to");
    let (code, out, _) = at.topo(&["state", "recover"]);
    assert!(code == Some(0) && out.contains("Put back serial 3 of the state kthw.json"), "{out}");
    let files = at.files();
    let kept = files.iter().find(|(name, _)| name.ends_with(".damaged")).expect("the damaged file");
    assert!(out.contains(&kept.0), "{out}");
    assert_eq!((files.len(), &kept.1), (3, &damaged));
    assert_eq!(fs::read(at.path("")).expect("document"), whole);

    // A state that came from elsewhere since, as from version control, is newer than the copy.
    let newer = State { serial: 9, ..mesh(3) }.to_json();
    fs::write(at.path(""), &newer[..newer.len() - 9]).expect("damaged");
    let (code, out, _) = at.topo(&["state", "recover"]);
    assert!(
        code == Some(0) && out.contains("seems to have had serial 9. What was recorded after serial 3 is missing"),
        "{out}"
    );

    // The document is gone altogether.
    fs::remove_file(at.path("")).expect("removed");
    let (code, out, _) = at.topo(&["--json", "state", "recover"]);
    assert_eq!((code, &checked(&out)[1]["serial"]), (Some(0), &3.into()), "{out}");
    assert_eq!(fs::read(at.path("")).expect("document"), whole);

    // So is the copy.
    for copy in [None, Some(&damaged)] {
        fs::write(at.path(""), &damaged).expect("damaged");
        match copy {
            None => fs::remove_file(at.path(".backup")).expect("removed"),
            Some(copy) => fs::write(at.path(".backup"), copy).expect("damaged"),
        }
        let before = at.files();
        let (code, _, error) = at.topo(&["state", "recover"]);
        assert!(code == Some(1) && error.contains("topo cannot put back the state kthw.json."), "{error}");
        assert!(error.contains("`topo plan --new-lineage`"), "{error}");
        assert_eq!(at.files(), before);
    }
}

#[test]
fn a_write_that_is_cut_off_between_copy_and_document_leaves_both_of_use() {
    let at = Folder::with(&mesh(2));
    let next = State { serial: 4, ..mesh(2) };
    fs::write(at.path(".backup"), next.to_json()).expect("the copy is written first");
    assert_eq!(wait(at.store().read()).expect("read").state, Some(mesh(2)));
    fs::write(at.path(""), "").expect("damaged");
    assert_eq!(wait(at.store().recover()).expect("recovered").serial, Some(4));
    assert_eq!(wait(at.store().read()).expect("read").state, Some(next.clone()));
    // Each write makes both alike.
    let last = State { serial: 5, ..next.clone() };
    wait(at.store().swap(next.revision(), &last)).expect("written");
    assert_eq!(at.files().iter().filter(|(_, content)| *content == last.to_json()).count(), 2);
}

#[test]
fn recovery_waits_for_the_lock() {
    let at = Folder::with(&mesh(2));
    let (code, ..) = at.topo(&["state", "lock"]);
    assert_eq!(code, Some(0));
    fs::write(at.path(""), "").expect("damaged");
    let before = at.files();
    let (code, _, error) = at.topo(&["state", "recover"]);
    assert!(code == Some(4) && error.contains("topo state unlock"), "{error}");
    assert_eq!(at.files(), before);
}

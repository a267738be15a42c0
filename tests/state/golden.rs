//! Golden states (`state/golden`): what was written once is read, folded with its journal, and written back the same for ever. What
//! is of version 1 is written back in version 2, with the same content.
//!
//! Only the program is asked, so that nothing here changes with the types behind it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Where they are, from the folder that tests run in.
const GOLDEN: &str = "state/golden";
/// The folders of the versions, and how many states each has at least: none is ever taken away.
const VERSIONS: [(&str, usize); 2] = [("version-1", 54), (NEWEST, 40)];
/// The version that topo writes.
const NEWEST: &str = "version-2";

const DOCUMENT: &str = "state.json";
const JOURNAL: &str = "state.json.journal";
/// The document with the journal's outcomes; there where there is a journal.
const FOLDED: &str = "folded.json";
/// What the program says where it refuses to read.
const REFUSED: &str = "refused.txt";

type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path());
    let name = |path: &Path| path.file_name().expect("name").to_str().expect("text").to_owned();
    entries.map(|path| (name(&path), fs::read(&path).expect("file"))).collect()
}

/// What `topo state pull` prints where these are document and journal: the state as topo understands it, or why it does not.
fn pull(files: &Files) -> Result<Vec<u8>, String> {
    let folder = TempDir::new().expect("folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("written");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_topo"));
    command.args(["--state", DOCUMENT, "state", "pull"]).current_dir(folder.path()).env_clear();
    let Output { status, stdout, stderr } = command.output().expect("topo");
    assert_eq!(&self::files(folder.path()), files, "it has written something");
    let said = String::from_utf8(stderr).expect("text");
    match status.code() {
        Some(0) if said.is_empty() => Ok(stdout),
        Some(1) if stdout.is_empty() => Err(said),
        code => panic!("exit code {code:?}: {said}"),
    }
}

/// A document without what version 2 has and version 1 has not.
fn as_version_1(document: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(document).expect("text");
    let rest =
        text.strip_prefix("{\"version\":2,\n\"digest\":\"").and_then(|rest| rest.get(32..)?.strip_prefix("\",\n"));
    rest.map_or_else(|| document.to_vec(), |rest| format!("{{\"version\":1,\n{rest}").into_bytes())
}

/// What is wrong with one of them. `bless`: what the program says is what it should say.
fn check(folder: &Path, bless: bool) -> Result<(), String> {
    let found = files(folder);
    let is_newest = folder.parent().is_some_and(|version| version.ends_with(NEWEST));
    let as_it_was = |document: Vec<u8>| if is_newest { document } else { as_version_1(&document) };
    let given: Files = found.clone().into_iter().filter(|(name, _)| [DOCUMENT, JOURNAL].contains(&&**name)).collect();
    let expect = |name: &str, said: Option<&[u8]>| {
        let path = folder.join(name);
        match said {
            _ if !bless => {}
            Some(said) => fs::write(path, said).expect("written"),
            None => drop(fs::remove_file(path)),
        }
        let expected = if bless { said } else { found.get(name).map(Vec::as_slice) };
        if said == expected {
            return Ok(());
        }
        let text =
            |text: Option<&[u8]>| text.map_or_else(String::new, |text| String::from_utf8_lossy(text).into_owned());
        Err(format!("{name} should be:\n{}\nand is:\n{}", text(expected), text(said)))
    };
    if let Some(name) = found.keys().find(|name| ![DOCUMENT, JOURNAL, FOLDED, REFUSED].contains(&&***name)) {
        return Err(format!("{name} is not a part of a golden state"));
    }
    match pull(&given) {
        Err(said) => expect(REFUSED, Some(said.as_bytes())).and(expect(FOLDED, None)),
        Ok(whole) => {
            let has_journal = given.contains_key(JOURNAL);
            expect(REFUSED, None)?;
            let whole_now = as_it_was(whole.clone());
            expect(FOLDED, has_journal.then_some(whole_now.as_slice()))?;
            // Without a journal the state is written as it was read, and so is one that is folded already.
            let mut written = vec![(&found[DOCUMENT], whole_now)];
            if has_journal {
                let again = |document: &Vec<u8>| pull(&Files::from([(DOCUMENT.to_owned(), document.clone())]));
                written = vec![(&found[DOCUMENT], as_it_was(again(&found[DOCUMENT])?)), (&whole, again(&whole)?)];
            }
            if let Some((document, written)) = written.into_iter().find(|(document, written)| *document != written) {
                let text = |text| String::from_utf8_lossy(text);
                return Err(format!("it is written back as:\n{}\nand was:\n{}", text(&written), text(document)));
            }
            Ok(())
        }
    }
}

/// `TOPO_BLESS=1` writes down what the program says now. Documents and journals are never changed.
#[test]
fn golden_states_are_read_folded_and_written_back_the_same() {
    let bless = std::env::var_os("TOPO_BLESS").is_some();
    let readme = fs::read_to_string(Path::new(GOLDEN).join("README.md")).expect("README.md");
    let mut folders: Vec<PathBuf> = Vec::new();
    for (version, least) in VERSIONS {
        let entries = fs::read_dir(Path::new(GOLDEN).join(version)).expect("folder");
        let before = folders.len();
        folders.extend(entries.map(|entry| entry.expect("entry").path()).filter(|path| path.is_dir()));
        let count = folders.len() - before;
        assert!(count >= least, "only {count} of {least} golden states of {version} are there");
    }
    folders.sort();
    // A topo without Azure keeps its records as they are, and folds nothing into them.
    let speaks_of_azure =
        |path: &PathBuf| ["azure-", "mixed-"].iter().any(|part| path.to_string_lossy().contains(part));
    let known: Vec<_> = folders.iter().filter(|path| cfg!(feature = "azure") || !speaks_of_azure(path)).collect();
    let wrong: Vec<String> = known
        .into_iter()
        .filter_map(|folder| {
            let name = folder.file_name().expect("name").to_str().expect("text");
            let told =
                if readme.contains(&format!("`{name}`")) { Ok(()) } else { Err("README.md does not name it".into()) };
            told.and_then(|()| check(folder, bless)).err().map(|reason| format!("{}: {reason}", folder.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Keeps a document and its journal as golden files, where the folder is not there yet.
pub(crate) fn keep(name: &str, (document, journal): &(String, String)) {
    let folder = std::env::var_os("TOPO_GOLDEN_STATES").expect("TOPO_GOLDEN_STATES=FOLDER");
    let folder = Path::new(&folder).join(NEWEST).join(name);
    if folder.exists() {
        return;
    }
    fs::create_dir_all(&folder).expect("folder");
    fs::write(folder.join(DOCUMENT), document).expect("written");
    if !journal.is_empty() {
        fs::write(folder.join(JOURNAL), journal).expect("written");
    }
}

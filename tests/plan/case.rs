//! A folder that is one plan case.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Files that are no input of the plan: what it is expected to give, how replies were recorded, and what for.
const OTHERS: [&str; 5] = ["plan.txt", "plan.json", "exit", "live.sh", "asked"];

/// A case, and what was noticed while it was planned.
pub(super) struct Case {
    pub(super) folder: PathBuf,
    used: Mutex<BTreeSet<PathBuf>>,
    wrong: Mutex<Vec<String>>,
}

impl Case {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, used: Mutex::default(), wrong: Mutex::default() }
    }

    /// The content of a file of the case; none where it has no such file.
    pub(super) fn read(&self, file: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(file);
        let content = fs::read(&path).ok()?;
        self.used.lock().expect("no panic before").insert(path);
        Some(content)
    }

    /// The same as text.
    pub(super) fn text(&self, file: &str) -> Option<String> {
        self.read(file).map(|content| String::from_utf8(content).unwrap_or_else(|_| panic!("{file} is no text")))
    }

    /// Writes a file; without content it is removed.
    pub(super) fn write(&self, file: &str, content: Option<&str>) {
        let path = self.folder.join(file);
        match content {
            Some(content) => {
                fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
                fs::write(&path, content).expect("the file is written");
            }
            None if path.exists() => fs::remove_file(&path).expect("the file is removed"),
            None => {}
        }
    }

    /// The recorded replies of nodes.
    fn replies(&self) -> Vec<PathBuf> {
        let mut replies = files(&self.folder.join("nodes"));
        replies.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
        replies
    }

    pub(super) fn remove_replies(&self) {
        for reply in self.replies() {
            fs::remove_file(reply).expect("the reply is removed");
        }
    }

    /// Notes why the case does not hold, whatever the plan says.
    pub(super) fn note(&self, what: String) {
        self.wrong.lock().expect("no panic before").push(what);
    }

    /// Why the case does not hold: what was noted, the files that nobody has read, and how replies were made, where that is not said.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.lock().expect("no panic before").clone();
        let used = self.used.lock().expect("no panic before");
        let others = OTHERS.map(|name| self.folder.join(name));
        for path in files(&self.folder).iter().filter(|path| !used.contains(*path) && !others.contains(path)) {
            wrong.push(format!("{} is not used", path.strip_prefix(&self.folder).unwrap_or(path).display()));
        }
        match (self.replies().is_empty(), self.folder.join("live.sh").exists()) {
            (false, false) => {
                wrong.push("live.sh is missing, which says how the replies of nodes were made".to_owned());
            }
            (true, true) => wrong.push("live.sh is not used".to_owned()),
            _ => {}
        }
        wrong
    }
}

/// All files of a folder and of the folders in it.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

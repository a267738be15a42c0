//! The files of a local state: the document, the copy of its last write, and the journal. Blocks while the disk works.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::journal::whole_lines;
use super::{Recovered, Revision, RunId, Snapshot, State, StoreError, from_lines};
use crate::resource::Known;

/// The files of a state.
#[derive(Debug)]
pub(super) struct Files {
    /// The path as given, for people.
    pub(super) given: PathBuf,
    /// The real file, with links followed: topo writes through a link, and all links to the file share one lock.
    state: PathBuf,
    known: &'static Known,
}

/// The real file behind a path. Follows links, even if the last one leads to a file that does not exist yet.
fn follow(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // The kernel follows at most this many links (path_resolution(7)).
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

impl Files {
    /// Those of a state that may not exist yet, for a binary that knows these kinds.
    pub(super) fn new(path: &Path, known: &'static Known) -> Self {
        Self { given: path.to_owned(), state: follow(path), known }
    }

    /// The journal.
    pub(super) fn journal(&self) -> PathBuf {
        self.beside(".journal")
    }

    /// The copy of the last write.
    fn copy(&self) -> PathBuf {
        self.beside(".backup")
    }

    /// A file beside the document, by its ending.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.state.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn folder(&self) -> &Path {
        self.state.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn trouble(&self, doing: &str, error: &io::Error) -> StoreError {
        let message = format!("topo could not {doing} the state {}: {error}.", self.given.display());
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "Free some space on the disk. The previous state is complete."
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "Check the permissions of the folder, or give another path with --state."
            }
            _ => "Check the path, or give another one with --state.",
        };
        StoreError::unavailable(message, hint)
    }

    pub(super) fn make_folder(&self) -> Result<(), StoreError> {
        let folder = self.folder();
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(|error| self.trouble("write", &error))?;
        // The folder's own entry must survive a power failure, like the file in it.
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above).and_then(|above| above.sync_all()).map_err(|error| self.trouble("write", &error))
    }

    /// The content of the file; none if it does not exist.
    fn content(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || {
            let there = fs::metadata(path)?;
            if there.is_dir() {
                return Err(io::Error::other("it is a folder and not a file"));
            }
            if !there.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            fs::read(path).map(Some)
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            content => content.map_err(|error| self.trouble("read", &error)),
        }
    }

    /// The journal, and the state if there is one. Reads the journal first: if a run ends in between, the journal has
    /// outcomes that the state has too. The state never lacks outcomes.
    pub(super) fn contents(&self) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        let journal = self.content(&self.journal())?.unwrap_or_default();
        Ok((journal, self.content(&self.state)?))
    }

    pub(super) fn snapshot(&self, journal: &[u8], state: Option<&[u8]>) -> Result<Snapshot, StoreError> {
        let state = state.map(|document| self.decode(document)).transpose()?;
        let entries = from_lines(journal, self.known).map_err(|damage| StoreError {
            message: format!("The journal {} is damaged: {damage}.", self.journal().display()),
            hint: "topo changed nothing. `topo state recover` keeps the lines that are whole. What the others say stays in \
                   doubt, and the next run looks there again."
                .to_owned(),
        })?;
        Ok(Snapshot { state, entries })
    }

    fn state(&self) -> Result<Option<State>, StoreError> {
        self.content(&self.state)?.map(|document| self.decode(&document)).transpose()
    }

    fn decode(&self, document: &[u8]) -> Result<State, StoreError> {
        State::from_json(document, self.known)
            .map_err(|error| StoreError::document(&self.given.display().to_string(), &error))
    }

    pub(super) fn swap(&self, expect: Revision, document: &[u8]) -> Result<(), StoreError> {
        let found = self.state()?.map_or(Revision::Absent, |state| state.revision());
        if found != expect {
            return Err(StoreError::moved(&self.given.display().to_string(), expect, found));
        }
        self.make_folder()?;
        self.clear_temporary();
        // The copy first: a kill in between leaves a copy that is newer, and owns the same or more.
        self.write(&self.copy(), document)?;
        self.write(&self.state, document)
    }

    /// Writes a whole file, under another name first.
    fn write(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        let name = RunId::random().map_err(|error| self.trouble("write", &error))?;
        let temporary = self.beside(&format!(".{name}.new"));
        self.replace(&temporary, path, content).map_err(|error| {
            let _ = fs::remove_file(&temporary);
            self.trouble("write", &error)
        })
    }

    /// Puts back what is damaged, and keeps the damaged file: the document from the copy of its last write, and the lines of the journal
    /// that are whole.
    pub(super) fn recover(&self) -> Result<Recovered, StoreError> {
        let mut recovered = Recovered::default();
        let document = self.content(&self.state)?;
        let read = document.as_ref().map(|document| State::from_json(document, self.known));
        if !matches!(read, Some(Ok(_))) {
            let copy = self.content(&self.copy())?.ok_or_else(|| self.no_copy("There is no copy of its last write"))?;
            let state = State::from_json(&copy, self.known)
                .map_err(|error| self.no_copy(&format!("The copy of its last write is of no use: {error}")))?;
            if let Some(document) = &document {
                recovered.damaged_serial = serial_of(document);
                recovered.kept.push(self.keep(document)?);
            }
            self.write(&self.state, &copy)?;
            recovered.serial = Some(state.serial);
        }
        let journal = self.content(&self.journal())?.unwrap_or_default();
        let (whole, lost_lines) = whole_lines(&journal, self.known);
        if lost_lines > 0 {
            recovered.kept.push(self.keep(&journal)?);
            self.write(&self.journal(), &whole)?;
            recovered.lost_lines = lost_lines;
        }
        Ok(recovered)
    }

    fn no_copy(&self, why: &str) -> StoreError {
        StoreError {
            message: format!("topo cannot put back the state {}. {why}.", self.given.display()),
            hint: "Nothing was changed. Restore the file from a backup or from version control. If you have none, move it away: \
                   `topo plan --new-lineage` then shows what topo finds on the nodes."
                .to_owned(),
        }
    }

    /// Keeps the content of a damaged file under a name that no file has yet. Returns the name.
    fn keep(&self, content: &[u8]) -> Result<String, StoreError> {
        let name = RunId::random().map_err(|error| self.trouble("write", &error))?;
        let path = self.beside(&format!(".{name}.damaged"));
        self.write(&path, content)?;
        Ok(path.display().to_string())
    }

    /// Removes the files that a kill during a write left behind. Only the holder of the lock writes, so nobody needs
    /// them.
    fn clear_temporary(&self) {
        let Some(name) = self.state.file_name().and_then(|name| name.to_str()) else { return };
        for entry in fs::read_dir(self.folder()).into_iter().flatten().flatten() {
            let file_name = entry.file_name();
            let middle =
                file_name.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new"));
            if middle.is_some_and(|middle| middle.parse::<RunId>().is_ok()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn replace(&self, temporary: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        File::open(self.folder())?.sync_all()
    }

    pub(super) fn append(&self, lines: &[u8]) -> Result<(), StoreError> {
        let path = self.journal();
        let append = || {
            let is_new = !path.exists();
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
            let end = end_of_lines(&mut file)?;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            file.write_all(lines).and_then(|()| file.sync_data()).inspect_err(|_| {
                let _ = file.set_len(end);
            })?;
            if is_new { File::open(self.folder())?.sync_all() } else { Ok(()) }
        };
        append().map_err(|error| self.trouble("write to the journal of", &error))
    }

    pub(super) fn clear_journal(&self) -> Result<(), StoreError> {
        match fs::remove_file(self.journal()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.trouble("remove the journal of", &error)),
            _ => Ok(()),
        }
    }
}

/// The serial that a damaged document seems to have.
fn serial_of(document: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(document);
    let (_, rest) = text.split_once("\"serial\":")?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The end of the last complete line of a journal. A line that a kill cut off must not become the start of the next
/// line.
fn end_of_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = vec![0; 4096];
    while end > 0 {
        let start = end.saturating_sub(4096);
        let length = usize::try_from(end - start).unwrap_or(4096);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block[..length])?;
        if let Some(at) = block[..length].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

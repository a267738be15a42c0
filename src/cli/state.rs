//! `topo state`: the state.

mod describe;
mod rows;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use self::describe::{describe, describe_row};
use self::rows::{Entry, leave_out};
use super::{CommandError, GlobalArguments, context};
use crate::backend::Registry;
use crate::exit::Exit;
use crate::report::{CommandResult, Event};
use crate::resource::{AddressPattern, Known};
use crate::state::{DocumentError, LockError, LockRequest, Recovered, Revision, State, Store, StoreError};
use crate::ui::Printer;

/// Show or repair the state.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

impl Arguments {
    /// Whether the result is a document.
    pub(super) fn writes_document(&self) -> bool {
        matches!(self.action, Action::Pull)
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the addresses in the state.
    List {
        /// Only these: an address (with or without a row), or the name of a place. * and ? are wildcards.
        #[arg(value_name = "ADDRESS")]
        patterns: Vec<AddressPattern>,
    },
    /// Show the records of an address.
    Show {
        /// An address (with or without a row), or the name of a place. * and ? are wildcards.
        #[arg(value_name = "ADDRESS", required = true)]
        patterns: Vec<AddressPattern>,
    },
    /// Drop records. No place changes: what the records described stays there, and topo no longer owns it.
    Rm {
        /// An address (with or without a row), or the name of a place. * and ? are wildcards.
        #[arg(value_name = "ADDRESS", required = true)]
        patterns: Vec<AddressPattern>,
    },
    /// Write the state to standard output.
    Pull,
    /// Replace the state.
    Push {
        /// A state in the form that `topo state pull` writes. - is standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put back a damaged state: the copy of its last write, and the lines of the journal that are whole. topo keeps the damaged
    /// files.
    Recover,
    /// Lock the state until `topo state unlock`.
    Lock,
    /// Remove a lock that no running process holds.
    Unlock {
        /// The id of the lock. The message about the lock shows it.
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::new(error.message).hint(error.hint)
    }
}

impl From<LockError> for CommandError {
    fn from(error: LockError) -> Self {
        let exit = match error {
            LockError::Held(_) | LockError::Running(_) => Exit::Locked,
            LockError::OtherId { .. } | LockError::Unavailable(_) => Exit::NothingChanged,
        };
        Self::new(error.to_string()).hint(error.hint()).exit(exit)
    }
}

/// The path of the state: the given path, else the only state/*.json in the current directory.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, CommandError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let found: BTreeSet<PathBuf> = std::fs::read_dir("state")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    let mut paths = found.iter();
    match (paths.next(), paths.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(CommandError::new("There is no state here: the current directory has no state/*.json.")
            .hint("Go to the folder of the topology, or give the path of the state with --state.")),
        (Some(_), Some(_)) => {
            let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
            Err(CommandError::new(format!("There are several states here: {}.", names.join(", ")))
                .hint("Choose one with --state."))
        }
    }
}

/// Runs the command on a local state.
pub(super) fn run(
    arguments: Arguments,
    registry: &'static Registry,
    global: &GlobalArguments,
    path: &Path,
    printer: Printer,
) -> Result<Exit, CommandError> {
    let store = context::store_at(path, registry);
    let session = Session { store: &*store, known: registry.known(), global, printer };
    context::block_on(session.run(arguments.action))
}

struct Session<'a> {
    store: &'a dyn Store,
    known: &'a Known,
    global: &'a GlobalArguments,
    printer: Printer,
}

impl Session<'_> {
    async fn run(&self, action: Action) -> Result<Exit, CommandError> {
        match action {
            Action::List { patterns } => self.list(&patterns).await,
            Action::Show { patterns } => self.show(&patterns).await,
            Action::Rm { patterns } => self.locked("state rm", async || self.forget(&patterns).await).await,
            Action::Pull => {
                self.printer.document(&String::from_utf8_lossy(&self.recorded().await?.1.to_json()));
                Ok(Exit::Done)
            }
            Action::Push { file } => {
                let pushed = read_document(&file, self.known)?;
                self.locked("state push", async || self.push(pushed).await).await
            }
            Action::Recover => self.locked("state recover", async || self.recover().await).await,
            Action::Lock => self.lock().await,
            Action::Unlock { id } => self.unlock(&id).await,
        }
    }

    /// The state, with the outcomes of an unfinished run applied.
    async fn recorded(&self) -> Result<(Revision, State), CommandError> {
        let snapshot = self.store.read().await?;
        let revision = snapshot.revision();
        let state = snapshot.folded().ok_or_else(|| {
            CommandError::new(format!("There is no state {}.", self.store.location()))
                .hint("`topo apply` creates the state. If the state is somewhere else, give its path with --state.")
        })?;
        Ok((revision, state))
    }

    async fn locked(
        &self,
        what: &str,
        work: impl AsyncFnOnce() -> Result<Exit, CommandError>,
    ) -> Result<Exit, CommandError> {
        let request = LockRequest { what: what.to_owned(), manual: false };
        if let Some(note) = self.store.lock(&request, self.global.lock_timeout).await?.note {
            self.printer.note(&format!("Note: {note}"));
        }
        let outcome = work().await;
        self.store.release().await?;
        outcome
    }

    async fn list(&self, patterns: &[AddressPattern]) -> Result<Exit, CommandError> {
        let (_, state) = self.recorded().await?;
        let mut lines = String::new();
        for (place, resource, record) in state.records() {
            let entry = Entry::new(self.known, place, resource, record);
            let mut line = |row: Option<&str>| {
                let address = entry.address(row);
                let in_doubt = record.is_in_doubt();
                self.printer.event(Event::Result(CommandResult::StateList { address: address.clone(), in_doubt }));
                lines.push_str(&address);
                lines.push('\n');
                if lines.len() > 1 << 16 {
                    self.printer.result(&lines);
                    lines.clear();
                }
            };
            let whole = patterns.is_empty() || entry.is_selected(patterns);
            if entry.has_rows() {
                entry.selected_rows(patterns, whole, |row| line(Some(&row.to_string())));
            } else if whole {
                line(entry.own_row());
            }
        }
        self.printer.result(&lines);
        Ok(Exit::Done)
    }

    async fn show(&self, patterns: &[AddressPattern]) -> Result<Exit, CommandError> {
        let (_, state) = self.recorded().await?;
        let mut count = 0;
        for (place, recorded) in &state.places {
            for (resource, record) in &recorded.resources {
                let entry = Entry::new(self.known, place, resource, record);
                if entry.is_selected(patterns) {
                    count += 1;
                    self.block(count, &entry.address(entry.own_row()), &describe(&entry, recorded));
                    continue;
                }
                let mut rows = Vec::new();
                entry.selected_rows(patterns, false, |row| rows.push(row));
                for row in rows {
                    count += 1;
                    let address = entry.address(Some(&row.to_string()));
                    self.block(count, &address, &describe_row(&entry, recorded, &row));
                }
            }
        }
        if count == 0 { Err(nothing_matches(patterns)) } else { Ok(Exit::Done) }
    }

    fn block(&self, number: usize, address: &str, fields: &[(&'static str, String)]) {
        let named = fields.iter().map(|(name, value)| (name.replace(' ', "_"), value.clone())).collect();
        let result = CommandResult::StateShow { address: address.to_owned(), fields: named };
        self.printer.event(Event::Result(result));
        let mut text = format!("{}# {address}\n", if number > 1 { "\n" } else { "" });
        for (name, value) in fields {
            let _ = writeln!(text, "{name:<10}  {value}");
        }
        self.printer.result(&text);
    }

    async fn forget(&self, patterns: &[AddressPattern]) -> Result<Exit, CommandError> {
        let (revision, mut state) = self.recorded().await?;
        let mut forgotten: Vec<(String, usize)> = Vec::new();
        for (place, recorded) in &mut state.places {
            recorded.resources.retain(|resource, record| {
                let mut rows = BTreeSet::new();
                let entry = Entry::new(self.known, place, resource, record);
                let (words, whole) = (entry.words, entry.is_selected(patterns));
                entry.selected_rows(patterns, whole, |row| {
                    rows.insert(row);
                });
                if whole || (!rows.is_empty() && rows.len() == entry.number_of_rows()) {
                    let row = entry.own_row();
                    // The routes in a file are the same routes as in the kernel, so they do not count twice.
                    forgotten.push((entry.address(row), if row.is_some() { 0 } else { rows.len() }));
                    return false;
                }
                forgotten.extend(rows.iter().map(|row| (entry.address(Some(&row.to_string())), 1)));
                leave_out(words, record, &rows);
                true
            });
        }
        if forgotten.is_empty() {
            return Err(nothing_matches(patterns));
        }
        state.places.retain(|_, recorded| !recorded.resources.is_empty());
        self.write(revision, state).await?;
        for (address, routes) in &forgotten {
            let result = CommandResult::StateRm { address: address.clone(), routes: *routes };
            self.printer.event(Event::Result(result));
            self.printer.result(&format!("Forgot {address}.\n"));
        }
        let routes: usize = forgotten.iter().map(|(_, routes)| routes).sum();
        let others = forgotten.iter().filter(|(_, routes)| *routes == 0).count();
        self.printer.note(&format!(
            "Removed from the state: {routes} routes, {others} other resources. topo changed nothing else."
        ));
        Ok(Exit::Done)
    }

    async fn push(&self, mut pushed: State) -> Result<Exit, CommandError> {
        let snapshot = self.store.read().await?;
        let revision = snapshot.revision();
        if let Some(current) = &snapshot.state {
            let refuse = |error: DocumentError| {
                CommandError::new(format!("topo does not accept the pushed state: {error}."))
                    .hint(format!("The state {} was not changed.", self.store.location()))
            };
            pushed.expect_topology(&current.topology).map_err(refuse)?;
            pushed.expect_lineage(current.lineage).map_err(refuse)?;
            if pushed.serial < current.serial {
                return Err(CommandError::new(format!(
                    "The pushed state has serial {}, which is older than serial {} of the state {}.",
                    pushed.serial,
                    current.serial,
                    self.store.location()
                ))
                .hint(format!(
                    "Nothing was written. Pull the state again and repeat your change. To go back to the old state on \
                     purpose, set its serial to {}.",
                    current.serial
                )));
            }
        }
        pushed.run = None;
        let serial = self.write(revision, pushed).await?;
        self.printer.event(Event::Result(CommandResult::StatePush { serial }));
        self.printer.result(&format!("Wrote serial {serial} of the state {}.\n", self.store.location()));
        Ok(Exit::Done)
    }

    /// Writes a state that marks no run in progress, and returns its serial.
    async fn write(&self, revision: Revision, mut next: State) -> Result<u64, CommandError> {
        next.run = None;
        next.serial = next.serial.checked_add(1).ok_or_else(|| {
            CommandError::new("The serial of the state is the highest possible number.").hint("Set a lower serial.")
        })?;
        self.store.swap(revision, &next).await?;
        self.store.clear_journal().await?;
        Ok(next.serial)
    }

    async fn recover(&self) -> Result<Exit, CommandError> {
        let Recovered { serial, damaged_serial, lost_lines, kept } = self.store.recover().await?;
        let location = self.store.location();
        let mut text = String::new();
        if let Some(serial) = serial {
            let _ =
                writeln!(text, "Put back serial {serial} of the state {location}, from the copy of its last write.");
        }
        if let (Some(serial), Some(damaged)) = (serial, damaged_serial.filter(|damaged| Some(*damaged) > serial)) {
            let _ = writeln!(
                text,
                "The damaged state seems to have had serial {damaged}. What was recorded after serial {serial} is missing: look for \
                 a newer copy, for example in version control."
            );
        }
        if lost_lines > 0 {
            let lines = if lost_lines == 1 { "1 line".to_owned() } else { format!("{lost_lines} lines") };
            let _ = writeln!(
                text,
                "Took {lines} that could not be read out of the journal. What they said is in doubt: the next run looks at it."
            );
        }
        for path in &kept {
            let _ = writeln!(text, "Kept the damaged file as {path}.");
        }
        if text.is_empty() {
            let _ = writeln!(text, "The state {location} and its journal are whole. topo changed nothing.");
        }
        self.printer.event(Event::Result(CommandResult::StateRecover { serial, damaged_serial, lost_lines, kept }));
        self.printer.result(&text);
        Ok(Exit::Done)
    }

    async fn lock(&self) -> Result<Exit, CommandError> {
        let request = LockRequest { what: "state lock".to_owned(), manual: true };
        let locked = self.store.lock(&request, self.global.lock_timeout).await?;
        if let Some(note) = locked.note {
            self.printer.note(&format!("Note: {note}"));
        }
        let id = &locked.info.id;
        self.printer.event(Event::Result(CommandResult::StateLock { id: id.clone() }));
        self.printer.result(&format!(
            "Locked the state {}. Remove the lock with `topo state unlock {id}`.\n",
            self.store.location()
        ));
        Ok(Exit::Done)
    }

    async fn unlock(&self, id: &str) -> Result<Exit, CommandError> {
        let removed = self.store.unlock(id).await?;
        let boxed = removed.clone().map(Box::new);
        self.printer.event(Event::Result(CommandResult::StateUnlock { removed: boxed }));
        self.printer.result(&match removed {
            Some(info) => format!("Removed the lock of {info}.\n"),
            None => format!("The state {} is not locked.\n", self.store.location()),
        });
        Ok(Exit::Done)
    }
}

fn read_document(file: &Path, known: &Known) -> Result<State, CommandError> {
    let (content, name) = if file == Path::new("-") {
        let mut content = Vec::new();
        (std::io::stdin().lock().read_to_end(&mut content).map(|_| content), "from standard input".to_owned())
    } else {
        (std::fs::read(file), file.display().to_string())
    };
    let content =
        content.map_err(|error| CommandError::new(format!("topo could not read the state {name}: {error}.")))?;
    State::from_edited_json(&content, known).map_err(|error| {
        let refused = CommandError::from(StoreError::document(&name, &error));
        match error {
            DocumentError::Digest => CommandError::new(refused.message)
                .hint("Nothing was written. If you changed the document on purpose, remove its line with \"digest\"."),
            _ => refused,
        }
    })
}

fn nothing_matches(patterns: &[AddressPattern]) -> CommandError {
    let names: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    CommandError::new(format!("Nothing in the state matches {}.", names.join(", ")))
        .hint("`topo state list` lists the addresses in the state.")
}

//! The journal of a run: outcomes since the state write that began it, a line each.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{PlaceRecord, RunId, State};
use crate::network::Prefix;
use crate::resource::{Known, Place, Record, ResourceId, Shape, Token};

/// What became of a place in a phase of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The run.
    pub run: RunId,
    /// Serial of the state write that began the run.
    pub base: u64,
    /// Number in the run; [`super::JournalWriter`] sets it.
    pub seq: u32,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub place: Place,
    /// In which phase.
    pub phase: Box<str>,
    /// What became of each resource.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<(ResourceId, Outcome)>,
    /// The machine's `/etc/machine-id`, where it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<Arc<str>>,
    /// The place is dropped from the record as a whole.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forget: bool,
}

/// An [`Entry`] as it is read: whether its place is one depends on the kinds that are known.
#[derive(Deserialize)]
struct EntryWire<'a> {
    run: RunId,
    base: u64,
    seq: u32,
    at: Timestamp,
    #[serde(borrow)]
    place: Cow<'a, str>,
    phase: Box<str>,
    #[serde(default)]
    outcomes: Vec<(ResourceId, Outcome)>,
    #[serde(default)]
    machine_id: Option<Arc<str>>,
    #[serde(default)]
    forget: bool,
}

/// What became of a resource that was in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It became what it was to become.
    Done {
        /// Destinations that were left out on purpose.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lacks: Vec<Prefix>,
        /// What the place gave for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
        /// What it is beside its routes, where that is not what it was to become.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<serde_json::Value>,
    },
    /// It is gone.
    Removed,
    /// Nothing was done to it: it is what it was.
    Untouched,
    /// Its outcome is not known.
    StillInDoubt,
}

/// A bad line before the last one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is damaged: {reason}")]
pub struct JournalDamage {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    /// See [`checksum`].
    sum: &'a str,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// The first 16 hexadecimal digits of the SHA-256 of an entry's text.
fn checksum(text: &str) -> String {
    Sha256::digest(text).iter().take(8).fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"))
}

/// The lines of some entries, each with its line end.
pub fn to_lines(entries: &[Entry]) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in entries {
        // Writing to memory does not fail, and all keys are texts.
        if let Ok(entry) = serde_json::value::to_raw_value(entry) {
            let written = serde_json::to_writer(&mut lines, &Line { sum: &checksum(entry.get()), entry: &entry });
            debug_assert!(written.is_ok(), "{written:?}");
            lines.push(b'\n');
        }
    }
    lines
}

/// Reads a journal, with places of the kinds that are known. A last line that is cut off or unreadable is left out: that is how a killed run leaves it, and what
/// it would have settled stays in doubt. A bad line before it is damage.
pub fn from_lines(journal: &[u8], known: &Known) -> Result<Vec<Entry>, JournalDamage> {
    // What follows the last line end is empty or cut off.
    let whole = journal.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &journal[..=end]);
    let mut entries = Vec::new();
    let mut lines = whole.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        match read_line(line, known) {
            Ok(entry) => entries.push(entry),
            Err(_) if lines.peek().is_none() && whole.len() == journal.len() => break,
            Err(reason) => return Err(JournalDamage { line: at + 1, reason }),
        }
    }
    Ok(entries)
}

fn read_line(line: &[u8], known: &Known) -> Result<Entry, String> {
    let line = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let Line { sum, entry } = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if sum != checksum(entry.get()) {
        return Err("its checksum does not fit".to_owned());
    }
    let EntryWire { run, base, seq, at, place, phase, outcomes, machine_id, forget } =
        serde_json::from_str(entry.get()).map_err(|error| error.to_string())?;
    let place = known.place(&place).map_err(|error| error.to_string())?;
    Ok(Entry { run, base, seq, at, place, phase, outcomes, machine_id, forget })
}

/// The state with the outcomes of the run that it began. Entries of other runs are of no meaning any more.
#[must_use]
pub fn fold(mut state: State, entries: &[Entry]) -> State {
    for entry in entries {
        if state.run == Some(entry.run) && state.serial == entry.base {
            fold_entry(&mut state, entry);
        }
    }
    state
}

fn fold_entry(state: &mut State, entry: &Entry) {
    let Some(recorded) = state.places.get_mut(&entry.place) else { return };
    if let Some(machine_id) = &entry.machine_id {
        recorded.machine_id = Some(Arc::clone(machine_id));
    }
    for (resource, outcome) in &entry.outcomes {
        settle(recorded, resource, outcome);
    }
    if entry.forget || recorded.resources.is_empty() {
        state.places.remove(&entry.place);
    }
}

fn settle(recorded: &mut PlaceRecord, resource: &ResourceId, outcome: &Outcome) {
    // Only what is in doubt is settled: an outcome that is told twice changes nothing.
    let Some(record @ Record::InDoubt { .. }) = recorded.resources.get_mut(resource) else { return };
    let Record::InDoubt { is, to, also } = record else { return };
    let settled = match outcome {
        Outcome::StillInDoubt => return,
        Outcome::Removed => None,
        // What runs before have left in doubt is so still.
        Outcome::Untouched if !also.is_empty() => {
            *to = None;
            return;
        }
        Outcome::Untouched => is.take().map(|is| Record::Settled { is, token: None }),
        Outcome::Done { lacks, token, attributes } => to.take().map(|mut is| {
            is.leave_out(lacks.iter().copied());
            if let Some(attributes) = attributes {
                is.attributes.clone_from(attributes);
            }
            Record::Settled { is, token: token.clone() }
        }),
    };
    match settled {
        Some(settled) => *record = settled,
        None => {
            recorded.resources.remove(resource);
        }
    }
}

impl Shape {
    /// Adds to what its route set lacks.
    pub fn leave_out(&mut self, destinations: impl IntoIterator<Item = Prefix>) {
        let Some(routes) = &mut self.routes else { return };
        let mut destinations = destinations.into_iter().filter(|prefix| !routes.lacks.contains(prefix)).peekable();
        if destinations.peek().is_some() {
            let lacks: BTreeSet<Prefix> = routes.lacks.iter().copied().chain(destinations).collect();
            routes.lacks = Arc::new(lacks);
        }
    }
}

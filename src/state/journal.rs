//! The journal of a run: outcomes since the state write that began the run, one per line.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{JournalError, LineError, PlaceRecord, RunId, State};
use crate::network::Prefix;
use crate::resource::{Known, Place, Record, ResourceId, Shape, Token};

/// The outcome of a place in a phase of a run. While topo reads it, the place is a text: the known kinds decide whether it
/// is valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<P = Place> {
    /// The run.
    pub run: RunId,
    /// Serial of the state write that began the run.
    pub base: u64,
    /// Number in the run. [`super::JournalWriter`] sets it.
    pub seq: u32,
    /// The time.
    pub at: Timestamp,
    /// The place.
    pub place: P,
    /// The phase.
    pub phase: Box<str>,
    /// The outcome of each resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<(ResourceId, Outcome)>,
    /// The machine's `/etc/machine-id`, if topo has read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<Arc<str>>,
    /// Whether to drop all records of the place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forget: bool,
}

/// The outcome of a resource that was in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The resource is now as intended.
    Done {
        /// Destinations that were left out on purpose.
        #[serde(rename = "lacks", default, skip_serializing_if = "Vec::is_empty")]
        excluded: Vec<Prefix>,
        /// The token that the place gave for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
        /// The attributes, if they are not as intended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<serde_json::Value>,
    },
    /// The resource no longer exists.
    Removed,
    /// The resource is as before: nothing was done to it.
    Untouched,
    /// The outcome is unknown.
    StillInDoubt,
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
        // Writing to memory does not fail, and all keys are strings.
        if let Ok(entry) = serde_json::value::to_raw_value(entry) {
            let written = serde_json::to_writer(&mut lines, &Line { sum: &checksum(entry.get()), entry: &entry });
            debug_assert!(written.is_ok(), "{written:?}");
            lines.push(b'\n');
        }
    }
    lines
}

/// Reads a journal, with places of the known kinds. Ignores a last line that is cut off or unreadable: a killed run
/// leaves such a line, and the resources in it stay in doubt. Any other unreadable line is damage: the error says which one
/// it is, and what is wrong with it.
pub fn from_lines(journal: &[u8], known: &Known) -> Result<Vec<Entry>, JournalError> {
    // The part after the last line end is empty or cut off.
    let whole = journal.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &journal[..=end]);
    let mut entries = Vec::new();
    let mut lines = whole.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        match read_line(line, known) {
            Ok(entry) => entries.push(entry),
            Err(_) if lines.peek().is_none() && whole.len() == journal.len() => break,
            Err(reason) => return Err(JournalError { line: at + 1, reason }),
        }
    }
    Ok(entries)
}

fn read_line(line: &[u8], known: &Known) -> Result<Entry, LineError> {
    let line = std::str::from_utf8(line)?;
    let Line { sum, entry } = serde_json::from_str(line)?;
    if sum != checksum(entry.get()) {
        return Err(LineError::Checksum);
    }
    let Entry::<String> { run, base, seq, at, place, phase, outcomes, machine_id, forget } =
        serde_json::from_str(entry.get())?;
    let place = known.place(&place).map_err(|error| LineError::Place(error.to_string().into()))?;
    Ok(Entry { run, base, seq, at, place, phase, outcomes, machine_id, forget })
}

/// The state with the outcomes of the run that it began. Ignores entries of other runs.
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
    // Only a record in doubt changes, so applying an outcome twice does no harm.
    let Some(record @ Record::InDoubt { .. }) = recorded.resources.get_mut(resource) else { return };
    let Record::InDoubt { is, to, also } = record else { return };
    let settled = match outcome {
        Outcome::StillInDoubt => return,
        Outcome::Removed => None,
        // What earlier runs left in doubt stays in doubt.
        Outcome::Untouched if !also.is_empty() => {
            *to = None;
            return;
        }
        Outcome::Untouched => is.take().map(|is| Record::Settled { is, token: None }),
        Outcome::Done { excluded, token, attributes } => to.take().map(|mut is| {
            is.leave_out(excluded.iter().copied());
            if let Some(attributes) = attributes {
                is.attributes = attributes.clone().into();
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
    /// Adds to the destinations that the route set leaves out.
    pub fn leave_out(&mut self, destinations: impl IntoIterator<Item = Prefix>) {
        let Some(routes) = &mut self.routes else { return };
        let mut destinations = destinations.into_iter().filter(|prefix| !routes.excluded.contains(prefix)).peekable();
        if destinations.peek().is_some() {
            let excluded: BTreeSet<Prefix> = routes.excluded.iter().copied().chain(destinations).collect();
            routes.excluded = Arc::new(excluded);
        }
    }
}

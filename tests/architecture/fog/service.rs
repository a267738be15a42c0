//! The service of the toy cloud, and its client: a folder with a JSON file for each zone, so that it outlives a process.
//!
//! A test makes it misbehave with files: `ZONE.silent` has the number of requests that get no answer, and while `ZONE.refuses`
//! exists, writes are refused with its text.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use topo::exchange::Requests;
use topo::network::Prefix;

/// A zone, as the service has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone {
    /// Increases by one with each write.
    pub(crate) version: u64,
    pub(crate) label: String,
    pub(crate) routes: BTreeMap<Prefix, IpAddr>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer: a write may have been carried out.
    Silent(String),
    /// The service refuses, and has changed nothing.
    Refused(String),
    /// The zone has another version than the write expects. Nothing was changed.
    Moved,
}

impl Failure {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Silent(text) | Self::Refused(text) => text.clone(),
            Self::Moved => "Somebody keeps changing the zone. Run topo again.".to_owned(),
        }
    }
}

/// A connection to the service.
pub(crate) struct Service {
    pub(crate) folder: PathBuf,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Service {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, reads: AtomicU64::new(0), writes: AtomicU64::new(0) }
    }

    fn path(&self, zone: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{zone}.{ending}"))
    }

    fn answers(&self, zone: &str) -> Result<(), Failure> {
        let path = self.path(zone, "silent");
        let left: u32 = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        if left == 0 {
            return Ok(());
        }
        fs::write(path, (left - 1).to_string()).expect("the fault is written");
        Err(Failure::Silent(format!("The fog does not answer about {zone}.")))
    }

    /// A zone; none if it does not exist.
    pub(super) fn get(&self, zone: &str) -> Result<Option<Zone>, Failure> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.answers(zone)?;
        match fs::read(self.path(zone, "json")) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| Failure::Silent(format!("The fog answers nonsense about {zone}: {error}."))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::Silent(format!("The fog cannot be reached: {error}."))),
        }
    }

    /// Writes a zone, or removes it, if it still has this version; none if there was no such zone.
    pub(super) fn put(&self, zone: &str, after: Option<&Zone>, version: Option<u64>) -> Result<(), Failure> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if let Ok(text) = fs::read_to_string(self.path(zone, "refuses")) {
            return Err(Failure::Refused(text));
        }
        if self.get(zone)?.map(|zone| zone.version) != version {
            return Err(Failure::Moved);
        }
        let path = self.path(zone, "json");
        let written = match after {
            Some(after) => {
                let after = Zone { version: version.unwrap_or_default() + 1, ..after.clone() };
                fs::write(path, serde_json::to_vec_pretty(&after).expect("JSON"))
            }
            None => fs::remove_file(path),
        };
        written.map_err(|error| Failure::Silent(format!("The fog cannot be reached: {error}.")))
    }

    pub(super) fn requests(&self) -> Requests {
        let count = |of: &AtomicU64| of.load(Ordering::SeqCst);
        Requests { service: "the fog".into(), reads: count(&self.reads), writes: count(&self.writes) }
    }
}

//! The floor: what any tool must do that reads the topology and the state, by nothing of topo's own.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use toml::de::DeTable;

/// Parses each TOML file with recovery, and scans the state's JSON without keeping anything. The working directory is what
/// [`World::write`](super::world::World::write) made.
pub fn run() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir("topology").expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        let text = std::fs::read_to_string(file).expect("a topology");
        black_box(DeTable::parse_recoverable(&text));
    }
    if let Ok(document) = std::fs::read(Path::new("topology/state/mesh.json")) {
        black_box(serde_json::from_slice::<IgnoredAny>(&document).expect("a state"));
    }
}

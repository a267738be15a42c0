//! The files of src.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the sources.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files below a folder, in no order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

pub(super) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether a file has only tests, or what tests need. Such files may import from anywhere.
pub(super) fn is_test(path: &Path) -> bool {
    path.iter()
        .map(Path::new)
        .filter_map(Path::file_stem)
        .any(|stem| ["tests", "plan_tests", "fixture", "oracle"].iter().any(|test| stem == *test))
}

/// A text without its module of tests.
pub(super) fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code)
}

/// A text without tests, comments and the content of strings. Its lines keep their numbers.
pub(super) fn without_words(text: &str) -> String {
    let line = |line: &str| {
        let code = line.split_once("//").map_or(line, |(code, _)| code);
        let parts: Vec<&str> = code.split('"').collect();
        let ends_inside = if parts.len().is_multiple_of(2) { "\"" } else { "" };
        parts.into_iter().step_by(2).collect::<Vec<_>>().join("\"\"") + ends_inside + "\n"
    };
    without_tests(text).lines().map(line).collect()
}

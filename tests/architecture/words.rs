//! The middle of topo knows no backend: its folders contain no word of one, in no identifier, string, comment or test.

use std::collections::BTreeSet;
use std::path::Path;

use topo::backend::REGISTRY;

use super::source::{files_below, read};

/// Folders and files that must work for backends that nobody has written yet.
const MIDDLE: [&str; 11] = [
    "src/cli",
    "src/drive",
    "src/exchange/mod.rs",
    "src/network",
    "src/plan",
    "src/render",
    "src/report",
    "src/resource",
    "src/state",
    "src/topology",
    "src/ui",
];

/// What the registry cannot tell: makers of clouds, and what carries out netplan's files.
const MORE: [&str; 3] = ["azure", "microsoft", "networkd"];

/// Parts of the names of backends that are words of their own: nodes are reached by SSH, and Rust has statics.
const COMMON: [&str; 2] = ["ssh", "static"];

/// The words of the backends: the parts of their ids, an id as a whole if its parts are words of their own, and the kinds
/// of places that are not nodes.
fn forbidden() -> BTreeSet<String> {
    let mut words: BTreeSet<String> = MORE.map(str::to_owned).into();
    for format in REGISTRY.formats() {
        let mut parts = format.id().split('-').filter(|part| !COMMON.contains(part)).map(str::to_owned).peekable();
        if parts.peek().is_none() {
            words.insert(format.id().replace('-', " "));
        }
        words.extend(parts);
    }
    words.extend(REGISTRY.known().places.iter().map(|kind| kind.id.to_owned()).filter(|id| id != "node"));
    words
}

/// The words of a line, in lower case, with a space before and behind each: `let ARM_id = sshStatic;` is
/// ` let arm id ssh static `.
fn words_of(line: &str) -> String {
    let mut words = " ".to_owned();
    let mut before = ' ';
    for letter in line.chars().chain([' ']) {
        let begins = !letter.is_alphabetic() || (letter.is_uppercase() && !before.is_uppercase());
        if begins && !words.ends_with(' ') {
            words.push(' ');
        }
        if letter.is_alphabetic() {
            words.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

/// Whether a line contains a word. Parts of other words count too where no other word could contain them by chance.
fn has(line: &str, word: &str) -> bool {
    words_of(line).contains(&format!(" {word} ")) || (word.len() > 4 && line.to_lowercase().contains(word))
}

fn is_declaration(line: &str) -> bool {
    line.strip_prefix("pub mod ").is_some_and(|name| name.ends_with(';') && !name.contains(' '))
}

/// Each forbidden word in a file or below a folder: file, number of the line, word, line. The declaration of a module only says that
/// there is one.
fn found_in(folder: &str) -> Vec<String> {
    let (words, mut found) = (forbidden(), Vec::new());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for path in if path.is_file() { vec![path] } else { files_below(&path) } {
        let text = read(&path);
        for (line, number) in text.lines().zip(1..).filter(|(line, _)| !is_declaration(line)) {
            for word in words.iter().filter(|word| has(line, word)) {
                found.push(format!("{}:{number}: `{word}` in: {}", path.display(), line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_middle_has_no_word_of_a_backend() {
    let found: Vec<String> = MIDDLE.into_iter().flat_map(found_in).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn words_of_backends_are_recognised() {
    let words = forbidden();
    for word in ["arm", "azure", "netplan", "networkd", "ssh static", "udr"] {
        assert!(words.contains(word), "{word} is not among {words:?}");
    }
    let of = |line: &str| words.iter().filter(|word| has(line, word)).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("pub static ARM_ID: &str = \"sshd\"; // alarm of a swarm: ssh, not static"), ["arm"]);
    assert_eq!(of("use crate::backend::azure_udr::AzureRequests;"), ["azure", "udr"]);
    assert_eq!(of("a restart of systemd-networkd, SshStatic"), ["networkd", "ssh static"]);
    for format in REGISTRY.formats() {
        let folder = format!("src/backend/{}", format.id().replace('-', "_"));
        assert!(!found_in(&folder).is_empty(), "{folder} does not speak of itself");
    }
}

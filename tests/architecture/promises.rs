//! The ledger of promises: it names each promise of the README, and tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

/// Fewer rows than this mean that the ledger was not read.
const ROWS: usize = 40;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text between the first two signs of this kind, and what follows.
fn between<'t>(text: &'t str, sign: &str) -> Option<(&'t str, &'t str)> {
    text.split_once(sign)?.1.split_once(sign)
}

/// All names of tests in the ledger: the binary and the path in it.
fn tests(ledger: &str) -> Vec<(&str, &str)> {
    let mut tests = Vec::new();
    for line in ledger.lines() {
        let mut rest = line;
        while let Some((code, after)) = between(rest, "`") {
            tests.extend(code.split_once(": ").filter(|(binary, _)| ["lib", "all", "lab"].contains(binary)));
            rest = after;
        }
    }
    tests
}

/// The files in which a test may be, by the modules before its name.
fn files(binary: &str, modules: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join(match binary {
        "lib" => "src",
        "lab" => "tests/lab_cases",
        _ => "tests",
    });
    let at = |modules: &[&str]| {
        let path = folder.join(modules.join("/"));
        [path.with_extension("rs"), path.join("mod.rs")]
    };
    // Tests of the library are in a file of their own, or in the file that they test.
    let above = &modules[..modules.len() - usize::from(modules.last() == Some(&"tests"))];
    [at(modules), at(above)].concat()
}

fn exists(binary: &str, test: &str) -> bool {
    let path: Vec<&str> = test.split("::").collect();
    let Some((name, modules)) = path.split_last() else { return false };
    let declaration = format!("fn {name}(");
    files(binary, modules).iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&declaration)))
}

#[test]
fn each_test_in_the_ledger_exists() {
    let ledger = read("docs/promises.md");
    let tests = tests(&ledger);
    assert!(tests.len() >= ROWS, "only {} tests were found in the ledger", tests.len());
    let missing: Vec<_> = tests.iter().filter(|(binary, test)| !exists(binary, test)).collect();
    assert!(missing.is_empty(), "docs/promises.md names tests that do not exist: {missing:?}");
    assert!(!exists("all", "architecture::promises::no_such_test"));
}

#[test]
fn each_promise_of_the_readme_is_in_the_ledger() {
    let (readme, ledger) = (read("README.md"), read("docs/promises.md"));
    let (_, table) = readme.split_once("## What it promises\n").expect("the promises");
    let (table, _) = table.split_once("\n## ").expect("a next heading");
    let promises: Vec<&str> = table.lines().filter_map(|line| Some(between(line, "**")?.0)).collect();
    assert!(promises.len() >= 4, "{promises:?}");
    for promise in promises {
        let (_, section) = ledger.split_once(&format!("\n## {promise}\n")).unwrap_or_else(|| panic!("{promise}"));
        let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
        assert!(section.contains("\n| `"), "no test holds the promise: {promise}");
    }
}

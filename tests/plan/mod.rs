//! Plan cases: a folder each, from what is declared, recorded and live to the plan. README.md says what is in them.

mod azure;
mod case;
mod harness;
mod nodes;
mod record;
mod run;
mod sums;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use similar::TextDiff;

use case::Case;

/// A run that finds fewer cases than this has looked in the wrong place.
const CASES: usize = 180;
/// How many of them mix the kernel, files and Azure.
const MIXED: usize = 30;

/// What is done with a case beside comparing it.
#[derive(Clone, Copy, Default)]
struct Mode {
    /// The plan is written down as it is now.
    bless: bool,
    /// The replies of nodes are made anew.
    record: bool,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan")
}

/// The folders of all cases.
fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("cases")).expect("cases");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    cases
}

fn name(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).expect("a name")
}

/// Plans a case; gives what is wrong with it.
fn check(folder: &Path, mode: Mode) -> Vec<String> {
    let case = Arc::new(Case::new(folder.to_owned()));
    if mode.record {
        case.remove_replies();
    }
    // One that panics is told beside the others.
    let planned = catch_unwind(AssertUnwindSafe(|| run::plan(&case, mode.record)));
    let Ok(planned) = planned else { return vec!["it panics".to_owned()] };
    let mut wrong = case.wrong();
    let exit = (planned.exit != 0).then(|| format!("{}\n", planned.exit));
    for (file, now) in [("plan.txt", Some(planned.text)), ("plan.json", Some(planned.json)), ("exit", exit)] {
        let before = case.text(file);
        if mode.bless {
            case.write(file, now.as_deref());
        } else if before != now {
            let (before, now) = (before.unwrap_or_default(), now.unwrap_or_default());
            let difference = TextDiff::from_lines(&before, &now);
            wrong.push(difference.unified_diff().header(file, &format!("{file} now")).to_string());
        }
    }
    wrong
}

#[test]
fn every_case_is_planned_as_expected() {
    let is_set = |variable: &str| std::env::var_os(variable).is_some();
    let mode = Mode { bless: is_set("TOPO_BLESS"), record: is_set("TOPO_RECORD") };
    let only = std::env::var("TOPO_CASE").unwrap_or_default();
    let cases = cases();
    assert!(cases.len() >= CASES, "only {} cases were found", cases.len());
    let mixed = cases.iter().filter(|folder| name(folder).starts_with("mixed-")).count();
    assert!(mixed >= MIXED, "only {mixed} cases mix all backends");
    let mut wrong = Vec::new();
    for folder in cases.iter().filter(|folder| name(folder).contains(&only)) {
        wrong.extend(check(folder, mode).into_iter().map(|what| format!("{}: {what}", name(folder))));
    }
    assert!(wrong.is_empty(), "{}\nTOPO_BLESS=1 accepts the plans as they are now", wrong.join("\n"));
}

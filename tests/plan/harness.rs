//! What the cases stand on can fail: each way in which a case may lie is tried on a copy of one.

use std::fs;
use std::path::Path;

use super::case::files;
use super::{Mode, check, folder};
use crate::fake::namespace::Namespace;

/// A copy of a case, after something was done to it.
fn altered(case: &str, alter: impl FnOnce(&Path)) -> tempfile::TempDir {
    let (from, to) = (folder().join("cases").join(case), tempfile::tempdir().expect("a folder"));
    for file in files(&from) {
        let copy = to.path().join(file.strip_prefix(&from).expect("a file of the case"));
        fs::create_dir_all(copy.parent().expect("a folder")).expect("the folder is made");
        fs::copy(&file, copy).expect("the file is copied");
    }
    alter(to.path());
    to
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a text");
    assert!(text.contains(from), "{} has no {from}", file.display());
    fs::write(file, text.replacen(from, to, 1)).expect("the file is written");
}

/// A copy of a case is wrong after something was done to it, in these words; the case itself is not.
#[track_caller]
fn assert_told(case: &str, words: &str, alter: impl FnOnce(&Path)) {
    assert_eq!(check(&folder().join("cases").join(case), Mode::default()), [""; 0]);
    let wrong = check(altered(case, alter).path(), Mode::default()).join("\n");
    assert!(wrong.contains(words), "{words:?} is not told: {wrong}");
}

#[test]
fn what_a_case_lacks_or_has_too_much_is_told() {
    let remove = |file: &'static str| move |case: &Path| fs::remove_file(case.join(file)).expect("it is there");
    assert_told("first-plan", "node-0 is asked, and there is neither", remove("nodes/node-0.txt"));
    assert_told("first-plan", "plan.txt now", remove("plan.txt"));
    assert_told("conflict", "exit now", remove("exit"));
    assert_told("first-plan", "live.sh is missing", remove("live.sh"));
    let table = "azure/kubernetes/routeTables.kubernetes-routes.json";
    assert_told("azure-unchanged", "there is no azure/kubernetes/routeTables.kubernetes-routes", remove(table));
    let add = |file: &'static str| move |case: &Path| fs::write(case.join(file), "x").expect("it is written");
    assert_told("first-plan", "nodes/node-9.txt is not used", add("nodes/node-9.txt"));
    assert_told("first-plan", "notes is not used", add("notes"));
    assert_told("azure-unchanged", "azure/other.json is not used", add("azure/other.json"));
}

#[test]
fn a_reply_to_another_question_is_told() {
    let topology = |more: &'static str| {
        move |case: &Path| {
            let file = case.join("topo.toml");
            fs::write(&file, fs::read_to_string(&file).expect("a topology") + more).expect("it is written");
        }
    };
    // Other frames, another table, other next hops, another token.
    assert_told("first-plan", "nodes/node-0.txt does not answer", topology("[backends.netplan]\n"));
    assert_told("first-plan", "asked something else", topology("table = 100\n"));
    assert_told("first-plan", "asked something else", |case| {
        edit(&case.join("topo.toml"), "10.240.0.21", "10.240.0.29");
    });
    assert_told("unchanged", "asked something else", |case| {
        edit(&case.join("state.json"), "\"token\":\"", "\"token\":\"0");
    });
}

#[test]
fn what_a_reply_or_a_document_says_counts() {
    let reply = |case: &Path| edit(&case.join("nodes/server.txt"), "via 10.240.0.99", "via 10.240.0.98");
    assert_told("drift-altered", "+      live now: via 10.240.0.98", reply);
    assert_told("drift-altered", "plan.json now", |case| edit(&case.join("plan.json"), "10.240.0.99", "10.240.0.98"));
    let table = "azure/kubernetes/routeTables.kubernetes-routes.json";
    assert_told("azure-unchanged", "has the id of something else", |case| {
        edit(&case.join(table), "routeTables/k", "routeTables/x");
    });
    assert_told("azure-unchanged", "+  ~ 10.200.0.0/24", |case| edit(&case.join(table), "10.240.0.20", "10.240.0.29"));
}

#[test]
fn every_case_that_is_called_wrong_is_there() {
    let text = fs::read_to_string(folder().join("README.md")).expect("README.md");
    let (_, known) = text.split_once("## Known wrong").expect("the section");
    let named: Vec<&str> = known
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| {
            line.split('|').nth(1).unwrap_or_default().split(", ").map(|name| name.trim().trim_matches('`'))
        })
        .collect();
    assert!(named.len() > 3, "only {} were found", named.len());
    let missing: Vec<&&str> = named.iter().filter(|name| !folder().join("cases").join(name).is_dir()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The replies are those of the scripts as they are now: the machines of `live.sh` are built and asked, where that is possible here.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn replies_that_are_recorded_anew_lead_to_the_same_plan() {
    if let Err(reason) = Namespace::new() {
        eprintln!("skipped: no network namespace can be made here: {reason}");
        return;
    }
    let of_the_kernel = ["rule-to-another-table", "rules-for-pods", "rule-not-asked", "tunnel", "tunnel-first-plan"];
    let of_others = ["own-pods-by-a-next-hop", "attributes", "netplan-of-somebody-taken-over"];
    for case in
        ["mixed-drift", "netplan-refusals", "dual-stack-drift"].into_iter().chain(of_the_kernel).chain(of_others)
    {
        let copy = altered(case, |_| ());
        let record = Mode { record: true, ..Mode::default() };
        assert_eq!(check(copy.path(), record), [""; 0], "{case}");
    }
}

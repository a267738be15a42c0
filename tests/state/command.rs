//! `topo state` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use topo::backend::REGISTRY;
use topo::resource::Record;
use topo::state::{LocalStore, Revision, State, Store, to_lines};

use super::journal::{begun, entry};
use super::store::wait;
use super::{kernel_route, mesh, node, pods};
use crate::events::checked;

struct Folder(TempDir);

impl Folder {
    fn with(state: &State) -> Self {
        let at = Self(TempDir::new().expect("folder"));
        wait(at.store().swap(Revision::Absent, state)).expect("written");
        at
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("state/kthw.json")
    }

    fn store(&self) -> LocalStore {
        LocalStore::new(&self.path(), REGISTRY.known())
    }

    fn state(&self) -> State {
        State::from_json(&fs::read(self.path()).expect("file"), REGISTRY.known()).expect("state")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topo"));
        command.current_dir(self.0.path()).env_clear().arg("state").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command().args(arguments).output().expect("topo");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code().expect("exit code"), text(stdout), text(stderr))
    }
}

fn pushed(at: &Folder, state: &State) -> (i32, String, String) {
    let file = at.0.path().join("pushed.json");
    fs::write(&file, state.to_json()).expect("file");
    at.run(&["push", "pushed.json"])
}

#[test]
fn list_and_show() {
    let at = Folder::with(&mesh(3));
    let (code, out, _) = at.run(&["list"]);
    assert_eq!((code, out.lines().count()), (0, 6));
    assert_eq!(out.lines().next(), Some("kernel_route.node-0[\"10.100.1.0/24\"]"));
    let (_, out, _) = at.run(&["list", "kernel_route.node-?[10.100.2.0/24]"]);
    assert_eq!(out, "kernel_route.node-0[\"10.100.2.0/24\"]\nkernel_route.node-1[\"10.100.2.0/24\"]\n");
    assert_eq!(at.run(&["list", "node-9"]), (0, String::new(), String::new()));
    let (_, out, _) = at.run(&["--json", "list", "node-2"]);
    // The version, and two rows.
    assert_eq!(out.lines().count(), 3);
    checked(&out);

    let (code, out, _) = at.run(&["show", "kernel_route.node-0[\"10.100.1.0/24\"]"]);
    assert_eq!(code, 0);
    let expected = "# kernel_route.node-0[\"10.100.1.0/24\"]\n\
                    next hop    10.240.0.11\ntable       254\nmetric      default\nprotocol    201\nrecorded    settled\n\
                    backend     ssh-static\nplace       node:node-0\nreached at  10.240.0.10\n\
                    machine id  00000000000000000000000000000000\n";
    assert_eq!(out, expected);
    let (code, out, _) = at.run(&["show", "node-1"]);
    assert!(code == 0 && out.contains("recorded    2 routes"), "{out}");
    let (code, _, error) = at.run(&["show", "node-0[\"10.100.0.0/24\"]"]);
    assert!(code == 1 && error.contains("Nothing in the state matches"), "its own pods: {error}");
}

#[test]
fn what_is_in_doubt_is_listed_as_the_union_and_shown_as_both() {
    let at = Folder::with(&begun(4));
    let (_, out, _) = at.run(&["list", "node-2"]);
    assert_eq!(out.lines().count(), 3);
    let (_, out, _) = at.run(&["show", "node-2[10.100.3.0/24]"]);
    assert!(out.contains("next hop    10.240.0.13, should become none\n"), "{out}");
    let (_, out, _) = at.run(&["show", "node-0"]);
    assert!(out.contains("in doubt: was absent, should become 2 routes"), "{out}");
    // The journal tells how it went, without being written away.
    fs::write(at.store().journal_path(), to_lines(&[entry(2, topo::state::Outcome::Untouched)])).expect("journal");
    let (_, out, _) = at.run(&["show", "node-2[10.100.3.0/24]"]);
    assert!(out.contains("recorded    settled\n"), "{out}");
    assert!(at.store().journal_path().exists());
}

#[test]
fn rm_drops_rows_resources_and_places() {
    let at = Folder::with(&mesh(4));
    let (code, out, _) = at.run(&["rm", "kernel_route.node-0[\"10.100.2.0/24\"]"]);
    assert_eq!((code, out.as_str()), (0, "Forgot kernel_route.node-0[\"10.100.2.0/24\"].\n"));
    let state = at.state();
    assert_eq!(state.serial, 4);
    let Some(Record::Settled { is, token: None }) = state.record(&node(0), &kernel_route()) else { panic!("settled") };
    assert!(is.routes.as_ref().expect("routes").excluded.contains(&pods(2)));
    assert!(matches!(state.record(&node(1), &kernel_route()), Some(Record::Settled { token: Some(_), .. })));

    let (code, out, _) = at.run(&["rm", "node-0[*]", "kernel_route.node-1"]);
    assert_eq!((code, out.as_str()), (0, "Forgot kernel_route.node-0.\nForgot kernel_route.node-1.\n"));
    let state = at.state();
    assert_eq!(state.serial, 5);
    assert!(state.places.keys().eq([&node(2), &node(3)]));

    let before = fs::read(at.path()).expect("file");
    let (code, _, error) = at.run(&["rm", "node-0"]);
    assert!(code == 1 && error.contains("topo state list"), "{error}");
    assert_eq!(fs::read(at.path()).expect("file"), before, "nothing was written");
    assert!(!at.store().lock_path().exists());
}

#[test]
fn rm_keeps_what_an_unfinished_run_has_done() {
    let at = Folder::with(&begun(4));
    fs::write(at.store().journal_path(), to_lines(&[entry(1, topo::state::Outcome::Removed)])).expect("journal");
    assert_eq!(at.run(&["rm", "node-3"]).0, 0);
    let state = at.state();
    assert!(state.run.is_none() && !at.store().journal_path().exists());
    assert!(state.places.keys().eq([&node(0), &node(2)]));
    assert!(state.records().all(|(_, _, record)| record.is_in_doubt()));
}

#[test]
fn pull_and_push() {
    let at = Folder::with(&mesh(3));
    let (code, out, _) = at.run(&["pull"]);
    assert_eq!((code, out.as_bytes()), (0, fs::read(at.path()).expect("file").as_slice()));

    let mut state = at.state();
    state.places.remove(&node(1));
    assert_eq!(pushed(&at, &state).0, 0, "the same serial is the next write");
    assert_eq!((at.state().serial, at.state().places.len()), (4, 2));

    let before = fs::read(at.path()).expect("file");
    for (state, why) in [
        (state.clone(), "older than serial 4"),
        (
            State { lineage: topo::state::Identifier::from_bytes([9; 16]), serial: 9, ..state.clone() },
            "its lineage is 0909",
        ),
        (State { topology: super::name("other"), serial: 9, ..state.clone() }, "belongs to the topology `other`"),
    ] {
        let (code, _, error) = pushed(&at, &state);
        assert!(code == 1 && error.contains(why) && error.contains("Hint: "), "{error}");
    }
    fs::write(at.0.path().join("newer.json"), "{\"version\":2}").expect("file");
    let (code, _, error) = at.run(&["push", "newer.json"]);
    assert!(code == 1 && error.contains("version 2") && error.contains("Upgrade topo"), "{error}");
    assert_eq!(fs::read(at.path()).expect("file"), before);

    let empty = Folder(TempDir::new().expect("folder"));
    fs::write(empty.0.path().join("pushed.json"), state.to_json()).expect("file");
    assert_eq!(empty.run(&["--state", "state/kthw.json", "push", "pushed.json"]).0, 0);
    assert_eq!(empty.state().places, state.places);
}

#[test]
fn locks() {
    let at = Folder::with(&mesh(3));
    let (code, out, _) = at.run(&["lock"]);
    assert_eq!(code, 0);
    let id = out.rsplit(' ').next().expect("id").trim().trim_end_matches("`.").to_owned();
    for arguments in [&["rm", "node-0"][..], &["lock"], &["push", "state/kthw.json"]] {
        let (code, _, error) = at.run(arguments);
        assert_eq!(code, 4, "{error}");
        assert!(
            error.contains("locked manually by") && error.contains(&format!("`topo state unlock {id}`")),
            "{error}"
        );
    }
    assert_eq!(at.run(&["list"]).0, 0, "readers need no lock");
    let (code, _, error) = at.run(&["unlock", "0011223344556677"]);
    assert!(code == 1 && error.contains(&id), "{error}");
    assert_eq!(at.run(&["unlock", &id]).0, 0);
    let (code, out, _) = at.run(&["unlock", &id]);
    assert!(code == 0 && out.contains("is not locked"), "{out}");
    assert_eq!(at.run(&["rm", "node-0"]).0, 0);
}

#[test]
fn each_command_says_its_result_as_events() {
    let at = Folder::with(&mesh(3));
    fs::write(at.0.path().join("pushed.json"), at.state().to_json()).expect("file");
    let results = |arguments: &[&str]| {
        let (code, out, _) = at.run(&[&["--json"], arguments].concat());
        let events = checked(&out);
        assert_eq!((code, &events[0]["type"]), (0, &"version".into()), "{out}");
        let command = format!("state {}", arguments[0]);
        let are_results = events[1..].iter().all(|event| event["type"] == "result" && event["command"] == *command);
        assert!(are_results && events.len() > 1, "{out}");
        events[1..].to_vec()
    };
    assert_eq!(results(&["list"]).len(), 6);
    let shown = results(&["show", "node-0"]);
    assert_eq!(shown[0]["fields"]["reached_at"], "10.240.0.10");
    assert_eq!(results(&["rm", "node-0[10.100.1.0/24]"])[0]["routes"], 1);
    let serial = at.state().serial;
    fs::write(at.0.path().join("pushed.json"), at.state().to_json()).expect("file");
    assert_eq!(results(&["push", "pushed.json"])[0]["serial"], serial + 1);
    let id = results(&["lock"])[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(results(&["unlock", &id])[0]["removed"]["id"], *id);
    assert!(results(&["unlock", &id])[0]["removed"].is_null());
    let (_, out, _) = at.run(&["--json", "pull"]);
    assert_eq!(out.as_bytes(), at.state().to_json(), "a document alone");
    let (code, out, _) = at.run(&["--json", "rm", "node-9"]);
    assert_eq!((code, &checked(&out)[1]["type"]), (1, &"error".into()));
}

#[test]
fn the_state_is_found_or_asked_for() {
    let at = Folder::with(&mesh(1));
    fs::write(at.0.path().join("state/other.json"), "").expect("file");
    let (code, _, error) = at.run(&["list"]);
    assert!(code == 1 && error.contains("several states here: state/kthw.json, state/other.json"), "{error}");
    let (code, _, error) = at.run(&["--state", "state/other.json", "list"]);
    assert!(code == 1 && error.contains("state/other.json is damaged: it is empty (0 bytes)."), "{error}");
    let (code, _, error) = at.run(&["--state", "nowhere.json", "list"]);
    assert!(code == 1 && error.contains("There is no state nowhere.json."), "{error}");
    fs::remove_dir_all(at.0.path().join("state")).expect("removed");
    let (code, _, error) = at.run(&["list"]);
    assert!(code == 1 && error.contains("no state/*.json"), "{error}");
}

#[test]
fn many_writers_at_once_take_turns() {
    let at = Folder::with(&mesh(12));
    let writers: Vec<_> = (0..12)
        .map(|number| {
            let mut command = at.command();
            command.args(["--lock-timeout", "60s", "rm", &format!("node-{number}")]);
            command.stdout(Stdio::null()).spawn().expect("topo")
        })
        .collect();
    for mut writer in writers {
        assert!(writer.wait().expect("exit").success());
    }
    assert_eq!((at.state().serial, at.state().places.len()), (3 + 12, 0));
}

/// Runs a command whose files may not grow beyond 1 KiB: the kernel ends it in the middle of its write, or the write
/// fails where the signal is ignored, as on a full disk.
fn cramped(at: &Folder, before: &str) -> Output {
    let script = format!("{before} ulimit -f 1; exec \"$0\" state rm node-0");
    let mut command = Command::new("/bin/bash");
    command.env_clear().args(["-c", &script, env!("CARGO_BIN_EXE_topo")]).current_dir(at.0.path());
    command.output().expect("bash")
}

/// Three nodes from which all was removed, and a run that was cut off before it wrote that into the state.
fn all_removed_but_recorded() -> Folder {
    let mut state = begun(3);
    for record in state.places.values_mut().flat_map(|place| place.resources.values_mut()) {
        let Record::InDoubt { is, to, .. } = record else { panic!("in doubt") };
        (*is, *to) = (is.take().or(to.take()), None);
    }
    let at = Folder::with(&state);
    let entries: Vec<_> = (0..3).map(|number| entry(number, topo::state::Outcome::Removed)).collect();
    fs::write(at.store().journal_path(), to_lines(&entries)).expect("journal");
    at
}

#[test]
fn a_run_that_finds_nothing_to_do_on_nodes_ends_one_that_was_cut_off() {
    // A node alone needs no routes.
    let text = "[topology]\nname = \"kthw\"\n[nodes]\nnode-0 = { address = \"10.240.0.10\" }\n[backends.ssh-static]\n";
    for arguments in
        [&["destroy", "-y"][..], &["destroy", "-y", "--state", "state/kthw.json", "gone.toml"], &["apply", "-y"]]
    {
        let at = all_removed_but_recorded();
        fs::write(at.0.path().join("topo.toml"), text).expect("topology");
        let run = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_topo"));
            let output = command.args(arguments).current_dir(at.0.path()).env_clear().output().expect("topo");
            let text = |bytes| String::from_utf8(bytes).expect("text");
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        let files = || {
            let folder = at.0.path().join("state");
            names(&folder)
                .into_iter()
                .map(|name| (fs::read(folder.join(&name)).expect("file"), name))
                .collect::<Vec<_>>()
        };
        let before = files();
        assert_eq!(before.len(), 2);
        let said = run(&["plan", "--no-refresh"]);
        assert!(said.0 == Some(0) && said.1.contains("No changes."), "{said:?}");
        assert!(files() == before, "a plan has written something");

        let said = run(arguments);
        assert!(said.0 == Some(0) && said.1.contains("No changes."), "{arguments:?}: {said:?}");
        assert!(said.2.contains("Note: an earlier run was cut off."), "{said:?}");
        assert_eq!(names(&at.0.path().join("state")), ["kthw.json"], "the journal is still there");
        let state = at.state();
        assert!(state.is_empty() && state.run.is_none() && state.serial == 5, "{state:?}");

        // What says nothing any more goes away, too, and the state is not written for it.
        fs::write(at.store().journal_path(), to_lines(&[entry(1, topo::state::Outcome::Removed)])).expect("journal");
        assert_eq!(run(arguments).0, Some(0));
        assert_eq!(names(&at.0.path().join("state")), ["kthw.json"]);
        assert_eq!(at.state().serial, 5);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("folder");
    entries.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect()
}

#[test]
fn a_write_that_fails_or_is_killed_halfway_leaves_the_old_state_whole() {
    let at = Folder::with(&mesh(40));
    let before = fs::read(at.path()).expect("file");
    let failed = cramped(&at, "trap '' XFSZ;");
    let error = String::from_utf8_lossy(&failed.stderr);
    assert!(failed.status.code() == Some(1) && error.contains("topo could not write the state"), "{error}");
    assert_eq!(fs::read(at.path()).expect("file"), before);
    assert_eq!(names(&at.0.path().join("state")), ["kthw.json"]);

    assert_eq!(cramped(&at, "").status.code(), None, "killed");
    assert_eq!(fs::read(at.path()).expect("file"), before);
    assert_eq!(names(&at.0.path().join("state")).len(), 3, "a lock and half a file are left behind");

    let (code, _, note) = at.run(&["rm", "node-1"]);
    assert!(code == 0 && note.contains("that process has ended without removing it"), "{note}");
    assert_eq!(names(&at.0.path().join("state")), ["kthw.json"]);
    assert_eq!(at.state().places.len(), 39);
}

//! Runs that are stopped: by a kill at each request, by Ctrl-C, with a journal that is cut off.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command as Process};

use super::*;

/// How long an answer takes while the program is to be caught.
const SLOW: u64 = 20;

impl Cloud {
    fn begin(&self, arguments: &[&str]) -> Child {
        self.server.command(Command::ClearLog);
        self.spawn(arguments)
    }

    /// Interrupts the program, and lets its request go on once it has heard that.
    fn interrupt_and_release(&self, mut child: Child) -> Said {
        interrupt(&child);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut err = String::new();
        while !err.contains("Interrupted") {
            assert_ne!(stderr.read_line(&mut err).unwrap(), 0, "it does not say that it was interrupted: {err}");
        }
        self.server.command(Command::Release);
        stderr.read_to_string(&mut err).unwrap();
        Said { err, ..Said::new(&child.wait_with_output().unwrap()) }
    }
}

fn interrupt(child: &Child) {
    let status = Process::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// What is before a run: nothing, something else, all of it.
fn prepare(life: &str) -> Cloud {
    let cloud = Cloud::start(4);
    cloud.write(&topology(3, ""));
    if life != "first" {
        cloud.apply();
    }
    if life == "later" {
        cloud.set_routes(|routes| routes.push(route("theirs", "192.168.0.0/16", "10.240.0.99")));
        cloud.write(&topology(4, "").replace("worker-0 = ", "# "));
    }
    cloud
}

fn arguments(life: &str) -> [&'static str; 2] {
    [if life == "destroy" { "destroy" } else { "apply" }, "-y"]
}

/// Whether all is as it would be without the interruption, and nothing is left after a destroy.
fn goes_on(cloud: &Cloud, life: &str, destroys: bool, about: &str) {
    cloud.server.command(Command::Latency { milliseconds: 0 });
    if !destroys {
        let said = cloud.topo(&arguments(life));
        assert_eq!(said.code, 0, "{about}: {}\n{}", said.out, said.err);
        if life != "destroy" {
            assert_eq!(cloud.routes().len(), if life == "later" { 4 } else { 3 }, "{about}");
            assert!(cloud.association().is_some(), "{about}");
            let said = cloud.topo(&["plan", "--detailed-exitcode"]);
            assert_eq!(said.code, 0, "{about}: {}\n{}", said.out, said.err);
        }
    }
    let said = cloud.topo(&["destroy", "-y"]);
    assert_eq!(said.code, 0, "{about}: {}\n{}", said.out, said.err);
    assert_eq!(cloud.association(), None, "{about}");
    if life == "later" {
        assert_eq!(cloud.routes(), ["theirs 192.168.0.0/16 VirtualAppliance 10.240.0.99"], "{about}");
    } else {
        assert!(cloud.table().is_none(), "{about}: {:?}", cloud.table());
    }
    let state = cloud.folder.path().join("state/kthw.json");
    assert!(!state.exists() || cloud.state()["places"] == json!({}), "{about}: {}", cloud.state());
}

/// The process is killed once a request has arrived, which then is not carried out; or once it has been answered. False if it ended
/// before that: it asks for the state of an operation as often as that takes, so some runs send fewer requests.
fn kill(life: &str, at: usize, answered: bool, about: &str) -> bool {
    let cloud = prepare(life);
    cloud.server.command(Command::Latency { milliseconds: SLOW });
    let mut child = cloud.begin(&arguments(life));
    let mut ended = None;
    let came = within(Duration::from_secs(120), || {
        let status = child.try_wait().unwrap();
        let log = cloud.server.log();
        let request = log.iter().filter(|it| it.service == "arm").nth(at);
        let is_due = request.is_some_and(|it| !answered || it.ended.is_some());
        ended = status.filter(|_| !is_due);
        is_due || ended.is_some()
    });
    child.kill().unwrap();
    if !came {
        let said = Said::new(&child.wait_with_output().unwrap());
        let told = |it: &crate::arm::Exchange| {
            format!("{} {} {}: {:?}, {} to {:?} ms\n", it.service, it.method, it.path, it.status, it.began, it.ended)
        };
        let log: String = cloud.server.log().iter().map(told).collect();
        panic!("{about}: the request did not come, and the run did not end.\n{log}{}\n{}", said.out, said.err);
    }
    child.wait().unwrap();
    if let Some(ended) = ended {
        assert!(ended.success(), "{about}: {ended}");
        return false;
    }
    goes_on(&cloud, life, at % 2 == usize::from(answered), about);
    true
}

#[test]
fn a_kill_at_any_request_loses_nothing() {
    let mut kills = std::collections::VecDeque::new();
    for life in ["first", "later", "destroy"] {
        let cloud = prepare(life);
        cloud.topo(&arguments(life)).exits(0);
        let log: Vec<_> = cloud.server.log().into_iter().filter(|it| it.service == "arm").collect();
        let first = log.iter().position(crate::arm::Exchange::is_write).unwrap();
        // Before the first write one is as good as another.
        for at in first.saturating_sub(2)..log.len() {
            kills.extend([(life, at, false), (life, at, true)]);
        }
    }
    let kills = std::sync::Mutex::new(kills);
    let killed = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((life, at, answered)) = { kills.lock().unwrap().pop_front() } {
                    let when = if answered { "after" } else { "at" };
                    let was_killed = kill(life, at, answered, &format!("{life}, killed {when} request {at}"));
                    killed.fetch_add(usize::from(was_killed), std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    let killed = killed.into_inner();
    assert!(killed > 30, "{killed}");
}

/// A run that has done all and was cut off before it wrote that into the state: the document is the one that it began with, and the
/// journal has all outcomes.
pub(super) fn all_but_recorded(life: &str) -> Cloud {
    let cloud = prepare(life);
    let state = cloud.folder.path().join("state/kthw.json");
    let mut begun = Vec::new();
    // The last write of each.
    let (method, path) = match life {
        "destroy" => ("DELETE", table()),
        "later" => ("PUT", table()),
        _ => ("PUT", subnet()),
    };
    let said = cloud.topo_while_held(&arguments(life), (method, &path, 0), || {
        begun = std::fs::read(&state).unwrap();
        // The last write of the state is refused.
        std::fs::write(&state, "").unwrap();
    });
    said.exits(3).says("is damaged");
    std::fs::write(&state, begun).unwrap();
    cloud
}

/// The first write of the state fails: a folder stands where its copy belongs.
#[test]
fn a_run_that_cannot_write_the_state_changes_nothing() {
    for life in ["first", "later", "destroy"] {
        let cloud = prepare(life);
        let folder = cloud.folder.path().join("state");
        let copy = folder.join("kthw.json.backup");
        let _ = std::fs::remove_file(&copy);
        std::fs::create_dir_all(&copy).unwrap();
        let before = std::fs::read(folder.join("kthw.json")).ok();
        cloud.server.command(Command::ClearLog);
        let said = cloud.topo(&arguments(life)).exits(1).says("could not write the state").says("Nothing was changed.");
        assert!(!said.err.contains("journal"), "{life}: {}", said.err);
        assert!(cloud.server.writes().is_empty(), "{life}: {}", said.out);
        assert_eq!(std::fs::read(folder.join("kthw.json")).ok(), before, "{life}");
        std::fs::remove_dir(&copy).unwrap();
        cloud.topo(&arguments(life)).exits(0);
    }
}

#[test]
fn a_run_that_finds_nothing_to_do_ends_one_that_was_cut_off() {
    for life in ["first", "later", "destroy"] {
        let cloud = all_but_recorded(life);
        let files = || {
            let read = |entry: std::io::Result<std::fs::DirEntry>| {
                let path = entry.unwrap().path();
                (path.file_name().unwrap().to_os_string(), std::fs::read(path).unwrap())
            };
            let files = std::fs::read_dir(cloud.folder.path().join("state")).unwrap();
            files.map(read).collect::<std::collections::BTreeMap<_, _>>()
        };
        let before = files();
        assert_eq!(before.len(), 3, "a document, its copy and a journal: {before:?}");
        assert!(is_in_doubt(&cloud), "{life}: {}", cloud.state());
        // Whoever only looks writes nothing.
        for arguments in [&["plan"][..], &["plan", "--no-refresh"], &["state", "list"], &["state", "pull"]] {
            cloud.topo(arguments).exits(0);
            assert!(files() == before, "{life}: {arguments:?} has written something");
        }
        let said = cloud.topo(&arguments(life)).exits(0).says("No changes.").says("an earlier run was cut off");
        assert!(cloud.server.writes().is_empty(), "{life}: {}", said.out);
        assert_eq!(files().len(), 2, "{life}: the journal is still there");
        assert!(!is_in_doubt(&cloud) && cloud.state()["run"].is_null(), "{life}: {}", cloud.state());
        assert_eq!(cloud.state()["places"] == json!({}), life == "destroy", "{life}: {}", cloud.state());
        // And then there is nothing to write any more.
        let after = files();
        cloud.topo(&arguments(life)).exits(0).not("cut off");
        assert!(files() == after, "{life}: the state was written for nothing");
        if life != "destroy" {
            cloud.settled();
        }
    }
}

/// What is in doubt has what it is to become.
fn is_in_doubt(cloud: &Cloud) -> bool {
    cloud.state().to_string().contains("\"to\":")
}

#[test]
fn an_interrupt_finishes_what_is_under_way_and_begins_no_more() {
    let cloud = prepare("first");
    cloud.server.command(Effect::Hold.next("PUT", &table()));
    let child = cloud.begin(&["apply", "-y"]);
    cloud.await_request("PUT", &table(), 1);
    cloud.interrupt_and_release(child).exits(3).says("interrupted");
    assert_eq!(cloud.routes().len(), 3);
    assert_eq!(cloud.association(), None);
    // The table is settled, the association is as it was.
    let state = cloud.state().to_string();
    assert!(!is_in_doubt(&cloud) && !state.contains("azure_subnet_association"), "{state}");
    let said = cloud.apply();
    assert_eq!(cloud.requests().1, 1, "the subnet alone: {}", said.out);
    cloud.settled();
}

#[test]
fn an_interrupt_before_the_first_write_changes_nothing() {
    let cloud = prepare("first");
    cloud.server.command(Effect::Hold.nth("GET", &table(), 1));
    let child = cloud.begin(&["apply", "-y"]);
    // The step has begun: it is finished.
    cloud.await_request("GET", &table(), 2);
    cloud.interrupt_and_release(child).exits(3);
    assert!(cloud.table().is_some());
    let cloud = prepare("first");
    cloud.server.command(Effect::Hold.nth("GET", &table(), 0));
    let child = cloud.begin(&["apply", "-y"]);
    cloud.await_request("GET", &table(), 1);
    interrupt(&child);
    Said::new(&child.wait_with_output().unwrap()).exits(1);
    assert!(cloud.table().is_none());
}

#[test]
fn an_interrupted_destroy_goes_on() {
    let cloud = prepare("destroy");
    cloud.server.command(Effect::Hold.next("PUT", &subnet()));
    let child = cloud.begin(&["destroy", "-y"]);
    cloud.await_request("PUT", &subnet(), 1);
    cloud.interrupt_and_release(child).exits(3);
    assert_eq!((cloud.association(), cloud.routes().len()), (None, 3));
    goes_on(&cloud, "destroy", false, "interrupted");
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let cloud = prepare("first");
    cloud.server.command(Effect::Hold.next("PUT", &table()));
    let mut child = cloud.begin(&["apply", "-y"]);
    cloud.await_request("PUT", &table(), 1);
    interrupt(&child);
    // Signals of one kind do not queue: the second one is sent when the first one was heard.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Interrupted")), "it says nothing");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let answered = |it: &crate::arm::Exchange| it.method == "PUT" && it.ended.is_some();
    assert!(!cloud.server.log().iter().any(answered), "it has waited for the answer");
    cloud.server.command(Command::Release);
    assert!(is_in_doubt(&cloud), "{}", cloud.state());
    goes_on(&cloud, "first", false, "interrupted twice");
}

#[test]
fn a_journal_may_be_cut_at_every_line() {
    // The journal of a run that was killed after its last entry: what it has told so far is kept, the rest is looked for.
    let cloud = prepare("first");
    cloud.server.command(Effect::Hold.nth("GET", &subnet(), 1));
    let mut child = cloud.begin(&["apply", "-y"]);
    cloud.await_request("GET", &subnet(), 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let folder = cloud.folder.path().join("state");
    let mut files = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
    let journal = files.find(|path| path.to_string_lossy().contains("journal")).unwrap();
    let state = std::fs::read(folder.join("kthw.json")).unwrap();
    let whole = std::fs::read(&journal).unwrap();
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    assert!(!ends.is_empty());
    let table_body = cloud.table().unwrap();
    let cuts: Vec<usize> = std::iter::once(0).chain(ends.iter().flat_map(|end| [end - 20, *end])).collect();
    for cut in cuts {
        let again = Cloud::start(4);
        again.write(&topology(3, ""));
        let body = json!({ "location": LOCATION, "tags": table_body["tags"], "properties": { "routes": table_body["properties"]["routes"] } });
        again.server.command(Command::Put { path: table(), body });
        std::fs::create_dir(again.folder.path().join("state")).unwrap();
        std::fs::write(again.folder.path().join("state/kthw.json"), &state).unwrap();
        std::fs::write(again.folder.path().join("state").join(journal.file_name().unwrap()), &whole[..cut]).unwrap();
        let said = again.topo(&["apply", "-y"]);
        assert_eq!(said.code, 0, "cut at {cut}: {}\n{}", said.out, said.err);
        assert_eq!(again.requests().1, 1, "the subnet alone");
        goes_on(&again, "first", true, &format!("cut at {cut} of {}", whole.len()));
    }
}

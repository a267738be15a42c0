//! `topo validate`, `topo init` and `topo schema` as users run them.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const MACHINES: &str = include_str!("../../examples/kthw/machines.txt");

/// Runs topo in a directory: standard output, standard error, exit code.
fn topo(directory: &Path, arguments: &[&str], input: &str) -> (String, String, i32) {
    let output = Command::cargo_bin("topo")
        .expect("binary")
        .current_dir(directory)
        .env_clear()
        .args(arguments)
        .write_stdin(input)
        .output()
        .expect("run");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("exit code"))
}

/// A directory with a name of its own in a temporary one.
fn directory(name: &str) -> (TempDir, std::path::PathBuf) {
    let holder = TempDir::new().expect("directory");
    let path = holder.path().join(name);
    fs::create_dir(&path).expect("directory");
    (holder, path)
}

#[test]
fn init_from_machines_writes_a_topology_that_is_valid() {
    let (_holder, path) = directory("kthw");
    let (out, err, code) = topo(&path, &["init", "--from", "-"], MACHINES);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("Wrote topo.toml: 3 nodes, 2 pod subnets."), "{out}");
    let (out, err, code) = topo(&path, &["validate"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "topo.toml is valid: 3 nodes, 2 pod subnets, backend ssh-static.\n");
    let left: Vec<_> = fs::read_dir(&path).expect("directory").map(|entry| entry.expect("entry").file_name()).collect();
    assert_eq!(left, ["topo.toml"], "no temporary file is left");
}

#[test]
fn machines_of_another_editor_and_without_full_names_are_read() {
    let (_holder, path) = directory("kthw");
    let text = "\u{feff}10.240.0.10 server\r\n10.240.0.20 node-0 10.200.0.0/24\r\n10.240.0.21 node-1 10.200.1.0/24\r\n";
    fs::write(path.join("machines.txt"), text).expect("write");
    let (out, err, code) = topo(&path, &["init", "--from", "machines.txt"], "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("Wrote topo.toml: 3 nodes, 2 pod subnets."), "{out}");
    let written = fs::read_to_string(path.join("topo.toml")).expect("text");
    let nodes = "\n[nodes]\n\
        server = { address = \"10.240.0.10\" }\n\
        node-0 = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }\n\
        node-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }\n";
    assert!(written.contains(nodes), "{written}");
}

#[test]
fn what_init_leaves_in_a_comment_can_be_uncommented() {
    for arguments in [&["init"][..], &["init", "--from", "-"]] {
        let (_holder, path) = directory("x");
        assert_eq!(topo(&path, arguments, MACHINES).2, 0);
        let file = path.join("topo.toml");
        let text = fs::read_to_string(&file).expect("text");
        assert!(text.contains("\n# [backends.netplan]"), "{text}");
        fs::write(&file, text.replace("# [backends.netplan]", "[backends.netplan]")).expect("write");
        let (out, err, code) = topo(&path, &["validate"], "");
        assert_eq!((code, err.as_str()), (0, ""));
        assert_eq!(out, "topo.toml is valid: 3 nodes, 2 pod subnets, backends netplan, ssh-static.\n");
    }
}

#[test]
fn init_never_writes_over_a_file() {
    let (_holder, path) = directory("x");
    fs::write(path.join("topo.toml"), "mine").expect("write");
    for arguments in [&["init"][..], &["init", "--from", "-"]] {
        let (out, err, code) = topo(&path, arguments, MACHINES);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("topo.toml exists already") && err.contains("--update"), "{err}");
    }
    assert_eq!(fs::read_to_string(path.join("topo.toml")).expect("text"), "mine");
}

#[test]
fn update_rewrites_nodes_and_keeps_the_rest() {
    let (_holder, path) = directory("x");
    let before = "\
# head
[topology]
name = \"k\" # the name

[nodes]
# the server
server = { address = \"10.240.0.10\", ssh = { user = \"x\" } } # srv
# workers
node-7 = { address = \"10.240.0.27\" }
node-0   =   { address = \"10.240.0.99\", pods = \"10.200.0.0/24\" } # w0

[backends.ssh-static] # on
";
    fs::write(path.join("topo.toml"), before).expect("write");
    let (out, err, code) = topo(&path, &["init", "--from", "-", "--update"], MACHINES);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let expected = before
        .replace("node-7 = { address = \"10.240.0.27\" }\n", "")
        .replace("10.240.0.99", "10.240.0.20")
        .replace("# w0\n", "# w0\nnode-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }\n");
    assert_eq!(fs::read_to_string(path.join("topo.toml")).expect("text"), expected);
    assert!(out.contains("+ node-1") && out.contains("~ node-0") && out.contains("- node-7"), "{out}");
    assert!(out.ends_with("Rewrote [nodes] of topo.toml: 1 added, 1 changed, 1 removed.\n"), "{out}");

    let (out, _, code) = topo(&path, &["init", "--from", "-", "--update"], MACHINES);
    assert_eq!((code, out.as_str()), (0, "topo.toml has these nodes already. topo did not change it.\n"));
    let (_, err, code) = topo(&path, &["init", "--from", "-", "--update"], "10.240.0.1\n");
    assert!(code == 1 && err.contains("[-:1:1]"), "{err}");
    assert_eq!(fs::read_to_string(path.join("topo.toml")).expect("text"), expected);
}

#[test]
fn validate_says_everything_as_events_too() {
    let (_holder, path) = directory("x");
    let (out, _, code) = topo(&path, &["--json", "validate", "-"], "[topology]\nnam = \"x\"\n[nodes]\nä = 1\n");
    assert_eq!(code, 1);
    let events = crate::events::checked(&out);
    assert_eq!(events[0]["type"], "version");
    let events = &events[1..];
    assert_eq!((&events[0]["type"], &events[0]["severity"]), (&"finding".into(), &"error".into()));
    assert_eq!(events[0]["source"], serde_json::json!({ "file": "-", "line": 2, "column": 1 }));
    assert_eq!(events[0]["remedies"][0]["text"], "Did you mean `name`?");
    let result = events.iter().find(|event| event["type"] == "result").expect("a result");
    assert_eq!((result["command"].as_str(), result["valid"].as_bool()), (Some("validate"), Some(false)));
}

#[test]
fn validate_reads_directories_and_refuses_what_is_no_text() {
    let (_holder, path) = directory("x");
    let folder = path.join("net");
    fs::create_dir(&folder).expect("directory");
    let (_, err, code) = topo(&path, &["validate", "net"], "");
    assert!(code == 1 && err.contains("has no .toml file"), "{err}");
    fs::write(folder.join("a.toml"), "[topology]\nname = \"x\"\n[nodes]\na = { address = \"10.0.0.1\" }\n")
        .expect("write");
    fs::write(
        folder.join("b.toml"),
        "[nodes]\nb = { address = \"10.0.0.2\", pods = [\"10.1.0.0/24\"] }\n[backends.ssh-static]\n",
    )
    .expect("write");
    let (out, err, code) = topo(&path, &["validate", "net"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "net is valid: 2 nodes, 1 pod subnet, backend ssh-static.\n");
    fs::write(folder.join("c.toml"), b"ok = 1\n\xff").expect("write");
    let (_, err, code) = topo(&path, &["validate", "net"], "");
    assert!(code == 1 && err.contains("line 2"), "{err}");
    let (_, err, code) = topo(&path, &["validate"], "");
    assert!(code == 1 && err.contains("There is no `topo.toml`"), "{err}");
}

#[test]
fn schema_prints_the_file_that_is_checked_in() {
    let (_holder, path) = directory("x");
    let (out, _, code) = topo(&path, &["schema"], "");
    assert_eq!(code, 0);
    assert!(out == include_str!("../../schema/topology.schema.json"));
}

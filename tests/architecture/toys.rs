//! The toys go through the real commands, with real nodes: each is an sshd with an `/etc` of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::fog::service::Zone;
use super::program::{Ran, topo};
use crate::ssh::skipped;
use crate::ssh::sshd::Sshd;

/// Gives a machine an `/etc` of its own, in the folder of its sshd.
const OWN_ETC: &str = "mkdir \"$2/etc\" && cp -a /etc/. \"$2/etc\" && mount --bind \"$2/etc\" /etc || exit
mkdir -p /etc/sysctl.d /etc/topo; rm -f /etc/topo/*; cat /proc/sys/kernel/random/uuid | tr -d - >/etc/machine-id";

const NOTE: &str = "etc/sysctl.d/70-note.conf";

/// Nodes, the folder of the toy cloud, and that of the topology.
struct World {
    folder: TempDir,
    nodes: Vec<Option<Sshd>>,
}

impl World {
    /// Two nodes with pods. Each table of `backends` is in the topology.
    fn new(backends: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("fog")).expect("a folder");
        let nodes: Vec<Sshd> = (0..2).map(|_| Sshd::start_on("", OWN_ETC)).collect();
        let world = Self { folder, nodes: nodes.into_iter().map(Some).collect() };
        world.configure(backends);
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn node(&self, number: usize) -> &Sshd {
        self.nodes[number].as_ref().expect("a node that is up")
    }

    fn configure(&self, backends: &str) {
        let mut text = "[topology]\nname = \"toys\"\n[nodes]\n".to_owned();
        let (mut known, mut keys) = (String::new(), String::new());
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let _ = writeln!(
                text,
                "node-{number} = {{ address = \"10.240.0.2{number}\", nat = true, pods = [\"10.200.{number}.0/24\"], ssh = {{ host = \
                 \"127.0.0.1\", port = {}, user = \"root\" }} }}",
                node.port
            );
            let _ = write!(known, "[127.0.0.1]:{} {}", node.port, node.host_key());
            let _ = writeln!(keys, "IdentityFile \"{}\"", node.path().join("key").display());
        }
        fs::write(self.at("topo.toml"), text + backends).expect("a topology");
        fs::write(self.at("known_hosts"), known).expect("known hosts");
        fs::write(self.at("ssh_config"), format!("Host *\nIdentityAgent none\nIdentitiesOnly yes\n{keys}"))
            .expect("a configuration");
    }

    fn topo(&self, arguments: &[&str]) -> Ran {
        let (fog, known, config) = (self.at("fog"), self.at("known_hosts"), self.at("ssh_config"));
        let variables: [(&str, &Path); 3] =
            [("TOPO_FOG_FOLDER", &fog), ("TOPO_KNOWN_HOSTS", &known), ("TOPO_SSH_CONFIG", &config)];
        topo(self.folder.path(), arguments, &variables)
    }

    /// Runs a command that ends with this code; its output and its errors.
    #[track_caller]
    fn ends(&self, exit: i32, arguments: &[&str]) -> String {
        let ran = self.topo(arguments);
        assert_eq!(ran.exit, exit, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out + &ran.err
    }

    fn zone(&self, zone: &str) -> Option<Zone> {
        let text = fs::read(self.at(&format!("fog/{zone}.json"))).ok()?;
        Some(serde_json::from_slice(&text).expect("a zone"))
    }

    /// The routes of a zone as text.
    fn routes(&self, zone: &str) -> Vec<String> {
        let zone = self.zone(zone).unwrap_or_default();
        zone.routes.iter().map(|(destination, hop)| format!("{destination} {hop}")).collect()
    }

    /// Changes a zone behind topo's back.
    fn edit(&self, zone: &str, edit: impl FnOnce(&mut Zone)) {
        let mut one = self.zone(zone).unwrap_or_default();
        edit(&mut one);
        one.version += 1;
        fs::write(self.at(&format!("fog/{zone}.json")), serde_json::to_vec(&one).expect("JSON")).expect("a zone");
    }

    fn fault(&self, file: &str, text: &str) {
        fs::write(self.at(&format!("fog/{file}")), text).expect("a fault");
    }

    fn note(&self, node: usize) -> Option<String> {
        fs::read_to_string(self.node(node).path().join(NOTE)).ok()
    }
}

const BOTH: &str = "[backends.toy-note]\ntext = \"mind the gap\"\n[backends.fog]\nzone = \"north\"\nlabel = \"mist\"\n";
const ROUTES: [&str; 2] = ["10.200.0.0/24 10.240.0.20", "10.200.1.0/24 10.240.0.21"];

/// A text without its line breaks, which depend on the width of a line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    let text = one_line(text);
    for words in words {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[track_caller]
fn lacks(text: &str, words: &[&str]) {
    let text = one_line(text);
    for words in words {
        assert!(!text.contains(words), "{words:?} is in:\n{text}");
    }
}

/// The events of a command, which ends with this code.
#[track_caller]
fn events(world: &World, exit: i32, arguments: &[&str]) -> Vec<Value> {
    let ran = world.topo(&[arguments, &["--json"]].concat());
    assert_eq!(ran.exit, exit, "{}{}", ran.out, ran.err);
    let schema: Value = serde_json::from_str(&world.ends(0, &["schema", "events"])).expect("JSON");
    let checks = jsonschema::validator_for(&schema).expect("a schema");
    let event = |line: &str| -> Value {
        let event = serde_json::from_str(line).expect("JSON");
        assert!(checks.is_valid(&event), "the schema does not have {line}");
        event
    };
    ran.out.lines().map(event).collect()
}

#[test]
fn a_topology_and_its_schema_know_the_toys() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let text = |backends: &str| {
        format!(
            "[topology]\nname = \"toys\"\n[nodes]\nnode-0 = {{ address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }}\n{backends}"
        )
    };
    let validate = |backends: &str| {
        fs::write(path.join("topo.toml"), text(backends)).expect("a topology");
        topo(path, &["validate"], &[])
    };
    let valid = validate(BOTH);
    assert_eq!((valid.exit, valid.err.as_str()), (0, ""));
    assert_eq!(valid.out, "topo.toml is valid: 1 node, 1 pod subnet, backends fog, toy-note.\n");
    for (backends, words) in [
        ("[backends.fog]\n", "has no `zone`"),
        ("[backends.fog]\nzone = \"n\"\nfolder = \"/\"\n", "Whoever runs topo says where the fog is"),
        ("[backends.fog]\nzone = \"n\"\n[backends.b]\ntype = \"fog\"\nzone = \"n\"\n", "Two tables keep the zone `n`."),
        ("[backends.toy-note]\ntext = 1\n", "must be a string"),
        ("[backends.ssh-static]\n", "ssh-static"),
    ] {
        let wrong = validate(backends);
        assert_eq!(wrong.exit, 1, "{backends}");
        has(&wrong.err, &[words]);
    }
    let schema: Value = serde_json::from_str(&topo(path, &["schema"], &[]).out).expect("JSON");
    let checks = jsonschema::validator_for(&schema).expect("a schema");
    let of = |backends: Value| json!({ "topology": { "name": "toys" }, "nodes": {}, "backends": backends });
    let both = json!({ "toy-note": { "text": "mind the gap" }, "fog": { "zone": "north", "label": "mist" } });
    assert!(checks.is_valid(&of(both)));
    assert!(!checks.is_valid(&of(json!({ "fog": {} }))));
    assert!(!checks.is_valid(&of(json!({ "ssh-static": {} }))), "the schema has a backend that the binary has not");
    has(&topo(path, &["plan", "--help"], &[]).out, &["The fog: its folder comes from TOPO_FOG_FOLDER."]);
}

#[test]
fn the_toys_are_planned_applied_and_destroyed() {
    if skipped() {
        return;
    }
    let world = World::new(BOTH);
    has(
        &world.ends(2, &["plan", "--detailed-exitcode"]),
        &[
            "node-0, node-1 get a note",
            "the zone north is made",
            "north gets 2 routes",
            "10.200.1.0/24",
            "mind the gap",
        ],
    );
    assert_eq!((world.zone("north"), world.note(0)), (None, None), "a plan writes nothing");
    world.ends(0, &["apply", "-y"]);
    assert_eq!(world.routes("north"), ROUTES);
    assert_eq!(world.zone("north").expect("a zone").label, "mist");
    for node in 0..2 {
        assert_eq!(world.note(node).as_deref(), Some("# note: mind the gap\n"));
    }
    has(&world.ends(0, &["plan", "--detailed-exitcode"]), &["No changes."]);
    has(&world.ends(0, &["apply", "-y"]), &["No changes."]);

    let listed = world.ends(0, &["state", "list"]);
    has(&listed, &["toy_note.node-0", "fog_zone.north", "fog_route.north"]);
    has(&world.ends(0, &["state", "show", "fog_zone.north"]), &["a zone", "mist"]);
    has(&world.ends(0, &["state", "show", "fog_route.north"]), &["2 routes of a zone"]);

    // What is no longer on record is live as wanted, so that topo adopts it.
    world.ends(0, &["state", "rm", "fog_route.north[\"10.200.1.0/24\"]"]);
    lacks(&world.ends(0, &["state", "list"]), &["fog_route.north[\"10.200.1.0/24\"]"]);
    has(&world.ends(0, &["apply", "-y"]), &["north already has a route as wanted"]);
    has(&world.ends(0, &["plan", "--detailed-exitcode"]), &["No changes."]);

    // Routes and files of others stay.
    world.edit("north", |zone| {
        zone.routes.insert("10.9.0.0/24".parse().expect("a prefix"), "10.240.0.9".parse().expect("an address"));
    });
    has(&world.ends(0, &["plan", "--detailed-exitcode"]), &["No changes."]);
    world.ends(0, &["destroy", "-y"]);
    assert_eq!(world.routes("north"), ["10.9.0.0/24 10.240.0.9"]);
    assert_eq!((world.note(0), world.note(1)), (None, None));
    lacks(&world.ends(0, &["state", "list"]), &["fog", "toy"]);
    has(&world.ends(0, &["destroy", "-y"]), &["no records"]);
}

#[test]
fn what_somebody_changes_is_shown_and_put_back() {
    if skipped() {
        return;
    }
    let world = World::new(BOTH);
    world.ends(0, &["apply", "-y"]);
    world.edit("north", |zone| {
        zone.label = "haze".to_owned();
        zone.routes.values_mut().next().expect("a route").clone_from(&"10.240.0.99".parse().expect("an address"));
    });
    fs::write(world.node(1).path().join(NOTE), "# note: jump\n").expect("the note is changed");
    has(
        &world.ends(2, &["plan", "--detailed-exitcode"]),
        &[
            "the zone north is put back: somebody changed it",
            "haze",
            "north gets a route put back: somebody changed it",
            "10.240.0.99",
            "node-1 gets the note again: somebody changed it",
        ],
    );
    world.ends(0, &["apply", "-y"]);
    assert_eq!(world.routes("north"), ROUTES);
    assert_eq!(world.zone("north").expect("a zone").label, "mist");
    assert_eq!(world.note(1).as_deref(), Some("# note: mind the gap\n"));
    fs::remove_file(world.node(0).path().join(NOTE)).expect("the note is gone");
    fs::remove_file(world.at("fog/north.json")).expect("the zone is gone");
    has(
        &world.ends(0, &["apply", "-y"]),
        &["node-0 gets the note again: the recorded note is gone", "again: the recorded routes are gone"],
    );
    assert_eq!(world.routes("north"), ROUTES);
    has(&world.ends(0, &["plan", "--detailed-exitcode"]), &["No changes."]);
}

#[test]
fn what_somebody_else_has_is_a_conflict_on_both_sides() {
    if skipped() {
        return;
    }
    let world = World::new(BOTH);
    world.edit("north", |zone| {
        zone.label = "mist".to_owned();
        zone.routes.insert("10.200.0.0/24".parse().expect("a prefix"), "10.240.0.99".parse().expect("an address"));
    });
    fs::write(world.node(0).path().join(NOTE), "mine\n").expect("a note");
    has(
        &world.ends(1, &["apply", "-y"]),
        &[
            "Somebody else has the route to 10.200.0.0/24 in north.",
            "Somebody else has a note on node-0.",
            "--take-over",
        ],
    );
    assert_eq!((world.routes("north"), world.note(1)), (vec!["10.200.0.0/24 10.240.0.99".to_owned()], None));
    world.ends(3, &["apply", "-y", "--skip-conflicts"]);
    assert_eq!(world.routes("north"), ["10.200.0.0/24 10.240.0.99", ROUTES[1]]);
    assert_eq!((world.note(0).as_deref(), world.note(1).is_some()), (Some("mine\n"), true));
    world.ends(0, &["apply", "-y", "--take-over", "fog_route.north", "--take-over", "toy_note.node-0"]);
    assert_eq!(world.routes("north"), ROUTES);
    assert_eq!(world.note(0), world.note(1));
}

#[test]
fn a_selection_chooses_among_the_toys() {
    if skipped() {
        return;
    }
    let world = World::new(BOTH);
    world.ends(0, &["apply", "-y", "--target", "toy_note.node-1"]);
    assert_eq!((world.note(0), world.note(1).is_some(), world.zone("north")), (None, true, None));
    world.ends(0, &["apply", "-y", "--target", "fog_zone.north", "--target", "fog_route.north[\"10.200.0.0/24\"]"]);
    assert_eq!(world.routes("north"), [ROUTES[0]]);
    let planned = world.ends(0, &["plan", "--exclude", "north"]);
    has(&planned, &["node-0 gets a note"]);
    lacks(&planned, &["north", "10.200.1.0/24"]);
    has(&world.ends(1, &["plan", "--target", "fog_route.south"]), &["there is no such address", "fog_route.north"]);
    world.ends(0, &["apply", "-y", "--exclude", "toy_note.*"]);
    assert_eq!((world.routes("north"), world.note(0)), (ROUTES.map(str::to_owned).to_vec(), None));
}

#[test]
fn a_zone_that_refuses_its_write_is_left_for_the_next_run() {
    if skipped() {
        return;
    }
    let world = World::new(&format!("{BOTH}[backends.south]\ntype = \"fog\"\nzone = \"south\"\nlabel = \"rain\"\n"));
    world.fault("south.refuses", "The fog has no room for south.");
    has(&world.ends(3, &["apply", "-y"]), &["The fog has no room for south."]);
    assert_eq!((world.routes("north"), world.zone("south")), (ROUTES.map(str::to_owned).to_vec(), None));
    assert!(world.note(0).is_some() && world.note(1).is_some());
    let planned = world.ends(2, &["plan", "--detailed-exitcode"]);
    has(&planned, &["the zone south is made"]);
    lacks(&planned, &["north gets", "get a note"]);
    fs::remove_file(world.at("fog/south.refuses")).expect("the fault ends");
    world.ends(0, &["apply", "-y"]);
    assert_eq!(world.routes("south"), ROUTES);
    // Nothing at all is written: another code than for a part.
    world.edit("south", |zone| zone.label = "snow".to_owned());
    world.fault("south.refuses", "The fog has no room for south.");
    world.ends(1, &["apply", "-y"]);
}

#[test]
fn a_node_that_fails_loses_its_rows_in_the_toy_cloud() {
    if skipped() {
        return;
    }
    let mut world = World::new(BOTH);
    // It is up when the topology is written, and down when topo looks.
    drop(world.nodes[1].take());
    let ran = world.topo(&["apply", "-y"]);
    assert_eq!(ran.exit, 3, "{}{}", ran.out, ran.err);
    has(
        &(ran.out + &ran.err),
        &[
            "north (1 route): Skipped the route to node-1: node-1 failed.",
            "node-1: topo could not look there. The warning above says why.",
        ],
    );
    assert_eq!(world.routes("north"), [ROUTES[0]]);
    assert!(world.note(0).is_some());
    let skipped: Vec<Value> =
        events(&world, 3, &["apply", "-y"]).into_iter().filter(|event| event["type"] == "skipped").collect();
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!((&skipped[0]["place"], &skipped[0]["receiver"]), (&json!("north"), &json!("node-1")));
    assert_eq!(skipped[0]["routes"], 1);
    assert_eq!(world.routes("north"), [ROUTES[0]], "the next run leaves it out, too");

    // Another node in its place.
    world.nodes[1] = Some(Sshd::start_on("", OWN_ETC));
    world.configure(BOTH);
    world.ends(0, &["apply", "-y"]);
    assert_eq!(world.routes("north"), ROUTES);
    assert!(world.note(1).is_some());
    has(&world.ends(0, &["plan", "--detailed-exitcode"]), &["No changes."]);
}

#[test]
fn a_zone_that_answers_late_is_planned_anew() {
    if skipped() {
        return;
    }
    let world = World::new(BOTH);
    // Silent when topo looks, there when its step begins.
    world.fault("north.silent", "1");
    has(&world.ends(0, &["apply", "-y"]), &["The fog does not answer about north."]);
    assert_eq!(world.routes("north"), ROUTES);
    has(&world.ends(0, &["plan", "--detailed-exitcode"]), &["No changes."]);
    // Somebody has changed what the plan took from the record.
    world.configure(&BOTH.replace("mist", "dew"));
    world.edit("north", |zone| zone.label = "haze".to_owned());
    world.fault("north.silent", "1");
    let ran = world.topo(&["apply", "-y"]);
    assert_eq!(ran.exit, 3, "{}{}", ran.out, ran.err);
    has(&ran.err, &["north answers again, but it is not as it was recorded"]);
    assert_eq!(world.zone("north").expect("a zone").label, "haze");
    // It stays silent.
    world.fault("north.silent", "9");
    has(&world.ends(3, &["apply", "-y"]), &["The fog does not answer about north."]);
    world.fault("north.silent", "9");
    world.ends(2, &["plan", "--detailed-exitcode"]);
    world.fault("north.silent", "0");
    world.ends(0, &["apply", "-y"]);
    assert_eq!(world.zone("north").expect("a zone").label, "dew");
    world.fault("north.silent", "9");
    world.ends(5, &["plan", "--detailed-exitcode"]);
}

#[test]
fn events_of_the_toys_have_the_shape_of_all_others() {
    if skipped() {
        return;
    }
    let world = World::new(BOTH);
    let planned = events(&world, 0, &["plan"]);
    let of = |kind: &str| planned.iter().filter(|event| event["type"] == kind).cloned().collect::<Vec<Value>>();
    let changes = of("change");
    let kinds: Vec<&str> = changes.iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds, ["toy_note", "fog_zone", "fog_route", "fog_route"], "a route for each new node: {changes:?}");
    let summary = of("summary");
    assert_eq!(summary.len(), 1);
    let applied = events(&world, 0, &["apply", "-y"]);
    assert_eq!(applied.last().map(|event| &event["type"]), Some(&json!("result")), "{applied:?}");
    let text = fs::read_to_string(world.at("state/toys.json")).expect("a state");
    has(&text, &["fog:north", "node:node-0", "fog/fog_route"]);
}

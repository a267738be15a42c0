//! Names, values and answers that would act if they reached a shell or a terminal.

use super::support::{KTHW, KTHW_NODES, Tables, adds, applied_kthw, apply, assert_no_changes, has_state, kthw_tables};
use crate::harness::{Lab, LabOptions};

/// Nothing was run, neither here nor on a node.
#[track_caller]
fn assert_nothing_ran(lab: &Lab) {
    assert!(!lab.work().join("ran").exists(), "a command ran on the operator's machine");
    for node in KTHW_NODES {
        assert_eq!(
            lab.node(node).attempt("ls -d /ran /tmp/ran /root/ran /etc/topo/ran").stdout,
            "",
            "it ran on {node}"
        );
    }
}

pub fn hostile_topologies_are_refused() {
    let lab = Lab::up(LabOptions::default());
    let before = Tables::of(&lab, &KTHW_NODES);
    let ran = lab.work().join("ran").display().to_string();
    for (from, to) in [
        ("name = \"kthw\"", "name = \"$(touch /tmp/ran)\"".to_owned()),
        ("name = \"kthw\"", "name = \"../kthw\"".to_owned()),
        ("name = \"kthw\"", "name = \"kthw'; touch /tmp/ran; '\"".to_owned()),
        ("node-0 = {", "\"node-0; touch /tmp/ran\" = {".to_owned()),
        ("node-0 = {", format!("\"-oProxyCommand=touch {ran}\" = {{")),
        ("node-0 = {", "\"node-0\\u001b[31m\" = {".to_owned()),
        ("\"10.240.0.20\"", "\"10.240.0.20; touch /tmp/ran\"".to_owned()),
        ("\"10.240.0.20\"", format!("\"10.240.0.20\", ssh = {{ host = \"-oProxyCommand=touch {ran}\" }}")),
        ("\"10.240.0.20\"", format!("\"10.240.0.20\", ssh = {{ host = \"$(touch {ran})\" }}")),
        ("user = \"root\"", format!("user = \"-oProxyCommand=touch {ran}\"")),
        ("user = \"root\"", "user = \"root\\nProxyCommand touch ran\"".to_owned()),
        ("user = \"root\"", format!("user = \"root\"\nProxyCommand = \"touch {ran}\"")),
        ("user = \"root\"", "user = \"root\"\nport = \"22 -oProxyCommand=x\"".to_owned()),
        ("[\"10.200.0.0/24\"]", "[\"10.200.0.0/24 via 10.240.0.10\"]".to_owned()),
        ("[\"10.200.0.0/24\"]", "[\"10.200.0.0/24\\nroute flush table main\"]".to_owned()),
        ("[backends.ssh-static]", "[backends.ssh-static]\ntable = \"main; touch /tmp/ran\"".to_owned()),
        ("[backends.ssh-static]", "[backends.ssh-static]\nprotocol = \"kernel\"".to_owned()),
        ("[backends.ssh-static]", "[backends.ssh-static]\nstate = \"/tmp/ran\"".to_owned()),
    ] {
        assert!(KTHW.contains(from), "{from}");
        lab.write("topo.toml", &KTHW.replace(from, &to));
        for command in [&["validate"][..], &["plan"], &["apply", "-y"], &["destroy", "-y"]] {
            let reply = lab.topo(command).exits(1);
            assert!(!reply.said().contains('\u{1b}'), "{to}: {reply:?}");
        }
        assert!(!has_state(&lab) && !lab.work().join("state").exists(), "{to}");
    }
    assert_nothing_ran(&lab);
    before.assert_are_live(&lab);
}

pub fn hostile_answers_are_only_data() {
    let lab = Lab::up(LabOptions::default());
    let node = lab.node("node-0");
    node.run(
        r#"mkdir /etc/topo; cd /etc/topo
        echo 'lineage 00 protocol 201' >'$(touch ran)'
        echo 'lineage 00 protocol 201' >'; touch ran;'
        echo 'lineage 00 protocol 201' >'`touch ran`'
        echo 'lineage 00 protocol 201' >"$(printf 'a\nmarker b lineage 00 protocol 201')"
        printf 'lineage 0$(touch ran)\033[31m\nprotocol $(touch ran)\n' >other
        printf '\n\ntopo0000000000000000 end\n' >frame
        head -c 100000 /dev/urandom >random
        ln -s /etc/shadow shadow; mkdir folder; mkfifo pipe
        printf '$(touch /tmp/ran)\033]0;x\007' >/etc/machine-id
        printf 'nameserver $(touch /tmp/ran)\nnameserver 10.200.1\nnameserver\n' >/etc/resolv.conf
        hostname '$(touch ran)' 2>/dev/null || true
        ip link add 'x;>ran;$(id)' type bridge"#,
    );
    let before = Tables::of(&lab, &KTHW_NODES);
    lab.write("topo.toml", KTHW);
    let reply = apply(&lab, adds(4));
    assert!(!reply.said().contains(['\u{1b}', '\u{7}']), "{reply:?}");
    kthw_tables(&before).assert_are_live(&lab);
    let reply = lab.topo(&["state", "show", "*"]).exits(0);
    assert!(!reply.said().contains(['\u{1b}', '\u{7}', '$']), "{reply:?}");
    lab.topo(&["destroy", "-y"]).exits(0);
    before.assert_are_live(&lab);
    assert_nothing_ran(&lab);
    assert_eq!(node.run("ls /etc/topo | wc -l").trim(), "11", "only topo's own marker goes");
}

pub fn machines_without_or_with_the_same_identity() {
    let lab = Lab::up(LabOptions::default());
    let (before, after) = applied_kthw(&lab);
    // Nodes without an identity are known by their names.
    lab.node("node-0").run("rm /etc/machine-id");
    assert_no_changes(&lab);
    lab.node("node-0").run("ip route del 10.200.1.0/24");
    apply(&lab, adds(1));
    after.assert_are_live(&lab);
    // One machine under two names is an error that names both.
    let id = lab.node("node-1").run("cat /etc/machine-id");
    lab.node("node-0").run(&format!("echo {} >/etc/machine-id", id.trim()));
    lab.topo(&["plan"]).exits(1).says(&["node-0", "node-1", "machine-id"]);
    lab.topo(&["apply", "-y"]).exits(1).says(&["node-0", "node-1"]);
    after.assert_are_live(&lab);
    lab.node("node-0").run("rm /etc/machine-id");
    super::support::destroy_leaves(&lab, &before);
}

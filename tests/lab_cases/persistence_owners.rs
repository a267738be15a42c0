//! Whose a file is: changed by hand, somebody else's, of another state, of an older topo.

use super::persistence::{BOTH, Condition, FILE, apply_any, assert_rows, node, topology};
use super::support::{Counts, KTHW_NODES, STATE, adds, apply, assert_no_changes, assert_plan, changes, has_state};
use crate::harness::{LabOptions, Machines, Reply};

fn kthw(backends: &str) -> String {
    let nodes = [node("server", 10, None), node("node-0", 20, Some(0)), node("node-1", 21, Some(1))];
    topology(&nodes.each_ref().map(String::as_str), backends)
}

/// When networkd was started last: it says whether a file was loaded.
fn started(machines: &Machines, name: &str) -> String {
    machines.node(name).run("systemctl show -P ActiveEnterTimestampMonotonic systemd-networkd")
}

fn content(machines: &Machines, name: &str) -> String {
    machines.node(name).run(&format!("stat -c %a {FILE}; cat {FILE}"))
}

/// The `file` events of a run with `--json`, as text.
fn file_events(reply: &Reply) -> Vec<&str> {
    reply.stdout.lines().filter(|line| line.contains("\"path\":")).collect()
}

pub fn files_changed_by_hand_are_put_back() {
    let machines = Machines::up(LabOptions::default());
    let before = Condition::of(&machines, &KTHW_NODES);
    machines.write("topo.toml", &kthw(BOTH));
    apply(&machines, adds(4 + 3));
    let after = Condition::of(&machines, &KTHW_NODES);
    let watch = machines.watch();

    let (server, zero, one) = (machines.node("server"), machines.node("node-0"), machines.node("node-1"));
    server.run(&format!("sed -i s/10.200.1.0/10.200.9.0/ {FILE}"));
    zero.run(&format!("rm {FILE}"));
    one.run(&format!("chmod 0644 {FILE}"));
    let plan = machines.topo(&["plan", "--detailed-exitcode"]).exits(2);
    assert_plan(&plan, Counts { add: 1, change: 2, ..Counts::default() });
    assert!(plan.stdout.contains("Drift: topo will put these back"), "{}", plan.stdout);
    for line in [
        "      --- /etc/netplan/60-topo.yaml as it is",
        "      +++ /etc/netplan/60-topo.yaml as it is to be",
        "      +      - {to: \"10.200.1.0/24\", via: \"10.240.0.21\"}",
        "      -      - {to: \"10.200.9.0/24\", via: \"10.240.0.21\"}",
        "      old mode 0644",
        "      new mode 0600",
    ] {
        assert!(plan.stdout.lines().any(|found| found == line), "`{line}` is missing:\n{}", plan.stdout);
    }
    assert!(plan.said().contains("node-0 gets 60-topo.yaml again"), "{}", plan.stdout);
    let plan = machines.topo(&["--json", "plan", "--detailed-exitcode"]).exits(2);
    crate::events::checked(&plan.stdout);
    let events = file_events(&plan);
    assert_eq!(events.len(), 3, "{events:?}");
    let of = |name: &str| {
        let found = events.iter().find(|event| event.contains(&format!("\"places\":[\"{name}\"]")));
        serde_json::from_str::<serde_json::Value>(found.expect("an event for each")).expect("an event is JSON")
    };
    let difference = of("server")["items"][0]["difference"].as_str().expect("a difference").to_owned();
    assert!(
        difference.contains("\n+      - {to: \"10.200.1.0/24\"") && difference.starts_with("--- /etc/"),
        "{difference}"
    );
    assert_eq!((of("server")["drift"].clone(), of("server")["reason"].clone()), (true.into(), "altered".into()));
    assert_eq!((of("node-0")["action"].clone(), of("node-0")["reason"].clone()), ("add".into(), "missing".into()));
    assert_eq!(of("node-1")["items"][0]["difference"], "old mode 0644\nnew mode 0600\n");
    assert_plan(&machines.topo(&["apply", "-y"]).exits(0), Counts { add: 1, change: 2, ..Counts::default() });
    assert_no_changes(&machines);
    after.assert_is_now(&machines);

    // Of the file nothing is left but a remark; another one is empty; of the third the routes are gone, so that netplan reads nothing.
    server.run(&format!("echo '# mine' >{FILE}"));
    zero.run(&format!(": >{FILE}"));
    one.run(&format!("sed -i /10.200.0.0/d {FILE}"));
    apply(&machines, changes(3));
    after.assert_is_now(&machines);

    // A file that goes, whatever is in it.
    server.run(&format!("echo '# mine' >>{FILE}"));
    machines.topo(&["destroy", "-y"]).exits(0);
    before.assert_is_now(&machines);
    watch.assert_lost_nothing();
}

pub fn files_of_others_are_left_alone() {
    let machines = Machines::up(LabOptions::default());
    let somebodys = "network: {version: 2, ethernets: {eth0: {routes: [{to: 10.201.0.0/24, via: 10.240.0.20}]}}}\n";
    let server = machines.node("server");
    server.run(&format!(
        "umask 077; echo '{}' >{FILE}; netplan generate; systemctl restart systemd-networkd",
        somebodys.trim()
    ));
    let other = "# Written by topo for topology other, lineage 0123456789abcdef. What is changed here by hand, topo changes back.";
    let before = Condition::of(&machines, &KTHW_NODES);
    let watch = machines.watch();
    machines.write("topo.toml", &kthw(BOTH));

    let refused = |words: &[&str]| {
        machines.topo(&["plan"]).says(words);
        machines.topo(&["apply", "-y"]).exits(1).says(words);
        before.assert_is_now(&machines);
        assert!(!has_state(&machines), "a state was written");
    };
    refused(&["server", "somebody else wrote the file /etc/netplan/60-topo.yaml", "--take-over"]);
    // Of another topology, and of another state of this one.
    for (header, words) in [
        (other.to_owned(), "belongs to the topology other"),
        (other.replace("topology other", "topology kthw"), "another state of this topology (lineage 0123456789abcdef)"),
    ] {
        server.run(&format!("echo '{header}' >{FILE}; echo '{}' >>{FILE}", somebodys.trim()));
        let reply = machines.topo(&["apply", "-y"]).exits(1).says(&["server", words, "--take-over"]);
        assert!(!has_state(&machines), "a state was written: {}", reply.stdout);
        assert!(content(&machines, "server").contains(&header));
        for name in ["node-0", "node-1"] {
            before.assert_is_now_on(&machines, name);
        }
    }
    server.run(&format!("echo '{}' >{FILE}", somebodys.trim()));
    before.assert_is_now(&machines);

    // Left alone as asked, the others are served.
    let said = machines.topo(&["apply", "-y", "--skip-conflicts"]).exits(3).said();
    assert!(said.contains("as --skip-conflicts asks"), "{said}");
    assert_eq!(content(&machines, "server"), format!("600\n{somebodys}"));
    assert_rows(&machines, "node-0", &["10.200.1.0/24 via 10.240.0.21"], "static");
    // Taken over as asked.
    let take_over = "netplan_file.server[\"60-topo.yaml\"]";
    machines.topo(&["apply", "-y", "--take-over", take_over]).exits(0);
    assert_no_changes(&machines);
    assert_rows(&machines, "server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"], "static");
    assert!(content(&machines, "server").starts_with("600\n# Written by topo for topology kthw, lineage "));
    machines.topo(&["destroy", "-y"]).exits(0);
    for name in ["node-0", "node-1"] {
        before.assert_is_now_on(&machines, name);
    }
    watch.assert_lost_nothing();
}

/// The file that defines the device, by mistake: the node refuses, and nothing of it is topo's afterwards.
pub fn a_take_over_that_is_refused_owns_nothing() {
    let machines = Machines::up(LabOptions::default());
    let before = Condition::of(&machines, &KTHW_NODES);
    machines.write("topo.toml", &kthw("[backends.ssh-static]\n[backends.netplan]\nfile = \"01-netcfg.yaml\"\n"));
    let watch = machines.watch();
    let take_over = ["apply", "-y", "--take-over", "netplan_file.*[\"01-netcfg.yaml\"]"];
    machines.topo(&take_over).exits(1).says(&["01-netcfg.yaml"]);
    before.assert_is_now(&machines);

    machines.write("topo.toml", &kthw(BOTH));
    let plan = machines.topo(&["plan"]).exits(0);
    assert!(!plan.stdout.contains("01-netcfg.yaml"), "{}", plan.stdout);
    apply(&machines, adds(4 + 3));
    assert_no_changes(&machines);
    machines.topo(&["destroy", "-y"]).exits(0);
    before.assert_is_now(&machines);
    watch.assert_lost_nothing();
}

pub fn a_lost_state_adopts_files_and_rows() {
    let machines = Machines::up(LabOptions::default());
    let before = Condition::of(&machines, &KTHW_NODES);
    machines.write("topo.toml", &kthw(BOTH));
    apply(&machines, adds(4 + 3));
    let after = Condition::of(&machines, &KTHW_NODES);
    let start = KTHW_NODES.map(|name| started(&machines, name));
    let watch = machines.watch();

    std::fs::remove_file(machines.work().join(STATE)).expect("the state was there");
    let lost = machines.topo(&["apply", "-y"]).exits(1);
    assert!(lost.said().contains("--new-lineage"), "{}", lost.said());
    after.assert_is_now(&machines);
    let plan = machines.topo(&["plan", "--new-lineage"]).exits(0);
    assert!(plan.stdout.contains(" to import, "), "{}", plan.stdout);
    machines.topo(&["apply", "-y", "--new-lineage"]).exits(0);
    // The first line says the new lineage from now on; nothing else has moved, and nothing was loaded again.
    let now = KTHW_NODES.map(|name| started(&machines, name));
    assert_no_changes(&machines);
    assert_eq!(start, now, "networkd was restarted:\n{}", plan.stdout);
    assert_rows(&machines, "node-0", &["10.200.1.0/24 via 10.240.0.21"], "static");

    // What an older topo left: of this topology and lineage, and with other content.
    let zero = machines.node("node-0");
    std::fs::rename(machines.work().join(STATE), machines.work().join("kept.json")).expect("the state is there");
    zero.run(&format!("sed -i 's/  version: 2/  version: 2 # older/' {FILE}; rm -r /etc/topo"));
    for name in ["server", "node-1"] {
        machines.node(name).run("rm -r /etc/topo");
    }
    let plan = machines.topo(&["plan", "--new-lineage"]).exits(0);
    assert!(plan.stdout.contains("-  version: 2 # older"), "{}", plan.stdout);
    apply_new(&machines);
    assert!(!content(&machines, "node-0").contains("older"));
    watch.assert_lost_nothing();
    machines.topo(&["destroy", "-y"]).exits(0);
    before.assert_is_now(&machines);
}

#[track_caller]
fn apply_new(machines: &Machines) {
    machines.topo(&["apply", "-y", "--new-lineage"]).exits(0);
    assert_no_changes(machines);
}

/// Somebody else's file with as many routes as topo's; another file name and another definition's routes.
pub fn files_with_as_many_routes_as_others() {
    let machines = Machines::up(LabOptions { ipv6: true, ..LabOptions::default() });
    let theirs = "network: {version: 2, ethernets: {eth0: {routes: [{to: 10.201.0.0/24, via: 10.240.0.1}]}}}";
    for name in KTHW_NODES {
        let install = format!("umask 077; echo '{theirs}' >/etc/netplan/55-theirs.yaml; netplan generate");
        machines.node(name).run(&install);
        machines.node(name).restart_networkd();
    }
    let before = Condition::of(&machines, &KTHW_NODES);
    let named = format!("{BOTH}file = \"90-pods.yaml\"\n");
    machines.write("topo.toml", &kthw(&named));
    let watch = machines.watch();
    apply(&machines, adds(4 + 3));
    let list = "ls /etc/netplan; ip route show 10.201.0.0/24";
    let expected =
        "01-netcfg.yaml\n55-theirs.yaml\n90-pods.yaml\n10.201.0.0/24 via 10.240.0.1 dev eth0 proto static \n";
    assert_eq!(machines.node("node-0").run(list), expected);
    // Another name is another file; the old one goes.
    machines.write("topo.toml", &kthw(BOTH));
    apply_any(&machines);
    assert_eq!(machines.node("node-0").run(list), expected.replace("90-pods", "60-topo"));
    watch.assert_lost_nothing();
    machines.node("node-0").restart_networkd();
    assert_rows(&machines, "node-0", &["10.200.1.0/24 via 10.240.0.21"], "static");
    assert_no_changes(&machines);
    machines.topo(&["destroy", "-y"]).exits(0);
    before.assert_is_now(&machines);
}

/// All that is wanted stands in somebody else's file: there is nothing to write, to record or to load.
pub fn routes_that_others_provide_are_left_to_them() {
    let machines = Machines::up(LabOptions::default());
    let routes = [("server", &[0, 1][..]), ("node-0", &[1]), ("node-1", &[0])];
    for (name, pods) in routes {
        let route = |pod: &u8| format!("{{to: 10.200.{pod}.0/24, via: 10.240.0.2{pod}}}");
        let list = pods.iter().map(route).collect::<Vec<_>>().join(", ");
        let theirs = format!("network: {{version: 2, ethernets: {{eth0: {{routes: [{list}]}}}}}}");
        let install = format!("umask 077; echo '{theirs}' >/etc/netplan/55-theirs.yaml; netplan generate");
        machines.node(name).run(&install);
        machines.node(name).restart_networkd();
    }
    let before = Condition::of(&machines, &KTHW_NODES);
    let start = KTHW_NODES.map(|name| started(&machines, name));
    for backends in ["[backends.netplan]\n", BOTH] {
        machines.write("topo.toml", &kthw(backends));
        for command in [&["plan", "--detailed-exitcode"][..], &["apply", "-y"]] {
            let said = machines.topo(command).exits(0).said();
            assert!(said.contains("already provides the route") && said.contains("No changes."), "{said}");
        }
        assert!(!has_state(&machines), "a state was written");
        before.assert_is_now(&machines);
        assert_eq!(start, KTHW_NODES.map(|name| started(&machines, name)), "networkd was restarted");
    }
    assert_rows(&machines, "server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"], "static");
}

/// Somebody else's file keeps another route to pods. networkd adds both in no fixed order, and the kernel goes by the first one. topo
/// says which one that is, and nothing is said to be done while it is that of the file.
pub fn a_file_of_others_keeps_another_route() {
    let machines = Machines::up(LabOptions::default());
    let server = machines.node("server");
    let theirs = "network: {version: 2, ethernets: {eth0: {routes: [{to: 10.200.0.0/24, via: 10.240.0.99}]}}}";
    let install = format!("umask 077; echo '{theirs}' >/etc/netplan/55-theirs.yaml; netplan generate");
    server.run(&install);
    server.restart_networkd();
    let before = Condition::of(&machines, &KTHW_NODES);
    machines.write("topo.toml", &kthw(BOTH));
    let keeps = "the file /etc/netplan/55-theirs.yaml keeps another route to 10.200.0.0/24";
    machines.topo(&["plan"]).exits(1).says(&[keeps, "belongs to somebody else"]);
    let take_over = "kernel_route.server[\"10.200.0.0/24\"]";
    machines
        .topo(&["plan", "--take-over", take_over])
        .exits(0)
        .says(&[keeps, "comes back whenever that file is loaded"]);

    let lost = "The route to 10.200.0.0/24 is not in force: the kernel uses `10.200.0.0/24 via 10.240.0.99";
    let goes_by = |next_hop: &str| {
        let way = server.run("ip -o route get 10.200.0.2");
        assert!(way.contains(&format!("via {next_hop} ")), "{way}");
    };
    let apply = machines.topo(&["apply", "-y", "--take-over", take_over]);
    let is_done = apply.exit == Some(0);
    let said = if is_done {
        goes_by("10.240.0.20");
        apply.says(&[keeps, "Apply complete"]).said()
    } else {
        goes_by("10.240.0.99");
        apply.exits(3).says(&[keeps, lost]).said()
    };
    assert_eq!((said.contains("Apply complete"), said.contains("not in force")), (is_done, !is_done), "{said}");
    // Each of the two in front of the other, as after a reboot.
    let put_in_front = |next_hop: &str| {
        let route = format!("10.200.0.0/24 via {next_hop} dev eth0 proto static");
        server.run(&format!("ip route del {route}; ip route prepend {route}"));
        goes_by(next_hop);
    };
    put_in_front("10.240.0.20");
    let said = machines.topo(&["plan"]).exits(0).says(&[keeps]).said();
    assert!(!said.contains("takes precedence"), "{said}");
    put_in_front("10.240.0.99");
    machines.topo(&["plan"]).exits(0).says(&[keeps, "takes precedence"]);
    for _ in 0..2 {
        // A write that was done is not done again.
        let apply = machines.topo(&["apply", "-y"]).exits(if is_done { 0 } else { 3 });
        let said = apply.says(&[keeps, "via 10.240.0.99"]).said();
        assert!(!said.contains("Apply complete"), "{said}");
        goes_by("10.240.0.99");
    }

    server.run("mv /etc/netplan/55-theirs.yaml /root && netplan generate");
    server.restart_networkd();
    machines.topo(&["apply", "-y"]).exits(0);
    assert_no_changes(&machines);
    goes_by("10.240.0.20");
    assert_rows(&machines, "server", &["10.200.0.0/24 via 10.240.0.20", "10.200.1.0/24 via 10.240.0.21"], "static");
    machines.topo(&["destroy", "-y"]).exits(0);
    server.run("mv /root/55-theirs.yaml /etc/netplan/ && netplan generate");
    server.restart_networkd();
    before.assert_is_now(&machines);
}

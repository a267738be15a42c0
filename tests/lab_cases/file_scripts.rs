//! The scripts that look at files of netplan and systemd-networkd and put them there, on whole machines.

use std::io::Write;
use std::net::IpAddr;
use std::process::Stdio;

use topo::exchange::node::{
    Activation, Definition, FileForm, FileInquiry, FileOutcome, FileWrite, Inspected, Listing, NetworkConfiguration,
    Nonce, Part, Reply, Request, RouteCommand, RouteOutcome, RouteVerb, RouteWrite, parse, render,
};
use topo::network::Route;
use topo::resource::Token;

use crate::harness::{LabOptions, Machines};

pub(super) const NETPLAN_FILE: &str = "/etc/netplan/60-topo.yaml";

/// All shapes that every kernel has.
const SHAPES: &str = "plain 10.240.0.10,fd00:240::10 10.200.0.0/24\n\
    cloud 10.240.0.11,fd00:240::11 10.200.1.0/24 --shape cloud-init\n\
    match 10.240.0.12,fd00:240::12 10.200.2.0/24 --shape match-en\n\
    dhcp 10.240.0.13 10.200.3.0/24 --shape dhcp\n\
    networkd 10.240.0.14,fd00:240::14 10.200.4.0/24 --shape networkd-only\n\
    bridge 10.240.0.15,fd00:240::15 10.200.5.0/24 --shape bridge\n";

/// Name of a node, its device, the kind and ID of its definition, and its `.network` file.
const DEFINITIONS: [(&str, &str, &str, &str, &str); 5] = [
    ("plain", "eth0", "ethernets", "eth0", "/run/systemd/network/10-netplan-eth0.network"),
    ("cloud", "eth0", "ethernets", "id0", "/run/systemd/network/10-netplan-id0.network"),
    ("match", "enp1s0", "ethernets", "all-en", "/run/systemd/network/10-netplan-all-en.network"),
    ("dhcp", "eth0", "ethernets", "eth0", "/run/systemd/network/10-netplan-eth0.network"),
    ("bridge", "br0", "bridges", "br0", "/run/systemd/network/10-netplan-br0.network"),
];

/// What is not topo's on a node: Calico's rows, one that leads nowhere, one typed by hand, in either address family.
pub(super) fn add_foreign_rows(machines: &Machines, name: &str, device: &str) {
    machines.node(name).run(&format!(
        "ip route add 10.201.2.0/24 via 10.240.0.1 proto 80 onlink dev {device} && ip route add blackhole 10.201.4.0/24 proto 80 &&
        ip route add 10.201.5.0/24 via 10.240.0.1 metric 7 && ip -6 route add fd01:1::/64 dev {device} proto 80 &&
        ip -6 route add blackhole fd01:2::/64 proto 80"
    ));
}

/// Runs works on a node as topo does, over SSH.
#[track_caller]
fn exchange(machines: &Machines, name: &str, requests: &[Request]) -> Vec<Reply> {
    let nonce = Nonce::random();
    let mut ssh = machines.ssh_command(name, "exec sh -s -- \"$SSH_CONNECTION\"");
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh starts");
    let mut input = ssh.stdin.take().expect("it has an input");
    input.write_all(render(requests, &nonce).as_bytes()).expect("it reads the script");
    drop(input);
    let output = ssh.wait_with_output().expect("it ends");
    // `head` may end before the pipe that it reads is empty.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.lines().all(|line| line.ends_with("printf: I/O error")), "{name}: {said}");
    parse(&output.stdout, requests, &nonce)
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stdout)))
}

fn inquiry(form: FileForm, known: Option<Token>) -> FileInquiry {
    let name = match form {
        FileForm::Netplan => "60-topo.yaml",
        FileForm::Networkd => "60-topo.conf",
    };
    let next_hops = [address("10.240.0.2"), address("10.240.0.3")].to_vec();
    FileInquiry { form, name: name.to_owned(), next_hops, known }
}

#[track_caller]
fn inspect(machines: &Machines, name: &str, form: FileForm, known: Option<Token>) -> Inspected {
    match exchange(machines, name, &[Request::Inspect(inquiry(form, known))]).pop() {
        Some(Reply::Inspected(inspected)) => inspected,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(super) fn found(machines: &Machines, name: &str, form: FileForm) -> (Token, NetworkConfiguration) {
    let Inspected { token, found } = inspect(machines, name, form, None);
    (token, found.sent().expect("nothing is known").clone())
}

fn listing() -> Listing {
    Listing { table: 254, protocols: vec![201], known: None }
}

pub(super) fn write(form: FileForm, known: &Token, files: &[(&str, String)], activation: Activation) -> FileWrite {
    let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.clone())).collect();
    let FileInquiry { form, name, .. } = inquiry(form, None);
    FileWrite { form, name, known: Some(known.clone()), files, activation, listing: listing() }
}

#[track_caller]
pub(super) fn file(machines: &Machines, name: &str, write: &FileWrite) -> FileOutcome {
    match exchange(machines, name, &[Request::File(write.clone())]).pop() {
        Some(Reply::FileOutcome(filed)) => filed,
        other => panic!("{other:?}"),
    }
}

/// The token after a work that is done, and that had nothing to put back.
#[track_caller]
pub(super) fn done(filed: FileOutcome) -> Token {
    match filed {
        FileOutcome::Done { token, restored, .. } if restored.is_empty() => token,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(super) fn refused(filed: FileOutcome, words: &[&str]) {
    let FileOutcome::Refused(reason) = filed else { panic!("{filed:?}") };
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(reason.contains(word), "`{word}` is not said: {reason}");
    }
}

/// Routes to `10.202.N.0/24`, and to `fd02:N::/64` where the node has IPv6.
pub(super) fn routes(destinations: &[u8], host: u8, has_v6: bool) -> Vec<(String, String)> {
    let v4 = destinations.iter().map(|number| (format!("10.202.{number}.0/24"), format!("10.240.0.{host}")));
    let v6 = destinations
        .iter()
        .filter(|_| has_v6)
        .map(|number| (format!("fd02:{number}::/64"), format!("fd00:240::{host}")));
    v4.chain(v6).collect()
}

pub(super) fn yaml(kind: &str, id: &str, routes: &[(String, String)]) -> String {
    let route = |(to, via): &(String, String)| format!("        - to: \"{to}\"\n          via: \"{via}\"\n");
    let routes = routes.iter().map(route).collect::<Vec<_>>().concat();
    format!("# by topo\nnetwork:\n  version: 2\n  {kind}:\n    \"{id}\":\n      routes:\n{routes}")
}

pub(super) fn drop_in(routes: &[(String, String)]) -> String {
    let route = |(to, via): &(String, String)| format!("\n[Route]\nDestination={to}\nGateway={via}\nProtocol=201\n");
    format!("# by topo\n{}", routes.iter().map(route).collect::<Vec<_>>().concat())
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// All that is kept about the network in files, byte for byte.
pub(super) fn files(machines: &Machines, name: &str) -> String {
    machines.node(name).run(
        "cd / && find etc/netplan etc/systemd/network run/systemd/network run/topo* ! -name . 2>/dev/null | sort | while read -r file; do
            stat -c '%n %F %a' \"$file\"; [ -d \"$file\" ] || cat \"$file\"; done",
    )
}

/// The rows to `10.202.0.0/16` and `fd02::/16`. networkd takes gateways for on-link where the addresses come from DHCP.
fn rows(machines: &Machines, name: &str) -> String {
    let rows = machines.node(name).run("ip route show root 10.202.0.0/16; ip -6 route show root fd02::/16");
    rows.replace(" onlink", "").replace("metric 1024 pref medium", "")
}

pub fn the_configuration_of_every_shape_is_seen() {
    let machines = Machines::up(LabOptions { nodes: Some(SHAPES), ..LabOptions::default() });
    for (name, device, kind, id, network_file) in DEFINITIONS {
        let (token, found) = found(&machines, name, FileForm::Netplan);
        assert!(found.networkd && !found.pending && found.files.is_empty(), "{name}: {found:?}");
        assert!(found.netplan.is_some_and(|version| version.starts_with("0.106-") || version.starts_with("1.1.2-")));
        let link = found.links.iter().find(|link| link.device == device).expect("the device is there");
        assert_eq!(link.network_file.as_deref(), Some(network_file), "{name}");
        assert!(found.links.iter().any(|link| link.device == "lo" && link.network_file.is_none()));
        let definition = Definition { kind: kind.to_owned(), id: id.to_owned(), renderer: Some("networkd".to_owned()) };
        assert!(found.definitions.contains(&definition), "{name}: {:?}", found.definitions);
        let devices = [("10.240.0.2", device), ("10.240.0.3", device)];
        assert_eq!(found.devices, devices.map(|(hop, device)| (address(hop), device.to_owned())), "{name}");
        assert_eq!(
            inspect(&machines, name, FileForm::Netplan, Some(token.clone())),
            Inspected { token, found: Part::AsKnown }
        );
    }
    let (token, found) = found(&machines, "networkd", FileForm::Networkd);
    assert!(found.definitions.is_empty() && found.files.is_empty());
    let link = found.links.iter().find(|link| link.device == "eth0").expect("the device is there");
    assert_eq!(link.network_file.as_deref(), Some("/etc/systemd/network/10-eth0.network"));
    assert_eq!(
        inspect(&machines, "networkd", FileForm::Networkd, Some(token.clone())),
        Inspected { token, found: Part::AsKnown }
    );
}

pub fn files_come_change_and_go_without_a_loss() {
    let machines = Machines::up(LabOptions { nodes: Some(SHAPES), ..LabOptions::default() });
    let watch = machines.watch();
    std::thread::scope(|threads| {
        for (name, device, kind, id, _) in DEFINITIONS {
            let machines = &machines;
            let content = move |destinations: &[u8], host: u8| {
                vec![(NETPLAN_FILE, yaml(kind, id, &routes(destinations, host, name != "dhcp")))]
            };
            threads.spawn(move || assert_life(machines, name, device, FileForm::Netplan, "static", content));
        }
        let path = "/etc/systemd/network/10-eth0.network.d/60-topo.conf";
        let content = |destinations: &[u8], host: u8| vec![(path, drop_in(&routes(destinations, host, true)))];
        assert_life(&machines, "networkd", "eth0", FileForm::Networkd, "201", content);
    });
    watch.assert_lost_nothing();
}

/// Check, load, change, a restart by somebody else, and removal with the rows.
#[track_caller]
fn assert_life<'a>(
    machines: &Machines,
    name: &str,
    device: &str,
    form: FileForm,
    protocol: &str,
    content: impl Fn(&[u8], u8) -> Vec<(&'a str, String)>,
) {
    let node = machines.node(name);
    add_foreign_rows(machines, name, device);
    let has_v6 = name != "dhcp";
    for (to, via) in routes(&[1, 2], 2, has_v6) {
        node.run(&format!("ip route add {to} via {via} proto 201"));
    }
    let (before, table) = (files(machines, name), node.routes());
    let foreign = || node.routes().lines().filter(|row| row.contains(" 10.201.") || row.contains(" fd01:")).count();
    assert_eq!(foreign(), 5);
    let (first, _) = found(machines, name, form);

    let wanted = content(&[1, 2], 2);
    let token = done(file(machines, name, &write(form, &first, &wanted, Activation::Check)));
    assert_eq!((token.clone(), files(machines, name), node.routes()), (first, before.clone(), table), "{name}");

    let loaded = done(file(machines, name, &write(form, &token, &wanted, Activation::Load)));
    let (seen, found) = found(machines, name, form);
    assert_eq!(seen, loaded);
    let mode = if form == FileForm::Netplan { 0o600 } else { 0o644 };
    assert_eq!(found.files.len(), 1, "{name}");
    assert_eq!(
        (found.files[0].path.as_str(), found.files[0].mode, &found.files[0].text),
        (wanted[0].0, mode, &wanted[0].1)
    );
    assert!(!found.pending);
    let expected = |destinations: &[u8], host| -> String {
        let routes = routes(destinations, host, has_v6);
        let row = |(to, via): &(String, String)| format!("{to} via {via} dev {device} proto {protocol} \n");
        routes.iter().map(row).collect::<Vec<_>>().concat()
    };
    assert_eq!(rows(machines, name), expected(&[1, 2], 2), "{name}");
    assert_eq!(foreign(), 5, "{name}: {}", node.routes());
    assert_eq!(file(machines, name, &write(form, &token, &wanted, Activation::Load)), FileOutcome::Moved);

    // One goes, one is changed, one comes: the row that goes is removed by the command behind the file.
    let wanted = content(&[2, 3], 3);
    let behind = |destinations: &[u8], host| {
        let commands = routes(destinations, host, has_v6).into_iter().map(|(to, via)| RouteCommand {
            verb: RouteVerb::Delete,
            route: Route { destination: to.parse().expect("a prefix"), next_hop: address(&via) },
            protocol: if protocol == "static" { 4 } else { 201 },
            metric: None,
            on_link: None,
        });
        Request::Write(RouteWrite { listing: listing(), guard_foreign: false, commands: commands.collect() })
    };
    let requests = [Request::File(write(form, &loaded, &wanted, Activation::Load)), behind(&[1], 2)];
    let replies = exchange(machines, name, &requests);
    let [Reply::FileOutcome(filed), Reply::RouteOutcome(RouteOutcome::Done { vanished, refused, .. })] = &replies[..]
    else {
        panic!("{name}: {replies:?}")
    };
    let changed = done(filed.clone());
    assert!(refused.is_empty(), "{name}: {refused:?}");
    assert!(vanished.iter().any(|row| row.destination.to_string() == "10.202.1.0/24"), "{name}: {vanished:?}");
    assert_eq!(rows(machines, name), expected(&[2, 3], 3), "{name}");
    assert_eq!(foreign(), 5, "{name}");

    // Nothing runs behind a file that was not written.
    let requests = [Request::File(write(form, &loaded, &[], Activation::Load)), behind(&[2, 3], 3)];
    assert_eq!(
        exchange(machines, name, &requests),
        [Reply::FileOutcome(FileOutcome::Moved), Reply::RouteOutcome(RouteOutcome::Moved)]
    );
    let requests = [Request::File(write(form, &changed, &[], Activation::Load)), behind(&[2, 3], 3)];
    let replies = exchange(machines, name, &requests);
    let [Reply::FileOutcome(filed), Reply::RouteOutcome(RouteOutcome::Done { vanished, .. })] = &replies[..] else {
        panic!("{name}: {replies:?}")
    };
    done(filed.clone());
    assert_eq!(vanished.len(), if has_v6 { 4 } else { 2 }, "{name}");
    assert_eq!(files(machines, name), before, "{name}");
    assert_eq!(rows(machines, name), "", "{name}");
    assert_eq!(foreign(), 5, "{name}");
}

pub(super) fn plain_file(kind: &str, id: &str, destinations: &[u8]) -> Vec<(&'static str, String)> {
    vec![(NETPLAN_FILE, yaml(kind, id, &routes(destinations, 2, true)))]
}

pub fn a_deferred_file_is_pending_until_networkd_restarts() {
    let nodes = "plain 10.240.0.10,fd00:240::10";
    let machines = Machines::up(LabOptions { nodes: Some(nodes), ..LabOptions::default() });
    let node = machines.node("plain");
    let form = FileForm::Netplan;
    let before = files(&machines, "plain");
    let (first, _) = found(&machines, "plain", form);
    let good = plain_file("ethernets", "eth0", &[1, 2]);

    let deferred = done(file(&machines, "plain", &write(form, &first, &good, Activation::Defer)));
    let (token, seen) = found(&machines, "plain", form);
    assert!(token == deferred && seen.pending && seen.files.len() == 1);
    assert_eq!(rows(&machines, "plain"), "");
    node.restart_networkd();
    let (restarted, seen) = found(&machines, "plain", form);
    assert!(restarted != deferred && !seen.pending);
    assert_eq!(rows(&machines, "plain").lines().count(), 4);

    // A file that was removed by hand, and whose routes are loaded, comes back.
    node.run("rm /etc/netplan/60-topo.yaml");
    let (removed, seen) = found(&machines, "plain", form);
    assert!(seen.files.is_empty());
    assert_eq!(done(file(&machines, "plain", &write(form, &removed, &good, Activation::Load))), restarted);

    let deferred = done(file(&machines, "plain", &write(form, &restarted, &[], Activation::Defer)));
    let (token, seen) = found(&machines, "plain", form);
    assert!(token == deferred && seen.pending && seen.files.is_empty());
    assert_eq!(rows(&machines, "plain").lines().count(), 4);
    node.restart_networkd();
    assert_eq!(found(&machines, "plain", form).0, first);
    assert_eq!(rows(&machines, "plain"), "");
    // What has been loaded needs no note.
    node.run("rm -r /run/topo");
    assert_eq!(files(&machines, "plain"), before);
    what_goes_while_networkd_restarts(&machines, &first, &good);
}

/// Rows of others come back; where an address is gone, all is put back.
#[track_caller]
fn what_goes_while_networkd_restarts(machines: &Machines, first: &Token, wanted: &[(&str, String)]) {
    let node = machines.node("plain");
    add_foreign_rows(machines, "plain", "eth0");
    node.run("ip address add 10.240.0.77/32 dev eth0");
    let on_start = |commands: &[&str]| {
        let lines: String =
            commands.iter().flat_map(|command| ["ExecStartPost=-+/usr/sbin/ip ", command, "\\n"]).collect();
        node.run(&format!(
            "folder=/run/systemd/system/systemd-networkd.service.d; mkdir -p $folder &&
            printf '[Service]\\n{lines}' >$folder/lab.conf && systemctl daemon-reload"
        ));
    };
    let foreign = || {
        let rows =
            node.run("ip -d route show root 10.201.0.0/16; ip -d -6 route show root fd01::/16; ip -o -4 address");
        rows.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    let before = foreign();

    on_start(&["route del 10.201.2.0/24", "route del blackhole 10.201.4.0/24", "-6 route del blackhole fd01:2::/64"]);
    let requests = write(FileForm::Netplan, first, wanted, Activation::Load);
    let FileOutcome::Done { token, mut restored, .. } = file(machines, "plain", &requests) else {
        panic!("it is done")
    };
    restored.sort();
    assert_eq!(
        restored,
        [
            "1 10.201.2.0/24 via 10.240.0.1 dev eth0 table 254 proto 80 scope 0 onlink",
            "6 10.201.4.0/24 table 254 proto 80 scope 0",
            "6 fd01:2::/64 dev lo table 254 proto 80 scope 0 metric 1024 pref medium",
        ]
    );
    assert_eq!(foreign(), before);

    on_start(&["address del 10.240.0.77/32 dev eth0"]);
    match file(machines, "plain", &write(FileForm::Netplan, &token, &[], Activation::Load)) {
        FileOutcome::PutBack(reason) => {
            assert!(reason.contains("this address no longer exists: eth0 10.240.0.77/32"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(found(machines, "plain", FileForm::Netplan).0, token);
    assert_eq!(rows(machines, "plain").lines().count(), 4);
    assert_eq!(foreign(), before);
}

//! The scripts of netplan's files, where a file is refused or put back.

use topo::exchange::node::{Activation, FileForm, FileOutcome, FileWrite};

use super::file_scripts::{
    NETPLAN_FILE, add_foreign_rows, done, drop_in, file, files, found, plain_file, refused, routes, write, yaml,
};
use crate::harness::{LabOptions, Machines};

pub fn files_that_do_harm_are_refused() {
    let nodes = "plain 10.240.0.10,fd00:240::10\nnetworkd 10.240.0.14,fd00:240::14 --shape networkd-only\n";
    let machines = Machines::up(LabOptions { nodes: Some(nodes), ..LabOptions::default() });
    let node = machines.node("plain");
    let (first, _) = found(&machines, "plain", FileForm::Netplan);
    let good = plain_file("ethernets", "eth0", &[1, 2]);
    let assert_refused = |wanted: &[(&str, String)], words: &[&str]| {
        let before = (files(&machines, "plain"), node.routes());
        let wanted = write(FileForm::Netplan, &first, wanted, Activation::Load);
        refused(file(&machines, "plain", &wanted), words);
        assert_eq!((files(&machines, "plain"), node.routes()), before);
    };

    // What others have done.
    let other =
        |content: &str| node.run(&format!("echo '{content}' >/etc/netplan/70-other.yaml; chmod 600 /etc/netplan/*"));
    other("network: {ethernets: {eth0: {addresses: [nonsense]}}}");
    assert_refused(&good, &["cannot read the node's own files", "nonsense"]);
    other("network: {ethernets: {eth0: {mtu: 1400}}}");
    assert_refused(&good, &["Somebody has changed", "MTUBytes=1400", "netplan apply"]);
    other("network: {ethernets: {eth0: {routes: [{to: 10.203.0.0/16, via: 10.240.0.1}]}}}");
    assert_refused(&good, &["Somebody has changed", "10.203.0.0/16"]);
    node.run("rm /etc/netplan/70-other.yaml");

    // What does not fit.
    assert_refused(&plain_file("bridges", "eth0", &[1]), &["netplan does not accept the file 60-topo.yaml", "eth0"]);
    assert_refused(&plain_file("ethernets", "eth7", &[1]), &["different files", "10-netplan-eth7.network"]);
    let more = good[0].1.replace("      routes:", "      addresses: [\"10.240.0.99/24\"]\n      routes:");
    assert_refused(&[(NETPLAN_FILE, more)], &["more than routes", "10.240.0.99/24"]);
    assert_refused(&[("/etc/netplan/../60-topo.yaml", good[0].1.clone())], &["does not use files with this path"]);
    assert_refused(
        &[(NETPLAN_FILE, format!("{}        - to: \"10.202.9.0/24", good[0].1))],
        &["netplan does not accept"],
    );

    // Where nothing can be written.
    node.run(
        "cp -a /etc/netplan /run/kept && mount -t tmpfs -o size=16k tmpfs /etc/netplan && cp -a /run/kept/. /etc/netplan &&
        { head -c 16384 /dev/zero >/etc/netplan/full 2>/dev/null || true; }",
    );
    assert_refused(&good, &["topo cannot write", "No space left on device"]);
    node.run("rm /etc/netplan/full && mount -o remount,ro /etc/netplan");
    assert_refused(&good, &["topo cannot write", "Read-only file system"]);
    node.run("umount /etc/netplan && rm -r /run/kept");

    // What a run left that was killed is no hindrance, and is removed.
    let before = files(&machines, "plain");
    node.run(
        "folder=/run/systemd/network/10-netplan-eth0.network.d
        mkdir -p /run/topo-file.old /run/topo $folder && touch /etc/netplan/.60-topo.yaml.new &&
        echo $folder >/run/topo/.60-topo.yaml.folders && echo x >$folder/zz-topo-keep.conf",
    );
    done(file(&machines, "plain", &write(FileForm::Netplan, &first, &good, Activation::Check)));
    assert_eq!(files(&machines, "plain"), before);

    let (first, _) = found(&machines, "networkd", FileForm::Networkd);
    let before = files(&machines, "networkd");
    let path = "/etc/systemd/network/20-eth7.network.d/60-topo.conf";
    let wanted = [(path, drop_in(&routes(&[1], 2, true)))];
    let wanted = write(FileForm::Networkd, &first, &wanted, Activation::Load);
    refused(file(&machines, "networkd", &wanted), &["No device uses 20-eth7.network"]);
    machines.node("networkd").run("systemctl stop systemd-networkd.socket systemd-networkd 2>/dev/null");
    refused(file(&machines, "networkd", &FileWrite { known: None, ..wanted }), &["systemd-networkd does not run"]);
    assert_eq!(files(&machines, "networkd"), before);
}

pub fn what_cannot_be_loaded_is_put_back() {
    let nodes = "plain 10.240.0.10,fd00:240::10\nnetworkd 10.240.0.14,fd00:240::14 --shape networkd-only\n";
    let machines = Machines::up(LabOptions { nodes: Some(nodes), ..LabOptions::default() });
    let watch = machines.watch();
    std::thread::scope(|threads| {
        // A next hop that is the node itself makes the set-up of the device fail; one on no link is waited for in vain.
        threads.spawn(|| {
            assert_is_put_back(
                &machines,
                "plain",
                FileForm::Netplan,
                ("fd02:4::/64", "fd00:240::10"),
                "failed to set up a device",
            );
        });
        assert_is_put_back(
            &machines,
            "networkd",
            FileForm::Networkd,
            ("10.202.4.0/24", "10.99.0.1"),
            "lacks 1 of the routes in the file, the first is 10.202.4.0/24 via 10.99.0.1",
        );
    });
    watch.assert_lost_nothing();
}

#[track_caller]
fn assert_is_put_back(machines: &Machines, name: &str, form: FileForm, bad: (&str, &str), words: &str) {
    let node = machines.node(name);
    add_foreign_rows(machines, name, "eth0");
    let path = "/etc/systemd/network/10-eth0.network.d/60-topo.conf";
    let content = |routes: &[(String, String)]| match form {
        FileForm::Netplan => [(NETPLAN_FILE, yaml("ethernets", "eth0", routes))],
        FileForm::Networkd => [(path, drop_in(routes))],
    };
    let (first, _) = found(machines, name, form);
    let mut wanted = routes(&[1, 2], 2, true);
    let loaded = done(file(machines, name, &write(form, &first, &content(&wanted), Activation::Load)));
    let before = (files(machines, name), node.routes());

    // One more that is well, one that is changed, and one whose next hop is none.
    "10.240.0.3".clone_into(&mut wanted[0].1);
    "fd00:240::3".clone_into(&mut wanted[2].1);
    wanted.extend(routes(&[3], 2, true));
    wanted.push((bad.0.to_owned(), bad.1.to_owned()));
    match file(machines, name, &write(form, &loaded, &content(&wanted), Activation::Load)) {
        FileOutcome::PutBack(reason) => assert!(reason.contains(words), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!((files(machines, name), node.routes()), before, "{name}");
    assert_eq!(found(machines, name, form).0, loaded);
}

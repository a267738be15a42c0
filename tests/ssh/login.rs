//! Logins that work: names of host keys, jump hosts, drops, connections that died.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use topo::transport::Shell;
use topo::transport::ssh::{Ssh, SshOptions};

use super::{PATIENCE, Sshd, block_on, options, run_once, skipped, target};

#[test]
fn a_host_key_known_by_the_nodes_name_is_found() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let at = target("node-0", node.port);
    for hashed in [false, true] {
        let known_hosts = node.known_hosts(&["other", "node-0"]);
        if hashed {
            assert!(
                Command::new("ssh-keygen")
                    .args(["-q", "-H", "-f"])
                    .arg(&known_hosts)
                    .output()
                    .unwrap()
                    .status
                    .success()
            );
            assert!(!std::fs::read_to_string(&known_hosts).unwrap().contains("node-0"));
        }
        let options = SshOptions { known_hosts: Some(known_hosts), ..options(&node) };
        assert_eq!(run_once(options, &at, "echo ok").unwrap(), "ok\n", "hashed: {hashed}");
    }
}

#[test]
fn dropped_handshakes_are_tried_again() {
    if skipped() {
        return;
    }
    let node = Sshd::start("MaxStartups 1\nLogLevel VERBOSE");
    block_on(async {
        let ssh = std::sync::Arc::new(Ssh::new(options(&node)).unwrap());
        let mut runs = JoinSet::new();
        for number in 0..12 {
            let (ssh, at) = (ssh.clone(), target(&format!("node-{number}"), node.port));
            runs.spawn(async move { ssh.run(&at, b"echo ok").await });
        }
        for outcome in runs.join_all().await {
            assert_eq!(outcome.unwrap(), b"ok\n");
        }
        ssh.close().await;
    });
    assert!(node.log().contains("MaxStartups"), "no drop was provoked: {}", node.log());
}

#[test]
fn nodes_behind_a_jump_host_are_reached() {
    if skipped() {
        return;
    }
    let (node, jump) = (Sshd::start(""), Sshd::start("MaxStartups 9\nLogLevel VERBOSE"));
    // Each takes the key of the other's directory as well, for one client configuration.
    std::fs::copy(node.path().join("key.pub"), jump.path().join("authorized")).unwrap();
    let config = node.client_config(&format!(
        "Host jump\nHostName 127.0.0.1\nPort {}\nUser root\nMatch host 127.0.0.1 exec \"test %n != jump\"\nProxyJump jump",
        jump.port
    ));
    let known_hosts = node.known_hosts_text(&format!(
        "[127.0.0.1]:{} {}[127.0.0.1]:{} {}",
        node.port,
        node.host_key(),
        jump.port,
        jump.host_key()
    ));
    let options =
        SshOptions { ssh_config: Some(config), known_hosts: Some(known_hosts), parallelism: 20, ..options(&node) };
    block_on(async {
        let ssh = std::sync::Arc::new(Ssh::new(options).unwrap());
        let mut runs = JoinSet::new();
        for number in 0..20 {
            let (ssh, at) = (ssh.clone(), target(&format!("node-{number}"), node.port));
            runs.spawn(async move { ssh.run(&at, b"echo ok").await });
        }
        for outcome in runs.join_all().await {
            assert_eq!(outcome.unwrap(), b"ok\n");
        }
        ssh.close().await;
    });
    assert_eq!(jump.log().matches("Accepted publickey").count(), 20, "{}", jump.log());
    // More than eight logins at once would run into the limit of nine.
    assert!(!jump.log().contains("drop connection"), "{}", jump.log());
}

#[test]
fn an_unknown_jump_host_is_named_and_not_trusted_by_the_nodes_name() {
    if skipped() {
        return;
    }
    let (node, jump) = (Sshd::start(""), Sshd::start(""));
    std::fs::copy(node.path().join("key.pub"), jump.path().join("authorized")).unwrap();
    let config = node.client_config(&format!(
        "StrictHostKeyChecking no\nHost jump\nHostName 127.0.0.1\nPort {}\nUser root\nMatch host 127.0.0.1 exec \"test %n != jump\"\nProxyJump jump",
        jump.port
    ));
    let options = SshOptions {
        ssh_config: Some(config),
        known_hosts: Some(node.known_hosts(&["node-0", "jump"])),
        ..options(&node)
    };
    let sentence = super::unreachable(run_once(options, &target("node-0", node.port), "echo ok"));
    assert!(sentence.contains(&format!("the jump host [127.0.0.1]:{} is unknown", jump.port)), "{sentence}");
    assert!(!jump.log().contains("Accepted"), "{}", jump.log());
}

#[test]
fn a_master_that_was_killed_while_idle_is_replaced() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let at = target("node-0", node.port);
    block_on(async {
        let ssh = Ssh::new(options(&node)).unwrap();
        assert_eq!(ssh.run(&at, b"echo 1").await.unwrap(), b"1\n");
        let masters = masters(node.port);
        assert_eq!(masters.len(), 1);
        for master in masters {
            assert!(Command::new("kill").args(["-9", &master.to_string()]).status().unwrap().success());
        }
        assert_eq!(ssh.run(&at, b"echo 2").await.unwrap(), b"2\n");
        ssh.close().await;
    });
    assert_eq!(node.log().matches("Accepted publickey").count(), 2, "{}", node.log());
}

#[test]
fn a_connection_that_died_unnoticed_is_replaced() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let at = target("node-0", node.port);
    block_on(async {
        let ssh = Ssh::new(SshOptions { connect_timeout: Duration::from_secs(4), ..options(&node) }).unwrap();
        let serving = String::from_utf8(ssh.run(&at, b"echo $PPID").await.unwrap()).unwrap();
        let signal = |signal| Command::new("kill").args([signal, serving.trim()]).status().unwrap();
        assert!(signal("-STOP").success());
        let reply = ssh.run(&at, b"echo ok").await;
        assert!(signal("-KILL").success());
        assert_eq!(reply.unwrap(), b"ok\n");
        ssh.close().await;
    });
}

#[test]
fn masters_are_bounded_and_end_at_close() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    block_on(async {
        let ssh = Ssh::new(SshOptions { parallelism: 1, ..options(&node) }).unwrap();
        let ssh = &ssh;
        let run = async |number: u32| {
            let at = target(&format!("node-{number}"), node.port);
            assert_eq!(ssh.run(&at, b"echo ok").await.unwrap(), b"ok\n");
        };
        for number in [0, 1, 2, 3, 0, 4, 5] {
            run(number).await;
        }
        wait_until(|| masters(node.port).len() == 4);
        // Used in between, so it was not among those that had to go.
        run(0).await;
        assert_eq!(node.log().matches("Accepted publickey").count(), 6, "{}", node.log());
        ssh.close().await;
    });
    wait_until(|| masters(node.port).is_empty());
}

#[test]
fn masters_of_a_killed_process_are_ended_by_the_next() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    let parent = directory_of_masters(&node, &namespace);
    let name = |process: u32, what| parent.join(format!("topo-{process}-{namespace}-{what}{}", node.port));
    let make = |what| {
        let directory = name(1, what);
        std::fs::create_dir(&directory).unwrap();
        let mut command = Command::new("ssh");
        command.arg("-F").arg(node.client_config("")).arg("-S").arg(directory.join("0.s"));
        command.args(["-M", "-f", "-N", "-o", "StrictHostKeyChecking=yes", "-o", "ControlPersist=60s"]);
        let known_hosts = node.known_hosts(&["node-0"]);
        command
            .arg("-o")
            .arg(format!("UserKnownHostsFile=\"{}\"", known_hosts.display().to_string().replace('%', "%%")));
        command.args(["-o", "HostKeyAlias=node-0", "-p", &node.port.to_string(), "root@127.0.0.1"]);
        assert!(command.status().unwrap().success());
        directory
    };
    let (dying, living) = (make("dying"), make("living"));
    assert_eq!(masters(node.port).len(), 2);
    // Only now, for the other tests that run meanwhile clean up too.
    let dead = name(gone.id(), "dead");
    std::fs::rename(dying, &dead).unwrap();
    assert_eq!(run_once(options(&node), &target("node-0", node.port), "echo ok").unwrap(), "ok\n");
    wait_until(|| masters(node.port).len() == 1 && !dead.exists());
    assert!(living.exists());
    let stop = Command::new("ssh").args(["-q", "-O", "exit", "-S"]).arg(living.join("0.s")).arg("none").status();
    assert!(stop.unwrap().success());
    std::fs::remove_dir_all(living).unwrap();
}

#[test]
#[ignore = "a measurement"]
fn twenty_nodes_cost_what_bare_ssh_costs() {
    let node = Sshd::start("MaxStartups 100");
    let config = node.client_config("");
    let known_hosts = node.known_hosts(&[&format!("[127.0.0.1]:{}", node.port)]);
    for _ in 0..3 {
        let start = Instant::now();
        let one = |_| {
            let mut command = Command::new("ssh");
            command.arg("-F").arg(&config).args(["-o", "BatchMode=yes", "-o"]);
            command.arg(format!("UserKnownHostsFile=\"{}\"", known_hosts.display().to_string().replace('%', "%%")));
            command.args(["-p", &node.port.to_string(), "root@127.0.0.1", "cat"]);
            command.stdin(std::process::Stdio::null()).spawn().unwrap()
        };
        for mut process in (0..20).map(one).collect::<Vec<_>>() {
            assert!(process.wait().unwrap().success());
        }
        let bare = start.elapsed();
        block_on(async {
            let start = Instant::now();
            let ssh = std::sync::Arc::new(Ssh::new(SshOptions { parallelism: 32, ..options(&node) }).unwrap());
            let mut elapsed = Vec::new();
            for _ in 0..2 {
                let mut runs = JoinSet::new();
                for number in 0..20 {
                    let (ssh, at) = (ssh.clone(), target(&format!("node-{number}"), node.port));
                    runs.spawn(async move { ssh.run(&at, b"cat").await });
                }
                assert!(runs.join_all().await.iter().all(Result::is_ok));
                elapsed.push(start.elapsed());
            }
            ssh.close().await;
            elapsed.push(start.elapsed());
            eprintln!("bare {bare:?}, connect, again, close (cumulated) {elapsed:?}");
        });
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it does not come true");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where topo keeps the directories of its masters here: in `XDG_RUNTIME_DIR` where that can be used, else in `/tmp`.
fn directory_of_masters(node: &Sshd, namespace: &str) -> PathBuf {
    // Tests of this process that run meanwhile have theirs there, too, and this one has at least its own.
    let own = format!("topo-{}-{namespace}-", std::process::id());
    let _ssh = Ssh::new(options(node)).unwrap();
    let candidates = std::env::var_os("XDG_RUNTIME_DIR").into_iter().chain(["/tmp".into()]).map(PathBuf::from);
    let has_own = |path: &PathBuf| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with(&own))
    };
    candidates.into_iter().find(has_own).expect("the directory of this process")
}

/// The processes that hold a connection to a port of this test's own.
fn masters(port: u16) -> Vec<u32> {
    let mut masters = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments: Vec<_> = command.split(|byte| *byte == 0).collect();
        if arguments.contains(&b"-M".as_slice()) && arguments.contains(&port.to_string().as_bytes()) {
            masters.push(process);
        }
    }
    masters
}

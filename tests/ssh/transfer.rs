//! Scripts go in, replies come back, within limits.

use std::process::Command;
use std::time::{Duration, Instant};

use topo::transport::Shell;
use topo::transport::ssh::{Ssh, SshOptions};

use super::{PATIENCE, Sshd, block_on, interrupted, options, run_once, skipped, target};

#[test]
fn a_script_gets_the_connection_as_its_argument() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let reply =
        run_once(options(&node), &target("node-0", node.port), "echo \"$1\"; echo \"$LC_ALL\"\nexit 3").unwrap();
    let (connection, rest) = reply.split_once('\n').unwrap();
    assert!(
        connection.starts_with("127.0.0.1 ") && connection.ends_with(&format!(" 127.0.0.1 {}", node.port)),
        "{reply}"
    );
    assert_eq!(rest, "C\n");
}

#[test]
fn megabytes_go_both_ways_at_once() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let line = "echo 0123456789012345678901234567890123456789012345678901234567890123456789\n";
    let script = line.repeat((5 << 20) / line.len());
    let reply = run_once(options(&node), &target("node-0", node.port), &script).unwrap();
    assert_eq!(reply, script.replace("echo ", ""));
}

#[test]
fn one_connection_serves_many_exchanges() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let at = target("node-0", node.port);
    block_on(async {
        let ssh = Ssh::new(options(&node)).unwrap();
        let one = async |number: usize| ssh.run(&at, format!("echo {number}").as_bytes()).await.unwrap();
        let replies = tokio::join!(one(1), one(2), one(3));
        assert_eq!(replies, (b"1\n".to_vec(), b"2\n".to_vec(), b"3\n".to_vec()));
        assert_eq!(one(4).await, b"4\n");
        ssh.close().await;
        assert!(ssh.run(&at, b"echo").await.is_err());
    });
    assert_eq!(node.log().matches("Accepted publickey").count(), 1, "{}", node.log());
}

#[test]
fn endless_output_is_cut_and_its_script_ended() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let at = target("node-0", node.port);
    for stream in ["", ">&2"] {
        let pid = node.path().join("pid");
        let script = format!("echo $$ > '{}'\nexec yes {stream}", pid.display());
        let sentence = interrupted(run_once(SshOptions { reply_limit: 1 << 20, ..options(&node) }, &at, &script));
        assert!(sentence.contains("more than 1 MiB"), "{sentence}");
        let process = format!("/proc/{}", std::fs::read_to_string(pid).unwrap().trim());
        let start = Instant::now();
        while std::path::Path::new(&process).exists() {
            assert!(start.elapsed() < PATIENCE, "still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_script_that_hangs_is_cut_and_the_connection_stays_good() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let at = target("node-0", node.port);
    block_on(async {
        let ssh = Ssh::new(SshOptions { node_timeout: Duration::from_secs(3), ..options(&node) }).unwrap();
        // It hangs for longer than anybody waits, and is ended below.
        let pid = node.path().join("pid");
        let hung = ssh.run(&at, format!("echo $$ > '{}'\nexec sleep 600", pid.display()).as_bytes()).await;
        let pid = std::fs::read_to_string(pid).unwrap();
        assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success(), "it did not hang");
        let sentence = interrupted(hung.map(|reply| String::from_utf8(reply).unwrap()));
        assert!(sentence.contains("The node did not finish within 3 s"), "{sentence}");
        assert_eq!(ssh.run(&at, b"echo ok").await.unwrap(), b"ok\n");
        ssh.close().await;
    });
    assert_eq!(node.log().matches("Accepted publickey").count(), 1, "{}", node.log());
}

#[test]
fn what_a_login_prints_is_only_part_of_the_output() {
    if skipped() {
        return;
    }
    // As a forced command that prints and goes on with what was asked for, like a login script.
    let node = Sshd::start("ForceCommand echo welcome; echo noise >&2; eval \"$SSH_ORIGINAL_COMMAND\"");
    let reply = run_once(options(&node), &target("node-0", node.port), "echo ok").unwrap();
    assert_eq!(reply, "welcome\nok\n");
}

#[test]
fn a_session_that_breaks_is_interrupted_and_then_replaced() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let at = target("node-0", node.port);
    block_on(async {
        let ssh = Ssh::new(options(&node)).unwrap();
        // The script ends the sshd process that serves it, as a machine that goes down would.
        let broken = ssh.run(&at, b"kill -9 $PPID").await;
        let sentence = interrupted(broken.map(|reply| String::from_utf8(reply).unwrap()));
        assert!(sentence.contains("The session broke off"), "{sentence}");
        assert_eq!(ssh.run(&at, b"echo ok").await.unwrap(), b"ok\n");
        ssh.close().await;
    });
}

#[test]
fn a_script_that_is_cut_on_the_way_does_not_run() {
    if skipped() {
        return;
    }
    let node = Sshd::start("ForceCommand head -c 3000 | eval \"$SSH_ORIGINAL_COMMAND\"");
    let trace = node.path().join("trace");
    let script = format!("echo ran > '{}'\n{}", trace.display(), "echo padding\n".repeat(1000));
    let outcome = run_once(options(&node), &target("node-0", node.port), &script);
    assert!(super::unreachable(outcome).contains("Nothing ran there."));
    assert!(!trace.exists());
}

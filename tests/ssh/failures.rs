//! Logins that fail: nothing runs, and a sentence says what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use topo::transport::ssh::{Ssh, SshOptions, SshSetupError};

use super::sshd::{keygen, silent_port};
use super::{PATIENCE, Sshd, options, run_once, skipped, target, unreachable};

#[test]
fn an_unknown_host_key_is_refused() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let options = SshOptions { known_hosts: Some(node.known_hosts(&["other"])), ..options(&node) };
    let sentence = unreachable(run_once(options, &target("node-0", node.port), "echo ok"));
    assert!(sentence.starts_with("The host key is unknown: "), "{sentence}");
    assert!(sentence.contains(&format!("`ssh-keyscan -p {} ADDRESS`", node.port)), "{sentence}");
}

#[test]
fn a_changed_host_key_is_refused_whatever_is_known_by_name() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    keygen(&node.path().join("old"));
    let old = fs::read_to_string(node.path().join("old.pub")).unwrap();
    // With and without the port, and for a server that has no key of the kind that is known.
    let other_kind = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7bq0KxhRO0GLbTYj9HJ5FFUJCbZcNVMRoUZgx\n";
    for (known_as, key) in [
        (format!("[127.0.0.1]:{}", node.port), old.as_str()),
        ("127.0.0.1".to_owned(), &old),
        (format!("[127.0.0.1]:{}", node.port), other_kind),
    ] {
        let text = format!("{known_as} {key}node-0 {}", node.host_key());
        let options = SshOptions { known_hosts: Some(node.known_hosts_text(&text)), ..options(&node) };
        let sentence = unreachable(run_once(options, &target("node-0", node.port), "echo ok"));
        assert!(sentence.starts_with("The host key "), "{sentence}");
        assert!(key == other_kind || known_as == "127.0.0.1" || sentence.contains("has changed"), "{sentence}");
        assert!(!node.log().contains("Accepted"), "{}", node.log());
    }
    // Wrong under the name.
    let options = SshOptions { known_hosts: Some(node.known_hosts_text(&format!("node-0 {old}"))), ..options(&node) };
    let sentence = unreachable(run_once(options, &target("node-0", node.port), "echo ok"));
    assert!(sentence.contains("has changed") && sentence.contains("ssh-keygen -R 'node-0'"), "{sentence}");
}

#[test]
fn a_refused_key_is_said_once() {
    if skipped() {
        return;
    }
    let node = Sshd::start("LogLevel VERBOSE");
    fs::write(node.path().join("authorized"), "").unwrap();
    let sentence = unreachable(run_once(options(&node), &target("node-0", node.port), "echo ok"));
    assert!(sentence.starts_with("The login as root was refused: Permission denied (publickey"), "{sentence}");
    assert!(sentence.contains("ssh-add -l"), "{sentence}");
    assert_eq!(node.log().matches("Connection from ").count(), 1, "{}", node.log());
}

#[test]
fn where_nothing_listens_it_is_said_at_once() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let (_socket, port) = silent_port();
    // Each ssh that reads this configuration leaves a line, its arguments.
    let log = node.path().join("ssh");
    let leave = format!("tr '\\0' ' ' </proc/$PPID/cmdline >>'{log}'; echo >>'{log}'", log = log.display());
    let config = node.client_config(&format!("Match exec \"{leave}\""));
    let options = SshOptions { ssh_config: Some(config), ..options(&node) };
    let sentence = unreachable(run_once(options, &target("node-0", port), "echo ok"));
    assert!(sentence.starts_with("The connection was refused (port "), "{sentence}");
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains(" -M ")).count(), 1, "it was tried again: {log}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = target("node-0", silent.local_addr().unwrap().port());
    let start = Instant::now();
    let sentence =
        unreachable(run_once(SshOptions { connect_timeout: Duration::from_secs(1), ..options(&node) }, &at, ""));
    assert!(sentence.contains("no answer within 1 s") && sentence.contains("--connect-timeout"), "{sentence}");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn sudo_that_asks_for_a_password_is_refused() {
    if skipped() {
        return;
    }
    for (text, says) in [
        (
            "echo 'sudo: a password is required' >&2; exit 1",
            "sudo -n is refused to root: sudo: a password is required.",
        ),
        ("printf 'sudo: \\033[2Jsorry\\n' >&2; exit 1", "sudo: \\u{1b}[2Jsorry."),
        ("echo not here >&2; exit 127", "No shell started"),
    ] {
        let at = tempfile::tempdir().unwrap();
        let sudo = at.path().join("sudo");
        fs::write(&sudo, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
        let node = Sshd::start(&format!("SetEnv SHLVL=2 \"PATH={}:/usr/bin:/bin\"", at.path().display()));
        let mut target = target("node-0", node.port);
        target.endpoint.sudo = true;
        let sentence = unreachable(run_once(options(&node), &target, "echo ok"));
        assert!(sentence.contains(says) && sentence.contains("Nothing ran there."), "{sentence}");
    }
}

#[test]
fn sudo_that_is_missing_is_said() {
    if skipped() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/sh", at.path().join("sh")).unwrap();
    let node = Sshd::start(&format!("SetEnv SHLVL=2 \"PATH={}\"", at.path().display()));
    let mut target = target("node-0", node.port);
    target.endpoint.sudo = true;
    let sentence = unreachable(run_once(options(&node), &target, "echo ok"));
    assert!(sentence.contains("sudo does not start for root"), "{sentence}");
}

#[test]
fn sudo_that_works_keeps_the_connection() {
    if skipped() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    let sudo = at.path().join("sudo");
    fs::write(&sudo, "#!/bin/sh\n[ \"$1 $2\" = '-n --' ] || exit 9\nshift 2\nexec env -i PATH=/usr/bin:/bin \"$@\"\n")
        .unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
    let node = Sshd::start(&format!("SetEnv SHLVL=2 \"PATH={}:/usr/bin:/bin\"", at.path().display()));
    let mut target = target("node-0", node.port);
    target.endpoint.sudo = true;
    let reply = run_once(options(&node), &target, "echo \"$1\"").unwrap();
    assert!(reply.ends_with(&format!(" 127.0.0.1 {}\n", node.port)), "{reply}");
}

#[test]
fn an_account_without_a_shell_is_said() {
    if skipped() {
        return;
    }
    let node = Sshd::start("ForceCommand echo 'This account is not available' >&2; exit 1");
    let sentence = unreachable(run_once(options(&node), &target("node-0", node.port), "echo ok"));
    assert!(sentence.contains("No shell started for root: This account is not available"), "{sentence}");
}

#[test]
fn hostile_hosts_and_users_never_reach_ssh() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    for (host, user) in
        [("-oProxyCommand=touch x", "root"), ("a b", "root"), ("127.0.0.1", "-x"), ("127.0.0.1", "$(id)")]
    {
        let mut at = target("node-0", node.port);
        host.clone_into(&mut at.endpoint.host);
        at.endpoint.user = Some(user.to_owned());
        let sentence = unreachable(run_once(options(&node), &at, "echo ok"));
        assert!(sentence.contains("topo did not connect"), "{sentence}");
    }
}

#[test]
fn a_bad_configuration_is_refused_in_the_operators_words() {
    if skipped() {
        return;
    }
    let node = Sshd::start("");
    let config = node.client_config("NoSuchOption yes");
    let Err(error) = Ssh::new(SshOptions { ssh_config: Some(config.clone()), ..options(&node) }) else {
        panic!("taken")
    };
    let text = error.to_string();
    assert!(text.contains(&format!("{}: line 1: Bad configuration option: nosuchoption", config.display())), "{text}");
    let missing = SshOptions { known_hosts: Some("/no/such/file".into()), ..options(&node) };
    let Err(SshSetupError::File { option: "--known-hosts", .. }) = Ssh::new(missing) else { panic!("taken") };
}

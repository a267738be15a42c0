//! The works on settings of the kernel against the kernel: the fake node answers the same, and each shell leaves the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use topo::exchange::node::{
    self, DeviceSetting, KernelKey, Nonce, Reply, Request, ValueWrite, ValuesInquiry, ValuesSet, ValuesWrite, WholeFile,
};

use super::cases;
use super::kernel::Node;
use super::namespace::{MACHINE_ID, Namespace, PEER};

const FILE: &str = "/etc/sysctl.d/60-topo.conf";
const SHELLS: [&[&str]; 2] = [&["sh"], &["busybox", "ash"]];

#[derive(Clone, Debug)]
enum Act {
    /// Somebody sets a value.
    Hand(usize, &'static str),
    /// Somebody writes or removes a file.
    File(usize, Option<&'static str>),
    /// Sets values and writes the file, from what was seen last or from what is wrong by now.
    Set { content: Option<&'static str>, values: Vec<(usize, &'static str)>, stale: bool },
}

const CONTENTS: [Option<&str>; 5] = [
    None,
    Some("# topo\nnet.ipv4.ip_forward = 1\n"),
    Some("it's \"odd\"\n\n$(x)\\ \nnet.ipv4.conf.*.rp_filter=2"),
    Some("\n"),
    Some("net.ipv4.ip_forward=0\nkernel.x=1\n"),
];
const FILES: [&str; 3] = [FILE, "/etc/sysctl.d/70-other.conf", "/etc/sysctl.d/10-early.conf"];

fn keys() -> Vec<KernelKey> {
    let filter = |device| DeviceSetting::REVERSE_PATH_FILTER.of(device).expect("a device");
    vec![KernelKey::ip_forward(), KernelKey::ipv6_forwarding(), filter("all"), filter("eth0")]
}

fn act() -> impl Strategy<Value = Act> {
    let value = || prop::sample::select(&["0", "1", "1", "x"][..]);
    let content = || prop::sample::select(&CONTENTS[..]);
    prop_oneof![
        2 => (0..4_usize, prop::sample::select(&["0", "1"][..])).prop_map(|(at, value)| Act::Hand(at, value)),
        2 => (0..3_usize, content()).prop_map(|(at, content)| Act::File(at, content)),
        4 => (content(), prop::collection::vec((0..4_usize, value()), 0..4), prop::bool::weighted(0.2))
            .prop_map(|(content, mut values, stale)| {
                values.sort_unstable();
                values.dedup_by_key(|(at, _)| *at);
                Act::Set { content, values, stale }
            }),
    ]
}

fn look() -> Request {
    Request::Values(ValuesInquiry {
        keys: keys(),
        of_devices: vec![DeviceSetting::REVERSE_PATH_FILTER, DeviceSetting::FORWARDING],
        devices: vec!["default".to_owned(), "gone0".to_owned()],
        reached: ["10.240.0.21", "10.99.0.1", "10.240.0.20"].map(|text| text.parse().expect("an address")).to_vec(),
        advertised: true,
        whole: FILE.to_owned(),
    })
}

/// The same exchange with the kernel and with the fake.
struct Pair<'a> {
    real: &'a Namespace,
    shell: &'a [&'a str],
    fake: Node,
}

fn ask(real: &Namespace, shell: &[&str], work: Request) -> Reply {
    let (nonce, requests) = (Nonce::random(), [work]);
    let output = real.run_with(shell, &node::render(&requests, &nonce));
    node::parse(&output, &requests, &nonce).expect("an answer").remove(0)
}

/// Without the files of this machine, and without the wording of the kernel.
fn plain(reply: Reply) -> Reply {
    match reply {
        Reply::Values(mut found) => {
            found.files.retain(|file| file.path.starts_with("/etc/sysctl.d/"));
            found.networkd.clear();
            Reply::Values(found)
        }
        Reply::ValuesSet(ValuesSet::PutBack(_)) => Reply::ValuesSet(ValuesSet::PutBack(String::new())),
        other => other,
    }
}

impl Pair<'_> {
    fn exchange(&mut self, work: &Request) -> Reply {
        let real = plain(ask(self.real, self.shell, work.clone()));
        let fake = plain(self.fake.exchange(std::slice::from_ref(work)).remove(0));
        assert_eq!(real, fake, "{work:?}");
        real
    }

    fn act(&mut self, act: &Act) {
        let Reply::Values(seen) = self.exchange(&look()) else { panic!("{act:?}") };
        match act {
            Act::Hand(at, value) => {
                let key = &keys()[*at];
                self.real.run(&format!("echo {value} >/proc/sys/{}\n", key.path()));
                self.fake.settings.set(key.path(), value);
            }
            Act::File(at, content) => {
                let path = FILES[*at];
                if let Some(content) = content {
                    let script = format!("mkdir -p /etc/sysctl.d; cat >{path} <<'END'\n{content}\nEND\n");
                    self.real.run(&script);
                    self.fake.settings.files.insert(path.to_owned(), format!("{content}\n"));
                } else {
                    self.real.run(&format!("rm -f {path}\n"));
                    self.fake.settings.files.remove(path);
                }
            }
            Act::Set { content, values, stale } => {
                let mut before = seen.whole.clone();
                if *stale {
                    before = before.map_or_else(|| Some("stale\n".to_owned()), |text| Some(format!("{text}\n")));
                }
                let file = WholeFile { path: FILE.to_owned(), before, after: content.map(str::to_owned) };
                let value = |(at, after): &(usize, &str)| {
                    let key = keys()[*at].clone();
                    let before = seen.values[&key].clone().expect("a value");
                    ValueWrite { key, before, after: (*after).to_owned() }
                };
                let write = ValuesWrite { file, values: values.iter().map(value).collect() };
                if !values.iter().any(|(_, value)| *value == "x") {
                    self.exchange(&Request::SetValues(write));
                    return;
                }
                // The kernel takes no such value, so that all is put back.
                let bad = keys().iter().map(|key| key.path().to_owned()).collect();
                let fixed = std::mem::replace(&mut self.fake.settings.fixed, bad);
                for one in &write.values {
                    if one.after != "x" {
                        self.fake.settings.fixed.remove(one.key.path());
                    }
                }
                self.exchange(&Request::SetValues(write));
                self.fake.settings.fixed = fixed;
            }
        }
    }
}

fn fake() -> Node {
    let addresses = [("10.240.0.20".parse().expect("address"), 24), ("fd00:240::20".parse().expect("address"), 64)];
    Node::new(MACHINE_ID, &addresses, PEER.parse().ok())
}

/// None where no namespace can be made.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn namespace() -> Option<Namespace> {
    let made = Namespace::new();
    let reason = made.as_ref().err();
    reason.inspect(|reason| eprintln!("skipped: no network namespace can be made here: {reason}"));
    let namespace = made.ok()?;
    // The kernel of this machine may start a namespace with other values.
    for key in keys().iter().chain(&DeviceSetting::REVERSE_PATH_FILTER.of("default")) {
        namespace.run(&format!("echo 0 >/proc/sys/{}\n", key.path()));
    }
    namespace.run("mkdir /etc/sysctl.d\n");
    Some(namespace)
}

#[test]
fn the_fake_settings_are_as_those_of_the_kernel() {
    if namespace().is_none() {
        return;
    }
    for shell in SHELLS {
        let config = Config { cases: cases(4), failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
        let run = TestRunner::new(config).run(&prop::collection::vec(act(), 1..20), |acts| {
            let namespace = namespace().expect("as before");
            let mut pair = Pair { real: &namespace, shell, fake: fake() };
            for act in &acts {
                pair.act(act);
            }
            pair.exchange(&look());
            let leftovers = namespace.run("cd /etc/sysctl.d && ls -A | grep -v '^[0-9].*conf$'\n");
            assert_eq!(String::from_utf8_lossy(&leftovers), "");
            Ok(())
        });
        if let Err(error) = run {
            panic!("{shell:?}: {error}");
        }
    }
}

/// Forwarding on, with a file.
fn forward(before: Option<&str>, values: &[(KernelKey, &str, &str)]) -> Request {
    let file = WholeFile {
        path: FILE.to_owned(),
        before: before.map(str::to_owned),
        after: Some("net.ipv4.ip_forward = 1\n".to_owned()),
    };
    let value = |(key, before, after): &(KernelKey, &str, &str)| ValueWrite {
        key: key.clone(),
        before: (*before).to_owned(),
        after: (*after).to_owned(),
    };
    Request::SetValues(ValuesWrite { file, values: values.iter().map(value).collect() })
}

#[test]
fn nothing_is_half_done_where_the_file_or_a_value_cannot_be_written() {
    for shell in SHELLS {
        let Some(namespace) = namespace() else { return };
        let on = || (KernelKey::ip_forward(), "0", "1");
        let state = || {
            let said = namespace.run(
                "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding; stat -c '%A %n' /etc/sysctl.d/*\n",
            );
            String::from_utf8_lossy(&said).into_owned()
        };
        let Reply::ValuesSet(done) = ask(&namespace, shell, forward(None, &[on()])) else { panic!() };
        assert_eq!((done, state()), (ValuesSet::Done, format!("1\n0\n-rw-r--r-- {FILE}\n")), "{shell:?}");

        namespace
            .run("echo 0 >/proc/sys/net/ipv4/ip_forward; rm /etc/sysctl.d/*; rmdir /etc/sysctl.d; >/etc/sysctl.d\n");
        let refused = ask(&namespace, shell, forward(None, &[on()]));
        assert!(
            matches!(&refused, Reply::ValuesSet(ValuesSet::Refused(said)) if said.contains("topo cannot write")),
            "{shell:?}: {refused:?}"
        );
        assert!(state().starts_with("0\n0\n"), "{shell:?}: {}", state());

        // The second value is none that the kernel takes, so that the first and the file are put back.
        namespace.run(&format!("rm /etc/sysctl.d; mkdir /etc/sysctl.d; echo before >{FILE}; chmod 640 {FILE}\n"));
        let bad = (KernelKey::ipv6_forwarding(), "0", "many");
        let back = ask(&namespace, shell, forward(Some("before\n"), &[on(), bad]));
        let Reply::ValuesSet(ValuesSet::PutBack(said)) = &back else { panic!("{shell:?}: {back:?}") };
        assert!(said.starts_with("topo cannot set net/ipv6/conf/all/forwarding to many: "), "{said}");
        assert_eq!(state(), format!("0\n0\n-rw-r----- {FILE}\n"), "{shell:?}");

        // A link is nobody's own file.
        namespace.run(&format!("rm {FILE}; echo before >/etc/sysctl.conf; ln -s ../sysctl.conf {FILE}\n"));
        let refused = ask(&namespace, shell, forward(Some("before\n"), &[on()]));
        assert!(
            matches!(&refused, Reply::ValuesSet(ValuesSet::Refused(said)) if said.contains("not a file of its own"))
        );
    }
}

#[test]
fn what_cannot_be_asked_is_unknown() {
    let Some(namespace) = namespace() else { return };
    for (name, trouble, said) in [
        (
            "ip",
            "case \"$*\" in *default*) echo Cannot allocate memory >&2; exit 2 ;; *) exec /sbin/ip \"$@\" ;; esac",
            "Cannot allocate",
        ),
        (
            "ip",
            "case \"$*\" in *batch*) echo Out of buffers; exit 1 ;; *) exec /sbin/ip \"$@\" ;; esac",
            "Out of buffers",
        ),
        ("ls", "echo Input/output error >&2; exit 2", "Input/output error"),
        ("grep", "echo Input/output error >&2; exit 2", "Input/output error"),
    ] {
        for shell in SHELLS {
            let (nonce, requests) = (Nonce::random(), [look()]);
            let script = node::render(&requests, &nonce);
            let folder = format!("/etc/bad-{name}");
            namespace.run(&format!(
                "mkdir -p {folder}; cat >{folder}/{name} <<'END'\n#!/bin/sh\n{trouble}\nEND\nchmod 755 {folder}/{name}; >{FILE}\n"
            ));
            // In busybox, `ls` and `grep` are not looked up in PATH where they are applets that need no process.
            let output = namespace.run_with(shell, &format!("PATH={folder}:$PATH\nexport PATH\n{script}"));
            let reply = node::parse(&output, &requests, &nonce).expect("an answer").remove(0);
            if shell[0] == "sh" || name == "ip" {
                assert!(matches!(&reply, Reply::Unknown(why) if why.contains(said)), "{shell:?} {name}: {reply:?}");
            }
        }
    }
}

#[test]
fn what_comes_by_router_advertisements_is_told_with_its_device() {
    let Some(namespace) = namespace() else { return };
    for shell in SHELLS {
        let advertised = || match ask(&namespace, shell, look()) {
            Reply::Values(found) => {
                let accepts = |device: String| {
                    let key = DeviceSetting::ACCEPT_ADVERTISEMENTS.of(&device).expect("a device");
                    (device, found.values[&key].clone().expect("a value"))
                };
                found.advertised.into_iter().map(accepts).collect::<BTreeMap<String, String>>()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(advertised(), BTreeMap::new());
        namespace.run(
            "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra\n\
             ip -6 route add default via fd00:240::1 dev eth0 metric 50\n",
        );
        assert_eq!(advertised(), BTreeMap::new(), "by hand");
        namespace.run("ip -6 route add default via fd00:240::1 dev eth0 proto ra metric 60\n");
        assert_eq!(advertised(), [("eth0".to_owned(), "1".to_owned())].into());
        namespace.run(
            "ip -6 route del default metric 60; ip -6 route del default metric 50\n\
             ip -6 addr add fd77::5/64 dev eth0 valid_lft 500 preferred_lft 400 mngtmpaddr\n\
             echo 2 >/proc/sys/net/ipv6/conf/eth0/accept_ra\n",
        );
        assert_eq!(advertised(), [("eth0".to_owned(), "2".to_owned())].into());
        namespace.run("ip -6 addr del fd77::5/64 dev eth0\n");
    }
}

#[test]
fn files_are_told_by_folder_with_the_lines_that_matter() {
    let Some(namespace) = namespace() else { return };
    // Nothing of this machine's own.
    namespace.run(
        "mount -t tmpfs tmpfs /run; mkdir -p /run/sysctl.d /run/systemd/netif/links /etc/systemd/network/a.network.d\n\
         printf 'vm.x=1\\nnet/ipv4/conf/*/rp_filter=1' >/run/sysctl.d/70-odd.conf\n\
         ln -s /dev/null /etc/sysctl.d/70-odd.conf; ln -s gone /etc/sysctl.d/71-gone.conf; mkdir /etc/sysctl.d/72-folder.conf\n\
         echo net.ipv4.ip_forward=0 >/etc/sysctl.conf; ln -s ../sysctl.conf /etc/sysctl.d/99-sysctl.conf\n\
         printf '[Network]\\nIPv4Forwarding=no\\n' >/etc/systemd/networkd.conf\n\
         printf '[Network]\\nDHCP=yes\\n' >/etc/systemd/network/a.network.d/b.conf\n",
    );
    for shell in SHELLS {
        let Reply::Values(found) = ask(&namespace, shell, look()) else { panic!() };
        let text = |files: &[node::FileLines]| -> Vec<String> {
            let ours = files.iter().filter(|file| !file.path.starts_with("/usr") && !file.path.starts_with("/lib"));
            ours.map(|file| format!("{}: {}", file.path, file.lines.join(" | "))).collect()
        };
        let expected = [
            "/etc/sysctl.d/70-odd.conf: ",
            "/etc/sysctl.d/99-sysctl.conf: net.ipv4.ip_forward=0",
            "/run/sysctl.d/70-odd.conf: net/ipv4/conf/*/rp_filter=1",
            "/etc/sysctl.conf: net.ipv4.ip_forward=0",
        ];
        assert_eq!(text(&found.files), expected, "{shell:?}");
        let expected = ["/etc/systemd/networkd.conf: IPv4Forwarding=no", "/etc/systemd/network/a.network.d/b.conf: "];
        assert_eq!(text(&found.networkd), expected, "{shell:?}");
    }
    // A name that would look like another line of the answer.
    namespace.run(
        "touch \"/etc/sysctl.d/a\nvalue net.conf\"; mv /etc/sysctl.d/a* /etc/sysctl.d/\"$(printf 'a\\nx.conf')\"\n",
    );
    let reply = ask(&namespace, SHELLS[0], look());
    assert!(matches!(&reply, Reply::Unknown(why) if why.contains("line break")), "{reply:?}");
}

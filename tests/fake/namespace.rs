//! A network namespace of its own, with an /etc and a chassis of its own, in which scripts run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The peer that scripts are told, as `SSH_CONNECTION`.
pub(crate) const PEER: &str = "10.240.0.99";
pub(crate) const MACHINE_ID: &str = "0123456789abcdef0123456789abcdef";

/// A veth pair inside stands for the node's link: nothing leaves the namespace.
const SETUP: &str = r#"set -eu
folder=$1
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/etc"
cp -r /etc/iproute2 "$folder/etc/" 2>/dev/null || true
echo 0123456789abcdef0123456789abcdef >"$folder/etc/machine-id"
mount --bind "$folder/etc" /etc
# It is not where this machine is.
mkdir -p "$folder/class/dmi/id"
mount --bind "$folder/class" /sys/class
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode
ip link add eth0 type veth peer name peer0
ip addr add 10.240.0.20/24 dev eth0
ip addr add fd00:240::20/64 dev eth0 nodad
ip link set peer0 up
ip link set eth0 up
# A table comes into being with its first route; the fake has no such thing.
for prefix in 10.0.0.0/8 fd00::/16; do
  ip route add blackhole "$prefix" table 100
  ip route del blackhole "$prefix" table 100
done
echo ready
exec cat
"#;

/// It ends with this value, or with this process: what holds it reads from a pipe.
pub(crate) struct Namespace {
    holder: Child,
    _stdin: ChildStdin,
    _folder: tempfile::TempDir,
}

impl Namespace {
    /// Makes one; an error says why none can be had here.
    pub(crate) fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "--", "sh", "-c", SETUP, "sh"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare does not start: {error}"))?;
        let stdin = holder.stdin.take().expect("piped");
        let mut line = String::new();
        let _ = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        if line.trim() != "ready" {
            let said = holder.wait_with_output().map_err(|error| error.to_string())?.stderr;
            return Err(String::from_utf8_lossy(&said).trim().to_owned());
        }
        Ok(Self { holder, _stdin: stdin, _folder: folder })
    }

    /// Runs a script as the transport does, and gives back what it prints.
    pub(crate) fn run(&self, script: &str) -> Vec<u8> {
        self.run_with(&["sh"], script)
    }

    /// The same with another shell.
    pub(crate) fn run_with(&self, shell: &[&str], script: &str) -> Vec<u8> {
        let mut child = Command::new("nsenter")
            .arg(format!("--target={}", self.holder.id()))
            // Its root, too: in a chroot, a mount namespace alone leads out of it.
            .args(["--net", "--mount", "--root", "--wd", "--"])
            .args(shell)
            .args(["-s", "--"])
            .arg(format!("{PEER} 40000 10.240.0.20 22"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("nsenter");
        child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("script");
        child.wait_with_output().expect("output").stdout
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

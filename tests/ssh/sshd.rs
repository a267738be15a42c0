//! An sshd of a test's own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Listens on a free port of 127.0.0.1 until it is dropped; has its own host key, and takes one key for root.
pub(crate) struct Sshd {
    directory: TempDir,
    process: Child,
    files: std::cell::Cell<u32>,
    pub(crate) port: u16,
}

impl Sshd {
    pub(crate) fn start(more: &str) -> Self {
        Self::start_on(more, "")
    }

    /// The same on a machine that a script has made ready, in a mount namespace of its own. `$2` is the folder of the sshd.
    pub(crate) fn start_on(more: &str, script: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("topo sshd ").tempdir().unwrap();
        let at = directory.path();
        keygen(&at.join("host"));
        keygen(&at.join("key"));
        fs::copy(at.join("key.pub"), at.join("authorized")).unwrap();
        // Another process may take the port in between: then once more.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            // SHLVL keeps bash from reading root's ~/.bashrc, whatever that does on this machine.
            let text = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey \"{at}/host\"\nAuthorizedKeysFile \"{at}/authorized\"\n\
                 StrictModes no\nUsePAM no\nPidFile none\nPrintMotd no\nPermitRootLogin yes\n{more}\n\
                 SetEnv SHLVL=2\n",
                at = at.display()
            );
            fs::write(at.join("sshd_config"), text).unwrap();
            // sshd wants /run/sshd: in a mount namespace of its own, not on this machine.
            let mut process = Command::new("unshare")
                .args(["--mount", "--propagation", "private", "sh", "-c"])
                .arg(format!(
                    "mount -t tmpfs tmpfs /run && mkdir /run/sshd || exit\n{script}\n\
                     exec /usr/sbin/sshd -D -e -f \"$1\""
                ))
                .arg("sh")
                .arg(at.join("sshd_config"))
                .arg(at)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(fs::File::create(at.join("log")).unwrap())
                .spawn()
                .unwrap();
            if listens(port, &mut process) {
                return Self { directory, process, files: std::cell::Cell::new(0), port };
            }
        }
        panic!("sshd does not start: {}", fs::read_to_string(at.join("log")).unwrap());
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What sshd said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap()
    }

    pub(crate) fn host_key(&self) -> String {
        fs::read_to_string(self.path().join("host.pub")).unwrap()
    }

    fn new_file(&self, name: &str) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.path().join(format!("{name} {}", self.files.get()))
    }

    /// A client configuration that uses the key of this one, with more lines before.
    pub(crate) fn client_config(&self, more: &str) -> PathBuf {
        let path = self.new_file("client config");
        let key = self.path().join("key");
        let text =
            format!("{more}\nHost *\nIdentityAgent none\nIdentitiesOnly yes\nIdentityFile \"{}\"\n", key.display());
        fs::write(&path, text).unwrap();
        path
    }

    /// A known hosts file with this one's key under some names.
    pub(crate) fn known_hosts(&self, names: &[&str]) -> PathBuf {
        let lines = names.iter().map(|name| format!("{name} {}", self.host_key()));
        self.known_hosts_text(&lines.collect::<String>())
    }

    pub(crate) fn known_hosts_text(&self, text: &str) -> PathBuf {
        let path = self.new_file("known hosts 100%");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // By its id; the sessions that it started end when their client does.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn listens(port: u16, process: &mut Child) -> bool {
    let start = Instant::now();
    while start.elapsed() < super::PATIENCE {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        // Asking by connecting would count for MaxStartups until sshd notices.
        let listening = fs::read_to_string("/proc/net/tcp").unwrap();
        if listening.contains(&format!("0100007F:{port:04X} 00000000:0000 0A")) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// A new key pair at a path. Its comment is fixed: by default it carries the name of this machine.
pub(crate) fn keygen(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "a test", "-f"]).arg(path);
    let status = command.status().unwrap();
    assert!(status.success());
}

/// A port on 127.0.0.1 where nothing listens. It is bound while the socket lives, so that nobody else can listen there.
pub(crate) fn silent_port() -> (tokio::net::TcpSocket, u16) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    (socket, port)
}

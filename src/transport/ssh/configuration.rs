//! The configuration that `ssh` runs with: topo's lines first, because the first value wins, then the operator's own
//! files.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::destination::{self, Resolved};
use super::excerpt::sanitise;
use super::leftovers;
use super::settings::{SshOptions, SshSetupError, whole_seconds};
use crate::transport::Target;

/// The longest name of a directory for control directories: a control path may have 107 bytes.
const PARENT_LIMIT: usize = 40;
/// How much of a configuration file topo reads when it searches for words, in bytes.
const SEARCH_LIMIT: usize = 1 << 20;

/// topo's lines. They win over the operator's lines, also for jump hosts. They contain only what topo needs: no
/// questions, no unknown host keys, no forwarding, no command except the script, detection of dead connections,
/// read-only known hosts.
const OURS: &str = include_str!("ours.conf");

/// The private directory and its content.
pub(super) struct Configuration {
    path: PathBuf,
    /// Whether it mentions jump hosts or proxies at all.
    proxies: bool,
    /// topo's names of files, and the operator's names for them.
    names: Vec<(String, String)>,
    serial: AtomicU64,
}

impl Configuration {
    /// Makes the directory, writes the configuration, and lets `ssh` read it once.
    pub(super) fn write(options: &SshOptions) -> Result<Self, SshSetupError> {
        let directory = private_directory()?;
        let at = directory.path();
        let failed = |source| SshSetupError::Directory { directory: at.display().to_string(), source };
        let file_failed = |option, path: &Path| {
            let path = path.display().to_string();
            move |source| SshSetupError::File { option, path, source }
        };
        let mut names = Vec::new();
        let mut text = format!("# Written by topo, which removes it when it ends.\n{OURS}");
        let _ = writeln!(text, "ConnectTimeout {}", whole_seconds(options.connect_timeout));

        if let Some(known_hosts) = &options.known_hosts {
            let absolute = fs::canonicalize(known_hosts).map_err(file_failed("--known-hosts", known_hosts))?;
            fs::File::open(&absolute).map_err(file_failed("--known-hosts", known_hosts))?;
            // topo makes a link, because the operator's path may contain characters that ssh would expand.
            let link = at.join("known_hosts");
            std::os::unix::fs::symlink(&absolute, &link).map_err(failed)?;
            names.push((link.display().to_string(), known_hosts.display().to_string()));
            let _ = writeln!(text, "UserKnownHostsFile {}\nGlobalKnownHostsFile none", link.display());
            let _ = writeln!(text, "VerifyHostKeyDNS no");
        }
        if let Some(ssh_config) = &options.ssh_config {
            // topo copies the text, because ssh is stricter about the permissions of included files than about those of
            // `-F`.
            let theirs = fs::read(ssh_config).map_err(file_failed("--ssh-config", ssh_config))?;
            let copy = at.join("ssh_config");
            write_private(&copy, &theirs).map_err(failed)?;
            names.push((copy.display().to_string(), ssh_config.display().to_string()));
            let _ = writeln!(text, "Include {}", copy.display());
        } else {
            text.push_str("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n");
        }
        let path = at.join("config");
        write_private(&path, text.as_bytes()).map_err(failed)?;
        let said = read_by_ssh(&path, &names)?;
        if options.known_hosts.is_some() && said.contains("knownhostscommand") {
            // The operator's file is then the only source of keys. Older versions of ssh do not know this option.
            let text = text.replace("VerifyHostKeyDNS no\n", "VerifyHostKeyDNS no\nKnownHostsCommand none\n");
            fs::write(&path, text).map_err(failed)?;
        }
        // Whoever uses it removes it, or leaves it to the next run.
        let _ = directory.keep();
        let proxies = said.contains("proxyjump") || said.contains("proxycommand");
        Ok(Self { path, proxies, names, serial: AtomicU64::new(0) })
    }

    /// The file for `ssh -F`.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The private directory.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Whether any node may be behind a jump host or proxy.
    pub(super) fn has_proxies(&self) -> bool {
        self.proxies
    }

    /// A new path without extension in the directory, for a master's files.
    pub(super) fn new_path(&self) -> PathBuf {
        self.directory().join(self.serial.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// The text with the operator's names of files instead of topo's.
    pub(super) fn in_operators_words(&self, text: &str) -> String {
        in_operators_words(&self.names, text)
    }

    /// Removes the directory.
    pub(super) fn remove(&self) {
        let _ = fs::remove_dir_all(self.directory());
    }

    /// Asks `ssh` for its view of the node. This starts a process, so topo asks only if necessary.
    pub(super) async fn resolve(&self, at: &Target) -> Option<Resolved> {
        let mut command = tokio::process::Command::new("ssh");
        command.arg("-G").arg("-F").arg(&self.path).args(destination::arguments(&at.endpoint));
        let output = output(command).await?;
        output.status.success().then(|| Resolved::parse(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// What a program prints on standard output; none if it does not run, or does not end in time.
pub(super) async fn output(mut command: tokio::process::Command) -> Option<Output> {
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(Duration::from_secs(10), command.output()).await.ok()?.ok()
}

fn in_operators_words(names: &[(String, String)], text: &str) -> String {
    names.iter().fold(text.to_owned(), |text, (ours, theirs)| text.replace(ours, theirs))
}

/// Lets `ssh` read the configuration once, to learn whether it accepts the files, and what is in them. The lines of all files
/// without comments, in small letters.
fn read_by_ssh(path: &Path, names: &[(String, String)]) -> Result<String, SshSetupError> {
    let mut command = std::process::Command::new("ssh");
    command.args(["-v", "-G", "-F"]).arg(path).args(["--", "localhost"]).stdin(Stdio::null());
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SshSetupError::NoClient,
        _ => SshSetupError::Client(error),
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let lines = said.lines().filter(|line| !line.starts_with("debug") && !line.starts_with("OpenSSH_"));
        let reason = lines.collect::<Vec<_>>().join("; ");
        let reason = in_operators_words(names, &reason);
        return Err(SshSetupError::Configuration(sanitise(&reason)));
    }
    let mut all = String::new();
    for file in said.lines().filter_map(|line| line.trim().strip_prefix("debug1: Reading configuration data ")) {
        let text = fs::read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[..text.len().min(SEARCH_LIMIT)]).to_ascii_lowercase();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        all.extend(lines.flat_map(|line| [line, "\n"]));
    }
    Ok(all)
}

fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text)
}

/// Makes a directory for this process only, with a short name: in the user's runtime directory, else in /tmp.
fn private_directory() -> Result<TempDir, SshSetupError> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| usable(path));
    let make = |parent: &Path| {
        let made = tempfile::Builder::new()
            .prefix(&leftovers::directory_prefix())
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent);
        made.map_err(|source| SshSetupError::Directory { directory: parent.display().to_string(), source })
    };
    match runtime.map(|runtime| make(&runtime)) {
        Some(Ok(directory)) => Ok(directory),
        _ => make(Path::new("/tmp")),
    }
}

/// Whether the path is short enough, has no characters that ssh would expand, and belongs to this user.
fn usable(path: &Path) -> bool {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_.-".contains(&byte));
    let named = path.to_str().is_some_and(|text| text.len() <= PARENT_LIMIT && text.starts_with('/') && plain(text));
    let process = fs::metadata("/proc/self").map(|process| process.uid());
    let owned = fs::metadata(path).and_then(|it| process.map(|process| it.is_dir() && it.uid() == process));
    named && owned.unwrap_or(false)
}

//! Files that make routes last: what a node is asked about them, and how they are put there.

use std::net::IpAddr;

use super::{Listing, Part};
use crate::resource::Token;

/// Who reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileForm {
    /// netplan: one file in `/etc/netplan`, beside the files of others.
    Netplan,
    /// systemd-networkd: a drop-in beside each `.network` file that it uses for a device with routes of ours,
    /// `/etc/systemd/network/NETWORK_FILE.d/NAME`.
    Networkd,
}

/// Asks what a node knows about its network configuration and about our file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInquiry {
    /// Who reads the file.
    pub form: FileForm,
    /// Its name without folder: `60-topo.yaml`, `60-topo.conf`.
    pub name: String,
    /// Next hops whose device is asked for.
    pub next_hops: Vec<IpAddr>,
    /// What the same place answered before: where all is as then, only the token is sent.
    pub known: Option<Token>,
}

/// The answer to a [`FileInquiry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Over our files (path, mode, content), the `.network` files in use, and whether ours is loaded.
    pub token: Token,
    /// What was found.
    pub found: Part<NetworkConfiguration>,
}

/// How a node's network is configured, as far as our file depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkConfiguration {
    /// Version of netplan as the package says, `unknown` where it is not known; none where netplan is not there.
    pub netplan: Option<String>,
    /// Whether systemd-networkd runs.
    pub networkd: bool,
    /// Whether our file was put there without systemd-networkd having read its configuration since.
    pub pending: bool,
    /// Our files that are there: for netplan at most one; for networkd the drop-ins of our name in all folders.
    pub files: Vec<FoundFile>,
    /// The network devices that networkd knows.
    pub links: Vec<FoundLink>,
    /// The device that the kernel uses for each next hop that was asked for; those that it has none for are left out.
    pub devices: Vec<(IpAddr, String)>,
    /// What all of the node's netplan files together define; looked at for [`FileForm::Netplan`] only.
    pub definitions: Vec<Definition>,
}

/// One of our files as it is on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its path.
    pub path: String,
    /// Permission bits; where nobody has changed them `0o600`, for systemd-networkd, which is not root, `0o644`.
    pub mode: u32,
    /// Its content; bytes that are not UTF-8 are replaced, and what is longer than a mebibyte is cut.
    pub text: String,
}

/// A network device as networkd sees it (`/run/systemd/netif/links`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLink {
    /// Name of the device.
    pub device: String,
    /// Path of the `.network` file that networkd uses for it; none where it does not manage it.
    pub network_file: Option<String>,
}

/// A network definition of netplan ("netdef").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its kind, the key above it: `ethernets`, `bonds`, `vlans`, …
    pub kind: String,
    /// Its ID, which need not be the name of the device.
    pub id: String,
    /// Who carries it out (`networkd`, `NetworkManager`), where it or the whole configuration says so.
    pub renderer: Option<String>,
}

/// Puts our files in place, or takes them away, if nothing has moved since the plan looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWrite {
    /// Who reads them.
    pub form: FileForm,
    /// The name without folder.
    pub name: String,
    /// The guard: where the node would answer an inquiry with another token, nothing is written.
    pub known: Option<Token>,
    /// Path and content of every file of this name that is to be there; none to take away all of them.
    pub files: Vec<(String, String)>,
    /// How far to go.
    pub activation: Activation,
    /// The routing table whose rows the files keep; its token is in the answer.
    pub listing: Listing,
}

impl FileWrite {
    /// Whether nothing of it stays on the node.
    pub fn only_checks(&self) -> bool {
        self.activation == Activation::Check
    }
}

/// How far a [`FileWrite`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Only the checks: nothing is left on the node.
    Check,
    /// Installed and loaded by systemd-networkd.
    Load,
    /// Installed, and loaded at the next boot or restart of systemd-networkd.
    Defer,
}

/// What became of a [`FileWrite`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filed {
    /// The guard did not hold; nothing was written.
    Moved,
    /// A check failed; nothing was installed. The sentences say what is wrong, with the difference where there is one.
    Refused(String),
    /// It was installed, and a check afterwards failed, so what was there before was put back. The sentences say why.
    PutBack(String),
    /// Done as far as was asked for.
    Done {
        /// The answer to an inquiry now.
        token: Token,
        /// The token of the routing table now.
        table: Token,
        /// Rows of others that had gone and were put back, as `ip route` prints them.
        restored: Vec<String>,
    },
}

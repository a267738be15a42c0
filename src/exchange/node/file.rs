//! Files that keep routes: the questions to a node about them, and how to write them.

use std::net::IpAddr;

use super::{Listing, Part};
use crate::resource::Token;

/// The reader of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileForm {
    /// netplan: one file in `/etc/netplan`, beside the files of others.
    Netplan,
    /// systemd-networkd: a drop-in beside each `.network` file that it uses for a device with topo's routes,
    /// `/etc/systemd/network/NETWORK_FILE.d/NAME`.
    Networkd,
}

/// Asks about a node's network configuration and about topo's file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInquiry {
    /// The reader of the file.
    pub form: FileForm,
    /// Its name without folder: `60-topo.yaml`, `60-topo.conf`.
    pub name: String,
    /// Next hops whose device topo needs.
    pub next_hops: Vec<IpAddr>,
    /// The last answer of the same place. If nothing has changed, the node sends only the token.
    pub known: Option<Token>,
}

/// The answer to a [`FileInquiry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Covers topo's files (path, mode, content), the `.network` files in use, and whether topo's file is loaded.
    pub token: Token,
    /// What was found.
    pub found: Part<NetworkConfiguration>,
}

/// A node's network configuration, as far as topo's file depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkConfiguration {
    /// netplan's version according to its package, or `unknown`; none if there is no netplan.
    pub netplan: Option<String>,
    /// Whether systemd-networkd runs.
    pub networkd: bool,
    /// Whether topo's file is waiting: systemd-networkd has not read its configuration since the file was written.
    pub pending: bool,
    /// topo's existing files: for netplan at most one; for networkd the drop-ins with this name in all folders.
    pub files: Vec<FoundFile>,
    /// The network devices that networkd knows.
    pub links: Vec<FoundLink>,
    /// The devices that another program than networkd manages, and this program.
    pub managers: Vec<(String, OtherManager)>,
    /// The device that the kernel uses for each next hop asked for. Next hops without a device are missing.
    pub devices: Vec<(IpAddr, String)>,
    /// The definitions in all of the node's netplan files; only for [`FileForm::Netplan`].
    pub definitions: Vec<Definition>,
}

/// One of topo's files on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its path.
    pub path: String,
    /// Permission bits. Unless somebody has changed them: `0o600`, or `0o644` for systemd-networkd, which does not run
    /// as root.
    pub mode: u32,
    /// Its content. Bytes that are not UTF-8 are replaced, and content beyond one MiB is cut.
    pub text: String,
}

/// A program that manages network devices in the place of systemd-networkd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherManager {
    /// `NetworkManager` runs and manages the device (`managed=true` in `/run/NetworkManager/devices/INDEX`).
    NetworkManager,
    /// `ifup` has configured the device (`/run/network/ifstate`).
    Ifupdown,
}

impl std::fmt::Display for OtherManager {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NetworkManager => "NetworkManager",
            Self::Ifupdown => "ifupdown",
        })
    }
}

/// A network device as networkd sees it (`/run/systemd/netif/links`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLink {
    /// Name of the device.
    pub device: String,
    /// Path of the `.network` file that networkd uses for it; none if networkd does not manage it.
    pub network_file: Option<String>,
}

/// A network definition of netplan ("netdef").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its kind, which is the key above it: `ethernets`, `bonds`, `vlans`, …
    pub kind: String,
    /// Its ID, which can differ from the name of the device.
    pub id: String,
    /// Its renderer (`networkd`, `NetworkManager`), if it or the whole configuration sets one.
    pub renderer: Option<String>,
}

/// Writes or removes topo's files, unless something has changed since the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWrite {
    /// The reader of the files.
    pub form: FileForm,
    /// The name without folder.
    pub name: String,
    /// The guard: if the node would now answer an inquiry with another token, it writes nothing.
    pub known: Option<Token>,
    /// Path and content of every file that should exist with this name; none to remove all of them.
    pub files: Vec<(String, String)>,
    /// How far to go.
    pub activation: Activation,
    /// The routing table with the rows of the files. The answer has its token.
    pub listing: Listing,
}

impl FileWrite {
    /// Whether it leaves nothing on the node.
    pub fn only_checks(&self) -> bool {
        self.activation == Activation::Check
    }
}

/// How far a [`FileWrite`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Only the checks: leaves nothing on the node.
    Check,
    /// Install, and make systemd-networkd load.
    Load,
    /// Install; systemd-networkd loads at its next restart or boot.
    Defer,
}

/// The outcome of a [`FileWrite`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// The guard failed; nothing was written.
    Moved,
    /// A check failed; nothing was installed. The sentences say what is wrong, with a diff if there is one.
    Refused(String),
    /// After the installation a check failed, so the node restored the old files. The sentences say why.
    PutBack(String),
    /// Done, as far as asked.
    Done {
        /// The present answer to an inquiry.
        token: Token,
        /// The present token of the routing table.
        table: Token,
        /// Rows of others that had disappeared and were restored, as `ip route` prints them.
        restored: Vec<String>,
    },
}

//! Settings of the kernel under `/proc/sys`, and the files that set them: the questions to a node about them, and how to
//! set them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A setting of the kernel: its path below `/proc/sys`. The list of settings is closed, because a topology and a state file
/// are data: other settings can run programs (`kernel/core_pattern`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelKey(Arc<str>);

/// A setting that each network device has, beside `all` and `default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSetting {
    /// The path before the name of the device.
    pub(super) before: &'static str,
    /// The path after the name of the device.
    pub(super) after: &'static str,
}

/// Whether the node forwards IPv4 packets.
const IP_FORWARD: &str = "net/ipv4/ip_forward";
/// Whether the node forwards IPv6 packets.
const IPV6_FORWARDING: &str = "net/ipv6/conf/all/forwarding";

impl DeviceSetting {
    /// The check of the source addresses of IPv4 packets: 0 off, 1 strict, 2 loose. The kernel goes by the larger of the
    /// values of `all` and of the device (Documentation/networking/ip-sysctl.rst).
    pub const REVERSE_PATH_FILTER: Self = Self { before: "net/ipv4/conf/", after: "/rp_filter" };
    /// Whether the node forwards IPv4 packets that come in on the device. A write of [`KernelKey::ip_forward`] that changes its value
    /// sets this on all devices (net/ipv4/devinet.c, `inet_forward_change`).
    pub const FORWARDING: Self = Self { before: "net/ipv4/conf/", after: "/forwarding" };
    /// Whether the kernel accepts router advertisements: 0 no, 1 only while it does not forward, 2 always.
    pub const ACCEPT_ADVERTISEMENTS: Self = Self { before: "net/ipv6/conf/", after: "/accept_ra" };

    const ALL: [Self; 3] = [Self::REVERSE_PATH_FILTER, Self::FORWARDING, Self::ACCEPT_ADVERTISEMENTS];

    /// The setting of a device. None for a name that topo does not use in a path.
    pub fn of(self, device: &str) -> Option<KernelKey> {
        is_device(device).then(|| KernelKey(format!("{}{device}{}", self.before, self.after).into()))
    }

    /// The last part of its paths.
    pub(super) fn last(self) -> &'static str {
        self.after.trim_start_matches('/')
    }

    /// The device whose setting this is; none for another setting.
    pub fn device(self, key: &KernelKey) -> Option<&str> {
        key.0.strip_prefix(self.before)?.strip_suffix(self.after)
    }
}

/// Whether a text is a name of a network device (at most 15 bytes, `IFNAMSIZ`) without strange characters.
pub(crate) fn is_device(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'@' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= 15 && name.bytes().all(is_plain)
}

impl KernelKey {
    /// Whether the node forwards IPv4 packets.
    pub fn ip_forward() -> Self {
        Self(IP_FORWARD.into())
    }

    /// Whether the node forwards IPv6 packets.
    pub fn ipv6_forwarding() -> Self {
        Self(IPV6_FORWARDING.into())
    }

    /// Reads a path below `/proc/sys`. None for a setting that is not in the list.
    pub fn of_path(path: &str) -> Option<Self> {
        let key = Self(path.into());
        let is_known = matches!(path, IP_FORWARD | IPV6_FORWARDING)
            || DeviceSetting::ALL.iter().any(|setting| setting.device(&key).is_some_and(is_device));
        is_known.then_some(key)
    }

    /// The path below `/proc/sys`.
    pub fn path(&self) -> &str {
        &self.0
    }

    /// The last part of the path.
    pub(super) fn last(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

/// The name in the words of `sysctl`: dots in place of slashes, and slashes in place of dots.
impl fmt::Display for KernelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&swap_separators(&self.0))
    }
}

/// Swaps dots and slashes. A name of a setting has the one where its path has the other.
pub fn swap_separators(text: &str) -> String {
    let swapped = |character| match character {
        '/' => '.',
        '.' => '/',
        other => other,
    };
    text.chars().map(swapped).collect()
}

/// Asks for settings of the kernel, and for the files that set them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuesInquiry {
    /// The settings.
    pub keys: Vec<KernelKey>,
    /// Settings to read for each of the devices below.
    pub of_devices: Vec<DeviceSetting>,
    /// Names of devices that are known already.
    pub devices: Vec<String>,
    /// Addresses whose device is asked for. They are on-link, or they belong to a subnet that is connected there.
    pub reached: Vec<IpAddr>,
    /// Whether to ask what the node has by router advertisements.
    pub advertised: bool,
    /// Path of a file in `/etc/sysctl.d` whose whole content is asked for.
    pub whole: String,
}

/// The answer to a [`ValuesInquiry`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundValues {
    /// The value of each setting that was asked for. None: the kernel has no such setting.
    pub values: BTreeMap<KernelKey, Option<String>>,
    /// The device of each address that is on-link.
    pub devices: Vec<(IpAddr, String)>,
    /// The files that `sysctl` and systemd-sysctl read, in the order of their folders, each with the lines that may be about one
    /// of the settings.
    pub files: Vec<FileLines>,
    /// The files of systemd-networkd with lines about forwarding. Empty where it does not run.
    pub networkd: Vec<FileLines>,
    /// Devices with addresses or a default route that came by router advertisements. The values have their
    /// [`DeviceSetting::ACCEPT_ADVERTISEMENTS`].
    pub advertised: BTreeSet<String>,
    /// The content of the file whose whole content was asked for. None: there is no such file.
    pub whole: Option<String>,
}

/// Lines of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLines {
    /// Its path.
    pub path: String,
    /// The lines.
    pub lines: Vec<String>,
}

/// Sets values and writes or removes one file: all of it, or nothing. The node writes nothing if something has changed since
/// the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuesWrite {
    /// The file.
    pub file: WholeFile,
    /// The values, in this order.
    pub values: Vec<ValueWrite>,
}

/// Writes or removes one whole file with mode 0644.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeFile {
    /// Its path, in `/etc/sysctl.d`.
    pub path: String,
    /// The content that was seen. None: there was no such file.
    pub before: Option<String>,
    /// The new content. None: the file goes.
    pub after: Option<String>,
}

/// Sets one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueWrite {
    /// The setting.
    pub key: KernelKey,
    /// The value that was seen.
    pub before: String,
    /// The new value. If it is the same, the node only checks it.
    pub after: String,
}

/// The outcome of a [`ValuesWrite`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValuesSet {
    /// The file or a value is not as it was seen; nothing was written.
    Moved,
    /// The node cannot do it; nothing was written. The sentences say why.
    Refused(String),
    /// Something failed after the first write. The node put back what it had changed, as far as the sentences do not say
    /// otherwise.
    PutBack(String),
    /// All is written, and the node has read all values back.
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_of_the_list_are_keys() {
        let filter = DeviceSetting::REVERSE_PATH_FILTER;
        for path in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/eth0.100/rp_filter"] {
            assert_eq!(KernelKey::of_path(path).expect("in the list").path(), path);
        }
        for path in [
            "kernel/core_pattern",
            "net/ipv4/conf/../../../kernel/core_pattern",
            "net/ipv4/conf/../rp_filter",
            "net/ipv4/conf//rp_filter",
            "net/ipv4/conf/a/b/rp_filter",
            "net/ipv4/conf/'$(reboot)'/rp_filter",
            "net/ipv4/conf/a name/rp_filter",
            "net.ipv4.ip_forward",
            "",
        ] {
            assert_eq!(KernelKey::of_path(path), None, "{path}");
        }
        assert_eq!(filter.of("eth0"), KernelKey::of_path("net/ipv4/conf/eth0/rp_filter"));
        assert_eq!(filter.of("sixteen-letters-"), None);
        assert_eq!(filter.of("../x"), None);
        assert_eq!(filter.device(&KernelKey::ip_forward()), None);
    }

    #[test]
    fn names_are_those_of_sysctl() {
        assert_eq!(KernelKey::ipv6_forwarding().to_string(), "net.ipv6.conf.all.forwarding");
        let key = DeviceSetting::REVERSE_PATH_FILTER.of("eth0.100").expect("a device");
        assert_eq!(key.to_string(), "net.ipv4.conf.eth0/100.rp_filter");
        assert_eq!(swap_separators(&key.to_string()), key.path());
    }
}

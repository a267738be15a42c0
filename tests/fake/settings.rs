//! A pure model of the settings of the kernel on a fake node, and of the files that set them at boot.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topo::exchange::node::{DeviceSetting, FileLines, FoundValues, KernelKey, ValuesInquiry, ValuesSet, ValuesWrite};

use super::kernel::Node;

/// The settings of a node, and files in `/etc/sysctl.d`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// By path below `/proc/sys`. What is not there does not exist in this kernel.
    pub(crate) values: BTreeMap<String, String>,
    /// By path.
    pub(crate) files: BTreeMap<String, String>,
    /// Paths of settings that keep their value whatever is written.
    pub(crate) fixed: BTreeSet<String>,
    /// Values of `accept_ra` of devices that have something by router advertisements.
    pub(crate) advertised: BTreeMap<String, String>,
}

impl Settings {
    /// The settings of a node that has just been installed, with these devices.
    pub(crate) fn new(devices: &[&str]) -> Self {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        values.insert("net/ipv4/ip_forward".to_owned(), "0".to_owned());
        values.insert("net/ipv6/conf/all/forwarding".to_owned(), "0".to_owned());
        for device in ["all", "default"].iter().chain(devices) {
            values.insert(format!("net/ipv4/conf/{device}/rp_filter"), "0".to_owned());
            // That of `all` is another name of `ip_forward`.
            if *device != "all" {
                values.insert(format!("net/ipv4/conf/{device}/forwarding"), "0".to_owned());
            }
        }
        Self { values, ..Self::default() }
    }

    /// Writes a value, as `sysctl -w` does.
    pub(crate) fn set(&mut self, path: &str, value: &str) {
        let Some(live) = self.values.get_mut(path).filter(|_| !self.fixed.contains(path)) else { return };
        let is_new = live != value;
        value.clone_into(live);
        if is_new && path == "net/ipv4/ip_forward" {
            let devices = self.values.iter_mut().filter(|(path, _)| path.starts_with("net/ipv4/conf/"));
            devices.filter(|(path, _)| path.ends_with("/forwarding")).for_each(|(_, live)| value.clone_into(live));
        }
    }

    /// Boots the machine: the kernel's values, then those of the files.
    pub(crate) fn boot(&mut self) {
        let devices: Vec<String> = self
            .values
            .keys()
            .filter_map(|path| path.strip_prefix("net/ipv4/conf/")?.strip_suffix("/rp_filter").map(str::to_owned))
            .collect();
        self.values = Self::new(&devices.iter().map(String::as_str).collect::<Vec<_>>()).values;
        for text in self.files.clone().values() {
            for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
                self.set(&topo::exchange::node::swap_separators(name.trim()), value.trim());
            }
        }
    }
}

impl Node {
    pub(crate) fn values(&self, inquiry: &ValuesInquiry) -> FoundValues {
        let settings = &self.settings;
        let is_on_link = |address: &&IpAddr| self.way_to(**address) == format!("{address} dev eth0");
        let devices: Vec<(IpAddr, String)> =
            inquiry.reached.iter().filter(is_on_link).map(|address| (*address, "eth0".to_owned())).collect();
        let mut keys = inquiry.keys.clone();
        for setting in &inquiry.of_devices {
            let found = devices.iter().map(|(_, device)| device);
            keys.extend(inquiry.devices.iter().chain(found).filter_map(|device| setting.of(device)));
        }
        let mut words: Vec<String> =
            keys.iter().filter_map(|key| Some(key.path().rsplit_once('/')?.1.to_owned())).collect();
        if words.iter().any(|word| word == "ip_forward") {
            words.push("forwarding".to_owned());
        }
        let is_about = |line: &&str| words.iter().any(|word| line.contains(word)) || line.contains(['*', '?', '[']);
        let lines_of = |text: &String| text.lines().filter(is_about).map(str::to_owned).collect();
        let advertised = if inquiry.advertised { settings.advertised.clone() } else { BTreeMap::new() };
        let value = |key: KernelKey| {
            let value = settings.values.get(key.path()).cloned();
            (key, value)
        };
        let mut values: BTreeMap<KernelKey, Option<String>> = keys.into_iter().map(value).collect();
        for (device, value) in &advertised {
            let key = DeviceSetting::ACCEPT_ADVERTISEMENTS.of(device).expect("a device");
            values.insert(key, Some(value.clone()));
        }
        FoundValues {
            values,
            devices,
            files: settings
                .files
                .iter()
                .map(|(path, text)| FileLines { path: path.clone(), lines: lines_of(text) })
                .collect(),
            networkd: Vec::new(),
            advertised: advertised.into_keys().collect(),
            whole: settings.files.get(&inquiry.whole).cloned(),
        }
    }

    /// Sets values and writes a file: all of it, or nothing.
    pub(crate) fn set_values(&mut self, write: &ValuesWrite) -> ValuesSet {
        let live = |settings: &Settings, key: &KernelKey| settings.values.get(key.path()).cloned();
        let is_as_seen = write.values.iter().all(|one| live(&self.settings, &one.key).as_ref() == Some(&one.before));
        if self.settings.files.get(&write.file.path) != write.file.before.as_ref() || !is_as_seen {
            return ValuesSet::Moved;
        }
        self.writes += 1;
        let before = self.settings.clone();
        match &write.file.after {
            Some(text) => _ = self.settings.files.insert(write.file.path.clone(), text.clone()),
            None => _ = self.settings.files.remove(&write.file.path),
        }
        for one in write.values.iter().filter(|one| one.before != one.after) {
            self.settings.set(one.key.path(), &one.after);
            if live(&self.settings, &one.key).as_ref() != Some(&one.after) {
                self.settings = before;
                return ValuesSet::PutBack(format!("topo cannot set {} to {}.", one.key.path(), one.after));
            }
        }
        ValuesSet::Done
    }
}

//! Forwarding of single devices.
//!
//! The kernel forwards an IPv4 packet if the device that it comes in on forwards (net/ipv4/route.c, `ip_route_input_slow`). Turning
//! `ip_forward` on does that for all devices, and later ones inherit it. Somebody can turn it off for one device. For IPv6 only
//! the value of `all` counts (`net/ipv6/ip6_output.c`, `ip6_forward`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::attributes::Attributes;
use super::boot::{Line, others};
use crate::exchange::node::{DeviceSetting, FoundValues, KernelKey};
use crate::resource::words::Setting;

/// The forwarding of the devices of the node's routes and pods. Empty if the topology does not want forwarding.
fn settings(wanted: &Attributes, found: &FoundValues) -> BTreeSet<KernelKey> {
    if !wanted.values.contains_key(&KernelKey::ip_forward()) {
        return BTreeSet::new();
    }
    let of_v4 = found.devices.iter().filter(|(address, _)| IpAddr::is_ipv4(address)).map(|(_, device)| device);
    of_v4.chain(&wanted.devices).filter_map(|device| DeviceSetting::FORWARDING.of(device)).collect()
}

/// The devices on which forwarding is off although it is on for the node.
pub(super) fn turned_off(wanted: &Attributes, found: &FoundValues) -> Vec<KernelKey> {
    let value = |key: &KernelKey| found.values.get(key).and_then(Option::as_deref);
    if value(&KernelKey::ip_forward()) != Some("1") {
        return Vec::new();
    }
    settings(wanted, found).into_iter().filter(|key| value(key) == Some("0")).collect()
}

/// That topo turns forwarding on on a device.
pub(super) fn turned_on(key: &KernelKey) -> Setting {
    Setting { name: key.to_string().into(), before: Some("0".to_owned()), after: Some("1".to_owned()) }
}

/// The values of devices before topo turned forwarding on there first.
pub(super) fn before(recorded: &BTreeMap<KernelKey, String>) -> impl Iterator<Item = (KernelKey, String)> {
    let is_of_device = |(key, _): &(&KernelKey, &String)| DeviceSetting::FORWARDING.device(key).is_some();
    recorded.iter().filter(is_of_device).map(|(key, before)| (key.clone(), before.clone()))
}

/// Lines of others that turn forwarding off on a device at boot. topo's file has no lines about devices, so that it does not matter
/// which file is read first.
pub(super) fn kept_off(wanted: &Attributes, found: &FoundValues, own: &str) -> Vec<(KernelKey, Line)> {
    let line = |key: KernelKey| {
        let line = others(found, &key, own).usual.filter(|line| line.value == "0")?;
        Some((key, line))
    };
    settings(wanted, found).into_iter().filter_map(line).collect()
}

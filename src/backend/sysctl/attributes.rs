//! What the state keeps of the settings of one node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::exchange::node::{DeviceSetting, KernelKey};
use crate::resource::Shape;

/// The settings of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    /// The value of each setting.
    pub(super) values: BTreeMap<KernelKey, String>,
    /// The values before topo set them first. Only in a record.
    pub(super) before: BTreeMap<KernelKey, String>,
    /// Wanted settings that somebody else provides. Only in a record.
    pub(super) left: BTreeSet<KernelKey>,
    /// Addresses that lead to the devices of the node's routes and pods. Only in what is wanted.
    pub(super) reached: Vec<IpAddr>,
    /// Names of devices that the topology gives. Only in what is wanted.
    pub(super) devices: Vec<String>,
}

impl Attributes {
    pub(super) fn of(shape: &Shape) -> Self {
        let attributes = &shape.attributes;
        let values = |name: &str| -> BTreeMap<KernelKey, String> {
            let entries = attributes[name].as_object().into_iter().flatten();
            // A state file is not trusted: its values become lines of a file.
            let is_number =
                |text: &&str| !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
            entries
                .filter_map(|(path, value)| {
                    Some((KernelKey::of_path(path)?, value.as_str().filter(is_number)?.to_owned()))
                })
                .collect()
        };
        let texts = |name: &str| attributes[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        Self {
            values: values("values"),
            before: values("before"),
            left: texts("left").filter_map(KernelKey::of_path).collect(),
            reached: texts("reached").filter_map(|text| text.parse().ok()).collect(),
            devices: texts("devices").map(str::to_owned).collect(),
        }
    }

    /// Empty parts are left out.
    pub(super) fn to_value(&self) -> Value {
        let values = |values: &BTreeMap<KernelKey, String>| -> Value {
            values
                .iter()
                .map(|(key, value)| (key.path().to_owned(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let mut all = json!({ "values": values(&self.values) });
        if !self.before.is_empty() {
            all["before"] = values(&self.before);
        }
        if !self.left.is_empty() {
            all["left"] = self.left.iter().map(KernelKey::path).collect();
        }
        if !self.reached.is_empty() {
            all["reached"] = json!(self.reached);
        }
        if !self.devices.is_empty() {
            all["devices"] = json!(self.devices);
        }
        all
    }

    /// The value of the filter for all devices, if it is set.
    pub(super) fn filter(&self) -> Option<&str> {
        let all = DeviceSetting::REVERSE_PATH_FILTER.of("all")?;
        self.values.get(&all).map(String::as_str)
    }

    /// Whether each device needs a value of its own. The kernel goes by the larger one of the values of `all` and of the
    /// device, so that 2 for `all` is enough.
    pub(super) fn is_per_device(&self) -> bool {
        matches!(self.filter(), Some("0" | "1"))
    }

    /// Whether this record is as wanted, apart from the devices that only a look finds.
    pub(super) fn fits(&self, wanted: &Self) -> bool {
        let is_found = |key: &KernelKey| is_of_device(key) && !wanted.values.contains_key(key);
        let mine = self.values.iter().filter(|(key, _)| !is_found(key));
        let wanted_here = wanted.values.iter().filter(|(key, _)| !self.left.contains(key));
        let found_fit = self
            .values
            .iter()
            .filter(|(key, _)| is_found(key))
            .all(|(_, value)| wanted.is_per_device() && wanted.filter() == Some(value));
        found_fit && mine.eq(wanted_here)
    }
}

/// Whether it is the filter of one device, not of all.
pub(super) fn is_of_device(key: &KernelKey) -> bool {
    !matches!(DeviceSetting::REVERSE_PATH_FILTER.device(key), None | Some("all" | "default"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(device: &str) -> KernelKey {
        DeviceSetting::REVERSE_PATH_FILTER.of(device).expect("a device")
    }

    #[test]
    fn attributes_survive_json_and_nothing_else_gets_in() {
        let attributes = Attributes {
            values: [(KernelKey::ip_forward(), "1".to_owned()), (filter("eth0"), "2".to_owned())].into(),
            before: [(KernelKey::ip_forward(), "0".to_owned())].into(),
            left: [KernelKey::ipv6_forwarding()].into(),
            reached: vec!["fd00::1".parse().expect("an address")],
            devices: vec!["eth1".to_owned()],
        };
        let shape = |value: Value| Shape { routes: None, attributes: value.into() };
        assert_eq!(Attributes::of(&shape(attributes.to_value())), attributes);
        let odd = json!({ "values": {
            "kernel/core_pattern": "1", "net/ipv4/ip_forward": "1\nkernel.core_pattern = |/x", "net/ipv6/conf/all/forwarding": 1
        } });
        assert_eq!(Attributes::of(&shape(odd)), Attributes::default());
        assert_eq!(Attributes::of(&shape(Value::Null)), Attributes::default());
    }

    #[test]
    fn a_record_fits_whatever_devices_were_found() {
        let of = |values: &[(KernelKey, &str)]| Attributes {
            values: values.iter().map(|(key, value)| (key.clone(), (*value).to_owned())).collect(),
            ..Attributes::default()
        };
        let wanted = of(&[(filter("all"), "1"), (filter("default"), "1")]);
        let recorded = of(&[(filter("all"), "1"), (filter("default"), "1"), (filter("eth0"), "1")]);
        assert!(recorded.fits(&wanted) && wanted.fits(&wanted));
        assert!(!of(&[(filter("all"), "1")]).fits(&wanted));
        assert!(!recorded.fits(&of(&[(filter("all"), "2"), (filter("default"), "2")])));
        assert!(!of(&[(filter("all"), "1"), (filter("default"), "1"), (filter("eth0"), "0")]).fits(&wanted));
        let both = of(&[(KernelKey::ip_forward(), "1"), (KernelKey::ipv6_forwarding(), "1")]);
        let mut left = of(&[(KernelKey::ip_forward(), "1")]);
        assert!(!left.fits(&both));
        left.left.insert(KernelKey::ipv6_forwarding());
        assert!(left.fits(&both), "somebody else provides it");
    }
}

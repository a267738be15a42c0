//! The content of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::backend::Header;
use crate::exchange::node::KernelKey;
use crate::resource::words::Setting;

/// The file that sets these values. One line for each.
pub(super) fn render(header: &Header, values: &BTreeMap<KernelKey, String>) -> String {
    let mut text = header.line();
    for (key, value) in values {
        let _ = writeln!(text, "{key} = {value}");
    }
    text
}

/// The lines of the file that come, change or go because the topology has changed.
pub(super) fn lines_changed(before: &BTreeMap<KernelKey, String>, after: &BTreeMap<KernelKey, String>) -> Vec<Setting> {
    let keys: BTreeSet<&KernelKey> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(key) != after.get(key));
    let setting = |key: &KernelKey| Setting {
        name: format!("{key} in the file").into(),
        before: before.get(key).cloned(),
        after: after.get(key).cloned(),
    };
    changed.map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::node::DeviceSetting;

    #[test]
    fn the_file_has_a_line_for_each_value() {
        let header = Header { topology: "kthw".to_owned(), lineage: "ab".to_owned() };
        let device = DeviceSetting::REVERSE_PATH_FILTER.of("eth0.100").expect("a device");
        let values = [(KernelKey::ip_forward(), "1".to_owned()), (device, "0".to_owned())].into();
        let text = render(&header, &values);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(Header::read(&text), Some(header));
        assert_eq!(lines[1..], ["net.ipv4.conf.eth0/100.rp_filter = 0", "net.ipv4.ip_forward = 1"]);
    }
}

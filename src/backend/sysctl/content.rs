//! The content of the file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::backend::Header;
use crate::exchange::node::KernelKey;

/// The file that sets these values. One line for each.
pub(super) fn render(header: &Header, values: &BTreeMap<KernelKey, String>) -> String {
    let mut text = header.line();
    for (key, value) in values {
        let _ = writeln!(text, "{key} = {value}");
    }
    text
}

/// The lines of a file that differ from what topo writes, in a few words.
pub(super) fn difference(live: &str, expected: &str) -> String {
    let only_in = |one: &str, other: &str| -> Vec<String> {
        let is_missing = |line: &&str| !other.lines().any(|other| other == *line) && Header::read(line).is_none();
        let lines = one.lines().filter(is_missing);
        lines.take(5).map(|line| format!("`{}`", line.chars().take(100).collect::<String>())).collect()
    };
    let (more, less) = (only_in(live, expected), only_in(expected, live));
    match (more.is_empty(), less.is_empty()) {
        (false, _) => format!("the file has {}", more.join(", ")),
        (true, false) => format!("the file lacks {}", less.join(", ")),
        (true, true) if Header::read(live) != Header::read(expected) => "the file has another first line".to_owned(),
        (true, true) => "the file has other line breaks".to_owned(),
    }
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
        assert_eq!(difference(&text.replace("= 1", "= 0"), &text), "the file has `net.ipv4.ip_forward = 0`");
        assert_eq!(difference(lines[0], &text).matches('`').count(), 4);
        let settings = lines[1..].join("\n");
        assert_eq!(difference(&settings, &text), "the file has another first line");
        assert_eq!(difference(text.trim_end(), &text), "the file has other line breaks");
    }
}

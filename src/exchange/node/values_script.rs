//! Renders the requests about settings of the kernel.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Nonce;
use super::question::questions;
use super::quote::quoted;
use super::values::{KernelKey, ValuesInquiry, ValuesWrite};

/// Shell functions for the request that reads values.
pub(super) const READING: &str = include_str!("values.sh");
/// Shell functions for the request that sets values.
pub(super) const SETTING: &str = include_str!("set_values.sh");

/// The folders of `sysctl.d`, from the one that counts most (sysctl.d(5); `/lib` where it is not a link to `/usr/lib`).
pub const SETTINGS_FOLDERS: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];
/// The file that `sysctl --system` of procps reads last (sysctl(8)).
pub const LAST_SETTINGS_FILE: &str = "/etc/sysctl.conf";

/// Whether a text is the path of a file that topo writes.
fn is_path(path: &str) -> bool {
    let name = path.strip_prefix("/etc/sysctl.d/").and_then(|name| name.strip_suffix(".conf")).unwrap_or_default();
    name.len() <= 100
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The path of a file for the shell. The path comes from a state file, so do not trust it.
fn path_word(path: &str) -> &str {
    if is_path(path) { path } else { "/etc/sysctl.d/." }
}

pub(super) fn read_values(script: &mut String, inquiry: &ValuesInquiry) {
    script.push_str("begin values\n");
    for key in &inquiry.keys {
        let _ = writeln!(script, "note '{}'", key.path());
    }
    for device in &inquiry.devices {
        for key in inquiry.of_devices.iter().filter_map(|setting| setting.of(device)) {
            let _ = writeln!(script, "note '{}'", key.path());
        }
    }
    reached(script, inquiry);
    let mut words: BTreeSet<&str> = inquiry.keys.iter().map(KernelKey::last).collect();
    words.extend(inquiry.of_devices.iter().map(|setting| setting.last()));
    if words.contains("ip_forward") {
        // Another name of the same: `net.ipv4.conf.all.forwarding`.
        words.insert("forwarding");
    }
    let patterns = words.iter().map(|word| format!("*{word}* | "));
    // A pattern in a file can stand for a setting.
    let _ = write!(
        script,
        "is_about() {{ case $1 in {patterns}*'*'* | *'?'* | *'['*) ;; *) return 1 ;; esac; }}\n\
         list_files {folders}\n\
         for path in {files} {last}; do\n\
         if [ -d \"$path\" ]; then continue; fi\n\
         if [ -e \"$path\" ]; then printf 'file %s\\n' \"$path\"; lines_of \"$path\"; fi\n\
         done\n",
        patterns = patterns.collect::<String>(),
        folders = SETTINGS_FOLDERS.join(" "),
        files = SETTINGS_FOLDERS.map(|folder| format!("{folder}/*.conf")).join(" "),
        last = LAST_SETTINGS_FILE,
    );
    script.push_str(include_str!("values_networkd.sh"));
    if inquiry.advertised {
        script.push_str(include_str!("values_advertised.sh"));
    }
    let _ = write!(script, "read_noted\nwhole_file '{whole}'\nend\n", whole = path_word(&inquiry.whole));
}

/// The devices of addresses, and the settings of each of them.
fn reached(script: &mut String, inquiry: &ValuesInquiry) {
    if inquiry.reached.is_empty() || inquiry.of_devices.is_empty() {
        return;
    }
    script.push_str("note_device() {\n");
    for setting in &inquiry.of_devices {
        let _ = writeln!(script, "note \"{}$1{}\"", setting.before, setting.after);
    }
    let _ = write!(script, "}}\nif ask_ways '{}'; then\n", questions(&inquiry.reached));
    script.push_str(include_str!("values_reached.sh"));
    script.push_str("fi\n");
}

pub(super) fn set_values(script: &mut String, write: &ValuesWrite, nonce: &Nonce) {
    if !is_path(&write.file.path) {
        let _ = write!(
            script,
            "begin set\nheld=yes\nprintf 'refused\\n|%s\\n' 'topo does not use files with this path: '{}\nend\n",
            quoted(&write.file.path.escape_default().to_string())
        );
        return;
    }
    let file = &write.file;
    let with_dot =
        |content: &Option<String>| quoted(&content.as_ref().map_or_else(String::new, |text| format!("{text}.")));
    let _ = write!(
        script,
        "begin set\npath='{path}' wanted={wanted}\nbefore={before}\nafter={after}\n",
        path = file.path,
        wanted = if file.after.is_some() { "yes" } else { "no" },
        before = with_dot(&file.before),
        after = with_dot(&file.after),
    );
    let content = file.after.as_deref().unwrap_or_default();
    let mut delimiter = nonce.as_str().to_owned();
    while content.contains(&delimiter) {
        delimiter.push('x');
    }
    // A here-document ends with a line break. Cut it off if the content has none.
    let (program, line_break) =
        if content.ends_with('\n') || content.is_empty() { ("cat", "") } else { ("head -c -1", "\n") };
    let _ = write!(script, "want() {{\n{program} <<'{delimiter}'\n{content}{line_break}{delimiter}\n}}\n");
    let push_each = |script: &mut String, name: &str, back: bool| {
        let _ = writeln!(script, "{name}() {{\n:");
        let mut values: Vec<_> = write.values.iter().collect();
        if back {
            values.reverse();
        }
        for value in values {
            let (before, after) = (quoted(&value.before), quoted(&value.after));
            let _ = writeln!(script, "\"$1\" '{}' {before} {after}", value.key.path());
        }
        script.push_str("}\n");
    };
    push_each(script, "each_value", false);
    push_each(script, "each_value_back", true);
    script.push_str("set_values\nend\n");
}

#[cfg(test)]
mod tests {
    use super::super::values::{DeviceSetting, ValueWrite, WholeFile};
    use super::super::{Request, render};
    use super::*;

    fn write(path: &str, before: Option<&str>, after: Option<&str>) -> Request {
        let text = |content: Option<&str>| content.map(str::to_owned);
        let file = WholeFile { path: path.to_owned(), before: text(before), after: text(after) };
        let value = ValueWrite { key: KernelKey::ip_forward(), before: "'0'".to_owned(), after: "1".to_owned() };
        Request::SetValues(ValuesWrite { file, values: vec![value] })
    }

    #[test]
    fn a_question_about_a_file_alone_is_a_script() {
        let inquiry = ValuesInquiry {
            keys: Vec::new(),
            of_devices: Vec::new(),
            devices: Vec::new(),
            reached: Vec::new(),
            advertised: false,
            whole: "/etc/sysctl.d/60-x.conf".to_owned(),
        };
        let script = render(&[Request::Values(inquiry)], &Nonce::random());
        assert!(script.contains("case $1 in *'*'* | *'?'* | *'['*) ;;"), "{script}");
        let check = std::process::Command::new("sh").args(["-n", "-c", &script]).output().expect("sh");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    }

    #[test]
    fn a_setting_is_asked_for_on_each_device_and_in_each_file() {
        let inquiry = ValuesInquiry {
            keys: vec![KernelKey::ip_forward()],
            of_devices: vec![DeviceSetting::REVERSE_PATH_FILTER, DeviceSetting::ACCEPT_ADVERTISEMENTS],
            devices: vec!["eth0".to_owned()],
            reached: vec!["10.240.0.1".parse().expect("address")],
            advertised: false,
            whole: "/etc/sysctl.d/60-x.conf".to_owned(),
        };
        let script = render(&[Request::Values(inquiry)], &Nonce::random());
        for line in [
            "note 'net/ipv4/ip_forward'",
            "note 'net/ipv4/conf/eth0/rp_filter'",
            "note 'net/ipv6/conf/eth0/accept_ra'",
            "note \"net/ipv4/conf/$1/rp_filter\"",
            "note \"net/ipv6/conf/$1/accept_ra\"",
        ] {
            assert!(script.contains(&format!("\n{line}\n")), "{line}\n{script}");
        }
        let about = "case $1 in *accept_ra* | *forwarding* | *ip_forward* | *rp_filter* | ";
        assert!(script.contains(about), "{script}");
    }

    #[test]
    fn strange_paths_do_not_reach_the_shell() {
        let nonce = Nonce::random();
        for path in [
            "/etc/sysctl.d/../x.conf",
            "/etc/sysctl.d/a/b.conf",
            "/etc/sysctl.d/.conf",
            "/etc/sysctl.d/x.txt",
            "/etc/sysctl.d/'$(reboot)'.conf",
            "/etc/passwd",
            "",
        ] {
            let script = render(&[write(path, None, Some("a\n"))], &nonce);
            assert!(script.contains("does not use files with this path"), "{path}");
            assert!(!script.contains("each_value()"), "{path}");
            assert_eq!(path_word(path), "/etc/sysctl.d/.", "{path}");
        }
    }

    #[test]
    fn what_others_wrote_is_quoted() {
        let nonce = Nonce::random();
        let before = "it's\n$(reboot)\n";
        let script = render(&[write("/etc/sysctl.d/60-topo.conf", Some(before), Some("a\n"))], &nonce);
        assert!(script.contains("before='it'\\''s\n$(reboot)\n.'\n"), "{script}");
        assert!(script.contains(r"'net/ipv4/ip_forward' ''\''0'\''' '1'"), "{script}");
        let word = nonce.as_str();
        let script = render(&[write("/etc/sysctl.d/60-topo.conf", None, Some(&format!("{word}\n")))], &nonce);
        assert!(script.contains(&format!("cat <<'{word}x'\n{word}\n{word}x\n")), "{script}");
    }
}

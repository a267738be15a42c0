//! Which file decides about a setting at boot, beside topo's own.
//!
//! systemd-sysctl reads all `*.conf` files of the folders sorted by name; of files with one name only that in the first folder
//! counts, and of several lines about one setting the last one (sysctl.d(5)). A line with a pattern counts only for settings that no
//! line names (sysctl-main.c). `sysctl --system` of procps reads `/etc/sysctl.conf` after all others (sysctl(8)).
//! systemd-networkd comes later: `IPForward=` (up to 255) can only turn forwarding on; `IPv4Forwarding=` and `IPv6Forwarding=`
//! (from 256 on) set what they say (systemd.network(5), networkd.conf(5)).

use std::collections::BTreeMap;

use super::pattern;
use crate::exchange::node::{FileLines, FoundValues, KernelKey, LAST_SETTINGS_FILE, swap_separators};

/// A line of somebody else's about a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The path of the file.
    pub(super) path: String,
    /// The line, as people know it.
    pub(super) text: String,
    /// The value.
    pub(super) value: String,
}

/// What others say about a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// What decides at boot without topo's file.
    pub(super) usual: Option<Line>,
    /// What decides at boot although topo's file is there.
    pub(super) later: Option<Line>,
}

/// What others say about a setting. `own` is the path of topo's file.
pub(super) fn others(found: &FoundValues, key: &KernelKey, own: &str) -> Others {
    let of_others = || found.files.iter().filter(|file| file.path != own).cloned();
    let own_file = FileLines { path: own.to_owned(), lines: vec![format!("{}=", key.path())] };
    // A file of topo's name in another folder does not count where topo's file is.
    let with_own: Vec<FileLines> = [own_file].into_iter().chain(of_others()).collect();
    let later = deciding(&with_own, key).filter(|line| line.path != own);
    let networkd = by_networkd(found, key);
    let off = networkd.clone().filter(|line| line.value == "0");
    Others { usual: networkd.or_else(|| deciding(&of_others().collect::<Vec<_>>(), key)), later: off.or(later) }
}

/// An assignment to a setting, or to all that fit a pattern. Without a line: `-NAME` alone, which only says that no pattern stands
/// for this setting.
struct Assignment {
    path: String,
    line: Option<Line>,
}

/// The assignments in the order in which systemd-sysctl makes them. It reads all files first: a later assignment to the same name
/// takes the place of the earlier one, and goes to the end unless the value is the same (`parse_line`).
fn assignments(files: &[FileLines]) -> Vec<Assignment> {
    let mut all: Vec<Assignment> = Vec::new();
    for file in in_order(files) {
        for text in &file.lines {
            let Some((path, value)) = read(text) else { continue };
            let line = value.map(|value| Line { path: file.path.clone(), text: text.trim().to_owned(), value });
            let value_of = |line: &Option<Line>| line.as_ref().map(|line| line.value.clone());
            if let Some(at) = all.iter().position(|one| one.path == path) {
                if value_of(&all[at].line) == value_of(&line) {
                    continue;
                }
                all.remove(at);
            }
            all.push(Assignment { path, line });
        }
    }
    all
}

/// The assignment that is made last to a setting.
fn deciding(files: &[FileLines], key: &KernelKey) -> Option<Line> {
    let all = assignments(files);
    let is_named = |name: &str| all.iter().any(|one| one.path == name);
    let names = names_of(key);
    let sets = |one: &&Assignment| {
        names.iter().any(|name| {
            if pattern::is_pattern(&one.path) {
                !is_named(name) && pattern::matches(&one.path, name)
            } else {
                one.path == *name
            }
        })
    };
    all.iter().filter(|one| one.line.is_some()).rfind(sets)?.line.clone()
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The paths by which files name a setting.
fn names_of(key: &KernelKey) -> Vec<&str> {
    let mut names = vec![key.path()];
    if *key == KernelKey::ip_forward() {
        names.push("net/ipv4/conf/all/forwarding");
    }
    names
}

/// The files that count, in the order in which they are read.
fn in_order(files: &[FileLines]) -> impl Iterator<Item = &FileLines> {
    let mut by_name: BTreeMap<&str, &FileLines> = BTreeMap::new();
    let (last, others): (Vec<&FileLines>, Vec<&FileLines>) =
        files.iter().partition(|file| file.path == LAST_SETTINGS_FILE);
    for file in others {
        by_name.entry(name_of(&file.path)).or_insert(file);
    }
    by_name.into_values().chain(last)
}

/// Path and value of a line; no value for `-NAME`.
fn read(line: &str) -> Option<(String, Option<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name, Some(value.trim().to_owned())),
        None if line.starts_with('-') => (line, None),
        None => return None,
    };
    let name = name.trim().trim_start_matches('-').trim();
    // The first separator tells which of the two spellings it is.
    let first = name.find(['.', '/'])?;
    let path = if name[first..].starts_with('.') { swap_separators(name) } else { name.to_owned() };
    Some((path, value))
}

/// What systemd-networkd does to forwarding. A link on which it is off decides: packets of that link are not forwarded.
fn by_networkd(found: &FoundValues, key: &KernelKey) -> Option<Line> {
    let (own, old) = match key {
        key if *key == KernelKey::ip_forward() => ("IPv4Forwarding", "ipv4"),
        key if *key == KernelKey::ipv6_forwarding() => ("IPv6Forwarding", "ipv6"),
        _ => return None,
    };
    let is_global = |file: &&FileLines| file.path.contains("/networkd.conf");
    let main = found.networkd.iter().filter(is_global).find(|file| file.path.ends_with("/networkd.conf"));
    let drop_ins: Vec<FileLines> = found
        .networkd
        .iter()
        .filter(is_global)
        .filter(|file| !file.path.ends_with("/networkd.conf"))
        .cloned()
        .collect();
    let lines = |file: &FileLines| -> Vec<Line> {
        let read = |line: &String| {
            let (name, value) = line.trim().split_once('=')?;
            let value = value.trim();
            let is_on = matches!(value, "yes" | "true" | "1" | "on");
            let is_off = matches!(value, "no" | "false" | "0" | "off");
            let value = match name.trim() {
                name if name == own && is_on => "1",
                name if name == own && is_off => "0",
                "IPForward" if is_on || value == old => "1",
                _ => return None,
            };
            Some(Line { path: file.path.clone(), text: line.trim().to_owned(), value: value.to_owned() })
        };
        file.lines.iter().filter_map(read).collect()
    };
    let global = main.into_iter().chain(in_order(&drop_ins)).flat_map(lines).last();
    let of_links: Vec<Line> = found.networkd.iter().filter(|file| !is_global(file)).flat_map(lines).collect();
    let off = of_links.iter().find(|line| line.value == "0").cloned();
    off.or(global).or_else(|| of_links.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::node::DeviceSetting;

    const OWN: &str = "/etc/sysctl.d/60-topo.conf";

    fn files(files: &[(&str, &[&str])]) -> Vec<FileLines> {
        let file = |(path, lines): &(&str, &[&str])| FileLines {
            path: (*path).to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        files.iter().map(file).collect()
    }

    /// Path and value of what decides without topo's file, and although it is there.
    fn said(key: &KernelKey, sysctl: &[(&str, &[&str])], networkd: &[(&str, &[&str])]) -> (String, String) {
        let found = FoundValues { files: files(sysctl), networkd: files(networkd), ..FoundValues::default() };
        let others = others(&found, key, OWN);
        let text = |line: Option<Line>| line.map_or_else(String::new, |line| format!("{}: {}", line.path, line.value));
        (text(others.usual), text(others.later))
    }

    #[test]
    fn the_last_line_of_the_last_file_decides() {
        let key = KernelKey::ip_forward();
        let both = |path: &str, value: &str| (format!("{path}: {value}"), format!("{path}: {value}"));
        let early =
            said(&key, &[("/etc/sysctl.d/10-a.conf", &["net.ipv4.ip_forward=0", "net/ipv4/ip_forward = 1"])], &[]);
        assert_eq!(early, ("/etc/sysctl.d/10-a.conf: 1".to_owned(), String::new()));
        let late: &[(&str, &[&str])] = &[
            ("/etc/sysctl.d/10-a.conf", &["net.ipv4.ip_forward=1"]),
            (OWN, &["net.ipv4.ip_forward=1"]),
            ("/usr/lib/sysctl.d/99-z.conf", &["# net.ipv4.ip_forward=1", "-net.ipv4.conf.all.forwarding = 0"]),
        ];
        assert_eq!(said(&key, late, &[]), both("/usr/lib/sysctl.d/99-z.conf", "0"));
        // A file hides those of the same name in later folders, also where it says nothing.
        let hidden: &[(&str, &[&str])] =
            &[("/etc/sysctl.d/99-z.conf", &[]), ("/usr/lib/sysctl.d/99-z.conf", &["net.ipv4.ip_forward=0"])];
        assert_eq!(said(&key, hidden, &[]), Default::default());
        let last: &[(&str, &[&str])] = &[
            ("/etc/sysctl.d/99-z.conf", &["net.ipv4.ip_forward=1"]),
            ("/etc/sysctl.conf", &["net.ipv4.ip_forward=0"]),
        ];
        assert_eq!(said(&key, last, &[]), both("/etc/sysctl.conf", "0"));
    }

    #[test]
    fn patterns_decide_only_where_nobody_names_the_setting() {
        let filter = |device| DeviceSetting::REVERSE_PATH_FILTER.of(device).expect("a device");
        let usual = |key: &KernelKey, lines: &[&str]| said(key, &[("/usr/lib/sysctl.d/99-z.conf", lines)], &[]);
        let pattern = "net.ipv4.conf.*.rp_filter = 2";
        assert_eq!(usual(&filter("eth0"), &[pattern]), ("/usr/lib/sysctl.d/99-z.conf: 2".to_owned(), String::new()));
        assert_eq!(usual(&filter("all"), &[pattern, "-net.ipv4.conf.all.rp_filter"]), Default::default());
        assert_eq!(usual(&filter("eth0"), &["net.ipv4.*.rp_filter = 2"]), Default::default());
        let device = "net.ipv4.conf.e[r-t]h[0-9].rp_filter = 0";
        assert_eq!(usual(&filter("eth0"), &[pattern, device]).0, "/usr/lib/sysctl.d/99-z.conf: 0");
        assert_eq!(usual(&filter("eth10"), &[pattern, device]).0, "/usr/lib/sysctl.d/99-z.conf: 2");
        // It does not matter where the exception stands.
        assert_eq!(usual(&filter("all"), &["-net.ipv4.conf.all.rp_filter", pattern]), Default::default());
        assert_eq!(
            usual(&filter("all"), &["net.ipv4.conf.all.rp_filter=1", "-net/ipv4/conf/all/rp_filter"]),
            Default::default()
        );
        let named = usual(&filter("eth0.1"), &["net.ipv4.conf.eth0/1.rp_filter = 0", pattern]);
        assert_eq!(named.1, "/usr/lib/sysctl.d/99-z.conf: 0");
    }

    /// `conf.all.forwarding` is another name of `ip_forward`, which systemd-sysctl does not know.
    #[test]
    fn a_pattern_for_the_other_name_counts_by_its_place() {
        let key = KernelKey::ip_forward();
        let pattern = "net.ipv4.conf.a[k-m]l.forwarding = 0";
        let line = |path: &str| format!("{path}: 0");
        let (early, late) = ("/etc/sysctl.d/10-a.conf", "/etc/sysctl.d/70-a.conf");
        assert_eq!(said(&key, &[(early, &[pattern])], &[]), (line(early), String::new()));
        assert_eq!(said(&key, &[(late, &[pattern])], &[]), (line(late), line(late)));
        let exception = "-net.ipv4.conf.all.forwarding";
        assert_eq!(said(&key, &[(early, &[exception]), (late, &[pattern])], &[]), Default::default());
        let named = said(&key, &[(early, &["net.ipv4.ip_forward=1"]), (late, &[pattern])], &[]);
        assert_eq!(named, (line(late), line(late)));
    }

    #[test]
    fn networkd_has_the_last_word() {
        let (four, six) = (KernelKey::ip_forward(), KernelKey::ipv6_forwarding());
        let link = "/etc/systemd/network/a.network";
        assert_eq!(said(&four, &[], &[(link, &["IPForward=yes"])]), (format!("{link}: 1"), String::new()));
        assert_eq!(said(&six, &[], &[(link, &["IPForward=ipv4"])]), Default::default());
        // Up to 255 it never turns forwarding off.
        assert_eq!(said(&four, &[], &[(link, &["IPForward=no"])]), Default::default());
        let off = said(&four, &[], &[(link, &["IPv4Forwarding=no"])]);
        assert_eq!(off, (format!("{link}: 0"), format!("{link}: 0")));
        let main = "/etc/systemd/networkd.conf";
        let drop_in = "/etc/systemd/networkd.conf.d/a.conf";
        let global = said(&six, &[], &[(main, &["IPv6Forwarding=no"]), (drop_in, &["IPv6Forwarding=yes"])]);
        assert_eq!(global, (format!("{drop_in}: 1"), String::new()));
        let global = said(
            &six,
            &[("/etc/sysctl.d/99-z.conf", &["net.ipv6.conf.all.forwarding=1"])],
            &[(main, &["IPv6Forwarding=no"])],
        );
        assert_eq!(global, (format!("{main}: 0"), format!("{main}: 0")));
    }
}

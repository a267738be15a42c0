//! Files that keep routes, whichever program reads them.

use std::fmt::Write as _;

use super::words::clean;
use crate::network::Prefix;

/// Adds the question which files name these destinations. The mark shows that grep read all of them.
pub(super) fn push(script: &mut String, destinations: &[Prefix]) {
    script.push_str(include_str!("kept.sh"));
    let patterns = destinations.iter().fold(String::new(), |mut all, destination| {
        let _ = write!(all, " -e '{destination}'");
        all
    });
    let _ = writeln!(script, "said=$(grep -H -w -F{patterns} -e '~end' -- \"$@\" /dev/fd/3 2>&1 3<<'MARK'");
    script.push_str(include_str!("kept_end.sh"));
}

/// The destinations that files name, each with the file. Comments do not count, and neither does what netplan makes of its files.
pub(super) fn found(body: &str, destinations: &[Prefix]) -> Vec<(Prefix, String)> {
    let lines = body.lines().filter_map(|line| line.split_once(':'));
    let lines: Vec<(&str, &str)> = lines.filter(|(_, text)| !text.trim_start().starts_with(['#', ';'])).collect();
    let mut found = Vec::new();
    for destination in destinations {
        let text = destination.to_string();
        let is_named = |line: &str| line.match_indices(&text).any(|(at, _)| is_whole(line, at, text.len()));
        let mut paths: Vec<&str> = lines.iter().filter(|(_, line)| is_named(line)).map(|(path, _)| *path).collect();
        paths.dedup();
        if paths.iter().any(|path| path.contains("/netplan/")) {
            paths.retain(|path| !path.contains("/10-netplan-"));
        }
        found.extend(paths.into_iter().map(|path| (*destination, clean(path))));
    }
    found
}

/// Whether the prefix at this position is not a part of another one.
fn is_whole(line: &str, at: usize, length: usize) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/');
    // `to: 10.0.0.0/8` and `Destination=10.0.0.0/8`
    !line[..at].ends_with(is_part) && !line[at + length..].starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_what_it_names() {
        let prefix = |text: &str| text.parse::<Prefix>().expect("prefix");
        let (one, two, three) = (prefix("10.200.0.0/24"), prefix("10.200.2.0/24"), prefix("0.200.0.0/16"));
        let body = "/etc/netplan/50-a.yaml:        - to: 10.200.0.0/24\n\
            /etc/netplan/50-a.yaml:        # - to: 10.200.2.0/24\n\
            /run/systemd/network/10-netplan-eth0.network:Destination=10.200.0.0/24\n\
            /etc/systemd/network/20-b.network:Destination=10.200.2.0/24\n\
            /etc/network/interfaces:  up ip route add 10.200.0.0/16 via 10.240.0.9\n";
        let found = found(body, &[one, two, three]);
        assert_eq!(
            found,
            [(one, "/etc/netplan/50-a.yaml".to_owned()), (two, "/etc/systemd/network/20-b.network".to_owned()),]
        );
    }
}

//! Reads the answers to requests about files that keep routes. They come from a machine that topo does not trust.

use std::net::IpAddr;

use super::frame::{Untrusted, token as table_token};
use super::{
    Definition, FileInquiry, FileOutcome, FoundFile, FoundLink, Inspected, NetworkConfiguration, OtherManager, Part,
};
use crate::resource::Token;

/// The longest content of a file, in bytes; the rest is cut.
const LONGEST_FILE: usize = 1 << 20;
/// The longest list of links, files, definitions and restored rows; the rest is cut.
pub(super) const LONGEST_LIST: usize = 10_000;
/// The longest text of a refusal, in characters; the rest is cut.
const LONGEST_REASON: usize = 6_000;
/// The longest name or path, in bytes.
const LONGEST_NAME: usize = 4_096;

/// `token HEX`.
fn file_token(line: &str) -> Result<Token, Untrusted> {
    let digest = line.strip_prefix("token ").ok_or(Untrusted("the token of the file is missing"))?;
    let sound = digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if sound { Ok(Token::new(digest)) } else { Err(Untrusted("the token of the file is damaged")) }
}

/// A name that topo keeps; none if it is too long or empty, or has control characters.
pub(super) fn name(text: &str) -> Option<String> {
    let sound = !text.is_empty() && text.len() <= LONGEST_NAME && !text.contains(|c: char| c.is_control());
    sound.then(|| text.to_owned())
}

/// The text after `|`. Each line of a text that the node did not write itself starts with `|`.
pub(super) fn quoted_lines<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> String {
    let mut text = String::new();
    while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
        if text.len() <= LONGEST_FILE {
            text.push_str(&line[1..]);
            text.push('\n');
        }
    }
    text.pop();
    text
}

pub(super) fn inspected(body: &str, inquiry: &FileInquiry) -> Result<Inspected, Untrusted> {
    // Not `lines()`, because that reads a carriage return as part of a line break.
    let mut lines = body.split('\n').peekable();
    let token = file_token(lines.next().unwrap_or_default())?;
    if inquiry.known.as_ref() == Some(&token) {
        return Ok(Inspected { token, found: Part::AsKnown });
    }
    let mut found = NetworkConfiguration::default();
    let mut yaml = String::new();
    while let Some(line) = lines.next() {
        if let Some(line) = line.strip_prefix('>') {
            yaml.push_str(line);
            yaml.push('\n');
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "netplan" => found.netplan = name(rest).filter(|version| version.len() <= 100),
            "networkd" => found.networkd = true,
            "pending" => found.pending = true,
            "link" if found.links.len() < LONGEST_LIST => {
                let (device, file) = rest.split_once(' ').unwrap_or((rest, ""));
                found.links.extend(name(device).map(|device| FoundLink { device, network_file: name(file) }));
            }
            "file" if found.files.len() < LONGEST_LIST => {
                let (mode, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let (size, path) = rest.split_once(' ').unwrap_or((rest, ""));
                let size: usize = size.parse().map_err(|_| Untrusted("the size of a file is damaged"))?;
                let mut text = quoted_lines(&mut lines);
                let is_ended = text.pop() == Some('.');
                // What is no text has another length here.
                if size <= LONGEST_FILE && (!is_ended || (text.len() != size && !text.contains('\u{fffd}'))) {
                    return Err(Untrusted("a file is incomplete"));
                }
                cut(&mut text, LONGEST_FILE);
                let mode = u32::from_str_radix(mode, 8).map_err(|_| Untrusted("the mode of a file is damaged"))?;
                let path = name(path).ok_or(Untrusted("the path of a file is damaged"))?;
                found.files.push(FoundFile { path, mode, text });
            }
            "manager" if found.managers.len() < LONGEST_LIST => {
                let (manager, device) = rest.split_once(' ').unwrap_or((rest, ""));
                let manager = match manager {
                    "NetworkManager" => Some(OtherManager::NetworkManager),
                    "ifupdown" => Some(OtherManager::Ifupdown),
                    _ => None,
                };
                found.managers.extend(name(device).zip(manager));
            }
            "hops" => {
                let device = name(rest);
                found.devices = device.map_or_else(Vec::new, |device| {
                    inquiry.next_hops.iter().map(|hop| (*hop, device.clone())).collect()
                });
            }
            "hop" if found.devices.len() < inquiry.next_hops.len() => {
                let (address, device) = rest.split_once(' ').unwrap_or((rest, ""));
                if let (Ok(address), Some(device)) = (address.parse::<IpAddr>(), name(device)) {
                    found.devices.push((address, device));
                }
            }
            _ => {}
        }
    }
    let asked: std::collections::HashSet<_> = inquiry.next_hops.iter().collect();
    found.devices.retain(|(address, _)| asked.contains(address));
    found.definitions = definitions(&yaml);
    Ok(Inspected { token, found: Part::Sent(found) })
}

fn cut(text: &mut String, limit: usize) {
    while text.len() > limit {
        text.pop();
    }
}

/// Reads the definitions in the output of `netplan get`: YAML in block style, two spaces per level.
fn definitions(yaml: &str) -> Vec<Definition> {
    let mut definitions: Vec<Definition> = Vec::new();
    let (mut renderer, mut kind_renderers) = (None, Vec::new());
    let (mut kind, mut is_in_definition) = (None::<String>, false);
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let Some((key, value)) = key_and_value(&line[indent..]) else { continue };
        let is_mapping = value.is_empty() || value == "{}";
        match indent {
            2 => {
                is_in_definition = false;
                kind = None;
                if key == "renderer" {
                    renderer = name(&value);
                } else if is_mapping && key != "openvswitch" {
                    kind = name(&key);
                }
            }
            4 => {
                is_in_definition = false;
                let Some(kind) = &kind else { continue };
                if is_mapping {
                    if let (Some(id), true) = (name(&key), definitions.len() < LONGEST_LIST) {
                        definitions.push(Definition { kind: kind.clone(), id, renderer: None });
                        is_in_definition = true;
                    }
                } else if key == "renderer" {
                    kind_renderers.push((kind.clone(), value));
                }
            }
            6 if is_in_definition && key == "renderer" => {
                if let Some(definition) = definitions.last_mut() {
                    definition.renderer = name(&value);
                }
            }
            _ => {}
        }
    }
    for definition in &mut definitions {
        let of_kind = kind_renderers.iter().find(|(kind, _)| *kind == definition.kind);
        let inherited = of_kind.and_then(|(_, renderer)| name(renderer)).or_else(|| renderer.clone());
        definition.renderer = definition.renderer.take().or(inherited);
    }
    definitions
}

/// `key:`, `key: value`, `"key": "value"`.
fn key_and_value(line: &str) -> Option<(String, String)> {
    let (key, rest) = scalar(line, ':')?;
    let rest = rest.strip_prefix(':')?.trim();
    let value = scalar(rest, '\0').map_or_else(|| rest.to_owned(), |(value, _)| value);
    (!key.is_empty()).then_some((key, value))
}

/// A plain or quoted scalar. A quoted one ends at its quote; a plain one ends before a colon at the end or before a
/// colon and a space.
fn scalar(text: &str, end: char) -> Option<(String, &str)> {
    let quote = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ if end == '\0' => return Some((text.to_owned(), "")),
        _ => {
            let at = text.find(": ").or_else(|| text.ends_with(end).then(|| text.len() - 1))?;
            return Some((text[..at].to_owned(), &text[at..]));
        }
    };
    let mut unquoted = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if quote == '"' => unquoted.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                characters.next();
                unquoted.push('\'');
            }
            _ if character == quote => return Some((unquoted, &text[at + 1..])),
            _ => unquoted.push(character),
        }
    }
    None
}

pub(super) fn file_outcome(body: &str) -> Result<FileOutcome, Untrusted> {
    let mut lines = body.split('\n').peekable();
    match lines.next().unwrap_or_default() {
        "moved" => Ok(FileOutcome::Moved),
        "refused" => Ok(FileOutcome::Refused(reason(&quoted_lines(&mut lines)))),
        "back" => Ok(FileOutcome::PutBack(reason(&quoted_lines(&mut lines)))),
        "done" => {
            let token = file_token(lines.next().unwrap_or_default())?;
            let table = lines.next().and_then(|line| line.strip_prefix("table "));
            let table = table_token(&format!("token {}", table.ok_or(Untrusted("the token is missing"))?))?;
            let restored = lines.filter_map(|line| name(line.strip_prefix('+')?)).take(LONGEST_LIST).collect();
            Ok(FileOutcome::Done { token, table, restored })
        }
        _ => Err(Untrusted("the outcome of a file is missing")),
    }
}

/// Sentences, followed by lines of a diff.
pub(super) fn reason(text: &str) -> String {
    let mut reason: String =
        text.trim_end().chars().filter(|c| *c == '\n' || !c.is_control()).take(LONGEST_REASON).collect();
    if reason.is_empty() {
        reason.push_str("The node gave no reason.");
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::node::FileForm;

    fn inquiry(next_hops: &[&str]) -> FileInquiry {
        let next_hops = next_hops.iter().map(|hop| hop.parse().expect("an address")).collect();
        FileInquiry { form: FileForm::Netplan, name: "60-topo.yaml".to_owned(), next_hops, known: None }
    }

    fn found(rest: &str, next_hops: &[&str]) -> NetworkConfiguration {
        let body = format!("token 0123456789abcdef\n{rest}");
        let Part::Sent(found) = inspected(&body, &inquiry(next_hops)).expect("it is sound").found else {
            panic!("nothing is known")
        };
        found
    }

    #[test]
    fn a_configuration_is_read() {
        let found = found(
            "netplan 0.106-2+deb12u1\nnetworkd\npending\nlink lo \nlink eth0 /run/systemd/network/10-netplan-id 0.network\n\
             file 600 22 /etc/netplan/60-topo.yaml\n|network:\n|  token 1\r\n||\n|.\nhop 10.0.0.1 eth0\nhop fd00::1 \
             eth1\nhop 10.9.9.9 eth2\n\
             >network:\n>  ethernets:\n>    eth0: {}",
            &["10.0.0.1", "fd00::1"],
        );
        assert_eq!(found.netplan.as_deref(), Some("0.106-2+deb12u1"));
        assert!(found.networkd && found.pending);
        let link = |device: &str, file: Option<&str>| FoundLink {
            device: device.to_owned(),
            network_file: file.map(str::to_owned),
        };
        let id = Some("/run/systemd/network/10-netplan-id 0.network");
        assert_eq!(found.links, [link("lo", None), link("eth0", id)]);
        let text = "network:\n  token 1\r\n|\n".to_owned();
        assert_eq!(found.files, [FoundFile { path: "/etc/netplan/60-topo.yaml".to_owned(), mode: 0o600, text }]);
        let devices: Vec<_> = found.devices.iter().map(|(hop, device)| format!("{hop} {device}")).collect();
        assert_eq!(devices, ["10.0.0.1 eth0", "fd00::1 eth1"], "nobody asked for the third");
        assert_eq!(found.definitions.len(), 1);
    }

    #[test]
    fn one_device_stands_for_all_next_hops() {
        let found = found("hops br0", &["10.0.0.1", "10.0.0.2"]);
        assert_eq!(found.devices.len(), 2);
        assert!(found.devices.iter().all(|(_, device)| device == "br0"));
    }

    #[test]
    fn what_is_known_is_not_looked_at() {
        let known = Some(Token::new("0123456789abcdef"));
        let inquiry = FileInquiry { known: known.clone(), ..inquiry(&[]) };
        let read = inspected("token 0123456789abcdef", &inquiry).expect("it is sound");
        assert_eq!((Some(read.token), read.found), (known, Part::AsKnown));
    }

    #[test]
    fn damaged_answers_are_refused() {
        for body in ["", "token", "token 0123", "token 0123456789abcdeg", "networkd\ntoken 0123456789abcdef"] {
            assert!(inspected(body, &inquiry(&[])).is_err(), "{body:?}");
        }
        for rest in [
            "file 600 1 /a\n|x",
            "file 600 0 /a",
            "file 9 0 /a\n|.",
            "file\n|.",
            "file 600 0 \n|.",
            "file 600 0 /a\u{7}b\n|.",
            "file 600 /a\n|.",
            // Half of it.
            "file 600 4 /a\n|a\n|.",
        ] {
            assert!(inspected(&format!("token 0123456789abcdef\n{rest}"), &inquiry(&[])).is_err(), "{rest:?}");
        }
        for body in [
            "",
            "Moved",
            "done",
            "done\ntoken 0123456789abcdef",
            "done\ntoken 0123456789abcdef\ntable 0 1",
            "done\ntable 0123456789abcdef 0123456789abcdef",
        ] {
            assert!(file_outcome(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn any_prefix_of_an_answer_is_read_without_a_panic() {
        let body = "token 0123456789abcdef\nnetplan ü\nlink ü /ü\nfile 600 3 /ü\n|ü\n|.\nhops ü\n>network:\n>  ü:\n>    \"ü\\\": '\n>    'ü'': ü";
        for at in (0..=body.len()).filter(|at| body.is_char_boundary(*at)) {
            let _ = inspected(&body[..at], &inquiry(&["10.0.0.1"]));
            let _ = file_outcome(&body[at..]);
            let _ = definitions(&body[at..]);
        }
    }

    #[test]
    fn sizes_are_capped() {
        let line = format!("|{}\n", "ü".repeat(1000));
        let body = format!("file 600 {} /a\n{}|.", 2001 * 1000, line.repeat(1000));
        assert!(found(&body, &[]).files[0].text.len() <= LONGEST_FILE);
        let links = "link eth0 /a\n".repeat(LONGEST_LIST + 1);
        assert_eq!(found(&links, &[]).links.len(), LONGEST_LIST);
        let files = "file 600 0 /a\n|.\n".repeat(LONGEST_LIST + 1);
        assert_eq!(found(&files, &[]).files.len(), LONGEST_LIST);
        assert!(found(&format!("link {} /a", "x".repeat(LONGEST_NAME + 1)), &[]).links.is_empty());
        let Ok(FileOutcome::Refused(reason)) = file_outcome(&format!("refused\n{}", line.repeat(100))) else {
            panic!("it is sound")
        };
        assert_eq!(reason.chars().count(), LONGEST_REASON);
    }

    #[test]
    fn what_became_of_a_file_is_read() {
        assert_eq!(file_outcome("moved"), Ok(FileOutcome::Moved));
        assert_eq!(
            file_outcome("refused\n|It is\u{1b}[1m so.\n|- a"),
            Ok(FileOutcome::Refused("It is[1m so.\n- a".to_owned()))
        );
        assert_eq!(file_outcome("back\n|It is so."), Ok(FileOutcome::PutBack("It is so.".to_owned())));
        assert_eq!(file_outcome("refused"), Ok(FileOutcome::Refused("The node gave no reason.".to_owned())));
        let body = "done\ntoken 0123456789abcdef\ntable 1111111111111111 2222222222222222\n+6 10.0.0.0/8 proto 80 scope 0\nnoise";
        let done = FileOutcome::Done {
            token: Token::new("0123456789abcdef"),
            table: Token::of("1111111111111111", "2222222222222222"),
            restored: vec!["6 10.0.0.0/8 proto 80 scope 0".to_owned()],
        };
        assert_eq!(file_outcome(body), Ok(done));
    }

    #[test]
    fn definitions_as_netplan_prints_them() {
        let yaml = "network:\n  version: 2\n  renderer: networkd\n  openvswitch:\n    ssl:\n  ethernets:\n    eth0: {}\n    \
                    \"id.0: x\":\n      match:\n        name: ens5\n      renderer: NetworkManager\n    'it''s':\n     \
                     addresses:\n      - \"10.0.0.1/24\"\n  vlans:\n    renderer: NetworkManager\n    eth0.100:\n      \
                     id: 100\n";
        let words: Vec<_> = definitions(yaml)
            .into_iter()
            .map(|Definition { kind, id, renderer }| format!("{kind}/{id}/{}", renderer.unwrap_or_default()))
            .collect();
        assert_eq!(
            words,
            [
                "ethernets/eth0/networkd",
                "ethernets/id.0: x/NetworkManager",
                "ethernets/it's/networkd",
                "vlans/eth0.100/NetworkManager"
            ]
        );
        let bare = definitions("network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n");
        assert_eq!(bare.len(), 1);
        assert_eq!(bare[0].renderer, None);
    }
}

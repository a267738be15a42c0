//! Reads the answers to the works on files that make routes last. They are data of a machine that is not trusted.

use std::net::IpAddr;

use super::reply::{Untrusted, token as table_token};
use super::{Definition, FileInquiry, Filed, FoundFile, FoundLink, Inspected, NetworkConfiguration};
use crate::plan::Token;

/// What a file is cut at, in bytes.
const LONGEST_FILE: usize = 1 << 20;
/// What lists of links, files, definitions and restored rows are cut at.
const LONGEST_LIST: usize = 10_000;
/// What the sentences of a refusal are cut at, in characters.
const LONGEST_REASON: usize = 6_000;
/// What a name or path is cut at, in bytes.
const LONGEST_NAME: usize = 4_096;

/// `token HEX`.
fn file_token(line: &str) -> Result<Token, Untrusted> {
    let digest = line.strip_prefix("token ").ok_or(Untrusted("the token of the file is missing"))?;
    let sound = digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if sound { Ok(Token::new(digest)) } else { Err(Untrusted("the token of the file is damaged")) }
}

/// A name as it may be kept: what is longer, empty or has control characters is none.
fn name(text: &str) -> Option<String> {
    let sound = !text.is_empty() && text.len() <= LONGEST_NAME && !text.contains(|c: char| c.is_control());
    sound.then(|| text.to_owned())
}

/// The text behind `|`, which begins each line of a text that the node did not write itself.
fn quoted_lines<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> String {
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
    // Not `lines()`, which takes carriage returns for part of a line break.
    let mut lines = body.split('\n').peekable();
    let token = file_token(lines.next().unwrap_or_default())?;
    if inquiry.known.as_ref() == Some(&token) {
        return Ok(Inspected { token, found: None });
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
                let (mode, path) = rest.split_once(' ').unwrap_or((rest, ""));
                let mut text = quoted_lines(&mut lines);
                if text.pop() != Some('.') && text.len() < LONGEST_FILE {
                    return Err(Untrusted("a file is not whole"));
                }
                cut(&mut text, LONGEST_FILE);
                let mode = u32::from_str_radix(mode, 8).map_err(|_| Untrusted("the mode of a file is damaged"))?;
                let path = name(path).ok_or(Untrusted("the path of a file is damaged"))?;
                found.files.push(FoundFile { path, mode, text });
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
    Ok(Inspected { token, found: Some(found) })
}

fn cut(text: &mut String, limit: usize) {
    while text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
}

/// Reads the definitions out of what `netplan get` prints: YAML in block style, two blanks for each level.
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

/// A plain or quoted scalar, which ends where its quotes do or, plain, before a colon at the end or one with a blank behind.
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

pub(super) fn filed(body: &str) -> Result<Filed, Untrusted> {
    let mut lines = body.split('\n').peekable();
    match lines.next().unwrap_or_default() {
        "moved" => Ok(Filed::Moved),
        "refused" => Ok(Filed::Refused(reason(&quoted_lines(&mut lines)))),
        "back" => Ok(Filed::PutBack(reason(&quoted_lines(&mut lines)))),
        "done" => {
            let token = file_token(lines.next().unwrap_or_default())?;
            let table = lines.next().and_then(|line| line.strip_prefix("table "));
            let table = table_token(&format!("token {}", table.ok_or(Untrusted("the token is missing"))?))?;
            let restored = lines.filter_map(|line| name(line.strip_prefix('+')?)).take(LONGEST_LIST).collect();
            Ok(Filed::Done { token, table, restored })
        }
        _ => Err(Untrusted("what became of a file is missing")),
    }
}

/// Sentences with lines of a difference behind them.
fn reason(text: &str) -> String {
    let mut reason: String =
        text.trim_end().chars().filter(|c| *c == '\n' || !c.is_control()).take(LONGEST_REASON).collect();
    if reason.is_empty() {
        reason.push_str("The node gave no reason.");
    }
    reason
}

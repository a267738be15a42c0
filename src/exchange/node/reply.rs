//! Reads the framed output of an exchange. topo does not trust a node's output: it refuses output of another form
//! completely, and treats the rest only as data.

use std::net::IpAddr;

use super::frame::{Frames, digest, token};
use super::kept;
use super::live::parse_line;
use super::values::is_device;
use super::words::clean;
use super::{
    Identity, Listed, LiveRoute, Marker, Nonce, OnDevice, Part, Reply, Request, Rule, Untrusted, file_reply,
    route_reply, values_reply, ways,
};
use crate::network::{Family, Prefix, PrefixError};
use crate::resource::{Name, Token};

/// Parses the output of a rendered exchange into one reply for each request, or a single [`Reply::Lacking`].
pub fn parse(output: &[u8], requests: &[Request], nonce: &Nonce) -> Result<Vec<Reply>, Untrusted> {
    let text = String::from_utf8_lossy(output);
    let mut frames = Frames::new(&text, nonce.as_str());
    let mut replies = Vec::with_capacity(requests.len());
    for request in requests {
        let (kind, body) = frames.next()?;
        if kind == "lacking" {
            return Ok(vec![Reply::Lacking(body.trim().chars().filter(|c| !c.is_control()).take(200).collect())]);
        }
        if let Some(why) = failure(body) {
            replies.push(Reply::Unknown(why));
            continue;
        }
        replies.push(match (request, kind) {
            (Request::Identify, "identity") => identified(body)?,
            (Request::List(_), "list") => listed(body)?,
            (Request::Devices(gateways), "devices") => Reply::Devices(devices(body, gateways)),
            (Request::Reach(next_hops), "reach") => {
                let (tunnels, rest) = tunnels(body);
                Reply::Reached { not_on_link: not_on_link(rest, next_hops), tunnels }
            }
            (Request::Kept(destinations), "kept") => Reply::Kept(kept::found(body, destinations)),
            (Request::Ways(packets), "ways") => Reply::Ways(ways::found(body, packets)?),
            (Request::WriteMarker(_) | Request::RemoveMarker(_), "marker") => {
                let said = body.trim();
                Reply::Marker((!said.is_empty()).then(|| clean(said)))
            }
            (Request::Inspect(inquiry), "inspect") => Reply::Inspected(file_reply::inspected(body, inquiry)?),
            (Request::File(_), "file") => Reply::FileOutcome(file_reply::file_outcome(body)?),
            (Request::Values(inquiry), "values") => values_reply::values(body, inquiry)?,
            (Request::SetValues(_), "set") => Reply::ValuesSet(values_reply::set(body)?),
            (Request::Write(write), "write") => Reply::RouteOutcome(route_reply::written(body, write)?),
            _ => return Err(Untrusted("an unexpected part")),
        });
    }
    frames.finish()?;
    Ok(replies)
}

/// A line `failed COMMAND` says that a command did not work there, and `failed-to PUT FILE BACK` that something of several commands
/// did not. What was said stands behind it, each line with `|` before it. Nothing else of the answer counts then.
fn failure(body: &str) -> Option<String> {
    const START: [&str; 2] = ["failed ", "failed-to "];
    let mut lines = body.lines().skip_while(|line| !START.iter().any(|start| line.starts_with(start)));
    let line = lines.next()?;
    let said: Vec<&str> = lines.map_while(|line| line.strip_prefix('|')).collect();
    let said = clean(&said.join("\n"));
    let said = if said.is_empty() { "it gave no reason".to_owned() } else { said };
    let said = said.trim_end_matches('.');
    Some(if let Some(command) = line.strip_prefix(START[0]) {
        format!("`{}` failed there: {said}. Run it there to see why, then run topo again.", clean(command))
    } else {
        let what = clean(line.trim_start_matches(START[1]));
        format!("The node could not {what}: {said}. Run topo again: it tries once more.")
    })
}

/// Whoever can be reached has an address.
fn identified(body: &str) -> Result<Reply, Untrusted> {
    if !body.lines().any(|line| line == "machine" || line.starts_with("machine ")) {
        return Err(Untrusted("the machine is missing"));
    }
    let identity = identity(body);
    Ok(if identity.addresses.is_empty() {
        let why = "`ip addr show` names no address there. Run it there to see why, then run topo again.";
        Reply::Unknown(why.to_owned())
    } else {
        Reply::Identity(identity)
    })
}

fn identity(body: &str) -> Identity {
    let mut identity = Identity::default();
    for line in body.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("machine") => {
                let id = words.next().unwrap_or_default();
                if id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
                    id.clone_into(&mut identity.machine_id);
                }
            }
            Some("user") => identity.user = words.next().and_then(|word| word.parse().ok()),
            Some("peer") => identity.peer = words.next().and_then(|word| word.parse().ok()),
            Some("marker") => {
                if let Some(marker) = marker(words) {
                    identity.markers.push(marker);
                }
            }
            Some("in") => identity.in_azure |= line == "in azure",
            Some("resolver") => identity.resolvers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok())),
            Some("inet" | "inet6") => {
                let word = words.next().unwrap_or_default();
                identity.addresses.extend(word.split('/').next().and_then(|word| word.parse::<IpAddr>().ok()));
                identity.networks.extend(network_of(word));
            }
            Some("default") => {
                let hop = words.skip_while(|word| *word != "via").skip(1).find(|word| !word.starts_with("inet"));
                identity.gateways.extend(hop.and_then(|word| word.parse::<IpAddr>().ok()));
            }
            Some("on") => {
                let (device, word) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let address = word.split('/').next().and_then(|word| word.parse().ok());
                let on = |(address, network)| OnDevice { device: device.to_owned(), address, network };
                identity.on_devices.extend(address.zip(network_of(word)).map(on));
            }
            Some("rule") => {
                let family = if words.next() == Some("6") { Family::V6 } else { Family::V4 };
                identity.rules.push(Rule { family, text: rule_text(words) });
            }
            _ => {}
        }
    }
    identity
}

/// A rule in words. `-N` prints actions as numbers (`FR_ACT_BLACKHOLE` and the following ones).
fn rule_text<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<&str> = words.collect();
    if let Some(last) = words.last_mut() {
        *last = match *last {
            "6" => "blackhole",
            "7" => "unreachable",
            "8" => "prohibit",
            other => other,
        };
    }
    clean(&words.join(" "))
}

/// The subnet of an address with its length.
fn network_of(word: &str) -> Option<Prefix> {
    match word.parse() {
        Ok(network) | Err(PrefixError::HostBits { meant: network, .. }) => Some(network),
        Err(PrefixError::Syntax(_)) => None,
    }
}

/// `NAME lineage HEX protocol N node NAME machine HEX serial N`. Older versions of topo wrote the first two alone.
fn marker<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Marker> {
    let name = |word: &str| Name::new(word).ok().map(|name| name.to_string());
    let mut marker = Marker { topology: name(words.next()?)?, ..Marker::default() };
    while let Some(word) = words.next() {
        match word {
            "lineage" => {
                words.next().filter(|word| is_hexadecimal(word)).unwrap_or_default().clone_into(&mut marker.lineage);
            }
            "protocol" => marker.protocol = words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
            "node" => marker.node = words.next().and_then(name),
            "machine" => marker.machine_id = words.next().filter(|word| is_hexadecimal(word)).map(str::to_owned),
            "serial" => marker.serial = words.next().and_then(|word| word.parse().ok()),
            _ => {}
        }
    }
    Some(marker)
}

fn is_hexadecimal(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The lines `tunnel DEVICE ADDRESS` at the beginning of a text, sorted, and the rest of it.
fn tunnels(body: &str) -> (Vec<(IpAddr, String)>, &str) {
    let mut rest = body;
    let mut found = Vec::new();
    while let Some(line) = rest.strip_prefix("tunnel ") {
        let (line, behind) = line.split_once('\n').unwrap_or((line, ""));
        let words = line.split_once(' ');
        found.extend(words.and_then(|(device, hop)| Some((hop.trim().parse().ok()?, clean(device)))));
        rest = behind;
    }
    found.sort_unstable();
    found.dedup();
    (found, rest)
}

fn listed(body: &str) -> Result<Reply, Untrusted> {
    let (first, rest) = body.split_once('\n').unwrap_or((body, ""));
    let (tunnels, rest) = tunnels(rest);
    let (ours, foreign) = match rest.strip_prefix("foreign\n").or((rest == "foreign").then_some("")) {
        Some(foreign) => (None, Some(foreign)),
        None => match rest.strip_prefix("ours\n") {
            Some(both) => match both.split_once("\nforeign") {
                Some((ours, foreign)) => (Some(ours), Some(foreign)),
                None => (Some(both), None),
            },
            None => (None, None),
        },
    };
    // A node that was asked for all rows takes no digest.
    let token = match (first, ours, foreign) {
        ("token none none", Some(ours), Some(foreign)) => {
            let text = |rows: &str| digest(rows.strip_prefix('\n').unwrap_or(rows).trim_end_matches('\n'));
            Token::of(&text(ours), &text(foreign))
        }
        _ => token(first)?,
    };
    let read = |text: Option<&str>| match text {
        None => Ok(Part::AsKnown),
        Some(text) => rows(text).map(Part::Sent),
    };
    Ok(match (read(ours), read(foreign)) {
        (Ok(ours), Ok(foreign)) => Reply::Listed(Listed { token, tunnels, ours, foreign }),
        (Err(row), _) | (_, Err(row)) => Reply::Unknown(row.to_string()),
    })
}

/// A row that topo cannot read.
#[derive(Debug, thiserror::Error)]
#[error("topo cannot read this row of the routing table there: `{}`. Please report it.", clean(.0))]
struct UnreadableRow(String);

/// The rows of a table. A row that cannot be read could have any key, so that nothing is known about any of them.
fn rows(text: &str) -> Result<Vec<LiveRoute>, UnreadableRow> {
    let read = |line: &str| parse_line(line).ok_or_else(|| UnreadableRow(line.to_owned()));
    // A line about the next hop object of the row before it (`print_cache_nexthop_id` of iproute2).
    let is_row = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("nh_info ");
    text.lines().filter(is_row).map(read).collect()
}

/// The next hops that are not on-link according to `ip route get`.
fn not_on_link(body: &str, next_hops: &[IpAddr]) -> Vec<(IpAddr, String)> {
    if body.trim().is_empty() {
        return Vec::new();
    }
    let mut fine = std::collections::HashSet::new();
    let mut said = std::collections::HashMap::new();
    for line in body.lines().map(in_words) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let address = words.first().and_then(|word| word.parse::<IpAddr>().ok());
        match (address, words.get(1).copied()) {
            (Some(address), Some("dev")) => _ = fine.insert(address),
            (Some(address), Some("from")) if words.get(3) == Some(&"dev") => _ = fine.insert(address),
            (Some(address), _) => _ = said.insert(address, line.clone()),
            (None, Some(second))
                if matches!(words[0], "local" | "broadcast" | "unreachable" | "blackhole" | "prohibit") =>
            {
                if let Ok(address) = second.parse() {
                    said.insert(address, line.clone());
                }
            }
            _ => {}
        }
    }
    next_hops
        .iter()
        .filter(|hop| !fine.contains(*hop))
        .map(|hop| (*hop, said.get(hop).map_or_else(|| "the kernel has no route to it".to_owned(), |line| clean(line))))
        .collect()
}

/// An answer of `ip -d -N route get` without these options: numbers of types in words, and no word about what is usual.
fn in_words(line: &str) -> String {
    const TYPES: [&str; 9] =
        ["", "", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit"];
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let line = match first.parse::<usize>().ok().and_then(|number| TYPES.get(number)) {
        Some(&"") => rest.to_owned(),
        Some(name) => format!("{name} {rest}"),
        None => line.to_owned(),
    };
    let without = |line: String, word: &str| match line.split_once(word) {
        Some((before, behind)) => format!("{before}{}", behind.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => line,
    };
    without(without(line, " table "), " scope ")
}

/// The devices in answers of `ip route get`: `172.31.1.1 dev eth0 …`, or `172.31.1.1 via 172.31.1.1 dev eth0 …` where a route with
/// that next hop leads there.
fn devices(body: &str, gateways: &[IpAddr]) -> Vec<(IpAddr, Box<str>)> {
    let device = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let gateway: IpAddr = words.next()?.parse().ok()?;
        let device = words.skip_while(|word| *word != "dev").nth(1)?;
        (gateways.contains(&gateway) && is_device(device)).then(|| (gateway, device.into()))
    };
    body.lines().map(in_words).filter_map(|line| device(&line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::node::Listing;

    /// The reply to one question, whose frame has this body.
    fn replied(request: Request, kind: &str, body: &str) -> Result<Reply, Untrusted> {
        let nonce = Nonce::random();
        let frame = nonce.as_str();
        let output = format!("noise\n{frame} begin {kind}\n{body}\n{frame} end\n\n{frame} done\n");
        parse(output.as_bytes(), &[request], &nonce).map(|mut replies| replies.remove(0))
    }

    fn list(body: &str) -> Result<Reply, Untrusted> {
        replied(Request::List(Listing { table: 254, protocols: vec![201], known: None }), "list", body)
    }

    const TOKEN: &str = "token 0123456789abcdef 0123456789abcdef";

    #[test]
    fn rows_by_next_hop_objects_are_read() {
        let text = "1 10.9.0.0/24 nhid 7 via 10.0.0.9 dev a0 proto 80 scope 0 \n\tnh_info id 7 via 10.0.0.9 dev a0 scope 253 proto 80 \n";
        let rows = rows(text).expect("rows");
        let told: Vec<String> = rows.iter().map(super::super::LiveRoute::describe).collect();
        assert_eq!(told, ["via 10.0.0.9 dev a0 nhid 7, protocol 80, Calico"]);
        assert!(super::rows("nh id 7 via 10.0.0.9 dev a0").is_err());
    }

    #[test]
    fn a_table_is_empty_only_where_that_was_answered() {
        let Ok(Reply::Listed(listed)) = list(&format!("{TOKEN}\nours\n\nforeign\n")) else { panic!() };
        assert_eq!((listed.ours, listed.foreign), (Part::Sent(vec![]), Part::Sent(vec![])));
        let Ok(Reply::Listed(listed)) = list(TOKEN) else { panic!() };
        assert_eq!((listed.ours, listed.foreign), (Part::AsKnown, Part::AsKnown));
        // The command failed, before or behind what it printed.
        let failed = "failed ip -4 route show table 254\n|Cannot allocate memory\u{1b}[1m";
        for body in [failed.to_owned(), format!("{TOKEN}\nours\n\nforeign\n\n{failed}")] {
            let Ok(Reply::Unknown(why)) = list(&body) else { panic!("{body}") };
            assert!(why.starts_with("`ip -4 route show table 254` failed there: Cannot allocate memory[1m"), "{why}");
            assert!(!why.contains(char::is_control), "{why}");
        }
        let Ok(Reply::Unknown(why)) = list("failed-to read a long table with grep\n|") else { panic!() };
        assert!(why.starts_with("The node could not read a long table with grep: it gave no reason."), "{why}");
        assert!(list("").is_err() && list("ours\nforeign").is_err());
    }

    #[test]
    fn a_row_that_cannot_be_read_is_not_left_out() {
        let row = "1 10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 scope 0";
        let Ok(Reply::Listed(listed)) = list(&format!("{TOKEN}\nours\n{row} \nforeign\n")) else { panic!() };
        assert_eq!(listed.rows().count(), 1);
        for odd in ["Dump terminated", "1 10.200.1.0/99 dev eth0", "1 10.200.1.0/24 dev eth0 proto topo"] {
            for body in [format!("ours\n{odd}\nforeign\n{row}"), format!("ours\n{row}\nforeign\n{odd}")] {
                let reply = list(&format!("{TOKEN}\n{body}"));
                assert!(matches!(&reply, Ok(Reply::Unknown(why)) if why.contains(odd)), "{odd}: {reply:?}");
            }
        }
    }

    #[test]
    fn a_question_that_failed_is_not_answered() {
        for (request, kind) in [(Request::Identify, "identity"), (Request::Reach(Vec::new()), "reach")] {
            let reply = replied(request, kind, "machine ab\ninet 10.240.0.20/24\nfailed ip -6 route show default");
            let Ok(Reply::Unknown(why)) = reply else { panic!("{reply:?}") };
            assert!(why.contains("it gave no reason"), "{why}");
        }
    }

    #[test]
    fn a_machine_that_names_no_address_did_not_answer() {
        let identify = |body: &str| replied(Request::Identify, "identity", body);
        assert!(matches!(identify("machine ab\npeer \ninet 10.240.0.20/24"), Ok(Reply::Identity(_))));
        assert!(matches!(identify("machine \npeer \ninet6 fd00::20/64"), Ok(Reply::Identity(_))));
        assert!(matches!(identify("machine ab\npeer "), Ok(Reply::Unknown(why)) if why.contains("ip addr show")));
        assert!(identify("inet 10.240.0.20/24").is_err());
    }

    #[test]
    fn the_gateway_of_a_default_route_is_read_in_both_families() {
        let default = |rest: &str| identity(&format!("default {rest}\n")).gateways;
        let addresses =
            |texts: &[&str]| texts.iter().map(|text| text.parse().expect("address")).collect::<Vec<IpAddr>>();
        assert_eq!(default("via 10.240.0.1 dev eth0 proto 4"), addresses(&["10.240.0.1"]));
        assert_eq!(default("via inet6 fe80::1 dev eth0"), addresses(&["fe80::1"]));
        assert_eq!(default("dev tun0 scope 253"), addresses(&[]));
    }

    #[test]
    fn only_the_very_word_puts_a_machine_into_azure() {
        let body = |line: &str| format!("machine ab\n{line}\nmarker in lineage ab protocol 201\nresolver azure\n");
        assert!(identity(&body("in azure")).in_azure);
        for line in
            ["", "in", "in azure yes", "in  azure", "in azur", "IN AZURE", "azure", "marker in azure", "\u{1b}in azure"]
        {
            let identity = identity(&body(line));
            assert!(!identity.in_azure, "{line:?}");
            assert_eq!((identity.machine_id.as_str(), identity.markers.is_empty()), ("ab", false), "{line:?}");
        }
    }
}

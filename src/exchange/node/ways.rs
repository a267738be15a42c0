//! The ways that packets take by all rules of the kernel: questions and answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Untrusted;
use super::live::parse_line;
use super::words::clean;
use crate::network::{Family, MAIN_TABLE};

/// A packet that the kernel is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where it goes to.
    pub to: IpAddr,
    /// Where it comes from, and the device that it comes in by. None: the node itself sends it.
    pub from: Option<(IpAddr, String)>,
}

/// What the kernel says about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundWay {
    /// The route that it takes.
    Route {
        /// The next hop; none for a packet to a machine on a link.
        next_hop: Option<IpAddr>,
        /// The device that it leaves by.
        device: Option<String>,
        /// The number of the routing table.
        table: u32,
        /// The route, in the words of `ip route`.
        said: String,
    },
    /// The kernel drops it, and says so in these words.
    Dropped(String),
    /// This kernel cannot be asked. The text is a part of a sentence: `eth0 does not forward packets`.
    NotForwarded(String),
}

/// Adds the questions to a script. Where a device does not forward or is down, an answer about its packets means nothing.
pub(super) fn push(script: &mut String, packets: &[Packet]) {
    let question = |packet: &Packet| match &packet.from {
        Some((from, device)) => format!("route get fibmatch {} from {from} iif {device}", packet.to),
        None => format!("route get fibmatch {}", packet.to),
    };
    let devices: BTreeSet<&str> = packets.iter().filter_map(|packet| Some(packet.from.as_ref()?.1.as_str())).collect();
    let mut questions: Vec<String> = packets.iter().map(question).collect();
    questions.extend(devices.iter().map(|device| format!("netconf show dev {device}")));
    questions.extend(devices.iter().map(|device| format!("link show dev {device}")));
    let questions = questions.join("\n");
    script.push_str("begin ways\nif ask_ways '");
    script.push_str(&questions);
    script.push_str("' -N; then\nprintf '%s\\n' \"$answer\"\nfi\nend\n");
}

/// Reads the answers. `ip -batch` counts the questions from one.
pub(super) fn found(body: &str, packets: &[Packet]) -> Result<Vec<FoundWay>, Untrusted> {
    let mut said: Vec<Result<&str, &str>> = Vec::with_capacity(packets.len());
    let mut error = "";
    let mut forwards: BTreeMap<(Family, &str), bool> = BTreeMap::new();
    let mut down: BTreeSet<&str> = BTreeSet::new();
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if let Some(number) = line.strip_prefix("Command failed -:") {
            if number.trim().parse() == Ok(said.len() + 1) && said.len() < packets.len() {
                said.push(Err(error));
            }
        } else if let ["inet" | "inet6", device, "forwarding", value, ..] = words[..] {
            let family = if words[0] == "inet" { Family::V4 } else { Family::V6 };
            forwards.insert((family, device), value == "on");
        } else if let Some((name, flags)) = link(line) {
            if !flags.split(',').any(|flag| flag == "UP") {
                down.insert(name);
            }
        } else if said.len() < packets.len() && parse_line(line).is_some() {
            said.push(Ok(line));
        } else {
            error = line;
        }
    }
    if said.len() != packets.len() {
        return Err(Untrusted("the way of a packet is missing"));
    }
    let answer = |(packet, said): (&Packet, Result<&str, &str>)| {
        if let Some((_, device)) = &packet.from {
            if down.contains(device.as_str()) {
                return FoundWay::NotForwarded(format!("{device} is down"));
            }
            let family = Family::of(packet.to);
            if forwards.get(&(family, device)) != Some(&true) {
                return FoundWay::NotForwarded(format!("{device} does not forward {} packets", family.label()));
            }
        }
        said.map_or_else(dropped, route)
    };
    Ok(packets.iter().zip(said).map(answer).collect())
}

/// The name and the flags of `5: cnio0@eth1: <BROADCAST,UP> mtu …`.
fn link(line: &str) -> Option<(&str, &str)> {
    let (number, rest) = line.split_once(": ")?;
    let (name, rest) = rest.split_once(": <")?;
    number.parse::<u32>().ok()?;
    Some((name.split('@').next()?, rest.split_once('>')?.0))
}

fn dropped(said: &str) -> FoundWay {
    FoundWay::Dropped(clean(said.trim_start_matches("RTNETLINK answers: ")))
}

fn route(line: &str) -> FoundWay {
    let row = parse_line(line);
    let table = line.split_ascii_whitespace().skip_while(|word| *word != "table").nth(1);
    FoundWay::Route {
        next_hop: row.as_ref().and_then(|row| row.next_hop),
        device: row.and_then(|row| row.device),
        // It names the main table only with `-d`.
        table: table.map_or(MAIN_TABLE, |table| table.parse().unwrap_or(0)),
        said: clean(line).replace(&format!(" table {}", table.unwrap_or("254")), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(to: &str, from: Option<&str>) -> Packet {
        let address = |text: &str| text.parse().expect("address");
        Packet { to: address(to), from: from.map(|from| (address(from), "cnio0".to_owned())) }
    }

    /// As iproute2 6.1 prints it on Linux 6.
    const DEVICE: &str = "inet cnio0 forwarding on rp_filter off mc_forwarding off proxy_neigh off \n\
                          inet6 cnio0 forwarding off mc_forwarding off proxy_neigh off \n\
                          3: cnio0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT \\    link/ether\n";

    #[test]
    fn each_packet_has_its_answer() {
        let packets = [
            packet("10.200.1.2", Some("10.200.0.2")),
            packet("10.200.2.2", Some("10.200.0.2")),
            packet("fd00:201::2", Some("fd00:200::2")),
            packet("10.200.1.2", None),
        ];
        let body = format!(
            "default via 10.240.0.99 dev eth0 table 100 \n\
             RTNETLINK answers: Invalid argument\nCommand failed -:2\n\
             fd00:201::/64 via fd00:240::21 dev eth0 proto 201 metric 1024 iif cnio0 pref medium\n\
             10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 \n{DEVICE}"
        );
        let found = found(&body, &packets).expect("answers");
        let way = |text: &str, table: u32, said: &str| FoundWay::Route {
            next_hop: Some(text.parse().expect("address")),
            device: Some("eth0".to_owned()),
            table,
            said: said.to_owned(),
        };
        assert_eq!(
            found,
            [
                way("10.240.0.99", 100, "default via 10.240.0.99 dev eth0"),
                FoundWay::Dropped("Invalid argument".to_owned()),
                FoundWay::NotForwarded("cnio0 does not forward IPv6 packets".to_owned()),
                way("10.240.0.21", MAIN_TABLE, "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201"),
            ]
        );
    }

    #[test]
    fn an_answer_that_means_nothing_is_none() {
        let packets = [packet("10.200.1.2", Some("10.200.0.2"))];
        let row = "10.200.1.0/24 via 10.240.0.21 dev eth0 proto 201 \n";
        for device in ["", &DEVICE.replace("inet cnio0 forwarding on", "inet cnio0 forwarding off")] {
            let found = found(&format!("{row}{device}"), &packets).expect("answers");
            assert_eq!(found, [FoundWay::NotForwarded("cnio0 does not forward IPv4 packets".to_owned())]);
        }
        let down = DEVICE.replace(",UP,", ",").replace("LOWER_UP", "SLAVE");
        let error = "RTNETLINK answers: No route to host\nCommand failed -:1\n";
        let answers = found(&format!("{error}{down}"), &packets).expect("answers");
        assert_eq!(answers, [FoundWay::NotForwarded("cnio0 is down".to_owned())]);
        for body in ["", DEVICE, "RTNETLINK answers: No route to host\n", "Command failed -:2\n"] {
            assert!(found(body, &packets).is_err(), "{body}");
        }
    }
}

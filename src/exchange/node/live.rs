//! Rows of a routing table as `ip -o -d -N route show` prints them.

use std::net::IpAddr;

use crate::network::{Family, Prefix, protocol_owner};

/// A live row of a routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRoute {
    /// The destination.
    pub destination: Prefix,
    /// The next hop; none for connected routes, blackholes and routes with several next hops.
    pub next_hop: Option<IpAddr>,
    /// The device.
    pub device: Option<String>,
    /// Route protocol number (`rtm_protocol`; rtnetlink(7)).
    pub protocol: u8,
    /// Metric; 0 if IPv4 prints none.
    pub metric: u32,
    /// Whether it is a plain route (`RTN_UNICAST` without type of service and source prefix, and with one next hop), such as topo writes.
    pub plain: bool,
    /// What else `ip` prints of a route by a next hop, in its words: `mtu 1400`, `src 10.240.0.20`, `onlink`; none: nothing. Of these, topo
    /// writes `onlink` alone, where gateways are on-link.
    pub attributes: Option<Box<str>>,
}

impl LiveRoute {
    /// The address family.
    pub fn family(&self) -> Family {
        self.destination.family()
    }

    /// Says what the row is, for messages: `via 10.240.0.9 dev eth0 mtu 1400, protocol 4, static`.
    pub fn describe(&self) -> String {
        let way = match (self.next_hop, &self.device) {
            (Some(next_hop), Some(device)) => format!("via {next_hop} dev {device}"),
            (Some(next_hop), None) => format!("via {next_hop}"),
            (None, Some(device)) => format!("dev {device}"),
            (None, None) => "without next hop".to_owned(),
        };
        let attributes = self.attributes.as_ref();
        let attributes = attributes.map(|attributes| format!(" {attributes}")).unwrap_or_default();
        format!("{way}{attributes}, {}", protocol_label(self.protocol))
    }
}

/// A route protocol number, with its owner if it has one.
pub(crate) fn protocol_label(protocol: u8) -> String {
    match protocol_owner(protocol) {
        Some(owner) => format!("protocol {protocol}, {owner}"),
        None => format!("protocol {protocol}"),
    }
}

/// What `ip` prints of a row's state, which nobody gave it (`print_rt_flags` of iproute2).
const STATE: &str = "dead linkdown pervasive offload offload_failed trap notify rt_offload rt_offload_failed rt_trap unresolved cache \\";

/// Parses `TYPE DESTINATION [tos T] [via [inet6] ADDRESS] [dev D] … [proto P] … [metric M] …`. Every word that is not known is an
/// attribute.
pub(crate) fn parse_line(line: &str) -> Option<LiveRoute> {
    let mut words = line.split_ascii_whitespace().peekable();
    let mut first = words.next()?;
    // `-d` prints the type first, `-N` as a number; 1 is RTN_UNICAST.
    let mut plain = true;
    if !first.contains(['.', ':', '/']) && first != "default" {
        plain = first == "1" || first == "unicast";
        first = words.next()?;
    }
    // A default route has no family of its own. Its next hop tells the family, or an attribute that only IPv6 prints.
    let v6 = first.contains(':') || (first == "default" && line_is_v6(line));
    let destination = parse_destination(first, v6)?;
    let mut route =
        LiveRoute { destination, next_hop: None, device: None, protocol: 0, metric: 0, plain, attributes: None };
    let mut attributes: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "via" => {
                let mut address = words.next()?;
                if matches!(address, "inet" | "inet6") {
                    address = words.next()?;
                }
                route.next_hop = address.parse().ok();
            }
            "dev" => route.device = words.next().map(str::to_owned),
            "proto" => route.protocol = words.next()?.parse().ok()?,
            "metric" => route.metric = words.next()?.parse().ok()?,
            "nexthop" | "\\nexthop" => {
                route.plain = false;
                route.next_hop = None;
                break;
            }
            "tos" | "dsfield" | "from" => {
                route.plain = false;
                words.next();
            }
            // `encap ip … dst ADDRESS … tos 0 via ADDRESS`
            "encap" => {
                attributes.push(word);
                while let Some(word) = words.next_if(|word| !matches!(*word, "via" | "dev" | "nhid")) {
                    attributes.push(word);
                }
            }
            // Scope and preference are as topo's rows have them, if they are the usual ones; the listing of one table names the table.
            "scope" => attributes
                .extend(words.next().filter(|scope| *scope != "0").into_iter().flat_map(|scope| [word, scope])),
            "pref" => attributes
                .extend(words.next().filter(|pref| *pref != "medium").into_iter().flat_map(|pref| [word, pref])),
            "table" | "error" => _ = words.next(),
            // The seconds that are left change by themselves.
            "expires" => {
                attributes.push(word);
                words.next_if(|word| word.ends_with("sec"));
            }
            state if STATE.split(' ').any(|known| known == state) => {}
            attribute => attributes.push(attribute),
        }
    }
    // The source address and the scope of a connected route are nothing that anybody gave it.
    let is_given = route.next_hop.is_some() && !attributes.is_empty();
    route.attributes = is_given.then(|| attributes.join(" ").into());
    Some(route)
}

fn line_is_v6(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.any(|word| word == "pref")
        || line.split_ascii_whitespace().skip_while(|word| *word != "via").nth(1).is_some_and(|hop| hop.contains(':'))
}

fn parse_destination(text: &str, v6: bool) -> Option<Prefix> {
    match text {
        "default" if v6 => "::/0".parse().ok(),
        "default" => "0.0.0.0/0".parse().ok(),
        _ if text.contains('/') => text.parse().ok(),
        _ => text.parse().ok().map(Prefix::host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_as_iproute2_6_1_prints_them() {
        let text = "1 default via 10.240.0.1 dev eth0 proto 3 scope 0 \n\
            1 10.8.0.0/16 proto 4 scope 0 \\\tnexthop via 10.240.0.5 dev eth0 weight 1 \\\tnexthop via 10.240.0.6 dev \
            eth0 weight 1 \n\
            6 10.9.0.0/16 proto 80 scope 0 \n\
            1 10.200.2.1 via 10.240.0.21 dev eth0 proto 201 scope 0 metric 5 linkdown \n\
            1 10.240.0.0/24 dev eth0 proto 2 scope 253 src 10.240.0.20 \n\
            1 fd01::/64 via fd00:240::21 dev eth0 proto 201 scope 0 metric 1024 pref medium\n\
            1 default via fe80::1 dev eth0 proto 9 scope 0 metric 100 pref medium\n\
            1 10.7.0.0/16 via inet6 fe80::1 dev eth0 proto 4 scope 0 \n";
        let rows: Vec<LiveRoute> = text.lines().filter_map(parse_line).collect();
        let words: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} metric {} plain {}", row.destination, row.describe(), row.metric, row.plain))
            .collect();
        assert_eq!(
            words,
            [
                "0.0.0.0/0 via 10.240.0.1 dev eth0, protocol 3, boot, typed by hand metric 0 plain true",
                "10.8.0.0/16 without next hop, protocol 4, static metric 0 plain false",
                "10.9.0.0/16 without next hop, protocol 80, Calico metric 0 plain false",
                "10.200.2.1/32 via 10.240.0.21 dev eth0, protocol 201 metric 5 plain true",
                "10.240.0.0/24 dev eth0, protocol 2, the kernel metric 0 plain true",
                "fd01::/64 via fd00:240::21 dev eth0, protocol 201 metric 1024 plain true",
                "::/0 via fe80::1 dev eth0, protocol 9, router advertisements metric 100 plain true",
                "10.7.0.0/16 via fe80::1 dev eth0, protocol 4, static metric 0 plain true",
            ]
        );
    }

    #[test]
    fn all_that_topo_would_not_write_is_an_attribute() {
        // As iproute2 6.1 prints them on Linux 6.
        for (line, said) in [
            ("1 10.200.1.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 mtu 1400 ", "mtu 1400"),
            ("1 10.200.2.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 linkdown mtu lock 1400 ", "mtu lock 1400"),
            ("1 10.200.3.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 advmss 1300 ", "advmss 1300"),
            ("1 10.200.4.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 src 10.240.0.20 ", "src 10.240.0.20"),
            (
                "1 10.200.5.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 initcwnd 20 initrwnd 30 ",
                "initcwnd 20 initrwnd 30",
            ),
            ("1 10.200.10.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 congctl lock cubic ", "congctl lock cubic"),
            ("1 10.200.12.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 realms 1/2 ", "realms 1/2"),
            ("1 10.200.14.0/24 via 10.240.0.21 dev d0 proto 3 scope 0 rto_min lock 300ms ", "rto_min lock 300ms"),
            ("1 10.200.50.0/24 via 10.240.0.99 dev d0 proto 3 scope 0 onlink ", "onlink"),
            (
                "1 10.200.51.0/24  encap ip id 100 src 0.0.0.0 dst 10.0.0.1 ttl 0 tos 0 via 10.240.0.21 dev d0 proto 3 scope 0 ",
                "encap ip id 100 src 0.0.0.0 dst 10.0.0.1 ttl 0 tos 0",
            ),
            ("1 10.200.52.0/24 nhid 7 via 10.240.0.21 dev d0 proto 3 scope 0 ", "nhid 7"),
            ("1 fd02::/64 via fd00:240::21 dev d0 proto 3 scope 0 metric 1024 mtu 1400 pref low", "mtu 1400 pref low"),
            ("1 fd03::/64 via fd00:240::21 dev d0 proto 3 scope 0 metric 1024 expires 99sec pref medium", "expires"),
            ("1 fd06::/64 via fd00:240::21 dev d0 proto 3 scope 0 metric 1024 expires pref medium", "expires"),
            (
                "1 fd05::/64 via fd00:240::21 dev d0 proto 3 scope 0 src fd00:240::20 metric 1024 pref medium",
                "src fd00:240::20",
            ),
            ("1 10.9.0.0/16 via 10.240.0.21 dev d0 proto 3 scope 0 tomorrow 5 ", "tomorrow 5"),
            ("1 10.200.17.0/24 via 10.240.0.21 dev d0 table 254 proto 3 scope 0 dead offload ", ""),
            ("1 fd0a::/64 via fd00:240::21 dev d0 proto 3 scope 0 metric 1024 pref medium", ""),
        ] {
            let row = parse_line(line).expect(line);
            assert!(row.plain && row.next_hop.is_some() && row.protocol == 3, "{row:?}");
            assert_eq!(row.attributes.as_deref().unwrap_or_default(), said, "{line}");
            let words = row.describe();
            assert!(words.contains(said) && words.ends_with(", protocol 3, boot, typed by hand"), "{words}");
        }
        let of_source = "1 fd04::/64 from fd09::/64 via fd00:240::21 dev d0 proto 3 scope 0 metric 1024 pref medium";
        assert!(parse_line(of_source).is_some_and(|row| !row.plain));
        let connected = "1 10.240.0.0/24 dev eth0 proto 2 scope 253 src 10.240.0.20 ";
        assert_eq!(parse_line(connected).expect("a row").describe(), "dev eth0, protocol 2, the kernel");
        assert!(parse_line("\tnh_info id 7 via 10.240.0.21 dev d0 scope 253 proto 0 ").is_none());
    }

    #[test]
    fn garbage_is_passed_over() {
        for line in
            ["", "x", "1", "1 10.0.0.1/8 via", "proto proto proto", "1 10.0.0.0/8 via 1.2.3.4 metric x", "\u{0}"]
        {
            assert!(parse_line(line).is_none(), "{line:?}");
        }
    }
}

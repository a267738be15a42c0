//! Renders an exchange as one POSIX shell script. The script needs only `sh`, iproute2, coreutils and grep. It is one
//! function that the last line calls, so the shell reads all of it before the first command runs. A connection that
//! breaks in the middle cannot leave half of it undone.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::frame::digest;
use super::question::questions;
use super::quote::{digest_word, marked, pattern, quoted};
use super::{
    Listing, Marker, Nonce, Request, RouteCommand, RouteVerb, RouteWrite, destination_text, file_script, gathered,
    kept, values_script, ways, winners,
};
use crate::network::{Family, MAIN_TABLE, Route};
use crate::resource::Token;

/// Up to this size, the rows before and after a short write are sent, in bytes; else the node compares them, and sends what differs.
const MOST_SENT: usize = 20_000;
/// The same for a write with many commands, which goes over a connection that compresses.
const MOST_COMPARED: usize = 1_000_000;

/// A part of a script as a shell needs it: without comments and indentation, which need not travel. It has no text of several lines that
/// begins with either.
pub(super) fn bare(code: &str) -> String {
    let lines = code.lines().map(str::trim_start).filter(|line| !line.starts_with("# "));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Renders the requests of one exchange.
pub fn render(requests: &[Request], nonce: &Nonce) -> String {
    let mut script = String::from("topo() {\nnonce=");
    script.push_str(nonce.as_str());
    script.push('\n');
    script.push_str(&bare(include_str!("prelude.sh")));
    // A node that has answered once has everything it needs.
    if requests.contains(&Request::Identify) {
        gathered::push_questions(&mut script, requests);
        script.push_str(&bare(include_str!("requirements.sh")));
    }
    let about_files = |request: &Request| matches!(request, Request::Inspect(_) | Request::File(_));
    if requests.iter().any(about_files) {
        script.push_str(file_script::COMMON);
    }
    if requests.iter().any(|request| matches!(request, Request::File(_))) {
        file_script::push_functions(&mut script);
    }
    if requests.iter().any(|request| matches!(request, Request::Values(_))) {
        script.push_str(values_script::READING);
    }
    if requests.iter().any(|request| matches!(request, Request::SetValues(_))) {
        script.push_str(values_script::SETTING);
    }
    for (index, request) in requests.iter().enumerate() {
        match request {
            Request::Identify => script.push_str(&bare(include_str!("identify.sh"))),
            Request::List(listing) => list(&mut script, listing, gathered::part(requests, index)),
            Request::Reach(next_hops) => reach(&mut script, next_hops, gathered::part(requests, index)),
            Request::Devices(gateways) => devices_of(&mut script, gateways, gathered::part(requests, index)),
            Request::Ways(packets) => ways::push(&mut script, packets),
            Request::Kept(destinations) => kept::push(&mut script, destinations),
            Request::WriteMarker(marker) => write_marker(&mut script, marker),
            Request::RemoveMarker(name) => {
                script.push_str(&format!(include_str!("remove_marker.sh"), topology = name));
            }
            Request::Write(write) => {
                let table = write.listing.table;
                let is_behind_file = requests[..index]
                    .iter()
                    .any(|request| matches!(request, Request::File(file) if file.listing.table == table));
                write_routes(&mut script, write, is_behind_file);
            }
            Request::Inspect(inquiry) => file_script::inspect(&mut script, inquiry),
            Request::File(write) => file_script::write_file(&mut script, write),
            Request::Values(inquiry) => values_script::read_values(&mut script, inquiry),
            Request::SetValues(write) => values_script::set_values(&mut script, write, nonce),
        }
        // What was gathered before is not so any more.
        if matches!(request, Request::Write(_) | Request::File(_) | Request::SetValues(_)) {
            script.push_str("gathered4=0\ngathered6=0\nipv6=\n");
        }
    }
    script.push_str("printf '\\n%s done\\n' \"$nonce\"\n}\ntopo \"$@\"\n");
    script
}

fn write_marker(script: &mut String, Marker { topology, lineage, protocol, node, machine_id, serial }: &Marker) {
    let line = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}\n")).unwrap_or_default();
    let known = [
        line("node", node.clone()),
        line("machine", machine_id.clone()),
        line("serial", serial.map(|one| one.to_string())),
    ];
    script.push_str(&format!(
        include_str!("write_marker.sh"),
        topology = topology,
        lineage = lineage,
        protocol = protocol,
        known = known.concat()
    ));
}

/// The node does not send unchanged parts. If topo's rows have changed, it always sends the others' rows, too: they may
/// now have topo's keys. Where topo knows nothing to compare with, the node takes no digest.
fn list(script: &mut String, listing: &Listing, part: usize) {
    let known = listing.known.as_ref();
    let split = if known.is_some() { "split_rows" } else { "part_rows" };
    let _ = write!(
        script,
        include_str!("list.sh"),
        table = listing.table,
        part = part,
        split = split,
        marked = marked(listing),
        pattern = pattern(listing),
        ours = digest_word(known, Token::ours),
        foreign = digest_word(known, Token::foreign),
    );
}

/// `ip route get` answers `1 ADDRESS dev …` (IPv4) or `1 ADDRESS from :: dev …` (IPv6) for an on-link address. The node
/// sends the answers only if one of them differs from that.
fn reach(script: &mut String, next_hops: &[IpAddr], part: usize) {
    let _ = writeln!(script, "begin reach\nif ask_ways '{}' '-d -N' {part}; then", questions(next_hops));
    script.push_str(&bare(include_str!("reach.sh")));
    script.push_str("fi\nend\n");
}

/// The answers with a device are few: a subnet has one gateway of each family.
fn devices_of(script: &mut String, gateways: &[IpAddr], part: usize) {
    let _ = write!(
        script,
        "begin devices\nif ask_ways '{}' '-d -N' {part}; then printf '%s\\n' \"$answer\"; fi\nend\n",
        questions(gateways)
    );
}

/// Guard, the route back before, one batch, the route back after. After a file, "before" means before the file, and nothing is
/// written if the file was not.
fn write_routes(script: &mut String, write: &RouteWrite, is_behind_file: bool) {
    let listing = &write.listing;
    let table = listing.table;
    let (look, mut guard) = if is_behind_file {
        (format!("before=$rows_before_file_{table} way_part=0"), "[ -z \"$held\" ]".to_owned())
    } else {
        let ask = format!("gather 4 \"route show table {table}\nlink show dev lo\n$ask_way\"");
        (format!("{ask}\nway_part=2\nread_rows {table} 1 && before=$rows"), "true".to_owned())
    };
    if let Some(known) = &listing.known {
        // No digest is needed to see that there is none of topo's.
        if known.ours() == digest("") && !write.guard_foreign {
            guard.push_str(" && [ -z \"$ours\" ]");
        } else {
            let ours = digest_word(Some(known), Token::ours);
            let _ = write!(guard, " && digest_rows && [ \"$ours_digest\" = '{ours}' ]");
        }
        if write.guard_foreign {
            let _ = write!(guard, " && [ \"$foreign_digest\" = '{}' ]", digest_word(Some(known), Token::foreign));
        }
    }
    let commands: String = write.commands.iter().map(|command| line(table, command)).collect();
    // What is short is asked for in the same process. The rows are last, where they may be left out.
    let asked = winners::questions(write);
    let is_long = write.commands.len() > winners::MOST;
    let mut questions = format!("$ask_way\n{asked}{}link show dev lo", if asked.is_empty() { "" } else { "\n" });
    if !is_long {
        let _ = write!(questions, "\nroute show table {table}\nlink show dev lo");
    }
    let is_v6 = |command: &RouteCommand| command.route.destination.family() == Family::V6;
    let back = |of: fn(&RouteCommand) -> bool| {
        let commands = write.commands.iter().rev().filter(|command| of(command));
        commands.filter_map(inverse).map(|command| line(table, &command)).collect::<String>()
    };
    let _ = write!(
        script,
        include_str!("write.sh"),
        table = table,
        marked = marked(listing),
        pattern = pattern(listing),
        look = look,
        guard = guard,
        commands = quoted(commands.trim_end()),
        ipv6 = if write.commands.iter().any(is_v6) { "ipv6=yes" } else { "note_ipv6" },
        questions = questions,
        added_back = quoted(&back(|command| command.verb == RouteVerb::Delete && command.on_link.is_some())),
        changed_back = quoted(&back(|command| matches!(command.verb, RouteVerb::Change { .. }))),
        rows_part = if is_long { 0 } else { 4 },
        most = if is_long { MOST_COMPARED } else { MOST_SENT },
        winners = winners::script(&asked),
    );
}

/// A command as a line for `ip -batch`.
fn line(table: u32, command: &RouteCommand) -> String {
    let RouteCommand { verb, route: Route { destination, next_hop }, protocol, metric, on_link } = command;
    let (verb, on_link) = match verb {
        RouteVerb::Add => ("add", on_link.as_ref()),
        RouteVerb::Change { .. } => ("change", on_link.as_ref()),
        // Next hop and protocol are enough to find the row.
        RouteVerb::Delete => ("del", None),
    };
    let on_link = on_link.map(|device| format!(" dev {device} onlink")).unwrap_or_default();
    let table = if table == MAIN_TABLE { String::new() } else { format!(" table {table}") };
    let metric = metric.map(|metric| format!(" metric {metric}")).unwrap_or_default();
    format!("route {verb} {} via {next_hop}{on_link} proto {protocol}{table}{metric}\n", destination_text(destination))
}

/// The command that undoes another one. None: the script takes back what was added by itself.
fn inverse(command: &RouteCommand) -> Option<RouteCommand> {
    match &command.verb {
        RouteVerb::Add => None,
        RouteVerb::Delete => Some(RouteCommand { verb: RouteVerb::Add, ..command.clone() }),
        RouteVerb::Change { from, protocol, on_link } => Some(RouteCommand {
            verb: RouteVerb::Change {
                from: command.route.next_hop,
                protocol: command.protocol,
                on_link: command.on_link.clone(),
            },
            route: Route { next_hop: *from, ..command.route },
            protocol: *protocol,
            metric: command.metric,
            on_link: on_link.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::{Nonce, Request, render};
    use super::*;

    #[test]
    fn what_was_removed_and_changed_is_put_back_as_it_was() {
        let command = |verb: RouteVerb, destination: &str, on_link: Option<&str>| RouteCommand {
            verb,
            route: Route {
                destination: destination.parse().expect("prefix"),
                next_hop: "10.240.0.21".parse().expect("address"),
            },
            protocol: 202,
            metric: Some(50),
            on_link: on_link.map(Into::into),
        };
        let before = "10.240.0.22".parse().expect("address");
        let change = RouteVerb::Change { from: before, protocol: 201, on_link: Some("eth1".into()) };
        let commands = vec![
            command(RouteVerb::Add, "10.200.0.0/24", Some("eth0")),
            command(RouteVerb::Delete, "10.200.1.0/24", Some("eth0")),
            command(RouteVerb::Delete, "10.200.2.0/24", None),
            command(change, "10.200.3.0/24", Some("eth0")),
        ];
        let listing = Listing { table: 100, protocols: vec![201], known: None };
        let write = RouteWrite { listing, guard_foreign: false, commands };
        let script = render(&[Request::Write(write)], &Nonce::random());
        let end = "onlink proto 202 table 100 metric 50";
        for line in [
            &format!("printf '%s\\n' 'route add 10.200.1.0/24 via 10.240.0.21 dev eth0 {end}\n'"),
            "printf '%s\\n' 'route change 10.200.3.0/24 via 10.240.0.22 dev eth1 onlink proto 201 table 100 metric 50\n'",
        ] {
            assert!(script.contains(line), "{line}\n{script}");
        }
    }

    /// The output of the part of a script that filters the answers of `ip route get`.
    fn shown(answers: &str) -> String {
        let script = format!(
            "tell_tunnels() {{ :; }}\nnewline='\n'\nanswer=$(cat <<'END'\n{answers}\nEND\n)\n{}",
            include_str!("reach.sh")
        );
        let output = Command::new("sh").arg("-c").arg(script).output().expect("sh runs");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    #[test]
    fn only_answers_that_are_on_link_are_kept_quiet() {
        let fine = "1 10.240.0.21 dev eth0 table 254 src 10.240.0.20 uid 0 \\    cache \n\
                    1 fd00::21 from :: dev eth0 table 254 proto 2 scope 0 src fd00::20 metric 256 pref medium";
        assert_eq!(shown(fine), "");
        assert_eq!(shown(&format!("{fine}\n").repeat(400)), "", "a long one goes through other tools");
        for odd in [
            "2 10.240.0.20 dev lo table 255 src 10.240.0.20 uid 0 \\    cache <local>",
            "3 10.240.0.255 dev eth0 table 255 src 10.240.0.20 uid 0 \\    cache",
            "1 99.1.1.1 via 10.240.0.1 dev eth0 table 254 src 10.240.0.20 uid 0 \\    cache",
            "1 fd99::1 from :: via fe80::1 dev eth0 table 254 src fd00::20",
            "2 fd00::20 from :: dev lo table 255 proto 2 scope 0 src fd00::20",
            "RTNETLINK answers: Network is unreachable\nCommand failed -:1",
        ] {
            assert_eq!(shown(odd), odd);
            let all = format!("{fine}\n{odd}");
            assert_eq!(shown(&all), all);
            let long = format!("{}{odd}", format!("{fine}\n").repeat(400));
            assert_eq!(shown(&long), long);
        }
    }
}

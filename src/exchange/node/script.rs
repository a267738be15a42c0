//! Renders an exchange as one POSIX shell script. The script needs only `sh`, iproute2, coreutils and grep. It is one
//! function that the last line calls, so the shell reads all of it before the first command runs. A connection that
//! breaks in the middle cannot leave half of it undone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::question::questions;
use super::quote::{digest_word, marked, pattern};
use super::{
    Listing, Marker, Nonce, Request, RouteCommand, RouteVerb, RouteWrite, destination_text, file_script, kept,
    values_script, ways,
};
use crate::network::{MAIN_TABLE, Route};
use crate::resource::Token;

/// Renders the requests of one exchange.
pub fn render(requests: &[Request], nonce: &Nonce) -> String {
    let mut script = String::from("topo() {\nnonce=");
    script.push_str(nonce.as_str());
    script.push('\n');
    script.push_str(include_str!("prelude.sh"));
    // A node that has answered once has everything it needs.
    if requests.contains(&Request::Identify) {
        script.push_str(include_str!("requirements.sh"));
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
            Request::Identify => script.push_str(include_str!("identify.sh")),
            Request::List(listing) => list(&mut script, listing),
            Request::Reach(next_hops) => reach(&mut script, next_hops),
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
    }
    script.push_str("printf '\\n%s done\\n' \"$nonce\"\n}\ntopo \"$@\"\n");
    script
}

/// The node does not send unchanged parts. If topo's rows have changed, it always sends the others' rows, too: they may
/// now have topo's keys.
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

fn list(script: &mut String, listing: &Listing) {
    let known = listing.known.as_ref();
    let _ = write!(
        script,
        include_str!("list.sh"),
        table = listing.table,
        marked = marked(listing),
        pattern = pattern(listing),
        ours = digest_word(known, Token::ours),
        foreign = digest_word(known, Token::foreign),
    );
}

/// `ip route get` answers `ADDRESS dev …` (IPv4) or `ADDRESS from :: dev …` (IPv6) for an on-link address. The node
/// sends the answers only if one of them differs from that.
fn reach(script: &mut String, next_hops: &[IpAddr]) {
    let _ = writeln!(script, "begin reach\nif ask_ways '{}'; then", questions(next_hops));
    script.push_str(include_str!("reach.sh"));
    script.push_str("fi\nend\n");
}

/// Guard, the route back before, one batch, the route back after. `comm` prints what changed in the table. After a
/// file, "before" means before the file, and nothing is written if the file was not.
fn write_routes(script: &mut String, write: &RouteWrite, is_behind_file: bool) {
    let listing = &write.listing;
    let table = listing.table;
    let (look, mut guard) = if is_behind_file {
        (format!("before=$rows_before_file_{table}"), "[ -z \"$held\" ]".to_owned())
    } else {
        (format!("read_rows {table} && before=$rows"), "true".to_owned())
    };
    if let Some(known) = &listing.known {
        let _ = write!(guard, " && [ \"$ours_digest\" = '{}' ]", digest_word(Some(known), Token::ours));
        if write.guard_foreign {
            let _ = write!(guard, " && [ \"$foreign_digest\" = '{}' ]", digest_word(Some(known), Token::foreign));
        }
    }
    let _ = write!(
        script,
        include_str!("write.sh"),
        table = table,
        marked = marked(listing),
        pattern = pattern(listing),
        look = look,
        guard = guard,
        commands = write.commands.iter().map(|command| line(table, command)).collect::<String>(),
        undo = write.commands.iter().rev().map(|command| line(table, &inverse(command))).collect::<String>(),
        winners = winners(write),
    );
}

/// Asks which routes win for an address in each written destination. A plain lookup uses only the main table.
fn winners(write: &RouteWrite) -> String {
    let kept = write.commands.iter().filter(|command| command.verb != RouteVerb::Delete);
    let (mut questions, mut wanted) = (Vec::new(), BTreeSet::new());
    for Route { destination, next_hop } in kept.map(|command| command.route) {
        questions.push(format!("route get fibmatch {}", destination.probe()));
        wanted.insert(format!("{} via {next_hop}\n", destination_text(&destination)));
    }
    if write.listing.table != MAIN_TABLE || wanted.is_empty() {
        return String::new();
    }
    format!(
        include_str!("winners.sh"),
        questions = questions.join("\n"),
        wanted = wanted.into_iter().collect::<String>()
    )
}

/// A command as a line for `ip -batch`.
fn line(table: u32, command: &RouteCommand) -> String {
    let RouteCommand { verb, route: Route { destination, next_hop }, protocol, metric } = command;
    let verb = match verb {
        RouteVerb::Add => "add",
        RouteVerb::Change { .. } => "change",
        RouteVerb::Delete => "del",
    };
    let table = if table == MAIN_TABLE { String::new() } else { format!(" table {table}") };
    let metric = metric.map(|metric| format!(" metric {metric}")).unwrap_or_default();
    format!("route {verb} {} via {next_hop} proto {protocol}{table}{metric}\n", destination_text(destination))
}

/// The command that undoes another one.
fn inverse(command: &RouteCommand) -> RouteCommand {
    match command.verb {
        RouteVerb::Add => RouteCommand { verb: RouteVerb::Delete, ..*command },
        RouteVerb::Delete => RouteCommand { verb: RouteVerb::Add, ..*command },
        RouteVerb::Change { from, protocol } => RouteCommand {
            verb: RouteVerb::Change { from: command.route.next_hop, protocol: command.protocol },
            route: Route { next_hop: from, ..command.route },
            protocol,
            metric: command.metric,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

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
        let fine = "10.240.0.21 dev eth0 src 10.240.0.20 uid 0 \\    cache \n\
                    fd00::21 from :: dev eth0 proto kernel src fd00::20 metric 256 pref medium";
        assert_eq!(shown(fine), "");
        assert_eq!(shown(&format!("{fine}\n").repeat(400)), "", "a long one goes through other tools");
        for odd in [
            "local 10.240.0.20 dev lo src 10.240.0.20 uid 0 \\    cache <local>",
            "broadcast 10.240.0.255 dev eth0 src 10.240.0.20 uid 0 \\    cache",
            "99.1.1.1 via 10.240.0.1 dev eth0 src 10.240.0.20 uid 0 \\    cache",
            "fd99::1 from :: via fe80::1 dev eth0 src fd00::20",
            "local fd00::20 from :: dev lo proto kernel src fd00::20",
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

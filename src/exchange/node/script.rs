//! Renders an exchange as one POSIX shell script. The script needs only `sh`, iproute2 and coreutils. It is one
//! function that the last line calls, so the shell reads all of it before the first command runs. A connection that
//! breaks in the middle cannot leave half of it undone.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::quote::{digest_word, marked, pattern};
use super::{Listing, Marker, RouteCommand, RouteVerb, RouteWrite, Work, destination_text, file_script};
use crate::network::{MAIN_TABLE, Prefix, Route};
use crate::resource::Token;

/// A random word that frames a reply, so that nobody can confuse output of login scripts with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// A new one from the operating system's random numbers.
    pub fn random() -> Self {
        // Without random numbers, use the time: it differs between exchanges, and frames need no secret.
        let number = getrandom::u64().unwrap_or_else(|_| jiff::Timestamp::now().as_microsecond().unsigned_abs());
        Self(format!("topo{number:016x}"))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Renders the works of one exchange.
pub fn render(works: &[Work], nonce: &Nonce) -> String {
    let mut script = String::from("topo() {\nnonce=");
    script.push_str(nonce.as_str());
    script.push('\n');
    script.push_str(include_str!("prelude.sh"));
    // A node that has answered once has everything it needs.
    if works.contains(&Work::Identify) {
        script.push_str(include_str!("requirements.sh"));
    }
    let about_files = |work: &Work| matches!(work, Work::Inspect(_) | Work::File(_));
    if works.iter().any(about_files) {
        script.push_str(file_script::COMMON);
    }
    if works.iter().any(|work| matches!(work, Work::File(_))) {
        file_script::push_functions(&mut script);
    }
    for (index, work) in works.iter().enumerate() {
        match work {
            Work::Identify => script.push_str(include_str!("identify.sh")),
            Work::List(listing) => list(&mut script, listing),
            Work::Reach(next_hops) => reach(&mut script, next_hops),
            Work::WriteMarker(marker) => write_marker(&mut script, marker),
            Work::RemoveMarker(topology) => remove_marker(&mut script, topology),
            Work::Write(write) => {
                let table = write.listing.table;
                let is_behind_file =
                    works[..index].iter().any(|work| matches!(work, Work::File(file) if file.listing.table == table));
                write_routes(&mut script, write, is_behind_file);
            }
            Work::Inspect(inquiry) => file_script::inspect(&mut script, inquiry),
            Work::File(write) => file_script::write_file(&mut script, write, nonce),
        }
    }
    script.push_str("printf '\\n%s done\\n' \"$nonce\"\n}\ntopo \"$@\"\n");
    script
}

/// The node does not send unchanged parts. If topo's rows have changed, it always sends the others' rows, too: they may
/// now have topo's keys.
fn list(script: &mut String, listing: &Listing) {
    let known = listing.known.as_ref();
    let _ = write!(
        script,
        "begin list\n\
         {marked}\
         read_rows {table}\n\
         split_rows \"$rows\" '{pattern}'\n\
         printf 'token %s %s\\n' \"$ours_digest\" \"$foreign_digest\"\n\
         [ \"$ours_digest\" = '{ours}' ] || printf 'ours\\n%s\\n' \"$ours\"\n\
         [ \"$ours_digest.$foreign_digest\" = '{ours}.{foreign}' ] || printf 'foreign\\n%s\\n' \"$foreign\"\n\
         end\n",
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
    script.push_str("begin reach\nanswers=$(ip -force -o -batch - 2>&1 <<'COMMANDS'\n");
    for next_hop in next_hops {
        let _ = writeln!(script, "route get {next_hop}");
    }
    script.push_str("COMMANDS\n)\n");
    script.push_str(include_str!("reach.sh"));
}

fn write_marker(script: &mut String, Marker { topology, lineage, protocol }: &Marker) {
    let _ = write!(
        script,
        "begin marker\n(\n\
         mkdir -p /etc/topo &&\n\
         printf 'lineage {lineage}\\nprotocol {protocol}\\n' >'/etc/topo/.{topology}.new' &&\n\
         mv -f '/etc/topo/.{topology}.new' '/etc/topo/{topology}'\n\
         ) 2>&1\nend\n"
    );
}

fn remove_marker(script: &mut String, topology: &str) {
    let _ = write!(
        script,
        "begin marker\n\
         if [ -z \"$held\" ] && [ -e '/etc/topo/{topology}' ]; then rm -f '/etc/topo/{topology}' 2>&1; fi\n\
         rmdir /etc/topo 2>/dev/null\nend\n"
    );
}

/// Guard, the route back before, one batch, the route back after. `comm` prints what changed in the table. After a
/// file, "before" means before the file, and nothing is written if the file was not.
fn write_routes(script: &mut String, write: &RouteWrite, is_behind_file: bool) {
    let listing = &write.listing;
    let table = listing.table;
    let (pattern, marked) = (pattern(listing), marked(listing));
    let mut guard = String::from(if is_behind_file { "[ -z \"$held\" ]" } else { "true" });
    let look = if is_behind_file {
        format!("before=$rows_before_file_{table}\n")
    } else {
        format!("read_rows {table}\nbefore=$rows\n")
    };
    if let Some(known) = &listing.known {
        let _ = write!(guard, " && [ \"$ours_digest\" = '{}' ]", digest_word(Some(known), Token::ours));
        if write.guard_foreign {
            let _ = write!(guard, " && [ \"$foreign_digest\" = '{}' ]", digest_word(Some(known), Token::foreign));
        }
    }
    let _ = write!(
        script,
        "begin write\n\
         {marked}\
         {look}\
         split_rows \"$before\" '{pattern}'\n\
         if {guard}; then\n\
         way_before=$(way)\n\
         said=$(ip -force -batch - 2>&1 <<'COMMANDS'\n"
    );
    for command in &write.commands {
        push_command(script, table, command);
    }
    script.push_str(
        "COMMANDS\n)\n\
         way_after=$(way)\n\
         if [ \"$way_before\" != \"$way_after\" ]; then\n\
         ip -force -batch - >/dev/null 2>&1 <<'COMMANDS'\n",
    );
    for command in write.commands.iter().rev() {
        push_command(script, table, &inverse(command));
    }
    let _ = write!(
        script,
        "COMMANDS\n\
         held=yes\n\
         printf 'back\\n%s\\nthen\\n%s\\n' \"$way_before\" \"$way_after\"\n\
         else\n\
         read_rows {table}\n\
         after=$rows\n\
         split_rows \"$after\" '{pattern}'\n\
         printf 'token %s %s\\nsaid\\n%s\\ndiffers\\n' \"$ours_digest\" \"$foreign_digest\" \"$said\"\n\
         after=$(printf '%s\\n' \"$after\" | sort)\n\
         printf '%s\\n' \"$before\" | sort | comm -3 - /dev/fd/3 3<<ROWS\n$after\nROWS\n"
    );
    push_winners(script, write);
    script.push_str("fi\nelse\nheld=yes\nprintf 'moved\\n'\nfi\nend\n");
}

/// Asks which routes win for an address in each written destination. A plain lookup uses only the main table.
fn push_winners(script: &mut String, write: &RouteWrite) {
    let wanted: Vec<Route> = write
        .commands
        .iter()
        .filter(|command| command.verb != RouteVerb::Delete)
        .map(|command| command.route)
        .collect();
    if write.listing.table != MAIN_TABLE || wanted.is_empty() {
        return;
    }
    script.push_str(
        "printf 'loses\\n'\n\
         ip -force -o -batch - 2>/dev/null <<'COMMANDS' | cut -d ' ' -f 1-3 | sort | comm -13 - /dev/fd/3 \
         3<<'WANTED'\n",
    );
    for route in &wanted {
        let _ = writeln!(script, "route get fibmatch {}", probe_address(&route.destination));
    }
    script.push_str("COMMANDS\n");
    let mut lines: Vec<String> = wanted
        .iter()
        .map(|route| format!("{} via {}\n", destination_text(&route.destination), route.next_hop))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    for line in &lines {
        script.push_str(line);
    }
    script.push_str("WANTED\n");
}

/// The address in a prefix to ask for: its second one, because the first often belongs to a bridge.
fn probe_address(destination: &Prefix) -> IpAddr {
    match destination.address() {
        IpAddr::V4(address) if destination.length() < 31 => IpAddr::V4((u32::from(address) + 2).into()),
        IpAddr::V6(address) if destination.length() < 127 => IpAddr::V6((u128::from(address) + 2).into()),
        address => address,
    }
}

fn push_command(script: &mut String, table: u32, command: &RouteCommand) {
    let verb = match command.verb {
        RouteVerb::Add => "add",
        RouteVerb::Change { .. } => "change",
        RouteVerb::Delete => "del",
    };
    let _ = write!(
        script,
        "route {verb} {} via {} proto {}",
        destination_text(&command.route.destination),
        command.route.next_hop,
        command.protocol
    );
    if table != MAIN_TABLE {
        let _ = write!(script, " table {table}");
    }
    if let Some(metric) = command.metric {
        let _ = write!(script, " metric {metric}");
    }
    script.push('\n');
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
            "newline='\n'\nend() {{ :; }}\nanswers=$(cat <<'END'\n{answers}\nEND\n)\n{}",
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

//! Which routes win for an address in each written destination: a question after each write to the main table.

use std::collections::BTreeSet;

use super::words::clean;
use super::{LiveRoute, RouteCommand, RouteVerb, RouteWrite, destination_text};
use crate::network::{MAIN_TABLE, Prefix, Route};

/// The kernel is asked for at most so many of the written destinations.
pub(super) const MOST: usize = 150;

/// The routes that should win, sorted. A plain lookup uses only the main table.
fn kept(write: &RouteWrite) -> Vec<Route> {
    let is_main = write.listing.table == MAIN_TABLE;
    let kept = write.commands.iter().filter(|command| is_main && command.verb != RouteVerb::Delete);
    let mut kept: Vec<Route> = kept.map(|RouteCommand { route, .. }| *route).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// Those that the kernel is asked for, at equal distances: all of a short write.
fn asked(kept: &[Route]) -> impl Iterator<Item = &Route> {
    kept.iter().step_by(kept.len().div_ceil(MOST).max(1))
}

/// The questions, one a line.
pub(super) fn questions(write: &RouteWrite) -> String {
    let questions: Vec<String> =
        asked(&kept(write)).map(|route| format!("route get fibmatch {}", route.destination.probe())).collect();
    questions.join("\n")
}

/// The part of a script behind the write. The answers are the third part of what was gathered.
pub(super) fn script(questions: &str) -> String {
    if questions.is_empty() {
        return String::new();
    }
    format!("ask_ways '{questions}' '-d -N' 3 || return\nprintf 'asked\\n%s\\n' \"$answer\"\n")
}

/// The written routes that lose: those that the kernel was asked for and did not name, and those beside which the table has a row
/// that wins.
pub(super) fn losers(write: &RouteWrite, answers: &str, rows: &[LiveRoute]) -> Vec<String> {
    let kept = kept(write);
    let text = |route: &Route| format!("{} via {}", destination_text(&route.destination), route.next_hop);
    // `1 10.200.1.0/24 via 10.240.0.21 dev …`
    let words = |line: &str| line.split_ascii_whitespace().skip(1).take(3).collect::<Vec<_>>().join(" ");
    let winners: BTreeSet<String> = answers.lines().map(words).collect();
    let mut losers: BTreeSet<String> = asked(&kept).map(text).filter(|route| !winners.contains(route)).collect();
    if kept.len() > MOST {
        losers.extend(rows.iter().filter_map(|row| loser(&kept, row, write)).map(|route| text(&route)));
    }
    losers.iter().map(|route| clean(route)).collect()
}

/// The written route that loses against a row: for an address in its destination, the row has a longer prefix or a lower metric.
fn loser(kept: &[Route], row: &LiveRoute, write: &RouteWrite) -> Option<Route> {
    let covers = |prefix: &Prefix| prefix.covers(&row.destination);
    let at = kept.partition_point(|route| route.destination <= row.destination);
    let route = kept[..at].last().filter(|route| covers(&route.destination))?;
    let metric = |command: &RouteCommand| command.route == *route;
    let metric = write.commands.iter().find(|command| metric(command)).and_then(|command| command.metric).unwrap_or(0);
    let is_longer = row.destination != route.destination && row.destination.contains(route.destination.probe());
    let is_lower = row.destination == route.destination && row.metric < metric;
    (is_longer || is_lower).then_some(*route)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::node::Listing;
    use crate::exchange::node::live::parse_line;

    fn write(routes: u8, metric: Option<u32>) -> RouteWrite {
        let command = |number: u8| RouteCommand {
            verb: RouteVerb::Add,
            route: Route {
                destination: format!("10.200.{number}.0/24").parse().expect("prefix"),
                next_hop: "10.240.0.21".parse().expect("address"),
            },
            protocol: 201,
            metric,
            on_link: None,
        };
        let listing = Listing { table: MAIN_TABLE, protocols: vec![201], known: None };
        RouteWrite { listing, guard_foreign: false, commands: (0..routes).map(command).collect() }
    }

    fn answer(number: usize, hop: &str) -> String {
        format!("1 10.200.{number}.0/24 via {hop} dev eth0 table 254 proto 201 scope 0 \n")
    }

    #[test]
    fn a_route_that_the_kernel_does_not_name_loses() {
        let write = write(3, None);
        assert_eq!(questions(&write).lines().count(), 3);
        let all: String = (0..3).map(|number| answer(number, "10.240.0.21")).collect();
        assert!(losers(&write, &all, &[]).is_empty());
        let other = all.replace(&answer(1, "10.240.0.21"), &answer(1, "10.240.0.99"));
        assert_eq!(losers(&write, &other, &[]), ["10.200.1.0/24 via 10.240.0.21"]);
        assert_eq!(losers(&write, "", &[]).len(), 3);
    }

    #[test]
    fn of_a_long_write_the_kernel_is_asked_for_some_and_the_table_is_read_for_all() {
        let write = write(200, Some(20));
        let questions = questions(&write);
        assert_eq!(questions.lines().count(), 100);
        assert_eq!(questions.lines().next(), Some("route get fibmatch 10.200.0.2"));
        let all: String = (0..200).step_by(2).map(|number| answer(number, "10.240.0.21")).collect();
        let rows = |text: &str| text.lines().map(|line| parse_line(line).expect("a row")).collect::<Vec<_>>();
        let harmless = "1 10.200.0.0/16 via 10.240.0.9 dev eth0 proto 4 scope 0 metric 5\n\
                        1 10.200.7.0/24 via 10.240.0.9 dev eth0 proto 4 scope 0 metric 30\n\
                        1 10.200.7.0/24 via 10.240.0.21 dev eth0 proto 201 scope 0 metric 20\n\
                        1 10.200.9.128/25 via 10.240.0.9 dev eth0 proto 4 scope 0 metric 5\n";
        assert!(losers(&write, &all, &rows(harmless)).is_empty());
        let winning = "1 10.200.7.0/24 via 10.240.0.9 dev eth0 proto 4 scope 0 metric 5\n\
                       1 10.200.9.0/25 via 10.240.0.9 dev eth0 proto 4 scope 0 metric 50\n";
        assert_eq!(
            losers(&write, &all, &rows(winning)),
            ["10.200.7.0/24 via 10.240.0.21", "10.200.9.0/24 via 10.240.0.21"]
        );
    }
}

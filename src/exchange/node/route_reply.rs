//! Reads what a node answers to a write of routes.

use std::collections::BTreeMap;

use super::frame::{digest, token};
use super::live::parse_line;
use super::words::clean;
use super::{LiveRoute, RouteOutcome, RouteWrite, Untrusted, winners};
use crate::resource::Token;

/// The outcome of a write. A node sends all rows before and after it if they are short, else what differs.
pub(super) fn written(body: &str, write: &RouteWrite) -> Result<RouteOutcome, Untrusted> {
    if body.trim() == "moved" {
        return Ok(RouteOutcome::Moved);
    }
    if let Some(ways) = body.strip_prefix("back\n") {
        let (before, after) = ways.split_once("\nthen\n").ok_or(Untrusted("the route back is missing"))?;
        return Ok(RouteOutcome::PutBack { before: clean(before), after: clean(after) });
    }
    if let Some(body) = body.strip_prefix("said\n") {
        return written_short(body, write);
    }
    let (first, rest) = body.split_once('\n').ok_or(Untrusted("the token is missing"))?;
    let token = token(first)?;
    let rest = rest.strip_prefix("said\n").ok_or(Untrusted("the output of ip is missing"))?;
    let (said, rest) = match rest.strip_prefix("differs") {
        Some(rest) => ("", rest),
        None => rest.split_once("\ndiffers").ok_or(Untrusted("the difference is missing"))?,
    };
    let (differs, asked) = asked(rest);
    let (mut appeared, mut vanished): (Vec<LiveRoute>, Vec<LiveRoute>) = (Vec::new(), Vec::new());
    for line in differs.lines().filter(|line| !line.trim().is_empty()) {
        // comm writes a tab before lines of the second file.
        match line.strip_prefix('\t') {
            Some(line) => appeared.extend(parse_line(line)),
            None => vanished.extend(parse_line(line)),
        }
    }
    let loses = asked.map(|answers| winners::losers(write, answers, &appeared)).unwrap_or_default();
    Ok(RouteOutcome::Done { token, appeared, vanished, refused: refused(said, write.commands.len()), loses })
}

/// A text and the answers behind it, if there are some, which routes win.
fn asked(text: &str) -> (&str, Option<&str>) {
    text.split_once("\nasked\n").map_or((text, None), |(text, answers)| (text, Some(answers)))
}

/// What `ip` said, the rows before and after, and the answers which routes win.
fn written_short(body: &str, write: &RouteWrite) -> Result<RouteOutcome, Untrusted> {
    let (said, rest) = body.split_once("\nbefore\n").ok_or(Untrusted("the rows before are missing"))?;
    let (before, rest) = rest.split_once("\nafter\n").ok_or(Untrusted("the rows after are missing"))?;
    let (after, asked) = asked(rest);
    let is_row = |line: &&str| !line.is_empty();
    let marks: Vec<String> = write.listing.protocols.iter().map(|number| format!(" proto {number} ")).collect();
    let (ours, foreign): (Vec<&str>, Vec<&str>) =
        after.lines().filter(is_row).partition(|line| marks.iter().any(|mark| line.contains(mark.as_str())));
    let token = Token::of(&digest(&ours.join("\n")), &digest(&foreign.join("\n")));
    let mut count: BTreeMap<&str, i32> = BTreeMap::new();
    after.lines().filter(is_row).for_each(|line| *count.entry(line).or_default() += 1);
    before.lines().filter(is_row).for_each(|line| *count.entry(line).or_default() -= 1);
    let rows = |sign: i32| {
        let rows = count.iter().filter(|(_, count)| **count * sign > 0);
        rows.filter_map(|(line, _)| parse_line(line)).collect::<Vec<LiveRoute>>()
    };
    let loses = asked.map(|answers| {
        let all: Vec<LiveRoute> = after.lines().filter_map(parse_line).collect();
        winners::losers(write, answers, &all)
    });
    Ok(RouteOutcome::Done {
        token,
        appeared: rows(1),
        vanished: rows(-1),
        refused: refused(said, write.commands.len()),
        loses: loses.unwrap_or_default(),
    })
}

/// `ip -batch` prints a message and then `Command failed -:LINE`, with lines counted from one.
fn refused(said: &str, commands: usize) -> Vec<(usize, String)> {
    let mut message = String::new();
    let mut refused = Vec::new();
    for line in said.lines() {
        match line.rsplit_once("Command failed -:").and_then(|(_, number)| number.trim().parse::<usize>().ok()) {
            Some(number) if (1..=commands).contains(&number) => {
                refused.push((number - 1, clean(&std::mem::take(&mut message))));
            }
            Some(_) => message.clear(),
            None => {
                let line = line.trim_start_matches("RTNETLINK answers: ").trim_start_matches("Error: ");
                message.push_str(line);
                message.push(' ');
            }
        }
    }
    refused
}

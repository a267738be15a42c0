//! Watches whether nodes are always reached: a ping every 10 ms to each of their addresses, and an SSH session held open on each.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lab::Lab;
use super::within;

const INTERVAL: Duration = Duration::from_millis(50);

/// A watch that goes on until it is asked.
#[derive(Debug)]
pub struct Watch {
    pings: Vec<Talk>,
    sessions: Vec<Talk>,
}

/// What was lost at one address or in one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The node.
    pub node: String,
    /// The address, or `ssh`.
    pub what: String,
    /// How many packets or lines were sent.
    pub sent: usize,
    /// How many were never answered.
    pub lost: usize,
    /// The longest time without an answer.
    pub longest_silence: Duration,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, what, sent, lost, longest_silence } = self;
        write!(f, "{node}, {what}: {lost} of {sent} lost, no answer for {longest_silence:?} at most")
    }
}

impl Watch {
    pub(super) fn start(lab: &Lab, nodes: Vec<String>) -> Self {
        let (mut pings, mut sessions) = (Vec::new(), Vec::new());
        for node in nodes {
            for address in lab.addresses(&node) {
                let mut ping = lab.operator("ping");
                ping.args(["-n", "-O", "-i", "0.01", &address]);
                pings.push(Talk::start(&node, &address, ping, sequence_of_ping));
            }
            let session = lab.ssh_command(&node, "exec cat");
            sessions.push(Talk::start(&node, "ssh", session, sequence_of_line));
        }
        for talk in pings.iter().chain(&sessions) {
            let begun = within(Duration::from_secs(10), || !talk.heard().answered.is_empty());
            assert!(begun, "{} does not answer ({})", talk.node, talk.what);
        }
        Self { pings, sessions }
    }

    /// Ends, and tells about all pings and sessions.
    pub fn end(self) -> Vec<Loss> {
        self.pings.into_iter().chain(self.sessions).map(Talk::end).collect()
    }

    /// Ends, and panics if one packet was lost or one session has ended.
    #[track_caller]
    pub fn assert_lost_nothing(self) {
        let losses: Vec<_> = self.end().iter().filter(|loss| loss.lost > 0).map(Loss::to_string).collect();
        assert!(losses.is_empty(), "{}", losses.join("\n"));
    }
}

/// What is known of the answers to numbered packets or lines.
#[derive(Debug)]
struct Heard {
    /// Answered, by number.
    answered: BTreeSet<usize>,
    /// The highest number that was heard of.
    last: usize,
    when: Instant,
    longest_silence: Duration,
}

impl Heard {
    fn note(&mut self, sequence: usize, answered: bool) {
        self.last = self.last.max(sequence);
        if answered {
            let now = Instant::now();
            if !self.answered.is_empty() {
                self.longest_silence = self.longest_silence.max(now - self.when);
            }
            self.when = now;
            self.answered.insert(sequence);
        }
    }
}

/// A process that is answered line by line.
#[derive(Debug)]
struct Talk {
    node: String,
    what: String,
    child: Child,
    heard: Arc<Mutex<Heard>>,
    /// How many lines were sent, for a session.
    sent: Option<std::thread::JoinHandle<usize>>,
    over: Arc<Mutex<bool>>,
}

impl Talk {
    fn start(node: &str, what: &str, mut command: Command, sequence: fn(&str) -> Option<(usize, bool)>) -> Self {
        let is_session = what == "ssh";
        command.stdin(if is_session { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("bash starts");
        let start = Heard { answered: BTreeSet::new(), last: 0, when: Instant::now(), longest_silence: Duration::ZERO };
        let (heard, over) = (Arc::new(Mutex::new(start)), Arc::new(Mutex::new(false)));
        let lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let notes = Arc::clone(&heard);
        std::thread::spawn(move || {
            for (sequence, answered) in lines.map_while(Result::ok).filter_map(|line| sequence(&line)) {
                notes.lock().expect("nobody panics here").note(sequence, answered);
            }
        });
        let sent = child.stdin.take().map(|input| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || send_lines(input, &over))
        });
        Self { node: node.to_owned(), what: what.to_owned(), child, heard, sent, over }
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().expect("nobody panics here")
    }

    fn end(mut self) -> Loss {
        *self.over.lock().expect("nobody panics here") = true;
        // A packet under way is none that was lost: ping tells about the last one when it sends the next, and an answer may come
        // later than that. All lines of a session are owed, however late.
        let sent = if let Some(sender) = self.sent.take() {
            let sent = sender.join().expect("nobody panics here");
            within(Duration::from_secs(10), || {
                self.heard().answered.len() >= sent || self.child.try_wait().is_ok_and(|ended| ended.is_some())
            });
            sent
        } else {
            let last = self.heard().last;
            within(Duration::from_secs(1), || (1..=last).all(|sequence| self.heard().answered.contains(&sequence)));
            last
        };
        let heard = self.heard();
        let silence = if heard.answered.len() < sent { heard.when.elapsed() } else { Duration::ZERO };
        Loss {
            node: self.node.clone(),
            what: self.what.clone(),
            sent,
            lost: (1..=sent).filter(|sequence| !heard.answered.contains(sequence)).count(),
            longest_silence: heard.longest_silence.max(silence),
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        *self.over.lock().expect("nobody panics here") = true;
        self.child.kill().and_then(|()| self.child.wait()).ok();
    }
}

/// Sends numbered lines until it is over. A line that cannot be sent any more was sent: it is lost.
fn send_lines(mut input: ChildStdin, over: &Mutex<bool>) -> usize {
    let mut sent = 0;
    while !*over.lock().expect("nobody panics here") {
        sent += 1;
        if writeln!(input, "{sent}").and_then(|()| input.flush()).is_err() {
            break;
        }
        std::thread::sleep(INTERVAL);
    }
    // Standard input stays open for as long as answers are waited for: `cat` gives them back before it ends anyway.
    sent
}

fn sequence_of_line(line: &str) -> Option<(usize, bool)> {
    Some((line.parse().ok()?, true))
}

/// `64 bytes from 10.240.0.20: icmp_seq=3 ttl=64 …` is an answer, `no answer yet for icmp_seq=3` none.
fn sequence_of_ping(line: &str) -> Option<(usize, bool)> {
    let number = line.split("icmp_seq=").nth(1)?.split(' ').next()?;
    Some((number.parse().ok()?, line.contains("bytes from")))
}

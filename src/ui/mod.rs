//! The terminal: the only place that prints.

#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod diagnostics;
pub mod progress;
pub mod prompt;
pub mod review;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::report::{Event, Timed};

/// Whether topo failed to write to standard output although somebody still reads it.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether output was lost: the disk is full, or standard output is closed. A closed pipe does not count: its reader
/// has stopped reading on purpose.
pub fn lost_output() -> bool {
    LOST.load(Ordering::Relaxed)
}

fn note_loss(written: io::Result<()>) {
    if written.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// If the output is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Writes results to standard output, and progress and diagnostics to standard error. A closed pipe is not an error:
/// topo drops what it writes after that.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    json: bool,
    out_color: bool,
    err_color: bool,
}

impl Printer {
    /// A printer for the streams of this process. With `json`, results are one JSON event per line.
    pub fn new(json: bool, color: ColorChoice) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let decide = |terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !plain,
        };
        Self { json, out_color: decide(io::stdout().is_terminal()), err_color: decide(io::stderr().is_terminal()) }
    }

    /// Whether results are JSON events.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether standard output uses colours.
    pub fn colors_out(&self) -> bool {
        self.out_color
    }

    /// Whether standard error uses colours.
    pub fn colors_err(&self) -> bool {
        self.err_color
    }

    /// Writes the text of a result as it is; writes nothing in JSON mode.
    pub fn result(&self, text: &str) {
        if !self.json {
            self.document(text);
        }
    }

    /// Writes the text of a result as it is, also in JSON mode: for commands whose result is a document.
    pub fn document(&self, text: &str) {
        let mut out = io::stdout().lock();
        note_loss(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// Writes an event of this moment; writes nothing outside JSON mode.
    pub fn event(&self, event: Event) {
        if self.json {
            self.timed(&event.now());
        }
    }

    /// Writes an event; writes nothing outside JSON mode.
    pub fn timed(&self, event: &Timed) {
        if self.json {
            let mut out = io::BufWriter::new(io::stdout().lock());
            let written = serde_json::to_writer(&mut out, event).map_err(io::Error::from);
            note_loss(written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()));
        }
    }

    /// Writes a diagnostic or a note to standard error, with a line end.
    pub fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Sends the log to standard error: only topo's own warnings at level 0, what topo does at 1, everything from 2. What dependencies log
/// is for those who look for a mistake in topo.
pub fn log(verbose: u8, printer: Printer) {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level(verbose))
        .with_writer(io::stderr)
        .with_ansi(printer.colors_err())
        .with_target(false)
        .finish();
    // Tests may set a second subscriber, which fails; the first one stays.
    let _ = subscriber.with(logged(verbose)).try_init();
}

fn level(verbose: u8) -> LevelFilter {
    match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    }
}

/// Who may log what.
fn logged(verbose: u8) -> Targets {
    let of_others = if verbose < 2 { LevelFilter::OFF } else { level(verbose) };
    Targets::new().with_default(of_others).with_target("topo", level(verbose))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_dependencies_log_is_for_those_who_look_for_a_mistake() {
        for (verbose, own, others) in
            [(0, Some(Level::WARN), None), (1, Some(Level::INFO), None), (2, Some(Level::DEBUG), Some(Level::DEBUG))]
        {
            for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                let logs = |target: &str| logged(verbose).would_enable(target, &level);
                assert_eq!(logs("topo::drive"), own.is_some_and(|most| level <= most), "{verbose} {level}");
                assert_eq!(logs("reqwest::connect"), others.is_some_and(|most| level <= most), "{verbose} {level}");
            }
        }
    }
}

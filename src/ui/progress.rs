//! Progress of a run on standard error, and its events on standard output in JSON mode.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Printer;
use crate::plan::findings::UNSEEN;
use crate::plan::{Finding, Plan};
use crate::report::{Event, Finding as Found, STOPPING, Timed};

/// Shows a run: a bar if standard error is a terminal, and a line for each thing that goes wrong.
pub struct Progress {
    printer: Printer,
    shows_bar: bool,
    /// Hidden if nothing is in progress.
    bar: ProgressBar,
    told: ReportedReasons,
    /// The sentences of this run so far, each with the first place that it was about.
    said: BTreeMap<String, Box<str>>,
}

/// Why topo could not look at places, as the plan reported it. Many places may have the same reason, and one line is enough.
#[derive(Clone, Debug, Default)]
pub struct ReportedReasons(BTreeSet<(Box<str>, String)>);

impl ReportedReasons {
    /// The part of a plan that progress need not repeat.
    pub fn by(plan: &Plan) -> Self {
        let unseen = |finding: &&Finding| finding.code == UNSEEN;
        let told = |finding: &Finding| (finding.place().name().into(), finding.found.clone().unwrap_or_default());
        Self(plan.findings.iter().filter(unseen).map(told).collect())
    }

    /// Whether the plan has reported the place with this name.
    pub fn has(&self, place: &str, reason: &str) -> bool {
        self.0.contains(&(place.into(), reason.to_owned()))
    }
}

impl Progress {
    /// For one run. `told` is what the user has seen already.
    pub fn new(printer: Printer, told: ReportedReasons) -> Self {
        // In JSON mode, a bar would break up the events on a terminal that shows both streams.
        let shows_bar = io::stderr().is_terminal() && !printer.is_json();
        Self { printer, shows_bar, bar: ProgressBar::hidden(), told, said: BTreeMap::new() }
    }

    /// Handles the next event.
    pub fn event(&mut self, timed: &Timed) {
        self.printer.timed(timed);
        let event = &timed.event;
        match event {
            Event::ObserveStarted { places } => {
                self.start(*places, "Looking".to_owned());
            }
            Event::ApplyStarted { steps, .. } => self.start(*steps, "Applying".to_owned()),
            Event::Observed { .. } | Event::StepDone { .. } | Event::StepFailed { .. } => self.count(),
            Event::Finding(finding) if finding.code == STOPPING => self.bar.set_message("Stopping"),
            _ => {}
        }
        if matches!(event, Event::StepFailed { place, text, .. } if self.told.has(place, text)) {
            return;
        }
        if let Some(line) = line(event) {
            let text = paint(&self.shortened(&line), line.is_error, self.printer.colors_err());
            self.bar.suspend(|| self.printer.note(&text));
        }
    }

    /// The line; a long sentence is said once, and then the line names the place that it was said of.
    fn shortened(&mut self, line: &Line) -> String {
        let Some(place) = &line.place else { return line.text.clone() };
        match self.said.get(&line.text) {
            Some(first) if **first != **place => format!("{place}: the same as on {first}."),
            _ => {
                self.said.insert(line.text.clone(), (&**place).into());
                format!("{place}: {}", line.text)
            }
        }
    }

    /// Removes the bar: other output follows, or the run is over.
    pub fn finish(&mut self) {
        std::mem::replace(&mut self.bar, ProgressBar::hidden()).finish_and_clear();
    }

    /// Counts one more. Answers can lead to questions about further places.
    fn count(&self) {
        self.bar.inc(1);
        let position = self.bar.position();
        if self.bar.length().is_some_and(|length| length < position) {
            self.bar.set_length(position);
        }
    }

    fn start(&mut self, length: usize, message: String) {
        self.finish();
        if !self.shows_bar || length == 0 {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(message);
        self.bar = bar;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Says which routes topo skipped, and why.
pub(super) fn skipped(receiver: &str, routes: usize, why: &str) -> String {
    let what = if routes == 1 { "the route".to_owned() } else { format!("{routes} routes") };
    format!("Skipped {what} to {receiver}: {why}.")
}

/// What is to be said of an event.
struct Line {
    place: Option<Arc<str>>,
    text: String,
    is_error: bool,
}

/// The line for an event, if it needs one. The plan's notes report nodes that topo could not look at, too, but only after all
/// other nodes have answered.
fn line(event: &Event) -> Option<Line> {
    let (place, text, is_error) = match event {
        Event::StepFailed { place, text, .. } => (Some(place), text.clone(), true),
        Event::Finding(Found { places, text, .. }) => (places.first(), text.clone(), false),
        Event::Skipped { place, receiver, routes, text } => (Some(place), skipped(receiver, *routes, text), false),
        _ => return None,
    };
    // A node's output must not control the terminal.
    let text: String = text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect();
    Some(Line { place: place.cloned(), text, is_error })
}

fn paint(line: &str, is_error: bool, color: bool) -> String {
    match (color, is_error) {
        (false, _) => line.to_owned(),
        (true, true) => format!("\u{1b}[31m{line}\u{1b}[0m"),
        (true, false) => format!("\u{1b}[33m{line}\u{1b}[0m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Phase;

    #[test]
    fn only_what_went_wrong_is_worth_a_line() {
        let node = || "node-1".into();
        let mut progress =
            Progress::new(Printer::new(false, super::super::ColorChoice::Never), ReportedReasons::default());
        let mut text = |event: Event| {
            let line = line(&event)?;
            Some(format!("{}{}", progress.shortened(&line), if line.is_error { " !" } else { "" }))
        };
        let failed = Event::StepFailed { place: node(), phase: Phase::Install, text: "It broke \u{1b}[2J.".to_owned() };
        assert_eq!(text(failed).as_deref(), Some("node-1: It broke \u{fffd}[2J. !"));
        let why = "node-2 failed".to_owned();
        let mut skipped =
            |routes| text(Event::Skipped { place: node(), receiver: "node-2".into(), routes, text: why.clone() });
        assert_eq!(skipped(3).as_deref(), Some("node-1: Skipped 3 routes to node-2: node-2 failed."));
        assert_eq!(skipped(1).as_deref(), Some("node-1: Skipped the route to node-2: node-2 failed."));
        let again = |place: &str| Event::StepFailed {
            place: place.into(),
            phase: Phase::Install,
            text: "It broke.".to_owned(),
        };
        assert_eq!(text(again("node-1")).as_deref(), Some("node-1: It broke. !"));
        assert_eq!(text(again("node-3")).as_deref(), Some("node-3: the same as on node-1. !"));
        assert_eq!(text(again("node-1")).as_deref(), Some("node-1: It broke. !"));
        for quiet in [
            Event::ObserveStarted { places: 3 },
            // The plan reports it.
            Event::Observed { place: node(), error: Some("It is away.".to_owned()) },
            Event::ApplyStarted { steps: 1, places: 1 },
            Event::StepDone { place: node(), phase: Phase::Install, operations: 4 },
        ] {
            assert_eq!(text(quiet), None);
        }
    }

    #[test]
    fn without_a_terminal_there_is_no_bar() {
        let printer = Printer::new(false, super::super::ColorChoice::Never);
        let mut progress = Progress::new(printer, ReportedReasons::default());
        progress.shows_bar = false;
        progress.event(&Event::ObserveStarted { places: 3 }.now());
        assert_eq!(progress.bar.length(), None);
        progress.shows_bar = true;
        progress.event(&Event::ObserveStarted { places: 3 }.now());
        progress.event(&Event::Observed { place: "node-1".into(), error: None }.now());
        assert_eq!((progress.bar.length(), progress.bar.position()), (Some(3), 1));
        for _ in 0..3 {
            progress.event(&Event::Observed { place: "router".into(), error: None }.now());
        }
        assert_eq!((progress.bar.length(), progress.bar.position()), (Some(4), 4));
        progress.finish();
        assert_eq!(progress.bar.length(), None);
    }
}

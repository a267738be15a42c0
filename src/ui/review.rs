//! Plans and runs on the terminal.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Printer;
use crate::drive::{Event, RunOutcome};
use crate::network::Memo;
use crate::plan::{Action, Note, Place, Plan, Summary};
use crate::render::{json, text};

/// Writes what happens while it happens.
pub struct Listener(JoinHandle<()>);

/// Begins to listen.
pub fn listen(mut events: mpsc::Receiver<Event>, printer: Printer) -> Listener {
    Listener(tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::StepFailed { .. } | Event::Warning { .. } = event {
                printer.note(&format!("{event:?}"));
            }
        }
    }))
}

impl Listener {
    /// Waits until all is written; the sender must be gone.
    pub async fn finish(self) {
        let _ = self.0.await;
    }
}

/// Whether somebody can be asked.
pub fn can_ask() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks.
pub async fn confirm(_what: &str, _stop: watch::Receiver<bool>, _printer: Printer) -> bool {
    false
}

/// A receiver that turns true at the first interrupt; the second one ends the process at once.
pub fn stop_on_interrupt(printer: Printer) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            printer.note("Stopping: exchanges in flight are finished, and no other is begun. Press Ctrl-C again to stop at once.");
            let _ = sender.send(true);
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(3);
            }
        }
        std::future::pending::<()>().await;
    });
    receiver
}

/// Whether a note tells of something wanted that is left out.
pub fn is_left_out(note: &Note) -> bool {
    matches!(note, Note::Skipped(_) | Note::Deferred(..))
}

/// Writes a plan; tells whether it has changes. `volatile` says that nothing makes its routes last.
pub fn show(plan: &Plan, memo: &mut Memo, volatile: bool, printer: Printer) -> bool {
    let summary = Summary::new(plan, memo);
    if printer.is_json() {
        printer.event(&json::version());
        json::plan(plan, &summary, &mut |event| printer.event(&event));
    } else {
        printer.result(&text::plan(plan, &summary, look(printer), volatile));
    }
    plan.has_changes()
}

/// Writes what a run did.
pub fn outcome(destroy: bool, outcome: &RunOutcome, printer: Printer) {
    let done = |action| outcome.done.get(&action).copied().unwrap_or(0);
    let mut left: Vec<(Place, usize, String)> =
        outcome.failures.iter().map(|failure| (failure.place.clone(), 0, failure.message.clone())).collect();
    left.extend(outcome.skipped.iter().map(|(place, receiver, routes)| {
        (place.clone(), *routes, format!("left out, because {} has failed.", receiver.name()))
    }));
    left.extend(
        outcome
            .left
            .iter()
            .map(|(place, _)| (place.clone(), 0, "not begun, because the run was interrupted.".to_owned())),
    );
    let outcome = text::Outcome {
        destroy,
        imported: done(Action::Import),
        added: done(Action::Add),
        changed: done(Action::Change),
        destroyed: done(Action::Remove),
        left,
    };
    if printer.is_json() {
        printer.event(&json::result(&outcome));
    } else {
        printer.result(&format!("\n{}", text::result(&outcome, look(printer))));
    }
}

fn look(printer: Printer) -> text::Look {
    text::Look { color: printer.colors_out(), width: printer.width() }
}

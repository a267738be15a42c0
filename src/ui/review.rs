//! Plans and runs on the terminal.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Printer;
use crate::drive::{Event, RunOutcome};
use crate::network::Memo;
use crate::plan::{Note, Plan};

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

/// Writes a plan; tells whether it has changes.
pub fn show(plan: &Plan, memo: &mut Memo, printer: Printer) -> bool {
    for place in plan.places.keys() {
        for (_, operation) in plan.operations(place, memo) {
            printer.result(&format!(
                "{} {} via {} on {} ({:?})\n",
                operation.action.sign(),
                operation.route.destination,
                operation.route.next_hop,
                place,
                operation.reason
            ));
        }
    }
    printer.note(&format!("{:?} {:?} {:?}", plan.notes, plan.conflicts, plan.refusals));
    if !plan.has_changes() {
        printer.result("No changes. Your infrastructure matches the configuration.\n");
    }
    plan.has_changes()
}

/// Writes what a run did.
pub fn outcome(what: &str, outcome: &RunOutcome, printer: Printer) {
    printer.result(&format!("{what}: {outcome:?}\n"));
}

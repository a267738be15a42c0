//! Plans and runs on the terminal.

use std::collections::BTreeMap;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Printer;
pub use super::progress::ReportedReasons;
use super::progress::{self, Progress};
use super::prompt;
pub use super::prompt::can_ask;
use crate::exchange::Requests;
use crate::exit::Exit;
use crate::network::Memo;
use crate::plan::findings::LeftOut;
use crate::plan::{Plan, Summary};
use crate::render::style::Look;
use crate::render::{json, text};
use crate::report::{RunOutcome, Skipped, Timed};
use crate::resource::{Known, Place};

/// Writes events while they happen, until the sender is dropped. `told` is what the user has seen already.
pub fn listen(mut events: mpsc::Receiver<Timed>, told: ReportedReasons, printer: Printer) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut progress = Progress::new(printer, told);
        while let Some(event) = events.recv().await {
            progress.event(&event);
        }
        progress.finish();
    })
}

/// Asks for confirmation. An interrupt is a no.
pub async fn confirm(destroy: bool, mut stop: watch::Receiver<bool>, printer: Printer) -> bool {
    // A thread of its own waits for the answer. After an interrupt, nobody waits for that thread.
    let answer = tokio::task::spawn_blocking(move || prompt::confirm(destroy));
    tokio::select! {
        answer = answer => match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                printer.note(&format!("topo could not read the answer: {error}"));
                false
            }
            Err(_) => false,
        },
        _ = stop.changed() => false,
    }
}

/// Catches Ctrl-C and SIGTERM from now on. The receiver turns true at the first one. The second one ends the process at once
/// with the exit code of an unfinished run: the journal has the finished steps, and the rest is in doubt.
pub fn stop_on_interrupt(printer: Printer) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    let mut interrupts = signal(SignalKind::interrupt()).ok();
    let mut terminations = signal(SignalKind::terminate()).ok();
    tokio::spawn(async move {
        for times in 0.. {
            tokio::select! {
                () = caught(&mut interrupts) => {}
                () = caught(&mut terminations) => {}
            }
            if times > 0 {
                printer.note(
                    "Stopped at once. Steps in progress may have changed something. Run the command again: it looks at them first.",
                );
                std::process::exit(Exit::Partial as i32);
            }
            printer.note("\nInterrupted: topo finishes the steps in progress and starts no others. A second Ctrl-C stops at once.");
            let _ = sender.send(true);
        }
    });
    receiver
}

async fn caught(signals: &mut Option<Signal>) {
    match signals {
        Some(signals) => _ = signals.recv().await,
        None => std::future::pending().await,
    }
}

/// Writes a plan, and returns whether it has changes. `volatile` says whether to name the new routes that do not last.
pub fn show(plan: &Plan, known: &Known, memo: &mut Memo, volatile: bool, printer: Printer) -> bool {
    let summary = Summary::new(plan, memo);
    if printer.is_json() {
        json::plan(plan, &summary, &mut |event| printer.event(event));
    } else {
        printer.result(&text::plan(plan, &summary, look(printer), volatile, known));
    }
    plan.has_changes()
}

/// Writes how many requests topo has sent to each service.
pub fn requests(requests: &[Requests], printer: Printer) {
    for requests in requests {
        printer.note(&text::requests(requests));
    }
}

/// Writes the outcome of a run. `told` is what the user has seen already.
pub fn outcome(
    destroy: bool,
    run: &RunOutcome,
    told: &ReportedReasons,
    left_out: &[(Place, LeftOut)],
    requests: &[Requests],
    printer: Printer,
) {
    let why = |place: &Place, message: &str| {
        // Each JSON event stands for itself.
        let is_above = !printer.is_json() && told.has(place.name(), message);
        if is_above { "topo could not look there. The warning above says why." } else { message }.to_owned()
    };
    let failures = run.failures.iter();
    let mut left: Vec<(Place, usize, String)> =
        failures.map(|failure| (failure.place.clone(), 0, why(&failure.place, &failure.message))).collect();
    left.extend(skipped(&run.skipped, printer.is_json()));
    let not_begun = || "topo did not begin here, because you interrupted the run.".to_owned();
    left.extend(run.left.iter().map(|(place, _)| (place.clone(), 0, not_begun())));
    left.extend(left_out.iter().map(|(place, LeftOut { routes, text })| (place.clone(), *routes, why(place, text))));
    let is_unseen = |(_, left): &(_, LeftOut)| left.routes == 0;
    let can_continue = !run.is_complete() || left_out.iter().any(is_unseen);
    let outcome = text::Outcome { destroy, run, left, can_continue, requests };
    if printer.is_json() {
        printer.event(json::result(&outcome));
    } else {
        printer.result(&format!("\n{}", text::result(&outcome, look(printer))));
    }
}

/// What topo skipped, with the number of routes and a sentence. Text names each receiver once, with the routes to it in all
/// places; each part of a JSON event stands for itself.
fn skipped(skipped: &[Skipped], is_json: bool) -> impl Iterator<Item = (Place, usize, String)> {
    let mut routes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in skipped {
        *routes.entry((&one.receiver, &one.why)).or_default() += one.routes;
    }
    skipped.iter().map(move |one| {
        let all = routes.get(&(&*one.receiver, &*one.why)).copied().unwrap_or_default();
        let number = if is_json { one.routes } else { all };
        (one.place.clone(), one.routes, progress::skipped(&one.receiver, number, &one.why))
    })
}

fn look(printer: Printer) -> Look {
    Look { color: printer.colors_out(), width: super::diagnostics::PLAIN_WIDTH }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Name;

    #[test]
    fn a_receiver_is_named_once_however_many_routes_each_place_has() {
        let one = |place: &str, routes| Skipped {
            place: Place::from(Name::new(place).expect("a name")),
            receiver: "node-2".to_owned(),
            routes,
            why: "node-2 failed".to_owned(),
        };
        let all = [one("node-0", 2), one("node-1", 1)];
        let said = |is_json| -> Vec<(usize, String)> {
            skipped(&all, is_json).map(|(_, routes, said)| (routes, said)).collect()
        };
        let sentence = || "Skipped 3 routes to node-2: node-2 failed.".to_owned();
        assert_eq!(said(false), [(2, sentence()), (1, sentence())]);
        assert_eq!(said(true)[1], (1, "Skipped the route to node-2: node-2 failed.".to_owned()));
    }
}

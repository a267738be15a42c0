//! The two drivers: look at all places, and carry out a plan. They send events and print nothing.

mod apply;
mod azure;
mod event;
mod observe;
mod record;

pub use apply::{Confirmation, Failure, Run, RunOutcome, Verdict};
pub use azure::observe_azure;
pub use event::{Event, Skipped};
pub use observe::observe;
pub use record::end_earlier_run;

use tokio::sync::mpsc;

/// Sends an event without waiting. If the channel is full, the event is dropped: the outcome contains everything
/// important, too.
fn tell(events: &mpsc::Sender<Event>, event: Event) {
    let _ = events.try_send(event);
}

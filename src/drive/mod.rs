//! The two drivers: look at all places, and carry out a plan. They emit events and print nothing.

mod apply;
mod azure;
mod event;
mod observe;
mod record;

pub use apply::{Effective, EffectiveOutcome, Failure, Run, RunOutcome};
pub use azure::observe_azure;
pub use event::Event;
pub use observe::observe;
pub use record::end_earlier_run;

use tokio::sync::mpsc;

/// Tells an event without ever waiting for who listens: where the channel is full the event is dropped, for what matters
/// is in the outcome as well.
fn tell(events: &mpsc::Sender<Event>, event: Event) {
    let _ = events.try_send(event);
}

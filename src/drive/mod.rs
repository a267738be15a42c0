//! The two drivers: look at all places, and carry out a plan. They send events and print nothing, and know no kind of place.

mod apply;
mod observe;
mod record;

pub use apply::{Run, RunError};
pub use observe::{covered, observe, plan};
pub use record::end_earlier_run;

use tokio::sync::mpsc;

use crate::report::{Event, Timed};

/// Sends an event with the present time, without waiting. If the channel is full, the event is dropped: the outcome contains everything
/// important, too.
fn tell(events: &mpsc::Sender<Timed>, event: Event) {
    let _ = events.try_send(event.now());
}

//! What happens during a run and what came of it, as plain data.

mod event;
mod outcome;

pub use event::{Event, Skipped};
pub use outcome::{Confirmation, Failure, RunOutcome, Verdict};

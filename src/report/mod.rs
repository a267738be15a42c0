//! What happens during a run and what came of it, as plain data.

mod change;
mod event;
mod finding;
mod outcome;
mod result;
pub mod schema;

pub use change::{AllRows, Change, Item, RouteValues, Values};
pub use event::{Event, Timed, Totals, Version};
pub use finding::{CODES, Finding, NODES_KEPT, Remedy, RemedyKind, STEP, STOPPING, SourcePosition, TOPOLOGY};
pub use outcome::{Confirmation, Failure, RunOutcome, Skipped, Verdict};
pub use result::{CommandResult, Left, RunResult};

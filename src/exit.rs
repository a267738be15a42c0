//! The exit codes of topo.

use std::process::{ExitCode, Termination};

/// What the exit code says; the numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to report.
    Done = 0,
    /// Nothing was changed: bad input, usage, conflict, declined, stale plan.
    NothingChanged = 1,
    /// Changes, drift, or a failed check.
    Changes = 2,
    /// Something was changed and not all is done.
    Partial = 3,
    /// The state is locked by another run.
    Locked = 4,
    /// Could not look everywhere and found nothing else.
    NotEverywhere = 5,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

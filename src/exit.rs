//! The exit codes of topo.

use std::process::{ExitCode, Termination};

/// What the exit code means. The numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything is done; nothing to report.
    Done = 0,
    /// Nothing was changed: bad input, usage, conflict, declined, stale plan.
    NothingChanged = 1,
    /// Changes, drift, or a failed check.
    Changes = 2,
    /// Something was changed and not all is done.
    Partial = 3,
    /// Another run has locked the state.
    Locked = 4,
    /// topo could not look everywhere, and found nothing else.
    NotEverywhere = 5,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

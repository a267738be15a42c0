//! All integration tests that need no lab.

mod fake;
mod ssh;
mod state;
mod topology;

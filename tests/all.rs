//! All integration tests that need no lab.

mod arm;
mod fake;
mod ssh;
mod state;
mod topology;

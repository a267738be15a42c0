//! All integration tests that need no lab.

mod ssh;
mod state;
mod topology;

//! All integration tests.

mod ssh;

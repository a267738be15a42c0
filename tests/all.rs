//! All integration tests.

mod state;

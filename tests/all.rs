//! All integration tests.

mod topology;

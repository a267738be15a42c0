//! `ssh-static`: kernel routes on nodes, put in place over SSH.

mod settings;

pub use settings::{BACKEND, Settings};

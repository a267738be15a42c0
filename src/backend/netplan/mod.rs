//! `netplan`: routes that outlive a reboot, in files that netplan or systemd-networkd reads on the nodes.

mod settings;

pub use settings::{Activate, BACKEND, Persist, Settings};

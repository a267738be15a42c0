//! The two drivers: look at all places, and carry out a plan. They emit events and print nothing.

mod event;

pub use event::Event;

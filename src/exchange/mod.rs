//! The questions to a place, and its answers: plain data, without a connection. Backends make requests and read
//! replies; transports carry them.

pub mod arm;
pub mod node;

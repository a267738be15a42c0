//! What can be asked of a place, and what it answers: plain data, without a connection. Backends make requests and read
//! replies; transports carry them.

pub mod arm;
pub mod node;

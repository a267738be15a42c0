//! What puts routes in place: one folder each. Pure: text in, text out.

pub mod ssh_static;

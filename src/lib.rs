//! topo keeps the routes between the nodes of a network as they are declared.
//!
//! Pure in the middle ([`topology`], [`network`]), thin at the edges ([`transport`], [`ui`], [`cli`]).

pub mod backend;
pub mod cli;
pub mod network;
pub mod topology;
pub mod transport;
pub mod ui;

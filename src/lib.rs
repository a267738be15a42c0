//! topo keeps the routes between the nodes of a network as you declare them.
//!
//! Pure in the middle ([`topology`], [`network`], [`plan`]), thin at the edges ([`state`], [`transport`], [`ui`], [`cli`]).

pub mod backend;
pub mod cli;
pub mod drive;
pub mod exchange;
pub mod exit;
pub mod network;
pub mod plan;
pub mod render;
pub mod report;
pub mod resource;
pub mod state;
pub mod topology;
pub mod transport;
pub mod ui;

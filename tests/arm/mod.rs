//! A test server of Azure Resource Manager, honest to the wire: routes, tables, networks, interfaces and what stands around them.
//!
//! What it does is taken from the tapes and fragments of real traffic, from public threads where they show an answer, and from the
//! `OpenAPI` files; where none of these says anything, the comment beside it says **hand-made**. Independent clients judge it:
//! see `tests/judges`.
//!
//! - [`ArmServer`] is the handle: it starts the server on loopback, gives out addresses and the certificate authority, takes a
//!   [`Command`], and shows the log of all exchanges.
//! - [`Client`] is a small client for tests of the server itself.
//! - The same commands can be given from scripts: `POST /control`, see [`serve`].
#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(dead_code, reason = "the server offers more than the tests of the day need")]
#![allow(unused_imports, reason = "likewise")]

mod accounts;
mod cases;
mod client;
mod command;
mod compute;
mod effective;
mod entity;
mod exchange;
mod interfaces;
mod networks;
mod operations;
mod path;
mod reply;
mod seed;
mod serve;
mod server;
mod tables;
mod tls;
mod wire;
mod world;

pub use client::{Answer, Client};
pub use command::{Command, Effect, Fault};
pub use exchange::Exchange;
pub use seed::{
    GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE, TENANT, compute_path, network_path, nic, worker,
};
pub use server::ArmServer;

//! A test server of Azure Resource Manager, honest to the wire: routes, tables, networks, interfaces and what stands around them.
//!
//! Where it comes from, best first:
//! - **Tapes and fragments** of real traffic: statuses, headers, polls, versions and bodies of tables, routes, networks, subnets and
//!   interfaces, 404 and 412, a failed operation, `AnotherOperationInProgress`. Tests compare them.
//! - **Public threads**: the message of `RouteConflict`, and `RetryableError` with its cause (seen for a resource that another one
//!   refers to; that two writes on one table get the same words is inferred).
//! - **Usual wording, without a source at hand**: 401 and 403, the statuses of `RouteConflict` and of refusals in use, messages of
//!   `InUse…CannotBeDeleted`, `Invalid…`, `Netcfg…`, `ParentResourceNotFound`, `LocationRequired`. Go by their codes at most.
//! - **Hand-made**, and marked so in the code: codes of the limits, of a next hop that does not fit and of a machine that does not
//!   run, tokens of next links, what a failed operation leaves behind, a table's new version when a subnet takes or leaves it, how old
//!   a read can be, that `If-None-Match` counts (a command turns that off).
//!
//! Independent clients judge it, see `tests/judges`; they can tell that an answer is well formed, not that Azure would give it.
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
mod direct;
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
pub mod tape;
mod tls;
mod wire;
mod world;

pub use client::{Answer, Client};
pub use command::{Command, Effect, Fault};
pub use direct::Direct;
pub use exchange::Exchange;
pub use reply::Reply;
pub use seed::{
    GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE, TENANT, compute_path, network, network_path, nic, worker,
};
pub use server::ArmServer;
pub use tls::Identity;
pub use world::World as Subscription;

//! `netplan`: a file on each node that keeps the routes across reboots, restarts of systemd-networkd and losses of
//! carrier. It adds routes to a definition in somebody else's file.

mod attributes;
mod content;
mod desired;
mod file;
mod format;
mod inquiry;
mod links;
mod settings;
mod words;
mod work;

pub use attributes::{Attributes, Link};
pub use content::{Header, render, routes_in};
pub(crate) use file::{FileInput, FileMemo, plan_file, routes_found};
pub use links::{LinkError, find_links};
pub use settings::{Activate, BACKEND, Persist, Settings};
pub use words::FileWords;
pub use work::file_write;

use crate::backend::Desired;
use crate::backend::mesh::Mesh;
use crate::backend::{Backend, Settled};
use crate::exchange::node::{Work, Written};
use crate::network::Memo;
use crate::plan::{Operation, TablePlan};
use crate::resource::{Kind, Name, Record, Shape, Token};
use crate::topology::{BackendTable, Topology};

/// The kind of its resources: one file on a node, or the drop-ins with one name.
pub static NETPLAN_FILE: Kind = Kind { id: "netplan_file", noun: "file", order: 1, retires: 0, words: &FileWords };

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct Netplan;

impl Backend for Netplan {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&NETPLAN_FILE] }
    }

    fn desire(&self, topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
        desired::desire(topology, mesh, name, table, desired);
    }

    fn inquire(&self, name: &str, wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Work> {
        inquiry::inquire(name, wanted, record, memo)
    }

    fn fits(&self, wanted: &Shape, recorded: &Shape) -> bool {
        Attributes::fits(&wanted.attributes, &recorded.attributes)
    }

    fn work(&self, table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Work> {
        work::work(table, operations, token)
    }

    fn settle(&self, operations: &[Operation], written: &Written) -> Settled {
        work::settle(operations, written)
    }
}

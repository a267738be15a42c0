//! `ssh-static`: kernel routes on the nodes, put in with `ip -batch` over SSH.

mod desired;
mod format;
mod inquiry;
mod settings;
mod work;

pub(super) use format::settings_of;
pub(super) use inquiry::inquire;
pub use settings::{BACKEND, Settings};
pub(super) use work::{settle, work};

use crate::backend::Desired;
use crate::backend::mesh::Mesh;
use crate::backend::{Backend, Settled};
use crate::exchange::node::{Work, Written};
use crate::network::Memo;
use crate::plan::{Operation, TablePlan};
use crate::resource::words::Words;
use crate::resource::{Kind, Name, Record, Shape, Token};
use crate::topology::{BackendTable, Topology};

/// The kind of its resources: the routes of one node.
pub static KERNEL_ROUTE: Kind = Kind { id: "kernel_route", noun: "route", order: 0, retires: 0, words: &KernelWords };

/// The words for its resources.
struct KernelWords;

impl Words for KernelWords {
    fn transience(&self) -> Option<&'static str> {
        Some("will not survive a reboot, a restart of systemd-networkd or a loss of carrier.")
    }
}

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct SshStatic;

impl Backend for SshStatic {
    fn id(&self) -> &'static str {
        BACKEND
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        const { &[&KERNEL_ROUTE] }
    }

    fn desire(&self, topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
        desired::desire(topology, mesh, name, table, desired);
    }

    fn inquire(&self, _: &str, wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Work> {
        inquiry::inquire(wanted, record, memo)
    }

    fn work(&self, table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Work> {
        work::work(table, operations, token)
    }

    fn settle(&self, operations: &[Operation], written: &Written) -> Settled {
        work::settle(operations, written)
    }
}

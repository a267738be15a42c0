//! `ssh-static`: kernel routes on the nodes, put in with `ip -batch` over SSH.

mod format;
mod inquiry;
mod request;
mod settings;

pub(super) use format::settings_of;
pub use settings::{BACKEND, Settings};

use serde::Deserialize;

use crate::backend::mesh::{Mesh, served};
use crate::backend::{Backend, Desired, Settled};
use crate::exchange::node::{Listing, Request, RouteOutcome, RouteWrite};
use crate::network::{Memo, RouteSet};
use crate::plan::{Operation, TablePlan};
use crate::resource::words::Words;
use crate::resource::{Kind, Name, Record, ResourceId, Shape, Token};
use crate::topology::{BackendTable, Topology};

/// The kind of its resources: the routes of one node.
pub static KERNEL_ROUTE: Kind =
    Kind { id: "kernel_route", noun: "route", order: 0, retires: 0, only_seen: false, words: &KernelWords };

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
    fn kind(&self) -> &'static Kind {
        &KERNEL_ROUTE
    }

    /// Every node that the backend serves gets a route to every other node's pod subnets of its address families.
    fn desire(&self, topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
        let id = ResourceId { backend: name.clone(), kind: KERNEL_ROUTE.id.into(), name: "".into() };
        let settings = Settings::deserialize(&table.settings).unwrap_or_default();
        for (_, node, place) in served(topology, table, desired) {
            if let Some(set) = mesh.routes(node, settings) {
                place.resources.insert(id.clone(), Shape::of_routes(set));
            }
        }
    }

    /// A listing of each recorded or wanted table, with the recorded token, so that an unchanged node gives a short
    /// answer. For new routes, also whether their next hops are on-link.
    fn questions(&self, _: &str, wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Request> {
        let wanted = wanted.and_then(|shape| shape.routes.as_ref());
        let recorded: Vec<&RouteSet> =
            record.into_iter().flat_map(Record::shapes).filter_map(|shape| shape.routes.as_ref()).collect();
        let mut tables: Vec<Listing> = Vec::new();
        for set in wanted.into_iter().chain(recorded.iter().copied()) {
            let table = set.view.table;
            let at = tables.iter().position(|listing| listing.table == table).unwrap_or_else(|| {
                tables.push(Listing { table, protocols: Vec::new(), known: None });
                tables.len() - 1
            });
            if !tables[at].protocols.contains(&set.view.protocol) {
                tables[at].protocols.push(set.view.protocol);
            }
        }
        if let (Some(Record::Settled { is, token: Some(token) }), [listing]) = (record, tables.as_mut_slice()) {
            listing.known = inquiry::known(is.routes.as_ref(), wanted, token, memo);
        }
        let mut requests: Vec<Request> = tables.into_iter().map(Request::List).collect();
        // A row that somebody removed must be put back, too, so the device of a gateway is always asked for.
        let (gateways, mut next_hops) =
            (inquiry::gateways(wanted, &recorded), inquiry::next_hops(wanted, record, memo));
        next_hops.retain(|hop| !wanted.is_some_and(|wanted| wanted.view.gateways_on_link().contains(hop)));
        if !gateways.is_empty() {
            requests.push(Request::Devices(gateways.into_iter().collect()));
        }
        if !next_hops.is_empty() {
            requests.push(Request::Reach(next_hops.into_iter().collect()));
        }
        requests
    }

    /// One batch for the operations of a step: adds, then changes, then removals. None if no row changes.
    fn request(&self, table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Request> {
        let mut commands: Vec<_> =
            operations.iter().filter_map(|operation| request::command(table, operation)).collect();
        commands.sort_by_key(|(order, _)| *order);
        if commands.is_empty() {
            return None;
        }
        let listing =
            Listing { table: table.view.table, protocols: table.mark_protocols.clone(), known: token.cloned() };
        Some(Request::Write(RouteWrite {
            listing,
            guard_foreign: table.guard_foreign,
            commands: commands.into_iter().map(|(_, command)| command).collect(),
        }))
    }

    /// Compares the table after the step with the intended rows. A missing row counts as failed and an existing one as
    /// done, whatever `ip` said.
    fn settle(&self, operations: &[Operation], written: &RouteOutcome) -> Settled {
        request::settle(operations, written)
    }
}

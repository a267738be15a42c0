//! `netplan`: a file on each node that keeps the routes across reboots, restarts of systemd-networkd and losses of
//! carrier. It adds routes to a definition in somebody else's file.

mod attributes;
mod content;
mod file;
mod findings;
mod format;
mod inquiry;
mod links;
mod request;
mod settings;
mod words;

pub use attributes::{Attributes, Link};
pub use content::{render, routes_in};
pub(crate) use file::{FileInput, FileMemo, plan_file, routes_found};
pub use links::{LinkError, find_links};
pub use request::file_write;
pub use settings::{Activate, BACKEND, Persist, Settings};
pub use words::FileWords;

use serde::Deserialize;

use crate::backend::mesh::{Mesh, served};
use crate::backend::ssh_static::{self, SshStatic};
use crate::backend::{Backend, Desired, Settled};
use crate::exchange::node::{FileInquiry, Request, RouteOutcome};
use crate::network::{MAIN_TABLE, Memo, STATIC};
use crate::plan::{Operation, TablePlan};
use crate::resource::{Kind, Name, Record, ResourceId, Shape, SharedJson, Token};
use crate::topology::{BackendTable, Topology};

/// The kind of its resources: one file on a node, or the drop-ins with one name.
pub static NETPLAN_FILE: Kind =
    Kind { id: "netplan_file", noun: "file", order: 1, retires: 0, only_seen: false, words: &FileWords };

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct Netplan;

impl Backend for Netplan {
    fn kind(&self) -> &'static Kind {
        &NETPLAN_FILE
    }

    /// The file of a node keeps the routes that `ssh-static` puts into the kernel there. If `ssh-static` does not serve
    /// the node, the same routes belong to the file.
    fn desire(&self, topology: &Topology, mesh: &Mesh<'_>, name: &Name, table: &BackendTable, desired: &mut Desired) {
        let settings = Settings::deserialize(&table.settings).unwrap_or_default();
        // The writing of routes that only the file keeps.
        let usual = ssh_static::Settings::default();
        let alone =
            ssh_static::Settings { table: settings.table.unwrap_or(MAIN_TABLE), metric: settings.metric, ..usual };
        let kernel: Vec<_> = topology
            .backends
            .values()
            .filter(|other| other.backend == ssh_static::BACKEND)
            .map(|other| (other, ssh_static::Settings::deserialize(&other.settings).unwrap_or_default()))
            .collect();
        let id =
            ResourceId { backend: name.clone(), kind: NETPLAN_FILE.id.into(), name: settings.file.as_str().into() };
        // Most nodes have the same attributes.
        let mut last: Option<(Attributes, SharedJson)> = None;
        let networkd = settings.persist == Persist::Networkd;
        for (node_name, node, place) in served(topology, table, desired) {
            let served = kernel
                .iter()
                .find(|(other, _)| other.nodes.len() == topology.nodes.len() || other.nodes.contains(node_name))
                .map(|(_, settings)| settings);
            let mut writing = *served.unwrap_or(&alone);
            if !networkd {
                // netplan cannot set a protocol, and networkd then uses static.
                writing.protocol = STATIC;
            }
            let Some(set) = mesh.routes(node, writing) else { continue };
            let attributes = Attributes {
                networkd,
                deferred: settings.activate == Activate::Defer,
                alone: served.is_none(),
                interface: node.interface.clone(),
                waiting: false,
                links: Vec::new(),
            };
            let shared = match &last {
                Some((same, shared)) if *same == attributes => shared.clone(),
                _ => SharedJson::from(attributes.to_value()),
            };
            last = Some((attributes, shared.clone()));
            place.resources.insert(id.clone(), Shape { routes: Some(set), attributes: shared });
        }
    }

    /// The file and what it depends on, with the recorded token, so that an unchanged node gives a short answer. If
    /// routes belong only to the file, also the routing table.
    fn questions(&self, name: &str, wanted: Option<&Shape>, record: Option<&Record>, memo: &mut Memo) -> Vec<Request> {
        let recorded = record.and_then(|record| record.shapes().next());
        let Some(shape) = wanted.or(recorded) else { return Vec::new() };
        let attributes = Attributes::of(shape);
        let settled = match record {
            Some(Record::Settled { is, token: Some(token) }) => Some((is, token)),
            _ => None,
        };
        let mut same = |is: &Shape| {
            let routes = (is.routes.as_ref(), wanted.and_then(|wanted| wanted.routes.as_ref()));
            let equal = matches!(routes, (Some(from), Some(to)) if from.is_same(to, &mut *memo));
            equal && wanted.is_some_and(|wanted| Attributes::fits(&wanted.attributes, &is.attributes))
        };
        // Before a write, look at everything again.
        let known = settled.filter(|(is, _)| same(is)).map(|(_, token)| token.split().1);
        let next_hops = if known.is_some() || attributes.interface.is_some() {
            Vec::new()
        } else {
            inquiry::next_hops(wanted, settled.map(|(is, _)| is))
        };
        let inquiry = FileInquiry { form: attributes.form(), name: name.to_owned(), next_hops, known };
        let mut requests = vec![Request::Inspect(inquiry)];
        if attributes.alone {
            let record = record.map(inquiry::with_table_token);
            requests.extend(SshStatic.questions("", wanted, record.as_ref(), memo));
        }
        requests
    }

    fn fits(&self, wanted: &Shape, recorded: &Shape) -> bool {
        Attributes::fits(&wanted.attributes, &recorded.attributes)
    }

    /// systemd-networkd adds the rows of a file that it loads beside existing rows with the same key. This removes the
    /// existing rows. A row that lacks only the mark gets the mark before the file is loaded.
    fn request(&self, table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Request> {
        if !table.owns_live_rows {
            return None;
        }
        let rows: Vec<Operation> = operations.iter().filter_map(request::on_rows).collect();
        SshStatic.request(table, &rows, token)
    }

    /// The outcomes of existing rows. The file settles everything else.
    fn settle(&self, operations: &[Operation], written: &RouteOutcome) -> Settled {
        let (at, rows): (Vec<usize>, Vec<Operation>) = operations
            .iter()
            .enumerate()
            .filter_map(|(at, operation)| Some((at, request::on_rows(operation)?)))
            .unzip();
        let mut settled = SshStatic.settle(&rows, written);
        for (index, _) in &mut settled.failed {
            *index = at[*index];
        }
        settled
    }
}

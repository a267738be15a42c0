//! Rows that belong to a file alone, and the files themselves, as work.

use super::content::{Header, render};
use super::{Attributes, NETPLAN_FILE};
use crate::backend::Settled;
use crate::backend::ssh_static;
use crate::exchange::node::{Activation, FileWrite, Listing, Work, Written};
use crate::network::{Route, RouteSet};
use crate::plan::{FilePlan, Operation, TablePlan};
use crate::resource::{Action, Token};

/// systemd-networkd adds the rows of a file that it loads, beside those that have the same key; what was there before is taken out
/// here. A row that lacks nothing but the mark is given it, before the file is loaded.
pub(super) fn work(table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Work> {
    if !table.judged {
        return None;
    }
    let rows: Vec<Operation> = operations.iter().filter_map(on_rows).collect();
    ssh_static::work(table, &rows, token)
}

/// Whether an operation gives a row nothing but the mark. networkd would add its own beside it, or for IPv6 none.
pub(crate) fn marks(operation: &Operation) -> bool {
    operation.action != Action::Remove
        && operation.before.is_some_and(|before| before.next_hop == operation.route.next_hop)
}

/// What is done to the row that is there before.
fn on_rows(operation: &Operation) -> Option<Operation> {
    let before = operation.before?;
    if marks(operation) {
        return Some(operation.clone());
    }
    let route = Route { next_hop: before.next_hop, ..operation.route };
    Some(Operation { action: Action::Remove, route, ..operation.clone() })
}

/// What becomes of rows that are there before; all else is settled with the file.
pub(super) fn settle(operations: &[Operation], written: &Written) -> Settled {
    let (at, rows): (Vec<usize>, Vec<Operation>) =
        operations.iter().enumerate().filter_map(|(at, operation)| Some((at, on_rows(operation)?))).unzip();
    let mut settled = ssh_static::settle(&rows, written);
    for (index, _) in &mut settled.failed {
        *index = at[*index];
    }
    settled
}

/// The write of a file: what is to be there afterwards.
pub fn file_write(
    file: &FilePlan,
    header: &Header,
    routes: Option<&RouteSet>,
    listing: Listing,
    activation: Activation,
) -> FileWrite {
    debug_assert!(*file.id.kind == NETPLAN_FILE);
    let attributes: &Attributes = &file.attributes;
    let files = routes.map(|routes| render(header, &file.id.name, routes, attributes)).unwrap_or_default();
    FileWrite {
        form: attributes.form(),
        name: file.id.name.to_string(),
        known: file.token.clone(),
        files,
        activation,
        listing,
    }
}

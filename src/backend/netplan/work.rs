//! The work on files, and on rows that belong only to a file.

use super::Attributes;
use super::content::{Header, render};
use crate::backend::Settled;
use crate::backend::ssh_static;
use crate::exchange::node::{Activation, FileWrite, Listing, Work, Written};
use crate::network::{Route, RouteSet};
use crate::plan::{FilePlan, Operation, TablePlan};
use crate::resource::{Action, ResourceId, Token};

/// systemd-networkd adds the rows of a file that it loads beside existing rows with the same key. This removes the
/// existing rows. A row that lacks only the mark gets the mark before the file is loaded.
pub(super) fn work(table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Work> {
    if !table.judged {
        return None;
    }
    let rows: Vec<Operation> = operations.iter().filter_map(on_rows).collect();
    ssh_static::work(table, &rows, token)
}

/// What to do with the existing row.
fn on_rows(operation: &Operation) -> Option<Operation> {
    let before = operation.before?;
    // networkd would add its own row beside a row that lacks only the mark, or none for IPv6.
    if operation.only_marks() {
        return Some(operation.clone());
    }
    let route = Route { next_hop: before.next_hop, ..operation.route };
    Some(Operation { action: Action::Remove, route, ..operation.clone() })
}

/// The outcomes of existing rows. The file settles everything else.
pub(super) fn settle(operations: &[Operation], written: &Written) -> Settled {
    let (at, rows): (Vec<usize>, Vec<Operation>) =
        operations.iter().enumerate().filter_map(|(at, operation)| Some((at, on_rows(operation)?))).unzip();
    let mut settled = ssh_static::settle(&rows, written);
    for (index, _) in &mut settled.failed {
        *index = at[*index];
    }
    settled
}

/// The write of a file: its content afterwards.
pub fn file_write(
    id: &ResourceId,
    file: &FilePlan,
    header: &Header,
    routes: Option<&RouteSet>,
    listing: Listing,
    activation: Activation,
) -> FileWrite {
    let attributes = Attributes::read(&file.attributes);
    let files = routes.map(|routes| render(header, &id.name, routes, &attributes)).unwrap_or_default();
    FileWrite {
        form: attributes.form(),
        name: id.name.to_string(),
        known: file.token.clone(),
        files,
        activation,
        listing,
    }
}

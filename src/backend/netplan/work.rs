//! Rows that belong to a file alone, and the files themselves, as work.

use super::content::{Header, render};
use super::{Attributes, NETPLAN_FILE};
use crate::backend::Settled;
use crate::backend::exchange::{Activation, FileWrite, Listing, Work, Written};
use crate::backend::ssh_static;
use crate::network::{Route, RouteSet};
use crate::plan::{Action, FilePlan, Operation, TablePlan, Token};

/// systemd-networkd adds the rows of a file that it loads, beside those that have the same key; what was there before is taken out
/// here.
pub(super) fn removals(table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Work> {
    if !table.judged {
        return None;
    }
    let removals: Vec<Operation> = operations.iter().filter_map(removal).collect();
    ssh_static::work(table, &removals, token)
}

/// The row that goes when an operation of a file is done.
fn removal(operation: &Operation) -> Option<Operation> {
    let before = operation.before?;
    if before.next_hop == operation.route.next_hop && operation.action != Action::Remove {
        return None;
    }
    let route = Route { next_hop: before.next_hop, ..operation.route };
    Some(Operation { action: Action::Remove, route, ..operation.clone() })
}

/// What becomes of removals; all else is settled with the file.
pub(super) fn settle(operations: &[Operation], written: &Written) -> Settled {
    let (at, removals): (Vec<usize>, Vec<Operation>) =
        operations.iter().enumerate().filter_map(|(at, operation)| Some((at, removal(operation)?))).unzip();
    let mut settled = ssh_static::settle(&removals, written);
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
    debug_assert_eq!(&*file.id.kind, NETPLAN_FILE);
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

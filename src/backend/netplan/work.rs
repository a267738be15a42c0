//! Rows that belong to a file alone, and the files themselves, as work.

use super::content::{Header, render};
use super::{Attributes, NETPLAN_FILE};
use crate::backend::Settled;
use crate::backend::exchange::{Activation, FileWrite, Listing, Work, Written};
use crate::backend::ssh_static;
use crate::network::RouteSet;
use crate::plan::{Action, FilePlan, Operation, TablePlan, Token};

/// systemd-networkd adds and changes the rows of a file that it loads; those that are no longer in it are taken out here.
pub(super) fn removals(table: &TablePlan, operations: &[Operation], token: Option<&Token>) -> Option<Work> {
    if !table.judged {
        return None;
    }
    let removals: Vec<Operation> =
        operations.iter().filter(|operation| operation.action == Action::Remove).cloned().collect();
    ssh_static::work(table, &removals, token)
}

/// What becomes of removals; all else is settled with the file.
pub(super) fn settle(operations: &[Operation], written: &Written) -> Settled {
    let removals: Vec<(usize, Operation)> =
        operations.iter().cloned().enumerate().filter(|(_, operation)| operation.action == Action::Remove).collect();
    let only: Vec<Operation> = removals.iter().map(|(_, operation)| operation.clone()).collect();
    let mut settled = ssh_static::settle(&only, written);
    for (at, _) in &mut settled.failed {
        *at = removals[*at].0;
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

//! The requests about files, and about rows that belong only to a file.

use super::Attributes;
use super::content::render;
use crate::backend::Header;
use crate::exchange::node::{Activation, FileWrite, Listing};
use crate::network::{Route, RouteSet};
use crate::plan::{FilePlan, Operation};
use crate::resource::{Action, ResourceId};

/// What to do with the existing row.
pub(super) fn on_rows(operation: &Operation) -> Option<Operation> {
    let before = operation.before?;
    // networkd would add its own row beside a row that lacks only the mark, or none for IPv6.
    if operation.only_marks() {
        return Some(operation.clone());
    }
    let route = Route { next_hop: before.next_hop, ..operation.route };
    Some(Operation { action: Action::Remove, route, ..operation.clone() })
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

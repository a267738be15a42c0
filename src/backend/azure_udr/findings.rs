//! What is found in Azure, in sentences.

use super::{AZURE_ROUTE, AZURE_SUBNET_ASSOCIATION, name_of};
use crate::network::Prefix;
use crate::plan::findings::{Address, Finding, Remedy, Text};
use crate::resource::Place;

/// How many names a sentence has at most.
const NAMED: usize = 5;

/// The codes of findings in Azure, and about machines there.
pub(super) const CODES: &[&str] = &[
    "association_stays",
    "forwarding_not_selected",
    "forwarding_off",
    "forwarding_stays",
    "forwarding_unknown",
    "interfaces_not_read",
    "lost",
    "machine_skipped",
    "machine_without_pods",
    "network_missing",
    "outside",
    "region",
    "space_missing",
    "space_unknown",
    "subnet_missing",
    "table_elsewhere",
    "table_missing",
    "table_stays",
    "too_many_routes",
    "unverified",
    "wins",
];

/// The first few names of a list, and how many more there are.
pub(super) fn some_of(list: &[String]) -> String {
    let more = list.len().saturating_sub(NAMED);
    let shown = list.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// A sentence about a route table that goes on behind its name.
pub(super) fn table_text(place: &Place, rest: &str) -> Text {
    Text::whole(format!("The route table {} {rest}", place.name()))
}

/// A reason to write nothing; the sentences name what they are about.
pub(super) fn refusal(code: &'static str, place: &Place, text: impl Into<String>) -> Finding {
    Finding::error(code, place, Text::whole(text.into()))
}

/// Somebody else has a route that is wanted.
pub(super) fn route_conflict(place: &Place, name: &str, found: &str) -> Finding {
    let text = Text::around("In the route table ", format!(", the route {name} belongs to somebody else: {found}."));
    Finding::conflict(Address::of_key(place, AZURE_ROUTE.id, name), text, found)
        .remedy(Remedy::SKIP)
        .remedy(Remedy::TakeOver)
}

/// Somebody else has the name of a route that is wanted. Two routes cannot have one name, whoever has them.
pub(super) fn name_conflict(place: &Place, name: &str, found: &str) -> Finding {
    let text =
        Text::around("In the route table ", format!(", somebody else has a route with the name {name}: {found}."));
    Finding::conflict(Address::of_key(place, AZURE_ROUTE.id, name), text, found)
        .remedy(Remedy::SKIP)
        .edit("Or choose other names for topo's routes with `route_name_prefix` in the backend's table.")
}

/// A subnet goes by the table of somebody else.
pub(super) fn association_conflict(place: &Place, subnet: &str, table: &str) -> Finding {
    let text = format!(
        ", the subnet {subnet} already uses the route table of somebody else: {table}. topo does not replace that table unasked, \
         because the machines in the subnet would lose its routes."
    );
    let finding = Finding::conflict(
        Address::of_key(place, AZURE_SUBNET_ASSOCIATION.id, subnet),
        Text::around("In the virtual network ", text),
        table,
    );
    finding.remedy(Remedy::SKIP).remedy(Remedy::TakeOver)
}

/// A recorded route that somebody else has by now.
pub(super) fn lost_route(place: &Place, key: Prefix, name: &str, found: &str) -> Finding {
    let text = format!(
        ", the route to {key} now belongs to somebody else ({found}). The topology does not want it any more, so topo drops only \
         its record."
    );
    Finding::note("lost", place, Text::around("In the route table ", text)).at(AZURE_ROUTE.id, name).found(found)
}

/// A longer prefix of somebody else in a table.
pub(super) fn wins(place: &Place, key: Prefix, name: &str, found: &str) -> Finding {
    let text = format!(", another route takes precedence over the route to {key}: {found}.");
    Finding::warning("wins", place, Text::around("In the route table ", text))
        .at(AZURE_ROUTE.id, name)
        .found(found)
        .act("Remove the other route, or take the destination out of the topology.")
}

/// A recorded association whose subnet goes by another table now.
pub(super) fn lost_association(place: &Place, subnet: &str, table: &str) -> Finding {
    let text = format!(
        ", the subnet {subnet} now uses the route table {table} of somebody else. topo drops only the record of its association."
    );
    Finding::warning("lost", place, Text::around("In the virtual network ", text))
        .at(AZURE_SUBNET_ASSOCIATION.id, subnet)
        .found(table)
}

/// An adopted association that is not wanted any more.
pub(super) fn association_stays(place: &Place, subnet: &str, table: &str) -> Finding {
    let table = name_of(table);
    let text = format!(
        ", the subnet {subnet} keeps the route table {table}, which it used before topo came. topo drops only the record of the \
         association."
    );
    Finding::note("association_stays", place, Text::around("In the virtual network ", text))
        .at(AZURE_SUBNET_ASSOCIATION.id, subnet)
}

//! What the tables of `azure-udr` tell together, and with the nodes: which route tables and subnets they are about, and
//! whether the names of routes have room. Azure compares names without case.

use std::collections::{BTreeSet, HashMap};

use crate::backend::azure_udr::{Given, Settings};

use super::backends::BackendDraft;
use super::diagnostics::{Diagnostic, Reporter, Span};
use super::document::Draft;
use crate::resource::Name;

/// Checks all tables of `azure-udr`; `served` are the nodes of each backend.
pub(super) fn check(draft: &Draft<'_>, served: &[BTreeSet<Name>], report: &Reporter) {
    if draft.backends.iter().all(|backend| backend.azure.is_none()) {
        return;
    }
    // The text of a prefix is as long as what stands for it in the name of a route.
    let lengths: Vec<usize> = draft.pods.iter().map(|pod| pod.value.to_string().len()).collect();
    let mut tables = HashMap::new();
    let mut subnets = HashMap::new();
    for (backend, nodes) in draft.backends.iter().zip(served) {
        let Some((settings, given)) = &backend.azure else { continue };
        check_route_names(draft, backend, (settings, given), nodes, &lengths, report);
        let Some(place) = given.table else { continue };
        let shown = format!("route table `{}` of resource group `{}`", settings.route_table, settings.resource_group);
        if let Some(pair) = Pair::find(&mut tables, settings.table_id(), backend.name.value, place) {
            let message = format!("Backends {} are about the same {shown}.", pair.names());
            report.report(pair.error(message).hint("Make one of the two, or give each a `route_table` of its own."));
        }
        for (subnet, place) in settings.subnets.iter().zip(&given.subnets) {
            let id = format!("{}/subnets/{}", settings.network_id(subnet), subnet.subnet);
            let Some(pair) = Pair::find(&mut subnets, id, backend.name.value, *place) else { continue };
            let shown = format!("{}/{}", subnet.network, subnet.subnet);
            let (message, hint) = if pair.first.0 == pair.second.0 {
                (format!("Backend `{}` names the subnet `{shown}` twice.", pair.first.0), "Keep one of the two.")
            } else {
                (
                    format!("Backends {} would each associate the subnet `{shown}` with a table.", pair.names()),
                    "A subnet has one route table: name it in one of the two.",
                )
            };
            report.report(pair.error(message).hint(hint));
        }
    }
}

/// Two mentions of one thing, each the backend and the place, in the order of the document.
struct Pair<'a> {
    first: (&'a str, Span),
    second: (&'a str, Span),
}

impl<'a> Pair<'a> {
    /// Remembers a mention of the thing with this id. Some: it was mentioned before.
    fn find(
        seen: &mut HashMap<String, (&'a str, Span)>,
        mut id: String,
        backend: &'a str,
        place: Span,
    ) -> Option<Self> {
        id.make_ascii_lowercase();
        let now = (backend, place);
        let before = *seen.entry(id).or_insert(now);
        if before == now {
            return None;
        }
        let (first, second) = if before.1 < now.1 { (before, now) } else { (now, before) };
        Some(Self { first, second })
    }

    fn names(&self) -> String {
        format!("`{}` and `{}`", self.first.0, self.second.0)
    }

    fn error(&self, message: String) -> Diagnostic {
        Diagnostic::error(self.second.1, message).label("the second").second(self.first.1, "the first")
    }
}

/// Whether the name of each route fits: what they begin with, and the longest prefix. One finding for each backend.
fn check_route_names(
    draft: &Draft<'_>,
    backend: &BackendDraft<'_>,
    (settings, given): (&Settings, &Given),
    nodes: &BTreeSet<Name>,
    lengths: &[usize],
    report: &Reporter,
) {
    let Some(place) = given.route_names else { return };
    let longest = Settings::LONGEST_ROUTE_NAME;
    let room = longest.saturating_sub(settings.route_name_prefix.len());
    let too_long = draft.pods.iter().zip(lengths).filter(|(_, length)| **length > room);
    let held = too_long.filter(|(pod, _)| nodes.contains(draft.nodes[pod.node as usize].name.value));
    let Some((pod, length)) = held.max_by_key(|(_, length)| **length) else { return };
    let message = format!(
        "The route to {} would have a name of {} characters in backend `{}`, and Azure takes {longest}.",
        pod.value,
        settings.route_name_prefix.len() + length,
        backend.name.value
    );
    report.report(
        Diagnostic::error(place, message)
            .label("makes the names of routes long")
            .second(pod.span, "the prefix that ends the name")
            .hint(format!("Let them begin with at most {} characters: route_name_prefix = \"…\".", longest - length)),
    );
}

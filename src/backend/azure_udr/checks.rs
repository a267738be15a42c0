//! What is to be so before anything is written to a table: limits and regions.

use super::drafts::TableInputs;
use super::findings::refusal;
use super::work::Findings;
use super::{Seen, TableVerdict, Wanted, name_of};
use crate::resource::Evidence;

/// How many routes a table may have where Azure does not say (Azure's documented limit).
const USUAL_LIMIT: u64 = 400;

/// What is to be so before anything is written to a table.
pub(super) fn check_table(
    draft: &TableInputs<'_>,
    wanted: &Wanted,
    verdict: &TableVerdict,
    seen: &Seen,
    findings: &mut Findings,
) {
    let place = &draft.task.place;
    let settings = &wanted.settings;
    // topo writes nothing to a table that it could not read, so nothing has to fit into it.
    if let Ok(live) = Seen::table(Some(seen), &draft.task.id).known()
        && verdict.body.is_some()
    {
        let (limit, source) = match seen.limits.get(&(settings.subscription.clone(), settings.location.clone())) {
            Some(Evidence::Seen(limit)) => (*limit, "Azure's limit for this subscription and region"),
            Some(Evidence::Absent) => (USUAL_LIMIT, "Azure's usual limit; Azure names none for this subscription"),
            Some(Evidence::Unknown(_)) | None => {
                (USUAL_LIMIT, "Azure's usual limit; the one of this subscription could not be read")
            }
        };
        if verdict.count > live.map_or(0, |live| live.count) && u64::try_from(verdict.count).unwrap_or(u64::MAX) > limit
        {
            let text = format!(
                "The route table {} would have {} routes, but it can hold only {limit} ({source}).",
                settings.route_table, verdict.count
            );
            let edit = "Divide the nodes between several tables, or ask Azure for a higher limit.";
            findings.add([refusal("too_many_routes", place, text).edit(edit)]);
        }
    }
    for id in wanted.networks() {
        if let Evidence::Seen(network) = Seen::network(Some(seen), &id)
            && settings.manage_table
            && network.location != settings.location
        {
            let text = format!(
                "The virtual network {} is in {}, but its route table {} would be in {}. Both must be in one region.",
                name_of(&id),
                network.location,
                settings.route_table,
                settings.location
            );
            findings.add([refusal("region", place, text).edit("Correct `location`.")]);
        }
    }
}

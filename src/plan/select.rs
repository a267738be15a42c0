//! The part of a plan that the user selected.

use std::collections::BTreeSet;

use super::findings::{Finding, Scope};
use super::operation::Operation;
use super::{Options, Plan, align};
use crate::network::{Memo, Prefix};
use crate::resource::{Phase, Place, ResourceId};

impl Plan {
    /// Keeps what the user selected. If a route is selected, it also keeps the changes in Prepare of the node that receives it.
    pub fn select(&mut self, options: &Options, memo: &mut Memo) {
        let chosen = |place: &Place, kind: &str, row: &str| options.selection.chooses(kind, place.name(), Some(row));
        // The routes in a file are selected with the file.
        let chosen_row = |place: &Place, id: &ResourceId, destination: &Prefix| match &*id.name {
            "" => chosen(place, &id.kind, &destination.to_string()),
            name => chosen(place, &id.kind, name),
        };
        let mut received: BTreeSet<Prefix> = BTreeSet::new();
        for (place, plan) in &self.places {
            for (id, table) in plan.tables().filter(|(_, table)| table.owns_live_rows) {
                let reasons = self.reasons(place);
                let selected = table.operations(&reasons, memo);
                let selected = selected.iter().map(|operation| operation.route.destination);
                received.extend(selected.filter(|key| chosen_row(place, id, key)));
            }
        }
        let mut places = std::mem::take(&mut self.places);
        for (place, plan) in &mut places {
            let reasons = self.reasons(place);
            for (id, resource) in plan.resources.iter_mut() {
                let keep = |operation: &Operation| {
                    let key = &operation.route.destination;
                    chosen_row(place, id, key) || (operation.phase == Phase::Prepare && received.contains(key))
                };
                for table in &mut resource.tables {
                    table.select(&keep, &reasons, memo);
                }
                if resource.listed.is_some() && !chosen(place, &id.kind, &id.name) {
                    resource.leave_listed();
                }
                let file = resource.file.as_mut().filter(|_| !chosen(place, &id.kind, &id.name));
                if let Some(file) = file {
                    file.is_left = file.change.take().is_some();
                }
            }
            align(&mut plan.resources);
            plan.acts = plan.resources.values().any(|resource| resource.acts(memo));
        }
        places.retain(|_, plan| plan.acts || plan.renamed_from.is_some());
        let is_kept = |finding: &Finding| {
            let kind = finding.address.kind.as_deref().unwrap_or_default();
            match (&finding.scope, &finding.address.key) {
                (Scope::All, _) => true,
                (Scope::Key, Some(key)) => chosen(finding.place(), kind, key),
                (Scope::Keys(kind, keys), _) => keys.iter().any(|key| chosen(finding.place(), kind, &key.to_string())),
                // Findings that only inform stay.
                _ => !finding.stops() || places.get(finding.place()).is_some_and(|plan| plan.acts),
            }
        };
        self.findings.retain(is_kept);
        self.places = places;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ListedPlan, PlacePlan, ResourcePlan, Selection};
    use crate::resource::Name;

    #[test]
    fn of_what_is_listed_the_selected_resources_are_done_and_the_others_are_left() {
        let node = |name: &str| Place::from(Name::new(name).expect("name"));
        let id: ResourceId = "cloud/table".parse().expect("resource");
        let planned = |_| {
            let phases = vec![Phase::Prepare];
            let listed = ListedPlan { id: id.clone(), changes: Vec::new(), is: None, to: None, phases };
            let resources = [(id.clone(), ResourcePlan { listed: Some(listed), ..ResourcePlan::default() })].into();
            PlacePlan { resources, acts: true, ..PlacePlan::default() }
        };
        let places = ["node-0", "node-1"].map(node);
        for (pattern, kept) in [("table.node-1", &places[1..]), ("table.*", &places[..]), ("list.*", &[])] {
            let places = places.iter().map(|place| (place.clone(), planned(place))).collect();
            let mut plan = Plan { places, ..Plan::default() };
            let targets = vec![pattern.parse().expect("pattern")];
            let selection = Selection { targets, ..Selection::default() };
            plan.select(&Options { selection, ..Options::default() }, &mut Memo::default());
            assert_eq!(plan.places.keys().cloned().collect::<Vec<_>>(), kept, "{pattern}");
            for planned in plan.places.values() {
                let resource = planned.resources.get(&id).expect("planned");
                assert!(planned.acts && !resource.is_left);
                assert_eq!(resource.listed.as_ref().map(|listed| &*listed.phases), Some(&[Phase::Prepare][..]));
            }
        }
    }
}

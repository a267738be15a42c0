//! What is planned for one resource of a place.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ListedPlan, Operation, Reasons, TablePlan};
use crate::network::{Memo, RouteSet};
use crate::resource::{Action, Phase, Reason, ResourceId, Resources, Shape, SharedJson, Token};

/// What is planned for one resource: its routes, and what keeps them.
#[derive(Clone, Debug, Default)]
pub struct ResourcePlan {
    /// The routes, one plan for each table and metric.
    pub tables: Vec<TablePlan>,
    /// The file that keeps the routes, if there is one. Its routes come and go with it.
    pub file: Option<FilePlan>,
    /// What is planned if the rows and settings of the resource are listed.
    pub listed: Option<ListedPlan>,
    /// What a step has to find there before it writes, in the backend's own form. Null for nothing.
    pub guard: SharedJson,
    /// Whether the user's selection left a listed change for another run.
    pub is_left: bool,
}

/// What is planned for the file of a resource.
#[derive(Clone, Debug)]
pub struct FilePlan {
    /// Whether the topology wants the file.
    pub wanted: bool,
    /// What the record says about the file, except its routes.
    pub attributes: SharedJson,
    /// What happens to the file; none: it stays as it is.
    pub change: Option<FileChange>,
    /// Whether the user's selection left a change for another run.
    pub is_left: bool,
    /// When the change is made.
    pub phase: Phase,
    /// The token that the place gave for the file.
    pub token: Option<Token>,
    /// Whether the file takes effect as soon as it is written.
    pub is_loaded: bool,
    /// Whether only the file puts its routes into the kernel. The record then has the token of the routing table, too.
    pub has_table: bool,
}

/// What happens to a file, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// What happens.
    pub action: Action,
    /// Why. If somebody changed the file by hand, the reason has a unified difference: from what is there to what is wanted.
    pub reason: Reason,
    /// The path of the file. A `*` stands for several names.
    pub path: Arc<str>,
    /// What the routes are added to, in words for people; empty if nobody has looked.
    pub definition: Arc<str>,
}

impl FilePlan {
    /// Whether the file is written or removed in a phase.
    pub fn writes_in(&self, phase: Phase) -> bool {
        self.change.is_some() && self.phase == phase
    }

    /// Whether the file is written after the routes. The place checks such a file before it gets routes.
    pub fn is_checked(&self) -> bool {
        self.wanted && self.writes_in(Phase::Persist)
    }
}

impl ResourcePlan {
    /// What the resource becomes; none if it goes.
    pub fn to(&self) -> Option<Shape> {
        if let Some(listed) = &self.listed {
            return listed.to.clone();
        }
        let routes = self.tables.iter().find_map(|table| table.to.clone());
        match &self.file {
            Some(file) if file.wanted => Some(Shape { routes, attributes: file.attributes.clone() }),
            Some(_) => None,
            None => routes.map(Shape::of_routes),
        }
    }

    /// Whether something is done to the resource.
    pub fn acts(&self, memo: &mut Memo) -> bool {
        match (&self.listed, &self.file) {
            (Some(listed), _) => !listed.phases.is_empty(),
            (None, Some(file)) => file.change.is_some(),
            (None, None) => self.tables.iter().any(|table| !table.in_file && !table.is_settled(memo)),
        }
    }

    /// Whether the user's selection left a change or a removal for another run.
    pub fn is_partial(&self) -> bool {
        self.is_left
            || self.tables.iter().any(TablePlan::is_partial)
            || self.file.as_ref().is_some_and(|file| file.is_left)
    }

    /// Leaves a listed change for another run, because the user did not select it.
    pub(super) fn leave_listed(&mut self) {
        if let Some(listed) = &mut self.listed {
            self.is_left = !listed.phases.is_empty();
            listed.phases.clear();
            listed.changes.clear();
        }
    }

    /// The phases in which something is done.
    pub fn phases(&self, reasons: &Reasons<'_>, memo: &mut Memo) -> BTreeSet<Phase> {
        if let Some(listed) = &self.listed {
            return listed.phases.iter().copied().collect();
        }
        let Some(file) = &self.file else {
            return self.tables.iter().flat_map(|table| table.phases(reasons, memo)).collect();
        };
        if file.change.is_none() {
            return BTreeSet::new();
        }
        let mut phases = BTreeSet::from([file.phase]);
        for table in self.tables.iter().filter(|table| table.owns_live_rows) {
            let operations = table.operations(reasons, memo);
            phases.extend(operations.iter().filter(|one| one.only_marks()).map(|one| one.phase));
        }
        phases
    }

    /// The token to record when everything is as wanted, from the tokens that the place gave for a routing table and for the
    /// file.
    pub fn token(&self, table: impl Fn(&TablePlan) -> Option<Token>, file: Option<&Token>) -> Option<Token> {
        let wanted = self.tables.iter().find(|table| table.to.is_some());
        let table = wanted.and_then(|wanted| wanted.recordable(table(wanted)?));
        match &self.file {
            None => table,
            Some(FilePlan { has_table: false, .. }) => file.cloned(),
            Some(_) => Some(Token::joined(&table?, file?)),
        }
    }
}

impl Operation {
    /// Whether the operation only gives topo's mark to a row that is there.
    pub fn only_marks(&self) -> bool {
        self.action != Action::Remove && self.before.is_some_and(|before| before.next_hop == self.route.next_hop)
    }
}

/// Brings the routes of files and of the kernel on one place together: a file leaves out what others provide, and a route that
/// goes from one of the two and stays in the other is not removed.
pub fn align(resources: &mut Resources<ResourcePlan>) {
    let stays_whole = |table: &TablePlan| table.to.as_ref().is_some_and(|to| to.excluded.is_empty());
    // Mostly no table goes, and no route is left to others.
    if resources.values().all(|resource| resource.tables.iter().all(stays_whole)) {
        return;
    }
    let others: Vec<(ResourceId, bool, RouteSet)> = resources
        .iter()
        .flat_map(|(id, resource)| resource.tables.iter().map(move |table| (id, table)))
        .filter(|(_, table)| table.owns_live_rows)
        .filter_map(|(id, table)| Some((id.clone(), table.in_file, table.to.clone()?)))
        .collect();
    for (id, resource) in resources.iter_mut() {
        for table in &mut resource.tables {
            for (_, other_in_file, other) in others.iter().filter(|(other, ..)| other != id) {
                let excluded =
                    table.to.as_mut().filter(|_| table.in_file && !other_in_file && !other.excluded.is_empty());
                if let Some(to) = excluded {
                    to.excluded = Arc::new(to.excluded.union(&other.excluded).copied().collect());
                }
                if table.to.is_none() && table.owns_live_rows && other.view.same_key(&table.view) {
                    table.hand_over_to(other);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::node::fixture::{World, kernel_route, place, prefix};
    use crate::plan::{FiledRoutes, TableInput};

    /// A new table of node-0, without the routes that others have.
    fn table(in_file: bool, excluded: &[&str]) -> ResourcePlan {
        let desired = World::mesh(3, 3).desired();
        let shape = desired.places[&place("node-0")].resources.get(&kernel_route()).expect("wanted");
        let mut set = shape.routes.clone().expect("routes");
        set.excluded = Arc::new(excluded.iter().map(|key| prefix(key)).collect());
        let input = TableInput {
            mark_protocols: vec![201],
            own_protocols: vec![201],
            recorded: &[],
            elsewhere: &[],
            in_doubt: false,
            confirmed: Vec::new(),
            wanted: Some(&set),
            listed: None,
            take_over: &|_| false,
            owns_live_rows: true,
            in_file,
            files: &FiledRoutes::default(),
            beaten: None,
            networks: &[],
            devices: &[],
        };
        let (table, _) = TablePlan::new(input).expect("a table");
        ResourcePlan { tables: vec![table], ..ResourcePlan::default() }
    }

    #[test]
    fn a_file_leaves_out_what_the_kernels_table_leaves_to_others_and_gives_it_no_gaps() {
        const ONE: &str = "172.16.1.0/24";
        const TWO: &str = "172.16.2.0/24";
        let ids = ["a/one", "a/two"].map(|id| id.parse::<ResourceId>().expect("resource"));
        for (in_file, before, after) in [
            ([false, true], [vec![ONE], vec![]], [vec![ONE], vec![ONE]]),
            ([false, true], [vec![], vec![TWO]], [vec![], vec![TWO]]),
            ([false, true], [vec![ONE], vec![TWO]], [vec![ONE], vec![ONE, TWO]]),
            ([true, true], [vec![ONE], vec![TWO]], [vec![ONE], vec![TWO]]),
            ([false, false], [vec![ONE], vec![TWO]], [vec![ONE], vec![TWO]]),
        ] {
            let planned = ids.iter().cloned().zip(in_file.iter().zip(&before).map(|(file, keys)| table(*file, keys)));
            let mut resources: Resources<ResourcePlan> = planned.collect();
            align(&mut resources);
            let left_out = |id: &ResourceId| {
                let to = resources.get(id).and_then(|resource| resource.tables[0].to.as_ref()).expect("routes");
                to.excluded.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            assert_eq!(ids.each_ref().map(left_out), after, "{in_file:?} {before:?}");
        }
    }
}

//! What is compared: each table and each subnet that is wanted or recorded, once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::ARM;
use super::findings::refusal;
use super::space::{outside, space_of};
use super::table::DesiredTable;
use super::{Recorded, Seen, SubnetTask, TableClaims, TableTask, TableVerdict, Wanted, key};
use crate::plan::Options;
use crate::plan::findings::Finding;
use crate::resource::Place;

/// A table with what it is compared with.
pub(super) struct TableInputs<'a> {
    pub(super) task: TableTask,
    pub(super) wanted: Option<&'a Wanted>,
    /// Next hops inside.
    pub(super) next_hops: BTreeSet<IpAddr>,
    /// Whether there are nodes outside, and nobody has said what to do about them.
    pub(super) strays: bool,
}

/// All that is compared.
pub(super) struct AllInputs<'a> {
    pub(super) tables: Vec<TableInputs<'a>>,
    pub(super) subnets: Vec<(SubnetTask, Option<&'a Wanted>)>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> AllInputs<'a> {
    pub(super) fn new(wanted: &'a [Wanted], recorded: &Recorded, options: &Options, seen: Option<&Seen>) -> Self {
        let options = Arc::new(options.clone());
        let mut drafts = Self { tables: Vec::new(), subnets: Vec::new(), findings: Vec::new() };
        drafts.add_subnets(wanted, recorded, &options);
        // A subnet whose association goes, or goes elsewhere, does not keep its table.
        let leaving = |table: &str| -> BTreeSet<String> {
            let leaves = |task: &&(SubnetTask, Option<&Wanted>)| {
                let elsewhere = task.0.table().is_none_or(|other| !other.eq_ignore_ascii_case(table));
                // What was adopted stays where nothing else is wanted.
                let leaves = task.0.table().is_some() || task.0.may_have_made();
                task.0.claimed.is_some() && task.0.is_chosen() && elsewhere && leaves
            };
            drafts.subnets.iter().filter(leaves).map(|(task, _)| key(&task.id)).collect()
        };
        let is_held = |table: &str| {
            let holds = |task: &SubnetTask| {
                let claims = task.claimed.iter().flat_map(|claim| &claim.shapes);
                let mut tables = claims.map(|(record, _)| &record.route_table);
                !task.is_chosen() && tables.any(|other| other.eq_ignore_ascii_case(table))
            };
            drafts.subnets.iter().any(|(task, _)| holds(task))
        };
        let task = |place: Place, id: String, desired: Option<DesiredTable>, claims: TableClaims| TableTask {
            leaving: leaving(&id),
            is_held: is_held(&id),
            place,
            id,
            desired,
            claims,
            options: Arc::clone(&options),
            owners: Arc::default(),
            left_out: BTreeSet::new(),
            left_to_others: BTreeSet::new(),
        };
        let (mut tables, mut findings) = (Vec::new(), Vec::new());
        for wanted in wanted {
            let id = wanted.settings.table_id();
            let place = place_of(&id, recorded.tables.keys());
            let claims = recorded.tables.get(&place).cloned().unwrap_or_default();
            let space = match space_of(wanted, seen) {
                // Without subnets nobody knows a network, whatever was recorded once.
                Ok(space) => space.or_else(|| claims.space.clone().filter(|_| !wanted.settings.subnets.is_empty())),
                Err((code, text)) => {
                    findings.push(refusal(code, &place, text));
                    claims.space.clone()
                }
            };
            let routes = wanted.routes(space.as_deref().filter(|space| !space.is_empty()));
            findings.extend(outside(wanted, &place, &routes.outside, space.as_deref()));
            let next_hops = routes.routes.values().filter_map(|(route, _)| route.hop.address).collect();
            let strays = wanted.settings.outside.is_none() && !routes.outside.is_empty();
            let desired = DesiredTable {
                topology: wanted.topology.clone(),
                backend: wanted.backend.clone(),
                settings: wanted.settings.clone(),
                routes: routes.routes,
                space,
            };
            let task = task(place, id, Some(desired), claims);
            tables.push(TableInputs { task, wanted: Some(wanted), next_hops, strays });
        }
        for (place, claims) in &recorded.tables {
            let Some(id) = arm(place).filter(|_| !tables.iter().any(|draft| draft.task.place == *place)) else {
                continue;
            };
            let task = task(place.clone(), id.to_owned(), None, claims.clone());
            tables.push(TableInputs { task, wanted: None, next_hops: BTreeSet::new(), strays: false });
        }
        drafts.tables = tables;
        drafts.findings = findings;
        drafts
    }

    fn add_subnets(&mut self, wanted: &'a [Wanted], recorded: &Recorded, options: &Arc<Options>) {
        let claims =
            || recorded.associations.iter().flat_map(|(place, claims)| claims.iter().map(move |claim| (place, claim)));
        for (wanted, id) in wanted.iter().flat_map(|wanted| subnets_of(wanted).map(move |(_, id)| (wanted, id))) {
            let claimed = claims().find(|(place, claim)| {
                arm(place).is_some_and(|network| subnet_id(network, &claim.id.name).eq_ignore_ascii_case(&id))
            });
            let network = id.rsplit_once("/subnets/").map_or(id.as_str(), |(network, _)| network);
            // One network is one place, however its name is written.
            let known = claimed.map(|(place, _)| place).into_iter().chain(recorded.associations.keys());
            let place = place_of(network, known.chain(self.subnets.iter().map(|(task, _)| &task.place)));
            let task = SubnetTask {
                place,
                wanted: Some((wanted.backend.clone(), wanted.settings.table_id())),
                claimed: claimed.map(|(_, claim)| claim.clone()),
                options: Arc::clone(options),
                id,
            };
            self.subnets.push((task, Some(wanted)));
        }
        for (place, claim) in claims() {
            let Some(id) = arm(place).map(|network| subnet_id(network, &claim.id.name)) else { continue };
            if self.subnets.iter().any(|(task, _)| task.id.eq_ignore_ascii_case(&id)) {
                continue;
            }
            let (claimed, options) = (Some(claim.clone()), Arc::clone(options));
            self.subnets.push((SubnetTask { place: place.clone(), id, wanted: None, claimed, options }, None));
        }
    }
}

impl TableInputs<'_> {
    pub(super) fn verdict(&self, seen: Option<&Seen>) -> TableVerdict {
        match Seen::table(seen, &self.task.id).known() {
            Ok(live) => self.task.compare(live),
            Err(_) => self.task.compare(self.task.believed().as_ref()),
        }
    }

    pub(super) fn unseen(&self, seen: Option<&Seen>) -> Option<String> {
        Seen::table(seen, &self.task.id).known().err().map(|why| why.to_string())
    }
}

pub(super) fn subnets_of(wanted: &Wanted) -> impl Iterator<Item = (&super::SubnetName, String)> {
    let settings = &wanted.settings;
    settings.subnets.iter().map(|subnet| (subnet, subnet_id(&settings.network_id(subnet), &subnet.subnet)))
}

pub(super) fn subnet_id(network: &str, subnet: &str) -> String {
    format!("{network}/subnets/{subnet}")
}

/// The id of a place in Azure.
pub fn arm(place: &Place) -> Option<&str> {
    (*place.kind() == ARM).then(|| place.id())
}

/// The place of an id: the one on record where it is the same but for case.
pub(super) fn place_of<'p>(id: &str, mut known: impl Iterator<Item = &'p Place>) -> Place {
    let same = |place: &&Place| arm(place).is_some_and(|other| other.eq_ignore_ascii_case(id));
    known.find(same).cloned().unwrap_or_else(|| Place::new(&ARM, id))
}

//! The questions for Azure: tables and subnets, and more only if they are not as wanted.

use std::collections::{BTreeMap, BTreeSet};

use super::drafts::{AllInputs, arm, subnet_id, subnets_of};
use super::{Recorded, Seen, Wanted, key};
use crate::plan::Options;
use crate::resource::{Action, Evidence};

/// The questions, with ids in the spelling to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Route tables.
    pub tables: BTreeSet<String>,
    /// Subnets.
    pub subnets: BTreeSet<String>,
    /// Virtual networks.
    pub networks: BTreeSet<String>,
    /// Subscriptions and locations, to learn how many routes a table may have.
    pub limits: BTreeSet<(String, String)>,
    /// Virtual networks whose network interfaces topo needs.
    pub interfaces: BTreeSet<String>,
    /// Single network interfaces.
    pub forwardings: BTreeSet<String>,
}

impl Questions {
    /// Whether there are no questions.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The next questions, given the answers so far: tables and subnets first, and more only if they are not as wanted.
pub fn questions(wanted: &[Wanted], recorded: &Recorded, options: &Options, seen: &Seen) -> Questions {
    let mut questions = Questions::default();
    let tables = wanted.iter().map(|wanted| wanted.settings.table_id());
    let recorded_tables = recorded.tables.keys().filter_map(arm).map(str::to_owned);
    questions.tables = distinct(tables.chain(recorded_tables), |id| seen.tables.contains_key(id));
    let subnets = wanted.iter().flat_map(subnets_of).map(|(_, id)| id);
    let recorded_subnets = recorded
        .associations
        .iter()
        .flat_map(|(place, claims)| claims.iter().filter_map(|claim| Some(subnet_id(arm(place)?, &claim.id.name))));
    questions.subnets = distinct(subnets.chain(recorded_subnets), |id| seen.subnets.contains_key(id));
    if options.revert_forwarding {
        let ids = recorded.forwardings.keys().filter_map(arm).map(str::to_owned);
        questions.forwardings = distinct(ids, |id| seen.forwardings.contains_key(id));
    }
    let in_doubt = recorded.forwardings.iter().filter(|(_, claim)| claim.in_doubt);
    let in_doubt = in_doubt.filter_map(|(place, _)| arm(place)).map(str::to_owned);
    questions.forwardings.append(&mut distinct(in_doubt, |id| seen.forwardings.contains_key(id)));
    if !questions.is_empty() {
        return questions;
    }
    let drafts = AllInputs::new(wanted, recorded, options, Some(seen));
    for (draft, wanted) in drafts.tables.iter().filter_map(|draft| Some((draft, draft.wanted?))) {
        let networks = wanted.networks();
        let grows = |action: Action| matches!(action, Action::Add | Action::Change | Action::Import);
        let verdict = draft.verdict(Some(seen));
        let associates = drafts.subnets.iter().any(|(task, _)| {
            let own = task.table().is_some_and(|table| table.eq_ignore_ascii_case(&draft.task.id));
            own && task.verdict(Some(seen)).change().is_some_and(|change| grows(change.action))
        });
        // A prefix that was outside when topo made the routes may be inside now.
        if !associates && !draft.strays && !verdict.changes().any(|change| grows(change.action)) {
            continue;
        }
        let missing = distinct(networks.iter().cloned(), |id| seen.networks.contains_key(id));
        let limit = (wanted.settings.subscription.clone(), wanted.settings.location.clone());
        if !seen.limits.contains_key(&limit) && verdict.body.is_some() {
            questions.limits.insert(limit);
        }
        if missing.is_empty() {
            // If topo could not read a network, nobody knows where to look.
            let there = networks.into_iter().filter(|id| matches!(Seen::network(Some(seen), id), Evidence::Seen(_)));
            questions.interfaces.extend(distinct(there, |id| seen.interfaces.contains_key(id)));
        }
        questions.networks.extend(missing);
    }
    questions
}

/// Ids that are still unknown, each once; ignores case.
fn distinct(ids: impl Iterator<Item = String>, known: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let ids: BTreeMap<String, String> = ids.map(|id| (key(&id), id)).filter(|(key, _)| !known(key)).collect();
    ids.into_values().collect()
}

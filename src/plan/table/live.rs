//! Judges the live rows of a routing table, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{TableFindings, TableInput, TablePlan};
use crate::exchange::node::{Listed, LiveRoute};
use crate::network::{BOOT, KERNEL, STATIC};
use crate::network::{Prefix, RouteSet, Row};
use crate::plan::ForeignKey;
use crate::plan::classify::{Key, KeyVerdict, Surplus, Verdict, classify};
use crate::plan::operation::Live;
use crate::resource::Action;

impl TablePlan {
    pub(super) fn judge(&mut self, input: &TableInput<'_>, listed: &Listed, findings: &mut TableFindings) {
        let mut live: BTreeMap<Prefix, Vec<&LiveRoute>> = BTreeMap::new();
        for row in listed.rows() {
            let here = row.metric == self.view.kernel_metric(row.family());
            if here {
                live.entry(row.destination).or_default().push(row);
            }
            if !here || row.destination.length() > 0 {
                self.note_winner(row, here, input, findings);
            }
        }
        let mut keys: BTreeSet<Prefix> = live.keys().copied().collect();
        // Recorded rows are only known to be live if they are listed, or if the token is the recorded one.
        if !listed.ours.is_as_known() {
            for set in input.recorded {
                keys.extend(set.routes().map(|route| route.destination).filter(|key| !live.contains_key(key)));
            }
        }
        for key in keys {
            let rows = live.get(&key).map(Vec::as_slice).unwrap_or_default();
            self.judge_key(input, listed, key, rows, findings);
        }
        for row in listed.rows() {
            self.judge_own(input, listed, row, findings);
        }
        self.judge_networks(input, listed, findings);
        if input.in_doubt {
            let one_mark = input.recorded.iter().all(|set| Some(set.view.protocol) == self.recorded_protocol());
            let one_row = self.overrides.values().all(|judged| judged.surplus.is_empty());
            self.settled = if one_mark && one_row {
                settle(input.recorded, &live, &self.overrides).into_iter().collect()
            } else {
                // A set has one mark for all its rows and one row for each key, but rows of both sides may be there.
                let there = |key: &Prefix| live.contains_key(key) && is_ours(self.overrides.get(key));
                let settled = input.recorded.iter().map(|set| {
                    let gone = set.routes().map(|route| route.destination).filter(|key| !there(key));
                    let excluded = Arc::new(set.excluded.iter().copied().chain(gone).collect());
                    RouteSet { excluded, ..(*set).clone() }
                });
                settled.collect()
            };
        }
        // If such a token was recorded, it would hide a row with topo's mark that is not recorded.
        let marked = |(_, foreign): &(Prefix, ForeignKey)| self.mark_protocols.contains(&foreign.protocol);
        let is_marked = |row: &LiveRoute| self.mark_protocols.contains(&row.protocol);
        // Such a row can be a part of what topo takes for its own rows.
        let is_among_ours =
            |protocol: &u8| input.own_protocols.contains(protocol) || (self.accepts_static && *protocol == STATIC);
        self.has_strays = !findings.stray.is_empty()
            || findings.conflicts.iter().any(marked)
            || findings.led_away.iter().any(|(row, _)| is_marked(row))
            || findings.partly_led_away.iter().any(|(_, row)| is_marked(row))
            || findings.contested.iter().any(is_among_ours);
        self.has_winners = !findings.cut_off.is_empty()
            || !findings.wins.is_empty()
            || !findings.beside.is_empty()
            || !findings.led_away.is_empty()
            || !findings.partly_led_away.is_empty()
            || !findings.contested.is_empty();
        self.leave_out(findings);
    }

    fn judge_key(
        &mut self,
        input: &TableInput<'_>,
        listed: &Listed,
        key: Prefix,
        live: &[&LiveRoute],
        findings: &mut TableFindings,
    ) {
        let wanted = self.to.as_ref().and_then(|set| set.find(&key));
        let mut owned: Vec<IpAddr> = Vec::new();
        for set in input.recorded {
            owned.extend(set.find(&key).map(|route| route.next_hop).filter(|hop| !owned.contains(hop)));
        }
        if wanted.is_none() && owned.is_empty() {
            // Others write static rows as well.
            let is_stray = |row: &&&LiveRoute| input.own_protocols.contains(&row.protocol) && row.protocol != STATIC;
            findings.stray.extend(live.iter().filter(is_stray).map(|row| (*row).clone()));
            return;
        }
        // The place did not send topo's rows, because they are as recorded. Rows of others beside them do not matter here.
        if listed.ours.is_as_known() && !owned.is_empty() {
            // But a change would hit the first row of the key, whoever has it.
            let changes =
                wanted.is_some_and(|to| owned != [to.next_hop]) || self.recorded_protocol() != Some(self.view.protocol);
            if wanted.is_some() && changes {
                self.block(key, live[0], findings);
            } else if wanted.is_some() {
                note_beside(input, key, live, findings);
            }
            return;
        }
        let KeyVerdict { verdict, surplus } = classify(
            Key {
                owned: &owned,
                confirmed: input.confirmed.iter().any(|set| set.find(&key).is_some()),
                wanted,
                kept_in_file: input.files.has(&key),
                take_over: (input.take_over)(&key),
                ..self.key(input)
            },
            live,
        );
        // What others configure can come back beside the written row.
        let comes_back = |row: &&&LiveRoute| {
            matches!(row.protocol, BOOT | STATIC) && row.next_hop.is_some_and(|hop| !owned.contains(&hop))
        };
        if let Some(to) = wanted {
            let others = live.iter().filter(comes_back).filter(|row| row.next_hop != Some(to.next_hop));
            findings.contested.extend(others.map(|row| row.protocol));
        }
        let goes = |row: &LiveRoute| {
            let is_row = |live: Live| row.next_hop == Some(live.next_hop) && row.protocol == live.protocol;
            surplus.iter().any(|surplus| is_row(surplus.live))
        };
        let stay: Vec<&LiveRoute> = live.iter().copied().filter(|row| !goes(row)).collect();
        if let (Verdict::Act { action: Action::Change | Action::Import, before: Some(before), .. }, [first, _, ..]) =
            (&verdict, stay.as_slice())
        {
            let same = |row: &&&LiveRoute| row.next_hop == Some(before.next_hop) && row.protocol == before.protocol;
            let other = stay.iter().find(|row| !same(row)).unwrap_or(first);
            if *before
                != (Live { next_hop: wanted.map_or(before.next_hop, |to| to.next_hop), protocol: self.view.protocol })
            {
                if owned.is_empty() {
                    let foreign = ForeignKey::of(other);
                    findings.conflicts.push((key, foreign.clone()));
                    self.overrides.insert(key, Verdict::Conflict(foreign).into());
                } else {
                    self.block(key, other, findings);
                }
                return;
            }
        }
        if verdict == Verdict::Same {
            let ours = wanted.map(|to| to.next_hop);
            let others: Vec<&LiveRoute> = stay.iter().copied().filter(|row| row.next_hop != ours).collect();
            note_beside(input, key, &others, findings);
        }
        match &verdict {
            Verdict::Conflict(foreign) => {
                // The subnet has moved, and its old owner still has the bridge. The bridge has to go first.
                let was_own = input
                    .recorded
                    .iter()
                    .any(|set| set.rows.find(&key).is_some_and(|row| set.own.contains(&row.owner)));
                if foreign.protocol == KERNEL && was_own {
                    findings.deferred.push((key, foreign.found.clone()));
                } else {
                    findings.conflicts.push((key, foreign.clone()));
                }
            }
            Verdict::Provided(found) => findings.provided.push((key, found.clone())),
            Verdict::Lost(found) => findings.lost.push((key, found.clone())),
            Verdict::Act { before: Some(before), .. } if !self.mark_protocols.contains(&before.protocol) => {
                self.guard_foreign = true;
            }
            // The two sets say the same already.
            Verdict::Same
                if surplus.is_empty()
                    && !input.in_doubt
                    && owned.len() == 1
                    && wanted.is_some_and(|to| to.next_hop == owned[0])
                    && self.recorded_protocol() == Some(self.view.protocol) =>
            {
                return;
            }
            Verdict::Act { reason: None, before: Some(before), .. }
                if surplus.is_empty()
                    && !input.in_doubt
                    && owned == [before.next_hop]
                    && self.recorded_protocol() == Some(before.protocol) =>
            {
                return;
            }
            // The sets differ in it, and say the same. A recorded route that is missing has a reason.
            Verdict::Act { reason: None, before: None, .. } => return,
            _ => {}
        }
        self.overrides.insert(key, KeyVerdict { verdict, surplus });
    }

    /// Whether rows of ours say that their gateway is on-link.
    fn is_on_link(&self) -> bool {
        self.to.iter().chain(&self.from).chain(&self.doubts).any(|set| set.view.gateway_on_link)
    }

    /// What is known about a key that is neither recorded nor wanted.
    fn key<'k>(&'k self, input: &TableInput<'_>) -> Key<'k> {
        Key {
            owned: &[],
            in_doubt: input.in_doubt,
            confirmed: false,
            wanted: None,
            protocol: self.view.protocol,
            mark_protocols: &self.mark_protocols,
            kept_in_file: false,
            accepts_static: input.files.wanted,
            take_over: false,
            is_own: false,
            has_on_link: self.is_on_link(),
        }
    }

    /// `ip route change` changes the first row of a key, and a listing does not tell which row that is. So if others have a row with
    /// the same key, topo leaves its own row as it is and keeps it.
    fn block(&mut self, key: Prefix, other: &LiveRoute, findings: &mut TableFindings) {
        findings.blocked_keys.push((key, other.describe()));
        self.overrides.insert(key, Verdict::NotSelected.into());
    }

    pub(super) fn recorded_protocol(&self) -> Option<u8> {
        self.from.as_ref().map(|set| set.view.protocol)
    }

    /// Notes a row of others that wins over a wanted route: a longer prefix inside it, or the same prefix with a lower metric.
    fn note_winner(&self, row: &LiveRoute, same_key: bool, input: &TableInput<'_>, findings: &mut TableFindings) {
        let Some(wanted) = &self.to else { return };
        let ours = self.mark_protocols.contains(&row.protocol)
            && (row.protocol != STATIC || input.files.has(&row.destination));
        // A recorded row with another metric goes in the same run.
        let is_recorded = |set: &&RouteSet| {
            set.view.table == self.view.table
                && set.view.kernel_metric(row.family()) == row.metric
                && set.find(&row.destination).is_some_and(|route| row.next_hop == Some(route.next_hop))
        };
        if ours && (same_key || input.elsewhere.iter().any(is_recorded)) {
            return;
        }
        let Some(covering) = covering(wanted, &row.destination).filter(|row| wanted.route(row).is_some()) else {
            return;
        };
        let longer = covering.destination != row.destination;
        let lower = !same_key && row.metric < self.view.kernel_metric(row.family());
        if longer || lower {
            let what = if longer { row.destination.to_string() } else { format!("metric {}", row.metric) };
            findings.wins.push((covering.destination, format!("{what} {}", row.describe())));
        }
    }

    /// Judges a row that leads the node's own pods elsewhere. It wins over the bridge that they are behind.
    fn judge_own(&mut self, input: &TableInput<'_>, listed: &Listed, row: &LiveRoute, findings: &mut TableFindings) {
        let Some(to) = &self.to else { return };
        // A row over a device may be the bridge's own. Other programs have blackholes on purpose, with longer prefixes for the pods.
        let is_by_hand = !row.plain && matches!(row.protocol, BOOT | STATIC);
        if row.next_hop.is_none() && !is_by_hand {
            return;
        }
        let key = row.destination;
        let Some(pods) = covering(to, &key).filter(|pods| to.own.contains(&pods.owner)) else { return };
        // topo removes recorded rows anyway, also those that somebody changed.
        let is_ours = |set: &&RouteSet| set.find(&key).is_some_and(|route| Some(route.next_hop) == row.next_hop);
        if self.mark_protocols.contains(&row.protocol) && input.recorded.iter().any(is_ours) {
            return;
        }
        let here = row.metric == self.view.kernel_metric(row.family());
        if here && self.overrides.get(&key).is_some_and(|judged| judged.removes(row)) {
            return;
        }
        if pods.destination != key {
            findings.partly_led_away.push((pods.destination, row.clone()));
            return;
        }
        let is_bridge = |other: &LiveRoute| {
            other.destination == key
                && other.protocol == KERNEL
                && other.next_hop.is_none()
                && other.metric < row.metric
        };
        if listed.rows().any(is_bridge) {
            return;
        }
        // An operation can only name the metric of its own table.
        let own = Key { take_over: here && (input.take_over)(&key), is_own: true, ..self.key(input) };
        let KeyVerdict { verdict, .. } = classify(own, &[row]);
        findings.stray.retain(|stray| stray != row);
        if let Verdict::Conflict(foreign) = &verdict {
            findings.led_away.push((row.clone(), here && foreign.can_be_taken));
        } else {
            self.guard_foreign |= !self.mark_protocols.contains(&row.protocol);
            self.remove_too(key, verdict, input);
        }
    }

    /// Notes pods of the node that its packets do not reach: the row that the kernel made with their bridge's address is gone. Somebody
    /// who types a route with the same key replaces it, and it does not come back with the removal of that route.
    fn judge_networks(&self, input: &TableInput<'_>, listed: &Listed, findings: &mut TableFindings) {
        let Some(to) = self.to.as_ref().filter(|_| !listed.foreign.is_as_known()) else { return };
        let is_own = |network: &&Prefix| covering(to, network).is_some_and(|pods| to.own.contains(&pods.owner));
        // An address of all bits has no row of its own there.
        let is_host = |network: &Prefix| *network == Prefix::host(network.address());
        let has_row = |network: &Prefix| {
            listed.rows().any(|row| row.destination == *network && (row.next_hop.is_none() || row.protocol == KERNEL))
        };
        let cut_off = input.networks.iter().filter(is_own).filter(|network| !is_host(network) && !has_row(network));
        findings.cut_off.extend(cut_off.copied());
    }

    /// Removes a row that the user takes over, beside the rows of the key that go anyway.
    fn remove_too(&mut self, key: Prefix, verdict: Verdict, input: &TableInput<'_>) {
        let recorded = input.recorded.iter().find_map(|set| Some((set.find(&key)?.next_hop, set.view.protocol)));
        // Without a verdict, the recorded row is there as it is recorded.
        let ours = recorded.map(|(next_hop, protocol)| Live { next_hop, protocol });
        let ours = ours.map(|live| Verdict::Act { action: Action::Remove, reason: None, before: Some(live) });
        let before = self.overrides.remove(&key).or(ours.map(KeyVerdict::from));
        let judged = match (before, verdict) {
            (Some(before), Verdict::Act { reason, before: Some(live), .. }) => {
                let surplus = [before.surplus, vec![Surplus { live, reason }]].concat();
                KeyVerdict { surplus, ..before }
            }
            (_, verdict) => verdict.into(),
        };
        self.overrides.insert(key, judged);
    }

    /// Takes out of the wanted routes what others have or provide. topo neither writes nor records it.
    fn leave_out(&mut self, findings: &TableFindings) {
        let others = findings.conflicts.iter().map(|(key, ..)| key).chain(findings.provided.iter().map(|(key, _)| key));
        let excluded: BTreeSet<Prefix> = others.chain(findings.deferred.iter().map(|(key, _)| key)).copied().collect();
        if let Some(to) = self.to.as_mut().filter(|_| !excluded.is_empty()) {
            to.excluded = Arc::new(to.excluded.union(&excluded).copied().collect());
        }
    }
}

/// Notes rows of others beside a route of topo's with the same key. It is the order of the two which decides, and a listing of both
/// parts of a table does not tell it, so the place was asked.
fn note_beside(input: &TableInput<'_>, key: Prefix, others: &[&LiveRoute], findings: &mut TableFindings) {
    findings.contested.extend(others.iter().map(|row| row.protocol));
    match input.beaten {
        Some(beaten) => findings.wins.extend(beaten.iter().filter(|(of, _)| *of == key).cloned()),
        None => findings.beside.extend(others.iter().map(|row| (key, row.describe()))),
    }
}

/// The row of a set that covers a prefix, whoever owns the row.
fn covering<'s>(set: &'s RouteSet, prefix: &Prefix) -> Option<&'s Row> {
    let rows = set.rows.as_slice();
    // Rows do not overlap, so only the last row that does not sort behind the prefix can cover it.
    let at = rows.partition_point(|candidate| candidate.destination <= *prefix);
    let covering = at.checked_sub(1).and_then(|at| rows.get(at));
    covering.filter(|covering| covering.destination.covers(prefix))
}

/// Whether a live row of a key in doubt is topo's. A row that topo cannot change is.
fn is_ours(judged: Option<&KeyVerdict>) -> bool {
    matches!(judged.map(|judged| &judged.verdict), Some(Verdict::Same | Verdict::Act { .. } | Verdict::NotSelected))
}

/// What a record in doubt turned out to be: the rows of either side that are live and topo's. If possible, this is one of the two
/// sets with exceptions, so that lists stay shared.
fn settle(
    recorded: &[&RouteSet],
    live: &BTreeMap<Prefix, Vec<&LiveRoute>>,
    verdicts: &BTreeMap<Prefix, KeyVerdict>,
) -> Option<RouteSet> {
    let rows_of = |key: &Prefix| live.get(key).map(Vec::as_slice).unwrap_or_default();
    let mut all: BTreeMap<Prefix, Row> = BTreeMap::new();
    for set in recorded {
        for row in set.rows.as_slice() {
            let Some(route) = set.route(row).filter(|route| is_ours(verdicts.get(&route.destination))) else {
                continue;
            };
            let rows = rows_of(&route.destination);
            // A row as recorded says which side is live. The key of an altered row stays in the record.
            if rows.iter().any(|row| row.next_hop == Some(route.next_hop)) {
                all.insert(route.destination, *row);
            } else if !rows.is_empty() {
                all.entry(route.destination).or_insert(*row);
            }
        }
    }
    let within = |set: &RouteSet| {
        all.values().all(|row| set.route(row).is_some() && set.rows.find(&row.destination) == Some(row))
    };
    let base = recorded.iter().rev().find(|set| within(set));
    let Some(base) = base else {
        let mut set = (*recorded.last()?).clone();
        set.rows = all.into_values().collect();
        set.excluded = Arc::default();
        return Some(set);
    };
    let mut set = (*base).clone();
    let missing: BTreeSet<Prefix> =
        base.routes().map(|route| route.destination).filter(|key| !all.contains_key(key)).collect();
    if !missing.is_empty() {
        set.excluded = Arc::new(set.excluded.union(&missing).copied().collect());
    }
    Some(set)
}

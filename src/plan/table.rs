//! What happens to one routing table of one node: two route sets, and the keys whose live rows are not as recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::classify::{Key, Verdict, classify};
use super::operation::{Live, Operation};
use crate::exchange::node::{Listed, LiveRoute};
use crate::network::{KERNEL, Memo, Prefix, Route, RouteChange, RouteSet, Row, STATIC, View};
use crate::plan::ForeignKey;
use crate::resource::{Action, Phase, Reason, Token};

/// The changes of one table (and metric) of one node. Routes are computed when they are asked for.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// How the routes are written: table, metric, protocol.
    pub view: Arc<View>,
    /// Protocols that are our mark there: the one that is written, and the recorded one where it differs.
    pub marks: Vec<u8>,
    /// What is recorded and, but for `special`, live.
    pub from: Option<RouteSet>,
    /// What else is recorded, where the record is in doubt.
    pub doubts: Vec<RouteSet>,
    /// What is wanted.
    pub to: Option<RouteSet>,
    /// Keys whose live rows are not as recorded, with what follows for each.
    pub special: BTreeMap<Prefix, Verdict>,
    /// What a record in doubt turned out to be, where the place was looked at; several where the marks differ.
    pub settled: Vec<RouteSet>,
    /// What the place gave for the table when it was looked at.
    pub token: Option<Token>,
    /// Whether rows with our mark are there that are neither wanted nor recorded: the token cannot stand for the record then.
    pub has_strays: bool,
    /// Whether others' rows win over wanted ones: they are to be listed again each time, for the warning.
    pub has_winners: bool,
    /// Whether a row without our mark is changed, so that the guard has to include the others' rows.
    pub guard_foreign: bool,
    /// Whether the live rows of this table are looked at for it. Not where its routes stand in a file and somebody else of ours
    /// puts them into the kernel.
    pub judged: bool,
    /// Whether a file of ours has or had the routes, so that live rows may be static.
    pub filed: bool,
    /// Whether a file of ours is to have the routes.
    pub stays_static: bool,
    /// When rows are removed: with the file, where a file of ours is written before.
    pub retires: Phase,
}

/// What is said about a table beside its changes.
#[derive(Debug, Default)]
pub struct TableFindings {
    /// Keys that somebody else has, and what is there.
    pub conflicts: Vec<(Prefix, ForeignKey)>,
    /// Routes that somebody else provides.
    pub provided: Vec<(Prefix, String)>,
    /// Records of rows that somebody else has now and that are not wanted any more.
    pub lost: Vec<(Prefix, String)>,
    /// Rows with our mark that are neither wanted nor recorded.
    pub stray: Vec<LiveRoute>,
    /// Other rows that win over a wanted route for some or all of its addresses: wanted destination, description.
    pub wins: Vec<(Prefix, String)>,
    /// Keys of ours that cannot be changed because somebody else has put a row beside ours.
    pub held: Vec<(Prefix, String)>,
    /// Keys of subnets that were the node's own and whose bridge still has them.
    pub deferred: Vec<(Prefix, String)>,
}

/// What a table is judged by.
pub struct TableInput<'a> {
    /// Protocols that are our mark in this table, recorded or wanted.
    pub marks: Vec<u8>,
    /// Those of this resource alone.
    pub own_marks: Vec<u8>,
    /// What is recorded: one shape, or two where it is in doubt.
    pub recorded: &'a [&'a RouteSet],
    /// Whether the record is in doubt.
    pub in_doubt: bool,
    /// What is recorded and was confirmed once; the rest of a record in doubt may never have been written.
    pub firm: Vec<&'a RouteSet>,
    /// What is wanted.
    pub wanted: Option<&'a RouteSet>,
    /// What was listed.
    pub listed: Option<&'a Listed>,
    /// Whether a destination is taken over from others.
    pub take_over: &'a dyn Fn(&Prefix) -> bool,
    /// Whether the live rows are looked at for it.
    pub judged: bool,
    /// What files of ours keep there.
    pub files: &'a FiledRoutes<'a>,
}

/// The routes that files of ours keep on a node: systemd-networkd installs them as protocol static.
#[derive(Debug, Default)]
pub struct FiledRoutes<'a> {
    /// As recorded.
    pub recorded: Vec<&'a RouteSet>,
    /// As they stand in files of this topology that are there, recorded or not.
    pub found: BTreeMap<Prefix, IpAddr>,
    /// Whether such a file is to be there.
    pub wanted: bool,
}

impl FiledRoutes<'_> {
    /// Whether a static row with this destination comes from a file of ours.
    pub fn has(&self, destination: &Prefix) -> bool {
        self.found.contains_key(destination) || self.recorded.iter().any(|set| set.find(destination).is_some())
    }

    /// Whether static rows may be ours.
    pub fn any(&self) -> bool {
        self.wanted || !self.recorded.is_empty() || !self.found.is_empty()
    }
}

impl TablePlan {
    /// Judges one table by its two route sets (at least one of which is there) and its live rows.
    pub fn new(input: &TableInput<'_>) -> Option<(Self, TableFindings)> {
        let view = input.wanted.or(input.recorded.first().copied()).map(|set| Arc::clone(&set.view))?;
        let from = input.recorded.first().map(|set| (*set).clone());
        let mut plan = Self {
            view,
            marks: input.marks.clone(),
            from,
            doubts: input.recorded.iter().skip(1).map(|set| (*set).clone()).collect(),
            to: input.wanted.cloned(),
            special: BTreeMap::new(),
            settled: Vec::new(),
            token: input.listed.map(|listed| listed.token.clone()),
            has_strays: false,
            has_winners: false,
            guard_foreign: false,
            judged: input.judged,
            filed: !input.files.recorded.is_empty() || !input.files.found.is_empty(),
            stays_static: input.files.wanted,
            retires: Phase::Retire,
        };
        let mut findings = TableFindings::default();
        match input.listed {
            Some(listed) => plan.judge(input, listed, &mut findings),
            // Nobody looked: what somebody else was seen to provide is taken to be there still.
            None => {
                if let (Some(from), Some(to)) = (&plan.from, &mut plan.to) {
                    to.lacks = Arc::clone(&from.lacks);
                }
            }
        }
        Some((plan, findings))
    }

    fn judge(&mut self, input: &TableInput<'_>, listed: &Listed, findings: &mut TableFindings) {
        let mut live: BTreeMap<Prefix, Vec<&LiveRoute>> = BTreeMap::new();
        for row in listed.rows() {
            let here = row.metric == self.view.kernel_metric(row.family());
            if here {
                live.entry(row.destination).or_default().push(row);
            }
            if !here || row.destination.length() > 0 {
                self.note_winner(row, here, input.files, findings);
            }
        }
        let mut keys: BTreeSet<Prefix> = live.keys().copied().collect();
        // Rows as recorded are only assured where the listing is there, or the token is the recorded one.
        if !listed.ours.is_as_known() {
            for set in input.recorded {
                keys.extend(set.routes().map(|route| route.destination).filter(|key| !live.contains_key(key)));
            }
        }
        for key in keys {
            let rows = live.get(&key).map(Vec::as_slice).unwrap_or_default();
            self.judge_key(input, listed, key, rows, findings);
        }
        if input.in_doubt {
            let one_mark = input.recorded.iter().all(|set| Some(set.view.protocol) == self.recorded_protocol());
            self.settled = if one_mark {
                settle(input.recorded, &live, &self.special).into_iter().collect()
            } else {
                // A set says one mark for all its rows, and some may have each.
                let there = |key: &Prefix| live.contains_key(key) && is_ours(self.special.get(key));
                let settled = input.recorded.iter().map(|set| {
                    let gone = set.routes().map(|route| route.destination).filter(|key| !there(key));
                    let lacks = Arc::new(set.lacks.iter().copied().chain(gone).collect());
                    RouteSet { lacks, ..(*set).clone() }
                });
                settled.collect()
            };
        }
        // A row with our mark that is not recorded would be hidden by a token that is.
        let marked = |(_, foreign): &(Prefix, ForeignKey)| self.marks.contains(&foreign.protocol);
        self.has_strays = !findings.stray.is_empty() || findings.conflicts.iter().any(marked);
        self.has_winners = !findings.wins.is_empty();
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
            // Others write static rows, too.
            let is_stray = |row: &&&LiveRoute| input.own_marks.contains(&row.protocol) && row.protocol != STATIC;
            findings.stray.extend(live.iter().filter(is_stray).map(|row| (*row).clone()));
            return;
        }
        // Our rows were not sent because they are as recorded: foreign rows beside them do not matter here.
        if listed.ours.is_as_known() && !owned.is_empty() {
            // But a change would hit whichever row of the key is the first.
            let changes =
                wanted.is_some_and(|to| owned != [to.next_hop]) || self.recorded_protocol() != Some(self.view.protocol);
            if wanted.is_some() && changes {
                self.hold(key, live[0], findings);
            }
            return;
        }
        let verdict = classify(
            Key {
                owned: &owned,
                firm: input.firm.iter().any(|set| set.find(&key).is_some()),
                in_doubt: input.in_doubt,
                wanted,
                protocol: self.view.protocol,
                marks: &self.marks,
                filed: input.files.has(&key),
                stays_static: input.files.wanted,
                take_over: (input.take_over)(&key),
            },
            live,
        );
        if let (Verdict::Act { action: Action::Change | Action::Import, before: Some(before), .. }, [_, _, ..]) =
            (&verdict, live)
        {
            let same = |row: &&&LiveRoute| row.next_hop == Some(before.next_hop) && row.protocol == before.protocol;
            let other = live.iter().find(|row| !same(row)).unwrap_or(&live[0]);
            if *before
                != (Live { next_hop: wanted.map_or(before.next_hop, |to| to.next_hop), protocol: self.view.protocol })
            {
                if owned.is_empty() {
                    let foreign = ForeignKey::of(other);
                    findings.conflicts.push((key, foreign.clone()));
                    self.special.insert(key, Verdict::Conflict(foreign));
                } else {
                    self.hold(key, other, findings);
                }
                return;
            }
        }
        // Which of two rows with one key wins is chance.
        if verdict == Verdict::Same {
            let ours = wanted.map(|to| to.next_hop);
            let others = live.iter().filter(|row| row.next_hop != ours);
            findings.wins.extend(others.map(|row| (key, format!("the same prefix {}", row.describe()))));
        }
        match &verdict {
            Verdict::Conflict(foreign) => {
                // The bridge of the old owner of a subnet that has moved: it has to go first.
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
            Verdict::Act { before: Some(before), .. } if !self.marks.contains(&before.protocol) => {
                self.guard_foreign = true;
            }
            // As the two sets say: nothing special about it.
            Verdict::Same
                if !input.in_doubt
                    && owned.len() == 1
                    && wanted.is_some_and(|to| to.next_hop == owned[0])
                    && self.recorded_protocol() == Some(self.view.protocol) =>
            {
                return;
            }
            Verdict::Act { reason: None, before: Some(before), .. }
                if !input.in_doubt
                    && owned == [before.next_hop]
                    && self.recorded_protocol() == Some(before.protocol) =>
            {
                return;
            }
            Verdict::Act { reason: None, before: None, .. } if owned.is_empty() => return,
            _ => {}
        }
        self.special.insert(key, verdict);
    }

    /// `ip route change` changes the first row of a key, and a listing does not tell which that is. So where others have put a row
    /// beside ours, ours is left as it is, and stays ours.
    fn hold(&mut self, key: Prefix, other: &LiveRoute, findings: &mut TableFindings) {
        findings.held.push((key, other.describe()));
        self.special.insert(key, Verdict::NotSelected);
    }

    fn recorded_protocol(&self) -> Option<u8> {
        self.from.as_ref().map(|set| set.view.protocol)
    }

    /// A longer foreign prefix inside a wanted one, or the same with a lower metric, wins over it.
    fn note_winner(&self, row: &LiveRoute, same_key: bool, files: &FiledRoutes<'_>, findings: &mut TableFindings) {
        let Some(wanted) = &self.to else { return };
        let ours = self.marks.contains(&row.protocol) && (row.protocol != STATIC || files.has(&row.destination));
        if ours && same_key {
            return;
        }
        let rows = wanted.rows.as_slice();
        // Rows do not overlap, so the covering one can only be the last that does not sort behind.
        let at = rows.partition_point(|candidate| candidate.destination <= row.destination);
        let Some(covering) = at.checked_sub(1).and_then(|at| rows.get(at)) else { return };
        if !covering.destination.covers(&row.destination) || wanted.route(covering).is_none() {
            return;
        }
        let longer = covering.destination != row.destination;
        let lower = !same_key && row.metric < self.view.kernel_metric(row.family());
        if longer || lower {
            let what = if longer { row.destination.to_string() } else { format!("metric {}", row.metric) };
            findings.wins.push((covering.destination, format!("{what} {}", row.describe())));
        }
    }

    /// What others have or provide is neither wanted nor recorded for this node.
    fn leave_out(&mut self, findings: &TableFindings) {
        let others = findings.conflicts.iter().map(|(key, ..)| key).chain(findings.provided.iter().map(|(key, _)| key));
        let lacks: BTreeSet<Prefix> = others.chain(findings.deferred.iter().map(|(key, _)| key)).copied().collect();
        if let Some(to) = self.to.as_mut().filter(|_| !lacks.is_empty()) {
            to.lacks = Arc::new(to.lacks.union(&lacks).copied().collect());
        }
    }

    /// Everything that is done, sorted by destination. `names` tell to whom an address belongs.
    pub fn operations(&self, reasons: &dyn Reasons, memo: &mut Memo) -> Vec<Operation> {
        let ordinary = |destination: &Prefix| self.special.is_empty() || !self.special.contains_key(destination);
        let mut operations: Vec<Operation> = match (&self.from, &self.to) {
            // A whole set comes: each row says whose it is.
            (None, Some(to)) => {
                let rows = to.rows.as_slice().iter().filter(|row| ordinary(&row.destination));
                rows.filter_map(|row| Some(addition(to.route(row)?, Some(row.owner), reasons))).collect()
            }
            _ => self
                .changes(memo)
                .into_iter()
                .filter(|change| ordinary(&change.destination()))
                .map(|change| self.operation(change, reasons))
                .collect(),
        };
        let ordinary = operations.len();
        for (key, verdict) in &self.special {
            operations.extend(self.special_operation(key, verdict, reasons));
        }
        if operations.len() > ordinary {
            operations.sort_by_key(|operation| operation.route.destination);
        }
        operations
    }

    /// Routes that go from here and stay in another table of ours are left alone.
    pub(super) fn leave_to(&mut self, other: &RouteSet) {
        let keys: Vec<Prefix> = self
            .from
            .iter()
            .chain(&self.doubts)
            .flat_map(RouteSet::routes)
            .map(|route| route.destination)
            .filter(|key| other.find(key).is_some() && self.special.get(key) != Some(&Verdict::NotSelected))
            .collect();
        self.special.extend(keys.into_iter().map(|key| (key, Verdict::Gone)));
    }

    /// Whether rows go when all others have come, and nothing else is done; none where nothing is done at all.
    pub(super) fn only_loses(&self, memo: &mut Memo) -> Option<bool> {
        struct Unnamed;
        impl Reasons for Unnamed {
            fn added(&self, _: Option<IpAddr>) -> Reason {
                Reason::Edited
            }
            fn removed(&self, _: Option<IpAddr>) -> Reason {
                Reason::Edited
            }
        }
        // One row that comes tells it, and where one does, mostly many do.
        if let (true, Some(from), Some(to)) = (self.special.is_empty(), &self.from, &self.to) {
            let walked = from.for_each_change(to, memo, |change| match change {
                RouteChange::Remove(_) => ControlFlow::Continue(()),
                RouteChange::Add(_) | RouteChange::Change { .. } => ControlFlow::Break(()),
            });
            if walked.is_break() {
                return Some(false);
            }
        }
        let operations = self.operations(&Unnamed, memo);
        let loses = |operation: &Operation| operation.action == Action::Remove && operation.phase == Phase::Retire;
        (!operations.is_empty()).then(|| operations.iter().all(loses))
    }

    /// What the two sets alone say.
    fn changes(&self, memo: &mut Memo) -> Vec<RouteChange> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => from.changes_to(to, memo),
            (None, Some(to)) => to.routes().map(RouteChange::Add).collect(),
            (Some(from), None) => from.routes().map(RouteChange::Remove).collect(),
            (None, None) => Vec::new(),
        }
    }

    fn operation(&self, change: RouteChange, reasons: &dyn Reasons) -> Operation {
        let destination = change.destination();
        let mark = self.recorded_protocol().unwrap_or(self.view.protocol);
        match change {
            RouteChange::Add(route) => addition(route, self.owner_after(&destination), reasons),
            RouteChange::Change { from, to } => Operation {
                action: Action::Change,
                reason: Reason::Edited,
                phase: Phase::Install,
                route: to,
                before: Some(Live { next_hop: from.next_hop, protocol: mark }),
                receiver: self.owner_after(&destination),
            },
            RouteChange::Remove(route) => {
                self.removal(route, Live { next_hop: route.next_hop, protocol: mark }, None, reasons)
            }
        }
    }

    fn removal(&self, route: Route, before: Live, reason: Option<Reason>, reasons: &dyn Reasons) -> Operation {
        let owner = |set: &Option<RouteSet>| {
            set.as_ref()
                .and_then(|set| set.rows.find(&route.destination).map(|row| (row.owner, set.own.contains(&row.owner))))
        };
        let becomes_own = owner(&self.to).is_some_and(|(_, own)| own);
        let (phase, usual) = if becomes_own {
            (Phase::Prepare, Reason::BecomesOwn)
        } else {
            (self.retires, reasons.removed(owner(&self.from).map(|(owner, _)| owner)))
        };
        Operation {
            action: Action::Remove,
            reason: reason.unwrap_or(usual),
            phase,
            route: Route { next_hop: before.next_hop, ..route },
            before: Some(before),
            receiver: None,
        }
    }

    fn owner_after(&self, destination: &Prefix) -> Option<IpAddr> {
        self.to.as_ref().and_then(|set| set.rows.find(destination)).map(|row| row.owner)
    }

    fn special_operation(&self, key: &Prefix, verdict: &Verdict, reasons: &dyn Reasons) -> Option<Operation> {
        let Verdict::Act { action, reason, before } = verdict else { return None };
        let wanted = self.to.as_ref().and_then(|set| set.find(key));
        let receiver = self.owner_after(key);
        match (action, wanted) {
            (Action::Remove, _) => {
                let before = (*before)?;
                let route = Route { destination: *key, next_hop: before.next_hop };
                Some(self.removal(route, before, reason.clone(), reasons))
            }
            (_, Some(route)) => Some(Operation {
                action: *action,
                reason: reason.clone().unwrap_or_else(|| match action {
                    Action::Add => reasons.added(receiver),
                    _ => Reason::Edited,
                }),
                phase: Phase::Install,
                route,
                before: *before,
                receiver,
            }),
            (_, None) => None,
        }
    }

    /// Whether there is nothing to do, told without computing operations where the two sets are one.
    pub fn is_settled(&self, memo: &mut Memo) -> bool {
        let acts = self.special.values().any(|verdict| matches!(verdict, Verdict::Act { .. }));
        if acts {
            return false;
        }
        let judged_otherwise = |change: RouteChange| {
            if self.special.contains_key(&change.destination()) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let walked = match (&self.from, &self.to) {
            (Some(from), Some(to)) => from.for_each_change(to, memo, judged_otherwise),
            (None, Some(to)) => to.routes().map(RouteChange::Add).try_for_each(judged_otherwise),
            (Some(from), None) => from.routes().map(RouteChange::Remove).try_for_each(judged_otherwise),
            (None, None) => ControlFlow::Continue(()),
        };
        walked.is_continue()
    }

    /// The phases in which something is done, told without computing operations where a whole set comes or goes.
    pub fn phases(&self, reasons: &dyn Reasons, memo: &mut Memo) -> BTreeSet<Phase> {
        if self.special.is_empty() {
            match (&self.from, &self.to) {
                (None, Some(to)) => return to.routes().next().map(|_| Phase::Install).into_iter().collect(),
                (Some(from), None) => return from.routes().next().map(|_| self.retires).into_iter().collect(),
                _ => {}
            }
        }
        self.operations(reasons, memo).iter().map(|operation| operation.phase).collect()
    }

    /// Keeps only what is selected. What is not added is not recorded; where a change or a removal is left for later, the
    /// record stays in doubt (see [`TablePlan::is_partial`]), so that both sides of it stay ours.
    pub fn select(&mut self, keep: &dyn Fn(&Operation) -> bool, reasons: &dyn Reasons, memo: &mut Memo) {
        let left: Vec<Operation> =
            self.operations(reasons, memo).into_iter().filter(|operation| !keep(operation)).collect();
        let mut lacks: BTreeSet<Prefix> = BTreeSet::new();
        for operation in left {
            let key = operation.route.destination;
            if matches!(operation.action, Action::Add | Action::Import)
                || matches!(operation.reason, Reason::TakenOver(_))
            {
                lacks.insert(key);
            }
            self.special.insert(key, Verdict::NotSelected);
        }
        if let Some(to) = self.to.as_mut().filter(|_| !lacks.is_empty()) {
            to.lacks = Arc::new(to.lacks.union(&lacks).copied().collect());
        }
    }

    /// What may be recorded of a token that the place gave when the table was seen to be as wanted.
    pub fn recordable(&self, token: Token) -> Option<Token> {
        // What was left for another run is live otherwise than recorded.
        let has_left = self.special.values().any(|verdict| *verdict == Verdict::NotSelected);
        match (self.has_strays || has_left, self.has_winners) {
            (true, _) => None,
            (false, true) => Some(token.without_foreign()),
            (false, false) => Some(token),
        }
    }

    /// Whether a change or a removal of this table was not selected.
    pub fn is_partial(&self) -> bool {
        let becomes = |key: &Prefix| {
            let to = self.to.as_ref()?;
            to.find(key).map(|route| (route, to.view.protocol))
        };
        let recorded = || self.from.iter().chain(&self.doubts);
        self.special.iter().any(|(key, verdict)| {
            *verdict == Verdict::NotSelected
                && recorded().any(|set| set.find(key).map(|route| (route, set.view.protocol)) != becomes(key))
        })
    }

    /// Whether the plan gives this destination a route that is not there yet, or another than is there.
    pub fn writes(&self, destination: &Prefix) -> bool {
        match self.special.get(destination) {
            Some(Verdict::Act { action, .. }) => matches!(action, Action::Add | Action::Change),
            Some(_) => false,
            None => {
                let wanted = self.to.as_ref().and_then(|set| set.find(destination));
                wanted.is_some() && wanted != self.from.as_ref().and_then(|set| set.find(destination))
            }
        }
    }
}

fn addition(route: Route, owner: Option<IpAddr>, reasons: &dyn Reasons) -> Operation {
    let reason = reasons.added(owner);
    Operation { action: Action::Add, reason, phase: Phase::Install, route, before: None, receiver: owner }
}

/// Whether a live row of a key in doubt is ours; one that is held is.
fn is_ours(verdict: Option<&Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Same | Verdict::Act { .. } | Verdict::NotSelected))
}

/// What a record in doubt turned out to be: the rows of either side that are live and ours. Given as one of the two sets
/// without what it lacks where that is possible, so that lists stay shared.
fn settle(
    recorded: &[&RouteSet],
    live: &BTreeMap<Prefix, Vec<&LiveRoute>>,
    verdicts: &BTreeMap<Prefix, Verdict>,
) -> Option<RouteSet> {
    let rows_of = |key: &Prefix| live.get(key).map(Vec::as_slice).unwrap_or_default();
    let mut all: BTreeMap<Prefix, Row> = BTreeMap::new();
    for set in recorded {
        for row in set.rows.as_slice() {
            let Some(route) = set.route(row).filter(|route| is_ours(verdicts.get(&route.destination))) else {
                continue;
            };
            let rows = rows_of(&route.destination);
            // A row that was altered stays owned by its key; one that is as recorded says whose it is.
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
        set.lacks = Arc::default();
        return Some(set);
    };
    let mut set = (*base).clone();
    let missing: BTreeSet<Prefix> =
        base.routes().map(|route| route.destination).filter(|key| !all.contains_key(key)).collect();
    if !missing.is_empty() {
        set.lacks = Arc::new(set.lacks.union(&missing).copied().collect());
    }
    Some(set)
}

/// Tells why rows are added or removed, by the address that they belong to.
pub trait Reasons {
    /// Why a row of this owner is added.
    fn added(&self, owner: Option<IpAddr>) -> Reason;
    /// Why a row of this owner is removed.
    fn removed(&self, owner: Option<IpAddr>) -> Reason;
}

//! The operations of a routing table, computed on demand.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::TablePlan;
use crate::network::{Memo, Prefix, Route, RouteChange, RouteSet};
use crate::plan::classify::{KeyVerdict, Surplus, Verdict};
use crate::plan::operation::{Live, Operation};
use crate::plan::{Owners, Reasons};
use crate::resource::{Action, Phase, Reason, Token};

impl TablePlan {
    /// All operations, sorted by destination.
    pub fn operations(&self, reasons: &Reasons<'_>, memo: &mut Memo) -> Vec<Operation> {
        let ordinary = |destination: &Prefix| self.overrides.is_empty() || !self.overrides.contains_key(destination);
        let mut operations: Vec<Operation> = match (&self.from, &self.to) {
            // A whole set comes. Each row says who owns it.
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
        for (key, KeyVerdict { verdict, surplus }) in &self.overrides {
            let changes = matches!(verdict, Verdict::Act { action: Action::Import | Action::Change, .. });
            operations.extend(surplus.iter().map(|surplus| self.surplus_operation(key, surplus, changes, reasons)));
            operations.extend(self.special_operation(key, verdict, reasons));
        }
        if operations.len() > ordinary {
            operations.sort_by_key(|operation| operation.route.destination);
        }
        operations
    }

    /// Goes through [`TablePlan::operations`] until it is told to stop. Where a whole list comes or goes, it makes them one by
    /// one.
    pub(in crate::plan) fn for_each_operation(
        &self,
        reasons: &Reasons<'_>,
        memo: &mut Memo,
        take: impl FnMut(Operation) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match (&self.from, &self.to) {
            (None, Some(to)) if self.overrides.is_empty() => {
                let rows = to.rows.as_slice().iter();
                rows.filter_map(|row| Some(addition(to.route(row)?, Some(row.owner), reasons))).try_for_each(take)
            }
            (Some(from), None) if self.overrides.is_empty() => {
                from.routes().map(|route| self.operation(RouteChange::Remove(route), reasons)).try_for_each(take)
            }
            _ => self.operations(reasons, memo).into_iter().try_for_each(take),
        }
    }

    /// Leaves routes alone that go from here and stay in another table of topo's.
    pub fn hand_over_to(&mut self, other: &RouteSet) {
        let keys: Vec<Prefix> = self
            .from
            .iter()
            .chain(&self.doubts)
            .flat_map(RouteSet::routes)
            .map(|route| route.destination)
            .filter(|key| {
                other.find(key).is_some()
                    && self.overrides.get(key).is_none_or(|judged| judged.verdict != Verdict::NotSelected)
            })
            .collect();
        self.overrides.extend(keys.into_iter().map(|key| (key, Verdict::Gone.into())));
    }

    /// Whether rows only go, in the phase Retire. None: there is nothing to do.
    pub fn only_removes(&self, memo: &mut Memo) -> Option<bool> {
        // One row that comes is enough to know. Mostly many come, so this ends soon.
        if let (true, Some(from), Some(to)) = (self.overrides.is_empty(), &self.from, &self.to) {
            let walked = from.for_each_change(to, memo, |change| match change {
                RouteChange::Remove(_) => ControlFlow::Continue(()),
                RouteChange::Add(_) | RouteChange::Change { .. } => ControlFlow::Break(()),
            });
            if walked.is_break() {
                return Some(false);
            }
        }
        let operations = self.operations(&Owners::default().reasons_anywhere(), memo);
        let loses = |operation: &Operation| operation.action == Action::Remove && operation.phase == Phase::Retire;
        (!operations.is_empty()).then(|| operations.iter().all(loses))
    }

    /// The difference of the two sets alone.
    fn changes(&self, memo: &mut Memo) -> Vec<RouteChange> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => from.changes_to(to, memo),
            (None, Some(to)) => to.routes().map(RouteChange::Add).collect(),
            (Some(from), None) => from.routes().map(RouteChange::Remove).collect(),
            (None, None) => Vec::new(),
        }
    }

    fn operation(&self, change: RouteChange, reasons: &Reasons<'_>) -> Operation {
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

    fn removal(&self, route: Route, before: Live, reason: Option<Reason>, reasons: &Reasons<'_>) -> Operation {
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

    /// Removes a row of topo's that stands beside another one. `ip route change` changes the first row of a key, and a listing does
    /// not tell which row that is. So if the other row changes, this one goes first.
    fn surplus_operation(&self, key: &Prefix, surplus: &Surplus, changes: bool, reasons: &Reasons<'_>) -> Operation {
        let route = Route { destination: *key, next_hop: surplus.live.next_hop };
        let removal = self.removal(route, surplus.live, surplus.reason.clone(), reasons);
        if changes { Operation { phase: Phase::Prepare, ..removal } } else { removal }
    }

    fn special_operation(&self, key: &Prefix, verdict: &Verdict, reasons: &Reasons<'_>) -> Option<Operation> {
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

    /// Whether there is nothing to do. If the two sets are equal, this computes no operations.
    pub fn is_settled(&self, memo: &mut Memo) -> bool {
        let acts = self
            .overrides
            .values()
            .any(|judged| matches!(judged.verdict, Verdict::Act { .. }) || !judged.surplus.is_empty());
        if acts {
            return false;
        }
        let judged_otherwise = |change: RouteChange| {
            if self.overrides.contains_key(&change.destination()) {
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

    /// The phases in which there is something to do. If a whole set comes or goes, this computes no operations.
    pub fn phases(&self, reasons: &Reasons<'_>, memo: &mut Memo) -> BTreeSet<Phase> {
        if self.overrides.is_empty() {
            match (&self.from, &self.to) {
                (None, Some(to)) => return to.routes().next().map(|_| Phase::Install).into_iter().collect(),
                (Some(from), None) => return from.routes().next().map(|_| self.retires).into_iter().collect(),
                _ => {}
            }
        }
        self.operations(reasons, memo).iter().map(|operation| operation.phase).collect()
    }

    /// Keeps only the selected operations. A route that is not added is not recorded. If a change or a removal is left for later, the
    /// record stays in doubt (see [`TablePlan::is_partial`]), so that both sides of it stay topo's.
    pub fn select(&mut self, keep: &dyn Fn(&Operation) -> bool, reasons: &Reasons<'_>, memo: &mut Memo) {
        let left: Vec<Operation> =
            self.operations(reasons, memo).into_iter().filter(|operation| !keep(operation)).collect();
        let mut excluded: BTreeSet<Prefix> = BTreeSet::new();
        for operation in left {
            let key = operation.route.destination;
            if matches!(operation.action, Action::Add | Action::Import)
                || matches!(operation.reason, Reason::TakenOver(_))
            {
                excluded.insert(key);
            }
            self.overrides.insert(key, Verdict::NotSelected.into());
        }
        if let Some(to) = self.to.as_mut().filter(|_| !excluded.is_empty()) {
            to.excluded = Arc::new(to.excluded.union(&excluded).copied().collect());
        }
    }

    /// The part of a token that may be recorded. The place gave the token while the table was as wanted.
    pub fn recordable(&self, token: Token) -> Option<Token> {
        // A change that was left for another run makes the live routes differ from the record.
        let has_left = self.overrides.values().any(|judged| judged.verdict == Verdict::NotSelected);
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
        self.overrides.iter().any(|(key, judged)| {
            judged.verdict == Verdict::NotSelected
                && recorded().any(|set| set.find(key).map(|route| (route, set.view.protocol)) != becomes(key))
        })
    }

    /// Whether the plan adds a route to this destination, or changes it.
    pub fn writes(&self, destination: &Prefix) -> bool {
        match self.overrides.get(destination).map(|judged| &judged.verdict) {
            Some(Verdict::Act { action, .. }) => matches!(action, Action::Add | Action::Change),
            Some(_) => false,
            None => {
                let wanted = self.to.as_ref().and_then(|set| set.find(destination));
                wanted.is_some() && wanted != self.from.as_ref().and_then(|set| set.find(destination))
            }
        }
    }
}

fn addition(route: Route, owner: Option<IpAddr>, reasons: &Reasons<'_>) -> Operation {
    let reason = reasons.added(owner);
    Operation { action: Action::Add, reason, phase: Phase::Install, route, before: None, receiver: owner }
}

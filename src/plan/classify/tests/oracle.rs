//! How routes were judged before there was one ownership table for all kinds of things. The comparison with it shows what has changed.

use std::net::IpAddr;

use crate::exchange::node::LiveRoute;
use crate::plan::classify::{BOOT, KERNEL, Key, STATIC, Verdict, as_live};
use crate::plan::{ForeignKey, Live};
use crate::resource::{Action, Reason};

/// Judges one key by the live rows that have it.
pub(super) fn classify(key: Key<'_>, live: &[&LiveRoute]) -> Verdict {
    if live.is_empty() {
        return without_live_row(key);
    }
    if key.owned.is_empty() { not_recorded(key, live) } else { recorded(key, live) }
}

fn without_live_row(key: Key<'_>) -> Verdict {
    let reason = match (key.owned.is_empty(), key.in_doubt) {
        (true, _) => None,
        (false, true) => Some(Reason::InDoubt),
        (false, false) => Some(Reason::Missing),
    };
    match key.wanted {
        Some(_) => Verdict::Act { action: Action::Add, reason, before: None },
        None => Verdict::Gone,
    }
}

fn recorded(key: Key<'_>, live: &[&LiveRoute]) -> Verdict {
    // What was never confirmed may never have been written: then only our very route is ours.
    let still = |row: &LiveRoute| row.next_hop.is_some_and(|hop| key.is_ours(hop));
    let has_mark = |row: &&&LiveRoute| key.is_mark(row.protocol) && (key.confirmed || still(row));
    // By hand: boot always; static only where it still is our route, for somebody's own static row is theirs.
    let by_hand = |row: &&&LiveRoute| {
        (row.protocol == BOOT && (key.confirmed || still(row))) || (row.protocol == STATIC && still(row))
    };
    let same = |row: &&&LiveRoute| key.wanted.is_some_and(|route| row.next_hop == Some(route.next_hop)) && row.plain;
    let mine: Vec<&&LiveRoute> = live.iter().filter(has_mark).collect();
    let stays = |protocol: u8| protocol == key.protocol || (protocol == STATIC && key.accepts_static);
    if mine.iter().any(|row| same(row) && stays(row.protocol)) {
        return Verdict::Same;
    }
    // A row of several next hops, or a blackhole, is nothing that topo writes or knows how to take back exactly.
    // Static rows of others can stand beside one of ours.
    let Some((row, before)) = mine
        .iter()
        .find(|row| row.plain && still(row))
        .or(mine.first())
        .copied()
        .or_else(|| live.iter().find(by_hand))
        .and_then(|row| as_live(row).map(|before| (row, before)))
    else {
        return match key.wanted {
            Some(_) => somebody_elses(key, live[0]),
            None => Verdict::Lost(live[0].describe()),
        };
    };
    let ours =
        key.owned.contains(&before.next_hop) || key.wanted.is_some_and(|route| route.next_hop == before.next_hop);
    let reason = match (has_mark(&row), ours) {
        (true, true) => None,
        (false, true) => Some(Reason::MarkLost(row.describe())),
        (_, false) => Some(Reason::Altered(row.describe())),
    };
    let action = if key.wanted.is_some() { Action::Change } else { Action::Remove };
    Verdict::Act { action, reason, before: Some(before) }
}

fn not_recorded(key: Key<'_>, live: &[&LiveRoute]) -> Verdict {
    let Some(wanted) = key.wanted else { return Verdict::Gone };
    let same = live.iter().find(|row| row.plain && row.next_hop == Some(wanted.next_hop));
    if let Some(row) = same {
        let before = Some(Live { next_hop: wanted.next_hop, protocol: row.protocol });
        if key.is_mark(row.protocol) || row.protocol == BOOT {
            let reason = Some(Reason::Adopted(row.describe()));
            return Verdict::Act { action: Action::Import, reason, before };
        }
        if key.take_over {
            let reason = Some(Reason::TakenOver(row.describe()));
            return Verdict::Act { action: Action::Change, reason, before };
        }
        return Verdict::Provided(row.describe());
    }
    somebody_elses(key, live[0])
}

/// A wanted key that another holds: a conflict, unless the user takes it over.
fn somebody_elses(key: Key<'_>, row: &LiveRoute) -> Verdict {
    match as_live(row) {
        // The kernel's own rows are never taken over: behind them is a link.
        Some(before) if key.take_over && row.protocol != KERNEL => Verdict::Act {
            action: Action::Change,
            reason: Some(Reason::TakenOver(row.describe())),
            before: Some(before),
        },
        _ => Verdict::Conflict(ForeignKey::of(row)),
    }
}

impl Key<'_> {
    fn is_ours(&self, next_hop: IpAddr) -> bool {
        self.owned.contains(&next_hop) || self.wanted.is_some_and(|route| route.next_hop == next_hop)
    }
}

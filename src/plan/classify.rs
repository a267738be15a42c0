//! Who owns a live route: the table of the design, row by row.

use std::net::IpAddr;

use super::ForeignKey;
use super::operation::Live;
use crate::exchange::node::LiveRoute;
use crate::network::{BOOT, KERNEL, Route, STATIC};
use crate::resource::{Action, Reason};

/// What is known about one route key of one node.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Next hops that the record has for it: one, or two where it is in doubt.
    pub owned: &'a [IpAddr],
    /// Whether the record is in doubt.
    pub in_doubt: bool,
    /// Whether it was confirmed once that the key is ours.
    pub firm: bool,
    /// The route that is wanted.
    pub wanted: Option<Route>,
    /// The protocol that wanted rows carry.
    pub protocol: u8,
    /// Protocols that are our mark. Of static rows only those of our file are ours.
    pub marks: &'a [u8],
    /// Whether a file of ours has or had the route, so that a static row of it is ours.
    pub filed: bool,
    /// Whether a file of ours is to have the route, so that a static row of it stays static.
    pub stays_static: bool,
    /// Whether the user takes it over from others.
    pub take_over: bool,
}

/// What follows for the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is to be done, and it is ours.
    Same,
    /// Nothing is to be done, and nothing is there.
    Gone,
    /// Something is to be done.
    Act {
        /// What.
        action: Action,
        /// Why; none leaves it to what the topology says (added, edited, removed).
        reason: Option<Reason>,
        /// The live row that is changed or removed.
        before: Option<Live>,
    },
    /// Somebody else provides the very route: it is left alone and not recorded.
    Provided(String),
    /// Somebody else has the key.
    Conflict(ForeignKey),
    /// It was ours and is somebody else's now, and is not wanted any more: its record is dropped.
    Lost(String),
    /// Left for another run by the user's selection.
    NotSelected,
}

/// Judges one key by the live rows that have it.
pub fn classify(key: Key<'_>, live: &[&LiveRoute]) -> Verdict {
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

fn as_live(row: &LiveRoute) -> Option<Live> {
    row.next_hop.filter(|_| row.plain).map(|next_hop| Live { next_hop, protocol: row.protocol })
}

fn recorded(key: Key<'_>, live: &[&LiveRoute]) -> Verdict {
    // What was never confirmed may never have been written: then only our very route is ours.
    let still = |row: &LiveRoute| row.next_hop.is_some_and(|hop| key.is_ours(hop));
    let has_mark = |row: &&&LiveRoute| key.is_mark(row.protocol) && (key.firm || still(row));
    // By hand: boot always; static only where it still is our route, for somebody's own static row is theirs.
    let by_hand = |row: &&&LiveRoute| {
        (row.protocol == BOOT && (key.firm || still(row))) || (row.protocol == STATIC && still(row))
    };
    let same = |row: &&&LiveRoute| key.wanted.is_some_and(|route| row.next_hop == Some(route.next_hop)) && row.plain;
    let mine: Vec<&&LiveRoute> = live.iter().filter(has_mark).collect();
    let stays = |protocol: u8| protocol == key.protocol || (protocol == STATIC && key.stays_static);
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
    /// Whether a protocol is our mark on this key.
    fn is_mark(&self, protocol: u8) -> bool {
        self.marks.contains(&protocol) && (protocol != STATIC || self.filed)
    }

    fn is_ours(&self, next_hop: IpAddr) -> bool {
        self.owned.contains(&next_hop) || self.wanted.is_some_and(|route| route.next_hop == next_hop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The live row `10.200.1.0/24 via 10.240.0.HOP` with a protocol.
    fn row(hop: u8, protocol: u8) -> LiveRoute {
        LiveRoute {
            destination: "10.200.1.0/24".parse().expect("prefix"),
            next_hop: Some(IpAddr::from([10, 240, 0, hop])),
            device: Some("eth0".to_owned()),
            protocol,
            metric: 0,
            plain: true,
        }
    }

    fn judge(recorded: bool, wanted: bool, live: &[LiveRoute], take_over: bool) -> String {
        let hop = IpAddr::from([10, 240, 0, 21]);
        let owned = [hop];
        let key = Key {
            filed: false,
            stays_static: false,
            owned: if recorded { &owned } else { &[] },
            in_doubt: false,
            firm: recorded,
            wanted: wanted.then(|| Route { destination: "10.200.1.0/24".parse().expect("prefix"), next_hop: hop }),
            protocol: 201,
            marks: &[201],
            take_over,
        };
        match classify(key, &live.iter().collect::<Vec<_>>()) {
            Verdict::Same => "same".into(),
            Verdict::Gone => "gone".into(),
            Verdict::Act { action, reason, .. } => {
                format!("{}: {}", action.label(), reason.map_or("topology", |reason| reason.label()))
            }
            Verdict::Provided(_) => "provided".into(),
            Verdict::Conflict(_) => "conflict".into(),
            Verdict::Lost(_) => "lost".into(),
            Verdict::NotSelected => "not selected".into(),
        }
    }

    #[test]
    fn the_ownership_table_row_by_row() {
        // recorded, live next hop, live protocol: verdict while wanted.
        for (recorded, hop, protocol, verdict) in [
            (true, 21, 201, "same"),
            (true, 21, BOOT, "change: mark_lost"),
            (true, 21, STATIC, "change: mark_lost"),
            (true, 9, 201, "change: altered"),
            (true, 9, BOOT, "change: altered"),
            (true, 9, STATIC, "conflict"),
            (true, 21, 80, "conflict"),
            (true, 9, 186, "conflict"),
            (false, 21, BOOT, "import: adopted"),
            (false, 21, 201, "import: adopted"),
            (false, 21, STATIC, "provided"),
            (false, 21, 80, "provided"),
            (false, 9, 201, "conflict"),
            (false, 9, BOOT, "conflict"),
            (false, 9, 80, "conflict"),
        ] {
            let found = judge(recorded, true, &[row(hop, protocol)], false);
            assert_eq!(found, verdict, "recorded {recorded}, via .{hop}, protocol {protocol}");
        }
        assert_eq!(judge(true, true, &[], false), "add: missing");
        assert_eq!(judge(false, true, &[], false), "add: topology");
    }

    #[test]
    fn what_is_not_wanted_is_removed_only_where_it_is_ours() {
        for (recorded, hop, protocol, verdict) in [
            (true, 21, 201, "remove: topology"),
            (true, 21, BOOT, "remove: mark_lost"),
            (true, 9, BOOT, "remove: altered"),
            (true, 21, 80, "lost"),
            (true, 9, STATIC, "lost"),
            (false, 21, 201, "gone"),
            (false, 21, BOOT, "gone"),
        ] {
            let found = judge(recorded, false, &[row(hop, protocol)], false);
            assert_eq!(found, verdict, "recorded {recorded}, via .{hop}, protocol {protocol}");
        }
        assert_eq!(judge(true, false, &[], false), "gone");
    }

    #[test]
    fn take_over_reaches_all_but_the_kernels_rows_and_routes_that_are_not_plain() {
        assert_eq!(judge(false, true, &[row(9, 80)], true), "change: taken_over");
        assert_eq!(judge(false, true, &[row(21, STATIC)], true), "change: taken_over");
        let mut connected = row(9, KERNEL);
        connected.next_hop = None;
        assert_eq!(judge(false, true, &[connected], true), "conflict");
        let mut multipath = row(9, STATIC);
        multipath.plain = false;
        assert_eq!(judge(false, true, &[multipath], true), "conflict");
    }

    #[test]
    fn a_foreign_row_appended_beside_ours_changes_nothing() {
        assert_eq!(judge(true, true, &[row(21, 201), row(9, STATIC)], false), "same");
        assert_eq!(judge(true, true, &[row(9, STATIC), row(21, 201)], false), "same");
    }
}

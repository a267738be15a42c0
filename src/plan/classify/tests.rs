//! The ownership table of routes, row by row, and over the whole of a small domain.

mod oracle;

use super::*;
use crate::resource::Why;

/// The live row `10.200.1.0/24 via 10.240.0.HOP` with a protocol.
fn row(hop: u8, protocol: u8) -> LiveRoute {
    LiveRoute {
        destination: "10.200.1.0/24".parse().expect("prefix"),
        next_hop: Some(IpAddr::from([10, 240, 0, hop])),
        device: Some("eth0".to_owned()),
        protocol,
        metric: 0,
        plain: true,
        attributes: None,
    }
}

fn judged(recorded: bool, wanted: bool, live: &[LiveRoute], take_over: bool) -> String {
    let hop = IpAddr::from([10, 240, 0, 21]);
    let owned = [hop];
    let key = Key {
        kept_in_file: false,
        accepts_static: false,
        owned: if recorded { &owned } else { &[] },
        in_doubt: false,
        confirmed: recorded,
        wanted: wanted.then(|| Route { destination: "10.200.1.0/24".parse().expect("prefix"), next_hop: hop }),
        protocol: 201,
        mark_protocols: &[201],
        take_over,
        is_own: false,
        has_on_link: false,
    };
    label(&classify(key, &live.iter().collect::<Vec<_>>()).verdict)
}

fn label(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same => "same".into(),
        Verdict::Gone => "gone".into(),
        Verdict::Act { action, reason, .. } => {
            format!("{}: {}", action.label(), reason.as_ref().map_or("topology", Reason::label))
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
        let found = judged(recorded, true, &[row(hop, protocol)], false);
        assert_eq!(found, verdict, "recorded {recorded}, via .{hop}, protocol {protocol}");
    }
    assert_eq!(judged(true, true, &[], false), "add: missing");
    assert_eq!(judged(false, true, &[], false), "add: topology");
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
        let found = judged(recorded, false, &[row(hop, protocol)], false);
        assert_eq!(found, verdict, "recorded {recorded}, via .{hop}, protocol {protocol}");
    }
    assert_eq!(judged(true, false, &[], false), "gone");
}

#[test]
fn take_over_reaches_all_but_the_kernels_rows_and_routes_that_are_not_plain() {
    assert_eq!(judged(false, true, &[row(9, 80)], true), "change: taken_over");
    assert_eq!(judged(false, true, &[row(21, STATIC)], true), "change: taken_over");
    let mut connected = row(9, KERNEL);
    connected.next_hop = None;
    assert_eq!(judged(false, true, &[connected], true), "conflict");
    let mut multipath = row(9, STATIC);
    multipath.plain = false;
    assert_eq!(judged(false, true, &[multipath], true), "conflict");
}

#[test]
fn a_foreign_row_appended_beside_ours_changes_nothing() {
    assert_eq!(judged(true, true, &[row(21, 201), row(9, STATIC)], false), "same");
    assert_eq!(judged(true, true, &[row(9, STATIC), row(21, 201)], false), "same");
}

/// The next hops of the domain: as wanted, of the other side of a doubt, of nobody.
const HOPS: [u8; 3] = [21, 22, 9];

fn hop(number: u8) -> IpAddr {
    IpAddr::from([10, 240, 0, number])
}

fn with_mtu(row: LiveRoute) -> LiveRoute {
    LiveRoute { attributes: Some("mtu 1400".into()), ..row }
}

/// All rows that a key has in the domain: each next hop with our mark, an older mark of ours, no protocol, an administrator's, the
/// kernel's and a daemon's; some of them with a type of service or an MTU; a connected route and blackholes.
fn alphabet() -> Vec<LiveRoute> {
    let mut rows = Vec::new();
    for hop in HOPS {
        rows.extend([201, 202, BOOT, STATIC, KERNEL, 80].map(|protocol| row(hop, protocol)));
        rows.extend([201, 80].map(|protocol| LiveRoute { plain: false, ..row(hop, protocol) }));
        rows.extend([201, BOOT, STATIC].map(|protocol| with_mtu(row(hop, protocol))));
    }
    rows.push(LiveRoute { next_hop: None, ..row(9, KERNEL) });
    rows.extend([201, 80].map(|protocol| LiveRoute { next_hop: None, plain: false, ..row(9, protocol) }));
    rows
}

/// Keys of the domain without what is live: each combination of record, confirmation, doubt, wish, files and `--take-over`.
fn for_each_key(take: &mut dyn FnMut(Key<'_>)) {
    let [wanted, other, nobody] = HOPS.map(hop);
    let records: [&[IpAddr]; 6] = [&[], &[wanted], &[other], &[wanted, other], &[other, wanted], &[other, nobody]];
    let route = Route { destination: "10.200.1.0/24".parse().expect("prefix"), next_hop: wanted };
    for owned in records {
        for bits in 0..32_u8 {
            let bit = |at: u8| bits & (1 << at) != 0;
            for (protocol, mark_protocols, kept_in_file, accepts_static) in [
                (201, &[201][..], false, false),
                (201, &[201, 202], false, false),
                (201, &[4, 201], true, false),
                (201, &[4, 201], true, true),
                (STATIC, &[4], true, true),
                (STATIC, &[4, 201], false, true),
            ] {
                take(Key {
                    owned,
                    in_doubt: bit(0),
                    confirmed: bit(1),
                    wanted: bit(2).then_some(route),
                    protocol,
                    mark_protocols,
                    kept_in_file: kept_in_file || bit(3),
                    accepts_static,
                    take_over: bit(4),
                    is_own: false,
                    has_on_link: false,
                });
            }
        }
    }
}

/// Rows with this key that are ours beside the one that the verdict is about (CASES P1), told without the ownership table: a mark of
/// ours, and the next hop of a side of the record or of the topology.
fn expected_surplus(key: &Key<'_>, verdict: &Verdict, live: &[&LiveRoute]) -> usize {
    let is_ours = |row: &&&LiveRoute| {
        let known = |hop: IpAddr| key.owned.contains(&hop) || key.wanted.is_some_and(|route| route.next_hop == hop);
        let marked = key.mark_protocols.contains(&row.protocol) && (row.protocol != STATIC || key.kept_in_file);
        marked && row.plain && row.next_hop.is_some_and(known)
    };
    let ours = live.iter().filter(is_ours).count();
    let meant_is_ours = match verdict {
        Verdict::Same => true,
        Verdict::Act { before: Some(before), .. } => {
            live.iter().filter(is_ours).any(|row| as_live(row) == Some(*before))
        }
        _ => false,
    };
    if key.owned.is_empty() || !meant_is_ours { 0 } else { ours - 1 }
}

/// What the old verdict becomes where it would lose attributes of a row in silence (CASES N3).
fn with_attributes(key: &Key<'_>, old: Verdict, live: &[&LiveRoute]) -> Verdict {
    let Verdict::Act { action, reason, before: Some(before) } = &old else { return old };
    let row = match action {
        Action::Import => live.iter().find(|row| row.plain && row.next_hop == Some(before.next_hop)),
        _ => live.iter().find(|row| as_live(row) == Some(*before)),
    };
    let Some(row) = row.filter(|row| row.attributes.is_some()) else { return old };
    match (action, reason) {
        (Action::Import, _) if key.take_over => {
            let reason = Some(Reason::TakenOver(row.describe()));
            Verdict::Act { action: Action::Change, reason, before: Some(*before) }
        }
        (Action::Import, _) => Verdict::Provided(row.describe()),
        (Action::Change | Action::Remove, None) => {
            let reason = Some(Reason::Altered(row.describe()));
            Verdict::Act { action: *action, reason, before: Some(*before) }
        }
        _ => old,
    }
}

#[test]
fn the_verdict_on_each_key_of_the_domain_is_what_it_was_but_for_the_listed_rows() {
    let rows = alphabet();
    let (mut judged, mut with_surplus, mut with_attribute) = (0, 0, 0);
    let mut compare = |key: Key<'_>, live: &[&LiveRoute]| {
        let (old, new) = (oracle::classify(key, live), classify(key, live));
        let right = with_attributes(&key, old.clone(), live);
        with_attribute += usize::from(right != old);
        assert_eq!(new.verdict, right, "{key:?} {live:?}");
        assert_eq!(new.surplus.len(), expected_surplus(&key, &old, live), "P1: {key:?} {live:?} {new:?}");
        judged += 1;
        with_surplus += usize::from(!new.surplus.is_empty());
    };
    for_each_key(&mut |key| {
        compare(key, &[]);
        for one in &rows {
            compare(key, &[one]);
            for other in &rows {
                compare(key, &[one, other]);
            }
        }
    });
    assert!(judged > 500_000 && with_surplus > 1_000 && with_attribute > 1_000, "{with_surplus} {with_attribute}");
}

/// A row of the list of what changed: case, record, confirmed, in doubt, whether the route via .21 is wanted, live rows, the verdict
/// as it was and is, and the rows that go away besides.
type Listed<'a> = (&'a str, &'a [u8], bool, bool, bool, &'a [(u8, u8)], &'a str, &'a [(u8, u8)]);

#[test]
fn what_is_judged_otherwise_than_before_is_listed() {
    let list: &[Listed<'_>] = &[
        // The right row is there, and the other side of a doubt beside it.
        ("P1", &[22, 21], true, true, true, &[(22, 201), (21, 201)], "same", &[(22, 201)]),
        ("P1", &[22, 21], true, true, true, &[(21, 201), (22, 201)], "same", &[(22, 201)]),
        ("P1", &[21, 22], false, true, true, &[(21, STATIC), (22, STATIC)], "same", &[(22, STATIC)]),
        // A file was loaded beside the row that it was to replace. That one goes, in whatever order they are listed: the next load
        // would remove it as well, and no row would be left.
        ("P1", &[21], false, true, true, &[(21, 201), (21, STATIC)], "same", &[(21, 201)]),
        ("P1", &[21], true, false, true, &[(21, STATIC), (21, 201)], "same", &[(21, 201)]),
        // Both sides of a doubt are there, and neither is right.
        ("P1", &[22, 9], true, true, true, &[(22, 201), (9, 201)], "change: topology", &[(9, 201)]),
        // A removal takes all of our rows.
        ("P1", &[21], true, false, false, &[(21, 201), (21, STATIC)], "remove: topology", &[(21, STATIC)]),
        ("P1", &[22, 21], true, true, false, &[(22, STATIC), (21, 201)], "remove: topology", &[(21, 201)]),
        ("P1", &[21, 22], false, true, false, &[(21, STATIC), (22, STATIC)], "remove: topology", &[(22, STATIC)]),
    ];
    for (case, recorded, confirmed, in_doubt, wanted, live, verdict, surplus) in list {
        let owned: Vec<IpAddr> = recorded.iter().copied().map(hop).collect();
        let key = Key {
            owned: &owned,
            in_doubt: *in_doubt,
            confirmed: *confirmed,
            wanted: wanted.then(|| Route { destination: "10.200.1.0/24".parse().expect("prefix"), next_hop: hop(21) }),
            protocol: 201,
            mark_protocols: &[4, 201],
            kept_in_file: true,
            accepts_static: true,
            take_over: false,
            is_own: false,
            has_on_link: false,
        };
        let rows: Vec<LiveRoute> = live.iter().map(|(hop, protocol)| row(*hop, *protocol)).collect();
        let rows: Vec<&LiveRoute> = rows.iter().collect();
        let (old, new) = (oracle::classify(key, &rows), classify(key, &rows));
        let goes: Vec<Live> = new.surplus.iter().map(|surplus| surplus.live).collect();
        let expected: Vec<Live> =
            surplus.iter().map(|(number, protocol)| Live { next_hop: hop(*number), protocol: *protocol }).collect();
        assert_eq!((label(&new.verdict).as_str(), &goes), (*verdict, &expected), "{case}: {key:?} {live:?}");
        assert_ne!(KeyVerdict::from(old), new, "{case}: nothing has changed for {key:?} {live:?}");
    }
}

#[test]
fn a_row_of_a_file_that_says_onlink_is_no_surplus_beside_the_same_row_without_it() {
    let owned = [hop(21)];
    let on_link = LiveRoute { attributes: Some("onlink".into()), ..row(21, 201) };
    for (kept_in_file, rows, surplus) in [
        (true, [&row(21, 201), &on_link], 0),
        (true, [&on_link, &row(21, 201)], 0),
        (false, [&row(21, 201), &on_link], 1),
        (true, [&row(21, 201), &with_mtu(row(21, 201))], 1),
    ] {
        let key = Key {
            owned: &owned,
            in_doubt: true,
            confirmed: true,
            wanted: Some(Route { destination: "10.200.1.0/24".parse().expect("prefix"), next_hop: hop(21) }),
            protocol: 201,
            mark_protocols: &[201],
            kept_in_file,
            accepts_static: false,
            take_over: false,
            is_own: false,
            has_on_link: false,
        };
        let new = classify(key, &rows);
        assert_eq!((new.verdict, new.surplus.len()), (Verdict::Same, surplus), "{kept_in_file} {rows:?}");
    }
}

#[test]
fn a_removal_shows_the_attributes_that_go_with_the_route() {
    let owned = [hop(21), hop(22)];
    let key = Key {
        owned: &owned,
        in_doubt: false,
        confirmed: true,
        wanted: None,
        protocol: 201,
        mark_protocols: &[201],
        kept_in_file: false,
        accepts_static: false,
        take_over: false,
        is_own: false,
        has_on_link: false,
    };
    let altered = |row: &LiveRoute| Some(Reason::Altered(row.describe()));
    for (one, other) in [(false, false), (true, false), (false, true), (true, true)] {
        let rows = [(21, one), (22, other)].map(|(hop, has)| if has { with_mtu(row(hop, 201)) } else { row(hop, 201) });
        let KeyVerdict { verdict, surplus } = classify(key, &[&rows[0], &rows[1]]);
        let Verdict::Act { action: Action::Remove, reason, before: Some(before) } = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!((before.next_hop, reason), (hop(21), altered(&rows[0]).filter(|_| one)));
        assert_eq!(surplus.len(), 1);
        assert_eq!((surplus[0].live.next_hop, &surplus[0].reason), (hop(22), &altered(&rows[1]).filter(|_| other)));
    }
}

#[test]
fn a_plan_loses_no_attribute_that_it_does_not_show() {
    // CASES N3: case, recorded next hop, live row, taken over, verdict as it was, as it is.
    for (recorded, (hop, protocol), take_over, before, after) in [
        (None, (21, BOOT), false, "import: adopted", "provided"),
        (None, (21, 201), false, "import: adopted", "provided"),
        (None, (21, BOOT), true, "import: adopted", "change: taken_over"),
        (None, (9, BOOT), true, "change: taken_over", "change: taken_over"),
        (Some(22), (22, 201), false, "change: topology", "change: altered"),
        (Some(21), (21, 201), false, "same", "same"),
        (Some(21), (21, BOOT), false, "change: mark_lost", "change: mark_lost"),
    ] {
        let owned: Vec<IpAddr> = recorded.map(self::hop).into_iter().collect();
        let wanted = Some(Route { destination: "10.200.1.0/24".parse().expect("prefix"), next_hop: self::hop(21) });
        let (confirmed, in_doubt) = (recorded.is_some(), false);
        let key = Key {
            owned: &owned,
            in_doubt,
            confirmed,
            wanted,
            protocol: 201,
            mark_protocols: &[201],
            kept_in_file: false,
            accepts_static: false,
            take_over,
            is_own: false,
            has_on_link: false,
        };
        let row = with_mtu(row(hop, protocol));
        let (old, new) = (oracle::classify(key, &[&row]), classify(key, &[&row]));
        assert_eq!((label(&old).as_str(), label(&new.verdict).as_str()), (before, after), "{row:?}");
        let names_it = |said: &str| said.contains("via 10.240.0.") && said.contains(" mtu 1400, protocol ");
        let shown = match &new.verdict {
            Verdict::Act {
                reason: Some(Reason::Altered(found) | Reason::TakenOver(found) | Reason::MarkLost(found)),
                ..
            }
            | Verdict::Provided(found) => Some(found.as_str()),
            _ => None,
        };
        assert!(new.verdict == Verdict::Same || shown.is_some_and(names_it), "{new:?}");
    }
}

#[test]
fn onlink_is_an_attribute_of_topos_only_where_its_gateways_are_on_link() {
    // Whether topo writes it, the attribute, the recorded next hop, the live row, the verdict.
    for (has_on_link, attribute, recorded, (hop, protocol), expected) in [
        (true, "onlink", None, (21, BOOT), "import: adopted"),
        (true, "onlink", Some(22), (22, 201), "change: topology"),
        (true, "mtu 1400", None, (21, BOOT), "provided"),
        (true, "mtu 1400", Some(22), (22, 201), "change: altered"),
        (false, "onlink", None, (21, BOOT), "provided"),
        (false, "onlink", Some(22), (22, 201), "change: altered"),
    ] {
        let owned: Vec<IpAddr> = recorded.map(self::hop).into_iter().collect();
        let key = Key {
            owned: &owned,
            in_doubt: false,
            confirmed: recorded.is_some(),
            wanted: Some(Route { destination: "10.200.1.0/24".parse().expect("prefix"), next_hop: self::hop(21) }),
            protocol: 201,
            mark_protocols: &[201],
            kept_in_file: false,
            accepts_static: false,
            take_over: false,
            is_own: false,
            has_on_link,
        };
        let row = LiveRoute { attributes: Some(attribute.into()), ..row(hop, protocol) };
        assert_eq!(label(&classify(key, &[&row]).verdict), expected, "{has_on_link}: {row:?}");
    }
}

#[test]
fn no_route_may_lead_the_nodes_own_pods_away() {
    // CASES N1: protocol, taken over, verdict as it was, as it is.
    for (protocol, take_over, after) in [
        (BOOT, false, "conflict"),
        (STATIC, false, "conflict"),
        (201, false, "conflict"),
        (80, false, "conflict"),
        (BOOT, true, "remove: taken_over"),
        (201, true, "remove: taken_over"),
        (80, true, "remove: taken_over"),
    ] {
        let key = Key {
            owned: &[],
            in_doubt: false,
            confirmed: false,
            wanted: None,
            protocol: 201,
            mark_protocols: &[201],
            kept_in_file: false,
            accepts_static: false,
            take_over,
            is_own: true,
            has_on_link: false,
        };
        let row = row(20, protocol);
        assert_eq!(label(&oracle::classify(key, &[&row])), "gone");
        assert_eq!(label(&classify(key, &[&row]).verdict), after, "protocol {protocol}");
    }
}

#[test]
fn what_nobody_looked_at_is_not_known() {
    let value = 1;
    for (wanted, recorded) in [(None, &[][..]), (Some(&value), &[]), (None, &[1]), (Some(&value), &[1])] {
        let claim = Claim {
            wanted,
            recorded,
            confirmed: true,
            in_doubt: false,
            take_over: true,
            kept_free: false,
            live: Evidence::Unknown(Why::NotAsked),
        };
        assert_eq!(judge::judge(&claim).verdict, judge::Verdict::NotKnown);
    }
}

#[test]
fn a_thing_without_marks_that_somebody_made_as_wanted_is_adopted() {
    let (recorded, wanted) = ([1], 2);
    let live = [2, 1, 3].map(|value| judge::Live { value: Some(value), owner: Owner::Unmarked, form: Form::Plain });
    // What is live, the verdict: as wanted, as recorded, as neither.
    for (at, expected) in [(0, judge::Verdict::Adopt), (1, judge::Verdict::Edited), (2, judge::Verdict::Conflict)] {
        let claim = Claim {
            wanted: Some(&wanted),
            recorded: &recorded,
            confirmed: true,
            in_doubt: false,
            take_over: false,
            kept_free: false,
            live: Evidence::Seen(&live[at..=at]),
        };
        assert_eq!(judge::judge(&claim).verdict, expected, "{:?}", live[at]);
    }
}

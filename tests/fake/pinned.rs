//! Sequences that once went wrong.

use super::draft::{DraftBuilder as Draft, Edit, Foreign, How, Persistence};
use super::scene::Scene;

/// Plays edits after a first apply, and then converges and destroys.
fn play(draft: Draft, foreign: &[Foreign], edits: &[(Edit, How)]) {
    play_in(Scene::new(draft.build(), foreign), edits);
}

/// The same where rows pass from one backend to another.
fn play_passing(draft: Draft, foreign: &[Foreign], edits: &[(Edit, How)]) {
    let mut scene = Scene::new(draft.build(), foreign);
    scene.hands_over = true;
    play_in(scene, edits);
}

fn play_in(mut scene: Scene, edits: &[(Edit, How)]) {
    scene.go(&How::Apply);
    for (edit, how) in edits {
        scene.edit(edit);
        scene.go(how);
    }
    scene.converge();
}

#[test]
fn an_ipv6_metric_that_changes_leaves_no_row_of_the_old_one() {
    play(Draft::v6(&[&[], &[2]]), &[], &[(Edit::Metric, How::Nothing)]);
}

#[test]
fn another_mark_alone_is_a_change() {
    play(Draft::v4(&[&[], &[2]]), &[], &[(Edit::Protocol, How::Apply), (Edit::Protocol, How::Target(2, true))]);
}

#[test]
fn two_doubts_in_a_row_keep_both() {
    let edits = [(Edit::Fault(0, 4), How::Nothing), (Edit::Metric, How::Apply), (Edit::Protocol, How::Killed(2, 0))];
    play(Draft::v4(&[&[], &[2]]), &[], &edits);
}

#[test]
fn names_that_are_swapped_while_one_machine_is_silent_lose_no_record() {
    for how in [How::Apply, How::Target(0, false)] {
        let edits = [(Edit::Fault(0, 0), How::Nothing), (Edit::SwapNames(0, 1), how)];
        play(Draft::v4(&[&[], &[], &[4]]), &[], &edits);
        let edits = [(Edit::Fault(0, 0), How::Nothing), (Edit::SwapNames(0, 1), How::Apply)];
        play(Draft::v4(&[&[], &[4]]), &[], &edits);
    }
}

#[test]
fn a_silent_place_that_is_in_doubt_stays_so() {
    let edits = [
        (Edit::Table, How::Killed(4, 1)),
        (Edit::Fault(0, 0), How::Apply),
        (Edit::Fault(1, 0), How::Apply),
        (Edit::Mend, How::Killed(3, 0)),
    ];
    play(Draft::v4(&[&[0], &[2], &[4]]), &[], &edits);
}

#[test]
fn a_row_put_before_ours_is_not_changed_in_its_place() {
    // Machine 0, the table of the topology, pods 4, its metric, via machine 3, protocol 80, prepended.
    let edits = [(Edit::Foreign((0, 0, 4, 0, 3, 1, 2)), How::Nothing), (Edit::MovePods(2, 1), How::Apply)];
    play(Draft::v4(&[&[], &[2], &[4]]), &[], &edits);
}

#[test]
fn a_machine_that_was_renamed_is_asked_for_what_it_has() {
    let edits = [(Edit::Table, How::Killed(5, 0)), (Edit::Protocol, How::Nothing), (Edit::Rename(0), How::Apply)];
    play(Draft::v4(&[&[0], &[2], &[4]]), &[], &edits);
}

#[test]
fn a_strangers_row_with_our_mark_is_not_taken_for_what_may_have_been_written() {
    // Machine 0, the table of the topology, pods 4, its metric, via machine 0 itself, protocol 201, appended.
    let mut draft = Draft::v4(&[&[], &[], &[4]]);
    draft.drop(0);
    let edits = [(Edit::Fault(0, 0), How::Nothing), (Edit::Add(0, 0), How::Killed(1, 1))];
    play(draft, &[(0, 0, 4, 0, 0, 7, 0)], &edits);
}

#[test]
fn what_is_left_for_later_is_not_proved_by_a_token() {
    // The first of our rows loses its mark, and the run that renames the machine leaves that for later.
    let edits = [(Edit::Drift(0, 2), How::Nothing), (Edit::Rename(0), How::Target(0, true))];
    play(Draft::v4(&[&[], &[], &[4, 5]]), &[], &edits);
}

/// A file alone, with drop-ins of networkd.
const DROP_IN: Persistence = Persistence { networkd: true, ..Persistence::FILE };
/// A file alone that is loaded at the next boot.
const LATER: Persistence = Persistence { deferred: true, ..Persistence::FILE };

#[test]
fn routes_that_a_file_keeps_beside_the_kernel_are_removed_with_the_protocol_that_they_have() {
    play(Draft::v4(&[&[], &[2]]).with(Persistence::BOTH), &[], &[]);
}

#[test]
fn a_drop_in_has_other_permissions_than_a_file_of_netplan() {
    // A stray row with the mark keeps the token from being recorded, so that all is looked at again.
    play(Draft::v4(&[&[], &[2]]).with(DROP_IN), &[(0, 0, 0, 0, 0, 7, 0)], &[]);
}

#[test]
fn a_file_that_is_not_loaded_yet_waits() {
    // Somebody else has one of the two keys.
    play(Draft::v4(&[&[], &[2, 3]]).with(LATER), &[(0, 0, 2, 0, 0, 0, 0)], &[]);
}

#[test]
fn what_others_do_not_provide_any_more_comes_into_the_file() {
    let edits = [(Edit::Metric, How::Apply), (Edit::Restart(0, false), How::Nothing)];
    play(Draft::v4(&[&[], &[0]]).with(Persistence::BOTH), &[(0, 0, 0, 2, 1, 2, 0)], &edits);
}

#[test]
fn rows_keep_an_owner_when_a_file_that_is_loaded_later_takes_them_over() {
    let edits = [(Edit::Persistence(LATER), How::Apply), (Edit::Tamper(0, 0), How::Nothing)];
    play_passing(Draft::v4(&[&[], &[2]]), &[], &edits);
}

#[test]
fn a_row_of_a_file_that_lost_its_mark_has_it_again() {
    for draft in [Draft::v4(&[&[], &[2]]), Draft::v6(&[&[], &[2]])] {
        play(draft.with(Persistence::FILE), &[], &[(Edit::Drift(0, 2), How::Nothing)]);
    }
}

#[test]
fn a_file_that_is_not_selected_keeps_its_record() {
    let edits = [(Edit::Persistence(Persistence::KERNEL), How::Target(1, true))];
    play_passing(Draft::v6(&[&[], &[2]]).with(Persistence::FILE), &[], &edits);
}

#[test]
fn a_file_that_takes_the_place_of_another_is_written_with_it() {
    for before in [LATER, Persistence::FILE] {
        play_passing(Draft::v4(&[&[], &[2]]).with(before), &[], &[(Edit::Persistence(DROP_IN), How::Nothing)]);
    }
}

#[test]
fn a_row_is_not_left_to_a_file_that_leaves_it_out() {
    let edits = [(Edit::Fault(1, 0), How::Nothing), (Edit::Persistence(Persistence::FILE), How::Apply)];
    play_passing(Draft::v4(&[&[0], &[2]]), &[], &edits);
}

#[test]
fn what_a_file_leaves_out_for_a_silent_node_is_recorded() {
    let edits = [
        (Edit::Fault(1, 0), How::Killed(1, 0)),
        (Edit::MovePods(2, 3), How::Target(0, false)),
        (Edit::Reinstall(2), How::Killed(13, 0)),
        (Edit::Add(1, 0), How::Killed(8, 0)),
    ];
    play(Draft::v4(&[&[], &[2], &[4], &[], &[], &[]]).with(Persistence::BOTH), &[], &edits);
}

#[test]
fn a_strangers_file_is_not_recorded() {
    let edits = [(Edit::Persistence(Persistence::BOTH), How::Nothing), (Edit::Stranger(1, 0), How::Nothing)];
    play(Draft::v4(&[&[0], &[]]), &[], &edits);
}

#[test]
fn rows_of_a_file_that_is_gone_are_removed() {
    let edits = [(Edit::Tamper(0, 0), How::KilledDestroy(4, 1))];
    play(Draft::v4(&[&[], &[2]]).with(Persistence::FILE), &[], &edits);
}

#[test]
fn a_strangers_static_row_beside_one_of_a_file_is_not_taken_for_it() {
    // Machine 0, the table of the topology, pods 2, its metric, over the device, static, appended.
    let edits = [(Edit::Foreign((0, 0, 2, 0, 6, 5, 0)), How::Nothing)];
    play(Draft::v4(&[&[], &[2]]).with(Persistence::FILE), &[], &edits);
}

#[test]
fn a_file_that_was_refused_is_not_owned_though_routes_were_written() {
    let mut scene = Scene::new(Draft::v4(&[&[], &[2]]).with(Persistence::BOTH).build(), &[]);
    scene.refuse_files();
    scene.go(&How::Apply);
    assert!(!scene.owns_files());
}

/// Pods 2 move from machine 1 to machine 2, and no node does what it is told: the record is in doubt.
fn in_doubt(persistence: Persistence) -> Scene {
    let mut scene = Scene::new(Draft::v4(&[&[], &[2], &[]]).with(persistence).build(), &[]);
    scene.go(&How::Apply);
    (0..3).for_each(|machine| scene.edit(&Edit::Fault(machine, 4)));
    scene.edit(&Edit::MovePods(1, 2));
    scene.go(&How::Apply);
    scene.edit(&Edit::Mend);
    scene
}

#[test]
fn both_sides_of_a_doubt_are_there_and_the_old_one_goes() {
    for (persistence, protocol) in [(Persistence::KERNEL, 201), (Persistence::BOTH, 201), (Persistence::FILE, 4)] {
        let mut scene = in_doubt(persistence);
        // The old row is there, and the new one beside it.
        scene.leave(0, 2, 2, protocol);
        scene.converge();
    }
}

#[test]
fn both_sides_of_a_doubt_are_there_and_neither_is_wanted_any_more() {
    for (persistence, protocol) in [(Persistence::KERNEL, 201), (Persistence::BOTH, 201), (Persistence::FILE, 4)] {
        for how in [How::Apply, How::Destroy] {
            let mut scene = in_doubt(persistence);
            scene.leave(0, 2, 2, protocol);
            scene.edit(&Edit::MovePods(2, 0));
            scene.go(&how);
            scene.converge();
        }
        // Both have to make room for a third.
        let mut scene = Scene::new(Draft::v4(&[&[], &[2], &[], &[]]).with(persistence).build(), &[]);
        scene.go(&How::Apply);
        (0..4).for_each(|machine| scene.edit(&Edit::Fault(machine, 4)));
        scene.edit(&Edit::MovePods(1, 2));
        scene.go(&How::Apply);
        scene.leave(0, 2, 2, protocol);
        scene.edit(&Edit::Mend);
        scene.edit(&Edit::MovePods(2, 3));
        scene.converge();
    }
}

#[test]
fn a_row_of_the_kernel_and_one_of_a_file_stand_beside_each_other_and_one_goes() {
    for how in [How::Apply, How::Destroy] {
        let mut scene = Scene::new(Draft::v4(&[&[], &[2]]).with(Persistence::BOTH).build(), &[]);
        scene.go(&How::Apply);
        // networkd loaded the file, and nobody took out what was there before.
        scene.leave(0, 2, 1, 4);
        scene.go(&how);
        scene.converge();
    }
}

#[test]
fn a_machine_with_a_new_machine_id_and_its_marker_loses_what_topo_wrote() {
    for persistence in [Persistence::KERNEL, Persistence::BOTH, Persistence::FILE] {
        for applies_again in [false, true] {
            let mut scene = Scene::new(Draft::v4(&[&[], &[2]]).with(persistence).build(), &[]);
            scene.go(&How::Apply);
            (0..2).for_each(|machine| scene.renew_machine_id(machine));
            if applies_again {
                scene.go(&How::Apply);
            }
            scene.destroy();
        }
    }
}

//! Sequences that once went wrong.

use super::properties::{DraftBuilder as Draft, Edit, Foreign, How, Scene};

/// Plays edits after a first apply, and then converges and destroys.
fn play(draft: Draft, foreign: &[Foreign], edits: &[(Edit, How)]) {
    let mut scene = Scene::new(draft.build(), foreign);
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

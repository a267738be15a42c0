//! The tests that need a lab. Each is a `pub fn()` that panics when it fails; name it here, or it does not run.

mod routes_by_hand;
mod support;
mod tutorial;

crate::harness::lab_tests! {
    routes_by_hand::pods_meet_once_both_nodes_have_a_route,
    routes_by_hand::nothing_of_a_lab_is_left,
    routes_by_hand::a_reboot_loses_routes_and_keeps_files,
    routes_by_hand::a_broken_node_is_mended,
    routes_by_hand::a_lab_ends_with_its_owner,
    routes_by_hand::what_differs_between_runs_is_redacted,
    tutorial::the_routes_of_the_tutorial,
    tutorial::from_the_tutorials_machines_to_a_destroy_without_the_topology,
    tutorial::a_state_that_was_lost_is_made_anew,
}

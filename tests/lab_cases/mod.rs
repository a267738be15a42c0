//! The tests that need a lab. Each is a `pub fn()` that panics when it fails; name it here, or it does not run.

mod commands;
mod cuts;
mod families;
mod file_scripts;
mod file_scripts_refusals;
mod forwarding;
mod hostile;
mod interrupted;
mod loading;
mod machines;
mod membership;
mod ownership;
mod persistence;
mod persistence_alone;
mod persistence_owners;
mod persistence_refusals;
mod persistence_shapes;
mod persistence_trouble;
mod refusals;
mod routes_by_hand;
mod support;
mod trouble;
mod tutorial;

crate::harness::lab_tests! {
    routes_by_hand::pods_meet_once_both_nodes_have_a_route,
    routes_by_hand::nothing_of_a_lab_is_left,
    routes_by_hand::a_reboot_loses_routes_and_keeps_files,
    routes_by_hand::a_broken_node_is_mended,
    routes_by_hand::a_lab_ends_with_its_owner,
    routes_by_hand::what_differs_between_runs_is_redacted,
    ownership::recorded_rows_and_what_became_of_them,
    ownership::rows_that_were_there_before,
    ownership::conflicts_stop_the_run_before_its_first_write,
    ownership::own_pods_led_away_by_hand,
    membership::nodes_come_go_and_change,
    membership::a_node_dies,
    membership::a_recorded_node_is_away_while_another_comes,
    membership::an_unreachable_new_node_comes_later,
    membership::a_pod_subnet_moves_after_its_bridge,
    membership::a_pod_subnet_moves_before_its_bridge,
    membership::pings_go_on_while_nodes_come,
    trouble::each_failure_is_named_and_the_others_are_served,
    refusals::a_route_that_captures_a_needed_address,
    refusals::a_route_that_captures_the_operator,
    refusals::the_way_back_to_the_operator_is_put_back,
    refusals::nodes_on_two_links,
    refusals::two_topologies_on_one_node,
    refusals::the_age_of_a_path_mtu_is_no_other_way,
    refusals::machines_in_azure,
    families::dual_stack_and_ipv6_only,
    families::table_metric_and_mark_are_changed,
    families::next_hops_on_a_link_of_another_table,
    commands::a_part_is_selected,
    commands::plans_without_a_look_and_events,
    commands::nobody_to_ask_and_nobody_to_read,
    commands::one_run_at_a_time,
    interrupted::an_interrupted_run_goes_on_from_there,
    interrupted::killed_runs_never_lose_what_is_owned,
    interrupted::forty_nodes,
    hostile::hostile_topologies_are_refused,
    hostile::hostile_answers_are_only_data,
    hostile::machines_without_or_with_the_same_identity,
    tutorial::the_routes_of_the_tutorial,
    tutorial::from_the_tutorials_machines_to_a_destroy_without_the_topology,
    tutorial::a_state_that_was_lost_is_made_anew,
}

crate::harness::machine_tests! {
    machines::three_machines_boot_and_are_reached,
    machines::a_reboot_keeps_the_address_and_loses_routes,
    machines::a_restart_of_networkd_deletes_foreign_routes,
    machines::a_loss_of_carrier_deletes_foreign_routes,
    machines::every_shape_comes_up_with_its_address,
    machines::a_naive_file_cuts_a_node_off,
    machines::a_bond_comes_up_with_its_address needs "bond",
    machines::a_vlan_comes_up_with_its_address needs "vlan",
    machines::applied_routes_are_put_back_after_a_reboot,
    machines::a_watch_sees_what_is_lost,
    machines::clones_are_repaired_as_advised,
    machines::nothing_of_machines_is_left,
    persistence::routes_outlive_what_happens_to_nodes also on "trixie",
    persistence_alone::files_alone_put_routes_into_the_kernel,
    persistence_alone::a_deferred_file_waits,
    persistence_owners::files_changed_by_hand_are_put_back,
    persistence_owners::files_of_others_are_left_alone,
    persistence_owners::a_take_over_that_is_refused_owns_nothing,
    persistence_owners::a_lost_state_adopts_files_and_rows,
    persistence_owners::files_with_as_many_routes_as_others,
    persistence_owners::routes_that_others_provide_are_left_to_them,
    persistence_owners::a_file_of_others_keeps_another_route,
    persistence_refusals::what_is_seen_before_the_first_write_stops_it,
    persistence_refusals::what_is_seen_when_a_file_is_tried_is_told,
    persistence_refusals::a_file_that_cannot_be_removed_stays_recorded,
    persistence_trouble::a_failed_file_step_leaves_routes_that_do_not_last,
    persistence_trouble::an_apply_that_is_killed_goes_on_from_there also on "trixie",
    persistence_trouble::a_node_without_power_in_the_middle_of_an_apply,
    persistence_shapes::every_shape_keeps_its_routes also on "trixie",
    persistence_shapes::nodes_behind_an_on_link_gateway_keep_their_routes also on "trixie",
    persistence_shapes::a_bond_keeps_its_routes needs "bond",
    persistence_shapes::a_vlan_keeps_its_routes needs "vlan",
    persistence_shapes::drop_ins_and_netplan_replace_each_other,
    file_scripts::the_configuration_of_every_shape_is_seen also on "trixie",
    file_scripts::files_come_change_and_go_without_a_loss also on "trixie",
    file_scripts_refusals::files_that_do_harm_are_refused,
    file_scripts::a_deferred_file_is_pending_until_networkd_restarts also on "trixie",
    file_scripts_refusals::what_cannot_be_loaded_is_put_back also on "trixie",
    loading::loading_leaves_all_of_others_as_it_is also on "trixie",
    cuts::scripts_that_are_cut_anywhere_lose_nothing,
    forwarding::forwarding_outlives_a_reboot also on "trixie",
    forwarding::router_advertisements_are_not_lost also on "trixie",
}

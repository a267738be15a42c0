//! A run dies at each of its writes in turn: of the state, of the journal, on nodes and in Azure.

use super::Tried;
use super::draft::{FILES, KERNEL_AND_FILES, changed, grown, small};
use super::scene::{Order, Scene};
use crate::fake::world::Ran;

/// Before the write has its effect, behind it, and in the middle: a journal line is torn, an operation in Azure goes on.
const WAYS: usize = 3;

fn kill_all(what: &str, before: &Scene, order: &Order, tried: &mut Tried) {
    for how in 0..WAYS {
        for at in 1.. {
            let scene = before.copy();
            let (ran, exit) = scene.run_until(order, at, how);
            if !matches!(ran, Ran::Died) {
                assert!(at > 8, "{what} has only {at} writes");
                break;
            }
            tried.cases += 1;
            let mut wrong = scene.wrong(order, exit);
            wrong.extend(scene.finish(order));
            tried.wrong.extend(wrong.iter().map(|it| format!("{what}, killed at write {at} in way {how}: {it}")));
        }
    }
}

fn try_a_life(on_nodes: &'static str, with_table: bool) {
    let mut tried = Tried::default();
    let scene = Scene::new(with_table);
    kill_all("first apply", &scene, &Order::Apply(small(on_nodes)), &mut tried);
    scene.apply(&grown(on_nodes));
    kill_all("a change", &scene, &Order::Apply(changed(on_nodes)), &mut tried);
    kill_all("destroy", &scene, &Order::Destroy, &mut tried);
    tried.tell(&format!("kills, {}", on_nodes.replace('\n', " ")));
}

#[test]
fn a_kill_at_any_write_costs_nothing_with_routes_in_the_kernel_and_in_files() {
    try_a_life(KERNEL_AND_FILES, false);
}

#[test]
fn a_kill_at_any_write_costs_nothing_with_routes_in_files_and_a_table_of_others() {
    try_a_life(FILES, true);
}

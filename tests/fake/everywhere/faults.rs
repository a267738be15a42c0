//! Something goes wrong with each message of a run in turn, in each way in which it can.

use super::Tried;
use super::draft::{FILES, KERNEL, KERNEL_AND_FILES, changed, grown, small};
use super::scene::{Order, Scene, WHOLE};
use crate::fake::post::{Form, Mishap};

/// Whether nobody can tell the mishap from the truth: Azure says that something is not there, and nothing contradicts it.
fn is_a_lie(order: &Order, form: Form, mishap: Mishap) -> bool {
    matches!(order, Order::Destroy) && form == Form::Get && mishap == Mishap::Contradiction
}

/// Whether a mishap of a look before the run leads to the same evidence as another one in the list: what cannot be read is as
/// unknown as what was not answered, and before the run nobody reads versions.
fn says_the_same(form: Form, mishap: Mishap) -> bool {
    matches!((form, mishap), (Form::Look | Form::Get | Form::List, Mishap::Nonsense) | (Form::Get, Mishap::Half))
}

/// Each mishap of each message of a run, from the same beginning.
fn try_all(what: &str, before: &Scene, order: &Order, tried: &mut Tried) {
    let clean = before.copy();
    clean.cloud.post.begin(None);
    let (ran, exit) = clean.run(order);
    assert_eq!(exit, WHOLE, "{what} without mishaps: {ran:?}");
    let messages = clean.cloud.post.messages();
    let looks = before.looks(order);
    for (at, message) in messages.iter().enumerate() {
        for mishap in message.form.mishaps() {
            if is_a_lie(order, message.form, *mishap) || (at < looks && says_the_same(message.form, *mishap)) {
                continue;
            }
            let scene = before.copy();
            scene.cloud.post.begin(Some((at, *mishap)));
            let (ran, exit) = scene.run(order);
            assert!(scene.cloud.post.messages().len() > at, "{what}: message {at} is not sent");
            scene.cloud.post.begin(None);
            let mut wrong = scene.wrong(order, exit);
            wrong.extend(scene.finish(order));
            tried.cases += 1;
            let case = format!("{what}, {mishap:?} at message {} of {} ({message:?})", at + 1, messages.len());
            tried.wrong.extend(wrong.iter().map(|it| format!("{case}: {it}; the run: {ran:?}")));
        }
    }
}

/// A first apply, one that adds a node, one that changes routes, and destroy.
fn try_a_life(on_nodes: &'static str, with_table: bool) {
    let mut tried = Tried::default();
    let scene = Scene::new(with_table);
    // The messages of a first apply are those of routes in the kernel and in files, but for one write on each node.
    if on_nodes != FILES {
        try_all("first apply", &scene, &Order::Apply(small(on_nodes)), &mut tried);
    }
    scene.apply(&small(on_nodes));
    try_all("a node more", &scene, &Order::Apply(grown(on_nodes)), &mut tried);
    scene.apply(&grown(on_nodes));
    try_all("a change", &scene, &Order::Apply(changed(on_nodes)), &mut tried);
    try_all("destroy", &scene, &Order::Destroy, &mut tried);
    tried.tell(&format!("faults, {}", on_nodes.replace('\n', " ")));
}

#[test]
fn a_fault_at_any_message_costs_nothing_with_routes_in_the_kernel() {
    try_a_life(KERNEL, false);
}

#[test]
fn a_fault_at_any_message_costs_nothing_with_routes_in_files_too() {
    try_a_life(KERNEL_AND_FILES, true);
}

#[test]
fn a_fault_at_any_message_costs_nothing_with_routes_in_files_alone() {
    try_a_life(FILES, false);
}

//! Azure says that something is not there, and it is.

use super::draft::{KERNEL, changed, grown};
use super::scene::{Order, Scene, WHOLE};
use crate::fake::post::{Form, Mishap};

#[test]
fn a_table_that_is_there_after_all_keeps_its_record() {
    for with_table in [false, true] {
        let scene = Scene::new(with_table);
        scene.apply(&grown(KERNEL));
        let order = Order::Apply(changed(KERNEL));
        let (ran, exit) = scene.run_with(&order, Form::Get, "Table kubernetes-routes", Mishap::Contradiction);
        assert_eq!(exit, WHOLE, "{ran:?}");
        assert_eq!(scene.wrong(&order, exit), [""; 0], "{ran:?}");
        assert_eq!(scene.finish(&order), [""; 0]);
    }
}

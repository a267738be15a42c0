//! What must hold for every topology over nodes and Azure, and for every sequence of edits, faults and kills.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::json;

use super::draft::{Draft, FILES, KERNEL, KERNEL_AND_FILES, MACHINES};
use super::scene::{Order, Scene};
use crate::arm::{Command, network_path};
use crate::fake::cases;
use crate::fake::post::{Form, Mishap};

/// Number of pod subnets.
const PODS: usize = 4;

/// Which machines there are, and which of them has each pod subnet, if any.
type Nodes = ([bool; 5], [Option<usize>; PODS]);

/// What happens in one run: nothing, a fault at a message, or a kill at a write.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    Fault(usize, usize),
    Kill(usize, usize),
}

fn any_nodes() -> impl Strategy<Value = Nodes> {
    (any::<[bool; 5]>(), prop::array::uniform4(prop::option::weighted(0.8, 1..MACHINES.len())))
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        2 => Just(Trouble::None),
        3 => (0..24_usize, 0..9_usize).prop_map(|(at, which)| Trouble::Fault(at, which)),
        3 => (1..24_usize, 0..3_usize).prop_map(|(at, how)| Trouble::Kill(at, how)),
    ]
}

fn draft(on_nodes: &'static str, (is_there, pods): &Nodes) -> Draft {
    let own = |machine: usize| {
        let numbers = (0..PODS).filter(|number| pods[*number] == Some(machine));
        numbers.map(|number| format!("10.200.{number}.0/24")).collect()
    };
    let has_pods = |machine: usize| pods.contains(&Some(machine));
    let machines = (0..MACHINES.len()).filter(|machine| *machine == 0 || is_there[*machine] || has_pods(*machine));
    Draft { nodes: machines.map(|machine| (machine, own(machine))).collect(), on_nodes }
}

/// All network interfaces forward already: what topo turned on and needs no more it forgets, so that destroy cannot turn it off.
fn scene(with_table: bool) -> Scene {
    let scene = Scene::new(with_table);
    for worker in 0..super::draft::WORKERS {
        let path = network_path(&format!("networkInterfaces/worker-{worker}-nic"));
        let body = json!({ "properties": { "enableIPForwarding": true } });
        scene.cloud.command(Command::Merge { path, body });
    }
    scene.begin_anew()
}

/// A run with trouble. What is wrong after it, and whether the trouble came.
fn go(scene: &Scene, order: &Order, trouble: Trouble) -> Vec<String> {
    let clean = scene.copy();
    let (fault, at, how) = match trouble {
        Trouble::None => (None, 0, 0),
        Trouble::Kill(at, how) => (None, at, how),
        Trouble::Fault(at, which) => {
            clean.cloud.post.begin(None);
            clean.run(order);
            let messages = clean.cloud.post.messages();
            let form = messages.get(at % messages.len().max(1)).map_or(Form::Look, |message| message.form);
            let mishap = form.mishaps()[which % form.mishaps().len()];
            // What nobody can tell from the truth.
            let is_a_lie = form == Form::Get && mishap == Mishap::Contradiction;
            ((!is_a_lie).then_some((at % messages.len().max(1), mishap)), 0, 0)
        }
    };
    scene.cloud.post.begin(fault);
    let (ran, exit) = scene.run_until(order, at, how);
    scene.cloud.post.begin(None);
    let wrong = scene.wrong(order, exit);
    wrong.into_iter().map(|it| format!("{order:?}, {trouble:?}, {fault:?}: {it}; the run: {ran:?}")).collect()
}

fn config(usual: u32) -> Config {
    let looks_further = std::env::var_os("TOPO_TEST_CASES").is_some();
    let rng_seed = if looks_further { RngSeed::Random } else { RngSeed::Fixed(20_261_126) };
    Config { cases: cases(usual), failure_persistence: None, max_shrink_iters: 200, rng_seed, ..Config::default() }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn edits_faults_and_kills_in_any_order_converge_on_nodes_and_in_azure(
        on_nodes in prop::sample::select(vec![KERNEL, KERNEL_AND_FILES, FILES]),
        with_table in any::<bool>(),
        edits in prop::collection::vec((any_nodes(), any_trouble()), 1..5),
        destroys in any::<bool>(),
    ) {
        let scene = scene(with_table);
        let mut order = Order::Destroy;
        for (number, (nodes, trouble)) in edits.iter().enumerate() {
            let is_last = number + 1 == edits.len();
            order = if is_last && destroys { Order::Destroy } else { Order::Apply(draft(on_nodes, nodes)) };
            let wrong = go(&scene, &order, *trouble);
            prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
        let wrong = scene.finish(&order);
        prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

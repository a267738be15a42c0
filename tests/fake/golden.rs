//! Writes golden states of nodes (see `state/golden/README.md`): documents and journals as runs leave them.

use std::fmt::Write as _;
use std::sync::Arc;

use topo::backend::Desired;
use topo::backend::REGISTRY;
use topo::plan::Options;
use topo::resource::Name;
use topo::topology::{self, Source};

use super::kernel::Node;
use super::world::{Ran, World};
use crate::state::golden::keep;

/// Four machines on one link, of which a topology may use fewer.
const MACHINES: [[&str; 2]; 4] = [
    ["10.240.0.10", "fd00:240::10"],
    ["10.240.0.20", "fd00:240::20"],
    ["10.240.0.21", "fd00:240::21"],
    ["10.240.0.22", "fd00:240::22"],
];

/// The topology of the tutorial with this many machines and these backends.
fn topology(machines: usize, dual: bool, backends: &str) -> String {
    let mut text = "[topology]\nname = \"kthw\"\n[nodes]\n".to_owned();
    for (number, [v4, v6]) in MACHINES[..machines].iter().enumerate() {
        let name = if number == 0 { "server".to_owned() } else { format!("node-{}", number - 1) };
        let address = if dual { format!("[\"{v4}\", \"{v6}\"]") } else { format!("\"{v4}\"") };
        let pods = match (number, dual) {
            (0, _) => String::new(),
            (_, false) => format!(", pods = \"10.200.{}.0/24\"", number - 1),
            (_, true) => format!(", pods = [\"10.200.{0}.0/24\", \"fd00:200:{0}::/64\"]", number - 1),
        };
        writeln!(text, "{name} = {{ address = {address}{pods} }}").expect("memory");
    }
    text + backends
}

fn desired(text: &str) -> Desired {
    let (topology, diagnostics) =
        topology::parse(&[Source { name: "topo.toml".into(), text: text.to_owned() }], REGISTRY.formats());
    let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    REGISTRY.desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
}

/// Machines and a state, from one run to the next.
struct Scene {
    world: Arc<World>,
}

impl Scene {
    fn new() -> Self {
        let world = Arc::new(World::default());
        for (number, [v4, v6]) in MACHINES.iter().enumerate() {
            let addresses = [(v4.parse().expect("address"), 24), (v6.parse().expect("address"), 64)];
            world.network.nodes().push(Node::new(&format!("{number:032x}"), &addresses, "10.240.0.250".parse().ok()));
        }
        Self { world }
    }

    fn run(&self, text: &str, options: &Options, at: usize, how: usize) -> Ran {
        let name = Name::new("kthw").expect("name");
        let mut desired = desired(text);
        if options.destroy {
            desired.places.values_mut().for_each(|place| place.resources.clear());
        }
        self.world.run(&name, &desired, options, at, how)
    }

    fn apply(&self, text: &str) {
        let ran = self.run(text, &Options::default(), 0, 0);
        assert!(matches!(&ran, Ran::Done(outcome) if outcome.is_complete()), "{ran:?}");
    }

    fn apply_to(&self, text: &str, target: &str) {
        let mut options = Options::default();
        options.selection.targets.push(target.parse().expect("pattern"));
        let ran = self.run(text, &options, 0, 0);
        assert!(matches!(&ran, Ran::Done(_)), "{ran:?}");
    }

    fn fault(&self, machine: usize, fault: u8) {
        self.world.network.faults.lock().expect("no panic before").insert(machine, fault);
    }

    fn mend(&self) {
        self.world.network.faults.lock().expect("no panic before").clear();
    }

    /// The document and the journal.
    fn files(&self) -> (String, String) {
        let (document, journal) = self.world.disk.files();
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(document), text(journal))
    }
}

/// What a kill leaves: a scene is made anew for each operation of the run until what is left is as asked for.
fn killed(
    prepare: impl Fn() -> Scene,
    text: &str,
    options: &Options,
    how: usize,
    wanted: impl Fn(&str, &str) -> bool,
) -> Scene {
    for at in 1..60 {
        let scene = prepare();
        if !matches!(scene.run(text, options, at, how), Ran::Died) {
            break;
        }
        let (document, journal) = scene.files();
        if wanted(&document, &journal) {
            return scene;
        }
    }
    panic!("no kill leaves that");
}

/// What two kills leave that are told apart in one record.
fn killed_twice(prepare: impl Fn() -> Scene, first: &str, second: &str) -> Scene {
    for at in 1..60 {
        let scene = prepare();
        if !matches!(scene.run(first, &Options::default(), at, 1), Ran::Died) {
            break;
        }
        let ran = scene.run(second, &Options::default(), 1, 1);
        if matches!(ran, Ran::Died) && scene.files().0.contains("\"also\"") {
            return scene;
        }
    }
    panic!("no two kills leave that");
}

fn in_doubt(document: &str) -> bool {
    document.contains("\"to\":")
}

#[test]
#[ignore = "writes files: TOPO_GOLDEN_STATES=FOLDER cargo test --test all write_golden -- --ignored"]
fn write_golden_states_of_nodes() {
    const KERNEL: &str = "[backends.ssh-static]\n";
    let kept = |name: &str, scene: &Scene| keep(name, &scene.files());
    let (usual, destroy) = (Options::default(), Options { destroy: true, ..Options::default() });
    let applied = |text: &str| {
        let scene = Scene::new();
        scene.apply(text);
        scene
    };
    let three = topology(3, false, KERNEL);
    let four = topology(4, false, KERNEL);

    kept("nodes-single-stack", &applied(&three));
    kept("nodes-dual-stack", &applied(&topology(4, true, KERNEL)));

    // Senders that know the list as it was before and as it is, and one that lacks a row because its node was down.
    let scene = applied(&three);
    scene.fault(3, 0);
    scene.run(&four, &usual, 0, 0);
    scene.mend();
    scene.apply_to(&four.replace("10.200.0.0/24", "10.200.9.0/24"), "server");
    scene.apply_to(&four.replace("10.200.0.0/24", "10.200.8.0/24"), "node-1");
    kept("nodes-list-versions", &scene);

    let settings = "[subnets.a]\ncidr = \"10.240.0.0/28\"\ngateway = \"10.240.0.1\"\nrouted = true\n[subnets.b]\n\
                    cidr = \"10.240.0.16/28\"\ngateway = \"10.240.0.17\"\nrouted = true\n[ssh]\nuser = \"operator\"\nport = 2222\nsudo = true\n\
                    [backends.ssh-static]\ntable = 100\nmetric = 50\nprotocol = 202\n";
    let scene = Scene::new();
    let masks = |machine: usize, host: &str| {
        let nodes = &mut scene.world.network.nodes();
        nodes[machine].address(&[(host.parse().expect("address"), 28)]);
    };
    for (machine, [v4, _]) in MACHINES.iter().enumerate() {
        masks(machine, v4);
    }
    scene.apply(&topology(4, false, settings));
    kept("nodes-settings", &scene);

    kept(
        "nodes-in-doubt",
        &killed(Scene::new, &three, &usual, 1, |document, journal| in_doubt(document) && journal.is_empty()),
    );
    let grown = || applied(&three);
    kept("nodes-journal-done", &killed(grown, &four, &usual, 1, |_, journal| journal.lines().count() >= 4));
    let metric = |metric: u32| topology(3, false, &format!("[backends.ssh-static]\nmetric = {metric}\n"));
    kept("nodes-in-doubt-twice", &killed_twice(grown, &metric(50), &metric(60)));
    kept(
        "nodes-destroyed-but-recorded",
        &killed(grown, &three, &destroy, 1, |_, journal| journal.matches("removed").count() >= 3),
    );
    let scene = applied(&three);
    scene.run(&three, &destroy, 0, 0);
    kept("nodes-all-removed", &scene);
    kept(
        "nodes-journal-torn",
        &killed(grown, &four, &usual, 2, |_, journal| journal.lines().count() > 1 && !journal.ends_with('\n')),
    );
    kept(
        "nodes-journal-stale",
        &killed(grown, &four, &usual, 1, |document, journal| !in_doubt(document) && !journal.is_empty()),
    );
    let lost = || {
        let scene = applied(&three);
        scene.fault(1, 5);
        scene
    };
    kept(
        "nodes-journal-still-in-doubt",
        &killed(lost, &four, &usual, 1, |_, journal| journal.contains("still_in_doubt") && journal.contains("done")),
    );
    let down = || {
        let scene = applied(&three);
        scene.fault(3, 0);
        scene
    };
    kept(
        "nodes-journal-lacks",
        &killed(down, &four, &usual, 1, |document, journal| {
            in_doubt(document) && journal.contains("\"lacks\"") && journal.contains("untouched")
        }),
    );

    let (both, alone) = ("[backends.ssh-static]\n[backends.netplan]\n", "[backends.netplan]\n");
    kept("netplan-beside-the-kernel", &applied(&topology(3, true, both)));
    kept("netplan-alone", &applied(&topology(3, false, alone)));
    kept("netplan-deferred", &applied(&topology(3, false, &format!("{both}activate = \"defer\"\n"))));
    let networkd = "[backends.bare]\ntype = \"netplan\"\npersist = \"networkd\"\n";
    kept("netplan-networkd", &applied(&topology(3, false, networkd)));
    let later = || applied(&topology(3, false, alone));
    let deferred = format!("{alone}activate = \"defer\"\n");
    kept(
        "netplan-in-doubt",
        &killed(later, &topology(4, false, alone), &usual, 1, |document, journal| {
            in_doubt(document) && journal.is_empty()
        }),
    );
    kept("netplan-in-doubt-twice", &killed_twice(later, &topology(4, false, &deferred), &topology(3, false, both)));
}

//! Runs of the backend `sysctl` over the fakes: forwarding is turned on before routes come, and what cannot forward gets none.

use std::sync::Arc;

use topo::backend::{Desired, REGISTRY};
use topo::plan::Options;
use topo::report::RunOutcome;
use topo::resource::{Name, Phase};
use topo::topology::{self, Source};

use super::kernel::Node;
use super::world::{Ran, World};

const HOSTS: [&str; 3] = ["10.240.0.10", "10.240.0.20", "10.240.0.21"];
const FILE: &str = "/etc/sysctl.d/60-topo.conf";
const FORWARD: &str = "net/ipv4/ip_forward";
const STATIC: &str = "[backends.ssh-static]\n";
const FORWARDING: &str = "[backends.sysctl]\nip_forward = true\n";
const FILTER: &str = "[backends.sysctl]\nip_forward = true\nrp_filter = \"strict\"\n";

struct Scene {
    world: Arc<World>,
    name: Name,
    desired: Desired,
}

impl Scene {
    fn new(backends: &[&str]) -> Self {
        let world = Arc::new(World::default());
        for (number, host) in HOSTS.iter().enumerate() {
            let address = (host.parse().expect("address"), 24);
            let node = Node::new(&format!("{number:032x}"), &[address], "10.240.0.250".parse().ok());
            world.network.nodes().push(node);
        }
        Self { world, name: Name::new("kthw").expect("name"), desired: desired(backends) }
    }

    fn run(&self, options: &Options, at: usize, how: usize) -> Ran {
        let mut desired = self.desired.clone();
        if options.destroy {
            desired.clear();
        }
        self.world.run(&self.name, &desired, options, at, how)
    }

    #[track_caller]
    fn done(&self, options: &Options) -> RunOutcome {
        match self.run(options, 0, 0) {
            Ran::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn apply(&self) -> RunOutcome {
        self.done(&Options::default())
    }

    /// The value of a setting on each node.
    fn values(&self, path: &str) -> Vec<String> {
        self.world.network.nodes().iter().map(|node| node.settings.values[path].clone()).collect()
    }

    fn set(&self, machine: usize, path: &str, value: &str) {
        self.world.network.nodes()[machine].settings.set(path, value);
    }

    /// The nodes that have topo's file.
    fn with_file(&self) -> Vec<usize> {
        let nodes = self.world.network.nodes();
        (0..nodes.len()).filter(|at| nodes[*at].settings.files.contains_key(FILE)).collect()
    }

    /// The nodes that have a route to a destination by somebody else than the kernel.
    fn with_route(&self, destination: &str) -> Vec<usize> {
        let destination = destination.parse().expect("a prefix");
        let nodes = self.world.network.nodes();
        (0..nodes.len()).filter(|at| nodes[*at].rows.iter().any(|row| row.destination == destination)).collect()
    }

    fn is_on_record(&self) -> bool {
        self.world.state(&self.name).0.records().any(|(_, id, _)| &*id.kind == "sysctl_file")
    }
}

fn desired(backends: &[&str]) -> Desired {
    let text = format!(
        "[topology]\nname = \"kthw\"\n[nodes]\nserver = {{ address = \"10.240.0.10\" }}\n\
         node-0 = {{ address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }}\n\
         node-1 = {{ address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }}\n{}",
        backends.concat()
    );
    let (topology, diagnostics) = topology::parse(&[Source { name: "topo.toml".into(), text }], REGISTRY.formats());
    let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    REGISTRY.desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
}

fn destroy(revert_forwarding: bool) -> Options {
    Options { destroy: true, revert_forwarding, ..Options::default() }
}

#[test]
fn what_is_applied_survives_a_reboot_and_destroy_takes_the_file_away() {
    for backends in [&[FORWARDING][..], &[STATIC, FORWARDING], &[STATIC, FILTER]] {
        for reverts in [false, true] {
            let scene = Scene::new(backends);
            let before: Vec<_> = scene.world.network.nodes().iter().map(|node| node.settings.clone()).collect();
            let outcome = scene.apply();
            assert!(outcome.is_complete(), "{outcome:?}");
            assert_eq!((scene.values(FORWARD), scene.with_file()), (vec!["1".to_owned(); 3], vec![0, 1, 2]));
            assert!(matches!(scene.run(&Options::default(), 0, 0), Ran::Nothing));
            scene.world.network.nodes().iter_mut().for_each(|node| node.settings.boot());
            assert_eq!(scene.values(FORWARD), ["1", "1", "1"]);
            assert!(matches!(scene.run(&Options::default(), 0, 0), Ran::Nothing));

            let outcome = scene.done(&destroy(reverts));
            assert!(outcome.is_complete(), "{outcome:?}");
            assert!(scene.with_file().is_empty() && !scene.is_on_record());
            assert_eq!(scene.values(FORWARD), [if reverts { "0" } else { "1" }; 3]);
            let nodes = scene.world.network.nodes();
            assert!(nodes.iter().all(|node| node.markers.is_empty()));
            if reverts {
                assert!(nodes.iter().zip(&before).all(|(node, before)| node.settings == *before));
            }
        }
    }
}

#[test]
fn drift_in_the_file_and_in_the_value_is_put_back() {
    let scene = Scene::new(&[STATIC, FORWARDING]);
    assert!(scene.apply().is_complete());
    scene.set(0, FORWARD, "0");
    scene.world.network.nodes()[1].settings.files.insert(FILE.to_owned(), "net.ipv4.ip_forward = 0\n".to_owned());
    scene.world.network.nodes()[2].settings.files.remove(FILE);
    let outcome = scene.apply();
    assert!(outcome.is_complete(), "{outcome:?}");
    let nodes = scene.world.network.nodes().clone();
    assert!(nodes.iter().all(|node| node.settings == nodes[0].settings), "{nodes:?}");
    assert_eq!(scene.values(FORWARD), ["1", "1", "1"]);
    assert!(matches!(scene.run(&Options::default(), 0, 0), Ran::Nothing));
}

#[test]
fn forwarding_of_a_device_is_turned_on_and_reverts_as_it_was() {
    const DEVICE: &str = "net/ipv4/conf/eth0/forwarding";
    let scene = Scene::new(&[STATIC, FORWARDING]);
    scene.set(0, FORWARD, "1");
    scene.set(1, FORWARD, "1");
    scene.set(1, DEVICE, "0");
    let before: Vec<_> = scene.world.network.nodes().iter().map(|node| node.settings.clone()).collect();
    assert!(scene.apply().is_complete());
    assert_eq!(scene.values(DEVICE), ["1", "1", "1"]);
    assert!(matches!(scene.run(&Options::default(), 0, 0), Ran::Nothing));
    // Later somebody turns it off. That is drift, and not what was there before topo.
    scene.set(0, DEVICE, "0");
    assert!(scene.apply().is_complete());
    assert_eq!(scene.values(DEVICE), ["1", "1", "1"]);
    assert!(scene.done(&destroy(true)).is_complete());
    let nodes = scene.world.network.nodes();
    assert!(nodes.iter().zip(&before).all(|(node, before)| node.settings == *before), "{nodes:?}");
}

#[test]
fn a_node_that_cannot_forward_gets_no_routes_and_the_next_run_finishes() {
    let scene = Scene::new(&[STATIC, FORWARDING]);
    scene.world.network.nodes()[2].settings.fixed.insert(FORWARD.to_owned());
    let outcome = scene.apply();
    assert!(!outcome.is_complete());
    let failures: Vec<_> = outcome.failures.iter().map(|one| (one.place.name(), one.phase)).collect();
    assert_eq!(failures, [("node-1", Phase::Prepare)], "{outcome:?}");
    assert!(outcome.failures[0].message.contains("topo has put back what it had changed"), "{outcome:?}");
    let skipped: Vec<_> = outcome.skipped.iter().map(|one| (one.place.name(), &*one.receiver, one.routes)).collect();
    assert_eq!(skipped, [("node-0", "node-1", 1), ("server", "node-1", 1)]);
    assert_eq!(scene.with_route("10.200.1.0/24"), [0_usize; 0]);
    assert_eq!((scene.with_route("10.200.0.0/24"), scene.with_file()), (vec![0], vec![0, 1]));

    scene.world.network.nodes()[2].settings.fixed.clear();
    let outcome = scene.apply();
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!((scene.with_route("10.200.1.0/24"), scene.with_file()), (vec![0, 1], vec![0, 1, 2]));
    assert!(matches!(scene.run(&Options::default(), 0, 0), Ran::Nothing));
}

#[test]
fn a_kill_at_any_write_loses_nothing() {
    for (options, backends) in [(Options::default(), FORWARDING), (destroy(false), FILTER), (destroy(true), FORWARDING)]
    {
        for how in 0..3 {
            for at in 1.. {
                let scene = Scene::new(&[STATIC, backends]);
                let bare: Vec<_> = scene.world.network.nodes().iter().map(|node| node.settings.clone()).collect();
                if options.destroy {
                    assert!(scene.apply().is_complete());
                }
                let died = match scene.run(&options, at, how) {
                    Ran::Died => true,
                    Ran::Done(outcome) => {
                        assert!(outcome.is_complete(), "{outcome:?}");
                        false
                    }
                    other => panic!("{other:?}"),
                };
                match scene.run(&options, 0, 0) {
                    Ran::Done(outcome) => assert!(outcome.is_complete(), "{at} {how}: {outcome:?}"),
                    Ran::Nothing => {}
                    other => panic!("{at} {how}: {other:?}"),
                }
                if options.destroy {
                    assert!(scene.with_file().is_empty() && !scene.is_on_record(), "{at} {how}");
                } else {
                    assert_eq!((scene.values(FORWARD), scene.with_file()), (vec!["1".to_owned(); 3], vec![0, 1, 2]));
                    assert!(scene.done(&destroy(true)).is_complete());
                }
                if !options.destroy || options.revert_forwarding {
                    let nodes = scene.world.network.nodes();
                    assert!(nodes.iter().zip(&bare).all(|(node, bare)| node.settings == *bare), "{at} {how}");
                }
                if !died {
                    assert!(at > 3, "a run has more writes than that");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_node_that_is_down_gets_its_settings_in_the_next_run() {
    let scene = Scene::new(&[STATIC, FORWARDING]);
    scene.world.network.faults.lock().expect("no panic before").insert(2, 0);
    let outcome = scene.apply();
    assert!(!outcome.is_complete());
    assert_eq!((scene.values(FORWARD), scene.with_file()), (["1", "1", "0"].map(str::to_owned).to_vec(), vec![0, 1]));
    scene.world.network.faults.lock().expect("no panic before").clear();
    assert!(scene.apply().is_complete());
    assert_eq!(scene.with_file(), [0, 1, 2]);
}

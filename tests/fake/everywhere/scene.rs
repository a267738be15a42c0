//! Machines, a cloud and a state, and the runs that they go through.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use topo::backend::Desired;
use topo::network::MAIN_TABLE;
use topo::plan::Options;
use topo::resource::Name;

use super::books::{Others, others};
use super::draft::{Draft, MACHINES, OFFICE, WORKERS};
use crate::arm::{Command, LOCATION, NETWORK, TABLE, network_path, nic};
use crate::fake::cloud::Cloud;
use crate::fake::kernel::{AZURE, Command as Row, Node, Verb, Way};
use crate::fake::post::{Form, Mishap};
use crate::fake::world::{Network, Ran, World};

/// Exit codes, as the commands have them.
pub(super) const WHOLE: u8 = 0;
pub(super) const UNCHANGED: u8 = 1;
pub(super) const PARTLY: u8 = 3;

/// What a run is to do.
#[derive(Clone, Debug)]
pub(super) enum Order {
    Apply(Draft),
    /// Forwarding is turned off again, too.
    Destroy,
}

impl Order {
    pub(super) fn inputs(&self) -> (Desired, Options) {
        match self {
            Self::Apply(draft) => (draft.desired(), Options::default()),
            Self::Destroy => {
                let options = Options { destroy: true, revert_forwarding: true, ..Options::default() };
                (Desired::default(), options)
            }
        }
    }
}

pub(super) struct Scene {
    pub(super) world: Arc<World>,
    pub(super) cloud: Arc<Cloud>,
    pub(super) name: Name,
    /// What others had before the first run.
    pub(super) before: Arc<Others>,
}

impl Scene {
    /// Machines and a subscription, both with things of others. `with_table`: the table is there already, and is not topo's.
    pub(super) fn new(with_table: bool) -> Self {
        let cloud = Cloud::new(WORKERS);
        for command in things_of_others(with_table) {
            cloud.command(command);
        }
        Self::of(cloud)
    }

    /// The machines in front of a cloud.
    pub(super) fn of(cloud: Cloud) -> Self {
        let network = Network { fate: Arc::clone(&cloud.fate), post: Arc::clone(&cloud.post), ..Network::default() };
        for (number, (_, host, router)) in MACHINES.iter().enumerate() {
            network.nodes().push(machine(number, host, router));
        }
        let cloud = Arc::new(cloud);
        let world = World { network, azure: Some(Arc::clone(&cloud) as _), ..World::default() };
        let before = Arc::new(others(&world, &cloud.documents()));
        Self { world: Arc::new(world), cloud, name: Name::new("kthw").expect("name"), before }
    }

    /// The same once more, for another continuation.
    pub(super) fn copy(&self) -> Self {
        let cloud = Arc::new(self.cloud.copy());
        let network = Network { fate: Arc::clone(&cloud.fate), post: Arc::clone(&cloud.post), ..Network::default() };
        network.nodes().clone_from(&self.world.network.nodes());
        let azure = Some(Arc::clone(&cloud) as _);
        let world = World { network, disk: self.world.disk.copy(), azure, ..World::default() };
        Self { world: Arc::new(world), cloud, name: self.name.clone(), before: Arc::clone(&self.before) }
    }

    /// The same, with everything that is there now as what others had before.
    pub(super) fn begin_anew(self) -> Self {
        let before = Arc::new(others(&self.world, &self.cloud.documents()));
        Self { before, ..self }
    }

    /// A run, which dies at write `at` if that is not 0, and its exit code.
    pub(super) fn run_until(&self, order: &Order, at: usize, how: usize) -> (Ran, u8) {
        let (desired, options) = order.inputs();
        let ran = self.world.run(&self.name, &desired, &options, at, how);
        let left_out = self.world.left_out.load(Ordering::SeqCst);
        let exit = match &ran {
            Ran::Refused(_) => UNCHANGED,
            Ran::Nothing => [WHOLE, PARTLY][usize::from(left_out)],
            Ran::Done(outcome) => match (outcome.is_complete(), left_out, outcome.touched) {
                (true, false, _) => WHOLE,
                (true, true, _) | (false, _, true) => PARTLY,
                (false, _, false) => UNCHANGED,
            },
            Ran::Died => u8::MAX,
        };
        (ran, exit)
    }

    pub(super) fn run(&self, order: &Order) -> (Ran, u8) {
        self.run_until(order, 0, 0)
    }

    /// Number of messages before the plan is made.
    pub(super) fn looks(&self, order: &Order) -> usize {
        let scene = self.copy();
        let (desired, options) = order.inputs();
        scene.cloud.post.begin(None);
        scene.world.plan(&scene.name, &desired, &options);
        scene.cloud.post.messages().len()
    }

    /// A run in which something goes wrong with the first message of this form to this receiver.
    pub(super) fn run_with(&self, order: &Order, form: Form, to: &str, mishap: Mishap) -> (Ran, u8) {
        let clean = self.copy();
        clean.cloud.post.begin(None);
        clean.run(order);
        let mut messages = clean.cloud.post.messages().into_iter();
        let at = messages.position(|message| message.form == form && message.to == to).expect("it is sent");
        self.cloud.post.begin(Some((at, mishap)));
        let ran = self.run(order);
        self.cloud.post.begin(None);
        ran
    }

    /// A run that does everything.
    #[track_caller]
    pub(super) fn apply(&self, draft: &Draft) {
        let order = Order::Apply(draft.clone());
        let (ran, exit) = self.run(&order);
        assert_eq!(exit, WHOLE, "{ran:?}");
        assert_eq!(self.wrong(&order, exit), [""; 0], "{ran:?}");
    }

    /// What is wrong after runs without faults: the first one finishes, the second has nothing to do, and destroy leaves what was
    /// there before.
    pub(super) fn finish(&self, order: &Order) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |what: &str, order: &Order, is_right: fn(&Ran, u8) -> bool| {
            let (ran, exit) = self.run(order);
            if !is_right(&ran, exit) {
                wrong.push(format!("{what} ends with exit code {exit}: {ran:?}"));
            }
            wrong.extend(self.wrong(order, exit).into_iter().map(|it| format!("after {what}: {it}")));
        };
        check("the next run", order, |_, exit| exit == WHOLE);
        check("the run after it", order, |ran, exit| matches!(ran, Ran::Nothing) && exit == WHOLE);
        if matches!(order, Order::Apply(_)) {
            check("destroy", &Order::Destroy, |_, exit| exit == WHOLE);
            check("destroy again", &Order::Destroy, |ran, exit| matches!(ran, Ran::Nothing) && exit == WHOLE);
        }
        wrong
    }
}

/// What others have in Azure.
pub(super) fn things_of_others(with_table: bool) -> Vec<Command> {
    let route = json!({ "name": "theirs", "properties": {
        "addressPrefix": "192.168.0.0/24", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.240.0.99",
    } });
    let table = json!({ "location": LOCATION, "tags": { "owner": "them" }, "properties": { "routes": [route] } });
    let (theirs, ours) = (network_path("routeTables/theirs"), network_path(&format!("routeTables/{TABLE}")));
    let subnet = json!({ "properties": { "addressPrefix": "10.240.1.0/24", "routeTable": { "id": theirs } } });
    let subnet_path = network_path(&format!("virtualNetworks/{NETWORK}/subnets/theirs"));
    let mut commands = vec![
        Command::Put { path: theirs, body: table.clone() },
        Command::Put { path: subnet_path, body: subnet },
        Command::Put { path: network_path("networkInterfaces/theirs"), body: nic(99, None) },
    ];
    if with_table {
        commands.push(Command::Put { path: ours, body: table });
    }
    commands
}

fn machine(number: usize, host: &str, router: &str) -> Node {
    let address = (host.parse().expect("address"), 24);
    let mut node = Node::new(&format!("{number:032x}"), &[address], "10.240.0.250".parse().ok());
    if number != OFFICE {
        node.chassis = Some(AZURE.to_owned());
    }
    let router: IpAddr = router.parse().expect("address");
    for (destination, protocol) in [("0.0.0.0/0", 16), (&*format!("10.99.{number}.0/24"), 80)] {
        let destination = destination.parse().expect("a prefix");
        let (way, protocol) = (Way::Via(router), Some(protocol));
        let row = Row { verb: Verb::Add, table: MAIN_TABLE, destination, metric: None, way, protocol };
        node.by_hand(&row).expect("it is added");
    }
    node
}

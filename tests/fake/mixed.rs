//! Nodes and Azure in one run: fake nodes that are machines in Azure, and the test server of Azure Resource Manager.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use topo::backend::{Desired, REGISTRY};
use topo::network::MAIN_TABLE;
use topo::plan::Options;
use topo::report::RunOutcome;
use topo::resource::Name;
use topo::topology::{self, Source};
use topo::transport::BoxFuture;
use topo::transport::arm::{Arm, ArmSettings, SignInError, Token, TokenSource};

use super::kernel::{AZURE, Command as Row, Node, Verb, Way};
use super::world::{Ran, World};
use crate::arm::{ArmServer, Command, Effect, GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE, network_path};

const NODES: [(&str, &str); 3] = [("server", "10.240.0.10"), ("node-0", "10.240.0.20"), ("node-1", "10.240.0.21")];
const BACKENDS: [&str; 2] = ["[backends.ssh-static]\n", "[backends.ssh-static]\n[backends.netplan]\n"];
/// The pods of node-1.
const PODS: &str = "10.200.1.0/24";

struct Tokens(String);

impl TokenSource for Tokens {
    fn token<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Token, SignInError>> {
        Box::pin(async { Ok(Token::new(self.0.clone(), u64::MAX)) })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

struct Scene {
    server: ArmServer,
    world: Arc<World>,
    name: Name,
    desired: Desired,
}

impl Scene {
    /// The tutorial's machines in Azure, with these backends and a route table whose next hops are made to forward.
    fn new(backends: &str) -> Self {
        let server = ArmServer::start(2);
        server.command(Command::RetryAfter { percent: Some(0) });
        let settings = ArmSettings {
            endpoint: server.endpoint(),
            certificate_authorities: Some(server.authority_file()),
            ..ArmSettings::default()
        };
        let arm = Arm::with_tokens(&settings, Arc::new(Tokens(server.token()))).expect("a client");
        let world = World { azure: Some(Arc::new(arm)), ..World::default() };
        for (number, (_, host)) in NODES.iter().enumerate() {
            let address = (host.parse().expect("address"), 24);
            let mut node = Node::new(&format!("{number:032x}"), &[address], "10.240.0.250".parse().ok());
            node.chassis = Some(AZURE.to_owned());
            world.network.nodes().push(node);
        }
        Self { server, world: Arc::new(world), name: Name::new("kthw").expect("name"), desired: desired(backends) }
    }

    fn run(&self) -> Ran {
        self.world.run(&self.name, &self.desired, &Options::default(), 0, 0)
    }

    #[track_caller]
    fn apply(&self) -> RunOutcome {
        match self.run() {
            Ran::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn destroy(&self) -> RunOutcome {
        let mut nothing = self.desired.clone();
        nothing.clear();
        let options = Options { destroy: true, ..Options::default() };
        match self.world.run(&self.name, &nothing, &options, 0, 0) {
            Ran::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Destinations and next hops in the table; none where there is no table.
    fn routes(&self) -> Option<BTreeSet<String>> {
        let table = self.server.look(&network_path(&format!("routeTables/{TABLE}")))?;
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let route = |route: &Value| {
            let of = &route["properties"];
            format!("{} by {}", text(&of["addressPrefix"]), text(&of["nextHopIpAddress"]))
        };
        Some(table["properties"]["routes"].as_array().expect("routes").iter().map(route).collect())
    }

    fn association(&self) -> Option<String> {
        let subnet = network_path(&format!("virtualNetworks/{NETWORK}/subnets/{SUBNET}"));
        let subnet = self.server.look(&subnet).expect("a subnet");
        subnet["properties"]["routeTable"]["id"].as_str().map(str::to_owned)
    }

    fn forwards(&self, worker: u8) -> bool {
        let interface = self.server.look(&network_path(&format!("networkInterfaces/worker-{worker}-nic")));
        interface.expect("an interface")["properties"]["enableIPForwarding"] == json!(true)
    }

    /// The nodes that have a route to a destination by somebody else than the kernel.
    fn nodes_with(&self, destination: &str) -> Vec<&'static str> {
        let destination = destination.parse().expect("a prefix");
        let nodes = self.world.network.nodes();
        let has = |node: &Node| node.rows.iter().any(|row| row.destination == destination);
        NODES.iter().zip(nodes.iter()).filter(|(_, node)| has(node)).map(|((name, _), _)| *name).collect()
    }

    /// Rows of somebody else on each node, and a route of somebody else in the table.
    fn add_others(&self) {
        for (number, node) in self.world.network.nodes().iter_mut().enumerate() {
            let hop: IpAddr = "10.240.0.99".parse().expect("address");
            let row = Row {
                verb: Verb::Add,
                table: MAIN_TABLE,
                destination: format!("10.99.{number}.0/24").parse().expect("a prefix"),
                metric: None,
                way: Way::Via(hop),
                protocol: Some(80),
            };
            node.by_hand(&row).expect("it is added");
        }
        let theirs = json!({ "name": "theirs", "properties": {
            "addressPrefix": "192.168.0.0/16", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.240.0.99",
        } });
        let body = json!({ "location": LOCATION, "properties": { "routes": [theirs] } });
        self.server.command(Command::Put { path: network_path(&format!("routeTables/{TABLE}")), body });
    }
}

fn desired(backends: &str) -> Desired {
    let text = format!(
        "[topology]\nname = \"kthw\"\n[nodes]\nserver = {{ address = \"10.240.0.10\" }}\n\
         node-0 = {{ address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }}\n\
         node-1 = {{ address = \"10.240.0.21\", pods = [\"{PODS}\"] }}\n{backends}[backends.azure-udr]\n\
         subscription = \"{SUBSCRIPTION}\"\nresource_group = \"{GROUP}\"\nlocation = \"{LOCATION}\"\n\
         route_table = \"{TABLE}\"\nsubnets = [\"{NETWORK}/{SUBNET}\"]\nip_forwarding = \"enable\"\n"
    );
    let (topology, diagnostics) = topology::parse(&[Source { name: "topo.toml".into(), text }], REGISTRY.formats());
    let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    REGISTRY.desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
}

#[test]
fn what_is_applied_is_as_wanted_and_destroy_takes_it_all_away() {
    for backends in BACKENDS {
        let scene = Scene::new(backends);
        let outcome = scene.apply();
        assert!(outcome.is_complete(), "{outcome:?}");
        let routes = ["10.200.0.0/24 by 10.240.0.20", "10.200.1.0/24 by 10.240.0.21"].map(str::to_owned);
        assert_eq!(scene.routes(), Some(routes.into()));
        assert_eq!(scene.association(), Some(network_path(&format!("routeTables/{TABLE}"))));
        assert!(scene.forwards(0) && scene.forwards(1));
        scene.world.check(&scene.name, &scene.desired, false);
        assert_eq!(scene.nodes_with(PODS), ["server", "node-0"]);
        let again = scene.run();
        assert!(matches!(again, Ran::Nothing), "{again:?}");

        let outcome = scene.destroy();
        assert!(outcome.is_complete(), "{outcome:?}");
        assert_eq!((scene.routes(), scene.association()), (None, None));
        assert!(scene.nodes_with(PODS).is_empty() && scene.nodes_with("10.200.0.0/24").is_empty());
        let is_bare = |node: &Node| node.markers.is_empty() && node.configuration.files.is_empty();
        assert!(scene.world.network.nodes().iter().all(is_bare));
        let (state, _) = scene.world.state(&scene.name);
        assert!(state.is_empty(), "{state:?}");
    }
}

#[test]
fn what_others_have_stays_on_nodes_and_in_azure() {
    for backends in BACKENDS {
        let scene = Scene::new(backends);
        scene.add_others();
        let foreign = scene.world.foreign();
        let theirs = "192.168.0.0/16 by 10.240.0.99".to_owned();
        assert!(scene.apply().is_complete());
        assert_eq!(scene.world.foreign(), foreign);
        assert!(scene.routes().is_some_and(|routes| routes.len() == 3 && routes.contains(&theirs)));
        assert!(matches!(scene.run(), Ran::Nothing));

        assert!(scene.destroy().is_complete());
        assert_eq!(scene.world.foreign(), foreign);
        assert_eq!((scene.routes(), scene.association()), (Some([theirs].into()), None));
        assert!(scene.world.trespasses().is_empty(), "{:?}", scene.world.trespasses());
        assert!(scene.world.state(&scene.name).0.is_empty());
    }
}

/// Nothing may be sent to a next hop that is known to drop it, whichever kind of place has the route.
#[test]
fn no_node_gets_a_route_to_a_next_hop_that_cannot_be_made_to_forward() {
    for backends in BACKENDS {
        let scene = Scene::new(backends);
        scene.server.command(Effect::answer(409, "OperationNotAllowed").next("PUT", "networkInterfaces/worker-1-nic"));
        let outcome = scene.apply();
        assert!(!scene.forwards(1) && !outcome.is_complete(), "{outcome:?}");
        assert_eq!(scene.routes(), Some(["10.200.0.0/24 by 10.240.0.20".to_owned()].into()));
        assert_eq!(scene.nodes_with(PODS), [""; 0], "{outcome:?}");
        let mut skipped: Vec<&str> = outcome.skipped.iter().map(|one| one.place.name()).collect();
        skipped.sort_unstable();
        assert_eq!(skipped, ["kubernetes-routes", "node-0", "server"]);

        // The next run mends it.
        assert!(scene.apply().is_complete());
        assert_eq!(scene.nodes_with(PODS), ["server", "node-0"]);
        assert!(matches!(scene.run(), Ran::Nothing));
    }
}

#[test]
fn no_table_gets_a_route_to_a_node_that_is_down() {
    for backends in BACKENDS {
        let scene = Scene::new(backends);
        scene.world.network.faults.lock().expect("no panic before").insert(2, 0);
        let outcome = scene.apply();
        assert!(!outcome.is_complete(), "{outcome:?}");
        assert_eq!(scene.nodes_with(PODS), [""; 0]);
        assert_eq!(scene.routes(), Some(["10.200.0.0/24 by 10.240.0.20".to_owned()].into()), "{outcome:?}");
        let mut skipped: Vec<&str> = outcome.skipped.iter().map(|one| one.place.name()).collect();
        skipped.sort_unstable();
        assert_eq!(skipped, ["kubernetes-routes", "node-0", "server"]);

        scene.world.network.faults.lock().expect("no panic before").clear();
        assert!(scene.apply().is_complete());
        assert_eq!(scene.routes().map(|routes| routes.len()), Some(2));
        assert!(matches!(scene.run(), Ran::Nothing));
    }
}

#[test]
fn a_node_whose_kernel_cannot_be_made_to_forward_loses_its_routes_in_azure_too() {
    let scene = Scene::new("[backends.ssh-static]\n[backends.sysctl]\nip_forward = true\n");
    let forward = "net/ipv4/ip_forward".to_owned();
    scene.world.network.nodes()[2].settings.fixed.insert(forward);
    let outcome = scene.apply();
    assert!(!outcome.is_complete(), "{outcome:?}");
    assert!(scene.nodes_with(PODS).is_empty(), "{outcome:?}");
    assert_eq!(scene.routes(), Some(["10.200.0.0/24 by 10.240.0.20".to_owned()].into()));

    scene.world.network.nodes()[2].settings.fixed.clear();
    let outcome = scene.apply();
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(
        (scene.nodes_with(PODS), scene.routes().map(|routes| routes.len())),
        (vec!["server", "node-0"], Some(2))
    );
    assert!(scene.destroy().is_complete());
}

//! Nodes that are machines in Azure.

use std::sync::Arc;

use topo::backend::Desired;
use topo::backend::REGISTRY;
use topo::network::Prefix;
use topo::plan::findings::{Finding, Scope};
use topo::plan::{Options, Plan};
use topo::resource::Name;
use topo::topology::{self, Source};

use super::kernel::{AZURE, Node};
use super::world::{Ran, World};

const TEXT: &str = "[topology]
name = \"kthw\"
[nodes]
server = { address = \"10.240.0.10\" }
node-0 = { address = \"10.240.0.20\", pods = [\"10.200.0.0/24\"] }
node-1 = { address = \"10.240.0.21\", pods = [\"10.200.1.0/24\"] }
";

fn desired(backends: &str) -> Desired {
    let source = Source { name: "topo.toml".into(), text: format!("{TEXT}{backends}") };
    let (topology, diagnostics) = topology::parse(&[source], REGISTRY.formats());
    let messages = || diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
    REGISTRY.desire(&topology.unwrap_or_else(|| panic!("{:?}", messages())))
}

fn world() -> Arc<World> {
    let world = Arc::new(World::default());
    for (number, host) in ["10.240.0.10", "10.240.0.20", "10.240.0.21"].iter().enumerate() {
        let address = (host.parse().expect("address"), 24);
        world.network.nodes().push(Node::new(&format!("{number:032x}"), &[address], "10.240.0.250".parse().ok()));
    }
    world
}

fn is_in(world: &World, chassis: Option<&str>) {
    world.network.nodes().iter_mut().for_each(|node| node.chassis = chassis.map(str::to_owned));
}

fn refused(plan: &Plan) -> Vec<String> {
    let of = |finding: &Finding| {
        let Scope::Keys(_, destinations) = &finding.scope else { panic!("{finding:?}") };
        let remedy = finding.remedies[0].text("").into_owned();
        let backends = remedy.strip_prefix("Add a backend that does, or take ").expect("a remedy");
        let backends = backends.split(" off the machines").next().expect("backends").replace(" and ", " ");
        format!("{} {backends} {destinations:?}", finding.place().name())
    };
    plan.findings.iter().filter(|finding| finding.stops()).map(of).collect()
}

#[test]
fn nothing_is_written_in_azure_until_a_route_table_covers_it_and_destroy_goes_through() {
    let name = Name::new("kthw").expect("name");
    let options = Options::default();
    for (backends, said) in [
        ("[backends.ssh-static]\n", "ssh-static"),
        ("[backends.netplan]\n", "netplan"),
        ("[backends.ssh-static]\n[backends.netplan]\n", "netplan ssh-static"),
    ] {
        let world = world();
        let mut desired = desired(backends);
        let run = |desired: &Desired, options: &Options| world.run(&name, desired, options, 0, 0);
        let expected =
            ["node-0", "node-1", "server"].map(|node| format!("{node} {said} [10.200.0.0/24, 10.200.1.0/24]"));

        is_in(&world, Some(AZURE));
        let Ran::Refused(plan) = run(&desired, &options) else { panic!("it went through") };
        assert_eq!(refused(&plan), expected);
        assert!(world.network.nodes().iter().all(|node| node.writes == 0 && node.markers.is_empty()));

        is_in(&world, Some("No asset tag"));
        assert!(matches!(run(&desired, &options), Ran::Done(outcome) if outcome.is_complete()));
        assert!(matches!(run(&desired, &options), Ran::Nothing));
        is_in(&world, Some(AZURE));
        let Ran::Refused(plan) = run(&desired, &options) else { panic!("it went through") };
        assert_eq!(refused(&plan), expected, "what is there already leads nowhere, too");

        let pods = |text: &str| text.parse::<Prefix>().expect("prefix");
        desired.covered = [pods("10.200.0.0/24"), pods("10.200.1.0/24")].into_iter().collect();
        assert!(matches!(run(&desired, &options), Ran::Nothing));
        desired.covered = topo::backend::Covered::default();
        desired.places.values_mut().for_each(|place| place.resources.clear());
        let destroy = Options { destroy: true, ..Options::default() };
        assert!(matches!(run(&desired, &destroy), Ran::Done(outcome) if outcome.is_complete()));
        assert!(world.state(&name).0.is_empty());
    }
}

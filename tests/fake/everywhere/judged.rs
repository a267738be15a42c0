//! The cloud of these tests against the client and the test server: the same runs lead to the same documents.

use std::sync::Arc;

use serde_json::Value;
use topo::transport::BoxFuture;
use topo::transport::arm::{Arm, ArmSettings, SignInError, Token, TokenSource};

use super::books::settled;
use super::draft::{KERNEL, WORKERS, changed, grown, small};
use super::scene::{Order, Scene, things_of_others};
use crate::arm::{ArmServer, Command, Effect, network_path};
use crate::fake::world::{Network, Ran, World};

struct Tokens(String);

impl TokenSource for Tokens {
    fn token<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Token, SignInError>> {
        Box::pin(async { Ok(Token::new(self.0.clone(), u64::MAX)) })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Documents as they are, but for identifiers that are made up for each.
fn plain<'d>(documents: impl IntoIterator<Item = &'d Value>) -> Vec<Value> {
    let without_guid = |document: &Value| {
        let mut document = settled(document);
        if let Some(properties) = document["properties"].as_object_mut() {
            properties.remove("resourceGuid");
        }
        document
    };
    documents.into_iter().map(without_guid).collect()
}

fn documents(server: &ArmServer) -> Vec<Value> {
    let list = |kind: &str| server.look(&network_path(kind)).expect("a list")["value"].as_array().cloned();
    let kinds = ["routeTables", "virtualNetworks", "networkInterfaces"];
    plain(kinds.iter().filter_map(|kind| list(kind)).flatten().collect::<Vec<_>>().iter())
}

/// What came of a run, but for sentences.
fn outcome(ran: &Ran) -> String {
    match ran {
        Ran::Done(outcome) => {
            let failures: Vec<_> = outcome.failures.iter().map(|one| (one.place.name(), one.phase)).collect();
            let skipped: Vec<_> = outcome.skipped.iter().map(|one| (one.place.name(), &one.receiver)).collect();
            let verdicts: Vec<_> = outcome.confirmations.iter().map(|one| one.verdict).collect();
            format!("{:?} {failures:?} {skipped:?} {verdicts:?}", outcome.done)
        }
        Ran::Nothing => "nothing".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cloud_of_these_tests_is_as_the_server_behind_the_client() {
    let server = ArmServer::start(WORKERS);
    server.command(Command::RetryAfter { percent: Some(0) });
    for command in things_of_others(true) {
        server.command(command);
    }
    let settings = ArmSettings {
        endpoint: server.endpoint(),
        certificate_authorities: Some(server.authority_file()),
        ..ArmSettings::default()
    };
    let arm = Arm::with_tokens(&settings, Arc::new(Tokens(server.token()))).expect("a client");
    let scene = Scene::new(true);
    let network = Network::default();
    network.nodes().clone_from(&scene.world.network.nodes());
    let world = Arc::new(World { network, azure: Some(Arc::new(arm)), ..World::default() });

    assert_eq!(documents(&server), plain(&scene.cloud.documents()));
    let orders = [small(KERNEL), grown(KERNEL), changed(KERNEL), changed(KERNEL)].map(Order::Apply);
    for (number, order) in orders.into_iter().chain([Order::Destroy]).enumerate() {
        // The interface of the second worker is refused at first.
        if number == 1 {
            let effect = Effect::answer(409, "OperationNotAllowed");
            server.command(effect.next("PUT", "networkInterfaces/worker-1-nic"));
            scene.cloud.refuses.lock().expect("no panic before").insert("worker-1-nic");
        }
        let (desired, options) = order.inputs();
        let (theirs, ours) = (world.run(&scene.name, &desired, &options, 0, 0), scene.run(&order).0);
        scene.cloud.refuses.lock().expect("no panic before").clear();
        assert_eq!(outcome(&ours), outcome(&theirs), "run {number}");
        assert_eq!(plain(&scene.cloud.documents()), documents(&server), "after run {number}");
    }
}

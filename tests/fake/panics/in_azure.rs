//! The same in Azure: the client of the test server, cracked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use topo::backend::azure_udr::AzureSite;
use topo::backend::{Inputs, Site};
use topo::drive::{Run, observe};
use topo::exchange::Requests;
use topo::exchange::arm::Document;
use topo::network::Memo;
use topo::plan::Options;
use topo::report::RunOutcome;
use topo::resource::Name;
use topo::transport::BoxFuture;
use topo::transport::arm::{Arm, ArmSettings, SignInError, Token, TokenSource};
use topo::transport::azure::{Answered, Azure, ResourceType};

use super::super::books::Books;
use super::super::world::World;
use super::desired;
use crate::arm::{ArmServer, Command, GROUP, LOCATION, NETWORK, SUBNET, SUBSCRIPTION, TABLE};

struct Tokens(String);

impl TokenSource for Tokens {
    fn token<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Token, SignInError>> {
        Box::pin(async { Ok(Token::new(self.0.clone(), u64::MAX)) })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Panics where it is asked one of these.
struct Cracked {
    arm: Arm,
    cracks: Mutex<BTreeSet<&'static str>>,
}

impl Cracked {
    fn cracks(&self, what: &str) -> bool {
        self.cracks.lock().expect("no panic before").contains(what)
    }
}

/// Goes on to the client, and panics before or behind that where there is a crack.
macro_rules! through {
    ($self:ident, $name:ident($($argument:expr),*)) => { through!($self, stringify!($name), $name($($argument),*)) };
    ($self:ident, $crack:expr, $name:ident($($argument:expr),*)) => {
        Box::pin(async move {
            let answer = Azure::$name(&$self.arm $(, $argument)*).await;
            if $self.cracks($crack) {
                // A panic that is not printed.
                std::panic::resume_unwind(Box::new("the client panics"));
            }
            answer
        })
    };
}

impl Azure for Cracked {
    fn get<'a>(&'a self, kind: ResourceType, id: &'a str) -> Answered<'a, Option<Document>> {
        through!(self, &format!("get {kind:?}"), get(kind, id))
    }

    fn put<'a>(
        &'a self,
        kind: ResourceType,
        id: &'a str,
        body: &'a Value,
        if_match: Option<&'a str>,
    ) -> Answered<'a, Document> {
        through!(self, &format!("put {kind:?}"), put(kind, id, body, if_match))
    }

    fn delete_table<'a>(&'a self, id: &'a str, if_match: Option<&'a str>) -> Answered<'a, ()> {
        through!(self, delete_table(id, if_match))
    }

    fn interfaces<'a>(&'a self, subscription: &'a str, resource_group: &'a str) -> Answered<'a, Vec<Document>> {
        through!(self, interfaces(subscription, resource_group))
    }

    fn scale_set_interfaces<'a>(&'a self, id: &'a str) -> Answered<'a, Vec<Document>> {
        through!(self, scale_set_interfaces(id))
    }

    fn usages<'a>(&'a self, subscription: &'a str, location: &'a str) -> Answered<'a, Vec<Value>> {
        through!(self, usages(subscription, location))
    }

    fn effective_routes<'a>(&'a self, interface: &'a str) -> Answered<'a, Vec<Value>> {
        through!(self, effective_routes(interface))
    }

    fn requests(&self) -> Requests {
        Azure::requests(&self.arm)
    }
}

struct Scene {
    server: ArmServer,
    azure: Arc<Cracked>,
    world: Arc<World>,
    name: Name,
}

impl Scene {
    fn new() -> Self {
        let server = ArmServer::start(0);
        server.command(Command::RetryAfter { percent: Some(0) });
        let settings = ArmSettings {
            endpoint: server.endpoint(),
            certificate_authorities: Some(server.authority_file()),
            ..ArmSettings::default()
        };
        let arm = Arm::with_tokens(&settings, Arc::new(Tokens(server.token()))).expect("a client");
        let azure = Arc::new(Cracked { arm, cracks: Mutex::default() });
        Self { server, azure, world: Arc::default(), name: Name::new("kthw").expect("name") }
    }

    fn crack(&self, what: &[&'static str]) {
        *self.azure.cracks.lock().expect("no panic before") = what.iter().copied().collect();
    }

    /// Looks, plans and applies: the names of the places that were not looked at, and what came of the run; none where there is
    /// nothing to do.
    fn run(&self) -> (BTreeSet<String>, Option<RunOutcome>) {
        let desired = desired(&format!(
            "[backends.azure-udr]\nsubscription = \"{SUBSCRIPTION}\"\nresource_group = \"{GROUP}\"\nlocation = \"{LOCATION}\"\n\
             route_table = \"{TABLE}\"\nsubnets = [\"{NETWORK}/{SUBNET}\"]\n"
        ));
        let (options, mut memo) = (Options::default(), Memo::default());
        let (state, revision) = self.world.state(&self.name);
        let azure: Arc<dyn Azure> = Arc::clone(&self.azure) as _;
        let sites: [Arc<dyn Site>; 1] = [Arc::new(AzureSite::new(Some(azure)))];
        let inputs = Inputs { topology: &self.name, desired: &desired, recorded: &state, options: &options };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let plan = runtime.block_on(async {
            let (events, _listener) = mpsc::channel(1);
            observe(&sites, &inputs, 4, &events, &mut memo).await;
            topo::drive::plan(&sites, &inputs, &mut memo)
        });
        assert!(!plan.is_stopped(), "{plan:?}");
        let unseen = plan.unseen().into_iter().map(|place| place.name().to_owned()).collect();
        if plan.places.is_empty() {
            return (unseen, None);
        }
        let (events, _listener) = mpsc::channel(1);
        let (_stop, stop) = watch::channel(false);
        let run = Run {
            sites: &sites,
            plan,
            desired: &desired,
            state: state.clone(),
            revision,
            store: Arc::new(Books(Arc::clone(&self.world))),
            parallelism: 4,
            topology: self.name.clone(),
            options: &options,
            events,
            stop,
        };
        (unseen, Some(runtime.block_on(run.carry_out(memo)).expect("the store works")))
    }

    /// The kinds of resources that are in doubt.
    fn in_doubt(&self) -> BTreeSet<String> {
        let (state, _) = self.world.state(&self.name);
        let doubted = state.records().filter(|(.., record)| record.is_in_doubt());
        doubted.map(|(_, id, _)| id.kind.to_string()).collect()
    }
}

#[test]
fn a_step_in_azure_that_panics_fails_and_the_next_run_finishes() {
    for crack in ["get Table", "put Table", "put Subnet"] {
        let scene = Scene::new();
        let (_, first) = {
            // Questions before the run do not panic here: the crack is in writes, or in what a step reads before.
            scene.crack(&[crack]);
            scene.run()
        };
        if crack == "get Table" {
            // Already the look panics: nothing is known, and nothing is written.
            assert!(scene.server.writes().is_empty());
            assert!(first.is_none_or(|outcome| !outcome.is_complete()));
        } else {
            let outcome = first.expect("a run");
            assert!(!outcome.is_complete() && outcome.touched, "{crack}: {outcome:?}");
            assert!(outcome.failures[0].message.contains("bug in topo"), "{outcome:?}");
            assert!(!scene.in_doubt().is_empty(), "{crack}");
        }
        scene.crack(&[]);
        let (_, again) = scene.run();
        assert!(again.is_none_or(|outcome| outcome.is_complete()), "{crack}");
        assert!(scene.in_doubt().is_empty(), "{crack}");
        assert!(scene.run().1.is_none(), "{crack}");
    }
}

#[test]
fn a_question_that_panics_was_not_answered() {
    let scene = Scene::new();
    scene.crack(&["get Table", "get Subnet", "get Network"]);
    let (unseen, _) = scene.run();
    assert_eq!(unseen, [TABLE, NETWORK].map(str::to_owned).into());
    let asked = scene.server.log().iter().filter(|it| it.path.contains("/routeTables/")).count();
    assert_eq!(asked, 2, "by the look, and by the step, each once");
}

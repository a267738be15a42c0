//! Azure without a wire: the documents of the test server, asked as the client asks it. Messages to it and writes there are counted
//! as those to nodes are. `everywhere/judged` compares it with the client and the server.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use topo::exchange::Requests;
use topo::exchange::arm::{AzureError, AzureFailure, Document};
use topo::transport::azure::{Answered, Azure, PutAnswer, ResourceType};

use super::post::{Form, Mishap, Post};
use super::world::Fate;
use crate::arm::{Command, Direct, Reply, Subscription, network, network_path, worker};

pub(crate) struct Cloud {
    subscription: Mutex<Subscription>,
    /// The names of resources whose writes are refused.
    pub(crate) refuses: Mutex<BTreeSet<&'static str>>,
    pub(crate) post: Arc<Post>,
    pub(crate) fate: Arc<Fate>,
}

impl Cloud {
    /// The network of *Kubernetes the hard way* with this many workers.
    pub(crate) fn new(workers: u8) -> Self {
        let subscription = Mutex::new(Subscription::new());
        let cloud = Self { subscription, refuses: Mutex::default(), post: Arc::default(), fate: Arc::default() };
        network().into_iter().chain((0..workers).flat_map(worker)).for_each(|command| cloud.command(command));
        cloud
    }

    /// The same documents, with a numbering of their own.
    pub(crate) fn copy(&self) -> Self {
        let subscription = Mutex::new(self.lock().clone());
        Self { subscription, refuses: Mutex::default(), post: Arc::default(), fate: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Subscription> {
        self.subscription.lock().expect("no panic before")
    }

    /// Somebody else does something.
    pub(crate) fn command(&self, command: Command) {
        if let Err(reply) = self.lock().command(command) {
            panic!("it cannot be done: {reply:?}");
        }
    }

    /// All route tables, virtual networks and network interfaces.
    pub(crate) fn documents(&self) -> Vec<Value> {
        self.lock().end_all();
        let kinds = ["routeTables", "virtualNetworks", "networkInterfaces"];
        kinds.iter().flat_map(|kind| self.list(&network_path(kind)).expect("a list")).collect()
    }

    /// A resource; none where it is not there.
    pub(crate) fn look(&self, id: &str) -> Option<Value> {
        Some(self.read(id).expect("an answer")?.body)
    }

    fn ask(&self, method: &str, path: &str) -> Reply {
        self.lock().ask(&Direct { method, path, ..Direct::default() })
    }

    /// An operation that a run has left is seen once.
    fn read(&self, id: &str) -> Result<Option<Document>, AzureError> {
        let reply = self.ask("GET", id);
        self.lock().end_all();
        if reply.status == 404 {
            return Ok(None);
        }
        let body = answer(reply)?;
        Ok(Some(Document { etag: body["etag"].as_str().map(str::to_owned), body }))
    }

    fn list(&self, path: &str) -> Result<Vec<Value>, AzureError> {
        Ok(answer(self.ask("GET", path))?["value"].as_array().cloned().unwrap_or_default())
    }

    /// Writes or deletes; the operation goes on.
    fn write(&self, direct: &Direct<'_>) -> Result<(), AzureError> {
        let mut subscription = self.lock();
        subscription.end_all();
        answer(subscription.ask(direct)).map(drop)
    }

    /// Somebody changes something of a resource that is nothing to topo.
    fn touch(&self, id: &str) {
        let body = if id.contains("/subnets/") {
            json!({ "properties": { "defaultOutboundAccess": false } })
        } else {
            json!({ "tags": { TOUCHED: "by somebody" } })
        };
        self.command(Command::Merge { path: id.to_owned(), body });
    }

    /// A write or a deletion, with what goes wrong with it.
    async fn change(&self, form: Form, direct: Direct<'_>) -> Result<Option<Mishap>, AzureError> {
        let id = direct.path;
        let mishap = self.post.send(form, name_of(id));
        let refused = self.refuses.lock().expect("no panic before").contains(name_of(id));
        match mishap.or(refused.then_some(Mishap::Refused)) {
            Some(Mishap::NotSent) => return Err(error(AzureFailure::Refused)),
            Some(Mishap::Refused) => return Err(error(AzureFailure::State)),
            Some(Mishap::LostBefore) => return Err(error(AzureFailure::Unsure)),
            Some(Mishap::Moved) => self.touch(id),
            _ => {}
        }
        let fail = (mishap == Some(Mishap::Failed)).then_some(("InternalServerError", "An error occurred."));
        let direct = Direct { fail, ..direct };
        let effect = || {
            let written = self.write(&direct);
            self.lock().end_all();
            written
        };
        self.fate.effect(effect, || drop(self.write(&direct))).await?;
        match mishap {
            Some(Mishap::LostBehind | Mishap::Failed) => Err(error(AzureFailure::Unsure)),
            Some(Mishap::Overtaken) => {
                self.touch(id);
                Err(error(AzureFailure::Overtaken))
            }
            _ => Ok(mishap),
        }
    }
}

/// The tag of a resource that somebody changed on the way.
pub(crate) const TOUCHED: &str = "touched";

fn name_of(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn error(failure: AzureFailure) -> AzureError {
    AzureError { failure, text: format!("It went wrong: {failure:?}.") }
}

/// What an answer without success means is as the client has it.
fn answer(reply: Reply) -> Result<Value, AzureError> {
    let failure = match reply.status {
        200..=299 => return Ok(reply.body.unwrap_or_default()),
        412 => AzureFailure::Moved,
        400 | 403 | 409 | 422 => AzureFailure::State,
        _ => AzureFailure::Refused,
    };
    Err(AzureError { failure, text: format!("Azure answered: {}.", reply.body.unwrap_or_default()) })
}

fn nonsense() -> Document {
    Document { body: json!({}), etag: None }
}

impl Azure for Cloud {
    fn get<'a>(&'a self, kind: ResourceType, id: &'a str) -> Answered<'a, Option<Document>> {
        Box::pin(async move {
            let mishap = self.post.send(Form::Get, &format!("{kind:?} {}", name_of(id)));
            let read = self.read(id)?;
            match mishap {
                Some(Mishap::NotSent) => Err(error(AzureFailure::Refused)),
                Some(Mishap::Contradiction) => Ok(None),
                Some(Mishap::Half) => Ok(read.map(|read| Document { etag: None, ..read })),
                Some(_) => Ok(Some(nonsense())),
                None => Ok(read),
            }
        })
    }

    fn put<'a>(
        &'a self,
        _: ResourceType,
        id: &'a str,
        body: &'a Value,
        if_match: Option<&'a str>,
    ) -> Answered<'a, PutAnswer> {
        Box::pin(async move {
            let before = self.read(id)?;
            let form = if if_match.is_some() { Form::Update } else { Form::Create };
            let is_new = if_match.is_none();
            let direct = Direct { method: "PUT", path: id, if_match, is_new, body: Some(body), ..Direct::default() };
            let document = match self.change(form, direct).await? {
                Some(Mishap::Nonsense) => nonsense(),
                Some(Mishap::Contradiction) => before.unwrap_or_else(nonsense),
                _ => self.read(id)?.ok_or_else(|| error(AzureFailure::Unsure))?,
            };
            Ok(PutAnswer { document, replaced: false })
        })
    }

    fn delete_table<'a>(&'a self, id: &'a str, if_match: Option<&'a str>) -> Answered<'a, ()> {
        Box::pin(async move {
            let direct = Direct { method: "DELETE", path: id, if_match, ..Direct::default() };
            self.change(Form::Delete, direct).await.map(drop)
        })
    }

    fn interfaces<'a>(&'a self, subscription: &'a str, resource_group: &'a str) -> Answered<'a, Vec<Document>> {
        Box::pin(async move {
            let mishap = self.post.send(Form::List, "interfaces");
            let path = format!(
                "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Network/networkInterfaces"
            );
            let of = |body: Value| Document { etag: body["etag"].as_str().map(str::to_owned), body };
            match mishap {
                Some(Mishap::Nonsense) => Ok(vec![nonsense()]),
                Some(_) => Err(error(AzureFailure::Refused)),
                None => Ok(self.list(&path)?.into_iter().map(of).collect()),
            }
        })
    }

    fn scale_set_interfaces<'a>(&'a self, id: &'a str) -> Answered<'a, Vec<Document>> {
        unreachable!("no worlds with scale sets are made: {id}")
    }

    fn usages<'a>(&'a self, subscription: &'a str, location: &'a str) -> Answered<'a, Vec<Value>> {
        Box::pin(async move {
            let mishap = self.post.send(Form::List, "usages");
            let path = format!("/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/usages");
            match mishap {
                Some(Mishap::Nonsense) => Ok(vec![json!({ "name": { "value": "RoutesPerRouteTable" } })]),
                Some(_) => Err(error(AzureFailure::Refused)),
                None => self.list(&path),
            }
        })
    }

    fn effective_routes<'a>(&'a self, interface: &'a str) -> Answered<'a, Vec<Value>> {
        Box::pin(async move {
            if self.post.send(Form::Effective, name_of(interface)).is_some() {
                return Err(error(AzureFailure::Refused));
            }
            let mut subscription = self.lock();
            let path = format!("{interface}/effectiveRouteTable");
            let asked = subscription.ask(&Direct { method: "POST", path: &path, ..Direct::default() });
            subscription.end_all();
            let routes = match subscription.follow(&asked) {
                Some(reply) => answer(reply)?,
                None => answer(asked)?,
            };
            Ok(routes["value"].as_array().cloned().unwrap_or_default())
        })
    }

    fn requests(&self) -> Requests {
        Requests { service: "Azure".into(), reads: 0, writes: 0 }
    }
}

//! Azure Resource Manager: topo's only connection to Azure.
//!
//! The requests come from `azure_mgmt_network` (its models, its URLs, its `.send()`), on topo's own pipeline: tokens go
//! to one origin only, JSON bodies stay as they are, writes use If-Match, retries distinguish a busy table from a
//! refusal, and a poller keeps Azure's own code and message. No type of the crate leaves this module: you can replace
//! the crate without other changes.
//!
//! - [`Arm`] is the handle; [`ArmSettings`] has the connection settings.
//! - [`Document`] is a resource in Azure. Change it and write it back: fields that topo does not know stay.
//! - [`ArmError`] is a sentence with a kind.

mod answer;
mod client;
mod error;
mod network;
mod operation;
mod pipeline;
mod port;
mod resource_id;
mod settings;
mod sign_in;
mod token;
mod wire;

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use self::answer::Answer;
use self::error::{About, Doing};
use self::network::Network;
use self::pipeline::{Pipeline, Trouble};
use self::resource_id::{ResourceId, part};
use self::sign_in::Operator;
use self::wire::{Extra, NoAnswer, Wire};
use super::azure::ResourceType;
use crate::exchange::Requests;
use crate::exchange::arm::Document;

pub use self::error::{ArmError, ArmErrorKind};
pub use self::settings::{ArmSettings, Cloud};
pub use self::token::{SignInError, Token, TokenSource, WayError, WayFailure};

/// The places of lists, in sentences.
const SUBSCRIPTION: &str = "subscription";
const GROUP: &str = "resource group";
/// How often topo sends a conditional write whose answers are lost.
const GUARDED_TRIES: u32 = 3;
/// More pages than any real list has.
const PAGES: usize = 10_000;
/// The version of Microsoft.Compute for reading machines.
const COMPUTE_VERSION: &str = "2024-03-01";

impl Document {
    // None if the answer is no resource: whoever changes it expects `properties` and `tags` to be objects, if they
    // exist.
    fn of(answer: &Answer) -> Option<Self> {
        let has_shape = |name: &str| matches!(answer.json.get(name), None | Some(Value::Null | Value::Object(_)));
        if !answer.json.is_object() || !has_shape("properties") || !has_shape("tags") {
            return None;
        }
        let etag = answer.json["etag"].as_str().or_else(|| answer.header("etag"));
        Some(Self { etag: etag.map(str::to_owned), body: answer.json.clone() })
    }

    /// Whether somebody is writing to it.
    fn is_busy(&self) -> bool {
        matches!(self.state(), "Updating" | "Deleting" | "Creating")
    }

    fn state(&self) -> &str {
        self.body["properties"]["provisioningState"].as_str().unwrap_or_default()
    }
}

/// Azure Resource Manager. One handle per run: it keeps the login, the connections and the locks of written resources.
pub struct Arm {
    pipeline: Pipeline,
    network: Network,
}

impl Arm {
    /// With the operator's own sign-in. Sends nothing yet.
    pub fn connect(settings: &ArmSettings) -> Result<Self, ArmError> {
        let operator = Operator::new(settings)?;
        Self::with_tokens(settings, Arc::new(operator))
    }

    /// With tokens from another source.
    pub fn with_tokens(settings: &ArmSettings, tokens: Arc<dyn TokenSource>) -> Result<Self, ArmError> {
        let wire = Arc::new(Wire::new(settings, tokens)?);
        let network = Network::new(&wire);
        Ok(Self { pipeline: Pipeline::new(wire, settings.operation_timeout), network })
    }

    /// How many requests topo has sent so far.
    pub fn requests(&self) -> Requests {
        self.pipeline.wire.requests()
    }

    /// A resource; none if it does not exist.
    pub async fn get(&self, kind: ResourceType, id: &str) -> Result<Option<Document>, ArmError> {
        let id = ResourceId::parse(id, kind)?;
        self.read(&id, &self.about(&id, Doing::Read), self.deadline()).await
    }

    /// Writes a whole resource and waits for the operation. Azure removes everything that the body leaves out: send
    /// what you have read, with your change. A body without the list `routes` empties a table. With `if_match`, Azure
    /// writes only if the resource still has that version. Without it there is no guard: no document of Azure says that
    /// network resources respect `If-None-Match: *`. So whoever creates a table looks right before and right after.
    pub async fn put(
        &self,
        kind: ResourceType,
        id: &str,
        body: &Value,
        if_match: Option<&str>,
    ) -> Result<Document, ArmError> {
        let id = ResourceId::parse(id, kind)?;
        let about = self.about(&id, Doing::Write);
        if kind == ResourceType::Table
            && let Err(reason) = network::is_table(body)
        {
            return Err(about.odd(&format!("the body is not a route table: {reason}.")));
        }
        // A subnet with a route table keeps that table busy, too.
        let table = body["properties"]["routeTable"]["id"].as_str().map(resource_id::lock_key);
        let _held = self.pipeline.lock(std::iter::once(id.lock()).chain(table).collect()).await;
        let deadline = self.deadline();
        let mut tries = 0;
        loop {
            tries += 1;
            let (body_sent, if_match) = (Some(body.to_string().into_bytes()), if_match.map(str::to_owned));
            let extra = Extra { body: body_sent, if_match, ..Extra::new() };
            let error = match self.pipeline.ask(&about, &extra, deadline, |extra| self.network.put(&id, extra)).await {
                Ok(answer) if answer.succeeded() => {
                    self.pipeline.finish(&about, &answer, deadline).await?;
                    let about = about.accepted();
                    let seen = self.read(&id, &about, deadline).await?;
                    return seen.ok_or_else(|| {
                        about.odd("the resource has disappeared again. Run topo again: it looks first.")
                    });
                }
                Ok(answer) => return Err(about.refused(&answer)),
                Err(Trouble::Plain(error)) => return Err(error),
                Err(Trouble::Unsure(error)) => error,
            };
            let seen = self.settled(&id, &error, deadline).await?;
            let is_as_before = match &seen {
                None => extra.if_match.is_none(),
                Some(seen) => seen.etag == extra.if_match,
            };
            match seen {
                // The write never arrived, so topo may send it again under the same condition.
                _ if is_as_before && tries < GUARDED_TRIES => pipeline::pause(tries).await,
                _ if is_as_before => return Err(error),
                Some(seen) if seen.is_busy() || seen.state() == "Failed" => return Err(error),
                Some(seen) if pipeline::holds(&seen.body, body) => return Ok(seen),
                _ => return Err(about.precondition(None).after(&error)),
            }
        }
    }

    /// Deletes a route table and waits for the operation. Success if the table does not exist.
    pub async fn delete_table(&self, id: &str, if_match: Option<&str>) -> Result<(), ArmError> {
        let id = ResourceId::parse(id, ResourceType::Table)?;
        let about = self.about(&id, Doing::Delete);
        let _held = self.pipeline.lock(vec![id.lock()]).await;
        let deadline = self.deadline();
        let mut tries = 0;
        loop {
            tries += 1;
            let extra = Extra { if_match: if_match.map(str::to_owned), ..Extra::new() };
            match self.pipeline.ask(&about, &extra, deadline, |extra| self.network.delete_table(&id, extra)).await {
                Ok(answer) if answer.succeeded() => {
                    self.pipeline.finish(&about, &answer, deadline).await?;
                    return self.is_gone(&id, &about.accepted(), deadline).await;
                }
                Ok(answer) if answer.status == 404 => return self.is_gone(&id, &about, deadline).await,
                Ok(answer) => return Err(about.refused(&answer)),
                Err(Trouble::Plain(error)) => return Err(error),
                Err(Trouble::Unsure(error)) => match self.settled(&id, &error, deadline).await? {
                    None => return Ok(()),
                    Some(seen) if seen.etag.as_deref() != if_match => {
                        return Err(about.precondition(None).after(&error));
                    }
                    Some(_) if tries < GUARDED_TRIES => pipeline::pause(tries).await,
                    Some(_) => return Err(error),
                },
            }
        }
    }

    /// The network interfaces of a resource group, without those of scale sets (Azure does not list them;
    /// [`Arm::list_scale_set_interfaces`] does).
    pub async fn list_interfaces(&self, subscription: &str, group: &str) -> Result<Vec<Document>, ArmError> {
        let about = self.about_list("network interfaces", GROUP, group, "Microsoft.Network/networkInterfaces");
        let (subscription, group) = (part(SUBSCRIPTION, subscription)?, part(GROUP, group)?);
        let values = self.pages(&about, |extra| self.network.interfaces(&subscription, &group, extra)).await?;
        Ok(documents(values))
    }

    /// The network interfaces of all instances of a scale set, by the scale set's id. [`ArmErrorKind::NotFound`] if the
    /// scale set does not exist.
    pub async fn list_scale_set_interfaces(&self, scale_set_id: &str) -> Result<Vec<Document>, ArmError> {
        let id = ResourceId::parse(scale_set_id, ResourceType::ScaleSet)?;
        let mut about = self.about(&id, Doing::Read);
        about.subject = format!("The list of network interfaces of the {}", id.named());
        about.resource_type.push_str("/networkInterfaces");
        let values = self.pages(&about, |extra| self.network.scale_set_interfaces(&id, extra)).await?;
        Ok(documents(values))
    }

    /// The virtual machines of a resource group, with their tags. The crate does not have Microsoft.Compute.
    pub async fn list_machines(&self, subscription: &str, group: &str) -> Result<Vec<Document>, ArmError> {
        let about = self.about_list("virtual machines", GROUP, group, "Microsoft.Compute/virtualMachines");
        let (subscription, group) = (part(SUBSCRIPTION, subscription)?, part(GROUP, group)?);
        let mut url = self.pipeline.wire.endpoint().clone();
        url.set_path(&format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines"
        ));
        url.query_pairs_mut().append_pair("api-version", COMPUTE_VERSION);
        let values = self.pages(&about, |extra| self.pipeline.wire.get(&url, extra)).await?;
        Ok(documents(values))
    }

    /// Usages and limits in a location: `name.value`, `currentValue`, `limit`.
    pub async fn usages(&self, subscription: &str, location: &str) -> Result<Vec<Value>, ArmError> {
        let about = self.about_list("limits", SUBSCRIPTION, subscription, "Microsoft.Network/locations/usages");
        let (subscription, location) = (part(SUBSCRIPTION, subscription)?, part("location", location)?);
        self.pages(&about, |extra| self.network.usages(&subscription, &location, extra)).await
    }

    /// The effective routes of a network interface. Its machine must run, else Azure refuses
    /// ([`ArmErrorKind::Conflict`]).
    pub async fn effective_routes(&self, id: &str) -> Result<Vec<Value>, ArmError> {
        let id = ResourceId::parse(id, ResourceType::Interface)?;
        let mut about = self.about(&id, Doing::Ask);
        about.resource_type.push_str("/effectiveRouteTable");
        let (deadline, extra) = (self.deadline(), Extra::new());
        let answer =
            self.pipeline.ask(&about, &extra, deadline, |extra| self.network.effective_routes(&id, extra)).await?;
        if !answer.succeeded() {
            return Err(about.refused(&answer));
        }
        let answer = self.pipeline.finish(&about, &answer, deadline).await?;
        operation::values(&answer).ok_or_else(|| about.unexpected(&answer))
    }

    async fn read(&self, id: &ResourceId, about: &About, deadline: Instant) -> Result<Option<Document>, ArmError> {
        let answer = self.pipeline.ask(about, &Extra::new(), deadline, |extra| self.network.get(id, extra)).await?;
        match answer.status {
            // An answer from another login's subscription, or from a server in between, says nothing about the content
            // of Azure.
            404 if answer.error_code().is_some_and(|code| !code.contains("Subscription")) => Ok(None),
            _ if answer.succeeded() => Document::of(&answer).map(Some).ok_or_else(|| about.unexpected(&answer)),
            _ => Err(about.refused(&answer)),
        }
    }

    /// Checks that a deleted resource no longer exists: the answer may come from a server in between.
    async fn is_gone(&self, id: &ResourceId, about: &About, deadline: Instant) -> Result<(), ArmError> {
        match self.read(id, about, deadline).await? {
            None => Ok(()),
            Some(_) => Err(about.odd("the resource still exists. Run topo again: it looks first.")),
        }
    }

    /// After a write with unknown outcome: reads the resource when nobody writes to it any more. If that fails, the
    /// outcome stays unknown.
    async fn settled(
        &self,
        id: &ResourceId,
        unknown: &ArmError,
        deadline: Instant,
    ) -> Result<Option<Document>, ArmError> {
        let about = self.about(id, Doing::Read);
        let mut looks = 0;
        loop {
            looks += 1;
            let seen = self.read(id, &about, deadline).await.map_err(|error| error.after(unknown))?;
            let busy = seen.as_ref().is_some_and(Document::is_busy);
            let pause = pipeline::backoff(looks);
            if !busy || pause > deadline.saturating_duration_since(Instant::now()) {
                return Ok(seen);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// All values of a list. Follows next links if they lead to the same origin.
    async fn pages<F>(&self, about: &About, first: impl Fn(Extra) -> F) -> Result<Vec<Value>, ArmError>
    where
        F: Future<Output = Result<Answer, NoAnswer>>,
    {
        let (deadline, wire) = (self.deadline(), &self.pipeline.wire);
        let mut answer = self.pipeline.ask(about, &Extra::new(), deadline, first).await?;
        let mut all = Vec::new();
        for _ in 0..PAGES {
            if !answer.succeeded() {
                return Err(about.refused(&answer));
            }
            all.extend(operation::values(&answer).ok_or_else(|| about.unexpected(&answer))?);
            let Some(link) = answer.json["nextLink"].as_str().filter(|link| !link.is_empty()) else { return Ok(all) };
            let url = wire.link(link).ok_or_else(|| about.elsewhere(link, &wire.origin(), answer.request_id()))?;
            answer = self.pipeline.ask(about, &Extra::new(), deadline, |extra| wire.get(&url, extra)).await?;
        }
        Err(about.odd("the list does not end. Check which server answers at the endpoint."))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.pipeline.limit
    }

    fn about(&self, id: &ResourceId, doing: Doing) -> About {
        self.about_subject(format!("The {}", id.named()), doing, id.kind.permission())
    }

    fn about_list(&self, what: &str, scope: &str, name: &str, permission: &str) -> About {
        let subject = format!("The list of {what} ({scope} {})", error::tidy(name));
        self.about_subject(subject, Doing::Read, permission.to_owned())
    }

    fn about_subject(&self, subject: String, doing: Doing, resource_type: String) -> About {
        About { subject, doing, resource_type, limit: self.pipeline.limit, accepted: false }
    }
}

fn documents(values: Vec<Value>) -> Vec<Document> {
    let of = |body: Value| Document { etag: body["etag"].as_str().map(str::to_owned), body };
    values.into_iter().map(of).collect()
}

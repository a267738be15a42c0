//! Long-running operations: how they begin, how they are polled, how they end.

use std::time::Instant;

use super::entity::{Entity, Kind, State};
use super::path;
use super::reply::Reply;
use super::seed::SUBSCRIPTION;
use super::world::{Request, World};
use serde_json::{Value, json};

/// What an operation does to its resource when it ends well.
#[derive(Clone, Debug)]
pub enum Work {
    /// It was written.
    Put,
    /// It is gone.
    Delete,
    /// A part of it is gone.
    DeletePart(String),
    /// Nothing changes; the answer of the `Location` poll.
    Ask(Value),
}

/// A running or ended operation.
#[derive(Clone, Debug)]
pub struct Operation {
    location: String,
    api_version: String,
    target: String,
    work: Work,
    before: Option<Entity>,
    failure: Option<(String, String)>,
    began: Instant,
    polls: u32,
    ended: bool,
}

impl World {
    /// Begins an operation on a resource that was changed already, and says under which identifier it is found.
    pub(super) fn begin(&mut self, request: &Request, key: &str, work: Work, before: Option<Entity>) -> String {
        let id = self.uuid();
        if !matches!(work, Work::Ask(_)) {
            self.older.insert(key.to_owned(), before.clone());
        }
        let location = self.entities.get(key).map_or("eastus2", Entity::location).to_owned();
        if let (false, Some(entity)) = (matches!(work, Work::Ask(_)), self.entities.get_mut(key)) {
            let name = match (&work, entity.kind, request.parts.len() > 8) {
                (Work::Put, Kind::RouteTable, true) => "PutRouteOperation",
                (Work::DeletePart(_), Kind::RouteTable, _) => "DeleteRouteOperation",
                (Work::Put, Kind::VirtualNetwork, true) => "PutSubnetOperation",
                (Work::DeletePart(_), Kind::VirtualNetwork, _) => "DeleteSubnetOperation",
                (work, kind, _) => kind.operation(matches!(work, Work::Delete)),
            };
            entity.busy = Some((id.clone(), name));
        }
        self.operations.insert(
            id.clone(),
            Operation {
                location,
                api_version: request.api_version.clone(),
                target: key.to_owned(),
                work,
                before,
                failure: request.fail.clone(),
                began: Instant::now(),
                polls: 0,
                ended: false,
            },
        );
        if request.behind {
            self.end(&id);
        }
        id
    }

    /// Ends an operation now.
    pub(super) fn end(&mut self, id: &str) {
        let etag = self.etag();
        let Some(operation) = self.operations.get_mut(id) else { return };
        if std::mem::replace(&mut operation.ended, true) {
            return;
        }
        let (key, work, before) = (operation.target.clone(), operation.work.clone(), operation.before.take());
        let failed = operation.failure.is_some();
        let Some(entity) = self.entities.get_mut(&key) else { return };
        if matches!(work, Work::Ask(_)) {
            return;
        }
        entity.busy = None;
        if failed {
            // What was there before stays in force; that is hand-made, the state is not.
            if let Some(before) = before {
                *entity = before;
            }
            entity.state = State::Failed;
            entity.etag = etag;
            return;
        }
        if matches!(work, Work::Delete) {
            self.entities.remove(&key);
            return;
        }
        if let Work::DeletePart(name) = &work {
            entity.parts.retain(|part| !path::same(&part.name, name));
        }
        // A NIC is done when it is answered: its version in the answer of the PUT is the one that stays (tape).
        if entity.kind != Kind::NetworkInterface {
            entity.etag = etag;
        }
        entity.state = State::Succeeded;
        for part in &mut entity.parts {
            part.state = State::Succeeded;
        }
    }

    /// Ends what is due without being polled.
    pub(super) fn advance(&mut self) {
        let due: Vec<String> = self
            .operations
            .iter()
            .filter(|(_, operation)| !operation.ended && operation.began.elapsed() >= self.settings.abandoned)
            .map(|(id, _)| id.clone())
            .collect();
        for id in &due {
            self.end(id);
        }
    }

    /// Ends all that are running.
    pub(super) fn settle(&mut self) {
        let all: Vec<String> = self.operations.keys().cloned().collect();
        for id in &all {
            self.end(id);
        }
    }

    /// The URL that tells how an operation goes (`operations`), or what it gave (`operationResults`).
    fn operation_url(&self, request: &Request, id: &str, collection: &str) -> String {
        let Some(operation) = self.operations.get(id) else { return String::new() };
        format!(
            "{}/subscriptions/{}/providers/Microsoft.Network/locations/{}/{collection}/{id}?api-version={}",
            self.origin(request),
            SUBSCRIPTION,
            operation.location,
            operation.api_version
        )
    }

    /// An answer that leads to a poll: `Azure-AsyncOperation` always, `Location` where asked.
    pub(super) fn accepted(&self, request: &Request, reply: Reply, id: &str, kind: Kind, with_location: bool) -> Reply {
        let mut reply = reply
            .header("azure-asyncoperation", self.operation_url(request, id, "operations"))
            .header("azure-asyncnotification", "Enabled");
        if with_location {
            reply = reply.header("location", self.operation_url(request, id, "operationResults"));
        }
        // 2 for a table, 3 for a network and its subnets, none for a NIC (tapes).
        match kind {
            Kind::RouteTable => self.retry_after(reply, 2),
            Kind::VirtualNetwork => self.retry_after(reply, 3),
            _ => reply,
        }
    }

    /// The answer to a question that takes time: 202, the body `null`, `Location` alone (tape of `effectiveRouteTable`).
    pub(super) fn asked(&self, request: &Request, id: &str) -> Reply {
        let reply =
            Reply::json(202, Value::Null).header("location", self.operation_url(request, id, "operationResults"));
        self.retry_after(reply, 10)
    }

    /// Adds `Retry-After`, scaled.
    pub(super) fn retry_after(&self, reply: Reply, seconds: u32) -> Reply {
        match self.settings.retry_after {
            Some(percent) => reply.header("retry-after", (seconds * percent).div_ceil(100).to_string()),
            None => reply,
        }
    }

    /// `GET …/locations/L/operations/ID` and `…/operationResults/ID`.
    pub(super) fn poll(&mut self, request: &Request, location: &str, collection: &str, id: &str) -> Reply {
        let (polls, time) = (self.settings.polls, self.settings.time);
        let known = self.operations.get_mut(id).filter(|operation| path::same(&operation.location, location));
        let Some(operation) = known else {
            return Reply::error(404, "OperationNotFound", &format!("The operation {id} was not found."));
        };
        let done_at_once = self.entities.get(&operation.target).is_some_and(|it| it.kind == Kind::NetworkInterface)
            && !matches!(operation.work, Work::Ask(_));
        if !operation.ended && ((operation.polls >= polls && operation.began.elapsed() >= time) || done_at_once) {
            self.end(id);
        }
        let Some(operation) = self.operations.get_mut(id) else { return Reply::empty(404) };
        let seen = operation.polls;
        operation.polls = seen + u32::from(!operation.ended);
        let (ended, failure, work) = (operation.ended, operation.failure.clone(), operation.work.clone());
        let growing = [10, 20, 20, 40, 40, 80, 160][usize::try_from(seen.min(6)).unwrap_or(6)];
        if path::same(collection, "operations") {
            return match (ended, failure) {
                (false, _) => self.retry_after(Reply::json(200, json!({ "status": "InProgress" })), growing),
                (true, None) => Reply::json(200, json!({ "status": "Succeeded" })),
                (true, Some((code, message))) => Reply::json(
                    200,
                    json!({ "status": "Failed", "error": { "code": code, "message": message, "details": [] } }),
                ),
            };
        }
        let reply = match (ended, failure, work) {
            (false, ..) => self.retry_after(Reply::json(202, Value::Null), growing),
            (true, Some((code, message)), _) => Reply::error(409, &code, &message),
            (true, None, Work::Ask(answer)) => Reply::json(200, answer),
            // A content type without content: so it is on the tape.
            (true, None, Work::Delete | Work::DeletePart(_)) => {
                Reply::empty(204).header("content-type", "application/json; charset=utf-8")
            }
            (true, None, Work::Put) => Reply::json(200, Value::Null),
        };
        let asks = matches!(self.operations.get(id).map(|operation| &operation.work), Some(Work::Ask(_)));
        let reply = reply
            .header("location", self.operation_url(request, id, "operationResults"))
            .header("azure-asyncnotification", "Enabled");
        if asks { reply } else { reply.header("azure-asyncoperation", self.operation_url(request, id, "operations")) }
    }
}

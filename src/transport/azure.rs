//! What topo asks of Azure Resource Manager, whoever carries it. [`super::arm`] is the one that does, where it is built in.

use serde_json::Value;

use super::BoxFuture;

/// A resource as Azure has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// All of it, fields that topo does not know included.
    pub body: Value,
    /// Its version, for the next write: what stands in an answer to a write is stale by the time its operation ends.
    pub etag: Option<String>,
}

/// What is known after something went wrong in Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureFailure {
    /// Somebody changed the resource after it was read: nothing was written (412).
    Moved,
    /// It may have been written, and somebody changed the resource since.
    Overtaken,
    /// It was refused: nothing was written.
    Refused,
    /// It was refused as the machine of a network interface does not run, or as something else stands in the way there.
    State,
    /// It may have been written.
    Unsure,
}

/// Why something was not done in Azure. The text is one or more full sentences that say what to do next.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct AzureError {
    /// What is known.
    pub failure: AzureFailure,
    /// The sentences.
    pub text: String,
}

/// How many requests went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AzureRequests {
    /// Requests that change nothing: GET, and questions asked with POST.
    pub reads: u64,
    /// PUT, PATCH and DELETE.
    pub writes: u64,
}

/// A question's or a write's outcome.
pub type Answered<'a, T> = BoxFuture<'a, Result<T, AzureError>>;

/// Azure Resource Manager, as far as topo needs it. Resources are named by their ids.
pub trait Azure: Send + Sync {
    /// A route table; none where there is none.
    fn table<'a>(&'a self, id: &'a str) -> Answered<'a, Option<Document>>;

    /// Writes a whole route table, and reads it when that has ended.
    fn put_table<'a>(&'a self, id: &'a str, body: &'a Value, if_match: Option<&'a str>) -> Answered<'a, Document>;

    /// Deletes a route table; one that is not there is deleted.
    fn delete_table<'a>(&'a self, id: &'a str, if_match: Option<&'a str>) -> Answered<'a, ()>;

    /// A virtual network; none where there is none.
    fn network<'a>(&'a self, id: &'a str) -> Answered<'a, Option<Document>>;

    /// A subnet; none where there is none.
    fn subnet<'a>(&'a self, id: &'a str) -> Answered<'a, Option<Document>>;

    /// Writes a whole subnet, and reads it when that has ended.
    fn put_subnet<'a>(&'a self, id: &'a str, body: &'a Value, if_match: Option<&'a str>) -> Answered<'a, Document>;

    /// A network interface; none where there is none.
    fn interface<'a>(&'a self, id: &'a str) -> Answered<'a, Option<Document>>;

    /// Writes a whole network interface, and reads it when that has ended.
    fn put_interface<'a>(&'a self, id: &'a str, body: &'a Value, if_match: Option<&'a str>) -> Answered<'a, Document>;

    /// The network interfaces of a resource group, those of scale sets left out.
    fn interfaces<'a>(&'a self, subscription: &'a str, resource_group: &'a str) -> Answered<'a, Vec<Document>>;

    /// The network interfaces of a scale set.
    fn scale_set_interfaces<'a>(&'a self, id: &'a str) -> Answered<'a, Vec<Document>>;

    /// The usages of Microsoft.Network in a location: `name.value`, `currentValue`, `limit`.
    fn usages<'a>(&'a self, subscription: &'a str, location: &'a str) -> Answered<'a, Vec<Value>>;

    /// The routes that a network interface goes by. [`AzureFailure::State`] where its machine does not run.
    fn effective_routes<'a>(&'a self, interface: &'a str) -> Answered<'a, Vec<Value>>;

    /// How many requests went out so far.
    fn requests(&self) -> AzureRequests;
}

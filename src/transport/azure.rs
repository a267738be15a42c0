//! A client of Azure Resource Manager, whoever it is. [`super::arm`] is the real one, where it is built in.

use serde_json::Value;

use super::BoxFuture;
use crate::exchange::arm::{AzureError, AzureRequests, Document};

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

    /// The routes that a network interface goes by. [`AzureFailure::State`](crate::exchange::arm::AzureFailure::State) where its machine does not run.
    fn effective_routes<'a>(&'a self, interface: &'a str) -> Answered<'a, Vec<Value>>;

    /// How many requests went out so far.
    fn requests(&self) -> AzureRequests;
}

//! A client of Azure Resource Manager, whoever it is. [`super::arm`] is the real one, where it is built in.

use serde_json::Value;

use super::BoxFuture;
use crate::exchange::Requests;
use crate::exchange::arm::{AzureError, Document};

/// The outcome of a question or a write.
pub type Answered<'a, T> = BoxFuture<'a, Result<T, AzureError>>;

/// A type of resource that topo asks for by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    /// A route table.
    Table,
    /// A virtual network. topo only reads it.
    Network,
    /// A subnet.
    Subnet,
    /// A network interface.
    Interface,
    /// A scale set of virtual machines. topo only lists its network interfaces.
    ScaleSet,
}

/// What came of a write.
#[derive(Clone, Debug)]
pub struct PutAnswer {
    /// The resource as it was read at the end of the operation.
    pub document: Document,
    /// Whether the write was to create the resource, and Azure has replaced one that was there: it answers 200 instead of 201.
    pub replaced: bool,
}

/// The part of Azure Resource Manager that topo needs. Ids name the resources.
pub trait Azure: Send + Sync {
    /// A resource; none if it does not exist.
    fn get<'a>(&'a self, kind: ResourceType, id: &'a str) -> Answered<'a, Option<Document>>;

    /// Writes a whole resource, and reads it at the end of the operation. With a version, only this version is written. Without one,
    /// the resource is to be new.
    fn put<'a>(
        &'a self,
        kind: ResourceType,
        id: &'a str,
        body: &'a Value,
        if_match: Option<&'a str>,
    ) -> Answered<'a, PutAnswer>;

    /// Deletes a route table. Success if it does not exist.
    fn delete_table<'a>(&'a self, id: &'a str, if_match: Option<&'a str>) -> Answered<'a, ()>;

    /// The network interfaces of a resource group, without those of scale sets.
    fn interfaces<'a>(&'a self, subscription: &'a str, resource_group: &'a str) -> Answered<'a, Vec<Document>>;

    /// The network interfaces of a scale set.
    fn scale_set_interfaces<'a>(&'a self, id: &'a str) -> Answered<'a, Vec<Document>>;

    /// The usages of Microsoft.Network in a location: `name.value`, `currentValue`, `limit`.
    fn usages<'a>(&'a self, subscription: &'a str, location: &'a str) -> Answered<'a, Vec<Value>>;

    /// The routes that a network interface goes by. [`AzureFailure::State`](crate::exchange::arm::AzureFailure::State) where its machine does not run.
    fn effective_routes<'a>(&'a self, interface: &'a str) -> Answered<'a, Vec<Value>>;

    /// How many requests topo has sent so far.
    fn requests(&self) -> Requests;
}

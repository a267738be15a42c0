//! [`Arm`] as the rest of topo sees it.

use serde_json::Value;

use super::{Arm, ArmError, ArmErrorKind};
use crate::exchange::Requests;
use crate::exchange::arm::{AzureError, AzureFailure, Document};
use crate::transport::azure::{Answered, Azure, PutAnswer, ResourceType};

impl From<ArmError> for AzureError {
    fn from(error: ArmError) -> Self {
        let failure = match error.kind {
            ArmErrorKind::Precondition if error.unsure => AzureFailure::Overtaken,
            ArmErrorKind::Precondition => AzureFailure::Moved,
            _ if error.unsure => AzureFailure::Unsure,
            ArmErrorKind::Conflict => AzureFailure::State,
            _ => AzureFailure::Refused,
        };
        Self { failure, text: error.cause() }
    }
}

/// Awaits a call and converts its error.
macro_rules! ask {
    ($call:expr) => {
        Box::pin(async move { $call.await.map_err(AzureError::from) })
    };
}

impl Azure for Arm {
    fn get<'a>(&'a self, kind: ResourceType, id: &'a str) -> Answered<'a, Option<Document>> {
        ask!(Arm::get(self, kind, id))
    }

    fn put<'a>(
        &'a self,
        kind: ResourceType,
        id: &'a str,
        body: &'a Value,
        if_match: Option<&'a str>,
    ) -> Answered<'a, PutAnswer> {
        Box::pin(async move {
            let answer = match if_match {
                Some(_) => {
                    let document = Arm::put(self, kind, id, body, if_match).await;
                    document.map(|document| PutAnswer { document, replaced: false })
                }
                None => self.create(kind, id, body).await,
            };
            answer.map_err(AzureError::from)
        })
    }

    fn delete_table<'a>(&'a self, id: &'a str, if_match: Option<&'a str>) -> Answered<'a, ()> {
        ask!(Arm::delete_table(self, id, if_match))
    }

    fn interfaces<'a>(&'a self, subscription: &'a str, resource_group: &'a str) -> Answered<'a, Vec<Document>> {
        ask!(self.list_interfaces(subscription, resource_group))
    }

    fn scale_set_interfaces<'a>(&'a self, id: &'a str) -> Answered<'a, Vec<Document>> {
        ask!(self.list_scale_set_interfaces(id))
    }

    fn usages<'a>(&'a self, subscription: &'a str, location: &'a str) -> Answered<'a, Vec<Value>> {
        ask!(Arm::usages(self, subscription, location))
    }

    fn effective_routes<'a>(&'a self, interface: &'a str) -> Answered<'a, Vec<Value>> {
        ask!(Arm::effective_routes(self, interface))
    }

    fn requests(&self) -> Requests {
        Arm::requests(self)
    }
}

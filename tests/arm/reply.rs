//! Answers, and the errors of Azure Resource Manager.

use serde_json::{Value, json};

/// An answer before it goes on the wire.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// No body, or JSON: `Some(Value::Null)` is the four letters `null`.
    pub body: Option<Value>,
}

impl Reply {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// A list, as Azure wraps it.
    pub fn list(values: Vec<Value>) -> Self {
        Self::json(200, json!({ "value": Value::Array(values) }))
    }

    /// The same answer with one more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An error of the front door of Azure (no `details`).
    pub fn gateway_error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({ "error": { "code": code, "message": message } }))
            .header("x-ms-failure-cause", "gateway")
    }

    /// An error of the network provider, which always has `details`.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::detailed(status, code, message, &[])
    }

    /// An error of the network provider with its causes, each a code and a message.
    pub fn detailed(status: u16, code: &str, message: &str, details: &[(&str, &str)]) -> Self {
        let details: Vec<Value> =
            details.iter().map(|(code, message)| json!({ "code": code, "message": message })).collect();
        Self::json(status, json!({ "error": { "code": code, "message": message, "details": details } }))
    }
}

/// What a handler gives: an answer, or a refusal that is one too.
pub type Handled = Result<Reply, Reply>;

/// A resource that is not there (tape of cloud-provider-azure).
pub fn not_found(resource_type: &str, name: &str, group: &str) -> Reply {
    Reply::gateway_error(
        404,
        "ResourceNotFound",
        &format!(
            "The Resource '{resource_type}/{name}' under resource group '{group}' was not found. For more details please go to \
             https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

/// A part of a resource, such as a route or a subnet, that is not there (tape of cloud-provider-azure).
pub fn part_not_found(id: &str) -> Reply {
    Reply::error(404, "NotFound", &format!("Resource {id} not found."))
}

/// Another write on the same table, or on something that this one refers to, has not ended (public threads; not a quota).
pub fn retryable(busy: &str, used_by: &str, operation: &str) -> Reply {
    Reply::detailed(
        429,
        "RetryableError",
        "A retryable error occurred.",
        &[(
            "ReferencedResourceNotProvisioned",
            &format!(
                "Cannot proceed with operation because resource {busy} used by resource {used_by} is not in Succeeded state. \
                 Resource is in Updating state and the last operation that updated/is updating the resource is {operation}."
            ),
        )],
    )
}

/// Another write on the same network has not ended (tape).
pub fn another_operation(operation: &str) -> Reply {
    Reply::error(
        409,
        "AnotherOperationInProgress",
        &format!(
            "Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: \
             {operation}."
        ),
    )
}

/// `If-Match` names another version than the one that is there (tape of cloud-provider-azure).
pub fn etag_mismatch(given: &str, current: &str, id: &str) -> Reply {
    let given = given.trim().trim_start_matches("W/").trim_matches('"');
    Reply::detailed(
        412,
        "PreconditionFailed",
        "Precondition failed.",
        &[(
            "PreconditionFailedEtagMismatch",
            &format!(
                "Etag provided in if-match header W/\"{given}\" does not match etag {current} of resource {id} in NRP data \
                 store."
            ),
        )],
    )
}

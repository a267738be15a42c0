//! What Azure Resource Manager answers.

use serde_json::Value;

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

//! What Azure Resource Manager answers.

use serde_json::Value;

/// A resource in Azure.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The whole resource, including fields that topo does not know.
    pub body: Value,
    /// The version for the next write. The version in the answer to a write is stale when the operation ends.
    pub etag: Option<String>,
}

/// What topo knows after a failure in Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureFailure {
    /// Somebody changed the resource after topo had read it: nothing was written (412).
    Moved,
    /// The write may have happened, and somebody has changed the resource since.
    Overtaken,
    /// Azure refused: nothing was written.
    Refused,
    /// Azure refused because the machine of a network interface does not run, or something else prevents it there.
    State,
    /// The write may have happened.
    Unsure,
}

/// Why something in Azure failed. The text is one or more full sentences that say what to do next.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct AzureError {
    /// What topo knows.
    pub failure: AzureFailure,
    /// The sentences.
    pub text: String,
}

//! Findings, as events say them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::Severity;

/// Something that topo found: in places, in a topology, or about the command as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable name of the cause.
    pub code: Cow<'static, str>,
    /// The address of what it is about, for options of the command. `*` stands for several places. None if it is about no place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The names of the places.
    pub places: Vec<Arc<str>>,
    /// Where it is in a topology.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePosition>,
    /// What is live there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What the user can do about it.
    pub remedies: Vec<Remedy>,
    /// The whole text for people, with the remedies.
    pub text: String,
}

/// A position in a topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePosition {
    /// The file's name as the user gave it; `-` is standard input.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// What the user can do about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// How.
    pub kind: RemedyKind,
    /// The option, with its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// The sentence.
    pub text: String,
}

/// How a user carries out a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyKind {
    /// With an option of the command.
    Option,
    /// With a change of the topology.
    Edit,
    /// Elsewhere.
    Act,
}

/// The code of the finding that the user asked to stop.
pub const STOPPING: &str = "stopping";
/// The code of warnings about a place during a run.
pub const STEP: &str = "step";
/// The code of findings about the text of a topology.
pub const TOPOLOGY: &str = "topology";
/// The code of the finding about nodes that stay in a topology although the source of the nodes does not list them.
pub const NODES_KEPT: &str = "nodes_kept";
/// The codes of findings that come neither from plans nor from backends.
pub const CODES: &[&str] = &[STOPPING, STEP, TOPOLOGY, NODES_KEPT];

impl Finding {
    /// A finding about no place.
    pub fn new(severity: Severity, code: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        let code = Cow::Borrowed(code);
        Self {
            severity,
            code,
            address: None,
            places: Vec::new(),
            source: None,
            found: None,
            remedies: Vec::new(),
            text,
        }
    }

    /// The same about places with these names.
    #[must_use]
    pub fn about<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let places: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        let address = if let [only] = &places[..] { only } else { "*" }.to_owned();
        Self { address: Some(address), places, ..self }
    }
}

//! What a plan finds besides its changes: what its reader has to know, and what stops the run.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::network::Prefix;
use crate::resource::Place;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Traffic may not go as the topology says, or something is left out.
    Warning,
    /// Somebody else has what the topology wants. Nothing is written anywhere.
    Conflict,
    /// The plan cannot be carried out. Nothing is written anywhere.
    Error,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Note, Self::Warning, Self::Conflict, Self::Error];

    /// The word in front of the sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::Note => "Note",
            Self::Warning => "Warning",
            Self::Conflict => "Conflict",
            Self::Error => "Error",
        }
    }
}

/// What a finding is about: a place, a kind of resource there, or one key of such a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Where.
    pub place: Place,
    /// The kind of resource; none for the place as a whole.
    pub kind: Option<Arc<str>>,
    /// Which one: a destination, the name of a file; none for all of the kind.
    pub key: Option<Box<str>>,
}

impl Address {
    /// The place as a whole.
    pub fn of_place(place: &Place) -> Self {
        Self { place: place.clone(), kind: None, key: None }
    }

    /// One key of a resource.
    pub fn of_key(place: &Place, kind: &str, key: impl Into<Box<str>>) -> Self {
        Self { place: place.clone(), kind: Some(kind.into()), key: Some(key.into()) }
    }

    /// The address as options take it, with another name for the place: `*` stands for several.
    pub fn with_place_name(&self, name: &str) -> String {
        match (&self.kind, &self.key) {
            (None, _) => name.to_owned(),
            (Some(kind), None) => format!("{kind}.{name}"),
            (Some(kind), Some(key)) => format!("{kind}.{name}[\"{key}\"]"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_place_name(self.place.name()))
    }
}

/// A sentence with a gap for the names of the places that it is about: the same sentence about many places is said once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    before: Cow<'static, str>,
    after: Cow<'static, str>,
    has_gap: bool,
}

impl Text {
    /// The words before and behind the names.
    pub fn around(before: impl Into<Cow<'static, str>>, after: impl Into<Cow<'static, str>>) -> Self {
        Self { before: before.into(), after: after.into(), has_gap: true }
    }

    /// Sentences that name their place themselves.
    pub fn whole(text: impl Into<Cow<'static, str>>) -> Self {
        Self { before: text.into(), after: "".into(), has_gap: false }
    }

    /// The sentence about these places.
    pub fn about(&self, names: &str) -> String {
        let names = if self.has_gap { names } else { "" };
        format!("{}{names}{}", self.before, self.after)
    }

    /// The same with another sentence behind it.
    #[must_use]
    fn followed_by(self, sentence: &str) -> Self {
        Self { after: format!("{} {sentence}", self.after).into(), ..self }
    }
}

/// What a user can do about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// `--take-over` with the address of the finding.
    TakeOver,
    /// An option of the command, with its value where it takes one, and what it does, as in "to do this".
    Flag(Cow<'static, str>, &'static str),
    /// A change of the topology, in a full sentence.
    Edit(Cow<'static, str>),
    /// Something to do elsewhere, in full sentences.
    Act(Cow<'static, str>),
}

impl Remedy {
    /// `--skip-conflicts`: what somebody else has stays with them.
    pub const SKIP: Self = Self::Flag(Cow::Borrowed("--skip-conflicts"), "leave it to them");

    /// The sentence; `address` is that of the finding.
    pub fn text(&self, address: &str) -> Cow<'_, str> {
        match self {
            Self::TakeOver => format!("To make it topo's, use --take-over '{address}'.").into(),
            Self::Flag(option, effect) => format!("To {effect}, use {option}.").into(),
            Self::Edit(text) | Self::Act(text) => Cow::Borrowed(text),
        }
    }
}

/// Whether a finding stays where the user has selected a part of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// It stays where something is done in its place.
    #[default]
    Place,
    /// It stays where its own key is selected.
    Key,
    /// It stays where one of these keys of a kind is selected.
    Keys(&'static str, Arc<[Prefix]>),
    /// It always stays.
    All,
}

/// Wanted things that a run leaves out because of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Number of routes.
    pub routes: usize,
    /// Why, in a full sentence.
    pub text: String,
}

/// Something that a plan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable name of the cause, for JSON and policies.
    pub code: &'static str,
    /// What it is about.
    pub address: Address,
    /// What topo found, in full sentences.
    pub text: Text,
    /// What is live there, in the words of the place.
    pub found: Option<String>,
    /// What the user can do.
    pub remedies: Vec<Remedy>,
    /// Whether it stays where a part of the plan is selected.
    pub scope: Scope,
    /// What the run leaves out because of it.
    pub left_out: Option<LeftOut>,
}

/// The code of findings about places that could not be looked at.
pub const UNSEEN: &str = "unseen";
/// The code of findings about places whose record is dropped.
pub const FORGOTTEN: &str = "forgotten";
/// The code of findings about machines that answer under a name that another one had.
pub const REPLACED: &str = "replaced";

/// The code of findings about what somebody else has.
const CONFLICT: &str = "conflict";
/// The code of findings about conflicts that the user leaves to others.
const SKIPPED: &str = "skipped";
/// The codes of findings that are the same for all places.
pub const CODES: &[&str] = &[UNSEEN, FORGOTTEN, REPLACED, CONFLICT, SKIPPED];

impl Finding {
    /// A finding about a place, or about what `address` names there.
    pub fn new(severity: Severity, code: &'static str, address: Address, text: Text) -> Self {
        let scope = if severity == Severity::Conflict { Scope::Key } else { Scope::Place };
        Self { severity, code, address, text, found: None, remedies: Vec::new(), scope, left_out: None }
    }

    /// Something good to know about a place.
    pub fn note(code: &'static str, place: &Place, text: Text) -> Self {
        Self::new(Severity::Note, code, Address::of_place(place), text)
    }

    /// A warning about a place.
    pub fn warning(code: &'static str, place: &Place, text: Text) -> Self {
        Self::new(Severity::Warning, code, Address::of_place(place), text)
    }

    /// A reason to write nothing, found in a place.
    pub fn error(code: &'static str, place: &Place, text: Text) -> Self {
        Self::new(Severity::Error, code, Address::of_place(place), text)
    }

    /// Somebody else has what is wanted.
    pub fn conflict(address: Address, text: Text, found: impl Into<String>) -> Self {
        Self { found: Some(found.into()), ..Self::new(Severity::Conflict, CONFLICT, address, text) }
    }

    /// A place that could not be looked at, with the reason in full sentences.
    pub fn unseen(place: &Place, reason: &str) -> Self {
        let text = Text::around("topo could not look at ", format!(", so the plan uses what is recorded. {reason}"));
        Self { found: Some(reason.to_owned()), ..Self::warning(UNSEEN, place, text) }
    }

    /// The same about one key of a resource.
    #[must_use]
    pub fn at(self, kind: &str, key: impl Into<Box<str>>) -> Self {
        Self { address: Address::of_key(&self.address.place, kind, key), ..self }
    }

    /// The same with what is live there.
    #[must_use]
    pub fn found(self, found: impl Into<String>) -> Self {
        Self { found: Some(found.into()), ..self }
    }

    /// The same with one more remedy.
    #[must_use]
    pub fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }

    /// The same with a change of the topology as one more remedy.
    #[must_use]
    pub fn edit(self, text: impl Into<Cow<'static, str>>) -> Self {
        self.remedy(Remedy::Edit(text.into()))
    }

    /// The same with something to do elsewhere as one more remedy.
    #[must_use]
    pub fn act(self, text: impl Into<Cow<'static, str>>) -> Self {
        self.remedy(Remedy::Act(text.into()))
    }

    /// The same with another scope.
    #[must_use]
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// The same, leaving out so many routes for a reason.
    #[must_use]
    pub fn leaving_out(self, routes: usize, text: String) -> Self {
        Self { left_out: Some(LeftOut { routes, text }), ..self }
    }

    /// A conflict that the user leaves to others.
    #[must_use]
    pub fn skipped(self) -> Self {
        let what = self.address.key.clone().unwrap_or_default();
        Self {
            severity: Severity::Warning,
            code: SKIPPED,
            text: self.text.clone().followed_by("topo leaves it out, as --skip-conflicts asks."),
            remedies: Vec::new(),
            ..self
        }
        .leaving_out(1, format!("{what} belongs to somebody else."))
    }

    /// Where it was found.
    pub fn place(&self) -> &Place {
        &self.address.place
    }

    /// Whether nothing is written anywhere because of it.
    pub fn stops(&self) -> bool {
        matches!(self.severity, Severity::Conflict | Severity::Error)
    }
}

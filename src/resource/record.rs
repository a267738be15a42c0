//! What the state records of resources.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{SharedJson, Token};
use crate::network::RouteSet;

/// JSON that is kept byte for byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Raw(Box<RawValue>);

impl Raw {
    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

/// What the state records of one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// topo has confirmed that it is so.
    Settled {
        /// What it is.
        is: Shape,
        /// The token of the place from the last listing that was equal to the record.
        token: Option<Token>,
    },
    /// A run began to change it, and the outcome is not known. topo owns both what it was and what it was to become. None
    /// means that it does not exist.
    InDoubt {
        /// What it was before.
        is: Option<Shape>,
        /// What it was to become.
        to: Option<Shape>,
        /// What earlier runs may have left: in other tables, with other metrics or marks.
        also: Vec<Shape>,
    },
    /// A record of a backend that this binary does not have, kept byte for byte.
    Opaque(Raw),
}

/// What a resource is: a route set in a container, and the container's attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its routes. None for a kind without routes.
    pub routes: Option<RouteSet>,
    /// What else the backend keeps. Null for nothing.
    pub attributes: SharedJson,
}

impl Record {
    /// What it is, what it was to become, and what earlier runs may have left.
    fn parts(&self) -> (Option<&Shape>, Option<&Shape>, &[Shape]) {
        match self {
            Self::Settled { is, .. } => (Some(is), None, &[]),
            Self::InDoubt { is, to, also } => (is.as_ref(), to.as_ref(), also),
            Self::Opaque(_) => (None, None, &[]),
        }
    }

    /// All shapes that may be live.
    pub fn shapes(&self) -> impl Iterator<Item = &Shape> {
        let (is, to, also) = self.parts();
        is.into_iter().chain(to).chain(also)
    }

    /// The shapes that topo has once confirmed.
    pub fn confirmed(&self) -> impl Iterator<Item = &Shape> {
        let (is, _, also) = self.parts();
        is.into_iter().chain(also)
    }

    /// Whether the outcome of its last run is not known.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt { .. })
    }
}

impl Shape {
    /// A shape of routes alone.
    pub fn of_routes(routes: RouteSet) -> Self {
        Self { routes: Some(routes), attributes: SharedJson::default() }
    }
}

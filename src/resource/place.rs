//! Places, and the resources in them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Name;

/// Where resources live; writes to one place are serial. Text form `node:NAME` or `arm:ID`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A machine, by its name in the topology.
    Node(Name),
    /// A resource of Azure Resource Manager, by its id.
    Arm(Arc<str>),
}

/// What a backend keeps in a place. Text form `BACKEND/KIND`, or `BACKEND/KIND/NAME` where there is a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The backend's table in the topology, for example `ssh-static`.
    pub backend: Name,
    /// What it is: `kernel_route`, `netplan_file`, …
    pub kind: Arc<str>,
    /// Which one of its kind in the place: empty for `kernel_route`, a file name, …
    pub name: Arc<str>,
}

/// A text that is not a place or not a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Neither `node:NAME` nor `arm:ID`.
    #[error("`{}` is not a place; places look like node:NAME or arm:ID", .0.escape_debug())]
    Place(String),
    /// Neither `BACKEND/KIND` nor `BACKEND/KIND/NAME`.
    #[error("`{}` is not a resource; resources look like BACKEND/KIND or BACKEND/KIND/NAME", .0.escape_debug())]
    Resource(String),
}

impl Place {
    /// The name that addresses use: the node's, or the last part of the ARM id.
    pub fn name(&self) -> &str {
        match self {
            Self::Node(name) => name.as_str(),
            Self::Arm(id) => id.rsplit('/').next().unwrap_or(id),
        }
    }

    /// The node's name, where it is a node.
    pub fn node(&self) -> Option<&Name> {
        match self {
            Self::Node(name) => Some(name),
            Self::Arm(_) => None,
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::Place(text.to_owned());
        match text.split_once(':') {
            Some(("node", name)) => Name::new(name).map(Self::Node).map_err(|_| wrong()),
            Some(("arm", id)) if !id.is_empty() && !id.contains(char::is_control) => Ok(Self::Arm(id.into())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node:{name}"),
            Self::Arm(id) => write!(f, "arm:{id}"),
        }
    }
}

impl FromStr for ResourceId {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::Resource(text.to_owned());
        let mut parts = text.splitn(3, '/');
        let backend = Name::new(parts.next().unwrap_or_default()).map_err(|_| wrong())?;
        let kind = parts.next().unwrap_or_default();
        let name = parts.next();
        let kind_valid = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !kind_valid || name.is_some_and(|name| name.is_empty() || name.contains(char::is_control)) {
            return Err(wrong());
        }
        Ok(Self { backend, kind: kind.into(), name: name.unwrap_or_default().into() })
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.backend, self.kind)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, "/{}", self.name) }
    }
}

/// Debug and serde through the text form, so that both serve as keys of JSON objects.
macro_rules! as_text {
    ($type:ty) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Place);
as_text!(ResourceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip_and_others_are_refused() {
        for text in ["node:node-0", "arm:/subscriptions/0/x:y"] {
            assert_eq!(text.parse::<Place>().expect("place").to_string(), text);
        }
        for text in ["", "node-0", "node:", "node:a/b", "arm:", "vnet:x", "arm:a\nb"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        for text in ["ssh-static/kernel_route", "netplan/netplan_file/60-topo.yaml", "azure/azure_route/a/b"] {
            assert_eq!(text.parse::<ResourceId>().expect("resource").to_string(), text);
        }
        for text in ["", "ssh-static", "ssh-static/", "/kernel_route", "a/b/", "a/b c", "a/b/\u{1b}"] {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }
}

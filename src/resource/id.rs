//! The ids of resources in a place.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Name;
use crate::network::serde_text;

/// The id of something that a backend keeps in a place. Text form `BACKEND/KIND`, or `BACKEND/KIND/NAME` with a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The name of the backend's table in the topology.
    pub backend: Name,
    /// Its kind, for example `kernel_route`.
    pub kind: Arc<str>,
    /// Its name among those of its kind in the place, such as a file name. Empty for `kernel_route`.
    pub name: Arc<str>,
}

/// A text that is not a resource: neither `BACKEND/KIND` nor `BACKEND/KIND/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a resource; resources look like BACKEND/KIND or BACKEND/KIND/NAME", .0.escape_debug())]
pub struct ResourceIdError(pub String);

impl FromStr for ResourceId {
    type Err = ResourceIdError;

    fn from_str(text: &str) -> Result<Self, ResourceIdError> {
        let wrong = || ResourceIdError(text.to_owned());
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

serde_text!(Debug ResourceId);
serde_text!(Serialize ResourceId);
serde_text!(Deserialize ResourceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip_and_others_are_refused() {
        for text in ["live/kernel_route", "files/route_file/60-topo.yaml", "cloud/cloud_route/a/b"] {
            assert_eq!(text.parse::<ResourceId>().expect("resource").to_string(), text);
        }
        for text in ["", "live", "live/", "/kernel_route", "a/b/", "a/b c", "a/b/\u{1b}"] {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }
}

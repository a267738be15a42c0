//! What a binary can read. Another binary, with other backends, may have written the state.

use super::words::{RouteWords, Words};
use super::{Kind, Place, PlaceKind};

/// The kinds of places and of resources that a binary can read. It keeps those of other kinds as they are.
#[derive(Debug)]
pub struct Known {
    /// Kinds of places.
    pub places: Vec<&'static PlaceKind>,
    /// Kinds of resources.
    pub kinds: Vec<&'static Kind>,
}

/// A text that is not a place of a known kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a place; places look like {forms}", .text.escape_debug())]
pub struct PlaceError {
    /// The text.
    pub text: String,
    /// The text forms of places.
    forms: String,
}

impl Known {
    /// Whether this is a kind of resource that the binary can read.
    pub fn has_kind(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known.id == kind)
    }

    /// The words for a kind of resource.
    pub fn words(&self, kind: &str) -> &'static dyn Words {
        self.kinds.iter().find(|known| known.id == kind).map_or(&RouteWords, |known| known.words)
    }

    /// Whether a text begins like a place of a kind that the binary can read. The rest may be wrong.
    pub fn has_place_kind_of(&self, text: &str) -> bool {
        self.split(text).is_some()
    }

    /// Reads the text form of a place.
    pub fn place(&self, text: &str) -> Result<Place, PlaceError> {
        match self.split(text) {
            Some((kind, id)) if (kind.is_id)(id) => Ok(Place::new(kind, id)),
            _ => {
                let forms: Vec<&str> = self.places.iter().map(|kind| kind.form).collect();
                Err(PlaceError { text: text.to_owned(), forms: forms.join(" or ") })
            }
        }
    }

    fn split<'t>(&self, text: &'t str) -> Option<(&'static PlaceKind, &'t str)> {
        let id_of = |kind: &PlaceKind| text.strip_prefix(kind.id)?.strip_prefix(':');
        self.places.iter().find_map(|kind| Some((*kind, id_of(kind)?)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::NODE;
    use super::*;

    static CLOUD: PlaceKind = PlaceKind {
        id: "cloud",
        form: "cloud:ID",
        order: 1,
        name: |id| id.rsplit('/').next().unwrap_or(id),
        is_id: |id| !id.is_empty() && !id.contains(char::is_control),
    };
    static KNOWN: LazyLock<Known> = LazyLock::new(|| Known { places: vec![&NODE, &CLOUD], kinds: Vec::new() });

    #[test]
    fn text_forms_of_places_round_trip_and_others_are_refused() {
        for text in ["node:node-0", "cloud:/subscriptions/0/x:y"] {
            assert_eq!(KNOWN.place(text).expect("place").to_string(), text);
        }
        for text in ["", "node-0", "node:", "node:a/b", "cloud:", "vnet:x", "cloud:a\nb"] {
            assert!(KNOWN.place(text).is_err(), "{text}");
        }
        let error = KNOWN.place("vnet:x").expect_err("unknown");
        assert_eq!(error.to_string(), "`vnet:x` is not a place; places look like node:NAME or cloud:ID");
        assert!(KNOWN.has_place_kind_of("node:a/b") && !KNOWN.has_place_kind_of("vnet:x"));
    }

    #[test]
    fn nodes_are_sorted_before_other_places_and_only_they_have_a_nodes_name() {
        let (node, cloud) = (KNOWN.place("node:z").expect("node"), KNOWN.place("cloud:/a/b").expect("cloud"));
        assert!(node < cloud);
        assert_eq!((node.name(), cloud.name()), ("z", "b"));
        assert_eq!(node.node_name().as_ref().map(super::super::Name::as_str), Some("z"));
        assert_eq!((cloud.node(), cloud.node_name()), (None, None));
        assert_eq!(Place::new(&NODE, "a/b").node_name(), None, "a text that is not a name becomes none");
    }
}

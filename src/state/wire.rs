//! The document's form on disk. Reading and writing use the same types, so that they always agree.
//!
//! Refuses unknown fields instead of dropping them: topo must not delete what a newer topo wrote.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::network::{Prefix, View, parse_address};
use crate::resource::Token;

/// The version of documents that this binary reads and writes.
pub(super) const VERSION: u64 = 1;

/// A version of the list of rows: whole, or as a difference to a version before it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListWire {
    pub id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Prefix>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<(Prefix, Address)>,
}

/// A [`View`] with its id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewWire {
    id: u32,
    table: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric: Option<u32>,
    protocol: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    on_link: Vec<Prefix>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    via: Vec<IpAddr>,
}

impl ViewWire {
    pub(super) fn new(id: u32, view: &View) -> Self {
        // Takes the view apart, so that the compiler complains here when a view gets a new field.
        let View { table, metric, protocol, device, on_link, via } = view.clone();
        Self { id, table, metric, protocol, device, on_link, via }
    }

    pub(super) fn into_view(self) -> (u32, View) {
        let Self { id, table, metric, protocol, device, on_link, via } = self;
        (id, View { table, metric, protocol, device, on_link, via })
    }
}

/// An address.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Address(pub IpAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        parse_address(&text).map(Self).map_err(de::Error::custom)
    }
}

/// The addresses of a node.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Addresses(pub Arc<[IpAddr]>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Addresses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Addresses, A::Error> {
                // Most nodes have one address of each family, and need no list that grows.
                let Some(Address(first)) = list.next_element()? else { return Ok(Addresses(Arc::from([]))) };
                let Some(Address(second)) = list.next_element()? else { return Ok(Addresses(Arc::from([first]))) };
                let Some(Address(third)) = list.next_element()? else {
                    return Ok(Addresses(Arc::from([first, second])));
                };
                let mut all = vec![first, second, third];
                while let Some(Address(next)) = list.next_element()? {
                    all.push(next);
                }
                Ok(Addresses(all.into()))
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

/// A record. It is settled if it has no `to`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "A: Deserialize<'de>"))]
pub(super) struct RecordWire<'a, A> {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub is: Option<Nullable<ShapeWire<A>>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub to: Option<Nullable<ShapeWire<A>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ShapeWire<A>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Cow<'a, Token>>,
}

/// The value of a field that exists.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Nullable<T>(pub Option<T>);

/// A shape. Its attributes are text when read, because most records have the same text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShapeWire<A> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Addresses>,
    #[serde(rename = "lacks", default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Arc<BTreeSet<Prefix>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<A>,
}

/// The ids that a record refers to, whatever else it contains.
#[derive(Deserialize)]
pub(super) struct References {
    pub is: Option<ShapeReferences>,
    pub to: Option<ShapeReferences>,
    #[serde(default)]
    pub also: Vec<ShapeReferences>,
}

#[derive(Deserialize)]
pub(super) struct ShapeReferences {
    pub rows: Option<u32>,
    pub view: Option<u32>,
}

/// The version of a document, whatever else it contains.
#[derive(Deserialize)]
pub(super) struct VersionOnly {
    pub version: u64,
}

/// A string, borrowed if it has no escapes.
#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Distinguishes a field that is null from a missing one.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Nullable<T>>, D::Error> {
    Option::deserialize(deserializer).map(|value| Some(Nullable(value)))
}

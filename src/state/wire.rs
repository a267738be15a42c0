//! The document's form on disk. Reading and writing use the same types, so that they always agree.
//!
//! Refuses unknown fields instead of dropping them: topo must not delete what a newer topo wrote.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::network::{Prefix, View, parse_address};
use crate::resource::{Raw, Token};

/// The version of documents that this binary writes.
pub(super) const VERSION: u64 = 2;
/// The version before it, which this binary reads, too: it has no digest, and no other fields in records than those of [`RecordWire`].
pub(super) const OLD_VERSION: u64 = 1;

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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gateway_on_link: bool,
}

impl ViewWire {
    pub(super) fn new(id: u32, view: &View) -> Self {
        // Takes the view apart, so that the compiler complains here when a view gets a new field.
        let View { table, metric, protocol, device, on_link, via, gateway_on_link } = view.clone();
        Self { id, table, metric, protocol, device, on_link, via, gateway_on_link }
    }

    pub(super) fn into_view(self) -> (u32, View) {
        let Self { id, table, metric, protocol, device, on_link, via, gateway_on_link } = self;
        (id, View { table, metric, protocol, device, on_link, via, gateway_on_link })
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
#[derive(Serialize)]
pub(super) struct RecordWire<'a, A> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Nullable<ShapeWire<A>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Nullable<ShapeWire<A>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ShapeWire<A>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Cow<'a, Token>>,
    /// Fields that this binary does not know.
    #[serde(skip)]
    pub unknown: Vec<(Box<str>, Raw)>,
}

impl<'de, A: Deserialize<'de>> Deserialize<'de> for RecordWire<'de, A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<A>(PhantomData<A>);
        impl<'de, A: Deserialize<'de>> Visitor<'de> for Read<A> {
            type Value = RecordWire<'de, A>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let (mut is, mut to, mut also, mut token, mut unknown) = (None, None, None, None, Vec::new());
                while let Some(Text(field)) = map.next_key()? {
                    let is_new = match &*field {
                        "is" => is.replace(Nullable(map.next_value()?)).is_none(),
                        "to" => to.replace(Nullable(map.next_value()?)).is_none(),
                        "also" => also.replace(map.next_value()?).is_none(),
                        "token" => token.replace(map.next_value::<Option<Cow<'de, Token>>>()?).is_none(),
                        _ => {
                            let is_new = unknown.iter().all(|(other, _): &(Box<str>, Raw)| **other != *field);
                            unknown.push((field.as_ref().into(), map.next_value()?));
                            is_new
                        }
                    };
                    if !is_new {
                        return Err(de::Error::custom(format!("duplicate field `{}`", field.escape_debug())));
                    }
                }
                Ok(RecordWire { is, to, also: also.unwrap_or_default(), token: token.flatten(), unknown })
            }
        }
        deserializer.deserialize_map(Read(PhantomData))
    }
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

//! The document's form on disk. Reading and writing use the same types, so that they always agree.
//!
//! Refuses unknown fields instead of dropping them: topo must not delete what a newer topo wrote.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Lineage, RunId};
use crate::network::{Prefix, View};
use crate::resource::{Endpoint, Known, Name, Place, Token};

/// The version of documents that this binary reads and writes.
pub(super) const VERSION: u64 = 1;

pub(super) struct DocumentWire<'a> {
    pub version: u64,
    pub lineage: Lineage,
    pub serial: u64,
    pub topology: Name,
    pub run: Option<RunId>,
    pub rows: Vec<ListWire>,
    pub views: Vec<ViewWire>,
    pub places: PlacesWire<'a>,
}

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
    pub add: Vec<(Prefix, IpAddr)>,
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

/// [`Endpoint`], without unknown fields.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Endpoint", deny_unknown_fields)]
struct EndpointWire {
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sudo: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct StrictEndpoint(#[serde(with = "EndpointWire")] pub Endpoint);

/// Places of known kinds, and others unchanged.
#[derive(Default)]
pub(super) struct PlacesWire<'a> {
    pub known: Vec<(Place, PlaceWire<'a>)>,
    pub unknown: Vec<(Box<str>, Box<RawValue>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceWire<'a> {
    #[serde(default)]
    pub endpoint: Option<StrictEndpoint>,
    #[serde(default)]
    pub machine_id: Option<Arc<str>>,
    #[serde(borrow)]
    pub resources: Pairs<Text<'a>, &'a RawValue>,
}

/// A record. It is settled if it has no `to`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordWire<'a> {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub is: Option<Nullable<ShapeWire<'a>>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub to: Option<Nullable<ShapeWire<'a>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ShapeWire<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Cow<'a, Token>>,
}

/// The value of a field that exists.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Nullable<T>(pub Option<T>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShapeWire<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Arc<[IpAddr]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<Arc<BTreeSet<Prefix>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Cow<'a, Value>>,
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

/// A JSON object in its original order, so that the reader can refuse duplicate keys.
pub(super) struct Pairs<K, V>(pub Vec<(K, V)>);

/// Distinguishes a field that is null from a missing one.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Nullable<T>>, D::Error> {
    Option::deserialize(deserializer).map(|value| Some(Nullable(value)))
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Each<K, V> {
            type Value = Pairs<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Each(PhantomData))
    }
}

impl<'a> DocumentWire<'a> {
    /// Reads a document. Reads places of known kinds, and keeps others unchanged.
    pub(super) fn read(text: &'a str, known: &Known) -> serde_json::Result<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let document = ReadDocument(known).deserialize(&mut reader)?;
        reader.end()?;
        Ok(document)
    }
}

/// The fields of a document.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Version,
    Lineage,
    Serial,
    Topology,
    Run,
    Rows,
    Views,
    Places,
}

/// Reads a [`DocumentWire`]. The reader of its places needs the known kinds.
struct ReadDocument<'k>(&'k Known);

impl<'de> DeserializeSeed<'de> for ReadDocument<'_> {
    type Value = DocumentWire<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadDocument<'_> {
    type Value = DocumentWire<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct DocumentWire")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut version, mut lineage, mut serial, mut topology, mut run) = (None, None, None, None, None);
        let (mut rows, mut views, mut places) = (None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Version => fill(&mut version, "version", &mut map)?,
                Field::Lineage => fill(&mut lineage, "lineage", &mut map)?,
                Field::Serial => fill(&mut serial, "serial", &mut map)?,
                Field::Topology => fill(&mut topology, "topology", &mut map)?,
                Field::Run => fill(&mut run, "run", &mut map)?,
                Field::Rows => fill(&mut rows, "rows", &mut map)?,
                Field::Views => fill(&mut views, "views", &mut map)?,
                Field::Places if places.is_some() => return Err(de::Error::duplicate_field("places")),
                Field::Places => places = Some(map.next_value_seed(ReadPlaces(self.0))?),
            }
        }
        let missing = <A::Error as de::Error>::missing_field;
        Ok(DocumentWire {
            version: version.ok_or_else(|| missing("version"))?,
            lineage: lineage.ok_or_else(|| missing("lineage"))?,
            serial: serial.ok_or_else(|| missing("serial"))?,
            topology: topology.ok_or_else(|| missing("topology"))?,
            run: run.flatten(),
            rows: rows.unwrap_or_default(),
            views: views.unwrap_or_default(),
            places: places.ok_or_else(|| missing("places"))?,
        })
    }
}

/// Reads the value of a field that may occur only once.
fn fill<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    field: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if field.is_some() {
        return Err(de::Error::duplicate_field(name));
    }
    *field = Some(map.next_value()?);
    Ok(())
}

/// Reads [`PlacesWire`].
struct ReadPlaces<'k>(&'k Known);

impl<'de> DeserializeSeed<'de> for ReadPlaces<'_> {
    type Value = PlacesWire<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadPlaces<'_> {
    type Value = PlacesWire<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of places")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut places = PlacesWire::default();
        while let Some(Text(key)) = map.next_key()? {
            if self.0.has_place_kind_of(&key) {
                let place = self.0.place(&key).map_err(de::Error::custom)?;
                places.known.push((place, map.next_value()?));
            } else {
                places.unknown.push((key.into(), map.next_value()?));
            }
        }
        Ok(places)
    }
}

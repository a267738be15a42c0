//! Reads a document in one pass. Keeps unchanged what this topo does not know.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::{DocumentError, damaged};
use super::reader::Reader;
use super::wire::{Text, VERSION, VersionOnly};
use super::{Kept, PlaceRecord, State};
use crate::resource::{Endpoint, Known, Place, Raw, Record, Resources};

/// About how many bytes a place takes in a document, with one record.
const BYTES_OF_PLACE: usize = 250;

impl State {
    /// Reads a document. Places and records of kinds that are not in `known` stay unchanged.
    pub fn from_json(document: &[u8], known: &Known) -> Result<Self, DocumentError> {
        if document.is_empty() {
            return Err(damaged("it is empty (0 bytes)"));
        }
        let text = std::str::from_utf8(document).map_err(|error| damaged(format!("it is not UTF-8 text ({error})")))?;
        read(text, known).map_err(|refusal| match serde_json::from_str(text) {
            // A newer topo may have written any form, so the version decides before anything else.
            Ok(VersionOnly { version }) if version > VERSION => DocumentError::Newer(version),
            Ok(VersionOnly { version: 0 }) => damaged("it has version 0, which does not exist"),
            _ => refusal,
        })
    }
}

fn read(text: &str, known: &Known) -> Result<State, DocumentError> {
    let mut reader = Reader::new(known, text.len());
    let mut json = serde_json::Deserializer::from_str(text);
    let state = ReadDocument(&mut reader).deserialize(&mut json).and_then(|state| json.end().map(|()| state));
    state.map_err(|error| match reader.refusal {
        Some(refusal) => refusal,
        None => refuse(&error, &reader.context),
    })
}

fn refuse(error: &serde_json::Error, context: &str) -> DocumentError {
    let text = format!("{context}{error}");
    if error.to_string().starts_with("unknown field") {
        DocumentError::Unknown(text)
    } else if error.is_eof() {
        damaged(format!("it is cut off or not JSON ({text})"))
    } else if error.is_syntax() {
        damaged(format!("it is not JSON ({text})"))
    } else {
        damaged(text)
    }
}

/// Reads a JSON object into what the reader makes of it.
macro_rules! read_object {
    ($reader:ident) => {
        impl<'de> DeserializeSeed<'de> for $reader<'_, '_> {
            type Value = <Self as Visitor<'de>>::Value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_map(self)
            }
        }
    };
}

impl Reader<'_> {
    /// Notes why topo refuses the document. Returns the error that ends the reading.
    fn refuse<E: de::Error>(&mut self, refusal: DocumentError) -> E {
        self.refusal = Some(refusal);
        E::custom("refused")
    }
}

read_object!(ReadDocument);
read_object!(ReadPlaces);
read_object!(ReadPlace);
read_object!(ReadResources);

/// Reads the whole document.
struct ReadDocument<'r, 'k>(&'r mut Reader<'k>);

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

impl<'de> Visitor<'de> for ReadDocument<'_, '_> {
    type Value = State;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct DocumentWire")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<State, A::Error> {
        let reader = self.0;
        let (mut version, mut lineage, mut serial, mut topology, mut run) = (None, None, None, None, None);
        let (mut rows, mut views, mut places, mut unread) = (None, None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Version => fill(&mut version, "version", &mut map)?,
                Field::Lineage => fill(&mut lineage, "lineage", &mut map)?,
                Field::Serial => fill(&mut serial, "serial", &mut map)?,
                Field::Topology => fill(&mut topology, "topology", &mut map)?,
                Field::Run => fill(&mut run, "run", &mut map)?,
                Field::Rows => {
                    let lists = map.next_value()?;
                    only(
                        rows.replace(reader.lists(lists).map_err(|refusal| reader.refuse::<A::Error>(refusal))?)
                            .is_some(),
                        "rows",
                    )?;
                }
                Field::Views => {
                    let list = map.next_value()?;
                    only(
                        views
                            .replace(reader.views(list).map_err(|refusal| reader.refuse::<A::Error>(refusal))?)
                            .is_some(),
                        "views",
                    )?;
                }
                Field::Places if places.is_some() || unread.is_some() => {
                    return Err(de::Error::duplicate_field("places"));
                }
                // Records refer to lists and views, so read them after these.
                Field::Places if rows.is_none() || views.is_none() => unread = Some(map.next_value::<&RawValue>()?),
                Field::Places => places = Some(map.next_value_seed(ReadPlaces(reader))?),
            }
        }
        if let Some(unread) = unread {
            let mut json = serde_json::Deserializer::from_str(unread.get());
            places = Some(ReadPlaces(reader).deserialize(&mut json).map_err(de::Error::custom)?);
        }
        let missing = <A::Error as de::Error>::missing_field;
        let version: u64 = version.ok_or_else(|| missing("version"))?;
        if version != VERSION {
            return Err(reader.refuse(DocumentError::Newer(version)));
        }
        let (places, unknown) = places.ok_or_else(|| missing("places"))?;
        let mut kept = Kept { places: unknown, ..Kept::default() };
        let is_opaque = |record: &Record| matches!(record, Record::Opaque(_));
        if !kept.places.is_empty() || places.values().any(|place| place.resources.values().any(is_opaque)) {
            (kept.rows, kept.views) = (std::mem::take(&mut reader.lists), std::mem::take(&mut reader.views));
        }
        Ok(State {
            lineage: lineage.ok_or_else(|| missing("lineage"))?,
            serial: serial.ok_or_else(|| missing("serial"))?,
            topology: topology.ok_or_else(|| missing("topology"))?,
            run: run.flatten(),
            places,
            kept,
        })
    }
}

/// Reads the value of a field that may occur only once.
fn fill<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    field: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    only(field.replace(map.next_value()?).is_some(), name)
}

/// Refuses a field that occurred before.
fn only<E: de::Error>(occurred: bool, name: &'static str) -> Result<(), E> {
    if occurred { Err(E::duplicate_field(name)) } else { Ok(()) }
}

/// Reads the places of known kinds, and keeps others unchanged.
struct ReadPlaces<'r, 'k>(&'r mut Reader<'k>);

impl<'de> Visitor<'de> for ReadPlaces<'_, '_> {
    type Value = (BTreeMap<Place, PlaceRecord>, BTreeMap<Box<str>, Raw>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of places")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let reader = self.0;
        let mut places: Vec<(Place, PlaceRecord)> = Vec::with_capacity(reader.length / BYTES_OF_PLACE);
        let mut unknown = BTreeMap::new();
        let twice = |place: &str| damaged(format!("the place {place} occurs twice"));
        while let Some(Text(key)) = map.next_key()? {
            if reader.known.has_place_kind_of(&key) {
                let place = reader.known.place(&key).map_err(de::Error::custom)?;
                let recorded = map.next_value_seed(ReadPlace(reader, &place))?;
                places.push((place, recorded));
            } else if unknown.insert(key.as_ref().into(), map.next_value()?).is_some() {
                return Err(reader.refuse(twice(&key.escape_debug().to_string())));
            }
        }
        // topo writes them sorted.
        if !places.is_sorted_by(|one, next| one.0 < next.0) {
            places.sort_by(|one, other| one.0.cmp(&other.0));
            if let Some(pair) = places.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(reader.refuse(twice(&pair[0].0.to_string())));
            }
        }
        Ok((places.into_iter().collect(), unknown))
    }
}

/// Reads one place.
struct ReadPlace<'r, 'k>(&'r mut Reader<'k>, &'r Place);

/// The fields of a place.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum PlaceField {
    Endpoint,
    MachineId,
    Resources,
}

impl<'de> Visitor<'de> for ReadPlace<'_, '_> {
    type Value = PlaceRecord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct PlaceWire")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PlaceRecord, A::Error> {
        let Self(reader, place) = self;
        let (mut endpoint, mut machine_id, mut resources) = (None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                PlaceField::Endpoint => fill::<_, Option<Endpoint>>(&mut endpoint, "endpoint", &mut map)?,
                PlaceField::MachineId => fill::<_, Option<Text<'_>>>(&mut machine_id, "machine_id", &mut map)?,
                PlaceField::Resources => {
                    only(resources.replace(map.next_value_seed(ReadResources(reader, place))?).is_some(), "resources")?;
                }
            }
        }
        Ok(PlaceRecord {
            endpoint: endpoint.flatten(),
            machine_id: machine_id.flatten().map(|text| Arc::from(&*text.0)),
            resources: resources.ok_or_else(|| de::Error::missing_field("resources"))?,
        })
    }
}

/// Reads the records of one place.
struct ReadResources<'r, 'k>(&'r mut Reader<'k>, &'r Place);

impl<'de> Visitor<'de> for ReadResources<'_, '_> {
    type Value = Resources<Record>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self(reader, place) = self;
        // Most places have one or two.
        let mut resources = Resources::with_capacity(2);
        while let Some(Text(key)) = map.next_key()? {
            let resource = match reader.resource(place, &key) {
                Ok(resource) => resource,
                Err(refusal) => return Err(reader.refuse(refusal)),
            };
            let record = if reader.known.has_kind(&resource.kind) {
                let context = || format!("in {resource} of the place {place}, ");
                let wire = match map.next_value() {
                    Ok(wire) => wire,
                    Err(error) => {
                        reader.context = context();
                        return Err(error);
                    }
                };
                match reader.record(wire) {
                    Ok(record) => record,
                    Err(reason) => return Err(reader.refuse(damaged(context() + &reason.to_string()))),
                }
            } else {
                Record::Opaque(map.next_value()?)
            };
            if resources.insert(resource, record).is_some() {
                let twice = format!("in the place {place}, {} occurs twice", key.escape_debug());
                return Err(reader.refuse(damaged(twice)));
            }
        }
        Ok(resources)
    }
}
